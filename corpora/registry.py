"""Fetch one pinned package file with a registry's ordinary client.

Every package file is checked against its SHA-256 before it enters the cache, and enters it by a
rename, so a file in the cache is whole. Python 3.9+, standard library only.
"""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile


class FetchError(Exception):
    """A package could not be had; the text names the package and says what to do."""


def cache_root():
    """MADEZIP_CACHE, else XDG_CACHE_HOME/madezip, else ~/.cache/madezip."""
    own = os.environ.get("MADEZIP_CACHE")
    if own:
        return pathlib.Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(base) / "madezip"


def sha256_of(path):
    """Hex SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


def pip_command(entry, folder):
    """pip, without dependencies; a platform in the entry asks for that platform's wheel."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "-q",
               "--disable-pip-version-check", "-d", folder]
    if entry.get("platform"):
        command += ["--only-binary=:all:", "--platform", entry["platform"],
                    "--implementation", "cp",
                    "--python-version", entry.get("python", "3.11")]
        command += ["--abi", entry["abi"]] if entry.get("abi") else []
    elif entry.get("source"):
        command += ["--no-binary=:all:", "--no-build-isolation"]
    else:
        command += ["--only-binary=:all:"]
    return command + ["{}=={}".format(entry["package"], entry["version"])]


CLIENTS = {
    "pypi": ("pip", pip_command),
    "npm": ("npm", lambda e, d: ["npm", "pack", "--silent", "--pack-destination", d,
                                 "{}@{}".format(e["package"], e["version"])]),
    "debian": ("apt-get", lambda e, d: ["apt-get", "download", "-q",
                                        "{}={}".format(e["package"], e["version"])]),
}
ADVICE = {
    "pypi": "is the network up, and does `python3 -m pip --version` work?",
    "npm": "is npm installed and the network up?",
    "debian": "this needs a Debian 12 (bookworm) system with `apt-get update` done as root; "
              "a package replaced by a point release must be pinned anew in the manifest.",
}


def download(entry, folder):
    """Run the client; return the one file it brought."""
    name = "{} {} {}".format(entry["registry"], entry["package"], entry["version"])
    tool, command = CLIENTS[entry["registry"]]
    if tool != "pip" and not shutil.which(tool):
        raise FetchError("{}: {} is not installed; {}".format(name, tool, ADVICE[entry["registry"]]))
    made = subprocess.run(command(entry, str(folder)), cwd=str(folder), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    files = [f for f in pathlib.Path(folder).iterdir() if f.is_file()]
    if made.returncode or len(files) != 1:
        raise FetchError("{}: {} failed (exit {}, {} files): {}\n{}".format(
            name, tool, made.returncode, len(files), ADVICE[entry["registry"]],
            made.stdout.strip()[-600:]))
    return files[0]


def fetch(entry, pinning=False):
    """Path of the entry's package file in the cache, downloaded when it is not there.

    With `pinning`, an entry without sha256 takes the hash of what came (to be reviewed and
    committed); otherwise a hash that differs is an error and nothing enters the cache.
    """
    store = cache_root() / "packages"
    store.mkdir(parents=True, exist_ok=True)
    want = entry.get("sha256", "")
    if want:
        kept = store / want
        if kept.is_file():
            if sha256_of(kept) == want:
                return kept
            kept.unlink()  # damaged on disk: fetch it again
    elif not pinning:
        raise FetchError("{}: the manifest has no sha256".format(entry["package"]))
    with tempfile.TemporaryDirectory(dir=str(store), prefix="part-") as folder:
        os.chmod(folder, 0o755)
        came = download(entry, pathlib.Path(folder))
        got = sha256_of(came)
        if want and got != want:
            raise FetchError("{} {} {}: SHA-256 is {}, the manifest says {}; nothing was kept. "
                             "Try again; if it stays, the registry serves another file than the "
                             "one pinned.".format(entry["registry"], entry["package"],
                                                  entry["version"], got, want))
        entry["sha256"] = got
        os.replace(came, store / got)
    return store / got

#!/usr/bin/env python3
"""Find libtorch 2.11.0 or set it up, and print the shell line that makes a build use it.

  line=$(python3 .ci/libtorch.py) && eval "$line" && cargo build --release

In this order:
1. LIBTORCH is set: that folder (lib/ and include/ in it).
2. LIBTORCH_USE_PYTORCH is set: the PyTorch 2.11 that `python3` imports.
3. The user's cache, shared by all checkouts: CACHE/libtorch-2.11.0-PLATFORM, where CACHE is
   $MADEZIP_CACHE, else $XDG_CACHE_HOME/madezip, else ~/.cache/madezip.
4. Nothing yet: download the pinned wheels with pip, check their SHA-256, and lay that folder out.
   The wheel is chosen by platform; the version of the local Python does not matter.

Only what a CPU build needs is unpacked: headers, libtorch_cpu and the libraries it loads. On Linux
libtorch_cpu needs two small CUDA libraries to load at all; nothing here needs a GPU.
Linux x86-64 is tried. Linux arm64 and macOS arm64 are written from the contents of their wheels and
are untried. Python 3.9+, standard library and pip. Everything but that one line goes to stderr.
"""
import hashlib
import os
import pathlib
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

VERSION = "2.11.0"
LINUX_LIBRARIES = ["libtorch_cpu.so", "libc10.so", "libgomp.so.1"]
ARM_LIBRARIES = LINUX_LIBRARIES + [
    "libarm_compute.so", "libarm_compute_graph.so", "libgfortran.so.5", "libnvpl_blas_core.so.0",
    "libnvpl_blas_lp64_gomp.so.0", "libnvpl_lapack_core.so.0", "libnvpl_lapack_lp64_gomp.so.0"]

# platform -> (package, version, pip platform, SHA-256 of the wheel, libraries taken from it)
WHEELS = {
    "linux-x86_64": [
        ("torch", VERSION, "manylinux_2_28_x86_64",
         "0f68f4ac6d95d12e896c3b7a912b5871619542ec54d3649cf48cc1edd4dd2756", LINUX_LIBRARIES),
        ("nvidia-cuda-runtime", "13.0.96", "manylinux2014_x86_64",
         "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548", ["libcudart.so.13"]),
        ("nvidia-cuda-cupti", "13.0.85", "manylinux_2_25_x86_64",
         "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8", ["libcupti.so.13"]),
    ],
    "linux-aarch64": [
        ("torch", VERSION, "manylinux_2_28_aarch64",
         "f99924682ef0aa6a4ab3b1b76f40dc6e273fca09f367d15a524266db100a723f", ARM_LIBRARIES),
        ("nvidia-cuda-runtime", "13.0.96", "manylinux2014_aarch64",
         "ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55", ["libcudart.so.13"]),
        ("nvidia-cuda-cupti", "13.0.85", "manylinux_2_25_aarch64",
         "796bd679890ee55fb14a94629b698b6db54bcfd833d391d5e94017dd9d7d3151", ["libcupti.so.13"]),
    ],
    "darwin-arm64": [
        ("torch", VERSION, "macosx_11_0_arm64",
         "4b5866312ee6e52ea625cd211dcb97d6a2cdc1131a5f15cc0d87eec948f6dd34",
         ["libtorch.dylib", "libtorch_cpu.dylib", "libc10.dylib", "libomp.dylib"]),
    ],
}
RECORD = "files.txt"  # written last: size and name of every file, so a half folder is recognised


def fail(text):
    """Leave with a message."""
    sys.exit("libtorch: " + text)


def say(text):
    """Progress."""
    print("libtorch: " + text, file=sys.stderr, flush=True)


def cache_root():
    """The user's cache folder of madezip."""
    own = os.environ.get("MADEZIP_CACHE")
    if own:
        return pathlib.Path(own).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(base).absolute() / "madezip"


def damage(folder):
    """What is wrong with a folder this script made; "" when nothing is."""
    record = folder / RECORD
    if not record.is_file():
        return "it was never finished"
    for line in record.read_text().splitlines():
        size, name = line.split(" ", 1)
        file = folder / name
        if not file.is_file() or file.stat().st_size != int(size):
            return name + " is missing or has another size"
    return ""


def download(package, version, plat, want, folder):
    """One wheel by pip, checked."""
    say("downloading {} {} for {}".format(package, version, plat))
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:",
               "--no-cache-dir", "--disable-pip-version-check", "-q", "--python-version", "3.12",
               "--implementation", "cp", "--platform", plat, "-d", str(folder),
               "{}=={}".format(package, version)]
    made = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    wheels = [w for w in folder.glob("*.whl") if w.name.startswith(package.replace("-", "_") + "-")]
    if made.returncode or len(wheels) != 1:
        fail("pip could not download {} {} (exit {}). Is the network up, and does `{} -m pip "
             "--version` work? Nothing was kept; run the same command again, or set LIBTORCH to a "
             "libtorch {} folder.".format(package, version, made.returncode, sys.executable, VERSION))
    digest = hashlib.sha256()
    with open(wheels[0], "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    if digest.hexdigest() != want:
        fail("{} has SHA-256 {}, expected {}: a damaged download or another file than the one "
             "pinned. Nothing was kept; run the same command again.".format(
                 wheels[0].name, digest.hexdigest(), want))
    return wheels[0]


def unpack(wheel, libraries, folder):
    """Headers of torch and the named libraries, into include/ and lib/."""
    missing = set(libraries)
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            path = pathlib.PurePosixPath(info.filename)
            if info.is_dir() or ".." in path.parts:
                continue
            if path.parts[:2] == ("torch", "include"):
                place = folder / "include" / pathlib.Path(*path.parts[2:])
            elif path.name in missing and "lib" in path.parts:
                missing.discard(path.name)
                place = folder / "lib" / path.name
            else:
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, open(place, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
    if missing:
        fail("{} holds no {}".format(wheel.name, ", ".join(sorted(missing))))


def set_up(wheels, home):
    """Download and lay out `home`, whole or not at all."""
    home.parent.mkdir(parents=True, exist_ok=True)
    for old in home.parent.glob("part-*"):  # left by a run that was killed
        if time.time() - old.stat().st_mtime > 3600:
            shutil.rmtree(old, ignore_errors=True)
    free = shutil.disk_usage(home.parent).free
    if free < 2 << 30:
        fail("{} has {} MB free; the set-up needs 2 GB for a moment and 0.6 GB to stay. Free some, "
             "or set MADEZIP_CACHE to another folder.".format(home.parent, free >> 20))
    with tempfile.TemporaryDirectory(dir=str(home.parent), prefix="part-") as scratch:
        scratch = pathlib.Path(scratch)
        new = scratch / "libtorch"
        (new / "lib").mkdir(parents=True)
        for package, version, plat, want, libraries in wheels:
            wheel = download(package, version, plat, want, scratch)
            unpack(wheel, libraries, new)
            wheel.unlink()
        if (new / "lib" / "libtorch_cpu.so").exists():
            # The linker asks for libtorch; the real one would pull in every CUDA library.
            (new / "lib" / "libtorch.so").write_text("INPUT(libtorch_cpu.so)\n")
        (new / "build-version").write_text(VERSION + "\n")
        lines = ["{} {}".format(f.stat().st_size, f.relative_to(new).as_posix())
                 for f in sorted(new.rglob("*")) if f.is_file()]
        (new / RECORD).write_text("\n".join(lines) + "\n")
        if home.exists():
            shutil.rmtree(home)
        try:
            os.replace(new, home)
        except OSError:
            if damage(home):  # not simply another run that was faster
                raise
    say("ready in {}".format(home))


def given_folder(folder):
    """Check the folder of LIBTORCH before a long build finds out."""
    path = pathlib.Path(folder)
    if not (path / "include" / "torch").is_dir() or not (path / "lib").is_dir():
        fail("LIBTORCH={} has no include/torch and lib; it should be the folder of a libtorch {}, "
             "or be unset to have one fetched.".format(folder, VERSION))
    version = path / "build-version"
    found = version.read_text().strip() if version.is_file() else ""
    if found and found.split("+")[0] != VERSION and not os.environ.get("LIBTORCH_BYPASS_VERSION_CHECK"):
        fail("LIBTORCH={} is version {}; {} is needed.".format(folder, found, VERSION))
    return path.absolute()


def python_torch():
    """Check the PyTorch that LIBTORCH_USE_PYTORCH asks for."""
    python = "python" if os.environ.get("VIRTUAL_ENV") else "python3"
    made = subprocess.run([python, "-c", "import torch; print(torch.__version__)"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    last = (made.stdout.strip().splitlines() or [""])[-1]
    if made.returncode:
        fail("LIBTORCH_USE_PYTORCH is set, but `{} -c 'import torch'` fails: {}. Install "
             "torch=={} there, or unset the variable.".format(python, last, VERSION))
    if last.split("+")[0] != VERSION and not os.environ.get("LIBTORCH_BYPASS_VERSION_CHECK"):
        fail("LIBTORCH_USE_PYTORCH is set, but that PyTorch is {}; {} is needed.".format(last, VERSION))


def main():
    """Print `export LIBTORCH=...`, or `:` where nothing needs setting."""
    if os.environ.get("LIBTORCH"):
        print("export LIBTORCH=" + shlex.quote(str(given_folder(os.environ["LIBTORCH"]))))
        return
    if os.environ.get("LIBTORCH_USE_PYTORCH"):
        python_torch()
        print(":")
        return
    plat = "{}-{}".format(sys.platform, platform.machine().replace("AMD64", "x86_64"))
    if plat not in WHEELS:
        fail("no libtorch is pinned for {}. Set LIBTORCH to a libtorch {} folder, or "
             "LIBTORCH_USE_PYTORCH=1 for an installed PyTorch {}, or build without it: cargo build "
             "--release --no-default-features".format(plat, VERSION, VERSION))
    home = cache_root() / "libtorch-{}-{}".format(VERSION, plat)
    wrong = damage(home) if home.exists() else "absent"
    if wrong:
        if wrong != "absent":
            say("{} is damaged ({}); setting it up again".format(home, wrong))
        set_up(WHEELS[plat], home)
    print("export LIBTORCH=" + shlex.quote(str(home)))


if __name__ == "__main__":
    main()

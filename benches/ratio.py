#!/usr/bin/env python3
"""Compare madezip with other compressors, file by file, on the same bytes.

usage: ratio.py MADEZIP PATH... [--args "-9"] [--json OUT] [--fast]
Every file below the PATHs is compressed and decompressed by every compressor at hand, and every
result is compared with the original. gzip, bzip2 and xz are Python's own; zstd, brotli, 7z (PPMd),
zpaq, lpaq1 and mcm are used when they are on PATH. Sizes are those of the whole archive file.
--fast leaves the slow context mixers out. Needs Python 3.9 or newer.
"""
import argparse
import bz2
import gzip
import json
import lzma
import os
import pathlib
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

XZ = lzma.PRESET_EXTREME | 9


def run(command, out=None, **more):
    """A command that must succeed; its standard output goes to `out`."""
    with open(out or os.devnull, "wb") as target:
        made = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=target,
                              stderr=subprocess.PIPE, **more)
    if made.returncode:
        sys.exit("{}: exit {}\n{}".format(shlex.join(map(str, command)), made.returncode,
                                          made.stderr.decode(errors="replace")[-2000:]))


def in_memory(pack, unpack):
    """A compressor of Python's library as two functions on files."""
    return (lambda f, z: pathlib.Path(z).write_bytes(pack(pathlib.Path(f).read_bytes())),
            lambda z, o: pathlib.Path(o).write_bytes(unpack(pathlib.Path(z).read_bytes())))


def seven(tool):
    """7-Zip's PPMd; the archive holds one file, which is extracted to standard output."""
    return (lambda f, z: run([tool, "a", "-t7z", "-m0=PPMd:o=16:mem=256m", "-mx9", "-bd", "-y", z, f]),
            lambda z, o: run([tool, "e", "-so", "-bd", z], o))


def zpaq(f, z):
    """zpaq stores the path it is given, so it gets the bare name."""
    run(["zpaq", "add", z, os.path.basename(f), "-m5"], cwd=os.path.dirname(f))


def unzpaq(z, o):
    """The one file of the archive, whatever its name."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(o)) as folder:
        run(["zpaq", "extract", z, "-to", folder, "-force"])
        os.replace(next(p for p in pathlib.Path(folder).rglob("*") if p.is_file()), o)


def compressors(exe, extra, fast):
    """Name -> (compress, decompress), each on (from, to)."""
    found = {
        "madezip": (lambda f, z: run([exe, "compress", f, "-o", z, "-f", "-q", *extra]),
                    lambda z, o: run([exe, "decompress", z, "-o", o, "-f", "-q"])),
        "gzip -9": in_memory(lambda d: gzip.compress(d, 9, mtime=0), gzip.decompress),
        "bzip2 -9": in_memory(bz2.compress, bz2.decompress),
        "xz -9e": in_memory(lambda d: lzma.compress(d, preset=XZ), lzma.decompress),
    }
    if shutil.which("zstd"):
        found["zstd -22"] = (lambda f, z: run(["zstd", "-q", "--ultra", "-22", "-c", f], z),
                             lambda z, o: run(["zstd", "-q", "-d", "-c", z], o))
    if shutil.which("brotli"):
        found["brotli -11"] = (lambda f, z: run(["brotli", "-q", "11", "--lgwin=24", "-c", f], z),
                               lambda z, o: run(["brotli", "-d", "-c", z], o))
    tool = next(filter(shutil.which, ["7zz", "7z", "7za"]), None)
    if tool:
        found["7z PPMd"] = seven(tool)
    if not fast:
        if shutil.which("zpaq"):
            found["zpaq -m5"] = (zpaq, unzpaq)
        if shutil.which("lpaq1"):
            found["lpaq1 7"] = (lambda f, z: run(["lpaq1", "7", f, z]),
                                lambda z, o: run(["lpaq1", "d", z, o]))
        if shutil.which("mcm"):
            found["mcm -x6"] = (lambda f, z: run(["mcm", "-x6", f, z]),
                                lambda z, o: run(["mcm", "d", z, o]))
    return found


def measure(file, tools, folder):
    """Sizes and seconds of every compressor on one file; a wrong round trip ends the program."""
    original = pathlib.Path(file).read_bytes()
    row = {"file": str(file), "bytes": len(original), "size": {}, "compress_s": {}, "decompress_s": {}}
    copy = os.path.join(folder, "data")
    pathlib.Path(copy).write_bytes(original)
    for name, (pack, unpack) in tools.items():
        packed, back = os.path.join(folder, "packed"), os.path.join(folder, "back")
        for old in (packed, packed + ".7z", packed + ".zpaq", back):
            if os.path.exists(old):
                os.remove(old)
        packed += {"7z PPMd": ".7z", "zpaq -m5": ".zpaq"}.get(name, "")
        start = time.perf_counter()
        pack(copy, packed)
        middle = time.perf_counter()
        unpack(packed, back)
        end = time.perf_counter()
        if pathlib.Path(back).read_bytes() != original:
            sys.exit("{}: {} did not give the same bytes back".format(file, name))
        row["size"][name] = os.path.getsize(packed)
        row["compress_s"][name], row["decompress_s"][name] = middle - start, end - middle
    return row


def aligned(rows):
    """Rows of text as columns; the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w)
                               for i, (cell, w) in enumerate(zip(row, widths))) for row in rows)


def sizes_table(rows, names, base):
    """One line a file: size under every compressor, and madezip's bits per byte."""
    head = ["file", "bytes", "bits/byte"] + names
    table = [head]
    for row in rows + ([total(rows, names)] if len(rows) > 1 else []):
        label = row["file"]
        if base and label.startswith(str(base) + os.sep):
            label = label[len(str(base)) + 1:]
        rate = 8 * row["size"]["madezip"] / max(row["bytes"], 1)
        table.append([label, str(row["bytes"]), "{:.3f}".format(rate)]
                     + [str(row["size"][n]) for n in names])
    return aligned(table)


def total(rows, names):
    """The sum of all rows, in the form of a row."""
    return dict({"file": "total", "bytes": sum(r["bytes"] for r in rows)},
                **{k: {n: sum(r[k][n] for r in rows) for n in names}
                   for k in ("size", "compress_s", "decompress_s")})


def summary(rows, names):
    """One line a compressor: all files together, with speeds."""
    full = total(rows, names)
    table = [["all files", "bytes", "bits/byte", "madezip/it", "smaller on", "compress", "decompress"]]
    for name in names:
        size = full["size"][name]
        wins = sum(r["size"]["madezip"] < r["size"][name] for r in rows)
        table.append([name, str(size), "{:.3f}".format(8 * size / max(full["bytes"], 1)),
                      "" if name == "madezip" else "{:.1%}".format(full["size"]["madezip"] / size),
                      "" if name == "madezip" else "{}/{}".format(wins, len(rows))]
                     + ["{:.2f} MB/s".format(full["bytes"] / 1e6 / full[k][name])
                        for k in ("compress_s", "decompress_s")])
    return aligned(table)


def cpu_model():
    """The processor's name."""
    try:
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def main():
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("madezip")
    parser.add_argument("paths", nargs="+", type=pathlib.Path)
    parser.add_argument("--args", default="", help="options for `madezip compress`")
    parser.add_argument("--json", metavar="OUT")
    parser.add_argument("--fast", action="store_true", help="without zpaq, lpaq1 and mcm")
    options = parser.parse_args()
    exe = shutil.which(os.path.abspath(options.madezip)) or shutil.which(options.madezip)
    if not exe:
        sys.exit("{}: no such program; `make build` makes target/release/madezip".format(options.madezip))
    files = []
    for path in options.paths:
        if not path.exists():
            sys.exit("{}: no such file or folder".format(path))
        files += sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path]
    if not files:
        sys.exit("no files in {}".format(", ".join(map(str, options.paths))))
    tools = compressors(exe, shlex.split(options.args), options.fast)
    names, rows = list(tools), []
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            print("measuring {} ...".format(file), file=sys.stderr, flush=True)
            rows.append(measure(file, tools, folder))
    base = options.paths[0] if len(options.paths) == 1 else None
    print(sizes_table(rows, names, base) + "\n\n" + summary(rows, names))
    print("\nEvery file came back the same from every compressor. MB/s: the whole program, start to "
          "end, one run.\nOn {}.".format(cpu_model()))
    absent = [n for n in ("zstd", "brotli", "7z", "zpaq") if not shutil.which(n)
              and not (n == "7z" and "7z PPMd" in tools)]
    if absent:
        print("Not installed, so not in the table: {}.".format(", ".join(absent)))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(
            {"cpu": cpu_model(), "args": options.args, "rows": rows, "total": total(rows, names)},
            indent=1) + "\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Records one by one: madezip against zstd with a dictionary.

For every file of a folder a model (madezip train) and dictionaries (zstd --train) are
made from the first half of its lines, and the second half is coded line by line, so
that any line can be decoded alone. Every byte that a line needs counts, the index
included; what is sent once for all lines does not (model, dictionary, the header of
the archive). Every line is decoded again, some of them alone. JSON arrays are split
into their elements.

    benches/split.py target/release/madezip DIR [--train] [--models DIR] [--json FILE]
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# Kilobytes of zstd's dictionaries: the best one counts.
DICTIONARIES = (16, 64, 112)


def run(*args, **options):
    return subprocess.run([str(a) for a in args], check=True, capture_output=True, **options).stdout


def elements(content):
    """The elements of a top-level JSON array, with what is between them."""
    records, depth, string, escape, start = [], 0, False, False, 0
    for i, byte in enumerate(content):
        c = chr(byte)
        if string:
            string, escape = c != '"' or escape, c == "\\" and not escape
        elif c == '"':
            string = True
        elif c in "[{":
            depth += 1
        elif c in "]}":
            depth -= 1
        elif c == "," and depth == 1:
            records.append(content[start : i + 1])
            start = i + 1
    return records + [content[start:]]


def zstd(records, samples, folder):
    """Bytes of all records, each a frame of its own, with the best dictionary."""
    files = []
    for name, part in (("samples", samples), ("records", records)):
        (folder / name).mkdir()
        for i, record in enumerate(part):
            (folder / name / f"{i:06}").write_bytes(record)
    best = None
    for size in DICTIONARIES:
        dictionary = folder / f"dictionary{size}"
        made = subprocess.run(
            ["zstd", "-q", "--train", "-r", folder / "samples", f"--maxdict={size}KB", "-o", dictionary],
            capture_output=True,
        )
        if made.returncode:
            continue  # too few samples for one of this size
        out = folder / f"out{size}"
        out.mkdir()
        options = ["-q", "-19", "--no-check", "--no-dictID", "-D", dictionary]
        run("zstd", *options, "-r", folder / "records", "--output-dir-flat", out)
        files = list(out.iterdir())
        assert len(files) == len(records)
        total = sum(f.stat().st_size for f in files)
        best = min(best or total, total)
    return best


def madezip(program, records, samples, rule, model, folder):
    """Bytes of all records and of their index."""
    if model:
        if not model.exists():
            (folder / "train").write_bytes(b"".join(samples))
            run(program, "train", "--kind", "stream", "--base", "default", folder / "train", "-o", model)
        model = ["-m", model]
    else:
        model = []
    content = b"".join(records)
    (folder / "half").write_bytes(content)
    archive = folder / "half.mdz"
    run(program, "compress", "-q", *model, "--split", rule, folder / "half", "-o", archive)
    assert run(program, "decompress", "-q", *model, "-c", archive) == content, "not the same"
    for k in {0, 1, len(records) // 2, len(records) - 1} & set(range(len(records))):
        one = run(program, "decompress", "-q", *model, "--record", k, archive)
        assert one == records[k], f"record {k}"
    info = json.loads(run(program, "info", "--json", archive))
    blocks = [b for file in info["files"] for m in file["members"] for b in m["blocks"]]
    assert sum(b["records"] for b in blocks) == len(records)
    # each block's header and its entry in the archive's index are bytes of its records
    return sum(b["payload_bytes"] + 24 + 9 for b in blocks)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("program", type=lambda p: pathlib.Path(p).absolute())
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--train", action="store_true", help="train a model for each file")
    parser.add_argument("--models", type=pathlib.Path, help="keep the models here, and use those here")
    parser.add_argument("--json", type=pathlib.Path, help="write the numbers here")
    args = parser.parse_args()
    if not shutil.which("zstd"):
        sys.exit("zstd is not there: install it (Debian: apt install zstd)")
    rows = []
    for path in sorted(p for p in args.folder.iterdir() if p.is_file()):
        content = path.read_bytes()
        rule = "json" if path.suffix == ".json" else "lines"
        parts = elements(content) if rule == "json" else content.splitlines(keepends=True)
        if rule == "lines":  # a carriage return alone ends no line
            parts = [line + b"\n" for line in content.split(b"\n")]
            parts[-1] = parts[-1][:-1]
            parts = [p for p in parts if p]
        half = len(parts) // 2
        if half < 10:
            continue
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            model = (args.models or folder) / f"{path.name}.safetensors"
            ours = madezip(
                args.program, parts[half:], parts[:half], rule, args.train and model, folder
            )
            theirs = zstd(parts[half:], parts[:half], folder)
        if theirs is None:
            continue
        raw = sum(map(len, parts[half:]))
        rows.append({"file": path.name, "records": len(parts) - half, "bytes": raw,
                     "madezip": ours, "zstd": theirs})
        show(rows[-1])
    total = {k: sum(r[k] for r in rows) for k in ("records", "bytes", "madezip", "zstd")}
    show({"file": "total", **total})
    if args.json:
        args.json.write_text(json.dumps(rows + [{"file": "total", **total}], indent=1) + "\n")


def show(r):
    print(f"{r['file']:24} {r['records']:7} records {r['bytes']:9} bytes  madezip {r['madezip']:8}"
          f"  zstd {r['zstd']:8}  {100 * r['madezip'] / r['zstd']:6.1f} %", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C")
    main()

#!/usr/bin/env python3
"""Thousands of random files and options through the program.

    python3 tests/soak/soak.py target/release/madezip --seconds 600 --seed 1

Each round makes a file, compresses it with random options, and then takes one of
several ways back: whole, through pipes, a range, joined with others, damaged and
recovered, each run on some instruction set. `--pieces DIR` has pieces of real files
(programs, pictures) in the files that are made. Anything but the same bytes, or but an
error where there must be one, ends the soak with the command and the folder kept. The last line counts what was tried.
"""

import argparse
import collections
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

WORDS = "mask degree bits row of the a network; coder, [0.25] {key: value} <tag> 0x1f return if\n".split(" ")


def taken(r, path, most):
    """A piece of a file, perhaps with some bytes of it changed."""
    with open(path, "rb") as file:
        file.seek(r.choice([0, r.randrange(os.path.getsize(path) + 1)]))
        piece = bytearray(file.read(most))
    for _ in range(r.choice([0, 0, 1, 30])):
        if piece:
            piece[r.randrange(len(piece))] = r.randrange(256)
    return piece


def make(r, files=()):
    """A file's content: pieces of several kinds, from nothing to some 200 KB; 400 with pieces
    of files."""
    if files and r.random() < 0.7:
        parts = [taken(r, r.choice(files), int(2 ** r.uniform(4, 17))) for _ in range(r.randint(1, 6))]
        return b"".join(parts + [make(r)] * r.randrange(2))
    size = int(2 ** r.uniform(0, r.choice([8, 12, 15, 17.5]))) - 1
    out = bytearray()
    while len(out) < size:
        n = r.randint(1, max(1, size))
        kind = r.randrange(6)
        if kind == 0:
            out += bytes([r.randrange(256)]) * n
        elif kind == 1:
            out += r.randbytes(n)
        elif kind == 2:
            out += " ".join(r.choices(WORDS, k=n // 5 + 1)).encode()
        elif kind == 3:
            start, step = r.getrandbits(32), r.randrange(1 << 16)
            out += b"".join((start + i * step & 0xFFFFFFFF).to_bytes(4, r.choice(["little", "big"])) for i in range(n // 4 + 1))
        elif kind == 4:
            out += "".join(f"{i},{r.randrange(100)},{r.random():.3f}\n" for i in range(n // 10 + 1)).encode()
        elif out:
            at = r.randrange(len(out))
            out += out[at : at + n]
    return bytes(out[:size])


class Soak:
    def __init__(self, program, seed, seconds, pieces=None):
        self.files = sorted(os.path.join(d, n) for d, _, names in os.walk(pieces or "") for n in names)
        if pieces and not self.files:
            sys.exit(f"{pieces} has no files")
        self.program, self.r, self.end = os.path.abspath(program), random.Random(seed), time.time() + seconds
        self.folder = tempfile.mkdtemp(prefix="madezip-soak-")
        self.counts = collections.Counter()
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("MADEZIP")}

    def run(self, *args, stdin=None, code=0):
        # another one than this machine has is the best one
        environment = {**self.environment, "MADEZIP_ISA": self.r.choice(["", "", "avx2", "scalar"])}
        try:
            done = subprocess.run([self.program, *args], input=stdin, capture_output=True, cwd=self.folder, env=environment, timeout=600)
        except subprocess.TimeoutExpired:
            self.fail(args, "it hangs")
        codes = code if isinstance(code, tuple) else (code,)
        if done.returncode not in codes or b"panicked" in done.stderr:
            self.fail(args, f"exit {done.returncode}: {done.stderr.decode(errors='replace')}")
        self.counts["invocations"] += 1
        return done.stdout

    def fail(self, args, what):
        sys.exit(f"FAULT: madezip {' '.join(args)}\n{what}\nthe files are in {self.folder}")

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def options(self):
        r, options = self.r, []
        for option in ([f"-{r.randint(1, 9)}"], ["--verify"], ["--block-size", r.choice(["128K", "200001", "1M"])], ["-T", str(r.randint(0, 4))], ["--no-progress"]):
            if r.random() < 0.4:
                options += option
        if r.random() < 0.05:
            options.append("--embed-model")
        return options

    def round(self):
        r, content = self.r, make(self.r, self.files)
        self.write("a", content)
        options = self.options()
        if r.random() < 0.3:
            self.write("a.mdz", self.run(*(["compress", "-c", *options] if r.random() < 0.5 else ["compress", *options]), stdin=content))
            self.counts["through pipes"] += 1
        else:
            self.run("compress", "-f", *options, "a")
        archive = self.read("a.mdz")
        if len(archive) > len(content) * 1.001 + 100 and "--embed-model" not in options:
            self.fail(options, f"{len(content)} bytes became {len(archive)}")
        way = r.choice(["whole", "whole", "pipe", "range", "join", "damage", "cut", "recover", "kill", "rm"])
        self.counts[way] += 1
        getattr(self, way)(content, archive)
        self.counts["files"] += 1
        self.counts["bytes"] += len(content)

    def same(self, got, content, what):
        if got != content:
            self.fail([what], "WRONG BYTES")

    def whole(self, content, archive):
        os.remove(self.path("a"))
        self.run("decompress", "-T", str(self.r.randint(1, 4)), "a.mdz")
        self.same(self.read("a"), content, "decompress")

    def pipe(self, content, archive):
        self.same(self.run("-d", stdin=archive), content, "-d")
        self.run("test", "-", stdin=archive)

    def range(self, content, archive):
        a, b = sorted(self.r.randint(0, len(content)) for _ in range(2))
        self.same(self.run("decompress", "--range", f"{a}..{b}", "a.mdz"), content[a:b], f"--range {a}..{b}")

    def join(self, content, archive):
        self.write("b.mdz", archive * 3)
        self.same(self.run("decompress", "-c", "b.mdz", "a.mdz"), content * 4, "joined")

    def damage(self, content, archive):
        bad = bytearray(archive)
        for _ in range(self.r.randint(1, 3)):
            bad[self.r.randrange(len(bad))] ^= self.r.randint(1, 255)
        self.broken(content, archive, bytes(bad))

    def cut(self, content, archive):
        self.broken(content, archive, archive[: self.r.randrange(len(archive))])

    def broken(self, content, archive, bad):
        if bad == archive:
            return
        self.write("b.mdz", bad)
        self.run("test", "b.mdz", code=1)
        if not content.startswith(self.run("decompress", "-c", "b.mdz", code=1)):
            self.fail(["decompress -c b.mdz"], "WRONG BYTES before the error")
        self.run("decompress", "-f", "b.mdz", "-o", "none", code=1)
        if os.path.exists(self.path("none")):
            self.fail(["decompress"], "a damaged archive left a file")
        self.run("info", "b.mdz", code=(0, 1))

    def recover(self, content, archive):
        bad = bytearray(archive)
        bad[self.r.randrange(len(bad))] ^= 1 << self.r.randrange(8)
        self.write("b.mdz", bytes(bad))
        saved = self.run("recover", "-c", "b.mdz", code=(0, 1, 2))
        at = 0
        # whole blocks of the content, in order
        for i in range(0, len(saved), 4096):
            at = content.find(saved[i : i + 4096], at)
            if at < 0:
                self.fail(["recover"], "WRONG BYTES recovered")

    def rm(self, content, archive):
        os.remove(self.path("a.mdz"))
        self.run("compress", "--rm", "a")
        if os.path.exists(self.path("a")):
            self.fail(["compress --rm"], "the input is still there")
        self.run("decompress", "--rm", "a.mdz")
        self.same(self.read("a"), content, "--rm")

    def kill(self, content, archive):
        verb, name = self.r.choice([("compress", "a"), ("decompress", "a.mdz")])
        other = {"a": "a.mdz", "a.mdz": "a"}[name]
        os.remove(self.path(other))
        child = subprocess.Popen([self.program, verb, "--rm", name], cwd=self.folder, env=self.environment, stderr=subprocess.DEVNULL)
        time.sleep(self.r.uniform(0, 0.3))
        child.send_signal(self.r.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
        status = child.wait()
        self.counts[f"{verb} ended by signal {-status}" if status < 0 else f"{verb} ended before the signal"] += 1
        left = [n for n in os.listdir(self.folder) if n in ("a", "a.mdz")]
        if not left:
            self.fail([verb, "--rm", name], "KILLED, AND BOTH FILES ARE LOST")
        if "a" in left:
            self.same(self.read("a"), content, "the source after a kill")
        if "a.mdz" in left:
            self.same(self.run("decompress", "-c", "a.mdz"), content, "the archive after a kill")

    def crowd(self):
        """A thousand invocations in one folder, fifty at a time."""
        files = {f"f{i}": make(self.r)[:3000] for i in range(20)}
        for name, content in files.items():
            self.write(name, content)
        running = []
        for i in range(1000):
            if len(running) == 50 and running.pop(0).wait() != 0:
                self.fail(["compress -f"], "one of fifty failed")
            name = self.r.choice(list(files))
            running.append(subprocess.Popen([self.program, "compress", "-T", "1", "-f", name], cwd=self.folder, env=self.environment))
        if any(child.wait() for child in running):
            self.fail(["compress -f"], "one of fifty failed")
        for name, content in files.items():
            if os.path.exists(self.path(name + ".mdz")):
                self.same(self.run("decompress", "-c", name + ".mdz"), content, name)
        self.counts["invocations in a crowd of 50"] += 1000

    def go(self, crowd):
        if crowd:
            self.crowd()
        while time.time() < self.end:
            for name in os.listdir(self.folder):
                os.remove(self.path(name))
            self.round()
        shutil.rmtree(self.folder)
        print("none wrong:", ", ".join(f"{n} {what}" for what, n in self.counts.most_common()))


parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("--seconds", type=float, default=60)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--pieces", metavar="DIR", help="files that pieces are taken from")
parser.add_argument("--crowd", action="store_true", help="also 1,000 invocations in one folder, 50 at a time")
args = parser.parse_args()
Soak(args.program, args.seed, args.seconds, args.pieces).go(args.crowd)

"""Tests of the fetch tool; no network: `python3 -m unittest discover corpora`."""
import gzip
import hashlib
import io
import os
import pathlib
import struct
import sys
import tarfile
import tempfile
import unittest
import zipfile
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import archives
import fetch
import logs
import registry
import transforms


def tar(files):
    """A .tar.gz of name -> bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def deb(files):
    """A Debian package of name -> bytes."""
    def part(name, body):
        head = "{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n".format(name, 0, 0, 0, 100644, len(body))
        return head.encode() + body + b"\n" * (len(body) & 1)
    data = tar({"./" + n: d for n, d in files.items()})
    return b"!<arch>\n" + part("debian-binary", b"2.0\n") + part("data.tar.gz", data)


def png(width, height, depth, color, raw, *chunks):
    """A PNG of filtered rows, with further (kind, body) chunks before them."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + b"crc!"
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(chunk(*c) for c in chunks)
            + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


class Packages(unittest.TestCase):
    """Reading packages and choosing files."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def package(self, data):
        path = pathlib.Path(self.folder.name) / "package"
        path.write_bytes(data)
        return path

    def names(self, data, **entry):
        entry = dict({"package": "p", "include": ["*"], "min": 1}, **entry)
        return [name for name, _ in fetch.shortlist(entry, self.package(data))]

    def test_deb_members_come_unpacked_and_licences_stay_out(self):
        data = deb({"usr/share/doc/x/copyright": b"c" * 300, "usr/share/man/man1/x.1.gz":
                    gzip.compress(b".TH x\n" * 60)})
        self.assertEqual(self.names(data), ["usr/share/man/man1/x.1"])

    def test_files_inside_a_jar(self):
        jar = io.BytesIO()
        with zipfile.ZipFile(jar, "w") as archive:
            archive.writestr("a/B.class", b"\xca\xfe" * 200)
            archive.writestr("META-INF/x.txt", b"no")
        data = tar({"package/lib/x.jar": jar.getvalue()})
        self.assertEqual(self.names(data, include=["*/x.jar!/*.class"]),
                         ["package/lib/x.jar!/a/B.class"])

    def test_the_cap_holds_and_the_choice_does_not_depend_on_the_order_in_the_package(self):
        files = {"f%d" % i: b"%d" % i * 1000 for i in range(30)}
        entry = {"package": "p", "include": ["*"], "cap": 7000}
        one = fetch.choose(entry, fetch.shortlist(entry, self.package(tar(files))), set())
        back = dict(reversed(list(files.items())))
        two = fetch.choose(entry, fetch.shortlist(entry, self.package(tar(back))), set())
        self.assertEqual(one, two)
        self.assertTrue(4000 < sum(len(d) for _, d in one) <= 7000)

    def test_a_file_seen_before_is_not_taken_again(self):
        entry, seen = {"package": "p", "include": ["*"]}, set()
        listed = [("a", b"same" * 100), ("b", b"same" * 100)]
        self.assertEqual(len(fetch.choose(entry, listed, seen)), 1)
        self.assertEqual(fetch.choose(entry, listed, seen), [])

    def test_pieces_of_text_are_whole_lines(self):
        text = b"".join(b"line %d of the text\n" % i for i in range(5000))
        for name in "abcdefgh":
            part = fetch.piece(name, text, 9000)
            self.assertTrue(4500 < len(part) <= 9000 and part in text)
            self.assertTrue(text.startswith(part) or (part.startswith(b"line") and part.endswith(b"\n")))

    def test_cut(self):
        self.assertEqual(fetch.cut(b"0123456789", [(2, 4), (7, 10)]), b"01456")

    def test_held_out_packages_may_not_be_training_packages(self):
        row = {"registry": "npm", "package": "Express"}
        with self.assertRaises(SystemExit):
            fetch.set_aside([row], [{"registry": "npm", "package": "express"}])

    def test_samples_are_whole_and_of_no_held_out_package(self):
        row = {"registry": "debian", "package": "Hello", "include": ["*"], "cap": 5000, "min": 1}
        entry = fetch.whole_files([row], [{"registry": "npm", "package": "hello"}])[0]
        package = self.package(tar({"f%d" % i: bytes([i]) * 2000 for i in range(30)}))
        listed = fetch.shortlist(entry, package)
        self.assertEqual([len(data) for _, data in listed], [2000] * 4)
        self.assertEqual(len(fetch.choose(entry, listed, set())), 2)
        with self.assertRaises(SystemExit):
            fetch.whole_files([row], [{"registry": "debian", "package": "hello"}])

    def test_flat_drawings_are_left_out_where_an_entry_says_so(self):
        noise = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(20))
        data = tar({"flat": b"\x01\x02\x03" * 200, "noise": noise, "half": noise[:320] + bytes(320)})
        self.assertEqual(self.names(data, rich=30), ["half", "noise"])
        self.assertEqual(self.names(data, rich=80), ["noise"])

    def test_hostile_names_stay_inside(self):
        self.assertNotIn("/", fetch.flat("../../etc/passwd"))
        self.assertFalse(fetch.flat("../x").startswith("."))


class Downloads(unittest.TestCase):
    """What a client brings is checked."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        old = os.environ.get("MADEZIP_CACHE")
        os.environ["MADEZIP_CACHE"] = folder.name
        self.addCleanup(lambda: os.environ.pop("MADEZIP_CACHE") if old is None
                        else os.environ.__setitem__("MADEZIP_CACHE", old))
        self.store = pathlib.Path(folder.name) / "packages"

    def client(self, code):
        name, old = "npm", registry.CLIENTS["npm"]
        registry.CLIENTS[name] = ("sh", lambda e, d: ["sh", "-c", code])
        self.addCleanup(registry.CLIENTS.__setitem__, name, old)
        return {"registry": name, "package": "demo", "version": "1"}

    def test_a_right_hash_is_kept_and_used_without_the_client(self):
        entry = dict(self.client("printf data > x.tgz"), sha256=hashlib.sha256(b"data").hexdigest())
        self.assertEqual(registry.fetch(entry).read_bytes(), b"data")
        self.client("exit 1")
        self.assertEqual(registry.fetch(entry).read_bytes(), b"data")

    def test_a_section_is_laid_out_and_left_alone_when_nothing_changed(self):
        self.client("printf data > x.tgz")
        package = tar({"a/b.txt": b"text\n" * 100, "a/LICENSE": b"licence\n" * 100})
        (self.store.parent / "p").write_bytes(package)
        entry = dict(self.client("cp {}/p x.tgz".format(self.store.parent)), category="text",
                     include=["*"], sha256=hashlib.sha256(package).hexdigest())
        folder, text = fetch.build("demo", [entry], {"text/demo/a_b.txt": [(0, 10)]}, [[1, 500]])
        found = {p.relative_to(folder).as_posix(): p.stat().st_size for p in folder.rglob("*.*")}
        self.assertEqual(found["text/demo/a_b.txt"], 490)
        self.assertEqual(len(found), 1 + len(logs.KINDS))
        (folder / "text/demo/a_b.txt").write_bytes(b"mine")
        self.assertEqual(fetch.build("demo", [entry], {"text/demo/a_b.txt": [(0, 10)]}, [[1, 500]]),
                         (folder, text))
        self.assertEqual((folder / "text/demo/a_b.txt").read_bytes(), b"mine")
        fetch.build("demo", [entry], {}, [])
        self.assertEqual((folder / "text/demo/a_b.txt").stat().st_size, 500)

    def test_a_wrong_hash_is_an_error_and_nothing_is_kept(self):
        entry = dict(self.client("printf dat > x.tgz"), sha256=hashlib.sha256(b"data").hexdigest())
        with self.assertRaisesRegex(registry.FetchError, "npm demo 1: SHA-256 is"):
            registry.fetch(entry)
        self.assertEqual(list(self.store.iterdir()), [])

    def test_a_failing_client_is_named_with_what_it_said(self):
        entry = dict(self.client("echo no such version; exit 3"), sha256="0" * 64)
        with self.assertRaisesRegex(registry.FetchError, "(?s)npm demo 1.*exit 3.*no such version"):
            registry.fetch(entry)

    def test_a_file_damaged_in_the_cache_is_fetched_again(self):
        entry = dict(self.client("printf data > x.tgz"), sha256=hashlib.sha256(b"data").hexdigest())
        registry.fetch(entry).write_bytes(b"dat")
        self.assertEqual(registry.fetch(entry).read_bytes(), b"data")


class Contents(unittest.TestCase):
    """Transforms and made-up logs."""

    def test_png_filters(self):
        rows = [bytes((x * y * 3 + k) & 255 for x in range(5) for k in range(3)) for y in range(5)]
        raw, before = b"", bytes(15)
        for kind, row in enumerate(rows):
            left = bytes(3) + row[:-3]
            corner = bytes(3) + before[:-3]
            guess = [bytes(15), left, before, bytes((a + b) // 2 for a, b in zip(left, before)),
                     bytes(min((a, b, c), key=lambda v, t=a + b - c: (abs(t - v), (a, b, c).index(v)))
                           for a, b, c in zip(left, before, corner))][kind]
            raw += bytes([kind]) + bytes((v - g) & 255 for v, g in zip(row, guess))
            before = row

        data = png(5, 5, 8, 2, raw)
        self.assertEqual(transforms.png_pixels(data), b"P6\n5 5\n255\n" + b"".join(rows))
        self.assertEqual(transforms.png_pixels(data[:40]), b"")
        self.assertEqual(transforms.png_netpbm(data), transforms.png_pixels(data))
        self.assertEqual(transforms.png_netpbm(data[:40]), b"")
        self.assertEqual(transforms.png_bmp(data[:40]), b"")

    def test_png_of_16_bits_keeps_them(self):
        grey = png(2, 1, 16, 0, b"\0\x01\x02\x03\x04")
        self.assertEqual(transforms.png_netpbm(grey), b"P5\n2 1\n65535\n\x01\x02\x03\x04")
        self.assertEqual(transforms.png_bmp(grey)[-4:], b"\x01\x03\0\0")
        clear = png(1, 1, 16, 6, b"\0\x01\x02\x03\x04\x05\x06\x07\x08")
        self.assertEqual(transforms.png_netpbm(clear), b"P6\n1 1\n65535\n\x01\x02\x03\x04\x05\x06")

    def test_bmp_rows_are_bottom_up_and_padded(self):
        data = transforms.png_bmp(png(1, 2, 8, 2, b"\0\x01\x02\x03\0\x04\x05\x06"))
        self.assertEqual(data[:2] + data[10:14], b"BM" + struct.pack("<I", 54))
        self.assertEqual(struct.unpack("<I", data[2:6])[0], len(data))
        self.assertEqual(struct.unpack("<IiiHH", data[14:30]), (40, 1, 2, 1, 24))
        self.assertEqual(data[54:], b"\x06\x05\x04\0\x03\x02\x01\0")

    def test_bmp_keeps_alpha(self):
        for kind, raw, chunks, want in (
                (6, b"\x01\x02\x03\x04", (), b"\x03\x02\x01\x04"),
                (4, b"\x09\x05", (), b"\x09\x09\x09\x05"),
                (3, b"\x01", ((b"PLTE", b"\x01\x02\x03\x04\x05\x06"), (b"tRNS", b"\x07\x08")),
                 b"\x06\x05\x04\x08")):
            data = transforms.png_bmp(png(1, 1, 8, kind, b"\0" + raw, *chunks))
            self.assertEqual((data[28], data[54:]), (32, want))

    def test_scans_are_larger_and_black_on_white(self):
        # left half black, right half white; and clear, which is white
        scan = transforms.png_scan(png(4, 2, 8, 0, b"\0\0\0\xff\xff" * 2))
        self.assertEqual(scan[:8], b"P4\n12 6\n"[:8])
        rows = [scan[len(b"P4\n12 6\n"):][2 * y:2 * y + 2] for y in range(6)]
        for row in rows:
            bits = int.from_bytes(row, "big") >> 4
            self.assertEqual((bits >> 8, bits & 31), (15, 0))
        clear = transforms.png_scan(png(1, 1, 8, 4, b"\0\0\0"))
        self.assertEqual(clear[len(b"P4\n3 3\n"):], bytes(3))
        self.assertEqual(transforms.png_scan(b"text"), b"")

    def test_dots_are_as_many_as_the_grey_is_dark(self):
        data = transforms.png_dither(png(40, 40, 8, 0, (b"\0" + b"\x40" * 40) * 40))
        self.assertEqual((data[:2], struct.unpack("<I", data[2:6])[0]), (b"BM", len(data)))
        self.assertEqual(struct.unpack("<HH", data[26:30]), (1, 1))
        self.assertEqual(len(data), 62 + 8 * 40)
        black = sum(bin(b).count("1") for b in data[62:])
        self.assertAlmostEqual(black / 1600, 0.75, delta=0.03)
        self.assertEqual(transforms.png_dither(b"text"), b"")

    def test_of_a_large_picture_the_middle_is_kept(self):
        width, height = 2 * transforms.SIDE, transforms.PIXELS // transforms.SIDE + 5
        wide = bytes(x * 256 // width for x in range(width))
        data = transforms.png_netpbm(png(width, height, 8, 0, (b"\0" + wide) * height))
        tall = transforms.PIXELS // transforms.SIDE
        head = b"P5\n%d %d\n255\n" % (transforms.SIDE, tall)
        middle = wide[transforms.SIDE // 2:-transforms.SIDE // 2]
        self.assertEqual(data, head + middle * tall)

    def test_wav_is_taken_as_it_is_or_its_middle(self):
        def wav(code, body):
            shape = struct.pack("<HHIIHH", code, 2, 8000, 48000, 6, 24)
            rest = b"WAVEfmt " + struct.pack("<I", 16) + shape + struct.pack("<4sI", b"data", len(body)) + body
            return b"RIFF" + struct.pack("<I", len(rest)) + rest
        short = wav(1, bytes(range(60)))
        self.assertEqual(transforms.wav_part(short), short)
        self.assertEqual(transforms.wav_part(wav(2, bytes(60))), b"")
        self.assertEqual(transforms.wav_part(b"RIFFx"), b"")
        taken, body = transforms.SOUND // 6, b"".join(b"%6d" % i for i in range(100000))
        first = (100000 - taken) // 2
        self.assertEqual(transforms.wav_part(wav(1, body)), wav(1, body[6 * first:6 * (first + taken)]))

    def test_strings_of_an_r_data_base(self):
        body = b"\0\4\0\x09" + struct.pack(">i", 5) + b"Emma " + b"\0\4\0\x09" + struct.pack(">i", 2) + b"by"
        self.assertEqual(transforms.rdb_text(b"\0\0\0\x20" + zlib.compress(body)), b"Emma \nby\n")

    def test_logs_are_the_same_everywhere(self):
        digest = hashlib.sha256(b"".join(n.encode() + d for n, d in logs.files(1, 4000)))
        self.assertEqual(digest.hexdigest()[:16], "a9de0439ac8bb670")


if __name__ == "__main__":
    unittest.main()

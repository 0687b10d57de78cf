"""Turn what a package stores packed into the plain data that a user would compress."""
import bz2
import json
import lzma
import struct
import zlib


def rdb_text(data):
    """Text of the character strings in an R lazy-load data base (.rdb).

    The file is a row of chunks: length (big-endian u32), one type byte when it is not zlib
    ('2' bzip2, 'Z' xz), packed bytes of R's XDR serialization. A string there is flags ending in
    0x09, a big-endian length, bytes.
    """
    out, at = [], 0
    while True:
        zed = data.find(b"x\x9c", at)
        bz = data.find(b"BZh", at)
        xz = data.find(b"\xfd7zXZ", at)
        found = [p for p in (zed, bz, xz) if p >= 0]
        if not found:
            break
        start = min(found)
        opener = {zed: zlib.decompressobj, bz: bz2.BZ2Decompressor,
                  xz: lzma.LZMADecompressor}[start]()
        try:
            body = opener.decompress(data[start:])
            at = len(data) - len(opener.unused_data)
        except (zlib.error, OSError, lzma.LZMAError, EOFError):
            at = start + 1
            continue
        out += _strings(body)
    return b"\n".join(out) + b"\n"


def _strings(body):
    found, at = [], 0
    while True:
        at = body.find(b"\x00\x09", at)
        if at < 0 or at + 6 > len(body):
            return found
        size = struct.unpack(">i", body[at + 2:at + 6])[0]
        if 0 <= size < 100000 and at + 6 + size <= len(body):
            text = body[at + 6:at + 6 + size]
            if not any(c < 9 for c in text):
                found.append(text)
                at += 6 + size
                continue
        at += 2


def png_pixels(data, bilevel=False):
    """A PNG (8 bits or less, not interlaced) as PGM/PPM, or PBM when bilevel; b"" if it is not one."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return b""
    at, packed, palette = 8, [], b""
    width = height = depth = color = lace = 0
    while at + 12 <= len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, color, _, _, lace = struct.unpack(">IIBBBBB", body)
        elif kind == b"PLTE":
            palette = body
        elif kind == b"IDAT":
            packed.append(body)
        at += 12 + size
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(color)
    if not channels or lace or depth > 8 or width * height > 2000000:
        return b""
    try:
        raw = zlib.decompress(b"".join(packed))
    except zlib.error:
        return b""
    rows = _unfilter(raw, (width * channels * depth + 7) // 8, max(1, channels * depth // 8), height)
    if rows is None:
        return b""
    pixels = [_spread(row, depth, width * channels, color == 3) for row in rows]
    if color == 3:
        pixels = [b"".join(palette[3 * i:3 * i + 3] or b"\0\0\0" for i in row) for row in pixels]
        channels = 3
    if channels in (2, 4):  # drop alpha
        keep = channels - 1
        pixels = [bytes(v for i, v in enumerate(row) if i % channels < keep) for row in pixels]
        channels = keep
    if bilevel:
        return b"P4\n%d %d\n" % (width, height) + b"".join(_bits(r, channels) for r in pixels)
    head = b"P6" if channels == 3 else b"P5"
    return head + b"\n%d %d\n255\n" % (width, height) + b"".join(pixels)


def _unfilter(raw, stride, unit, height):
    before, rows, at = bytearray(stride), [], 0
    for _ in range(height):
        if at + 1 + stride > len(raw):
            return None
        kind, row = raw[at], bytearray(raw[at + 1:at + 1 + stride])
        at += 1 + stride
        for i in range(stride if kind else 0):
            a = row[i - unit] if i >= unit else 0
            b = before[i]
            if kind == 1:
                guess = a
            elif kind == 2:
                guess = b
            elif kind == 3:
                guess = (a + b) // 2
            else:
                c = before[i - unit] if i >= unit else 0
                pa, pb, pc = abs(b - c), abs(a - c), abs(a + b - 2 * c)
                guess = a if pa <= pb and pa <= pc else b if pb <= pc else c
            row[i] = (row[i] + guess) & 255
        rows.append(bytes(row))
        before = row
    return rows


def _spread(row, depth, count, indexed):
    if depth == 8:
        return row
    per, mask = 8 // depth, (1 << depth) - 1
    scale = 1 if indexed else 255 // mask
    return bytes(((row[i // per] >> (8 - depth * (i % per + 1))) & mask) * scale
                 for i in range(count))


def _bits(row, channels):
    level = row if channels == 1 else [sum(row[i:i + 3]) // 3 for i in range(0, len(row), 3)]
    out = bytearray((len(level) + 7) // 8)
    for i, value in enumerate(level):
        if value < 128:
            out[i >> 3] |= 128 >> (i & 7)
    return bytes(out)


def json_compact(data):
    """JSON without spaces and line breaks; b"" if it is not JSON."""
    try:
        value = json.loads(data)
    except ValueError:
        return b""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


TRANSFORMS = {
    "none": ("", bytes),
    "json-compact": ("", json_compact),
    "rdb-text": (".txt", rdb_text),
    "png-pixels": (".ppm", png_pixels),
    "png-bilevel": (".pbm", lambda data: png_pixels(data, True)),
}

"""Turn what a package stores packed into the plain data that a user would compress."""
import bz2
import itertools
import json
import lzma
import struct
import zlib

PIXELS, SIDE = 120000, 400  # of one picture at most, where a transform says so
SOUND = 300000  # bytes of samples of one sound at most, where a transform says so


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


CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # values a pixel, by a PNG's kind of colours


def _png_chunks(data):
    """Width, height, bits, kind of colours, interlacing, palette, its alpha, packed rows of a PNG."""
    at, packed, palette, clear = 8, [], b"", b""
    width = height = depth = color = lace = 0
    while at + 12 <= len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b"IHDR" and size == 13:
            width, height, depth, color, _, _, lace = struct.unpack(">IIBBBBB", body)
        elif kind == b"PLTE":
            palette = body
        elif kind == b"tRNS":
            clear = body
        elif kind == b"IDAT":
            packed.append(body)
        at += 12 + size
    return width, height, depth, color, lace, palette, clear, b"".join(packed)


def png_pixels(data, bilevel=False):
    """A PNG (8 bits or less, not interlaced) as PGM/PPM, or PBM when bilevel; b"" if it is not one."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return b""
    width, height, depth, color, lace, palette, _, packed = _png_chunks(data)
    channels = CHANNELS.get(color)
    if not channels or lace or depth > 8 or width * height > 2000000:
        return b""
    try:
        raw = zlib.decompress(packed)
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


def _png_rows(data):
    """(width, bits a value, values a pixel, has alpha, rows) of a PNG, or None if it is not one.

    Rows are whole bytes: values of less than 8 bits and colours of a palette are spread to 8 bits
    (with alpha when the palette has it), 16-bit values stay big-endian. Of a picture of more than
    PIXELS pixels only the middle is kept, SIDE pixels wide.
    """
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return None
    width, height, depth, color, lace, palette, clear, packed = _png_chunks(data)
    channels = CHANNELS.get(color)
    if not channels or lace or not 0 < width * height <= 1 << 25:
        return None
    across = width if width * height <= PIXELS else min(width, SIDE)
    taken = min(height, PIXELS // across)
    first, left = (height - taken) // 2, (width - across) // 2
    stride = (width * channels * depth + 7) // 8
    try:
        raw = zlib.decompressobj().decompress(packed, (first + taken) * (stride + 1))
    except zlib.error:
        return None
    rows = _unfilter(raw, stride, max(1, channels * depth // 8), first + taken)
    if rows is None:
        return None
    rows = rows[first:]
    if depth < 16:
        rows = [_spread(row, depth, width * channels, color == 3) for row in rows]
    unit = channels * max(depth, 8) // 8
    rows = [row[left * unit:(left + across) * unit] for row in rows]
    if color == 3:
        colors = [palette[3 * i:3 * i + 3] or b"\0\0\0" for i in range(256)]
        if clear:
            colors = [c + (clear[i:i + 1] or b"\xff") for i, c in enumerate(colors)]
        rows = [b"".join([colors[i] for i in row]) for row in rows]
        channels = 4 if clear else 3
    return across, max(depth, 8), channels, channels in (2, 4), rows


def _planes(row, channels, wanted, size=1):
    """A row with only the wanted channels, in that order; a value is `size` bytes."""
    out = bytearray(len(row) // channels * len(wanted))
    for to, source in enumerate(wanted):
        for i in range(size):
            out[to * size + i::len(wanted) * size] = row[source * size + i::channels * size]
    return bytes(out)


def png_netpbm(data):
    """A PNG of 8 or 16 bits (not interlaced) as PGM/PPM without alpha, values of 16 bits kept; of
    a large one the middle; b"" if it is not one."""
    picture = _png_rows(data)
    if picture is None:
        return b""
    width, bits, channels, alpha, rows = picture
    if alpha:
        channels -= 1
        rows = [_planes(row, channels + 1, range(channels), bits // 8) for row in rows]
    head = b"P6" if channels == 3 else b"P5"
    return head + b"\n%d %d\n%d\n" % (width, len(rows), (1 << bits) - 1) + b"".join(rows)


def png_bmp(data):
    """A PNG (not interlaced) as BMP: 32 bits a pixel when it has alpha, else 24 bits, 8 bits with
    a grey palette for grey; rows bottom-up, padded to 4 bytes. Of a large one the middle; the
    low byte of 16-bit values is dropped; b"" if it is not one."""
    picture = _png_rows(data)
    if picture is None:
        return b""
    width, bits, channels, alpha, rows = picture
    if bits == 16:
        rows = [row[::2] for row in rows]
    order = {1: (0,), 2: (0, 0, 0, 1), 3: (2, 1, 0), 4: (2, 1, 0, 3)}[channels]
    pad = b"\0" * (-width * len(order) % 4)
    pixels = b"".join(_planes(row, channels, order) + pad for row in reversed(rows))
    table = b"".join(bytes((i, i, i, 0)) for i in range(256)) if channels == 1 else b""
    return _bmp(width, len(rows), 8 * len(order), table, pixels)


def _bmp(width, height, bits, table, pixels):
    """A BMP file with a palette (which may be empty) and rows as they stand in it."""
    start = 54 + len(table)
    return (b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start)
            + struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, len(pixels),
                          2835, 2835, len(table) // 4, 0) + table + pixels)


def _greys(data):
    """Rows of greys, 0 to 255, of a PNG: of a large one the middle, what is clear as white."""
    picture = _png_rows(data)
    if picture is None:
        return None
    _, bits, channels, alpha, rows = picture
    if bits == 16:
        rows = [row[::2] for row in rows]
    colors = channels - alpha
    greys = []
    for row in rows:
        grey = [sum(row[i:i + colors]) // colors for i in range(0, len(row), channels)]
        if alpha:
            grey = [255 - (255 - g) * a // 255 for g, a in zip(grey, row[colors::channels])]
        greys.append(grey)
    return greys


def _black(rows):
    """Rows of bits, each in whole bytes, that are one where a value is below 128."""
    return [_bits(row, 1) for row in rows]


def png_scan(data, times=3):
    """A PNG as a scanner would see it printed, in PBM: three times as large, smooth, with noise,
    one bit a pixel; of a large one the middle; b"" if it is not one."""
    greys = _greys(data)
    if greys is None:
        return b""
    rows, noise = [], 1
    wide = [[(row[x] * (times - k) + row[min(x + 1, len(row) - 1)] * k) // times
             for x in range(len(row)) for k in range(times)] for row in greys]
    for y, row in enumerate(wide):
        below = wide[min(y + 1, len(wide) - 1)]
        for k in range(times):
            out = []
            for a, b in zip(row, below):
                noise = noise * 1103515245 + 12345 & 0xffffffff
                out.append((a * (times - k) + b * k) // times + (noise >> 16) % 49 - 24)
            rows.append(out)
    return b"P4\n%d %d\n" % (len(rows[0]), len(rows)) + b"".join(_black(rows))


def png_dither(data):
    """A PNG in dots of two colours (Floyd and Steinberg), as a BMP of one bit a pixel; of a large
    one the middle; b"" if it is not one."""
    greys = _greys(data)
    if greys is None:
        return b""
    width, rows = len(greys[0]), []
    below = [0] * (width + 2)
    for grey in greys:
        carry, here, below = 0, below, [0] * (width + 2)
        out = []
        for x, value in enumerate(grey):
            value += (carry + here[x + 1]) // 16
            out.append(255 if value >= 128 else 0)
            missed = value - out[-1]
            carry = 7 * missed
            below[x] += 3 * missed
            below[x + 1] += 5 * missed
            below[x + 2] += missed
        rows.append(out)
    pad = b"\0" * (-((width + 7) // 8) % 4)
    pixels = b"".join(row + pad for row in reversed(_black(rows)))
    return _bmp(width, len(rows), 1, b"\xff\xff\xff\0\0\0\0\0", pixels)


def _unfilter(raw, stride, unit, height):
    before, rows, at = bytearray(stride), [], 0
    for _ in range(height):
        if at + 1 + stride > len(raw):
            return None
        kind, row = raw[at], bytearray(raw[at + 1:at + 1 + stride])
        at += 1 + stride
        if kind == 1:
            for c in range(unit):
                row[c::unit] = bytes(v & 255 for v in itertools.accumulate(row[c::unit]))
        elif kind == 2:
            row = bytearray((v + b) & 255 for v, b in zip(row, before))
        elif kind == 3:
            for i in range(stride):
                a = row[i - unit] if i >= unit else 0
                row[i] = (row[i] + (a + before[i]) // 2) & 255
        elif kind:
            for i in range(min(unit, stride)):  # left and corner are 0 here: the guess is what is above
                row[i] = (row[i] + before[i]) & 255
            for i in range(unit, stride):
                a, b, c = row[i - unit], before[i], before[i - unit]
                pa, pb = b - c, a - c
                pc = abs(pa + pb)
                pa, pb = abs(pa), abs(pb)
                row[i] = (row[i] + (a if pa <= pb and pa <= pc else b if pb <= pc else c)) & 255
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


def wav_part(data):
    """A WAV of plain samples (PCM) as it is, of a long one the middle; b"" if it is not one."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return b""
    at, shape, unit = 12, b"", 0
    while at + 8 <= len(data):
        kind, size = struct.unpack("<4sI", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b"fmt " and size >= 16:
            code, _, _, _, unit, _ = struct.unpack("<HHIIHH", body[:16])
            if code not in (1, 0xFFFE) or (code == 0xFFFE and body[24:26] != b"\x01\0") or not unit:
                return b""
            shape = data[at:at + 8] + body + b"\0" * (size & 1)
        elif kind == b"data" and shape:
            if len(body) <= SOUND:
                return data
            taken = SOUND // unit * unit
            start = (len(body) - taken) // 2 // unit * unit
            body = body[start:start + taken]
            body += b"\0" * (len(body) & 1)
            return (b"RIFF" + struct.pack("<I", 12 + len(shape) + len(body)) + b"WAVE" + shape
                    + struct.pack("<4sI", b"data", taken) + body)
        at += 8 + size + (size & 1)
    return b""


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
    "png-netpbm": (".ppm", png_netpbm),
    "png-bmp": (".bmp", png_bmp),
    "png-scan": (".pbm", png_scan),
    "png-dither": (".bmp", png_dither),
    "wav-part": ("", wav_part),
    "png-bilevel": (".pbm", lambda data: png_pixels(data, True)),
}

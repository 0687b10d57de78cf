"""Part one of FORMAT.md, read by a second program: the container.

Written from that text alone. `members(bytes)` gives what an input is made of;
`content(bytes, decode)` joins the content of its archives and checks everything
that §8 asks for. Stored and run blocks need no model; `decode(member, block)` is
asked for the others. `split.py` takes blocks of records apart, and `packed.py`
unpacks the models that travel with archives.
"""

import hashlib
import struct
import zlib
from dataclasses import dataclass, field

VERSION = 1
PROFILES = {1}
MAX_BLOCK = 1 << 28
MAX_CONTENT = (1 << 63) - 1
MAX_FRAME = 1 << 40
MAX_MODEL_FRAME = 65 << 20
STORED, RUN, CODED, SPLIT, EXTENDED = range(5)
# what a split payload begins with has at most so many bytes
SPLIT_HEAD = 13
MODEL_FRAME = 1
# frames of these kinds may be passed over
MAY_BE_SKIPPED = 1 << 30


class Bad(Exception):
    """The input breaks a rule."""


class Unsupported(Bad):
    """The input follows rules that are not known here."""


@dataclass
class Block:
    kind: int
    length: int
    payload: bytes
    crc: int


@dataclass
class Member:
    form: str  # long, short, skippable
    offset: int
    # the id, or the three bytes of a tag
    model: bytes = b""
    blocks: list = field(default_factory=list)
    sha256: bytes = b""
    kind: int = 0
    frame: bytes = b""
    # the content of the last model frame before it
    packed: bytes | None = None


def crc16(data):
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


class Input:
    """Bytes with a position."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def take(self, n):
        if n > len(self.data) - self.at:
            raise Bad("truncated")
        self.at += n
        return self.data[self.at - n : self.at]

    def unpack(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def varint(self):
        value = 0
        for i in range(10):
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << 7 * i
            if byte < 0x80:
                if value >= 1 << 64 or (byte == 0 and i > 0):
                    break
                return value
        raise Bad("a varint that is not the shortest")


def fits(kind, length, payload):
    return {
        STORED: payload == length,
        RUN: payload == 1 and length > 0,
        CODED: payload < length,
        EXTENDED: payload < length,
        SPLIT: payload <= length + SPLIT_HEAD and length > 0,
    }[kind]


def take_count(i, length):
    """The number of records, which a split payload begins with."""
    count = i.varint()
    if not 1 <= count <= length:
        raise Bad("the number of records")
    return count


def version(number):
    if number > VERSION:
        raise Unsupported("a newer version")
    if number == 0:
        raise Bad("version 0")


def long_archive(data, start):
    i = Input(data, start)
    if i.take(8) != b"\x8dMDZ\r\n\x1a\n":
        raise Bad("the signature")
    number, length = i.unpack("BB")
    version(number)
    if length < 62:
        raise Bad("the header's length")
    i.at = start
    header = i.take(length)
    if zlib.crc32(header[:-4]) != struct.unpack("<I", header[-4:])[0]:
        raise Bad("the header's checksum")
    required, _, profile, block_size, size = struct.unpack("<BBHIQ", header[10:26])
    if required:
        raise Unsupported("a required flag")
    if profile not in PROFILES:
        raise Unsupported("an arithmetic profile")
    if not 1 <= block_size <= MAX_BLOCK:
        raise Bad("the block size")
    size = None if size == (1 << 64) - 1 else size
    if size is not None and size > MAX_CONTENT:
        raise Bad("the content's length")
    member = Member("long", start, header[26:58])
    index, place = b"", 0
    while True:
        begin = i.at
        mark = i.take(2)
        if mark == b"\x8dI":
            break
        if mark != b"\x8dB":
            raise Bad("neither block nor footer")
        kind, flags, n, p, offset, crc, payload_crc, check = i.unpack("BBIIQIII")
        if zlib.crc32(data[begin : begin + 28]) != check:
            raise Bad("a block header's checksum")
        if flags or kind > EXTENDED:
            raise Unsupported("a block's flags or kind")
        if not 1 <= n <= block_size or not fits(kind, n, p):
            raise Bad("a block's lengths")
        if offset != place:
            raise Bad("where a block's content begins")
        place += n
        payload = i.take(p)
        if zlib.crc32(payload) != payload_crc:
            raise Bad("a payload's checksum")
        member.blocks.append(Block(kind, n, payload, crc))
        index += push(n) + push(8 * p + kind)
        if kind == SPLIT:
            index += push(take_count(Input(payload), n))
    if i.take(2) != b"\0\0":
        raise Bad("the footer's start")
    if i.varint() != len(member.blocks) or i.take(len(index)) != index:
        raise Bad("the index does not agree with the blocks")
    member.sha256 = i.take(32)
    footer_length, check = i.unpack("II")
    if footer_length != i.at + 4 - begin or zlib.crc32(data[begin : i.at - 4]) != check:
        raise Bad("the footer's checksum")
    if i.take(4) != b"\x8dEND":
        raise Bad("the end mark")
    if size not in (None, place):
        raise Bad("the header's length of the content")
    return member, i.at


def push(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def short_archive(data, start):
    i = Input(data, start + 1)
    version(i.take(1)[0] & 15)
    head = i.varint()
    kind, profile = head & 7, head >> 3
    needs_model = kind not in (STORED, RUN)
    tag = i.take(3) if needs_model else b""
    n = i.varint()
    p = i.varint() if needs_model else n if kind == STORED else 1
    if n >= 1 << 16 or p >= 1 << 16 or profile >= 1 << 16:
        raise Bad("a length")
    payload = i.take(p)
    (crc,) = i.unpack("I")
    (check,) = i.unpack("H")
    if crc16(data[start : i.at - 2]) != check:
        raise Bad("the checksum")
    if kind > EXTENDED:
        raise Unsupported("a kind")
    if not fits(kind, n, p):
        raise Bad("the lengths do not fit the kind")
    if profile and not needs_model:
        raise Bad("a profile of a kind that needs none")
    if needs_model and profile not in PROFILES:
        raise Unsupported("an arithmetic profile")
    return Member("short", start, tag, [Block(kind, n, payload, crc)]), i.at


def frame(data, start):
    i = Input(data, start)
    if i.take(4) != b"\x8dSKP":
        raise Bad("a frame's signature")
    kind, length, crc, check = i.unpack("IQII")
    if zlib.crc32(data[start : start + 20]) != check:
        raise Bad("a frame's header")
    if kind < MAY_BE_SKIPPED and kind != MODEL_FRAME:
        raise Unsupported("the kind of a frame")
    if length > (MAX_MODEL_FRAME if kind == MODEL_FRAME else MAX_FRAME):
        raise Bad("a frame's length")
    content = i.take(length)
    if zlib.crc32(content) != crc:
        raise Bad("a frame's checksum")
    return Member("skippable", start, kind=kind, frame=content), i.at


def members(data):
    """What the input is made of."""
    if not data:
        raise Bad("empty")
    at, found, packed = 0, [], None
    while at < len(data):
        first = data[at : at + 2]
        if first == b"\x8dM":
            read = long_archive
        elif first == b"\x8dS":
            read = frame
        elif len(first) == 2 and first[0] == 0x8D and first[1] & 0xF0 == 0xA0:
            read = short_archive
        else:
            raise Bad("no archive")
        member, at = read(data, at)
        if member.kind == MODEL_FRAME:
            packed = member.frame
        member.packed = packed
        found.append(member)
    if found[-1].kind == MODEL_FRAME:
        raise Bad("truncated after a model")
    return found


def content(data, decode):
    """The content of all archives of an input."""
    whole = b""
    for member in members(data):
        part = b""
        for block in member.blocks:
            if block.kind == STORED:
                raw = block.payload
            elif block.kind == RUN:
                raw = block.payload * block.length
            else:
                raw = decode(member, block)
            if len(raw) != block.length or zlib.crc32(raw) != block.crc:
                raise Bad("a block's content")
            part += raw
        if member.form == "long" and hashlib.sha256(part).digest() != member.sha256:
            raise Bad("the content's SHA-256")
        whole += part
    return whole

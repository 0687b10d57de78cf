"""Split blocks (FORMAT.md §6.1), read by a second program: records, each by itself.

Written from that text alone: the interval's ends are whole numbers, as long as they get.
"""

import zlib
from collections import defaultdict
from itertools import count

import stream
from arithmetic import adapt
from container import Bad, Input, Unsupported, take_count
from model import KIND
from packed import Stack

START, OPEN, STORED = 1, 2, 4
LINES, NUL, JSON, LEN = range(4)
MAX_CHECK = 4
# a record is coded as the beginning of a block of so many bytes
BLOCK = 1 << 14


# ---- rules


class Json:
    """Where in a JSON text a record of this rule is."""

    def __init__(self, is_start):
        self.is_start, self.depth = is_start, 0 if is_start else 1
        # in a string, how many of them stand before the next byte
        self.backslashes = None

    def ends(self, byte):
        c = chr(byte)
        if self.backslashes is not None:
            if c == '"' and self.backslashes % 2 == 0:
                self.backslashes = None
            else:
                self.backslashes = self.backslashes + 1 if c == "\\" else 0
        elif self.is_start:
            if c not in " \t\r\n\xef\xbb\xbf":
                self.is_start, self.depth = False, int(c == "[")
        elif self.depth:
            if c == '"':
                self.backslashes = 0
            self.depth += (c in "[{") - (c in "]}")
            return c == "," and self.depth == 1
        return False


def ending(rule, size, is_start):
    """A function that says of a record's bytes, one after the other, whether it ends with them."""
    if rule == JSON:
        return Json(is_start).ends
    if rule == LEN:
        left = count(size - 1, -1)
        return lambda _: next(left) == 0
    end = {LINES: 0x0A, NUL: 0}[rule]
    return lambda byte: byte == end


# ---- the index and the codes


def lengths(stack):
    """The lengths of the codes, one after the other."""
    new = 1 << 31
    exponents, upper = [new] * 29, defaultdict(lambda: new)

    def take(entries, key):
        bit = stack.bit(max(entries[key] >> 16, 1))
        entries[key] = adapt(entries[key], bit, 127)
        return bit

    while True:
        e = 0
        while e < len(exponents) and take(exponents, e):
            e += 1
        v = 1
        for i in range(e):
            v = v << 1 | (take(upper, (e, v)) if i < 3 else stack.bit(32768))
        yield v - 1


class Code:
    """Takes a record's bits from its code. A string of bytes is (length, number)."""

    def __init__(self, code):
        self.code, self.string = code, (len(code), int.from_bytes(code, "big"))
        self.low, self.range, self.settled = 0, 1 << 64, 0
        # the code's first bytes, as many as `low` has
        self.value = int.from_bytes(code[:8].ljust(8, b"\0"), "big")
        self.taken = (-1, 0)

    def bit(self, p):
        p, unit = max(p, 1), self.range >> 16
        bit = int(self.value < self.low + unit * p)
        if bit:
            self.range = unit * p
        else:
            self.low += unit * p
            self.range = unit * (65536 - p)
        while self.range < 1 << 56:
            (byte,) = self.code[self.settled + 8 : self.settled + 9] or b"\0"
            self.value = self.value << 8 | byte
            self.low, self.range = self.low << 8, self.range << 8
            self.settled += 1
        return bit

    def first(self):
        """The first string in the interval that is not taken.

        Those taken are in order, each interval lies in the one before: what comes before the
        one taken last is taken or in no interval any more, and nothing behind it is taken.
        """
        for length in range(max(self.settled, self.taken[0]), self.settled + 9):
            shift = 8 * (self.settled + 8 - length)
            number = -(-self.low >> shift)
            if length == self.taken[0]:
                number = max(number, self.taken[1] + 1)
            if number << shift < self.low + self.range:
                return length, number

    def take(self):
        """Takes this string; whether it is the code."""
        self.taken = self.first()
        return self.taken == self.string

    def is_passed(self):
        """Whether no string that can still be taken is the code."""
        return max(self.taken, (self.settled, 0)) > self.string


def record(m, code, ends, is_open, most):
    """The record of a code, with at most so many bytes."""
    model, code = stream.begin(m.metadata, m.tensors, BLOCK), Code(code)
    known = model.past.bytes
    start, is_ended = len(known), False
    while not (code.take() if is_open else is_ended):
        if code.is_passed() or len(known) - start == most:
            raise Bad("a record that goes on")
        model.byte(code)
        is_ended = ends(known[-1])
        if is_ended and is_open:
            raise Bad("a record of open end that ends")
    if not is_open and code.first() != code.string:
        raise Bad("a record's code")
    if len(known) == start:
        raise Bad("a record of no bytes")
    return bytes(known[start:])


# ---- the payload


class Payload:
    """A split block's payload."""

    def __init__(self, block):
        i = Input(block.payload)
        self.length, self.count = block.length, take_count(i, block.length)
        self.flags, self.rule, self.check = i.unpack("BBB")
        if self.flags > START | OPEN | STORED:
            raise Unsupported("flags of records")
        if self.rule > LEN:
            raise Unsupported("a rule of records")
        if self.check > MAX_CHECK:
            raise Unsupported("the check of records")
        self.size = i.varint() if self.rule == LEN else 0
        if self.rule == LEN and not 1 <= self.size < 1 << 32:
            raise Bad("the length of records")
        self.rest = i.data[i.at :]

    def ending(self, number):
        return ending(self.rule, self.size, number == 0 and self.flags & START > 0)

    def content(self, m):
        """The content under a model."""
        if m.metadata[KIND] != "stream":
            raise Bad("a model that has no records")
        return self.stored() if self.flags & STORED else self.coded(m)

    def stored(self):
        found, is_ended = 0, True
        for byte in self.rest:
            if is_ended:
                ends = self.ending(found)
                found += 1
            is_ended = ends(byte)
        if len(self.rest) != self.length or found != self.count:
            raise Bad("stored records")
        if is_ended == (self.flags & OPEN > 0):
            raise Bad("the end of stored records")
        return self.rest

    def coded(self, m):
        i = Input(self.rest)
        stack = Stack(i.take(i.varint()))
        of_codes, content = lengths(stack), b""
        for number in range(self.count):
            code, check = i.take(next(of_codes)), i.take(self.check)
            is_open = number == self.count - 1 and self.flags & OPEN > 0
            most = self.length - len(content)
            one = record(m, code, self.ending(number), is_open, most)
            if not zlib.crc32(one).to_bytes(4, "little").startswith(check):
                raise Bad("a record's check")
            content += one
        if i.at != len(self.rest) or not stack.empty():
            raise Bad("more than the records")
        return content

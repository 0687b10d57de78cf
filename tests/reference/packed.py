"""Packed models (FORMAT.md §5.1) and the coder (§10), for a second decoder."""

import struct

from arithmetic import adapt
from container import Bad

MAX_FILE = 1 << 26
SEGMENT = 1 << 20


class Stack:
    """A coder's stack, its bits to be popped; symbols can be pushed (§22), too."""

    def __init__(self, data):
        if data[-1:] == b"\0":
            raise Bad("a stack that ends in a zero byte")
        data += bytes(-len(data) % 4)
        self.words = list(struct.unpack(f"<{len(data) // 4}I", data))
        self.state = 0
        # the state is the top of the stack, as long as it is below 2^32
        while self.words and self.state < 1 << 32:
            self.state = self.state << 32 | self.words.pop()

    def bit(self, p):
        return 1 - self.symbol([(0, p), (p, 65536 - p)])

    def symbol(self, intervals):
        """Takes off a symbol, given the (left, width) of each."""
        q = self.state & 0xFFFF
        symbol = next(i for i, (left, width) in enumerate(intervals) if left <= q < left + width)
        left, width = intervals[symbol]
        self.state = (self.state >> 16) * width + q - left
        if self.state < 1 << 32 and self.words:
            self.state = self.state << 32 | self.words.pop()
        return symbol

    def push(self, left, width):
        if self.state >= width << 48:
            self.words.append(self.state & 0xFFFFFFFF)
            self.state >>= 32
        self.state = (self.state // width << 16) + left + self.state % width

    def empty(self):
        return self.state == 0 and not self.words


def unpack(packed):
    """The model file that a model frame holds."""
    if len(packed) < 4:
        raise Bad("a packed model")
    (length,) = struct.unpack("<I", packed[:4])
    if length > MAX_FILE:
        raise Bad("a packed model's length")
    at, out = 4, bytearray()
    # p in the upper 22 bits, the count in the lower 10
    entries = [1 << 31] * 512
    while len(out) < length:
        (size,) = struct.unpack("<I", packed[at : at + 4].ljust(4, b"\xff"))
        coded = packed[at + 4 : at + 4 + size]
        if len(coded) != size:
            raise Bad("a packed model that is cut")
        at += 4 + size
        stack = Stack(coded)
        for _ in range(min(SEGMENT, length - len(out))):
            of_parity, known = (len(out) & 1) << 8, 1
            while known < 256:
                number = of_parity | known
                bit = stack.bit(max(entries[number] >> 16, 1))
                entries[number] = adapt(entries[number], bit, 127)
                known = known << 1 | bit
            out.append(known & 255)
        if not stack.empty():
            raise Bad("a packed model with more in it")
    if at != len(packed):
        raise Bad("bytes after a packed model")
    return bytes(out)

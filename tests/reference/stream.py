"""The stream models of FORMAT.md (§11–§17), read by a second program.

Written from that text alone, as plain as it goes: some hundred bytes a second.
"""

import functools
import struct
from bisect import bisect_right
from itertools import accumulate, pairwise
from operator import add, mul

import x86
from arithmetic import adapt, clamp, squash, stretch
from container import Bad, Input, Unsupported
from packed import Stack
from signals import Near, Pixels, numbers_of, restore, take_regions

U32 = 0xFFFFFFFF
SEGMENT = 1 << 20
LF = 10


def spread(h):
    g = (h ^ h >> 15) * 0x85EBCA6B & U32
    return g ^ g >> 13


def join(h, v):
    n = (h + v + 1) * 0x9E3779B1 & U32
    return (n << 11 | n >> 21) & U32


def log2(v):
    return v.bit_length() - 1


# ---- bit histories (§12)

MOST = [48, 24, 10, 5, 4]


def _states():
    """What each state has counted: (zeros, ones, last bit)."""
    counts = []
    for n in range(5):
        for b in range(1 << n):
            ones = bin(b).count("1")
            counts.append((n - ones, ones, b & 1))
    for zeros in range(49):
        for ones in range(49):
            low = min(zeros, ones)
            if zeros + ones > 4 and low <= 4 and max(zeros, ones) <= MOST[low]:
                counts += [(zeros, ones, last) for last in (0, 1) if (zeros, ones)[last]]
    return counts


COUNTS = _states()
TRIPLES = {counts: state for state, counts in enumerate(COUNTS) if state >= 31}
CONFIDENCE = [0] + [log2((z + o + 1) ** 8) for z, o, _ in COUNTS[1:]]


def _after(state, bit):
    if state < 15:
        # fewer than four bits: one is appended
        n = log2(state + 1)
        return (2 << n) - 1 + (state - ((1 << n) - 1)) * 2 + bit
    counts = list(COUNTS[state][:2])
    counts[bit] += 1
    other = counts[1 - bit]
    counts[1 - bit] = other if other <= 2 else 1 + log2(other)
    while sum(counts) <= 4:
        counts[bit] += 1
    while (*counts, bit) not in TRIPLES:
        larger = 0 if counts[0] > counts[1] else 1
        counts[larger] -= 1
    return TRIPLES[*counts, bit]


NEXT = [[_after(state, bit) for bit in (0, 1)] for state in range(len(COUNTS))]


# ---- contexts (§14)


def byte_class(b):
    c = chr(b)
    if "a" <= c <= "z":
        return 1
    if "A" <= c <= "Z":
        return 2
    if "0" <= c <= "9":
        return 3
    for number, members in [
        (4, " \t"),
        (5, "\n\r"),
        (6, ".,;:!?"),
        (7, "\"'`"),
        (8, "([{<"),
        (9, ")]}>"),
        (10, "-_/\\=+*&|"),
        (11, "\0"),
    ]:
        if c in members:
            return number
    return 12 if b < 32 else 15 if b < 128 else 13 if b < 192 else 14


class Past:
    """What the contexts are made of."""

    def __init__(self, is_x86=False, regions=None, is_bilevel=False):
        # what is known besides of some kinds of content
        self.code = x86.Code() if is_x86 else None
        self.near = None if regions is None or is_bilevel else Near(regions)
        self.pixels = Pixels(regions) if is_bilevel else None
        self.bytes = bytearray()
        self.follow = [0] * 256
        self.shape = self.word = self.word1 = self.word2 = self.start = 0
        self.masked = self.digits = 0
        self.line = self.line_above = self.column = self.fields = self.field = self.above = 0
        self.last, self.votes, self.row = {}, [0] * 1024, 2
        self.up, self.cell = (0, 0, 0), 0

    def c(self, distance):
        return self.bytes[-distance] if distance <= len(self.bytes) else 0

    def add(self, b):
        before = self.c(1)
        self.bytes.append(b)
        n = len(self.bytes)
        self.follow[before] = (self.follow[before] << 8 | b) & 0xFFFF
        self.shape = (self.shape << 4 | byte_class(b)) & U32
        letter = byte_class(b) in (1, 2)
        if letter or b >= 128:
            if self.word == 0:
                self.start = before
            self.word = join(self.word, b + 32 if byte_class(b) == 2 else b)
        elif self.word:
            self.word2, self.word1, self.word = self.word1, self.word, 0
        digit = byte_class(b) == 3
        self.masked = (self.masked << 8 | (ord("0") if digit else b)) & U32
        self.digits = self.digits + 1 if digit else 0
        if b == LF:
            self.line_above, self.line = self.line, n
            self.column = self.fields = self.field = 0
        else:
            self.column += 1
            if chr(b) in ",\t;| :=":
                self.fields += 1
                self.field = 0
            else:
                self.field = (self.field << 8 | b) & U32
        place = self.line_above + self.column
        self.above = self.bytes[place] if place < self.line else LF
        self.rows(n)
        if self.code:
            self.code.add(b)
        if self.near:
            self.near.look(self.bytes)
        if self.pixels:
            self.pixels.look(self.bytes)

    def rows(self, n):
        two = self.c(2) << 8 | self.c(1)
        d = n - self.last.get(two, 0)
        self.last[two] = n
        if 2 <= d < 1024:
            self.votes[d] = min(65535, self.votes[d] + 8)
            if self.votes[d] > self.votes[self.row] + 32:
                self.row = d
        if n % 1024 == 0:
            self.votes = [v - (v >> 3) for v in self.votes]
        row = self.row
        self.up = (0, 0, 0)
        if n >= 2 * row:
            self.up = tuple(self.bytes[i] for i in (n - row, n - row + 1, n - 2 * row))
        self.cell = n % row

    def language_row(self, i, name, rows):
        """The row that an input of the language model chooses (§15.1)."""
        if name[0] == "b" and name[1:].isdigit() and rows == 256:
            return self.c(int(name[1:]))
        return spread(self.hash(256 + i, name)) >> (33 - rows.bit_length())

    def hash(self, j, name, partial=1):
        h = spread(j * 0x9E3779B1 & U32)
        c1 = self.c(1)
        parts = None
        if self.code:
            parts = self.code.parts(name)
        elif self.near or self.pixels:
            last = sum(self.c(d) << 8 * (d - 1) for d in range(1, 5))
            parts = self.near.parts(name, last) if self.near else self.pixels.parts(name, partial, last)
        if parts is not None:
            for value in parts:
                h = join(h, value)
            return h
        if name[0] == "b" and name[1:].isdigit():
            return join(h, self.c(int(name[1:])))
        if name[1:].isdigit():
            distances = range(1, int(name[1:]) + 1) if name[0] == "o" else map(int, name[1:])
            number = sum(self.c(d) << 8 * (d - 1) for d in distances)
            return join(join(h, number & U32), number >> 32)
        values = {
            "before": lambda: (self.word1,),
            "word": lambda: (self.word, self.start if self.word else max(self.start, c1)),
            "pair": lambda: (self.word, self.word1, 0 if self.word else c1),
            "skip": lambda: (self.word, self.word1, self.word2),
            "column": lambda: (self.column, self.above),
            "above": lambda: (self.above, c1),
            "shape": lambda: (self.shape,),
            "follow": lambda: (self.follow[c1], c1),
            "number": lambda: (self.masked, self.digits),
            "row": lambda: (self.up[0], c1),
            "rows": lambda: (self.up[0] + 256 * self.up[1] + 65536 * self.up[2],),
            "cell": lambda: (self.cell, self.up[0]),
            "field": lambda: (self.fields, self.field),
        }
        for value in values[name]():
            h = join(h, value)
        return h


class Slots:
    """The hash table: a slot is [check, histories]."""

    FILLED = 22

    def __init__(self, length, contexts):
        needed = (max(length, 256) * contexts - 1).bit_length()
        most = {8: 22, 16: 24, 32: 25}[contexts]
        self.bits = min(needed + 2, 21) if needed < self.FILLED else min(needed, most)
        self.table = {}
        self.primed = {}

    def find(self, h):
        check, first = h & 255, h >> 30
        group = (h >> 8) % (1 << (self.bits - 2))
        places = [4 * group + (first ^ i) for i in (0, 1, 2)]
        empty = (0, [0] * 16)
        for place in places:
            known, histories = self.table.get(place, empty)
            if known == check and histories[1]:
                return place, (check, list(histories))
        worst = min(places, key=lambda place: CONFIDENCE[self.table.get(place, empty)[1][1]])
        self.table[worst] = (check, self.primed.get(h, empty[1]))
        return worst, (check, list(self.table[worst][1]))


class Direct:
    """Direct probabilities of eight contexts."""

    def __init__(self, length):
        lines = 8 * max(length, 256)
        self.lines = 1 << clamp((lines - 1).bit_length(), 11, 20)
        self.words = {}
        self.table = {}

    def open(self, hashes, slots):
        """At a nibble, whose slots' histories are `slots`; a byte that has no lines has none."""
        self.used = [None] * 8
        if slots is None:
            return
        hashes = hashes[:8]
        places = [(64 * (h >> 18) + (h >> 8 & 63)) % self.lines for h in hashes]
        tags = [256 * (h >> 14 & 15) + (h & 255) for h in hashes]
        words = [self.words.get(place, (0, 0)) for place in places]
        self.used = []
        for own, place, (tag, worth), histories in zip(tags, places, words, slots):
            line = None
            if histories[1] and worth and tag == own:
                self.words[place] = tag, min(worth + 1, 8)
                line = place
            elif histories[1] and worth <= 1:
                self.words[place] = own, 2
                self.table[place] = [0] * 16
                line = place
            elif histories[1]:
                self.words[place] = tag, worth - 1
            self.used.append(line)

    def entries(self, node, others):
        """Those of a bit; `others` stand in for the unused ones."""
        self.node = node
        used = [0 if line is None else self.table[line][node] for line in self.used]
        self.now = [e if e & 1023 else o & ~1023 | 1 for e, o in zip(used, others)]
        return self.now

    def learn(self, bit):
        for line, entry in zip(self.used, self.now):
            if line is not None:
                self.table[line][self.node] = adapt(entry, bit, 255)


# ---- where a block starts from (§17.1)


class Symbols(Stack):
    """A stack of 12-bit symbols."""

    def take(self, left, width):
        self.state = (self.state >> 12) * width + (self.state & 4095) - left
        if self.state < 1 << 32 and self.words:
            self.state = self.state << 32 | self.words.pop()

    def symbol(self, ends):
        symbol = bisect_right(ends, self.state & 4095)
        left = ends[symbol - 1] if symbol else 0
        self.take(left, ends[symbol] - left)
        return symbol

    def raw(self, bits):
        value = (self.state & 4095) >> (12 - bits)
        self.take(value << (12 - bits), 1 << (12 - bits))
        return value


def part_of_slots(stack, count, levels, ends):
    """The slots of one part."""
    h, slots = -1, []
    for _ in range(count):
        length = stack.symbol(ends[0])
        distance, at = 1, 0
        if length == 0:
            raise Bad("a distance of primed slots")
        while at < length - 1:
            bits = min(12, length - 1 - at)
            at += bits
            distance += stack.raw(bits) << (at - bits)
        # the leading one stands above the others
        h += distance - 1 + (1 << (length - 1))
        histories = [0] * 16
        for v in range(1, 16):
            distribution = 1
            if v > 1:
                counted = COUNTS[histories[v // 2]][v % 2]
                if counted == 0:
                    continue
                c = bisect_right([3, 6, 13, 25], counted)
                distribution = 2 + 5 * (log2(v) - 1) + c
            level = stack.symbol(ends[distribution])
            histories[v] = levels[level - 1] if 1 <= level <= len(levels) else 0
        if h > U32 or histories[1] == 0:
            raise Bad("a primed slot")
        slots.append((h, bytes(histories)))
    if not stack.empty():
        raise Bad("more than the primed slots")
    return slots


class Primed:
    """The slots that a block starts with: histories by hash, in the order of the hashes."""

    def __init__(self, count, levels, frequencies, parts, data):
        ends = [list(accumulate(row)) for row in frequencies]
        slots = []
        for i, length in enumerate(parts):
            n = (i + 1) * count // len(parts) - i * count // len(parts)
            slots += part_of_slots(Symbols(data[:length]), n, levels, ends)
            data = data[length:]
        if any(a[0] >= b[0] for a, b in pairwise(slots)):
            raise Bad("hashes of primed slots")
        self.slots, self.tables = dict(slots), {}

    def put(self, slots):
        """Puts them into the slots of a block: at once, or where one is made."""
        if slots.bits < Slots.FILLED:
            slots.primed = self.slots
            return
        # the same for every block with as many slots; entries are replaced, never changed
        if slots.bits not in self.tables:
            for h, histories in self.slots.items():
                place, (check, _) = slots.find(h)
                slots.table[place] = (check, list(histories))
            self.tables[slots.bits] = slots.table
        slots.table = dict(self.tables[slots.bits])


# models often have the same ones
primed = functools.cache(Primed)


def primed_of(metadata, tensors):
    numbers = [tensors[f"primed.{name}"] for name in ("levels", "frequencies", "parts", "coded")]
    levels, frequencies, parts, coded = numbers
    count = int(metadata["primed"])
    return primed(count, levels.values, tuple(frequencies.rows), parts.values, coded.data)


# ---- match models (§15)


class Match:
    def __init__(self, least, bits, length, shifts):
        self.least, self.shifts = least, shifts
        self.bits = min(bits, (max(length, 256) - 1).bit_length())
        self.heads = {}
        self.length = self.position = 0
        self.trust = [
            (65535 - (32768 >> (c // 2 + 1))) * 65536 + 6 for c in range(16)
        ]

    def before_byte(self, data, address):
        """`address`: what begins with the byte, of x86 code."""
        n = len(data)
        if self.length and self.byte == data[-1]:
            self.length = min(65535, self.length + 1)
        elif self.length and self.shifts and self.shifts.left:
            self.length = min(self.length, 32)
        else:
            self.length = 0
        self.position += 1
        if self.shifts:
            self.shifts.step(data)
        if n < self.least:
            return
        b = int.from_bytes(data[-self.least :], "big")
        number = ((b * 0x9E3779B97F4A7C15 & (1 << 64) - 1) >> 32) % (1 << self.bits)
        head = self.heads.get(number, 0)
        if self.length == 0 and head:
            equal = 0
            while equal < min(32, head) and data[head - 1 - equal] == data[n - 1 - equal]:
                equal += 1
            self.length = equal if equal >= self.least else 0
            self.position = head
        self.heads[number] = n
        if self.length:
            self.byte = data[self.position]
            if self.shifts and address:
                self.shifts.begin(address[0], data[self.position : self.position + 4])
            if self.shifts and self.shifts.left:
                self.byte = self.shifts.expected[-self.shifts.left]

    def before_bit(self, partial, i):
        """(p, x, matched)"""
        self.expected = None
        if self.length:
            byte = self.byte | 256
            if byte >> (8 - i) == partial:
                self.expected = byte >> (7 - i) & 1
        if self.expected is None:
            return 32768, 0, 0
        n = self.length
        self.c = n if n <= 7 else min(15, 5 + log2(n))
        t = self.trust[self.c] >> 16
        p = t if self.expected else 65535 - t
        return p, stretch(p), 2 * self.c + self.expected

    def after_bit(self, bit):
        if self.expected is not None:
            self.trust[self.c] = adapt(self.trust[self.c], int(self.expected == bit), 255)


# ---- the online stage (§17)


class Rows:
    """Rows of weights that start as those given, repeated; made when they are first asked for."""

    def __init__(self, *given):
        self.given, self.rows = given, {}

    def row(self, number):
        if number not in self.rows:
            self.rows[number] = list(self.given[number % len(self.given)])
        return self.rows[number]


def weighed(x, w):
    s = sum(map(mul, x, w)) & U32
    return s - (1 << 32) if s >> 31 else s


class Apm:
    FIRST = [squash(k * 4096 // 31 - 2048) for k in range(32)]

    def __init__(self):
        self.rows = Rows(self.FIRST)

    def refine(self, logit, context):
        place = (clamp(logit, -2047, 2047) + 2048) * 31
        self.k, f = place >> 12, place & 4095
        self.row = self.rows.row(context)
        return (self.row[self.k] * (4096 - f) + self.row[self.k + 1] * f) >> 12

    def learn(self, bit):
        target = 65535 if bit else 0
        for k in (self.k, self.k + 1):
            v = self.row[k] ^ target
            self.row[k] = v - (min(v + 31, 65535) >> 5) ^ target


class Online:
    SETS = "partial", "match", "c1", "runs", "classes"
    LAST = "last.partial", "last.classes"

    def __init__(self, contexts, tensors):
        n = contexts
        first = [1024] * n + [0] * (n - 4) + [1024, 1024, 0, 10240]
        self.sets = [Rows(first) for _ in range(5 if n < 32 else 7)]
        self.is_fast = n < 16
        self.last = [Rows([13107] * 5 + [0] * 3) for _ in self.LAST]
        if "weights.last.partial" in tensors:
            # of a model
            for rows, name in zip(self.sets[:5] + self.last, self.SETS + self.LAST):
                rows.given = tensors["weights." + name].rows
            given = tensors["weights.partial"].rows
            mean = [sum(column) // len(given) for column in zip(*given)]
            for rows in self.sets[5:]:
                rows.given = [mean]
        # its logit is always 0, so that nothing is learned either
        self.left_out = self.sets[3] if self.is_fast else None
        if self.is_fast:
            self.left_out.given = [[0] * (2 * n)]
        if len(self.sets) == 7:
            for rows in self.last:
                rows.given = [self.seven(row) for row in rows.given]
        self.apms = [Apm() for _ in range(1 if self.is_fast else 3)]
        self.lengths = [0] * 4
        self.r, self.last_r = 384000, 230400 if n < 32 else 153600

    @staticmethod
    def seven(row):
        return [w * 5 // 7 for w in row[:5]] + [65536 // 7] * 2 + [0]

    def select(self, chosen, partial, i, c2):
        now, last, before, first = [min(log2(n + 2) - 1, 7) for n in self.lengths]
        self.surprise = ((now * 8 + last) * 8 + before) // 2
        if self.is_fast:
            before = 0
        rows = [
            (8 * last + before) * 256 + chosen[0],
            now * 256 + chosen[1],
            now * 256 + chosen[2],
            *chosen[3:],
            now * 256 + c2,
            (((first * 8 + now) * 8 + last) * 8 + before) * 8 + i,
        ]
        self.chosen = [s.row(n) for s, n in zip(self.sets, rows)]
        self.weights = [s.row(n) for s, n in zip(self.last, (partial, chosen[4] & 255))]

    def mean(self, x):
        return sum(weighed(x, w) >> 3 for w in self.chosen[:5]) >> 13

    def probability(self, x, partial, m, node, c1, c2):
        self.x = x
        self.y = [clamp(weighed(x, w) >> 14, -3072, 3072) for w in self.chosen]
        sums = [sum((y * (w >> 2)) >> 8 for y, w in zip(self.y, row)) for row in self.weights]
        self.logits = [clamp(s >> 6, -3072, 3072) for s in sums]
        self.logit = (sum(self.logits) + 1) >> 1
        contexts = (
            16 * (((65536 * m + 256 * c2 + c1) * 0x9E3779B1 & U32) >> 20) + node,
            partial + 256 * c1,
            256 * self.surprise + partial,
        )
        refined = [apm.refine(self.logit, c) for apm, c in zip(self.apms, contexts)]
        p = squash(self.logit) + sum(refined)
        self.p1 = clamp(((2 * p if self.is_fast else p) + 2) // 4, 1, 65535)
        self.is_last = partial >= 128
        return self.p1

    def learn(self, bit):
        p = self.p1 if bit else 65536 - self.p1
        self.lengths[0] += 256 - (16 * log2(p) + (16 * p >> log2(p)) % 16)
        if self.is_last:
            self.lengths = [0, *self.lengths[:3]]
        rate = self.r >> 8
        for rows, w, y in zip(self.sets, self.chosen, self.y):
            if rows is self.left_out:
                continue
            e = (bit * 65536 - squash(y)) * rate >> 13
            w[:] = [
                clamp(v + ((x * e + 16384) >> 15), -32768, 32767) for v, x in zip(w, self.x)
            ]
        if self.r > self.last_r:
            self.r -= 1
        for row, logit in zip(self.weights, self.logits):
            e = (bit * 65536 - squash(logit)) * 500 >> 12
            for i, y in enumerate(self.y):
                row[i] = clamp(row[i] + ((y * e + 8192) >> 14), -(1 << 20), 1 << 20)
        for apm in self.apms:
            apm.learn(bit)


# ---- the network (§16)


def act(sums, shift):
    return [clamp(s >> shift, 0, 255) for s in sums]


class Network:
    def __init__(self, tensors):
        self.table = {name: t.rows for name, t in tensors.items() if len(t.shape) == 2}
        self.bias = {name[:-5]: t.values for name, t in tensors.items() if name.endswith(".bias")}

    def layer(self, name, inputs, *more):
        """Bias, products and other rows, summed."""
        products = (sum(map(mul, row, inputs)) for row in self.table[name + ".weight"])
        return [sum(column) for column in zip(self.bias[name], products, *more)]

    def byte(self, cost, c1, c2, c3):
        t = self.table
        previous = t["previous.1"][c1], t["previous.2"][c2], t["previous.3"][c3]
        self.shared = self.layer("context", act(self.layer("costs", cost, *previous), 7))

    def units(self, a, partial, matched, seen):
        t = self.table
        rows = t["partial"][partial], t["matched.1"][matched[0]], t["matched.2"][matched[1]]
        h = act(self.layer("first", a, self.shared, t["seen"][seen], *rows), 7)
        self.h = act(self.layer("second", h), 8) if "second.weight" in t else h

    def gates(self, partial):
        twice = [2 * v for v in self.table["gate_table"][partial]]
        return [clamp(s >> 3, -8191, 8191) for s in self.layer("gates", self.h, twice)]


class Language:
    """The language model (§15.1), with its recurrent layer if it speaks in this block."""

    def __init__(self, names, network, recurrent):
        self.names, self.network = names, network
        self.table = network.table
        self.state, self.recurrent = None, []
        if recurrent:
            self.state = [0] * (len(network.bias["language.recurrent.input"]) // 3)

    def byte(self, past):
        sums = list(self.network.bias["language"])
        for i, name in enumerate(self.names):
            table = self.table[f"language.table.{i + 1}"]
            row = table[past.language_row(i, name, len(table))]
            sums[: len(row)] = map(add, sums, row)
        first = act(sums, 1)
        self.units = act(self.network.layer("language.second", first), 8)
        if self.state is not None:
            self.step(past.c(1), first)
            sums = [4 * f for f in self.network.layer("language.recurrent.skip", first)]
            self.recurrent = act(map(add, sums, self.products("second")), 8)

    def products(self, name):
        """Those of the state."""
        v = [min(s + 128, 32767) >> 8 for s in self.state]
        return [sum(map(mul, row, v)) for row in self.table[f"language.recurrent.{name}.weight"]]

    def step(self, c1, first):
        """The state after the last byte and the first layer."""
        h, y = len(self.state), self.products("gates")
        x = [4 * f for f in self.network.layer("language.recurrent.input", first)]
        x = list(map(add, x, (t << 7 for t in self.table["language.recurrent.table"][c1])))
        for j, s in enumerate(self.state):
            r, z = (squash((x[i] + y[i]) >> 5) for i in (j, h + j))
            kept = ((r >> 4) * (y[2 * h + j] >> 5)) >> 12
            new = squash(2 * ((x[2 * h + j] >> 5) + kept)) - 32768
            self.state[j] = new + (((s - new) * (z >> 2) + 8192) >> 14)

    def logit(self, partial):
        name, units, shift = "language.output", self.units, 5
        if self.state is not None:
            name, units, shift = "language.recurrent.output", self.recurrent, 3
        products = map(mul, self.table[name + ".weight"][partial], units)
        return clamp((self.network.bias[name][partial] + sum(products)) >> shift, -3072, 3071)


# ---- all of it (§11)


LEVELS = "", "best.", "fast."
# for how many bits units are made, by the number of contexts
UNIT_BITS = {8: 8, 16: 4, 32: 4}
# contexts with direct probabilities
DIRECT = {8: 0, 16: 8, 32: 16}


class Model:
    """The model's state in a block."""

    def __init__(self, metadata, tensors, block, text, flags, regions=None):
        """For a block of so many bytes, behind a text of so many."""
        length = text + block
        is_x86, is_signal, is_bilevel = [flags & bit > 0 for bit in (1, 8, 16)]
        addresses = flags >> 5
        if (
            flags & 6 > 4
            or is_x86 + is_signal + is_bilevel > 1
            or addresses > (2 if is_x86 else 0)
        ):
            raise Unsupported("flags") if addresses else Bad("flags")
        part = LEVELS[flags >> 1 & 3]
        if part + "contexts" not in metadata:
            raise Bad("a level that the model does not have")
        if is_x86 and part + "x86.contexts" in metadata:
            part += "x86."
        if is_signal or is_bilevel:
            # a level without such a part has the default one's
            kind = "signal." if is_signal else "bilevel."
            own = [p for p in (part, "") if p + kind + "contexts" in metadata]
            part = own[0] + kind if own else part
        self.names = metadata[part + "contexts"].split()
        self.limit = int(metadata[part + "limit"])
        # what is left out (§15.2), never reached where it is not in the metadata
        is_sparing = block >= int(metadata.get(part + "sparing_from", block + 1))
        self.no_language, self.no_direct, self.sure = [
            int(metadata.get(f"{part}sparing_{what}", 1 << 32)) if is_sparing else 1 << 32
            for what in ("language", "direct", "sure")
        ]
        n = len(self.names)
        shared = {k: t for k, t in tensors.items() if k.startswith("language.")}
        own = {k.removeprefix(part): t for k, t in tensors.items() if k.startswith(part)}
        self.network = Network({**own, **shared})
        names = metadata.get("language", "").split()
        speaks = names and n > 8 and regions is None
        recurs = "language.recurrent.table" in tensors
        recurs = recurs and length <= int(metadata.get(part + "recurrent_to", 0))
        self.language = Language(names, self.network, recurs) if speaks else None
        entries = zip(own["maps.probability"].rows, own["maps.count"].rows)
        self.maps = [[p * 65536 + c for p, c in zip(*both)] for both in entries]
        self.past = Past(is_x86, regions, is_bilevel)
        self.slots = Slots(length, n)
        if "primed" in metadata:
            primed_of(metadata, tensors).put(self.slots)
        self.direct = [Direct(length) for _ in range(DIRECT[n] // 8)]
        shifts = [x86.Shifts() if addresses else None for _ in range(2)]
        self.matches = Match(7, 20, length, shifts[0]), Match(4, 18, length, shifts[1])
        self.online = Online(n, own)
        self.errors = [16384] * (n + 2)

    def byte(self, stack):
        past, n = self.past, len(self.names)
        c1, c2, c3 = past.c(1), past.c(2), past.c(3)
        for m in self.matches:
            m.before_byte(past.bytes, past.code and past.code.address())
        hashes = [past.hash(j, name) for j, name in enumerate(self.names)]
        cost = []
        for v in self.errors:
            v = max(v, 1)
            cost.append(8 * log2(v) + (8 * v >> log2(v)) % 8)
        repeated = self.matches[0].length
        self.speaks = self.language and repeated < self.no_language
        if self.speaks:
            self.language.byte(past)
            cost += [v >> 1 for v in self.language.units + self.language.recurrent]
        elif self.language:
            cost += [0] * len(self.network.bias["language.second"])
        self.network.byte(cost, c1, c2, c3)
        partial = 1
        for i in range(8):
            if i % 4 == 0:
                m = 0 if i == 0 else partial
                own_hashes, ms = hashes, [m] * n
                if i and past.pixels and past.pixels.region:
                    own_hashes, ms = self.second_half(hashes, partial)
                own = [spread((h + m * 0x2C1B3C6D) & U32) & 0x3FFF for h, m in zip(own_hashes, ms)]
                of_slots = [spread(h) >> 14 << 14 | low for h, low in zip(own_hashes, own)]
                found = [self.slots.find(h) for h in of_slots]
                for k, direct in enumerate(self.direct):
                    of_eight = [histories for _, (_, histories) in found[8 * k :]]
                    has_direct = repeated < self.no_direct
                    direct.open(of_slots[8 * k :], of_eight if has_direct else None)
                node = 1
            histories = [histories for _, (_, histories) in found]
            bit = self.bit(stack, partial, i, m, node, histories)
            partial = partial << 1 | bit
            node = node << 1 | bit
            if i % 4 == 3:
                self.slots.table.update(found)
        past.add(partial & 255)

    def second_half(self, hashes, partial):
        """Hashes for the last four bits of a byte of a bilevel picture, and m of their slots."""
        is_template = [numbers_of(name) is not None for name in self.names]
        hashes = [
            self.past.hash(j, self.names[j], partial) if template else h
            for j, (h, template) in enumerate(zip(hashes, is_template))
        ]
        return hashes, [0 if template else partial for template in is_template]

    def bit(self, stack, partial, i, m, node, slots):
        past, n = self.past, len(self.names)
        states = [histories[node] for histories in slots]
        entries = [entries[state] for entries, state in zip(self.maps, states)]
        p = [entry >> 16 for entry in entries]
        x = [stretch(v) for v in p]
        for k, direct in enumerate(self.direct):
            x += [stretch(e >> 16) for e in direct.entries(node, entries[8 * k :])]
        x += [(v - 32768) >> 5 for v in p[DIRECT[n] : n - 4]]
        if self.language:
            x[n + DIRECT[n]] = self.language.logit(partial) if self.speaks else 0
        expected = [m.before_bit(partial, i) for m in self.matches]
        p += [e[0] for e in expected]
        x += [e[1] for e in expected] + [256, 0]
        matched = [e[2] for e in expected]
        seen = sum(s != 0 for s in states)
        runs = 0
        for place, context in enumerate((1, 2, 3, 4, 6)):
            zeros, ones, _ = COUNTS[states[context]]
            runs |= ((zeros > 0) + 2 * (ones > 0)) << 2 * place
        special = past.code or past.near
        classes = special.row() if special else None
        c1, c2 = past.c(1), past.c(2)
        if past.pixels and past.pixels.region:
            classes, (c1, c2) = past.pixels.row(partial), past.pixels.before(partial)
        if classes is None:
            classes = past.shape % 4096
        chosen = partial, 8 * matched[0] + i, c1, runs, classes
        self.online.select(chosen, partial, i, c2)
        mean = self.online.mean(x)
        is_sure = not -self.sure <= mean < self.sure
        if i % UNIT_BITS[n] == 0:
            a = [clamp((v + 8) >> 4, -127, 127) for v in x] + [2 * CONFIDENCE[s] for s in states]
            self.network.units(a, partial, matched, seen)
        if is_sure:
            x[-1] = clamp(mean, -2047, 2047)
        else:
            x[-1] = clamp(sum(map(mul, self.network.gates(partial), x)) >> 10, -3072, 3071)
        bit = stack.bit(self.online.probability(x, partial, m, node, c1, c2))
        self.online.learn(bit)
        target = 65535 if bit else 0
        self.errors = [e + ((abs(target - v) - e) >> 6) for e, v in zip(self.errors, p)]
        for entries, state, histories in zip(self.maps, states, slots):
            entries[state] = adapt(entries[state], bit, self.limit)
            histories[node] = NEXT[state][bit]
        for direct in self.direct:
            direct.learn(bit)
        for m in self.matches:
            m.after_bit(bit)
        return bit


def is_extended(payload):
    """Whether a payload is of an extended block."""
    return len(payload) > 0 and payload[0] >> 5 > 0


class Given:
    """In the place of a coder's stack: bits that are known."""

    def __init__(self, data):
        self.bits = (byte >> shift & 1 for byte in data for shift in range(7, -1, -1))

    def bit(self, p):
        return next(self.bits)


def begin(metadata, tensors, length, flags=0, regions=None):
    """The model's state before a block of so many bytes, the model's text having been read."""
    text = tensors["text"].data if "text" in tensors else b""
    for region in regions or []:
        region.start += len(text)
    model = Model(metadata, tensors, length, len(text), flags, regions)
    given = Given(text)
    for _ in text:
        model.byte(given)
    return model


def decode(metadata, tensors, payload, length):
    """The content of a block."""
    if not payload:
        raise Bad("a payload's flags")
    at, regions = 1, None
    if payload[0] >> 5 and payload[0] & 24:
        raise Unsupported("flags")
    if payload[0] & 24:
        numbers = Input(payload, 1)
        byte = lambda: numbers.take(1)[0]
        regions = take_regions(numbers.varint, byte, length, payload[0] & 16 > 0)
        at = numbers.at
    model = begin(metadata, tensors, length, payload[0], regions)
    start = len(model.past.bytes)
    while left := start + length - len(model.past.bytes):
        end = len(payload)
        if left > SEGMENT:
            (size,) = struct.unpack("<I", payload[at : at + 4].ljust(4, b"\xff"))
            at += 4
            end = at + size
            if end > len(payload):
                raise Bad("a payload that is cut")
        stack = Stack(payload[at:end])
        for _ in range(min(left, SEGMENT)):
            model.byte(stack)
        if not stack.empty():
            raise Bad("a payload with more in it")
        at = end
    content = bytearray(model.past.bytes)
    if payload[0] & 8:
        for region in regions:
            restore(content, region)
    content = bytes(content[start:])
    if payload[0] & 1:
        content, changed = x86.relative(content, payload[0] >> 5)
        if not changed:
            raise Bad("no addresses, though the flag is set")
    return content

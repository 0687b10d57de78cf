"""Part three of FORMAT.md, read by a second program: models of records.

Written from that text alone. Every probability is computed from the whole network
with the unknown bits as 0: as slow as can be, and nothing to get wrong.
"""

import functools
import json

from arithmetic import clamp, squash
from container import Bad, Input
from packed import Stack

GROUP = 256


def sums(tensors, name, inputs):
    """A layer: bias and products."""
    weights, bias = tensors[name + ".weight"].rows, tensors[name + ".bias"].values
    return [b + sum(w * a for w, a in zip(row, inputs)) for row, b in zip(weights, bias)]


class Made:
    """Kind `records` (§20); of kind `mixtures` (§22), component o."""

    def __init__(self, tensors, architecture, o=0):
        self.tensors, self.architecture = tensors, architecture
        self.dims = architecture["dims"]
        self.rank = tensors["ordering"].values[o * self.dims : (o + 1) * self.dims]
        degrees = [tensors[f"degrees.{i}"].rows for i in range(len(architecture["hidden"]))]
        self.masked = []
        for mask in range(o * architecture["masks"], (o + 1) * architecture["masks"]):
            layers, below = [], self.rank
            for i, of_layer in enumerate(degrees):
                weights = tensors[f"hidden.{i}.weight"].rows
                degree = of_layer[mask]
                layers.append(
                    [[w if f <= g else 0 for w, f in zip(row, below)] for row, g in zip(weights, degree)]
                )
                below = degree
            output = tensors["output.weight"].rows
            layers.append(
                [[w if f < g else 0 for w, f in zip(row, below)] for row, g in zip(output, self.rank)]
            )
            self.masked.append(layers)
        self.direct = None
        if architecture["direct"]:
            self.direct = [
                [w if f < g else 0 for w, f in zip(row, self.rank)]
                for row, g in zip(tensors["direct.weight"].rows, self.rank)
            ]

    def order(self):
        """The dimensions by rank."""
        return sorted(range(self.dims), key=lambda d: self.rank[d])

    def probability(self, x, d):
        a = self.architecture
        total = 0
        for layers in self.masked:
            inputs = x
            for i, weights in enumerate(layers[:-1]):
                bias, shift = self.tensors[f"hidden.{i}.bias"].values, a["hidden_shifts"][i]
                top = (1 << a["activation_bits"]) - 1
                inputs = [
                    clamp((b + sum(w * v for w, v in zip(row, inputs))) >> shift, 0, top)
                    for row, b in zip(weights, bias)
                ]
            s = self.tensors["output.bias"].values[d]
            s += sum(w * v for w, v in zip(layers[-1][d], inputs))
            if self.direct:
                s += sum(w * v for w, v in zip(self.direct[d], x)) << a["direct_shift"]
            total += squash(s >> a["output_shift"])
        k = len(self.masked)
        return (total + k // 2) // k


class Window:
    """Kind `bitmaps` (§21)."""

    def __init__(self, tensors, architecture):
        self.tensors, self.architecture = tensors, architecture
        self.dims = architecture["height"] * architecture["width"]

    def order(self):
        return range(self.dims)

    def window(self, x, t):
        a = self.architecture
        line, column = divmod(t, a["width"])
        places = [
            (line - up, column + aside)
            for up in range(a["up"], 0, -1)
            for aside in range(-a["side"], a["side"] + 1)
        ]
        places += [(line, column - aside) for aside in range(a["side"], 0, -1)]
        inside = lambda y, z: y >= 0 and 0 <= z < a["width"]
        return [x[y * a["width"] + z] if inside(y, z) else 0 for y, z in places]

    def probability(self, x, t):
        a, tensors = self.architecture, self.tensors
        inputs = self.window(x, t)
        for i, shift in enumerate(a["hidden_shifts"]):
            s = sums(tensors, f"hidden.{i}", inputs)
            if i == 0:
                s = [v + p for v, p in zip(s, tensors["position"].rows[t])]
            inputs = [clamp(v >> shift, 0, (1 << a["activation_bits"]) - 1) for v in s]
        (s,) = sums(tensors, "output", inputs)
        return squash((s + tensors["output.position"].values[t]) >> a["output_shift"])


class Mixture:
    """Kind `mixtures` (§22)."""

    def __init__(self, tensors, architecture):
        self.dims = architecture["dims"]
        count = tensors["ordering"].shape[0]
        self.components = [Made(tensors, architecture, o) for o in range(count)]

    def rows(self, stack, count):
        sizes, left, size = [], count, 16
        while left:
            sizes.insert(0, min(size, left))
            left -= sizes[0]
            size = min(2 * size, GROUP)
        return [x for size in sizes for x in self.group(stack, size)]

    def group(self, stack, size):
        k = len(self.components)
        ends = [65536 * o // k for o in range(k + 1)]
        equal = [(a, b - a) for a, b in zip(ends, ends[1:])]
        chosen = [stack.symbol(equal) for _ in range(size)]
        rows = [[0] * self.dims for _ in chosen]
        for o, component in enumerate(self.components):
            fill(component, stack, [x for x, c in zip(rows, chosen) if c == o])
        for x, o in zip(rows, chosen):
            stack.push(*self.posterior(x)[o])
        return rows

    def posterior(self, x):
        """The interval of each component, the row being known."""
        costs = []
        for component in self.components:
            p = [component.probability(x, d) for d in range(self.dims)]
            widths = [p if bit else 65536 - p for p, bit in zip(p, x)]
            costs.append(sum((16 << 16) - lg(w) for w in widths))
        weights = [weight(c - min(costs)) for c in costs]
        k = len(weights)
        wide = [1 + w * (65536 - k) // sum(weights) for w in weights]
        first = weights.index(max(weights))
        wide[first] += 65536 - sum(wide)
        intervals, left = {}, 0
        for o in [first] + [o for o in range(k) if o != first]:
            intervals[o] = (left, wide[o])
            left += wide[o]
        return intervals


@functools.cache
def lg(n):
    """The binary logarithm, with 16 fraction bits."""
    e = n.bit_length() - 1
    m, log = n << (31 - e), e
    for _ in range(16):
        m = m * m >> 31
        log <<= 1
        if m >= 1 << 32:
            m >>= 1
            log |= 1
    return log


def weight(d):
    if d >= 16 << 16:
        return 0
    most = (16 << 16) - d % (1 << 16)
    low, high = 1, 65536
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if lg(middle) <= most else (low, middle - 1)
    return low >> (d >> 16)


KINDS = {"records": Made, "bitmaps": Window, "mixtures": Mixture}


def fill(model, stack, group):
    """Takes the bits of rows that decode side by side (§19)."""
    for d in model.order():
        for x in group:
            x[d] = stack.bit(model.probability(x, d))


def is_extended(payload):
    return False


def decode(metadata, tensors, payload, length):
    """The content of a block (§19)."""
    model = KINDS[metadata["madezip.kind"]](tensors, json.loads(metadata["madezip.architecture"]))
    row_bytes = -(-model.dims // 8)
    i = Input(payload)
    (flags,) = i.unpack("B")
    if flags > 3:
        raise Bad("a payload's flags")
    head_length = i.varint() if flags & 1 else 0
    if head_length > length or (flags & 1 and head_length == 0):
        raise Bad("a payload's head")
    head = i.take(head_length)
    count, tail_length = divmod(length - head_length, row_bytes)
    tail = i.take(tail_length)
    padding = max(1, i.unpack("H")[0]) if flags & 2 else None
    stack = Stack(payload[i.at :])
    if isinstance(model, Mixture):
        rows = model.rows(stack, count)
    else:
        rows = [[0] * model.dims for _ in range(count)]
        for first in range(0, count, GROUP):
            fill(model, stack, rows[first : first + GROUP])
    content = bytearray()
    for x in rows:
        spare = 8 * row_bytes - model.dims
        bits = x + [stack.bit(padding) if padding else 0 for _ in range(spare)]
        number = int("0" + "".join(map(str, bits)), 2)
        content += number.to_bytes(row_bytes, "big")
    if not stack.empty():
        raise Bad("a payload with more in it")
    return head + bytes(content) + tail

"""What the file of a stream model must have (FORMAT.md §11.1, §15.1, §15.2, §16, §17.1)."""

import re

from container import Bad
from model import Reader

LARGEST_SUM = (1 << 30) - 1
LEVELS = "", "best.", "fast."
UNITS = range(1, 129)
# contexts (§14), with those of some kinds of content (§14.1 to §14.3)
ANY = (
    r"o[0-8]|b([1-9]|1[0-6])|s(([1-8])(?!.*\3))+|before|word|pair|skip|column|above|shape|follow"
    "|number|row|rows|cell|field"
)
OF_CONTENT = {
    "": ANY,
    "x86.": ANY + "|code[0-3]|codes[2-4]|operand|again|opcode",
    "signal.": ANY + "|level|wide|long|longer|west|wests|north|corners|across|acrosses|mean|peak"
    "|signs|lane",
    "bilevel.": ANY + r"|p([12]?[0-9]|3[0-2])(\.[0-8]){0,7}",
}
# rows of starting weights, at most
WEIGHTS = {"partial": 256, "match": 256, "c1": 256, "runs": 1024, "classes": 4096}


def take_names(reader, key, pattern, counts):
    names = reader.text(key).split(" ")
    if len(names) not in counts or not all(re.fullmatch(pattern, name) for name in names):
        raise Bad(f"the names of {key}")
    return names


def largest(table):
    return max(map(abs, table.values))


def bound(weight, bias, most):
    """The bound of a layer's sums, for inputs up to `most`."""
    biases = bias.values if bias else [0] * len(weight.rows)
    return max(abs(b) + most * sum(map(abs, row)) for row, b in zip(weight.rows, biases))


def check_sums(*bounds):
    if max(bounds) > LARGEST_SUM:
        raise Bad("the sums of a layer")


def check_within(tensor, most):
    if largest(tensor) > most:
        raise Bad("a number beyond its bound")


def take_part(reader, prefix, pattern):
    """A part, whose names begin with `prefix`."""
    n = len(take_names(reader, prefix + "contexts", pattern, (8, 16, 32)))
    limit = reader.number(prefix + "limit", 1, 1023)
    if prefix + "recurrent_to" in reader.metadata:
        reader.number(prefix + "recurrent_to", 0, (1 << 64) - 1)
    if prefix + "sparing_from" in reader.metadata:
        for what, bits in [("from", 64), ("language", 32), ("direct", 32), ("sure", 16)]:
            if f"{prefix}sparing_{what}" in reader.metadata:
                reader.number(f"{prefix}sparing_{what}", 0, (1 << bits) - 1)

    def table(name, rows, units):
        return reader.tensor(prefix + name, "I16", rows, units)

    def layer(name, outputs, inputs):
        return reader.layer(prefix + name, outputs, inputs)

    reader.tensor(prefix + "maps.probability", "U16", n, 256)
    if max(reader.tensor(prefix + "maps.count", "U16", n, 256).values) > limit:
        raise Bad("a count above the limit")
    costs = layer("costs", UNITS, range(n + 2, n + 131))
    c = costs[0].shape[0]
    previous = [table(f"previous.{i}", 256, c) for i in (1, 2, 3)]
    context = layer("context", UNITS, c)
    h = g = context[0].shape[0]
    tables = [table("partial", 256, h), table("matched.1", 32, h), table("matched.2", 32, h)]
    tables.append(table("seen", n + 1, h))
    first = layer("first", h, 3 * n)
    if prefix + "second.weight" in reader.tensors:
        second = layer("second", UNITS, h)
        g = second[0].shape[0]
        check_sums(bound(*second, 255))
    gates = layer("gates", 2 * n, g)
    gate_table = table("gate_table", 256, 2 * n)
    check_sums(
        bound(*costs, 127) + sum(map(largest, previous)),
        bound(*first, 127) + bound(*context, 255) + sum(map(largest, tables)),
        bound(*gates, 255) + 2 * largest(gate_table),
    )
    if prefix + "weights.partial" in reader.tensors:
        for name, most in WEIGHTS.items():
            rows = reader.tensor(f"{prefix}weights.{name}", "I16", range(1, most + 1), 2 * n).shape[0]
            if rows & (rows - 1):
                raise Bad("a number of rows of weights")
        for name in ("partial", "classes"):
            check_within(reader.tensor(f"{prefix}weights.last.{name}", "I32", 256, 8), 1 << 20)


def take_language(reader):
    """The language model."""
    names = take_names(reader, "language", ANY, range(1, 33))
    bias = reader.tensor("language.bias", "I16", range(1, 513))
    check_within(bias, 1 << 14)
    u, room = bias.shape[0], 1 << 26
    for i in range(1, len(names) + 1):
        table = reader.tensor(f"language.table.{i}", "I8", range(2, 65537), range(1, u + 1))
        rows, width = table.shape
        room -= rows * -(-width // 64) * 64
        if rows & (rows - 1) or room < 0:
            raise Bad("the tables of a language model")
    second = reader.layer("language.second", UNITS, u)
    output = reader.layer("language.output", 256, second[0].shape[0])
    check_sums(bound(*second, 255), bound(*output, 255))


def take_recurrent(reader, u):
    """The recurrent layer of a language model with `u` units."""
    prefix = "language.recurrent."
    gates = reader.tensor(prefix + "gates.weight", "I8", range(3, 1537), range(1, 513))
    h = gates.shape[1]
    if gates.shape[0] != 3 * h:
        raise Bad("the gates of a recurrent layer")
    reader.tensor(prefix + "table", "I8", 256, 3 * h)
    skip = reader.layer(prefix + "skip", UNITS, u, "I8")
    v = skip[0].shape[0]
    state = reader.layer(prefix + "input", 3 * h, u, "I8")
    second = reader.tensor(prefix + "second.weight", "I8", v, h)
    output = reader.layer(prefix + "output", 256, v, "I8")
    for weight in (gates, skip[0], state[0], second):
        check_within(weight, 64)
    check_within(output[0], 127)
    check_sums(
        4 * bound(*state, 255) + bound(gates, None, 128) + (1 << 14),
        4 * bound(*skip, 255) + bound(second, None, 128),
        bound(*output, 255),
    )


def take_primed(reader):
    """The primed slots, which are found when they are first needed."""
    reader.number("primed", 1, 1 << 21)
    levels = reader.tensor("primed.levels", "U8", range(33)).values
    frequencies = reader.tensor("primed.frequencies", "U16", 17, 33).rows
    parts = reader.tensor("primed.parts", "U32", range(1, 65)).values
    reader.tensor("primed.coded", "U8", sum(parts))
    if not all(1 <= level <= 246 for level in levels) or any(sum(f) != 4096 for f in frequencies):
        raise Bad("primed slots")


def check(m):
    reader = Reader(m)
    has_recurrent = "language" in m.metadata and "language.recurrent.table" in m.tensors
    for level in LEVELS:
        if level and level + "contexts" not in m.metadata:
            continue
        for content, pattern in OF_CONTENT.items():
            if not content or level + content + "contexts" in m.metadata:
                take_part(reader, level + content, pattern)
    if "language" in m.metadata:
        take_language(reader)
    if has_recurrent:
        take_recurrent(reader, m.tensors["language.bias"].shape[0])
    if "text" in m.tensors:
        reader.tensor("text", "U8", range((1 << 20) + 1))
    if "primed" in m.metadata:
        take_primed(reader)
    reader.end()

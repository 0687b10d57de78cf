"""What the file of a model of records must have (FORMAT.md §18, §20–§22)."""

import math

from container import Bad
from model import ARCHITECTURE, Reader, parse
from records import Made

LARGEST_SUM = (1 << 30) - 1
MAX_WEIGHTS = 1 << 27
DIMENSIONS = range(1, (1 << 16) + 1)
MASKS = range(1, 65)
SHIFTS = range(25)
REACHES = range(65)
# number of the architecture: what it may be
MADE = {
    "dims": DIMENSIONS,
    "masks": MASKS,
    "activation_bits": range(1, 16),
    "output_shift": SHIFTS,
    "direct_shift": SHIFTS,
}
WINDOW = {
    "height": DIMENSIONS,
    "width": DIMENSIONS,
    "up": REACHES,
    "side": REACHES,
    "activation_bits": range(1, 16),
    "output_shift": SHIFTS,
}


def take_architecture(reader, numbers, units, others):
    """The architecture, with these numbers and `others` beside the lists of the layers."""
    a = parse(reader.text(ARCHITECTURE))
    if type(a) is not dict or a.keys() != {*numbers, "hidden", "hidden_shifts", *others}:
        raise Bad("an architecture")
    lists = [a["hidden"], a["hidden_shifts"]]
    if any(type(values) is not list or len(values) > 8 for values in lists):
        raise Bad("the layers of an architecture")
    if len(a["hidden"]) != len(a["hidden_shifts"]):
        raise Bad("a layer without a shift")
    allowed = [(a[name], values) for name, values in numbers.items()]
    allowed += [(n, units) for n in a["hidden"]] + [(n, SHIFTS) for n in a["hidden_shifts"]]
    if any(type(n) is not int or n not in values for n, values in allowed):
        raise Bad("a number of an architecture")
    return a


def take_layers(reader, a, inputs, outputs):
    """The names of the layers, each with its largest input."""
    names, most = [], 1
    for i, units in enumerate(a["hidden"]):
        names.append((f"hidden.{i}", most))
        reader.layer(names[-1][0], units, inputs)
        inputs, most = units, (1 << a["activation_bits"]) - 1
    reader.layer("output", outputs, inputs)
    return names + [("output", most)]


def check_sums(rows, biases, most, more=0):
    """The bound of a layer, `more` being what is added to it."""
    sums = [abs(bias) + most * sum(map(abs, row)) for row, bias in zip(rows, biases, strict=True)]
    if max(sums) + more > LARGEST_SUM:
        raise Bad("the sums of a layer")


def check_made(m, kind):
    """Kinds `records` and `mixtures`."""
    reader = Reader(m)
    a = take_architecture(reader, MADE, range(1, (1 << 15) + 1), ["direct"])
    if type(a["direct"]) is not bool or (not a["hidden"] and (a["masks"] != 1 or a["direct"])):
        raise Bad("an architecture without hidden layers")
    d, count = a["dims"], 1
    if kind == "mixtures":
        count = reader.tensor("ordering", "U32", range(1, 65), d).shape[0]
    else:
        reader.tensor("ordering", "U32", d)
    masks = count * a["masks"]
    if masks not in MASKS:
        raise Bad("the number of masks")
    for i, units in enumerate(a["hidden"]):
        degrees = reader.tensor(f"degrees.{i}", "U32", masks, units)
        if not all(1 <= g <= max(1, d - 1) for g in degrees.values):
            raise Bad("a degree")
    layers = take_layers(reader, a, d, d)
    names = [name + ".weight" for name, _ in layers]
    if a["direct"]:
        names.append("direct.weight")
        reader.tensor(names[-1], "I16", d, d)
    reader.end()
    ranks = m.tensors["ordering"].values
    if any(sorted(ranks[i * d : (i + 1) * d]) != list(range(1, d + 1)) for i in range(count)):
        raise Bad("an ordering")
    weights = sum(math.prod(m.tensors[name].shape) for name in names)
    if weights * (masks if kind == "mixtures" else 1) > MAX_WEIGHTS:
        raise Bad("the number of weights")
    components = [Made(m.tensors, a, o) for o in range(count)]
    # of each layer of each component the weights that one of its masks lets through
    through = [[joined(layer) for layer in zip(*c.masked)] for c in components]
    for component, own in zip(components, through):
        of_direct = 0
        if component.direct:
            own.append(component.direct)
            of_direct = max(sum(map(abs, row)) for row in component.direct) << a["direct_shift"]
        for (name, most), rows in zip(layers, own):
            biases = m.tensors[name + ".bias"].values
            check_sums(rows, biases, most, of_direct if name == "output" else 0)
    for name, rows in zip(names, map(joined, zip(*through))):
        if rows != list(map(list, m.tensors[name].rows)):
            raise Bad(f"a weight of {name} that no mask lets through")


def joined(all_rows):
    """Of some layers that have a weight or 0 at each place the weights that one of them has."""
    return [[max(weights, key=abs) for weights in zip(*rows)] for rows in zip(*all_rows)]


def check_window(m):
    """Kind `bitmaps`."""
    reader = Reader(m)
    a = take_architecture(reader, WINDOW, range(1, (1 << 11) + 1), [])
    d = a["height"] * a["width"]
    inputs = a["up"] * (2 * a["side"] + 1) + a["side"]
    if d not in DIMENSIONS or inputs == 0 or not a["hidden"]:
        raise Bad("a window")
    layers = take_layers(reader, a, inputs, 1)
    position = reader.tensor("position", "I16", d, a["hidden"][0]).values
    of_output = reader.tensor("output.position", "I32", d).values
    reader.end()
    more = {"hidden.0": max(map(abs, position)), "output": max(map(abs, of_output))}
    for name, most in layers:
        rows, biases = m.tensors[name + ".weight"].rows, m.tensors[name + ".bias"].values
        check_sums(rows, biases, most, more.get(name, 0))


def check(m):
    kind = m.metadata["madezip.kind"]
    if kind == "bitmaps":
        check_window(m)
    else:
        check_made(m, kind)

"""Model files (FORMAT.md §18), for a second decoder."""

import functools
import hashlib
import json
import math
import re
import struct

from container import PROFILES, Bad, Unsupported

MAX_FILE = 1 << 29
MAX_HEADER = 1 << 20
MAX_DIMENSIONS = 8
# element type: struct's letter
TYPES = {"I8": "b", "U8": "B", "I16": "h", "U16": "H", "I32": "i", "U32": "I"}
DECIMAL = re.compile("0|[1-9][0-9]*")
# what entries of the metadata that begin so are named for; others of them mean nothing
OWN = "madezip."
KIND, PROFILE, ARCHITECTURE = OWN + "kind", OWN + "profile", OWN + "architecture"


def decimal(text, low, high):
    """The number that a text of digits alone is."""
    if not DECIMAL.fullmatch(text) or len(text) > 20 or not low <= int(text) <= high:
        raise Bad("a decimal number")
    return int(text)


def parse(text):
    """A JSON text whose numbers are whole and none below 0, and whose objects have no key twice."""

    def refuse(what):
        raise ValueError(what)

    def whole(number):
        return int(number) if DECIMAL.fullmatch(number) else refuse(number)

    def unique(pairs):
        return dict(pairs) if len(dict(pairs)) == len(pairs) else refuse("a key twice")

    try:
        return json.loads(
            text,
            object_pairs_hook=unique,
            parse_int=whole,
            parse_float=refuse,
            parse_constant=refuse,
        )
    except (ValueError, RecursionError) as e:
        raise Bad("a JSON text") from e


class Tensor:
    def __init__(self, dtype, shape, data):
        size = struct.calcsize(TYPES[dtype]) * math.prod(shape)
        if len(shape) > MAX_DIMENSIONS or size != len(data):
            raise ValueError("a tensor's shape")
        self.dtype, self.shape, self.data = dtype, shape, data

    @functools.cached_property
    def values(self):
        return struct.unpack(f"<{math.prod(self.shape)}{TYPES[self.dtype]}", self.data)

    @functools.cached_property
    def rows(self):
        width = self.shape[-1]
        return [self.values[i : i + width] for i in range(0, len(self.values), width)]


class Model:
    """What a file has. Whether it means a model is for `Reader` to find."""

    def __init__(self, data):
        if len(data) > MAX_FILE:
            raise Bad("a model file's length")
        try:
            (length,) = struct.unpack("<Q", data[:8])
            if length > min(MAX_HEADER, len(data) - 8):
                raise ValueError("the header's length")
            if data[8:9] != b"{":
                raise ValueError("how the header begins")
            header = parse(data[8 : 8 + length].decode())
            body = data[8 + length :]
            self.metadata = header.pop("__metadata__", {})
            # later programs may have changed anything else
            if decimal(self.metadata.get(PROFILE, "1"), 0, 65535) not in PROFILES:
                raise Unsupported("a model's profile")
            places, self.tensors = [], {}
            for name, entry in header.items():
                if entry.keys() != {"dtype", "shape", "data_offsets"}:
                    raise ValueError("a tensor's entry")
                shape, (begin, end) = entry["shape"], entry["data_offsets"]
                if type(shape) is not list or any(type(n) is not int for n in [*shape, begin, end]):
                    raise ValueError("a tensor's entry")
                self.tensors[name] = Tensor(entry["dtype"], shape, body[begin:end])
                places.append((begin, end))
            # all that is text can be told as UTF-8
            "".join([*self.metadata, *self.metadata.values(), *self.tensors]).encode()
        except (struct.error, ValueError, KeyError, TypeError, AttributeError) as e:
            raise Bad("a model file") from e
        places.sort()
        begins, ends = [p[0] for p in places], [p[1] for p in places]
        if begins + [len(body)] != [0] + ends:
            raise Bad("a model file's tensors")

    def id(self):
        number = lambda n: struct.pack("<Q", n)
        string = lambda b: number(len(b)) + b
        text = lambda s: string(s.encode())
        parts = [text("madezip model"), number(len(self.metadata))]
        for key, value in sorted(self.metadata.items(), key=lambda kv: kv[0].encode()):
            parts += [text(key), text(value)]
        parts.append(number(len(self.tensors)))
        for name, t in sorted(self.tensors.items(), key=lambda nt: nt[0].encode()):
            parts += [text(name), text(t.dtype), number(len(t.shape)), *map(number, t.shape)]
            parts.append(string(t.data))
        return hashlib.sha256(b"".join(parts)).digest()

    def kind(self, known):
        """Its kind, one of those that are known."""
        if KIND not in self.metadata:
            raise Bad("a model without a kind")
        if self.metadata[KIND] not in known:
            raise Unsupported("a kind of model")
        return self.metadata[KIND]


class Reader:
    """Takes from a model what it may have; at the end nothing may be left."""

    def __init__(self, model):
        self.metadata, self.tensors = dict(model.metadata), dict(model.tensors)
        for key in (KIND, PROFILE):
            self.metadata.pop(key, None)

    def text(self, key):
        if key not in self.metadata:
            raise Bad(f"a model without {key}")
        return self.metadata.pop(key)

    def number(self, key, low, high):
        return decimal(self.text(key), low, high)

    def tensor(self, name, dtype, *shape):
        """A tensor of this shape; a range stands for any number in it."""
        t = self.tensors.pop(name, None)
        sizes = [size if isinstance(size, range) else (size,) for size in shape]
        if t is None or t.dtype != dtype or len(t.shape) != len(sizes):
            raise Bad(f"the tensor {name}")
        if not all(n in size for n, size in zip(t.shape, sizes)):
            raise Bad(f"the shape of {name}")
        return t

    def layer(self, name, outputs, inputs, dtype="I16"):
        """Weights and bias."""
        weight = self.tensor(name + ".weight", dtype, outputs, inputs)
        return weight, self.tensor(name + ".bias", "I32", weight.shape[0])

    def end(self):
        if self.tensors or any(not key.startswith(OWN) for key in self.metadata):
            raise Bad("a model with a name that means nothing in it")

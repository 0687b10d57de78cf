"""Model files (FORMAT.md §18), for a second decoder."""

import hashlib
import json
import math
import struct

from container import Bad

# element type: struct's letter
TYPES = {"I8": "b", "U8": "B", "I16": "h", "U16": "H", "I32": "i", "U32": "I"}


class Tensor:
    def __init__(self, dtype, shape, data):
        letter = TYPES.get(dtype)
        if letter is None or struct.calcsize(letter) * math.prod(shape) != len(data):
            raise Bad("a model file's tensor")
        self.dtype, self.shape, self.data = dtype, shape, data
        self.values = struct.unpack(f"<{math.prod(shape)}{letter}", data)
        self._rows = None

    def rows(self):
        if self._rows is None:
            width = self.shape[-1]
            self._rows = [self.values[i : i + width] for i in range(0, len(self.values), width)]
        return self._rows


class Model:
    """A safetensors file."""

    def __init__(self, data):
        try:
            (length,) = struct.unpack("<Q", data[:8])
            header = json.loads(data[8 : 8 + length])
            self.metadata = header.pop("__metadata__", {})
            body = data[8 + length :]
            self.tensors = {
                name: Tensor(t["dtype"], t["shape"], body[slice(*t["data_offsets"])])
                for name, t in header.items()
            }
        except (struct.error, ValueError, KeyError, TypeError) as e:
            raise Bad("a model file") from e
        if sum(len(t.data) for t in self.tensors.values()) != len(body):
            raise Bad("a model file's tensors")

    @property
    def kind(self):
        return self.metadata.get("madezip.kind")

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

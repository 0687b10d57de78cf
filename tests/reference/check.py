"""Says of each file what a second decoder makes of it, a line each:

    good SHA-256-OF-CONTENT | unsupported WHY | bad WHY

    check.py [-m MODEL]... FILE...

Models are those that are named and those that travel with an archive.
"""

import argparse
import hashlib
import zlib

import container
import model
import packed
import records
import stream

# kind of model → function of (metadata, tensors, payload, length)
DECODERS = {"stream": stream.decode} | dict.fromkeys(records.KINDS, records.decode)


def verdict(path, given):
    with open(path, "rb") as file:
        data = file.read()
    models = dict(given)

    def decode(profile, key, block):
        found = [m for id, m in models.items() if id.startswith(key)]
        if not found:
            raise container.Unsupported("a model that is not at hand")
        for m in found:
            if m.kind not in DECODERS:
                raise container.Unsupported("a kind of model")
            try:
                raw = DECODERS[m.kind](m.metadata, m.tensors, block.payload, block.length)
            except container.Bad:
                continue
            if zlib.crc32(raw) == block.crc:
                return raw
        raise container.Bad("a coded block")

    try:
        for member in container.members(data):
            if member.kind == container.MODEL_FRAME:
                m = model.Model(packed.unpack(member.frame))
                models[m.id()] = m
        content = container.content(data, decode)
    except container.Unsupported as e:
        return f"unsupported {e}"
    except container.Bad as e:
        return f"bad {e}"
    return f"good {hashlib.sha256(content).hexdigest()}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-m", "--model", action="append", default=[])
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    given = {}
    for path in args.model:
        with open(path, "rb") as file:
            m = model.Model(file.read())
        given[m.id()] = m
    for path in args.files:
        print(verdict(path, given), flush=True)


if __name__ == "__main__":
    main()

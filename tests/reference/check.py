"""Says of each file what a second decoder makes of it, a line each:

    good SHA-256-OF-CONTENT | unsupported WHY | bad WHY

    check.py [-m MODEL]... FILE...
    check.py --models FILE...

Models are those that are named and those that travel with an archive. With --models
the files are models themselves, and a good one has its id in the content's place.
"""

import argparse
import functools
import hashlib
import zlib

import container
import model
import packed
import records
import records_file
import split
import stream
import stream_file

# kind of model → what checks its file, what decodes a block
KINDS = {"stream": (stream_file, stream)} | dict.fromkeys(records.KINDS, (records_file, records))


def checked(m):
    """A model that can be used."""
    of_file, _ = KINDS[m.kind(KINDS)]
    of_file.check(m)
    return m


@functools.cache
def unpacked(frame):
    return model.Model(packed.unpack(frame))


def candidates(member, given):
    """The models that an archive may mean."""
    found = [m for id, m in given.items() if id.startswith(member.model)]
    is_tag = member.form == "short"
    if member.packed is not None and (is_tag or not found):
        try:
            own = unpacked(member.packed)
            if own.id() not in given and own.id().startswith(member.model):
                found.append(checked(own))
        except container.Bad:
            # where a model at hand fits, it is as if the frame were not there
            if not found:
                raise
    if not found:
        raise container.Unsupported("a model that is not at hand")
    return found


def decode(member, block, given):
    """The content of a block that needs a model."""
    models = candidates(member, given)
    failure = container.Bad("a coded block")
    if block.kind == container.SPLIT:
        payload = split.Payload(block)
    for m in models:
        _, of_blocks = KINDS[m.kind(KINDS)]
        try:
            if block.kind == container.SPLIT:
                raw = payload.content(m)
            else:
                is_extended = block.kind == container.EXTENDED
                if is_extended != of_blocks.is_extended(block.payload):
                    raise container.Bad("flags of another kind of block")
                raw = of_blocks.decode(m.metadata, m.tensors, block.payload, block.length)
        except container.Unsupported as e:
            failure = e
        except container.Bad:
            pass
        else:
            if zlib.crc32(raw) == block.crc:
                return raw
    raise failure


def read(path):
    with open(path, "rb") as file:
        return file.read()


def of_archive(path, given):
    content = container.content(read(path), functools.partial(decode, given=given))
    return hashlib.sha256(content).hexdigest()


def of_model(path):
    m = checked(model.Model(read(path)))
    if "primed" in m.metadata:
        stream.primed_of(m.metadata, m.tensors)
    return m.id().hex()


def verdict(of, path):
    try:
        return f"good {of(path)}"
    except container.Unsupported as e:
        return f"unsupported {e}"
    except container.Bad as e:
        return f"bad {e}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-m", "--model", action="append", default=[])
    parser.add_argument("--models", action="store_true")
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    models = [checked(model.Model(read(path))) for path in args.model]
    given = {m.id(): m for m in models}
    of = of_model if args.models else functools.partial(of_archive, given=given)
    for path in args.files:
        print(verdict(of, path), flush=True)


if __name__ == "__main__":
    main()

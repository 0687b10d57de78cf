"""Says of each file what a second decoder makes of it, a line each:

    good SHA-256-OF-CONTENT | unsupported WHY | bad WHY

Models that travel with an archive are unpacked and their bytes checked to be a
model file. Coded blocks are unsupported until a decoder of their payloads joins
DECODERS, which is asked by the kind of the model's file.
"""

import hashlib
import json
import struct
import sys

import container
import packed

# kind of model → function of (metadata, tensors' bytes, payload, length)
DECODERS = {}


def model_file(data):
    """The header of a safetensors file and its tensors' bytes by name."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    body = data[8 + length :]
    tensors = {name: body[slice(*t["data_offsets"])] for name, t in header.items()}
    if sum(map(len, tensors.values())) != len(body):
        raise container.Bad("a model file's tensors")
    return metadata, tensors


def verdict(path):
    with open(path, "rb") as file:
        data = file.read()
    models = []
    try:
        for member in container.members(data):
            if member.kind == container.MODEL_FRAME:
                models.append(model_file(packed.unpack(member.frame)))

        def decode(profile, model, payload, length):
            for metadata, tensors in models:
                decoder = DECODERS.get(metadata.get("madezip.kind"))
                if decoder:
                    return decoder(metadata, tensors, payload, length)
            raise container.Unsupported("a coded block")

        content = container.content(data, decode)
    except container.Unsupported as e:
        return f"unsupported {e}"
    except container.Bad as e:
        return f"bad {e}"
    return f"good {hashlib.sha256(content).hexdigest()}"


for path in sys.argv[1:]:
    print(verdict(path))

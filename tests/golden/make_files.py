#!/usr/bin/env python3
"""Makes what the model files of mobilenet-1/ are tested against, with the framework that this Python
has: run it once with torch, torchvision and Pillow, once with Keras 3 and Pillow.

mobilenet-1/ has one model file per network as version 0.1 wrote it, in F32, F16 and BF16.  They are
never made again: every later version loads them and gives the outputs beside them.  Of the article's
network, whose width is fixed and whose file is large, the header is kept: its tensors are seeded, with
45 (docs/model-format.md).  table.safetensors is tests/importer/small_network.py's variant(), imported
from ONNX.

<file>.npy, float32 [2,classes], computed in double:
    [0] logits of a seeded input (the tensor "input" of seed 1)
    [1] probabilities of a seeded image (100x76 RGB; the tensor "image" of seed 1), by Pillow
"""

import json
import math
import pathlib
import sys

import numpy as np
import seeded
from PIL import Image

HERE = pathlib.Path(__file__).parent
FILES = HERE / "mobilenet-1"
sys.path.insert(0, str(HERE.parent / "importer"))
import small_network  # noqa: E402

try:
    import golden_torch as framework
except ImportError:
    import golden_keras as framework


def read(path):
    """(tensors, metadata); no tensors of a header alone."""
    data = path.read_bytes()
    if path.suffix == ".json":
        return None, json.loads(data)["__metadata__"]
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = np.frombuffer(
            body[begin:end], {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}[entry["dtype"]]
        )
        if entry["dtype"] == "BF16":
            values = (values.astype("<u4") << 16).view("<f4")
        tensors[name] = values.astype(np.float32).reshape(entry["shape"])
    return tensors, metadata


def image_input(metadata, height, width):
    """The seeded image as torchvision's transforms make an input of it."""
    pixels = np.floor(seeded.uniform("image", 1, 76 * 100 * 3, 0, 256)).astype(np.uint8)
    image = Image.fromarray(pixels.reshape(76, 100, 3))
    resize = int(metadata["resize"])
    if resize == 0:
        image = image.resize((width, height), Image.BILINEAR)
    else:
        image = image.resize((int(resize * 100 / 76), resize), Image.BILINEAR)
        left, top = round((image.width - width) / 2), round((image.height - height) / 2)
        image = image.crop((left, top, left + width, top + height))
    mean, std = (np.array(json.loads(metadata[key])) for key in ("mean", "std"))
    return ((np.asarray(image) / 255 - mean) / std)[np.newaxis]


def runner(tensors, metadata, size):
    """A function from [1,height,width,3] to logits, or None where the other framework has the
    network."""
    if "architecture" in metadata:
        return lambda images: small_network.evaluate_all(small_network.variant(), images)
    if metadata["source"] != framework.SOURCE:
        return None
    model = framework.Model(
        metadata["network"],
        "article" if metadata["network"].endswith("article") else "framework",
        metadata["padding"],
        float(metadata["width"]),
        size,
        int(metadata["classes"]),
    )
    if tensors is None:
        tensors = seeded.weights(framework.SOURCE, model.shapes, model.depthwise, 45)
    assert {n: t.shape for n, t in tensors.items()} == model.shapes
    model.assign(tensors)
    return model.run


def main():
    for path in sorted([*FILES.glob("*.safetensors"), *FILES.glob("*.json")]):
        tensors, metadata = read(path)
        size = int(metadata["input_height"]), int(metadata["input_width"])
        run = runner(tensors, metadata, size)
        if run is None:
            continue
        values = seeded.uniform("input", 1, math.prod(size) * 3, -1, 1).reshape(1, *size, 3)
        logits = run(values)[0]
        exponents = np.exp(run(image_input(metadata, *size))[0])
        outputs = np.stack([logits, exponents / exponents.sum()])
        print(path.name, outputs)
        np.save(FILES / f"{path.stem}.npy", outputs.astype(np.float32))


if __name__ == "__main__":
    main()

"""Model files whose networks are tables of their own."""

import json
import struct

import numpy


def _shapes(table, classes):
    """[(name of a layer, shape of its weights)], as docs/model-format.md has them."""
    channels = table["stem"]["channels"]
    shapes = [("features.0.0", (channels, 3, 3, 3))]
    for number, row in enumerate(table["rows"], 1):
        name, module = f"features.{number}.block", 0
        if "expand" in row:
            shapes.append((f"{name}.0.0", (row["expand"], channels, 1, 1)))
            channels, module = row["expand"], 1
        shapes.append((f"{name}.{module}.0", (channels, 1, row["kernel"], row["kernel"])))
        if "squeeze" in row:
            module += 1
            shapes.append((f"{name}.{module}.fc1", (row["squeeze"], channels, 1, 1)))
            shapes.append((f"{name}.{module}.fc2", (channels, row["squeeze"], 1, 1)))
        shapes.append((f"{name}.{module + 1}.0", (row["channels"], channels, 1, 1)))
        channels = row["channels"]
    if "head" in table:
        shapes.append(
            (f"features.{len(table['rows']) + 1}.0", (table["head"]["channels"], channels, 1, 1))
        )
        channels = table["head"]["channels"]
    sizes = [layer["channels"] for layer in table.get("hidden", [])]
    for i, size in enumerate(sizes + [classes] * table.get("logits", True)):
        shapes.append((f"classifier.{3 * i}", (size, channels)))
        channels = size
    return shapes


def write_table(path, table, size=(40, 48), classes=7):
    """Random weights, batch norm folded; returns {name: array}."""
    generator = numpy.random.default_rng(3)
    tensors = {}
    for name, shape in _shapes(table, classes):
        deviation = numpy.sqrt(2 / numpy.prod(shape[1:]))
        tensors[f"{name}.weight"] = generator.normal(0, deviation, shape).astype("<f4")
        tensors[f"{name}.bias"] = generator.normal(0, 0.5, shape[0]).astype("<f4")
    metadata = {
        "format": "mobilenet/2" if table.get("pool") == "max" else "mobilenet/1",
        "network": "own", "architecture": json.dumps({**table, "batch_norm": False}),
        "input_height": str(size[0]), "input_width": str(size[1]), "classes": str(classes),
    }  # fmt: skip
    header, data = {"__metadata__": metadata}, b""
    for name, array in tensors.items():
        end = len(data) + array.nbytes
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [len(data), end]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    return tensors

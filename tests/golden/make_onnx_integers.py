#!/usr/bin/env python3
"""Records what ONNX Runtime, with its optimiser off, computes of small quantised networks and of
single operations: onnx-integers.json, by CRC-32 of the bytes, signed ones plus 128.

    python -m venv x && x/bin/pip install onnxruntime && x/bin/python make_onnx_integers.py
"""

import itertools
import json
import pathlib
import sys
import zlib

import numpy as np
import onnxruntime

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "importer"))
sys.dont_write_bytecode = True

import onnx_file  # noqa: E402
import onnx_integer_file  # noqa: E402


def run(model, feeds):
    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def as_bytes(x):
    """[height,width,channels] of planes."""
    x = (x.astype(int) + (128 if x.dtype == np.int8 else 0)).astype(np.uint8)
    return x.transpose(0, 2, 3, 1)[0] if x.ndim == 4 else x


def crc(x):
    return f"{zlib.crc32(np.ascontiguousarray(x).tobytes()):08x}"


def network(case):
    writer, _, images = onnx_integer_file.case(case)
    shape = [1, images.shape[3], *images.shape[1:3]]
    model, names = writer.of_all_integers(shape, opset=17)
    recorded = []
    for image in images:
        values = map(as_bytes, run(model, {"image": image.transpose(2, 0, 1)[None]}))
        values = dict(zip(names, values))
        recorded.append(
            {
                "planes": {name: crc(value) for name, value in values.items()},
                "output": list(values.values())[-1].tobytes().hex(),
            }
        )
    return recorded


# ---- Single operations ----

# Scales of a, b and output: of any kind, and in simple ratios, which sit on ties.
SCALES = ((0.0213, 0.0057, 0.031), (0.5, 0.25, 1.0), (2**-7, 1 / 255, 0.0041), (0.04, 0.02, 0.05))


def pairs(operation, kind):
    """All 65,536 of them."""
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    a, b = np.meshgrid(np.arange(low, high + 1), np.arange(low, high + 1), indexing="ij")
    for i, scales in enumerate(SCALES):
        zeros = [low + zero for zero in ((0, 0, 0), (128, 100, 131), (3, 255, 17), (90, 5, 60))[i]]
        names, tensors = ["a", "sa", "za", "b", "sb", "zb", "sy", "zy"], []
        for name, scale, zero in zip("aby", scales, zeros):
            tensors += [
                onnx_file.tensor(f"s{name}", np.array(scale, np.float32)),
                onnx_file.tensor(f"z{name}", np.array(zero, kind)),
            ]
        (y,) = single(operation, names, {"a": a.astype(kind), "b": b.astype(kind)}, tensors, kind)
        yield {"scales": scales, "zeros": zeros, "crc": crc(as_bytes(y))}


def single(operation, inputs, feeds, tensors, kind, **attributes):
    nodes = [
        onnx_file.node(operation, inputs, "y", **attributes)
        + (onnx_file.field(7, "com.microsoft") if operation.startswith("QLinear") else b"")
    ]
    shapes = [list(value.shape) for value in feeds.values()]
    types = onnx_file.TYPES
    model = onnx_file.model(
        nodes,
        tensors,
        shapes[0],
        {"y": types[kind]},
        image=list(feeds),
        kind=types[next(iter(feeds.values())).dtype.name],
        opset=17,
    ) + onnx_file.field(8, onnx_file.field(1, "com.microsoft") + onnx_file.field(2, 1))
    return run(model, feeds)


def bytes_through(operation, kind, **attributes):
    """Of all 256 bytes as floats."""
    low = np.iinfo(kind).min
    numbers = np.arange(low, low + 256)
    for scale, zero in ((0.0471, 128), (2**-5, 0), (0.0213, 77), (0.25, 255)):
        floats = (numbers - (low + zero)).astype(np.float32) * np.float32(scale)
        (y,) = single(operation, ["x"], {"x": floats}, [], "float32", **attributes)
        yield {"scale": scale, "zero": low + zero, "crc": crc(y)}


def main():
    elementwise = (
        ("HardSwish", {}),
        ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
        ("HardSigmoid", {"alpha": 0.2, "beta": 0.5}),
        ("Sigmoid", {}),
    )
    recorded = {
        "runtime": f"ONNX Runtime {onnxruntime.__version__}",
        "networks": {case: network(case) for case in onnx_integer_file.CASES},
        "pairs": {
            f"{operation} {kind}": list(pairs(operation, kind))
            for operation, kind in itertools.product(
                ("QLinearAdd", "QLinearMul"), ("uint8", "int8")
            )
        },
        "floats": [
            {"operation": operation, **attributes, "of": list(bytes_through(operation, "uint8", **attributes))}
            for operation, attributes in elementwise
        ],
    }
    (HERE / "onnx-integers.json").write_text(json.dumps(recorded, indent=1) + "\n")


if __name__ == "__main__":
    main()

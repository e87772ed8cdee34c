#!/usr/bin/env python3
"""Makes litert/NAME.npy: what LiteRT computes for the quantised networks of
tests/importer/integer_networks.py, as unsigned bytes (signed ones plus 128) [2,images,outputs]: first
what it does by default, then its reference kernels.

Needs LiteRT (ai-edge-litert 2.3.0 made the files that are here, on x86).
"""

import pathlib
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "importer"))
sys.dont_write_bytecode = True

import integer_networks  # noqa: E402

MODES = {}, {"experimental_op_resolver_type": OpResolverType.BUILTIN_REF}


def as_bytes(values, details):
    """Outputs that are floats again, too: they stand for 256 numbers."""
    if values.dtype == np.float32:
        scale, zero = details["made_of"]
        values = (np.rint(values.astype(np.float64) / scale) + zero).astype(np.int8)
    return (values.astype(int) + (128 if values.dtype == np.int8 else 0)).astype(np.uint8)


def run(data, images, options):
    interpreter = Interpreter(model_content=data, **options)
    interpreter.allocate_tensors()
    image, output = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    # Behind a dequantisation is what it was made of.
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    output["made_of"] = tensors[output["index"] - 1]["quantization"]
    results = []
    for pixels in images:
        if image["dtype"] == np.int8:
            pixels = (pixels.astype(int) - 128).astype(np.int8)
        interpreter.set_tensor(image["index"], pixels[None])
        interpreter.invoke()
        results.append(as_bytes(interpreter.get_tensor(output["index"]), output).reshape(-1))
    return np.stack(results)


def main():
    (HERE / "litert").mkdir(exist_ok=True)
    for name, write in integer_networks.CASES.items():
        outputs = np.stack([run(write(), integer_networks.images(name), mode) for mode in MODES])
        np.save(HERE / "litert" / f"{name}.npy", outputs)
        print(f"{name}: {outputs.shape[2]} outputs, from {outputs.min()} to {outputs.max()}, "
              f"{(outputs[0] != outputs[1]).sum()} differ")  # fmt: skip


main()

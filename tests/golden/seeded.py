"""The seeded weights of docs/model-format.md in numpy: an independent twin of arch/model/init.c.

A tensor's range follows from its name and from the shape of its layer's weights alone, so that this
file knows nothing of networks.
"""

import math
import re

import numpy as np

GOLDEN_RATIO = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1

KINDS = {
    "weight": "weight", "bias": "bias", "running_mean": "mean", "running_var": "variance",
    "kernel": "weight", "gamma": "gamma", "beta": "beta", "moving_mean": "mean",
    "moving_variance": "variance",
}  # fmt: skip

# Keras numbers the article's dense layers in order: squeeze, excite, squeeze, excite...
SQUEEZE = re.compile(r".*\.fc1\.|.*squeeze_excite_conv/|dense(_\d*[02468])?/")
EXCITE = re.compile(r".*\.fc2\.|.*squeeze_excite_conv_1/|dense_\d*[13579]/")


def uniform(name, seed, count, low, high):
    """count float32 between low and high, those of the tensor `name` in row-major order."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = (state ^ byte) * 0x100000001B3 & MASK
    state ^= seed * GOLDEN_RATIO & MASK
    x = np.uint64(state) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GOLDEN_RATIO)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    unit = (x >> np.uint64(40)).astype(np.float64) * 2.0**-24
    return (low + (high - low) * unit).astype(np.float32)


def _sizes(source, shape, depthwise):
    """Outputs, inputs, and products per output of weights of this shape."""
    if source == "torchvision":
        outputs, inputs, taps = shape[0], shape[1], math.prod(shape[2:])
    else:
        outputs, inputs, taps = shape[-1], shape[-2], math.prod(shape[:-2])
    if depthwise:
        channels = max(outputs, inputs)
        return channels, channels, taps
    return outputs, inputs, inputs * taps


def _range(name, kind, outputs, inputs, fan_in):
    if kind == "weight":
        gain = 3.0 if outputs < inputs else 6.0
        if SQUEEZE.match(name) or EXCITE.match(name):
            gain = 1.0
        bound = math.sqrt(gain / fan_in)
        return -bound, bound
    if kind == "bias":
        return (0.0, 2.0) if EXCITE.match(name) else (-0.1, 0.1)
    return {
        "gamma": (0.8, 1.2),
        "beta": (-0.2, 0.2),
        "mean": (-0.2, 0.2),
        "variance": (0.8, 1.2),
    }[kind]


def weights(source, shapes, depthwise, seed):
    """{name: array} for {name: shape}; `depthwise` holds the names of depthwise weights."""
    separator = "." if source == "torchvision" else "/"
    result = {}
    for name, shape in shapes.items():
        layer, suffix = name.rsplit(separator, 1)
        kind = KINDS[suffix]
        if f"{layer}.running_mean" in shapes:  # torch calls a batch norm's gamma weight, too
            kind = {"weight": "gamma", "bias": "beta"}.get(kind, kind)
        sizes = (0, 0, 0)
        if kind in ("weight", "bias"):
            of = layer + separator + ("weight" if source == "torchvision" else "kernel")
            sizes = _sizes(source, shapes[of], of in depthwise)
        low, high = _range(name, kind, *sizes)
        result[name] = uniform(name, seed, math.prod(shape), low, high).reshape(shape)
    return result

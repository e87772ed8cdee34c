#!/usr/bin/env python3
"""Makes bfloat16/*.npy: what networks compute in bfloat16, bit by bit as include/mobilenet/kernels.h
says, in numpy's float32.

    python3 make_bfloat16.py

<name>-<stage>.npy are outputs in the middle of a seeded network, on a seeded input that is itself
rounded to bfloat16.  Only networks whose activations round nothing (ReLU6) are here.  Few sums change a
rounding when their order changes; with these seeds some do, and maps differ all over."""

import pathlib

import numpy as np
import seeded

HERE = pathlib.Path(__file__).parent / "bfloat16"
V2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
      (6, 320, 1, 1))  # fmt: skip
V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))


def rounded(values):
    """The nearest bfloat16, ties to even, as a float32."""
    assert values.dtype == np.float32
    bits = values.view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16
    return bits.astype(np.uint32).view(np.float32)


def in_turn(count):
    """Pair by pair, the second one first."""
    order = []
    for i in range(0, count, 2):
        order += [i + 1, i] if i + 1 < count else [i]
    return order


class Network:
    """Layers in order; the first walk collects the tensors' shapes, the second one computes."""

    def __init__(self, source, seed, image):
        self.source, self.seed, self.image = source, seed, image
        self.shapes, self.depthwise, self.values = {}, set(), None
        self.stages = {}

    def walk(self, layers):
        layers(self, self.image)
        self.values = seeded.weights(self.source, self.shapes, self.depthwise, self.seed)
        layers(self, self.image)

    def tensor(self, name, shape):
        self.shapes[name] = shape
        return np.zeros(shape, np.float32) if self.values is None else self.values[name]

    def folded(self, name, norm, shape, epsilon, depthwise):
        """Weights [N][C][KH][KW] in bfloat16 and biases in float32."""
        keras = self.source == "keras"
        outputs, inputs, height, width = shape
        if keras:
            full = f"{name}/kernel"
            stored = (height, width, outputs, 1) if depthwise else (height, width, inputs, outputs)
            w = self.tensor(full, stored).transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
            parts = "gamma", "beta", "moving_mean", "moving_variance"
        else:
            full = f"{name}.weight"
            w = self.tensor(full, shape)
            parts = "weight", "bias", "running_mean", "running_var"
        if depthwise:
            self.depthwise.add(full)
        gamma, beta, mean, variance = (
            self.tensor(norm + "./"[keras] + part, (outputs,)).astype(np.float64) for part in parts
        )
        scale = gamma / np.sqrt(variance + epsilon)
        bias = (beta - mean * scale).astype(np.float32)
        return rounded(w * scale.astype(np.float32)[:, None, None, None]), bias

    def convolution(self, x, name, norm, outputs, kernel=1, stride=1, pads=(0, 0), epsilon=1e-5,
                    depthwise=False, activation=True, residual=None):  # fmt: skip
        """x: [C][H][W]; pads: before and behind the first pixel, in both directions."""
        channels = x.shape[0]
        shape = (outputs, 1 if depthwise else channels, kernel, kernel)
        weights, bias = self.folded(name, norm, shape, epsilon, depthwise)
        padded = np.pad(x, ((0, 0), pads, pads))
        height, width = ((s - kernel) // stride + 1 for s in padded.shape[1:])
        sums = np.tile(bias[:, None, None], (1, height, width))
        for ky in range(kernel):
            for kx in in_turn(kernel) if depthwise else range(kernel):
                part = padded[:, ky : ky + stride * height : stride, kx : kx + stride * width : stride]
                part = part[:, :height, :width]
                if depthwise:
                    sums += part * weights[:, 0, ky, kx, None, None]
                    continue
                for c in in_turn(channels):
                    sums += part[c] * weights[:, c, ky, kx, None, None]
        assert sums.dtype == np.float32
        if residual is not None:
            sums += residual
        if activation:
            sums = np.minimum(np.maximum(sums, np.float32(0)), np.float32(6))
        return rounded(sums)


def v1(network, x):
    def width(channels):
        return int(channels * 0.25)

    def convolution(x, name, outputs, **options):
        return network.convolution(x, name, f"{name}_bn", outputs, epsilon=1e-3, **options)

    x = convolution(x, "conv1", width(32), kernel=3, stride=2, pads=(0, 1))
    for i, (outputs, stride) in enumerate(V1, start=1):
        x = convolution(x, f"conv_dw_{i}", x.shape[0], kernel=3, stride=stride,
                        pads=(0, 1) if stride == 2 else (1, 1), depthwise=True)  # fmt: skip
        x = convolution(x, f"conv_pw_{i}", width(outputs))
        network.stages[f"block{i - 1}"] = x


def v2(network, x):
    def width(channels):
        channels *= 0.35
        nearest = max(8, int(channels + 4) // 8 * 8)
        return nearest + 8 if nearest < 0.9 * channels else nearest

    def block(x, prefix, outputs, expansion, stride):
        start, parts = x, 0
        if expansion != 1:
            x = network.convolution(
                x, f"{prefix}.0.0", f"{prefix}.0.1", expansion * x.shape[0]
            )
            parts = 1
        x = network.convolution(x, f"{prefix}.{parts}.0", f"{prefix}.{parts}.1", x.shape[0], kernel=3,
                                stride=stride, pads=(1, 1), depthwise=True)  # fmt: skip
        residual = start if stride == 1 and start.shape[0] == outputs else None
        return network.convolution(x, f"{prefix}.{parts + 1}", f"{prefix}.{parts + 2}", outputs,
                                   activation=False, residual=residual)  # fmt: skip

    x = network.convolution(x, "features.0.0", "features.0.1", width(32), kernel=3, stride=2, pads=(1, 1))
    count = 0
    for expansion, outputs, repeats, first in V2:
        for repeat in range(repeats):
            count += 1
            stride = first if repeat == 0 else 1
            x = block(x, f"features.{count}.conv", width(outputs), expansion, stride)
            network.stages[f"block{count - 1}"] = x
    network.stages["stride32"] = network.convolution(x, "features.18.0", "features.18.1", 1280)


def main():
    HERE.mkdir(exist_ok=True)
    for name, source, layers, seed, stages in (
        ("v1", "keras", v1, 75, ("block5", "block12")),
        ("v2", "torchvision", v2, 73, ("block1", "block9", "stride32")),
    ):
        image = seeded.uniform("input", seed, 64 * 64 * 3, -1, 1).reshape(64, 64, 3)
        network = Network(source, seed, rounded(image).transpose(2, 0, 1))
        network.walk(layers)
        for stage in stages:
            values = network.stages[stage].transpose(1, 2, 0)
            print(f"{name}-{stage}: {values.shape}, {values.min():.3f} to {values.max():.3f}")
            np.save(HERE / f"{name}-{stage}.npy", np.ascontiguousarray(values))


if __name__ == "__main__":
    main()

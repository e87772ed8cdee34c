#!/usr/bin/env python3
"""Writes tests/golden/softmax.h: what LiteRT makes of logits' bytes, by its default softmax and by its
reference kernel, with the tables of exponentials that a model file has.

    python3 make_softmax.py

Needs numpy and ai-edge-litert."""

import pathlib

import numpy as np
from make_q8 import CODES, Tensor, lite, noise, origin_of

HERE = pathlib.Path(__file__).parent
CODES["softmax"] = (25, 9)
F32 = np.float32


def srdhm(a, b):
    """gemmlowp's product of two numbers with 31 bits behind the point, one of which may have fewer."""
    return (a * b + 2**30) >> 31


def rdbpot(a, n):
    """a / 2^n to nearest, halves away from zero."""
    return (abs(a) + (1 << n >> 1) >> n) * (1 if a >= 0 else -1)


def exponential(a):
    """Of a <= 0 with 26 bits behind the point: 31 bits behind it."""
    if a == 0:
        return 2**31 - 1
    rest = (a & 2**24 - 1) - 2**24  # from -1/4 on
    x = (rest << 5) + 2**28  # around -1/8, where the series is
    eighth, third = round(np.exp(-1 / 8) * 2**31), round(2**31 / 3)
    square = srdhm(x, x)
    cube, fourth = srdhm(square, x), srdhm(square, square)
    terms = rdbpot(srdhm(rdbpot(fourth, 2) + cube, third) + square, 1)
    result = eighth + srdhm(eighth, x + terms)
    for i in range(-2, 5):
        if rest - a >> 26 + i & 1:
            result = srdhm(result, round(np.exp(-(2.0**i)) * 2**31))
    return result


def tables(scale):
    """(float32, fixed point)"""
    arguments = -F32(scale) * np.arange(256, dtype="f4")
    fraction, shift = np.frexp(float(F32(scale)) * 2.0**26)
    factor = round(fraction * 2**31)
    farthest = 31 * 2**26 >> int(shift)
    fixed = [
        exponential(srdhm(-d << int(shift), factor)) if d <= farthest else 0 for d in range(256)
    ]
    return np.exp(arguments.astype("f8")).astype("f4"), fixed


def case(kind, scale, logits, reference):
    values = (logits.astype(int) - origin_of(kind)).astype(kind)
    zero = -origin_of(kind)
    shape = (1, len(values))
    output = lite("softmax", [Tensor(kind, shape, scale, zero)],
                  Tensor(kind, shape, 1 / 256, zero), {0: ("f32", 1.0)}, [values.reshape(shape)],
                  reference)  # fmt: skip
    result = (output.reshape(-1).astype(int) + origin_of(kind)).astype(np.uint8)
    return (f"    {{{str(reference).lower()}, {str(kind == 'int8').lower()}, "
            f"{SCALES.index(scale)}, {len(values)},\n     {hexadecimal(logits)},\n"
            f"     {hexadecimal(result)}}},\n")  # fmt: skip


def hexadecimal(values):
    text = values.tobytes().hex()
    return "\n     ".join(f'"{text[i : i + 100]}"' for i in range(0, len(text), 100))


SCALES = [0.0625, 0.011, 1.5]
LOGITS = [
    noise(1, 10), noise(2, 301), np.arange(256), np.full(3, 77), np.full(1, 5), np.array([255, 0]),
    noise(4, 100) // 8 + 200,
]  # fmt: skip


def main():
    text = "/* Made by make_softmax.py with LiteRT. */\n/* clang-format off */\n"
    text += "static const struct { float scale, real[256]; int32_t fixed[256]; } softmax_tables[] = {\n"
    for scale in SCALES:
        real, fixed = tables(scale)
        text += f"    {{{F32(scale):.8e}f,\n     {{"
        text += ", ".join(f"{x:.8e}f" for x in real) + "},\n     {"
        text += ", ".join(map(str, fixed)) + "}},\n"
    text += "};\n\nstatic const struct softmax_case {\n    bool reference, is_signed;\n"
    text += "    int scale, count;\n    const char *logits, *probabilities; /* hexadecimal bytes */\n"
    text += "} softmax_cases[] = {\n"
    for reference in False, True:
        for kind in "int8", "uint8":
            for scale in SCALES:
                for logits in LOGITS:
                    text += case(kind, scale, np.asarray(logits).astype(np.uint8), reference)
    (HERE / "softmax.h").write_text(text + "};\n")


if __name__ == "__main__":
    main()

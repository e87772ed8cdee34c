#!/usr/bin/env python3
"""Writes tests/golden/q8.h: the bytes that other runtimes give for one operation on 8-bit integers.

    python3 make_q8.py

LiteRT by default (its XNNPACK) for float rescaling, its reference kernels for fixed and double, and
ONNX Runtime, without its optimiser, for what only ONNX has.  Inputs and weights come from an integer
formula that tests/kernels/test_q8_golden.c has too.  Needs numpy, ai-edge-litert, onnx and
onnxruntime."""

import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from ai_edge_litert.interpreter import Interpreter, OpResolverType

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "importer"))
from tflite_file import Buffer, vector  # noqa: E402

F32 = np.float32

# ---- One operation ----

KINDS = {"float32": 0, "int32": 2, "uint8": 3, "int8": 9}
# Of an operation: its number, and that of its options.
CODES = {"add": (0, 11), "average_pool": (1, 5), "conv": (3, 1), "depthwise": (4, 2),
         "dequantize": (6, 0), "fully_connected": (9, 8), "max_pool": (17, 5), "mul": (18, 21),
         "mean": (40, 27), "quantize": (114, 0)}  # fmt: skip


class Tensor:
    """array: None for one that is fed or computed; scale: one, or one for each along the axis."""

    def __init__(self, kind, shape=None, scale=None, zero=0, array=None, axis=0):
        self.kind, self.array, self.axis, self.zero = kind, array, axis, zero
        self.shape = array.shape if array is not None else shape
        self.scale = None if scale is None else np.atleast_1d(F32(scale))


def lite(operation, inputs, output, options, values, reference):
    """LiteRT's output of an operation; values: of the inputs that have no array."""
    buffers, tensors = [{}], []
    for t in [*inputs, output]:
        fields = {0: vector("i32", t.shape), 1: ("u8", KINDS[t.kind]), 2: ("u32", 0)}
        if t.array is not None:
            fields[2] = ("u32", len(buffers))
            buffers.append({0: np.ascontiguousarray(t.array, t.kind).tobytes()})
        if t.scale is not None:
            fields[4] = {2: vector("f32", map(float, t.scale)),
                         3: vector("i64", [t.zero] * len(t.scale)), 6: ("i32", t.axis)}  # fmt: skip
        tensors.append(fields)
    count = len(inputs)
    fed = [i for i in range(count) if inputs[i].array is None]
    code, union = CODES[operation]
    operator = {0: ("u32", 0), 1: vector("i32", range(count)), 2: vector("i32", [count]),
                3: ("u8", union), 4: options}  # fmt: skip
    model = Buffer().write({
        0: ("u32", 3), 1: [{0: ("i8", code), 3: ("i32", code)}],
        2: [{0: tensors, 1: vector("i32", fed), 2: vector("i32", [count]), 3: [operator]}],
        4: buffers})  # fmt: skip
    kernels = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), values, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def ort(operation, inputs, output, domain="com.microsoft", **attributes):
    """ONNX Runtime's output of an operator.  inputs: arrays, of which the first one is fed."""
    names = [f"x{i}" for i in range(len(inputs))]
    kind = onnx.helper.np_dtype_to_tensor_dtype
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(operation, names, ["y"], domain=domain, **attributes)], "one",
        [onnx.helper.make_tensor_value_info("x0", kind(inputs[0].dtype), inputs[0].shape)],
        [onnx.helper.make_tensor_value_info("y", kind(np.dtype(output)), None)],
        [onnx.numpy_helper.from_array(x, name) for x, name in zip(inputs[1:], names[1:])],
    )  # fmt: skip
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.microsoft", 1)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return session.run(None, {"x0": inputs[0]})[0]


# ---- Numbers ----


def noise(seed, count):
    """Bytes; tests/kernels/test_q8_golden.c has the same."""
    value = (np.arange(count, dtype=np.uint32) + np.uint32(seed << 16)) * np.uint32(0x9E3779B9)
    value ^= value >> 16
    value *= np.uint32(0x7FEB352D)
    value ^= value >> 15
    return (value >> 24).astype(np.uint8)


def signed(values):
    return (values.astype(int) - 128).astype(np.int8)


def plus_origin(values, kind):
    return (values.astype(int) + origin_of(kind)).astype(np.uint8)


def origin_of(kind):
    return 128 if kind == "int8" else 0


def fixed_point(factor):
    """(m, shift) with factor = m * 2^(shift - 31)."""
    fraction, shift = np.frexp(factor)
    m = int(np.floor(fraction * 2.0**31 + 0.5))
    if m == 2**31:
        m, shift = m // 2, shift + 1
    return (m, int(shift)) if shift >= -31 else (0, 0)


def multiplier(factor, real=None):
    """In C, in all three forms; real: where the float is computed otherwise."""
    m, shift = fixed_point(factor)
    real = F32(factor if real is None else real)
    return f"{{{float(real).hex()}f, {m}, {shift}, {float(factor).hex()}}}"


def int32(values):
    """Modulo 2^32."""
    return (np.asarray(values, np.int64) + 2**31) % 2**32 - 2**31


def braces(*values):
    return "{" + ", ".join(map(str, values)) + "}"


def byte_range(zero, kind, low=0, high=255):
    return braces(zero + origin_of(kind), low, high)


def hexadecimal(values):
    digits = values.astype(np.uint8).tobytes().hex()
    return "".join(f'\n     "{digits[i : i + 88]}"' for i in range(0, len(digits), 88))


# ---- Convolutions ----

RELU, RELU6 = 1, 3


def activation_range(activation, scale, zero, kind):
    """(low, high) as bytes, as LiteRT's converter has them."""
    low, high = 0, 255
    if activation in (RELU, RELU6):
        low = max(low, zero + origin_of(kind))
    if activation == RELU6:
        six = int(np.floor(6.0 / float(F32(scale)) + 0.5))
        high = min(high, zero + origin_of(kind) + six)
    return low, high


def convolution(family, rescaling, kind, size, channels, outputs, kernel, stride, pads, scales, zeros, bias,
                seed, activation=0, weight_zero=0, wide=False):  # fmt: skip
    """family: conv, depthwise or fully_connected; pads: None or SAME; scales: of input, weights (one, or
    one per output), output; zeros: of input, output; bias: of each output, or what the sums of the first
    pixel are to be (of 1x1 kernels, as a function of the factors)."""
    height, width = size
    origin = origin_of(kind)
    depthwise, connected = family == "depthwise", family == "fully_connected"
    per_output = kernel[0] * kernel[1] * (1 if depthwise else channels)
    x = noise(seed, height * width * channels).reshape(1, height, width, channels)
    w = noise(seed + 1, outputs * per_output).astype(int)
    # As the file has them; bytes of unsigned weights are what they are.
    stored = w if kind == "uint8" else np.maximum(w - 128, -127)
    weights = stored - weight_zero
    assert wide == (np.abs(weights).max() > 128)
    s_in, s_w, s_out = F32(scales[0]), np.atleast_1d(F32(scales[1])), F32(scales[2])
    # The factors: of doubles, but of one scale for all those of a float32 product.
    if rescaling == "FLOAT":
        factors = [(s_in * s) / s_out for s in s_w]
    elif len(s_w) == 1 and (connected or kind == "uint8"):
        factors = [float(s_in * s_w[0]) / float(s_out)]
    else:
        factors = [float(s_in) * float(s) / float(s_out) for s in s_w]
    factors *= outputs // len(factors)
    if callable(bias):
        pixel = x[0, 0, 0].astype(int) - zeros[0] - origin
        bias = np.array([bias(m) for m in factors]) - weights.reshape(outputs, channels) @ pixel
    bias = np.asarray(bias, np.int64)
    given = stored.reshape(outputs, kernel[0], kernel[1], -1)
    axis = 0
    if depthwise:
        given, axis = given.transpose(3, 1, 2, 0), 3
    if connected:
        given = given.reshape(outputs, channels)
    pixels = x if kind == "uint8" else signed(x)
    if connected:
        pixels = pixels.reshape(1, channels)
    same = pads == "SAME"
    out = [-(-n // s) if same else (n - k) // s + 1 for n, k, s in zip(size, kernel, stride)]
    before = [max((o - 1) * s + k - n, 0) // 2 if same else 0
              for o, n, k, s in zip(out, size, kernel, stride)]  # fmt: skip
    options = {0: ("i8", activation)}
    if not connected:
        options = {0: ("i8", 0 if same else 1), 1: ("i32", stride[1]), 2: ("i32", stride[0])}
        options |= {3: ("i32", 1), 4: ("i8", activation)} if depthwise else {3: ("i8", activation)}
    y = lite(
        family,
        [Tensor(kind, pixels.shape, s_in, zeros[0]), Tensor(kind, None, s_w, weight_zero, given, axis),
         Tensor("int32", None, s_in * s_w, 0, bias.astype(np.int32))],
        Tensor(kind, [1, outputs] if connected else [1, *out, outputs], s_out, zeros[1]), options,
        [pixels], rescaling != "FLOAT")  # fmt: skip
    folded = int32(bias - (zeros[0] + origin) * weights.reshape(outputs, -1).sum(1))
    low, high = activation_range(activation, s_out, zeros[1], kind)
    names = {"conv": "CONVOLUTION", "depthwise": "DEPTHWISE", "fully_connected": "FULLY_CONNECTED"}
    numbers = [names[family], f"MBN_RESCALE_{rescaling}", height, width, channels, outputs, *out, *kernel,
               *stride, *before, seed, 0 if kind == "uint8" else 1, weight_zero, str(wide).lower(),
               zeros[0] + origin, byte_range(zeros[1], kind, low, high)]  # fmt: skip
    return (f"    {braces(*numbers)[:-1]},\n     {braces(*folded)},\n     {braces(*map(multiplier, factors))},"
            + hexadecimal(plus_origin(y, kind)) + "},\n")  # fmt: skip


def spread(low, high, count):
    """Numbers from low to high, evenly in their logarithms, in an order of their own."""
    values = np.exp(np.linspace(np.log(low), np.log(high), count))
    return np.concatenate([values[::2], values[1::2]])


def convolutions():
    cases = []
    rng = np.random.default_rng(16)

    def tie(m):
        """A sum of which the float32 product, or already the sum as a float32, lies elsewhere beside a
        middle between two bytes than the exact one."""
        sums = ((rng.integers(-120, 120, 2000) + 0.5)[:, None] / float(m) + np.arange(-40, 41)).astype(np.int64).ravel()
        sums = sums[abs(sums) < 2**31 - 2**20]
        floats = sums.astype(F32) * F32(m)
        products = sums * np.float64(m), sums.astype(F32).astype(float) * np.float64(m)
        apart = [np.rint(product) != np.rint(floats) for product in products]
        found = sums[apart[0] & apart[1]] if rng.integers(2) else sums[apart[0]]
        return int(rng.choice(found))
    wild = spread(2.0**-24, 100.0, 17)  # weight scales for factors from far below to far above 1
    tiny = np.concatenate([spread(2.0**-40, 2.0**-26, 10), [1e-38] * 2, spread(2.0**-9, 2.0**-6, 5)])
    for rescaling in "FLOAT", "FIXED":
        def add(*arguments, **named):
            cases.append(convolution(*arguments[:1], rescaling, *arguments[1:], **named))  # noqa: B023

        def biases(count, size=3000):
            return rng.integers(-size, size, count)

        # Pointwise, per channel; the second with scales that lead to ties everywhere.
        add("conv", "int8", (2, 5), 20, 17, (1, 1), (1, 1), None, (0.02, spread(0.002, 0.01, 17), 0.06),
            (3, -7), biases(17), seed=1)  # fmt: skip
        add("conv", "int8", (2, 4), 5, 16, (1, 1), (1, 1), None, (0.5, [2.0**-7, 2.0**-6] * 8, 1.0),
            (-128, 0), biases(16, 100), seed=3, activation=RELU)  # fmt: skip
        add("conv", "int8", (2, 3), 7, 17, (1, 1), (1, 1), None, (1.0, wild, 1.0), (0, -128), biases(17, 9000),
            seed=5)  # fmt: skip
        add("conv", "int8", (1, 3), 4, 17, (1, 1), (1, 1), None, (1.0, tiny, 1.0), (1, 5),
            [2**31 - 2**17, -(2**31) + 2**17] * 6 + [0, 9, -9, 20000, -20000], seed=7)  # fmt: skip
        # Borders, strides, activations, unsigned bytes.
        add("conv", "int8", (6, 7), 3, 9, (3, 3), (2, 2), "SAME", (0.0078, spread(0.002, 0.02, 9), 0.0235),
            (-1, -128), biases(9), seed=9, activation=RELU6)  # fmt: skip
        add("conv", "uint8", (4, 6), 4, 5, (3, 2), (1, 2), "SAME", (0.0078, 0.0111, 0.05), (127, 13),
            biases(5), seed=11, weight_zero=131, wide=True, activation=RELU)  # fmt: skip
        add("depthwise", "int8", (5, 6), 18, 18, (3, 3), (1, 1), "SAME", (0.03, spread(0.004, 0.04, 18), 0.09),
            (-20, 11), biases(18), seed=13)  # fmt: skip
        add("depthwise", "int8", (7, 6), 17, 17, (5, 5), (2, 2), "SAME", (0.0235, spread(0.004, 0.04, 17), 0.0235),
            (-128, -128), biases(17), seed=15, activation=RELU6)  # fmt: skip
        add("depthwise", "uint8", (5, 5), 3, 3, (3, 3), (2, 2), "SAME", (0.0235, 0.02, 0.0235), (0, 0), biases(3),
            seed=17, weight_zero=100, wide=True, activation=RELU6)  # fmt: skip
    for seed, scales in (31, spread(1.1e-7, 3e-5, 17)), (33, spread(3e-6, 2e-5, 17)):
        cases.append(convolution("conv", "FLOAT", "int8", (1, 1), 5, 17, (1, 1), (1, 1), None, (1.0, scales, 1.0),
                                 (0, 7), tie, seed=seed))  # fmt: skip
    # The reference's shift to the left wraps.
    cases.append(convolution(
        "conv", "FIXED", "int8", (1, 2), 1, 14, (1, 1), (1, 1), None, (1.0, [1.0, 3.999, 8.0, 0.75, 2.0, 6.0, 1.5] * 2, 1.0),
        (0, 3), [2**30, 2**29, -(2**29) - 5, 2**31 - 200, 2**31 - 300, 3 * 2**28, -(2**30) - 77] + [500, -80, 12, 3, 1, 5, -9],
        seed=19))  # fmt: skip
    for rescaling in "FLOAT", "DOUBLE":
        for seed, kind, scales, zeros, weight_zero in (
            (21, "int8", (0.02, 0.004, 0.06), (-5, 9), 0),
            (23, "int8", (0.5, 2.0**-7, 1.0), (0, 0), 0),  # ties
            (25, "int8", (0.3, 0.2, 0.07), (-128, 1), 0),
            (27, "uint8", (0.02, 0.004, 0.06), (7, 130), 120),
        ):
            if weight_zero != 0 and rescaling == "FLOAT":
                continue  # not XNNPACK's
            cases.append(convolution(
                "fully_connected", rescaling, kind, (1, 1), 37, 18, (1, 1), (1, 1), None, scales, zeros,
                rng.integers(-3000, 3000, 18), seed=seed, weight_zero=weight_zero, wide=weight_zero != 0))  # fmt: skip
    for rescaling in "FLOAT", "DOUBLE":
        halves = iter(range(-9, 9))
        cases.append(convolution(
            "fully_connected", rescaling, "int8", (1, 1), 5, 18, (1, 1), (1, 1), None, (0.5, 0.5, 0.5), (3, -4),
            lambda m: next(halves), seed=35))  # fmt: skip  # noqa: B023
    cases.append(convolution(
        "fully_connected", "DOUBLE", "int8", (1, 1), 3, 6, (1, 1), (1, 1), None, (1.0, 2.0**-33, 1.0), (0, 0),
        [2**31 - 2**17, -(2**31) + 2**17, 0, 1, -1, 5], seed=29))  # fmt: skip
    return cases


# ---- Elementwise ----


def pairs():
    """The bytes of all pairs among a few, ends and middles."""
    some = np.concatenate([[0, 1, 2, 127, 128, 129, 254, 255], np.arange(5, 256, 17)])
    a, b = np.meshgrid(some, some, indexing="ij")
    return a.ravel().astype(np.uint8), b.ravel().astype(np.uint8)


def xnnpack_add(scales):
    """k_a, k_b, shift."""
    ratios = [F32(s) / F32(scales[2]) for s in scales[:2]]
    shift = 20 - (int(np.frexp(max(ratios))[1]) - 1)
    return [int(np.rint(float(r) * 2.0**shift)) for r in ratios], shift


def addition(kind, mode, scales, zeros):
    """mode: SHIFT, FIXED, FLOAT; scales, zeros: of a, b and the sum."""
    a, b = pairs()
    origin = origin_of(kind)
    scales = [F32(s) for s in scales]
    x, y = (v if kind == "uint8" else signed(v) for v in (a, b))
    offset, other = "0.0f", "false"
    m = ["{0.0f, 0, 0, 0.0}"] * 2
    output = "{0.0f, 0, 0, 0.0}"
    if mode == "FLOAT":
        # Which operand's product is added first is ONNX Runtime's affair: a second case has them exchanged.
        z = [np.array(zero, kind) for zero in zeros]
        sum_ = ort("QLinearAdd", [x, scales[0], z[0], y, scales[1], z[1], scales[2], z[2]], kind)
        ra, rb = scales[0] / scales[2], scales[1] / scales[2]
        inner = F32(np.float64(zeros[0]) * np.float64(ra) + np.float64(rb * F32(zeros[1])))
        offset = float(F32(zeros[2]) - inner).hex() + "f"
        m = [f"{{{float(r).hex()}f, 0, 0, 0.0}}" for r in (ra, rb)]
    else:
        tensors = [Tensor(kind, x.shape, s, z) for s, z in zip(scales, zeros)]
        sum_ = lite("add", tensors[:2], tensors[2], {0: ("i8", 0)}, [x, y], mode == "FIXED")
    if mode == "SHIFT":
        factors, shift = xnnpack_add(scales)
        m = [f"{{0.0f, {k}, 0, 0.0}}" for k in factors]
        output = f"{{0.0f, 0, {shift}, 0.0}}"
    if mode == "FIXED":
        twice = 2 * max(float(s) for s in scales[:2])
        m = [multiplier(float(s) / twice) for s in scales[:2]]
        output = multiplier(twice / (2**20 * float(scales[2])))
    z = [zero + origin for zero in zeros]
    return (f"    {{{{MBN_ADD_{mode}, {braces(*m)}, {output}, {{{z[0]}, {z[1]}}}, {{{origin}, {origin}}}, {offset}, {other},"
            f" {byte_range(zeros[2], kind)}}}," + hexadecimal(plus_origin(sum_, kind)) + "},\n")  # fmt: skip


def additions():
    cases = []
    for mode in "SHIFT", "FIXED", "FLOAT":
        for kind, scales, zeros in (
            ("int8", (0.0236, 0.0471, 0.0512), (3, -9, 17)),
            ("int8", (0.04, 0.03, 0.05), (-128, 0, -20)),  # ratios 0.8 and 0.6: ties
            ("int8", (0.5, 0.25, 1.0), (1, 2, -3)),
            ("uint8", (0.0236, 0.0005, 0.02), (128, 0, 130)),
            ("uint8", (0.1, 0.3, 0.01), (10, 250, 77)),
        ):
            cases.append(addition(kind, mode, scales, zeros))
    return cases


def products():
    """Squeeze-excite's multiplication: pairs, each in a channel of its own."""
    cases = []
    for source, rescaling in ("LiteRT", "FLOAT"), ("LiteRT", "FIXED"), ("ONNX", "FLOAT"):
        for kind, scales, zeros in (
            ("int8", (0.0236, 0.00392157, 0.0231), (3, -128, 17)),
            ("int8", (0.5, 0.25, 2.0), (-1, 2, -3)),  # ties
            ("uint8", (0.0236, 0.0039, 0.02), (128, 0, 130)),
            ("uint8", (2.0, 1.5, 0.02), (10, 250, 77)),  # by 150: XNNPACK has none of 256 and more
        ):
            a, b = pairs()
            x, y = (v if kind == "uint8" else signed(v) for v in (a, b))
            s = [F32(v) for v in scales]
            if source == "ONNX":
                z = [np.array(zero, kind) for zero in zeros]
                product = ort("QLinearMul", [x, s[0], z[0], y, s[1], z[1], s[2], z[2]], kind)
            else:
                tensors = [Tensor(kind, x.shape, v, z) for v, z in zip(s, zeros)]
                product = lite("mul", tensors[:2], tensors[2], {0: ("i8", 0)}, [x, y], rescaling == "FIXED")
            factor = (s[0] * s[1]) / s[2] if rescaling == "FLOAT" else float(s[0]) * float(s[1]) / float(s[2])
            z = [zero + origin_of(kind) for zero in zeros]
            numbers = [f"MBN_RESCALE_{rescaling}", multiplier(factor), z[0], z[1], str(source == "ONNX").lower(),
                       origin_of(kind), byte_range(zeros[2], kind)]  # fmt: skip
            cases.append(f"    {braces(*numbers)[:-1]}," + hexadecimal(plus_origin(product, kind)) + "},\n")
    return cases


# ---- Pools ----


def pixels_of(sums, n):
    """Bytes [n][channels] with these sums."""
    pixels = np.zeros((n, len(sums)), int)
    for c, left in enumerate(sums):
        for i in range(n):
            rest = n - 1 - i
            pixels[i, c] = np.clip(left // (rest + 1) + 5 * (i % 2), left - 255 * rest, min(255, left))
            left -= pixels[i, c]
    assert pixels.max() <= 255 and pixels.min() >= 0
    return pixels


def mean(kind, mode, size, channels, scales, zeros, seed):
    """mode: INTEGER, OFFSET, FIXED, FLOAT and VALUES (of ONNX Runtime)."""
    height, width = size
    n = height * width
    s = [F32(v) for v in scales]
    rng = np.random.default_rng(seed)
    # Sums of which a third lies, as nearly as it can, in the middle between two bytes.
    middles = (rng.integers(-100, 100, channels) + 0.5) * n * float(s[1]) / float(s[0])
    sums = np.where(rng.random(channels) < 0.4, rng.integers(0, 255 * n + 1, channels),
                    np.rint(middles) + n * (zeros[0] + origin_of(kind)))  # fmt: skip
    apart = rounded_apart(n, *s, *zeros)[:channels]
    sums[:len(apart)] = apart + n * origin_of(kind)
    sums = np.clip(sums, 0, 255 * n).astype(int)
    pixels = rng.integers(0, 256, n * channels) if mode == "VALUES" else pixels_of(sums, n)
    x = pixels.reshape(1, height, width, channels).astype(np.uint8)
    values = x if kind == "uint8" else signed(x)
    source, target = (Tensor(kind, None, *q) for q in zip(s, zeros))
    source.shape = values.shape
    if mode == "FLOAT":
        z = [np.array(zero, kind) for zero in zeros]
        y = ort("QLinearGlobalAveragePool", [values.transpose(0, 3, 1, 2).copy(), s[0], z[0], s[1], z[1]], kind)
    elif mode == "VALUES":
        byte = x.transpose(0, 3, 1, 2).astype(int)
        # Numbers among which others drown, so that the order of additions shows.
        huge = (byte % 16 == 3) * 2**30 - (byte % 16 == 7) * 2**30
        floats = (byte * byte * 37 % 509 - 190 + huge).astype(F32) * s[0]
        y = ort("GlobalAveragePool", [floats], "float32", domain="")
        y = ort("QuantizeLinear", [y, s[1], np.array(zeros[1], kind)], kind, domain="")
    elif mode == "INTEGER":
        target.shape = [1, 1, 1, channels]
        options = {0: ("i8", 1), 1: ("i32", 1), 2: ("i32", 1), 3: ("i32", width), 4: ("i32", height)}
        y = lite("average_pool", [source], target, options, [values], False)
        assert np.array_equal(y, lite("average_pool", [source], target, options, [values], True))
    else:
        target.shape = [1, 1, 1, channels]
        axes = Tensor("int32", array=np.array([1, 2], np.int32))
        y = lite("mean", [source, axes], target, {0: ("u8", 1)}, [values], mode == "FIXED")
    numbers = [f"{{MBN_MEAN_{mode}, {float(s[0]).hex()}f, {float(s[1]).hex()}f, {origin_of(kind)}, NULL}}", height,
               width, channels, zeros[0] + origin_of(kind), byte_range(zeros[1], kind)]  # fmt: skip
    return (f"    {braces(*numbers)[:-1]}," + hexadecimal(x) + ","
            + hexadecimal(plus_origin(y.ravel(), kind)) + "},\n")  # fmt: skip


def rounded_apart(n, scale, output_scale, zero, output_zero):
    """Sums of n raw int8 that become different bytes where XNNPACK's float32 operations are done in another
    order."""
    sums = np.arange(-128 * n, 127 * n + 1)
    m = scale / output_scale * (F32(1) / F32(n))
    product, zeros, z = sums.astype(F32) * m, F32(n * zero) * m, F32(output_zero)
    orders = [product + (z - zeros), (product - zeros) + z, (sums - n * zero).astype(F32) * m + z]
    assert all(v.dtype == F32 for v in orders)
    apart = np.rint(orders[0]) != np.rint(orders[1])
    apart |= np.rint(orders[0]) != np.rint(orders[2])
    return sums[apart & (np.abs(orders[0]) < 127)]


def rough(n, zero, output_zero):
    """Scales with several such sums."""
    rng = np.random.default_rng(n)
    tried = rng.uniform(0.01, 0.05, (20000, 2)).astype(F32)
    return tuple(max(tried, key=lambda s: len(rounded_apart(n, *s, zero, output_zero))))


def unlike(n):
    """A scale by which the two float32 factors of means of n numbers differ that keep their scale."""
    for scale in F32(0.01) + np.arange(1000).astype(F32) * F32(1e-5):
        if scale / (F32(n) * scale) != F32(1) / F32(n):
            return scale
    return F32(0.02)


def means():
    cases = []
    for mode in "INTEGER", "OFFSET", "FIXED", "FLOAT", "VALUES":
        for i, (kind, size, scales, zeros) in enumerate((
            ("int8", (7, 7), (0.0236, 0.0236), (-128, -128)),
            ("int8", (4, 4), (0.0236, 0.0200), (3, -19)),
            ("int8", (1, 1), (0.05, 0.05), (0, 0)),
            ("int8", (1, 1), (0.0236, 0.0117), (11, -8)),
            ("int8", (3, 5), (0.01, 0.04), (-100, 100)),
            ("int8", (3, 3), rough(9, -77, 21), (-77, 21)),
            ("int8", (3, 2), (unlike(6),) * 2, (0, 0)),
            ("int8", (2, 5), (unlike(10),) * 2, (-3, -3)),
            ("int8", (2, 7), (unlike(14),) * 2, (5, 2)),
            ("uint8", (7, 7), (0.0236, 0.0200), (0, 0)),
            ("uint8", (2, 2), (0.5, 0.25), (128, 120)),
            ("uint8", (5, 6), (unlike(30),) * 2, (17, 19)),
        )):  # fmt: skip
            if mode == "INTEGER":
                scales, zeros = scales[:1] * 2, zeros[:1] * 2
            cases.append(mean(kind, mode, size, 17, scales, zeros, seed=100 + i))
    return cases


def max_pools():
    x = noise(50, 5 * 7 * 18).reshape(1, 5, 7, 18)
    quantisation = {"kind": "uint8", "scale": 0.1, "zero": 3}
    options = {0: ("i8", 0), 1: ("i32", 2), 2: ("i32", 2), 3: ("i32", 3), 4: ("i32", 3)}
    y = lite("max_pool", [Tensor(shape=x.shape, **quantisation)], Tensor(shape=[1, 3, 4, 18], **quantisation),
             options, [x], False)  # fmt: skip
    return [f"    {{5, 7, 18, 3, 4, 3, 2, 1, 1, 50,{hexadecimal(y)}}},\n"]


# ---- Ends ----


def floats_for(scale):
    """Around every byte's number and the middles between two, beyond the ends, and what is special."""
    steps = np.concatenate([np.arange(-270, 270, 3), np.arange(-270, 270, 7) + 0.5, [1e9, -1e9]]).astype(F32)
    near = F32(scale) * np.array([0.49999997, 0.50000006, -0.49999997, -1.5, 2.5], F32)
    return np.concatenate([steps * F32(scale), near, np.array([0.0, -0.0, np.inf, -np.inf, 3e38], F32)])


def quantise(kind, mode, scale, zero):
    x = floats_for(scale)
    if mode == "QUOTIENT":
        y = ort("QuantizeLinear", [x, F32(scale), np.array(zero, kind)], kind, domain="")
    else:
        # LiteRT's infinities are not asked for: its reference converts them to whole numbers.
        x = x[np.isfinite(x) & (np.abs(x) < 2**30 * scale)] if mode == "AWAY" else x
        y = lite("quantize", [Tensor("float32", x.shape)], Tensor(kind, x.shape, scale, zero), {}, [x],
                 mode == "AWAY")  # fmt: skip
    back = lite("dequantize", [Tensor(kind, y.shape, scale, zero)], Tensor("float32", y.shape), {}, [y], True)
    origin = origin_of(kind)
    return (f"    {{{{{float(F32(scale)).hex()}f, {zero + origin}, {origin}, MBN_QUANTIZE_{mode}}}, {len(x)},"
            + hexadecimal(x.view(np.uint8)) + "," + hexadecimal(plus_origin(y, kind)) + ","
            + hexadecimal(back.view(np.uint8)) + "},\n")  # fmt: skip


def quantisations():
    return [quantise(kind, mode, scale, zero) for mode in ("INVERSE", "QUOTIENT", "AWAY")
            for kind, scale, zero in (("int8", 0.0078125, -1), ("int8", 0.0236, 3), ("uint8", 0.1, 128),
                                      ("uint8", 3.3, 0))]  # fmt: skip


# ---- The file ----


def main():
    litert = __import__("importlib.metadata").metadata.version("ai-edge-litert")
    text = f"""/* Made by make_q8.py with LiteRT {litert} and ONNX Runtime {onnxruntime.__version__}. */
/* clang-format off */
#include <mobilenet/q8.h>
#include <stddef.h>

static const struct golden_convolution {{
    enum {{ CONVOLUTION, DEPTHWISE, FULLY_CONNECTED }} family;
    mbn_rescaling rescaling;
    int32_t height, width, channels, outputs, output_height, output_width;
    int32_t kernel_height, kernel_width, stride_vertical, stride_horizontal, pad_top, pad_left;
    int32_t seed; /* of the input; the weights' is one more */
    bool is_signed; /* weights: -127 to 127; else 0 to 255 */
    int32_t weight_zero;
    bool wide;
    int32_t input_zero;
    mbn_byte_range range;
    int32_t bias[18];
    mbn_multiplier multipliers[18];
    const char *bytes; /* [height][width][outputs] in hexadecimal, as all below */
}} golden_convolutions[] = {{
{"".join(convolutions())}}};

/* Of all pairs of golden_pairs, the second one fastest. */
static const uint8_t golden_some[] = {braces(*pairs()[1][:np.unique(pairs()[1]).size])};

static const struct golden_sum {{
    mbn_q8_add add;
    const char *bytes;
}} golden_sums[] = {{
{"".join(additions())}}};

static const struct golden_product {{
    mbn_rescaling rescaling;
    mbn_multiplier multiplier;
    int32_t input_zero, gate_zero;
    bool zero_inside;
    int32_t origin;
    mbn_byte_range range;
    const char *bytes;
}} golden_products[] = {{
{"".join(products())}}};

static const struct golden_mean {{
    mbn_q8_mean mean;
    int32_t height, width, channels;
    int32_t input_zero;
    mbn_byte_range range;
    const char *input, *bytes;
}} golden_means[] = {{
{"".join(means())}}};

static const struct golden_maximum {{
    int32_t height, width, channels, output_height, output_width, window, stride, pad_top, pad_left, seed;
    const char *bytes;
}} golden_maxima[] = {{
{"".join(max_pools())}}};

static const struct golden_end {{
    mbn_quantization quantization;
    int32_t count;
    const char *floats, *bytes, *back; /* floats, those quantised, those dequantised */
}} golden_ends[] = {{
{"".join(quantisations())}}};
"""
    (HERE / "q8.h").write_text(text)
    print(f"{len(text)} bytes")


if __name__ == "__main__":
    main()

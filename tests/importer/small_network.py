"""A small network that has what MobileNets have, as a list of operations: the tests write it in the
formats that are imported, and evaluate it here in double precision.

Planes are [channels,height,width]; weights [O,I/groups,h,w]."""
from collections import namedtuple

import numpy

# pads: top, left, bottom, right
Conv = namedtuple("Conv", "name x weight bias norm strides pads groups")
Norm = namedtuple("Norm", "gamma beta mean variance epsilon")
Act = namedtuple("Act", "name x kind")
Pool = namedtuple("Pool", "name x maximum", defaults=(False,))
MaxPool = namedtuple("MaxPool", "name x window stride")
Dense = namedtuple("Dense", "name x weight bias")
Add = namedtuple("Add", "name a b")
Mul = namedtuple("Mul", "name a b")

ACTIVATIONS = {
    "relu": lambda x: numpy.maximum(x, 0),
    "relu6": lambda x: numpy.clip(x, 0, 6),
    "hard_swish": lambda x: x * numpy.clip(x + 3, 0, 6) / 6,
    "hard_sigmoid": lambda x: numpy.clip(x + 3, 0, 6) / 6,
    "hard_sigmoid_0.2": lambda x: numpy.clip(0.2 * x + 0.5, 0, 1),
}


def convolve(x, op):
    top, left, bottom, right = op.pads
    x = numpy.pad(x, ((0, 0), (top, bottom), (left, right)))
    outputs, per_group, rows, columns = op.weight.shape
    down, across = op.strides
    height, width = (x.shape[1] - rows) // down + 1, (x.shape[2] - columns) // across + 1
    y = numpy.zeros((outputs, height, width))
    weight = op.weight.astype(numpy.float64).reshape(op.groups, -1, per_group, rows, columns)
    for row in range(rows):
        for column in range(columns):
            part = x[:, row:row + down * (height - 1) + 1:down,
                     column:column + across * (width - 1) + 1:across]
            part = part.reshape(op.groups, per_group, height, width)
            y += numpy.einsum("goi,gihw->gohw", weight[..., row, column], part).reshape(y.shape)
    if op.bias is not None:
        y += op.bias[:, None, None]
    if op.norm is not None:
        scale = op.norm.gamma / numpy.sqrt(op.norm.variance.astype(numpy.float64) + op.norm.epsilon)
        y = y * scale[:, None, None] + (op.norm.beta - op.norm.mean * scale)[:, None, None]
    return y


def max_pool(x, op):
    height, width = ((size - op.window) // op.stride + 1 for size in x.shape[1:])
    return numpy.max([x[:, i:i + op.stride * (height - 1) + 1:op.stride,
                        j:j + op.stride * (width - 1) + 1:op.stride]
                      for i in range(op.window) for j in range(op.window)], axis=0)


def evaluate_each(operations, image):
    """The image and every operation's output by name, of one [channels,height,width] image."""
    values = {"image": image.astype(numpy.float64)}
    for op in operations:
        if isinstance(op, Conv):
            y = convolve(values[op.x], op)
        elif isinstance(op, Act):
            y = ACTIVATIONS[op.kind](values[op.x])
        elif isinstance(op, Pool):
            over = numpy.max if op.maximum else numpy.mean
            y = over(values[op.x], (1, 2), keepdims=True)
        elif isinstance(op, MaxPool):
            y = max_pool(values[op.x], op)
        elif isinstance(op, Dense):
            y = (op.weight @ values[op.x].reshape(-1) + op.bias)[:, None, None]
        elif isinstance(op, Add):
            y = values[op.a] + values[op.b]
        else:
            y = values[op.a] * values[op.b]
        values[op.name] = y
    return values


def evaluate(operations, image):
    """The last operation's output for one [channels,height,width] image."""
    return evaluate_each(operations, image)[operations[-1].name]


def evaluate_maps(operations, images):
    """[N,height,width,channels] for [N,height,width,3]."""
    return numpy.stack([evaluate(operations, image.transpose(2, 0, 1)).transpose(1, 2, 0)
                        for image in images])


def evaluate_all(operations, images):
    """[N,classes] for [N,height,width,3]."""
    return evaluate_maps(operations, images).reshape(len(images), -1)


class Maker:
    """Makes operations with seeded weights, and keeps track of channels and sizes."""

    def __init__(self, height, width, padding="symmetric", norms=True, seed=1, channels=3):
        self.random = numpy.random.default_rng(seed)
        self.padding, self.norms = padding, norms
        self.operations = []
        self.shapes = {"image": (channels, height, width)}

    def uniform(self, low, high, *shape):
        return self.random.uniform(low, high, shape).astype(numpy.float32)

    def pads(self, size, kernel, stride):
        total = kernel - 1 if self.padding == "symmetric" else \
            max(0, (size - 1) // stride * stride + kernel - size)
        return total // 2, total - total // 2

    def put(self, op, shape):
        self.operations.append(op)
        self.shapes[op.name] = shape
        return op.name

    def conv(self, name, x, channels, kernel=1, strides=(1, 1), depthwise=False, bias=False,
             norm=True):
        inputs, height, width = self.shapes[x]
        fan = kernel * kernel * (1 if depthwise else inputs)
        bound = (3 / fan) ** 0.5
        weight = self.uniform(-bound, bound, channels, 1 if depthwise else inputs, kernel, kernel)
        (top, bottom), (left, right) = (self.pads(size, kernel, stride) for size, stride in
                                        zip((height, width), strides))
        norm = norm and self.norms
        statistics = None if not norm else Norm(
            self.uniform(0.8, 1.2, channels), self.uniform(-0.2, 0.2, channels),
            self.uniform(-0.2, 0.2, channels), self.uniform(0.8, 1.2, channels), 1e-3)
        bias = self.uniform(-0.3, 0.3, channels) if bias or not norm else None
        shape = (channels, (height + top + bottom - kernel) // strides[0] + 1,
                 (width + left + right - kernel) // strides[1] + 1)
        return self.put(Conv(name, x, weight, bias, statistics, strides,
                             (top, left, bottom, right), channels if depthwise else 1), shape)

    def act(self, x, kind):
        return self.put(Act(f"{x}_{kind}", x, kind), self.shapes[x]) if kind != "none" else x

    def block(self, name, x, channels, kernel=3, expand=0, strides=(1, 1), squeeze=0,
              activation="relu", gate="hard_sigmoid", inner="relu", residual=True):
        inputs = x
        if expand:
            x = self.act(self.conv(f"{name}_expand", x, expand), activation)
        x = self.act(self.conv(f"{name}_depthwise", x, self.shapes[x][0], kernel, strides,
                               depthwise=True), activation)
        if squeeze:
            width = self.shapes[x][0]
            y = self.put(Pool(f"{name}_pool", x), (width, 1, 1))
            y = self.act(self.conv(f"{name}_squeeze", y, squeeze, bias=True, norm=False), inner)
            y = self.act(self.conv(f"{name}_excite", y, width, bias=True, norm=False), gate)
            x = self.put(Mul(f"{name}_scale", x, y), self.shapes[x])
        x = self.conv(f"{name}_project", x, channels)
        if residual and strides == (1, 1) and self.shapes[inputs][0] == channels:
            x = self.put(Add(f"{name}_add", x, inputs), self.shapes[x])
        return x

    def dense(self, name, x, channels):
        inputs = self.shapes[x][0]
        bound = (3 / inputs) ** 0.5
        return self.put(Dense(name, x, self.uniform(-bound, bound, channels, inputs),
                              self.uniform(-0.3, 0.3, channels)), (channels, 1, 1))


def variant(height=48, width=64, padding="symmetric", norms=True, gate="hard_sigmoid_0.2",
            pool=True, channels=3, maximum=False):
    """Strides of (2,1), an expansion of 8 to 8, squeeze channels by no rule, a max pool, two hidden
    layers."""
    m = Maker(height, width, padding, norms, channels=channels)
    x = m.act(m.conv("stem", "image", 8, 3, (2, 2)), "hard_swish")
    x = m.block("b1", x, 8, 3, 8, (2, 1), 3, "relu", gate)
    x = m.block("b2", x, 16, 5, 24, (2, 2), 0, "hard_swish", gate)
    x = m.block("b3", x, 16, 5, 40, (1, 1), 11, "hard_swish", gate)
    x = m.act(m.conv("head", x, 24), "hard_swish")
    if pool:
        channels, rows, columns = m.shapes[x]
        x = m.put(MaxPool("maxpool", x, 2, 2), (channels, rows // 2, columns // 2))
    x = m.put(Pool("pool", x, maximum), (m.shapes[x][0], 1, 1))
    x = m.act(m.dense("hidden1", x, 12), "hard_swish")
    x = m.act(m.dense("hidden2", x, 9), "relu")
    m.dense("logits", x, 5)
    return m.operations


# Where variant() may end without a classifier: the last operation, the stage that it is.
BACKBONES = (("b3_add", "block2"), ("head_hard_swish", "features.4.0"), ("pool", "pool"),
             ("hidden1_hard_swish", "classifier.0"), ("hidden2_relu", "classifier.3"))


def until(operations, name):
    """The operations up to one."""
    return operations[:[op.name for op in operations].index(name) + 1]


def images(height=48, width=64, count=2, channels=3):
    return numpy.random.default_rng(3).uniform(-1, 1, (count, height, width, channels)).astype(
        numpy.float32)

"""A graph from a list of weights, for files that hold nothing else: what the network is must be
known from names and shapes."""
from dataclasses import dataclass

from .graph import Builder, hard_sigmoid, hard_swish, relu, relu6

FUNCTIONS = {"relu": relu, "relu6": relu6, "hard_swish": hard_swish,
             "hard_sigmoid": hard_sigmoid(), "none": None}


@dataclass
class Weights:
    """Of one layer: weight [O,I/groups,h,w] or [O,I]; bias and batch_norm (gamma, beta, mean,
    variance) may be None."""
    name: str
    weight: object
    bias: object = None
    batch_norm: tuple = None
    norm_name: str = None   # of the batch norm, where it is known
    epsilon: float = None   # None: the network's


@dataclass
class BlockWeights:
    expand: Weights  # or None
    depthwise: Weights
    squeeze: Weights  # or None
    excite: Weights
    project: Weights
    strides: tuple
    activation: str
    separable: bool = False
    squeeze_activation: str = None  # None: the network's
    residual: bool = True


@dataclass
class NetworkWeights:
    stem: Weights
    stem_activation: str
    blocks: list
    head: Weights        # or None
    head_activation: str
    dense: list          # [(Weights, activation)], the last of them the logits; may be empty
    padding: str         # same or symmetric
    epsilon: float
    squeeze_activation: str = "relu"
    gate: str = "hard_sigmoid"
    pool: bool = True    # False: it ends with the last feature map
    stem_strides: tuple = (2, 2)

    def layers(self):
        """All of the convolutions, in order: (Weights, its block or None)."""
        yield self.stem, None
        for block in self.blocks:
            for weights in (block.expand, block.depthwise, block.squeeze, block.excite,
                            block.project):
                if weights is not None:
                    yield weights, block
        if self.head is not None:
            yield self.head, None


class _Assembler:
    def __init__(self, network):
        self.network, self.builder = network, Builder()

    def activate(self, value, kind, name):
        function = FUNCTIONS[kind]
        return value if function is None else self.builder.unary(value, function, name)

    def layer(self, value, weights, activation, strides=(1, 1), groups=1):
        name, weight = weights.name, weights.weight
        if weight.ndim == 2:
            value = self.builder.dense(value, weight, weights.bias, name)
        else:
            side = (weight.shape[2] - 1) // 2 if self.network.padding == "symmetric" else 0
            pads = "same" if self.network.padding == "same" else (side,) * 4
            value = self.builder.conv(value, weight, weights.bias, strides, pads, groups, name)
        if weights.batch_norm is not None:
            value = self.builder.batch_norm(value, *weights.batch_norm,
                                            weights.epsilon or self.network.epsilon, name)
        return self.activate(value, activation, name)

    def block(self, x, block):
        inputs = x
        if block.expand is not None:
            x = self.layer(x, block.expand, block.activation)
        x = self.layer(x, block.depthwise, block.activation, block.strides, x.channels)
        if block.squeeze is not None:
            gate = self.builder.global_pool(x, block.squeeze.name)
            gate = self.layer(gate, block.squeeze,
                              block.squeeze_activation or self.network.squeeze_activation)
            gate = self.layer(gate, block.excite, self.network.gate)
            x = self.builder.multiply(x, gate, block.excite.name)
        x = self.layer(x, block.project, block.activation if block.separable else "none")
        if block.residual and not block.separable and block.strides == (1, 1) \
                and x.channels == inputs.channels:
            x = self.builder.add(x, inputs, block.project.name)
        return x

    def output(self):
        network = self.network
        x = self.builder.input("image", network.stem.weight.shape[1])
        x = self.layer(x, network.stem, network.stem_activation, network.stem_strides)
        for block in network.blocks:
            x = self.block(x, block)
        if network.head is not None:
            x = self.layer(x, network.head, network.head_activation)
        if not network.pool:
            return x
        x = self.builder.global_pool(x, "pool")
        for weights, activation in network.dense:
            x = self.layer(x, weights, activation)
        return x


def assemble(network):
    """The output of the network's graph."""
    return _Assembler(network).output()

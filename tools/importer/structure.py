"""From a graph to a table: walks the graph as the papers' tables describe it, and names the first
thing that no MobileNet has."""
from dataclasses import dataclass

import numpy

from . import integers
from .errors import ImportFailure
from .graph import (Activation, LeftOut, classify, classify_scaled, input_affine, output_size,
                    window_padding)
from .table import Row, Table, Tensors

PADDINGS = ("same", "symmetric", "trailing")


@dataclass
class Structure:
    table: Table
    tensors: Tensors
    padding: str
    classes: int
    final: str           # what the source applies to the logits: None, or as graph.Value has it
    scale: numpy.ndarray  # what it does to the image: scale and shift per channel
    shift: numpy.ndarray
    trailing: bool       # its paddings are also "trailing", where `padding` is "same"
    stage: str           # without a classifier (classes 0): the stage that the source hands out
    channels: int        # of its output
    resized: object      # how the graph resizes its image: a graph.Resizing, or None
    integers: dict       # of a quantised graph: the tensors in their place, or None


def recognise(output, height, width):
    return _Walk(output, height, width).walk()


def _differs(text):
    raise ImportFailure(f"not a MobileNet: {text}")


def _ends(node):
    _differs(f"{node} is the last layer; a network may end with a row, the last convolution, the "
             "global pool or fully connected layers")


class _Walk:
    def __init__(self, output, height, width):
        self.output, self.height, self.width = output, height, width
        self.resized = None
        self.users = {}  # id of a node -> [(node that reads it, Value that it reads)]
        self.paddings = list(PADDINGS)
        self.says_same = False  # a convolution that strides has "same" padding, not numbers
        self.tensors = Tensors()
        self.layers, self.sums = {}, {}  # name -> node; of the sum behind a layer
        seen, stack = {id(output.node)}, [output.node]
        while stack:
            node = stack.pop()
            for value in node.inputs:
                self.users.setdefault(id(value.node), []).append((node, value))
                if id(value.node) not in seen:
                    seen.add(id(value.node))
                    stack.append(value.node)
        self.inputs = {}
        stack, seen = [output.node], set()
        while stack:
            node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if node.kind == "input":
                self.inputs[id(node)] = node
            stack.extend(value.node for value in node.inputs)

    # ---- Reading the graph ----

    def readers(self, node):
        return [reader for reader, _ in self.users.get(id(node), [])]

    def only_reader(self, node):
        readers = self.readers(node)
        if not readers:
            _ends(node)
        if len(readers) != 1:
            _differs(f"{node} is read by {len(readers)} nodes, expected one")
        return readers[0]

    def activation(self, node):
        """Of all who read the node."""
        found = [self.classified(value, node) for value in self.values(node)]
        if not found:
            _differs(f"nothing reads {node}")
        if any(activation != found[0] for activation in found[1:]):
            _differs(f"{node} is read with and without its activation")
        return found[0]

    def agreed(self, *nodes):
        """The activation of two layers of a row, None if they differ: ReLU6 by what was quantised
        may have been ReLU."""
        first, second = map(self.activation, nodes)
        if first == second:
            return first
        unsure = map(self.left_out, nodes)
        relu = Activation("relu")
        either = all(one == relu or doubt for one, doubt in zip((first, second), unsure))
        return relu if either else None

    def left_out(self, node):
        """Whether the node's activation is seen in what its values are quantised by alone."""
        return all(isinstance(value.function, LeftOut) for value in self.values(node))

    def values(self, node):
        found = [value for _, value in self.users.get(id(node), [])]
        return found + [self.output] if node is self.output.node else found

    @staticmethod
    def classified(value, node):
        activation = classify(value.function)
        if activation is None:
            _differs(f"the activation after {node} is none of ReLU, ReLU6, hard-sigmoid, "
                     "hard-swish")
        return activation

    # ---- Walking ----

    def walk(self):
        if len(self.inputs) != 1:
            _differs(f"its output depends on {len(self.inputs)} inputs")
        image = next(iter(self.inputs.values()))
        self.image, stem = image, self.only_reader(image)
        if stem.kind != "conv" or stem.groups != 1:
            _differs(f"the first layer is {stem}, expected a 3x3 convolution")
        if image.resized is not None:
            self.resized = image.resized
            self.height, self.width = image.resized.height, image.resized.width
        weight, scale, shift = _of_source_channels(image, stem)
        self.slide(stem, stem=True)
        self.convolution("features.0.0", stem, weight, stem.bias)
        self.table = Table(stem.channels, stem.strides, self.activation(stem).kind)
        if self.table.stem_activation == "hard_sigmoid":
            _differs(f"a hard-sigmoid after {stem}")
        self.gates = []
        plane, layer = stem, None
        while plane is not self.output.node:
            following = [node for node in self.readers(plane) if node.kind != "add"]
            if not following:
                _ends(plane)
            if len(following) != 1:
                _differs(f"{plane} is read by {len(following)} layers besides sums, expected one")
            layer = following[0]
            if layer.is_depthwise():
                plane = self.row(plane, None, layer)
            elif layer.is_pointwise() and any(n.is_depthwise() for n in self.readers(layer)):
                plane = self.row(plane, layer, self.only_reader(layer))
            else:
                break
        if not self.table.rows:
            _differs(f"{plane} is followed by {layer}, expected a depthwise or a 1x1 convolution"
                     if layer else f"it ends with {plane}, before the first row")
        stage = f"block{len(self.table.rows) - 1}"
        if plane is not self.output.node:
            stage = self.head(plane, layer)
        return self.finish(stage, scale, shift)

    def convolution(self, name, node, weight, bias):
        self.tensors.convolution(name, weight, bias)
        self.layers[name] = node

    def slide(self, conv, stem=False):
        """Applies a convolution's window to the plane's size, and narrows down the padding."""
        sizes, kernel = (self.height, self.width), conv.weight.shape[2:]
        if conv.strides[0] not in (1, 2) or conv.strides[1] not in (1, 2):
            _differs(f"{conv} has strides {list(conv.strides)}, expected 1 or 2")
        if isinstance(conv.pads, str):
            pads = [window_padding(conv.pads, stem, sizes[i], kernel[i], conv.strides[i])
                    for i in (0, 1)]
        else:
            pads = [(conv.pads[0], conv.pads[2]), (conv.pads[1], conv.pads[3])]

        if max(conv.strides) > 1:
            self.says_same |= conv.pads == "same"

        def windows(i, before, after):
            """Where the first one begins and how many there are: zeros that none reads make no
            difference."""
            return before, output_size(sizes[i], kernel[i], conv.strides[i], before, after)

        def fits(mode):
            return all(windows(i, *pads[i]) == windows(
                i, *window_padding(mode, stem, sizes[i], kernel[i], conv.strides[i]))
                       for i in (0, 1))
        paddings = [mode for mode in self.paddings if fits(mode)]
        if not paddings:
            _differs(f"{conv} pads by {pads[0]} and {pads[1]} at {sizes[0]}x{sizes[1]}, which is "
                     f"not {' or '.join(self.paddings)} as before")
        self.paddings = paddings
        self.height, self.width = (output_size(sizes[i], kernel[i], conv.strides[i], *pads[i])
                                   for i in (0, 1))
        if not self.height or not self.width:
            _differs(f"{conv} does not fit its input of {sizes[0]}x{sizes[1]}")
        self.check_pixel(conv)

    def check_pixel(self, node):
        if node.pixel is not None and (self.height, self.width) != (1, 1):
            _differs(f"{node.pixel}: a reshape of {self.height}x{self.width} pixels")

    def row(self, plane, expand, depthwise):
        if not depthwise.is_depthwise():
            _differs(f"{expand} is followed by {depthwise}, expected a depthwise convolution")
        number = len(self.table.rows) + 1
        name, module = f"features.{number}.block", 0
        activation = self.activation(depthwise)
        if activation.kind == "hard_sigmoid":
            _differs(f"a hard-sigmoid after {depthwise}")
        if expand:
            common = self.agreed(expand, depthwise)
            if common is None:
                _differs(f"{expand} has {self.activation(expand)}, but {depthwise} has "
                         f"{activation}")
            activation = common
            self.pointwise(f"{name}.{module}.0", expand)
            module += 1
        kernel = depthwise.weight.shape[2:]
        if kernel not in ((3, 3), (5, 5)):
            _differs(f"{depthwise}: expected 3x3 or 5x5")
        self.slide(depthwise)
        self.convolution(f"{name}.{module}.0", depthwise, depthwise.weight, depthwise.bias)
        module += 1
        squeeze, inner, last = 0, None, depthwise
        if any(node.kind == "global_pool" for node in self.readers(depthwise)) \
                and len(self.readers(depthwise)) > 1:
            squeeze, inner, last = self.squeeze_excite(f"{name}.{module}", depthwise)
            module += 1
        project = self.only_reader(last)
        if not project.is_pointwise() or project.kind != "conv":
            _differs(f"{last} is followed by {project}, expected a 1x1 convolution")
        self.pointwise(f"{name}.{module}.0", project)
        after, added = project, False
        sums = [node for node in self.readers(project) if node.kind == "add"]
        if len(sums) == 1 and {id(v.node) for v in sums[0].inputs} == {id(project), id(plane)} \
                and len(self.readers(project)) == 1:
            if self.activation(project).kind != "none" and not self.left_out(project):
                _differs(f"{project} has {self.activation(project)} before a sum")
            after, added = sums[0], True
            self.sums[f"{name}.{module}.0"] = after
            self.check_pixel(after)
        elif sums and len(self.readers(project)) == 1:
            _differs(f"{sums[0]} adds to {project} something that is not its block's input")
        if not added and any(node.kind == "add" and node not in sums
                             for node in self.readers(plane)):
            other = next(n for n in self.readers(plane) if n.kind == "add")
            _differs(f"{other} skips more than one block")
        ending = self.activation(after)
        if (expand or added) and self.left_out(after):
            ending = Activation("none")  # values of both signs could not be told from these
        separable = ending.kind != "none" and not added
        if separable:
            activation = None if expand else self.agreed(depthwise, project)
        if activation is None:
            _differs(f"{project} has {ending}, expected no activation")
        if added and ending.kind != "none":
            _differs(f"{after} has {ending}, expected no activation")
        implied = (not separable and depthwise.strides == (1, 1)
                   and plane.channels == project.channels)
        if added and not implied:
            _differs(f"{project}: its block adds its input though strides or channels differ")
        self.table.rows.append(Row(kernel[0], depthwise.strides, expand.channels if expand else 0,
                                   project.channels, squeeze, activation.kind, separable,
                                   added == implied, inner))
        return after

    def squeeze_excite(self, name, depthwise):
        readers = self.readers(depthwise)
        pools = [node for node in readers if node.kind == "global_pool"]
        products = [node for node in readers if node.kind == "mul"]
        if len(pools) != 1 or len(products) != 1 or len(readers) != 2:
            _differs(f"{depthwise} is read by {', '.join(str(node) for node in readers)}, expected "
                     "a squeeze-excite")
        self.whole_plane(pools[0])
        if pools[0].maximum:
            _differs(f"squeeze-excite: {pools[0]}, expected an average")
        squeeze = self.only_reader(pools[0])
        if not squeeze.is_pointwise():
            _differs(f"squeeze-excite: {pools[0]} is followed by {squeeze}")
        excite = self.only_reader(squeeze)
        if not excite.is_pointwise():
            _differs(f"squeeze-excite: {squeeze} is followed by {excite}")
        if self.only_reader(excite) is not products[0]:
            _differs(f"squeeze-excite: {excite} is followed by {self.only_reader(excite)}")
        if self.activation(pools[0]).kind != "none" or self.activation(products[0]).kind != "none":
            _differs(f"squeeze-excite of {depthwise}: an activation after its pool or its product")
        inner, gate = self.activation(squeeze), self.activation(excite)
        if self.gates and self.gates[0] != gate:
            _differs(f"{excite}: its squeeze-excite has another gate than those before")
        if inner.kind == "hard_sigmoid":
            _differs(f"a hard-sigmoid after {squeeze}")
        if not self.gates:
            self.table.squeeze_activation, self.table.gate = inner.kind, gate
        self.gates.append(gate)
        self.layers[f"{name}.avgpool"] = pools[0]
        self.pointwise(f"{name}.fc1", squeeze)
        self.pointwise(f"{name}.fc2", excite)
        self.layers[f"{name}.scale"] = products[0]
        return squeeze.channels, inner.kind, products[0]

    def pointwise(self, name, node):
        self.check_pixel(node)
        weight = node.weight.reshape(node.weight.shape[:2] + (1, 1))
        self.convolution(name, node, weight, node.bias)

    def whole_plane(self, pool):
        if pool.flattened and (self.height, self.width) != (1, 1):
            _differs(f"{pool} of {self.height}x{self.width}; MobileNets have a global pool before "
                     "they flatten")
        if pool.window is not None and pool.window != (self.height, self.width):
            _differs(f"{pool}: its window of {list(pool.window)} is not the whole plane of "
                     f"{self.height}x{self.width}")

    def head(self, plane, layer):
        """The stage that the source ends with, None if that is the logits."""
        table = self.table
        if layer.kind == "conv":
            if not layer.is_pointwise():
                _differs(f"{plane} is followed by {layer}, expected a depthwise or a 1x1 "
                         "convolution")
            activation = self.activation(layer)
            if activation.kind == "hard_sigmoid":
                _differs(f"a hard-sigmoid after {layer}")
            table.head = (layer.channels, activation.kind)
            name = f"features.{len(table.rows) + 1}.0"
            self.pointwise(name, layer)
            if layer is self.output.node:
                return name
            plane, layer = layer, self.only_reader(layer)
        if layer.kind == "max_pool":
            self.max_pool(layer)
            if layer is self.output.node:
                if table.pool != "max":
                    _ends(layer)
                return self.classifier(layer)
            if (self.height, self.width) == (1, 1):
                return self.classifier(layer)
            plane, layer = layer, self.only_reader(layer)
        if layer.kind != "global_pool":
            _differs(f"{plane} is followed by {layer}, expected a global average or max pool")
        self.whole_plane(layer)
        if layer.maximum:
            table.pool = "max"
        else:
            self.layers["avgpool"] = layer
        return self.classifier(layer)

    def max_pool(self, pool):
        table, sizes = self.table, (self.height, self.width)
        if self.activation(pool).kind != "none":
            _differs(f"an activation after {pool}")
        pads = pool.pads
        if isinstance(pads, str):
            (top, bottom), (left, right) = (window_padding(pads, False, *of) for of in
                                            zip(sizes, pool.window, pool.strides))
            pads = (top, left, bottom, right)
        if any(pads):
            _differs(f"{pool} pads its input by {list(pads)}")
        if pool.window == sizes and pool.window[0] != pool.window[1]:
            table.pool = "max"
            self.height = self.width = 1
            return
        if pool.window[0] != pool.window[1] or pool.strides[0] != pool.strides[1]:
            _differs(f"{pool} is not square")
        table.max_pool = (pool.window[0], pool.strides[0])
        self.height, self.width = (output_size(size, pool.window[0], pool.strides[0], 0, 0)
                                   for size in sizes)

    def classifier(self, pool):
        dense, layer = [], pool
        # What is between a layer and the next fully connected one belongs to the next: scale and
        # shift of batch norms, which may come with an activation of their own.
        activation, scale, shift = self.scaled_activation(pool)
        if activation.kind != "none":
            _differs(f"an activation after {pool}")
        while layer is not self.output.node:
            layer = self.only_reader(layer)
            if layer.kind in ("affine", "global_pool"):  # a pool is of one pixel here
                after, factor, offset = self.scaled_activation(layer)
                if layer.kind == "affine":
                    scale, shift = scale * layer.scale, shift * layer.scale + layer.shift
                if after.kind != "none":
                    dense.append((layer, numpy.diag(numpy.broadcast_to(scale, layer.channels)),
                                  numpy.broadcast_to(shift, layer.channels), after))
                    scale, shift = factor, offset
                else:
                    scale, shift = scale * factor, shift * factor + offset
                continue
            if not layer.is_pointwise():
                _differs(f"the classifier has {layer}, expected fully connected layers")
            weight = layer.weight.reshape(layer.weight.shape[:2])
            bias = layer.bias + weight @ numpy.broadcast_to(shift, weight.shape[1])
            weight = weight * scale
            activation, scale, shift = self.scaled_activation(layer)
            if activation.kind == "none":
                weight, bias = weight * scale, bias * scale + shift
                scale, shift = 1.0, 0.0
            dense.append((layer, weight, bias, activation))
        if numpy.any(scale != 1) or numpy.any(shift != 0):
            _differs(f"{layer} is the last layer, expected a fully connected one")
        stage = "pool"
        for index, (node, weight, bias, activation) in enumerate(dense):
            if activation.kind == "hard_sigmoid":
                _differs("a hard-sigmoid in the classifier")
            name = f"classifier.{3 * index}"
            self.convolution(name, node, weight, bias)
            if index == len(dense) - 1 and activation.kind == "none":
                return None
            self.table.hidden.append((weight.shape[0], activation.kind))
            stage = name
        return stage

    def scaled_activation(self, node):
        """(activation, a, b) where all who read the node apply a * activation + b."""
        values = self.values(node)
        if len(values) == 1:
            found = classify_scaled(values[0].function)
            if found is not None:
                return found
        return self.activation(node), 1.0, 0.0

    def finish(self, stage, scale, shift):
        """stage: what it ends with, None: the logits."""
        output = self.output
        self.table.logits = stage is None
        if any(output.pads):
            _differs(f"a padding after {output.node}")
        if stage is not None and output.final:
            _differs(f"a {output.final.replace('_', ' ')} after {output.node}, which is no "
                     "classifier")
        # Several are left where they pad alike at this size.
        if not self.says_same and "symmetric" in self.paddings:
            self.paddings.remove("symmetric")
            self.paddings.insert(0, "symmetric")
        return Structure(self.table, self.tensors, self.paddings[0],
                         output.channels if stage is None else 0, output.final, scale, shift,
                         "trailing" in self.paddings, stage, output.channels,
                         self.resized, self.integers(scale, shift))

    def integers(self, scale, shift):
        """The tensors of a quantised graph, None of one that computes with floats."""
        if all(node.integers is None for node in self.layers.values()):
            return None
        stem = self.layers["features.0.0"]
        integers.of_source_channels(self.image, stem)
        if not (input_affine(stem.inputs[0])[0] > 0).all():
            _differs(f"{self.image.name}: a quantised image is inverted before it is convolved")
        return {**integers.of_image(self.image, stem.inputs[0].bytes, scale, shift),
                **integers.collect(self.layers, self.sums, self.reads, self.tensors),
                **(self.output.probabilities or {})}

    def reads(self, node):
        """The one Value that all who read a node's bytes in a quantised graph read."""
        values = self.values(node)
        if any(value.bytes is None or value.bytes != values[0].bytes for value in values):
            raise integers.NotInIntegers(f"not a MobileNet: {node} is read in several ways")
        return values[0]


def _of_source_channels(image, stem):
    """(the stem's weights, scale, shift), all per channel of the image as the source gets it: the
    graph may put channels in another order, repeat some and leave out others."""
    scale, shift = input_affine(stem.inputs[0])
    if not numpy.all(scale):
        _differs(f"{image.name}: a channel is multiplied by zero")
    # Of an inverted channel the weights are, instead.
    sign = numpy.sign(scale)
    scale, shift = scale * sign, shift * sign
    weight = numpy.zeros((stem.channels, image.source_channels, *stem.weight.shape[2:]))
    scales = numpy.full(image.source_channels, scale[0])
    shifts = numpy.full(image.source_channels, shift[0])
    seen = set()
    for index, channel in enumerate(image.order.tolist()):
        if channel in seen and not (numpy.isclose(scale[index], scales[channel], 1e-6)
                                    and numpy.isclose(shift[index], shifts[channel], 1e-6)):
            _differs(f"{image.name}: its channel {channel} is normalised in two ways")
        seen.add(channel)
        scales[channel], shifts[channel] = scale[index], shift[index]
        weight[:, channel] += sign[index] * stem.weight[:, index]
    return weight, scales, shifts

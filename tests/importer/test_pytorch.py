#!/usr/bin/env python3
"""PyTorch's networks by what is known of them: transformers' names, names that nobody knows, prefixes,
averaged weights, whole modules and TorchScript, what lies beside the weights.  Expected values are
those of small_network.py, in double precision."""
import json
import re
import unittest

import numpy

from importer_case import Case

import small_network
from checkpoint import Build, Call, Global, New, legacy, state_dict, zipped
from module_file import module, script
from timm_network import safetensors, small_v1, small_v2, small_v3

SAME = {"padding": "same", "epsilon": 1e-3}
TORCH = {"padding": "symmetric", "epsilon": 1e-5}


def sorted_safetensors(arrays):
    """As the safetensors package writes them: in the order of their names."""
    return safetensors(dict(sorted(arrays.items())))


def renamed(arrays, rules):
    """timm's names by another's; rules: (pattern, replacement), the first that fits."""
    result = {}
    for name, array in arrays.items():
        for pattern, replacement in rules:
            new, count = re.subn(pattern, replacement, name)
            if count:
                name = new
                break
        result[name] = array
    return result


def blocks(arrays):
    """blocks.S.B counted through, from 0."""
    order = sorted({tuple(map(int, re.match(r"blocks\.(\d+)\.(\d+)", name).groups()))
                    for name in arrays if name.startswith("blocks.")})
    return {name if not name.startswith("blocks.") else re.sub(
        r"blocks\.(\d+)\.(\d+)", lambda m: f"block.{order.index((int(m[1]), int(m[2])))}", name):
        array for name, array in arrays.items()}


def transformers_v1(**options):
    operations, arrays = small_v1(**options)
    arrays = blocks(arrays)
    for name in list(arrays):
        match = re.match(r"block\.(\d+)\.(conv_dw|bn1|conv_pw|bn2)\.(\w+)", name)
        if match:
            layer = 2 * int(match[1]) + (match[2] in ("conv_pw", "bn2"))
            part = "convolution" if match[2].startswith("conv") else "normalization"
            arrays[f"mobilenet_v1.layer.{layer}.{part}.{match[3]}"] = arrays.pop(name)
    return operations, renamed(arrays, (
        (r"^conv_stem\.", "mobilenet_v1.conv_stem.convolution."),
        (r"^bn1\.", "mobilenet_v1.conv_stem.normalization.")))


def transformers_v2(**options):
    operations, arrays = small_v2(**options)
    arrays = blocks(arrays)
    rename = {"conv_pw": "expand_1x1.convolution", "bn1": "expand_1x1.normalization",
              "conv_dw": "conv_3x3.convolution", "bn2": "conv_3x3.normalization",
              "conv_pwl": "reduce_1x1.convolution", "bn3": "reduce_1x1.normalization"}
    first = {"conv_dw": "conv_3x3.convolution", "bn1": "conv_3x3.normalization",
             "conv_pw": "reduce_1x1.convolution", "bn2": "reduce_1x1.normalization"}
    result = {}
    for name, array in arrays.items():
        match = re.match(r"block\.(\d+)\.(\w+)\.(\w+)", name)
        if match and int(match[1]) == 0:
            name = f"conv_stem.{first[match[2]]}.{match[3]}"
        elif match:
            name = f"layer.{int(match[1]) - 1}.{rename[match[2]]}.{match[3]}"
        elif name.startswith(("conv_stem", "bn1")):
            name = re.sub(r"^(conv_stem|bn1)", lambda m: "conv_stem.first_conv." + (
                "convolution" if m[1] == "conv_stem" else "normalization"), name)
        elif name.startswith(("conv_head", "bn2")):
            name = re.sub(r"^(conv_head|bn2)", lambda m: "conv_1x1." + (
                "convolution" if m[1] == "conv_head" else "normalization"), name)
        result[name if name.startswith("classifier") else f"mobilenet_v2.{name}"] = array
    return operations, result


def sequential(arrays):
    """As many repositories write v1: model.N of one Sequential each, then fc."""
    result = {}
    for name, array in blocks(arrays).items():
        match = re.match(r"block\.(\d+)\.(\w+)\.(\w+)", name)
        if match:
            place = {"conv_dw": 0, "bn1": 1, "conv_pw": 3, "bn2": 4}[match[2]]
            name = f"model.{int(match[1]) + 1}.{place}.{match[3]}"
        name = re.sub(r"^conv_stem", "model.0.0", re.sub(r"^bn1", "model.0.1", name))
        result[re.sub("^classifier", "fc", name)] = array
    return result


def strange_v2(arrays):
    """features.N.conv.M without torchvision's nesting, the last convolution beside them; each
    block's batch norms behind its convolutions."""
    result = {}
    for name, array in blocks(arrays).items():
        match = re.match(r"block\.(\d+)\.(\w+)\.(\w+)", name)
        if match:
            name = f"trunk.unit{int(match[1])}.{match[2]}.{match[3]}"
        for old, new in (("conv_stem", "first.conv"), ("bn1", "first.norm"),
                         ("conv_head", "last.conv"), ("bn2", "last.norm")):
            name = re.sub(f"^{old}\\.", new + ".", name)
        result[name] = array
    order = sorted(result, key=lambda name: (not name.startswith("first"),
                                             not name.startswith("trunk")))
    return {name: result[name] for name in order}


class Networks(Case):
    def imported_as(self, network, source, operations, *options):
        _, metadata, out = self.imported(source, "--resolution", "64", *options)
        self.assertEqual(metadata["network"], network)
        images = 16 * small_network.images(64, 64)  # so large that a ReLU6 is no ReLU
        self.assert_close(self.logits(images), small_network.evaluate_all(operations, images))
        return metadata, out


class Transformers(Networks):
    def test_networks(self):
        for network, make in (("mobilenet_v1", transformers_v1), ("mobilenet_v2", transformers_v2)):
            operations, arrays = make(**SAME)
            metadata, out = self.imported_as(network, zipped(*state_dict(arrays)), operations)
            self.assertEqual((metadata["padding"], metadata["mean"]), ("same", "[0.5, 0.5, 0.5]"))
            self.assertIn(f"{network} of transformers: ", out)
            self.assertIn("taken for granted: same padding, batch norm epsilon 0.001", out)

    def test_configurations_of_the_hub(self):
        operations, arrays = transformers_v1(activation="relu", padding="symmetric", epsilon=1e-4)
        self.file("config.json", json.dumps({
            "model_type": "mobilenet_v1", "hidden_act": "relu", "tf_padding": False,
            "layer_norm_eps": 1e-4, "image_size": 192, "problem_type": "multi_label_classification",
            "id2label": {str(i): f"class {i}" for i in range(6)}}))
        self.file("preprocessor_config.json", json.dumps({
            "do_resize": True, "size": {"shortest_edge": 72}, "resample": 3, "do_center_crop": True,
            "crop_size": {"height": 64, "width": 64}, "do_rescale": True,
            "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.1, 0.2, 0.3],
            "image_std": [0.5, 0.25, 0.125]}))
        source = self.file("model.safetensors", safetensors(arrays))
        _, metadata, out = self.imported(source)
        images = small_network.images(64, 64)
        self.assert_close(self.logits(images), small_network.evaluate_all(operations, images))
        self.assertEqual(
            {key: metadata[key] for key in ("format", "padding", "resize", "interpolation", "mean",
                                            "std", "input_height", "probabilities")},
            {"format": "mobilenet/2", "padding": "symmetric", "resize": "72",
             "interpolation": "bicubic", "mean": "[0.1, 0.2, 0.3]", "std": "[0.5, 0.25, 0.125]",
             "input_height": "64", "probabilities": "sigmoid"})
        self.assertEqual(json.loads(metadata["labels"])[3], "class 3")
        self.assertNotIn("taken for granted", out)
        # Straight to a size; pixels that are not rescaled; a resampling that is not to be had.
        self.file("preprocessor_config.json", json.dumps({
            "size": {"height": 96, "width": 64}, "resample": 1, "do_center_crop": False,
            "do_rescale": False, "image_mean": [127.5] * 3, "image_std": [127.5] * 3}))
        _, metadata, out = self.imported(source)
        self.assertEqual(
            [metadata[key] for key in ("input_height", "input_width", "resize", "fit", "mean", "std")],
            ["96", "64", "0", "squash", "[0.5, 0.5, 0.5]", "[0.5, 0.5, 0.5]"])
        self.assertIn("its images are resized by lanczos, which the library has not", out)
        self.file("config.json", json.dumps({"model_type": "mobilenet_v1", "output_stride": 16}))
        status, _, err = self.run_importer(source)
        self.assertEqual(status, 1)
        self.assertIn("an output stride of 16", err)

    def test_what_differs_is_named(self):
        _, arrays = transformers_v2(**SAME)
        del arrays["mobilenet_v2.layer.3.conv_3x3.normalization.bias"]
        self.refused(zipped(*state_dict(arrays)),
                     "layer.3.conv_3x3.normalization.bias is missing")
        _, arrays = transformers_v1(**SAME)
        arrays["mobilenet_v1.layer.77.convolution.weight"] = numpy.ones(1, numpy.float32)
        self.refused(zipped(*state_dict(arrays)), "layer.77.convolution.weight is not a tensor")


class Channels(Networks):
    def test_grey_and_rgba(self):
        for channels in (1, 4):
            operations, arrays = small_v1(channels=channels, **TORCH)
            images = small_network.images(64, 64, channels=channels)
            for named in (arrays, sequential(arrays)):
                _, metadata, out = self.imported(zipped(*state_dict(named)), "--resolution", "64")
                self.assertEqual((metadata["input_channels"], metadata["format"]),
                                 (str(channels), "mobilenet/2"))
                self.assert_close(self.logits(images),
                                  small_network.evaluate_all(operations, images))
                self.assertEqual(len(json.loads(metadata["mean"])), channels)
                self.assertIn(f"for each of the {channels} channels (--mean, --std)", out)


class Outputs(Networks):
    def test_one_output(self):
        """A value, unless it is told to be a logit: then it has two labels."""
        _, arrays = small_v1(**TORCH)
        arrays = {name: array[:1] if name.startswith("classifier") else array
                  for name, array in arrays.items()}
        source = self.file("one.safetensors", safetensors(arrays))
        _, metadata, out = self.imported(source)
        self.assertEqual(metadata["probabilities"], "none")
        self.assertIn("taken for granted: its one output is a value (--probabilities sigmoid", out)
        names = ("--labels", self.file("names.txt", "cat\ndog\n"))
        self.refused(source, "2 labels for 1 class (--probabilities sigmoid, if", options=names)
        _, metadata, out = self.imported(source, "--probabilities", "sigmoid", *names)
        self.assertEqual((metadata["probabilities"], json.loads(metadata["labels"])),
                         ("sigmoid", ["cat", "dog"]))
        self.assertNotIn("its one output", out)

    def test_several(self):
        source = zipped(*state_dict(small_v1(**TORCH)[1]))
        self.assertNotIn("probabilities", self.imported(source)[1])
        for kind in ("sigmoid", "none"):
            _, metadata, _ = self.imported(source, "--probabilities", kind)
            self.assertEqual((metadata["probabilities"], metadata["format"]), (kind, "mobilenet/2"))


class UnknownNames(Networks):
    def test_v1(self):
        operations, arrays = small_v1(activation="relu", **TORCH)
        arrays = sequential(arrays)
        for source in (zipped(*state_dict(arrays)), sorted_safetensors(arrays)):
            _, out = self.imported_as("mobilenet_v1", source, operations, "--activation", "relu")
            self.assertIn("taken for granted by order and shapes, with the strides of the paper, relu "
                          "(--activation), symmetric padding (--padding), epsilon 1e-05", out)

    def test_v2(self):
        operations, arrays = small_v2(**SAME)
        arrays = strange_v2(arrays)
        for source in (zipped(*state_dict(arrays)), sorted_safetensors(arrays)):
            self.imported_as("mobilenet_v2", source, operations, "--padding", "same", "--epsilon",
                             "0.001")

    def test_v3(self):
        """Squeeze-excites of fully connected layers, a 1x1 convolution for a classifier."""
        operations, arrays = small_v3(**TORCH)
        arrays = renamed(blocks(arrays), (
            (r"^blocks?\.11\.conv", "tail.conv"), (r"^blocks?\.11\.bn1", "tail.bn"),
            (r"\.se\.conv_reduce\.", ".attention.0."), (r"\.se\.conv_expand\.", ".attention.2."),
            (r"^conv_stem", "begin.0"), (r"^bn1", "begin.1"), (r"^conv_head", "end.0"),
            (r"^classifier", "end.1")))
        for name in list(arrays):
            if ".attention." in name and name.endswith("weight"):
                arrays[name] = arrays[name][:, :, 0, 0]
        arrays["end.1.weight"] = arrays["end.1.weight"][:, :, None, None]
        order = sorted(arrays, key=lambda name: name.startswith(("tail", "end")))
        for source in (zipped(*state_dict({name: arrays[name] for name in order})),
                       sorted_safetensors(arrays)):
            self.imported_as("mobilenet_v3_small", source, operations)

    def test_headless(self):
        operations, arrays = small_v1(**TORCH)
        arrays = {name: array for name, array in sequential(arrays).items() if "fc" not in name}
        _, metadata, _ = self.imported(zipped(*state_dict(arrays)), "--resolution", "64")
        images = small_network.images(64, 64)
        last = small_network.until(operations, "s4b1_project_relu6")
        self.assert_backbone(metadata, "block12", images,
                             small_network.evaluate_maps(last, images))

    def test_others_are_refused(self):
        _, arrays = small_v1(**TORCH)
        arrays = sequential(arrays)
        for name, change, message in (
                ("model.3.0.weight", numpy.ones((16, 1, 5, 5), numpy.float32),
                 "model.3.0 is a depthwise convolution of 5x5, expected 3x3 (mobilenet_v1)"),
                ("model.3.4.running_mean", numpy.ones(7, numpy.float32), "there is no batch norm of"),
                ("model.9.4.running_var", None, "model.9.4 has not all of"),
                ("gamma", numpy.ones(4, numpy.float32), "gamma is no parameter of"),
                ("model.4.0.weight", None, "it has 12 depthwise convolutions, expected 13"),
                ("fc.weight", numpy.ones((6, 99), numpy.float32), "but what is before it has 104")):
            changed = dict(arrays)
            if change is None:
                del changed[name]
            else:
                changed[name] = change
            self.refused(zipped(*state_dict(changed)), message)
        # Channels that are of no width.
        changed = {name: array for name, array in arrays.items()}
        changed["model.13.3.weight"] = numpy.ones((56, 104, 1, 1), numpy.float32)
        for parameter in ("weight", "bias", "running_mean", "running_var"):
            changed[f"model.13.4.{parameter}"] = numpy.ones(56, numpy.float32)
        changed["fc.weight"] = numpy.ones((6, 56), numpy.float32)
        self.refused(zipped(*state_dict(changed)), "their channels are of no width of it")

    def test_other_families_are_named(self):
        def some(*names):
            return zipped(*state_dict({name: numpy.ones((2, 2, 1, 1), numpy.float32)
                                       for name in names}))
        v4 = ("conv_stem.weight", "blocks.0.0.conv.weight", "blocks.1.0.dw_start.conv.weight")
        self.refused(some(*v4), "a MobileNetV4 (blocks.1.0.dw_start.conv.weight)")
        self.refused(some("conv1.weight", "layer1.0.conv2.weight"), "a ResNet")
        self.refused(some("cls_token", "patch_embed.proj.weight"), "a vision transformer")
        self.refused(some("features.0.0.weight", "features.1.0.block.0.0.weight"), "an EfficientNet")
        self.refused(some("classifier.1._packed_params._packed_params"), "quantised by torch")

    def test_networks_of_timm_with_the_same_names(self):
        """EfficientNet, MnasNet, FBNet... must not pass for a MobileNet."""
        for make, name, change, message in (
                (small_v2, "blocks.1.0.conv_dw.weight", lambda a: numpy.ones(
                    (a.shape[0], 1, 5, 5), numpy.float32), "has a 5x5 depthwise convolution"),
                (small_v2, "blocks.2.0.conv_pw.weight", lambda a: numpy.ones(
                    (24, 8, 1, 1), numpy.float32), "expands 8 channels to 24, expected 48"),
                (small_v2, "blocks.1.0.se.conv_reduce.weight", lambda _: numpy.ones(
                    (4, 48, 1, 1), numpy.float32), "has a squeeze-excite"),
                (small_v3, "blocks.3.0.conv_dw.weight", lambda a: numpy.ones(
                    (a.shape[0], 1, 3, 3), numpy.float32), "has a 3x3 depthwise convolution"),
                (small_v1, "blocks.1.0.conv_dw.weight", lambda a: numpy.ones(
                    (a.shape[0], 1, 5, 5), numpy.float32), "not a MobileNetV1: blocks.1.0")):
            _, arrays = make(**TORCH)
            arrays[name] = change(arrays.get(name))
            self.refused(safetensors(arrays), message, "timm gives the same names to EfficientNet")


class Choosing(Networks):
    def setUp(self):
        super().setUp()
        self.operations, self.arrays = small_v1(**TORCH)
        self.value, self.storages = state_dict(self.arrays)
        worse = {name: array * numpy.float32(1.5) for name, array in self.arrays.items()}
        other, storages = state_dict(worse)
        names = {key: f"x{key}" for key in storages}
        self.other = {name: item._replace(arguments=(
            item.arguments[0]._replace(key=names[item.arguments[0].key]), *item.arguments[1:]))
            for name, item in other.items()}
        self.storages.update({names[key]: array for key, array in storages.items()})

    def good(self, value, *options):
        return self.imported_as("mobilenet_v1", zipped(value, self.storages), self.operations,
                                *options)[1]

    def test_averaged_weights_come_first(self):
        prefixed = {"n_averaged": 3, **{f"module.{name}": item
                                        for name, item in self.value.items()}}
        out = self.good({"model": self.other, "model_ema": prefixed, "epoch": 3})
        self.assertIn("averaged weights, of model_ema; there is also model (--key)", out)
        out = self.good({"state_dict": self.other, "state_dict_ema": self.value})
        self.assertIn("averaged weights, of state_dict_ema; there is also state_dict (--key)", out)
        out = self.good({"net": self.other, "swa_model": self.value})
        self.assertIn("averaged weights, of swa_model", out)
        out = self.good({"model": self.value, "model_ema": self.other}, "--key", "model")
        self.assertIn("weights, of model; there is also model_ema (--key)", out)
        self.good({"a": {"b": self.value}, "model": self.other}, "--key", "a.b")
        self.assertIn("of model; there is also a.b", self.good({"a": {"b": self.other},
                                                               "model": self.value}))
        wrong = zipped({"model": self.value, "model_ema": self.other}, self.storages)
        self.refused(wrong, "--key x: not there; there is model, model_ema", options=("--key", "x"))
        self.refused(zipped({"ours": self.value, "theirs": self.other}, self.storages),
                     "several networks: choose by --key: ours, theirs")
        self.good({"ours": self.value, "theirs": self.other}, "--key", "ours")

    def test_prefixes(self):
        for prefix in ("backbone.", "net.", "module.model.", "a.b.c.d."):
            out = self.good({"state_dict": {f"{prefix}{name}": item
                                            for name, item in self.value.items()}})
            self.assertIn(f"the network's names begin with {prefix}", out)
        both = {**{f"student.{name}": item for name, item in self.other.items()},
                **{f"teacher.{name}": item for name, item in self.value.items()}}
        self.refused(zipped(both, self.storages), "holds 2 networks, with the prefixes student., "
                     "teacher.: choose by --prefix")
        self.assertIn("left out: ", self.good(both, "--prefix", "teacher"))
        self.good(both, "--prefix", "teacher.")
        self.refused(zipped(both, self.storages), "--prefix x.: no tensor's name begins so",
                     options=("--prefix", "x"))
        averaged = {**{f"net.{name}": item for name, item in self.other.items()},
                    **{f"ema.net.{name}": item for name, item in self.value.items()}}
        self.assertIn("averaged weights, under ema.net.; the prefixes are net., ema.net.",
                      self.good(averaged))

    def test_a_classifier_beside_the_network(self):
        body = {f"backbone.{name}": item for name, item in self.value.items()
                if not name.startswith("classifier")}
        head = {f"head.{name[len('classifier.'):]}": item for name, item in self.value.items()
                if name.startswith("classifier")}
        self.good({**body, **head})
        out = self.good({**head, **body, "criterion.weight": head["head.bias"],
                         "temperature": head["head.bias"]})
        self.assertIn("left out: criterion.weight, temperature", out)
        convolution = {"neck.weight": self.value["conv_stem.weight"]}
        self.refused(zipped({**body, **head, **convolution}, self.storages),
                     "has more than a MobileNet: neck.weight is not under the prefix backbone.: "
                     "--prefix backbone. imports the network there alone")
        _, metadata, _ = self.imported(zipped({**body, **convolution}, self.storages), "--prefix",
                                       "backbone", "--resolution", "64")
        self.assertIs(json.loads(metadata["architecture"])["logits"], False)

    def test_normalising_layers_are_taken_over(self):
        shape = {"mean": numpy.array([0.1, 0.2, 0.3], numpy.float32).reshape(1, 3, 1, 1),
                 "std": numpy.array([51, 102, 25.5], numpy.float32).reshape(1, 3, 1, 1)}
        shape["mean"] *= 255
        extra, storages = state_dict(shape)
        used = {name: item._replace(arguments=(item.arguments[0]._replace(key=f"n{name}"),
                                               *item.arguments[1:])) for name, item in extra.items()}
        self.storages.update({f"n{name}": array for name, array in zip(extra, storages.values())})
        value = {**{f"net.{name}": item for name, item in self.value.items()},
                 **{f"normalize.{name}": item for name, item in used.items()}}
        _, metadata, out = self.imported(zipped(value, self.storages))
        self.assertIn("normalize.mean and normalize.std are taken over", out)
        numpy.testing.assert_allclose(json.loads(metadata["mean"]), [0.1, 0.2, 0.3], rtol=1e-6)
        numpy.testing.assert_allclose(json.loads(metadata["std"]), [0.2, 0.4, 0.1], rtol=1e-6)

    def test_what_training_scripts_say(self):
        """timm's and torchvision's arguments, labels."""
        timm = New(Global("argparse", "Namespace"), {
            "model": "mobilenetv1_100", "img_size": 64, "crop_pct": 0.8, "interpolation": "bilinear",
            "mean": [0.1, 0.2, 0.3], "std": [0.5, 0.25, 0.125], "crop_mode": "squash"})
        _, metadata, out = self.imported(zipped({
            "state_dict": self.value, "args": timm, "arch": "mobilenetv1_100",
            "class_to_idx": {name: i for i, name in enumerate("fedcba")}}, self.storages))
        self.assertEqual(
            [metadata.get(key) for key in ("mean", "std", "resize", "input_height", "interpolation",
                                           "fit")],
            ["[0.1, 0.2, 0.3]", "[0.5, 0.25, 0.125]", "80", "64", None, "squash"])
        self.assertEqual(json.loads(metadata["labels"]), list("fedcba"))
        self.assertIn("labels of the checkpoint's class_to_idx", out)
        self.assertNotIn("taken for granted: symmetric", out)
        torchvision = Build(Call(Global("argparse", "Namespace"), ()), {
            "val_resize_size": 70, "val_crop_size": 64, "interpolation": "bicubic"})
        _, metadata, _ = self.imported(zipped({"model": self.value, "args": torchvision},
                                              self.storages))
        self.assertEqual([metadata[key] for key in ("resize", "input_height", "interpolation")],
                         ["70", "64", "bicubic"])

    def test_border_is_letterbox(self):
        arguments = New(Global("argparse", "Namespace"), {
            "model": "mobilenetv1_100", "img_size": 64, "crop_pct": 1.0, "crop_mode": "border"})
        _, metadata, _ = self.imported(zipped({"state_dict": self.value, "args": arguments},
                                              self.storages))
        self.assertEqual([metadata[key] for key in ("fit", "fill", "resize")],
                         ["letterbox", "[128.0, 128.0, 128.0]", "0"])


class Modules(Networks):
    """A whole module says what a state dict does not: these have TensorFlow's epsilon and padding,
    ReLU instead of ReLU6, and a first stride that is not the paper's."""

    def setUp(self):
        super().setUp()
        self.operations, arrays = small_v1(activation="relu", padding="symmetric", epsilon=1e-3)
        self.operations[0] = self.operations[0]._replace(strides=(1, 1))
        self.arrays = sequential(arrays)
        strides = {"model.0.0": (1, 1), **{f"model.{n}.0": (2, 2) for n in (2, 4, 6, 12)}}
        self.attributes = {}
        for name, array in self.arrays.items():
            layer, _, parameter = name.rpartition(".")
            if parameter == "running_mean":
                self.attributes[layer] = {"eps": 1e-3}
            elif parameter == "weight" and array.ndim == 4:
                side = (array.shape[2] - 1) // 2
                self.attributes[layer] = {"stride": strides.get(layer, (1, 1)),
                                          "padding": (side, side), "dilation": (1, 1)}
        self.kinds = {"model.0.2": "ReLU", **{
            f"model.{n}.{m}": "ReLU" for n in range(1, 14) for m in (2, 5)}, "fc": "Linear"}

    def good(self, source, *options):
        metadata, out = self.imported_as("mobilenet_v1", source, self.operations, *options)
        self.assertNotIn("taken for granted by", out)
        self.assertEqual(json.loads(metadata["architecture"])["stem"]["strides"], [1, 1])
        return metadata

    def module(self, **changes):
        return module(self.arrays, {**self.attributes, **changes}, self.kinds)

    def test_whole_modules(self):
        for form in (zipped, legacy):
            self.good(form(*self.module()))
        value, storages = self.module()
        self.good(zipped({"model": value, "epoch": 7}, storages))
        self.good(zipped({"ema": New(Global("training", "Average"), {"module": value})}, storages))

    def test_tensorflows_padding(self):
        """A class of its own, as timm has it, or zeros, where a function pads."""
        for kind, padding in (("Conv2dSame", (0, 0)), ("Conv2d", (0, 0)), ("Conv2d", "same")):
            self.operations, arrays = small_v1(activation="relu", **SAME)
            self.arrays = sequential(arrays)
            self.attributes["model.0.0"]["stride"] = (2, 2)
            for name in ("model.0.0", *(f"model.{n}.0" for n in (2, 4, 6, 12))):
                self.attributes[name]["padding"], self.kinds[name] = padding, kind
            metadata, _ = self.imported_as("mobilenet_v1", zipped(*self.module()), self.operations)
            self.assertEqual(metadata["padding"], "same")

    def test_what_no_mobilenet_has_is_named(self):
        for change, message in (
                ({"model.5.0": {**self.attributes["model.5.0"], "dilation": (2, 2)}},
                 "model.5.0: dilated by [2, 2]"),
                ({"model.4.0": {**self.attributes["model.4.0"], "padding": (3, 3)}},
                 "model.4.0: pads by [3, 3]"),
                ({"model.5.3": {**self.attributes["model.5.3"], "stride": (2, 2)}},
                 "model.5.3: a 1x1 convolution with strides [2, 2]"),
                ({"model.4.0": {**self.attributes["model.4.0"], "padding": (0, 0)}},
                 "some of its layers pad as TensorFlow does, some symmetrically")):
            self.refused(zipped(*self.module(**change)), message)
        self.kinds["model.7.2"] = "SiLU"
        self.refused(zipped(*self.module()), "model.7.2: the activation SiLU is none of")

    def test_quantised_layers_are_not_left_out(self):
        """Their weights are no tensors: the network would be one without a classifier."""
        del self.arrays["fc.weight"], self.arrays["fc.bias"]
        self.kinds["fc"] = "quantized.dynamic.modules.linear.Linear"
        self.refused(zipped(*self.module()), "fc.weight: in a torch.nn.modules.quantized.dynamic."
                     "modules.linear.Linear: import the network from before it was quantised")

    def test_torchscript(self):
        """Scripted, its classes have attributes; traced, only calls."""
        scripted, traced = {}, {}
        for layer, said in self.attributes.items():
            if "eps" in said:
                scripted[layer] = "  eps : Final[float] = 0.001\n"
                traced[layer] = "    y = torch.batch_norm(x, w, b, m, v, False, 0.1, 0.001, True)\n"
            else:
                (s, _), (p, _) = said["stride"], said["padding"]
                scripted[layer] = (f"  stride : Final[Tuple[int, int]] = ({s}, {s})\n"
                                   f"  padding : Final[Tuple[int, int]] = ({p}, {p})\n")
                traced[layer] = (f"    y = torch._convolution(x, weight, None, [{s}, {s}], "
                                 f"[{p}, {p}], [1, 1], False, [0, 0], 1)\n")
        for code in (scripted, traced):
            self.good(script(self.arrays, code), "--activation", "relu")
        self.refused(script({"x": numpy.ones(3, numpy.float32)}, {}),
                     "a TorchScript archive without parameters by name (torch.jit.freeze")

    def test_what_a_classifier_ends_with(self):
        """A softmax or sigmoid behind the logits is what makes probabilities of them."""
        for kind, expected in (("Sigmoid", "sigmoid"), ("LogSoftmax", None)):
            self.kinds["out"] = kind
            metadata = self.good(zipped(*self.module()))
            self.assertEqual(metadata.get("probabilities"), expected)
        self.kinds["out"] = "Tanh"
        self.refused(zipped(*self.module()), "out: the activation Tanh is none of")
        del self.kinds["out"]
        self.assertEqual(self.good(zipped(*self.module()), "--probabilities", "sigmoid")
                         ["probabilities"], "sigmoid")

    def test_damaged_files(self):
        self.assert_survives(zipped(*self.module()), 40)
        self.assert_survives(script(self.arrays, {}), 40)


if __name__ == "__main__":
    unittest.main()

"""PyTorch's MobileNets as people have them: torchvision's, timm's, transformers' and those of
repositories with names of their own; with random weights, and batch norm as if they had been
trained.  Needs torch; compare_pytorch.py saves and compares them."""
import torch
from torch import nn


def trained(network, seed=1, channels=3):
    """Random weights under which every layer's output has about the same size; statistics of batch
    norm from noise."""
    torch.manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in")
        elif getattr(layer, "running_var", None) is not None:
            layer.reset_running_stats()
            layer.momentum = None
            nn.init.uniform_(layer.weight, 0.8, 1.2)
            nn.init.uniform_(layer.bias, -0.2, 0.2)
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=layer.in_features ** -0.5)
    network.train()
    with torch.no_grad():
        network(torch.rand(8, channels, 160, 160) * 2 - 1)
    return network.eval()


# ---- Names of their own, as many repositories have them ----

def _norm(inputs, outputs, kernel, stride, groups, activation):
    return [nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs), *([activation()] if activation else [])]


class SequentialV1(nn.Module):
    """One Sequential of Sequentials, ReLU."""

    def __init__(self, classes=10, width=1.0):
        super().__init__()
        inputs = int(32 * width)
        layers = [nn.Sequential(*_norm(3, inputs, 3, 2, 1, nn.ReLU))]
        for channels, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
                                 *[(512, 1)] * 5, (1024, 2), (1024, 1)):
            channels = int(channels * width)
            layers.append(nn.Sequential(*_norm(inputs, inputs, 3, stride, inputs, nn.ReLU),
                                        *_norm(inputs, channels, 1, 1, 1, nn.ReLU)))
            inputs = channels
        self.model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1))
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        return self.fc(self.model(x).flatten(1))


class BlockV1(nn.Module):
    """conv1, bn1, conv2, bn2; functions for activations."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv2 = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))


class BlocksV1(nn.Module):
    def __init__(self, stem_stride=2):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, stem_stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        layers, inputs = [], 32
        for channels, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
                                 *[(512, 1)] * 5, (1024, 2), (1024, 1)):
            layers.append(BlockV1(inputs, channels, stride))
            inputs = channels
        self.layers = nn.Sequential(*layers)
        self.linear = nn.Linear(1024, 10)

    def forward(self, x):
        return self.linear(self.layers(torch.relu(self.bn1(self.conv1(x)))).mean((2, 3)))


class InvertedResidual(nn.Module):
    def __init__(self, inputs, hidden, outputs, kernel, stride, activation, squeeze=None):
        super().__init__()
        self.identity = stride == 1 and inputs == outputs
        layers = [] if inputs == hidden else _norm(inputs, hidden, 1, 1, 1, activation)
        layers += _norm(hidden, hidden, kernel, stride, hidden, activation)
        if squeeze:
            layers.append(squeeze(hidden))
        self.conv = nn.Sequential(*layers, *_norm(hidden, outputs, 1, 1, 1, None))

    def forward(self, x):
        return x + self.conv(x) if self.identity else self.conv(x)


class FlatV2(nn.Module):
    """The last convolution beside the features, an only Linear."""

    def __init__(self, classes=10):
        super().__init__()
        layers, inputs = [nn.Sequential(*_norm(3, 32, 3, 2, 1, nn.ReLU6))], 32
        for expansion, channels, repeats, stride in (
                (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                (6, 160, 3, 2), (6, 320, 1, 1)):
            for index in range(repeats):
                layers.append(InvertedResidual(inputs, inputs * expansion, channels, 3,
                                               stride if index == 0 else 1, nn.ReLU6))
                inputs = channels
        self.features = nn.Sequential(*layers)
        self.conv = nn.Sequential(*_norm(320, 1280, 1, 1, 1, nn.ReLU6))
        self.classifier = nn.Linear(1280, classes)

    def forward(self, x):
        return self.classifier(self.conv(self.features(x)).mean((2, 3)))


class LinearSqueeze(nn.Module):
    """A squeeze-excite of fully connected layers."""

    def __init__(self, channels):
        super().__init__()
        squeezed = max(8, int(channels / 4 + 4) // 8 * 8)
        self.fc = nn.Sequential(nn.Linear(channels, squeezed), nn.ReLU(),
                                nn.Linear(squeezed, channels), nn.Hardsigmoid())

    def forward(self, x):
        return x * self.fc(x.mean((2, 3)))[:, :, None, None]


class FlatV3Small(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        layers, inputs = [nn.Sequential(*_norm(3, 16, 3, 2, 1, nn.Hardswish))], 16
        for kernel, hidden, channels, squeeze, modern, stride in (
                (3, 16, 16, 1, 0, 2), (3, 72, 24, 0, 0, 2), (3, 88, 24, 0, 0, 1),
                (5, 96, 40, 1, 1, 2), (5, 240, 40, 1, 1, 1), (5, 240, 40, 1, 1, 1),
                (5, 120, 48, 1, 1, 1), (5, 144, 48, 1, 1, 1), (5, 288, 96, 1, 1, 2),
                (5, 576, 96, 1, 1, 1), (5, 576, 96, 1, 1, 1)):
            layers.append(InvertedResidual(inputs, hidden, channels, kernel, stride,
                                           nn.Hardswish if modern else nn.ReLU,
                                           LinearSqueeze if squeeze else None))
            inputs = channels
        self.features = nn.Sequential(*layers)
        self.conv = nn.Sequential(*_norm(96, 576, 1, 1, 1, nn.Hardswish))
        self.classifier = nn.Sequential(nn.Linear(576, 1024), nn.Hardswish(), nn.Dropout(0.2),
                                        nn.Linear(1024, classes))

    def forward(self, x):
        return self.classifier(self.conv(self.features(x)).mean((2, 3)))


class Backbone(nn.Module):
    """torchvision's features in a program with a head of its own."""

    def __init__(self):
        super().__init__()
        import torchvision
        self.backbone = torchvision.models.mobilenet_v3_small().features
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(576, 64),
                                  nn.ReLU(), nn.Linear(64, 5))

    def forward(self, x):
        return self.head(self.backbone(x))


# ---- What is tried: (source, what is said of it, network, options of the importer, forms) ----

STATE, WHOLE, SCRIPT, SAFE = "state", "whole", "script", "safetensors"


def torchvision_models():
    import torchvision
    from torchvision import models
    for name, width in (("mobilenet_v2", 1.0), ("mobilenet_v2", 0.35), ("mobilenet_v2", 1.4),
                        ("mobilenet_v3_small", 1.0), ("mobilenet_v3_small", 0.75),
                        ("mobilenet_v3_large", 1.0), ("mobilenet_v3_large", 0.5)):
        forms = (STATE, WHOLE, SCRIPT, SAFE) if width == 1 else (STATE,)
        yield "torchvision", f"{name} {width:g}", getattr(models, name)(width_mult=width), (), forms
    for name in ("mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"):
        yield "torchvision, `features`", name, getattr(models, name)().features, (), (STATE, WHOLE)
    tuned = models.mobilenet_v2(width_mult=0.5)
    tuned.classifier = nn.Sequential(nn.Dropout(), nn.Linear(1280, 64), nn.ReLU(), nn.Linear(64, 3))
    yield "torchvision, tuned", "mobilenet_v2, two layers", tuned, (), (STATE, WHOLE)
    yield "torchvision, tuned", "features and head", Backbone(), (), (STATE, WHOLE)
    small = models.mobilenet_v2(width_mult=0.5, num_classes=10)
    small.features[0][0].stride = (1, 1)
    for layer in small.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = 1e-3
    yield "torchvision, changed", "first stride 1, epsilon 1e-3", small, (), (WHOLE, SCRIPT)
    del torchvision


def timm_models():
    import timm
    names = [name for family in ("mobilenetv1_*", "mobilenetv2_*", "mobilenetv3_small_*",
                                 "mobilenetv3_large_*", "mobilenetv3_rw", "tf_mobilenetv3_*")
             for name in timm.list_models(family) if name != "mobilenetv3_large_150d"]
    for name in names:
        options = ("--padding", "same", "--epsilon", "0.001") if name.startswith("tf_") else ()
        network = timm.create_model(name)
        if name.startswith("tf_"):  # timm sets it where it loads the weights
            for layer in network.modules():
                if hasattr(layer, "running_var"):
                    layer.eps = 1e-3
        forms = (STATE, WHOLE) if name.endswith("_100") else (STATE,)
        yield "timm", name, network, options, forms
    for name in ("mobilenetv1_100", "mobilenetv1_100h", "mobilenetv2_050", "mobilenetv3_small_075",
                 "mobilenetv3_rw"):
        if name != "mobilenetv1_100":  # its tensors are those of features_only
            yield "timm, `num_classes=0`", name, timm.create_model(name, num_classes=0), (), (STATE,)
        yield "timm, `features_only`", name, timm.create_model(name, features_only=True), (), (STATE,)


class Logits(nn.Module):
    """A network of transformers that returns a tensor."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        result = self.network(x)
        return result.logits if hasattr(result, "logits") else result.pooler_output


def transformers_models():
    import transformers as t
    for multiplier, classes in ((1.0, 1001), (0.75, 1001), (0.25, 10)):
        config = t.MobileNetV1Config(depth_multiplier=multiplier, num_labels=classes)
        yield ("transformers", f"MobileNetV1 {multiplier:g}",
               Logits(t.MobileNetV1ForImageClassification(config)), (), (STATE, WHOLE))
    for multiplier, classes in ((1.0, 1001), (1.4, 1001), (0.35, 10)):
        config = t.MobileNetV2Config(depth_multiplier=multiplier, num_labels=classes)
        yield ("transformers", f"MobileNetV2 {multiplier:g}",
               Logits(t.MobileNetV2ForImageClassification(config)), (), (STATE, WHOLE))
    config = t.MobileNetV2Config(tf_padding=False, hidden_act="relu", layer_norm_eps=1e-5,
                                 first_layer_is_expansion=False, num_labels=5)
    yield ("transformers", "MobileNetV2, changed",
           Logits(t.MobileNetV2ForImageClassification(config)), (), (WHOLE,))
    yield "transformers", "MobileNetV1Model", Logits(t.MobileNetV1Model(t.MobileNetV1Config())), (), \
        (STATE,)
    yield "transformers", "MobileNetV2Model", Logits(t.MobileNetV2Model(t.MobileNetV2Config())), (), \
        (STATE,)


def strange_models():
    relu = ("--activation", "relu")
    for source, network, options, forms in (
            ("v1, one Sequential", SequentialV1(), relu, (STATE, SAFE)),
            ("v1, one Sequential", SequentialV1(), (), (WHOLE, SCRIPT)),
            ("v1, width 0.5", SequentialV1(width=0.5), relu, (STATE,)),
            ("v1, conv1 bn1 conv2 bn2", BlocksV1(), relu, (STATE, SAFE, WHOLE, SCRIPT)),
            ("v1, first stride 1", BlocksV1(1), relu, (WHOLE, SCRIPT)),
            ("v2, flat", FlatV2(), (), (STATE, SAFE, WHOLE, SCRIPT)),
            ("v3-small, flat", FlatV3Small(), (), (STATE, SAFE, WHOLE, SCRIPT))):
        yield "names of their own", source, network, options, forms


GROUPS = {"torchvision": torchvision_models, "timm": timm_models, "transformers": transformers_models,
          "own": strange_models}

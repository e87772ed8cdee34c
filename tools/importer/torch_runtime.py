"""The source's own runtime where the source is of PyTorch: torchvision's, timm's or transformers'
network with the same weights.  Nothing of the file is run: only its tensors go into a network that
the installed package makes."""
from .check import Reference


def _reference(make, state, run=None):
    """make() -> a module; state: {name: array}; run(module, images) -> its output."""
    try:
        import torch
        module = make()
    except ImportError as missing:
        return f"{missing.name} is not installed"
    if module is None or isinstance(module, str):
        return module or "none of the networks of the installed package has these tensors"
    theirs = module.state_dict()
    tensors = {name: torch.from_numpy(array.copy()) for name, array in state.items()}
    missing = [name for name in theirs
               if name not in tensors and not name.endswith("num_batches_tracked")]
    if missing:
        return f"the installed package's network has a {missing[0]}, too"
    module.load_state_dict(tensors, strict=False)
    module.eval()

    def run_torch(images):
        planes = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
        with torch.no_grad():
            result = (run or (lambda network, x: network(x)))(module, planes)
        if isinstance(result, (list, tuple)):  # a pyramid
            result = result[-1]
        return (result.permute(0, 2, 3, 1) if result.ndim == 4 else result).numpy()
    return Reference(f"torch {torch.__version__}", run_torch)


def _set_epsilon(module, epsilon):
    for layer in module.modules():
        if hasattr(layer, "running_var"):
            layer.eps = epsilon


def torchvision(arrays, imported):
    def make():
        import torchvision as package
        module = getattr(package.models, imported.network)(width_mult=imported.width,
                                                           num_classes=imported.classes)
        _set_epsilon(module, imported.epsilon)
        return module
    return _reference(make, arrays)


def torchvision_features(arrays, network, width, built, imported):
    """torchvision's features, and the fully connected layers behind them as they were taken."""
    def make():
        import torch
        import torchvision as package
        if built.padding != "symmetric":
            return "torchvision's networks have no other padding than the symmetric one"
        module = getattr(package.models, network.name)(width_mult=width).features
        if built.stem.weight.shape[1] != 3:
            outputs, inputs = built.stem.weight.shape[:2]
            module[0][0] = torch.nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)
        strides = {"0.0": built.stem_strides}
        strides.update({block.depthwise.name.partition("features.")[2]: block.strides
                        for block in built.blocks})
        for name, layer in module.named_modules():
            if name in strides:
                layer.stride = tuple(strides[name])
            if built.stem_activation == "relu" and isinstance(layer, torch.nn.ReLU6):
                layer.max_val = float("inf")
        epsilons = {weights.norm_name: weights.epsilon or built.epsilon
                    for weights, _ in built.layers() if weights.norm_name}
        for name, layer in module.named_modules():
            if hasattr(layer, "running_var"):
                layer.eps = epsilons[f"features.{name}"]
        return module

    def run(module, x):
        import torch
        functions = {"none": lambda y: y, "relu": torch.relu,
                     "relu6": torch.nn.functional.relu6,
                     "hard_swish": torch.nn.functional.hardswish}
        x = module(x)
        if imported.stage and not built.dense:
            return x
        x = x.mean((2, 3))
        for weights, activation in built.dense:
            bias = None if weights.bias is None else torch.from_numpy(weights.bias.copy())
            x = functions[activation](torch.nn.functional.linear(
                x, torch.from_numpy(weights.weight.copy()), bias))
        return x
    return _reference(make, {name[len("features."):]: array for name, array in arrays.items()
                             if name.startswith("features.")}, run)


def _arrays(tensors):
    return {name: tensor.floats() for name, tensor in tensors.items()
            if not name.endswith("num_batches_tracked")}


def timm(found, imported, network):
    """timm's network with the same shapes; with TensorFlow's padding where that was taken."""
    tensors = dict(found.weights.tensors)
    for _, weight, bias in found.outside:
        tensors["classifier.weight"] = weight
        if bias is not None:
            tensors["classifier.bias"] = bias
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()
              if not name.endswith("num_batches_tracked")}

    def make():
        import timm as package
        if len(found.outside) > 1:
            return "its classifier is not timm's"
        pattern = "*mobilenetv1*" if network.blocks[0].separable else "*mobilenetv[23]*"
        for name in package.list_models(pattern):
            if name.startswith("tf_") != (imported.padding == "same"):
                continue
            pyramid = imported.stage and "conv_head.weight" not in tensors
            made = {"in_chans": tensors["conv_stem.weight"].shape[1], "pretrained": False}
            module = package.create_model(name, features_only=True, **made) if pyramid else \
                package.create_model(name, num_classes=imported.classes, **made)
            if {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()
                    if not key.endswith("num_batches_tracked")} == shapes:
                _set_epsilon(module, network.stem.epsilon or network.epsilon)
                if network.blocks[0].activation == "relu":
                    _relu(module)
                return module
        return None
    return _reference(make, _arrays(tensors))


def _relu(module):
    import torch
    for layer in module.modules():
        if isinstance(layer, torch.nn.ReLU6):
            layer.max_val = float("inf")


def transformers(found, imported, network):
    v2 = network.head is not None

    def make():
        import transformers as package
        kind = "MobileNetV2" if v2 else "MobileNetV1"
        if not hasattr(package, f"{kind}Config"):
            return f"the installed transformers has no {kind}"
        if found.outside and [layer[0] for layer in found.outside] != ["classifier"]:
            return "its classifier is not transformers'"
        config = getattr(package, f"{kind}Config")(
            tf_padding=network.padding == "same",
            layer_norm_eps=network.stem.epsilon or network.epsilon,
            hidden_act=network.stem_activation, num_labels=max(imported.classes, 1),
            num_channels=network.stem.weight.shape[1],
            depth_multiplier=_multiplier(network, v2), image_size=imported.height)
        if v2:
            config.first_layer_is_expansion = network.blocks[0].expand is None
            config.finegrained_output = network.head.weight.shape[0] == 1280
        named = f"{kind}ForImageClassification" if found.outside else f"{kind}Model"
        return getattr(package, named)(config)

    def run(module, x):
        result = module(x)
        return result.logits if found.outside else result.pooler_output
    prefix = ("mobilenet_v2." if v2 else "mobilenet_v1.") if found.outside else ""
    arrays = {f"{prefix}{name}": array for name, array in _arrays(found.weights.tensors).items()}
    for name, weight, bias in found.outside:
        arrays[f"{name}.weight"] = weight.floats()
        if bias is not None:
            arrays[f"{name}.bias"] = bias.floats()
    return _reference(make, arrays, run)


def _multiplier(network, v2):
    """The roundest width with these channels."""
    from .networks import make_divisible
    wanted = [block.project.weight.shape[0] for block in network.blocks]
    base = [16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320] if v2 else \
        [64, 128, 128, 256, 256] + [512] * 6 + [1024] * 2
    for hundredths in sorted(range(10, 401), key=lambda n: (n % 100 != 0, n % 25 != 0, n % 5 != 0)):
        width = hundredths / 100
        if wanted == [make_divisible(round(n * width)) if v2 else max(int(n * width), 8)
                      for n in base]:
            return width
    return 1.0

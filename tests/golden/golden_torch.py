"""torchvision's networks for make_golden.py."""

import torch
import torchvision
from torchvision.models import mobilenetv3

SOURCE = "torchvision"
# network, implementation, has widths
NETWORKS = (
    ("mobilenet_v2", "framework", True),
    ("mobilenet_v3_small", "framework", True),
    ("mobilenet_v3_large", "framework", True),
)


class Model:
    def __init__(self, network, implementation, padding, width, size, classes, channels=3):
        assert implementation == "framework" and padding in ("symmetric", None)
        if network == "mobilenet_v2":
            model = torchvision.models.mobilenet_v2(width_mult=width, num_classes=classes)
        else:
            configuration = mobilenetv3._mobilenet_v3_conf(network, width_mult=width)
            model = mobilenetv3.MobileNetV3(*configuration, num_classes=classes)
        if channels != 3:
            stem = model.features[0][0]
            model.features[0][0] = torch.nn.Conv2d(
                channels, stem.out_channels, 3, stride=2, padding=1, bias=False
            )
        self.model = model.double().eval()
        self.shapes = {
            name: tuple(value.shape)
            for name, value in model.state_dict().items()
            if not name.endswith(".num_batches_tracked")
        }
        self.depthwise = {
            f"{name}.weight"
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Conv2d) and module.groups > 1
        }

    def assign(self, values):
        state = {name: torch.from_numpy(value) for name, value in values.items()}
        missing, unexpected = self.model.load_state_dict(state, strict=False)
        assert all(name.endswith(".num_batches_tracked") for name in missing) and not unexpected

    def run(self, images):
        with torch.no_grad():
            return self.model(torch.from_numpy(images).double().permute(0, 3, 1, 2)).numpy()

    def run_module(self, name, images):
        """The output of a module in the middle, channels last."""
        outputs = []
        module = self.model.get_submodule(name)
        hook = module.register_forward_hook(lambda *call: outputs.append(call[-1]))
        self.run(images)
        hook.remove()
        (output,) = outputs
        return output.movedim(1, -1).numpy()

    def counts(self):
        """Trained parameters, moving statistics."""
        trained = sum(p.numel() for p in self.model.parameters())
        moving = sum(b.numel() for b in self.model.buffers() if b.dim() > 0)
        return trained, moving

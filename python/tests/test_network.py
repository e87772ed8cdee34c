"""Networks without weights."""

import subprocess

import pytest

import mobilenet


def test_names():
    assert mobilenet.networks() == (
        "mobilenet_v1",
        "mobilenet_v2",
        "mobilenet_v3_small",
        "mobilenet_v3_large",
        "mobilenet_v3_small_article",
    )


@pytest.mark.parametrize(
    "name, parameters, millions",
    [
        # Howard et al. 2017 (multiply-adds), Keras (parameters, less batch norm's statistics)
        ("mobilenet_v1", 4_253_864 - 21_888, 569),
        # torchvision's published counts
        ("mobilenet_v2", 3_504_872, 300),
        ("mobilenet_v3_small", 2_542_856, 56),
        ("mobilenet_v3_large", 5_483_032, 216),
    ],
)
def test_published_counts(name, parameters, millions):
    network = mobilenet.network(name)
    assert network.parameters == parameters
    assert network.multiply_adds // 10**6 in (millions, millions - 1, millions + 1)
    assert sum(layer.parameters for layer in network.layers) == parameters


def test_layers():
    network = mobilenet.network("mobilenet_v2", input_size=(96, 128), classes=5)
    stem, first, last = network.layers[0], network.layers[1], network.layers[-1]
    assert (stem.name, stem.kind, stem.role) == ("features.0.0", "convolution", "stem")
    assert stem.batch_norm_name == "features.0.1"
    assert stem.input_shape == (96, 128, 3) and stem.output_shape == (48, 64, 32)
    assert stem.stride == (2, 2) and stem.kernel == (3, 3) and stem.padding == (1, 1, 1, 1)
    assert (stem.activation, stem.bias, stem.input) == ("relu6", False, -1)
    assert first.kind == "depthwise" and first.input == 0 and first.block == 0
    assert (last.role, last.activation, last.bias) == ("logits", "none", True)
    assert last.batch_norm_name is None and last.weights == 1280 * 5
    assert any(layer.residual >= 0 for layer in network.layers)


def test_stages():
    stages = {stage.name: stage for stage in mobilenet.network("mobilenet_v2").stages}
    assert stages["stride8"].shape == (28, 28, 192) and stages["stride8"].stride == (8, 8)
    assert stages["pool"].shape == (1, 1, 1280) and stages["pool"].stride is None
    assert stages["block2"].layer.name == "features.3.conv.2"


def test_standard_convolutions_cost_more():
    separable = mobilenet.network("mobilenet_v1")
    standard = mobilenet.network("mobilenet_v1", standard_convolution=True)
    assert standard.multiply_adds // 10**6 in range(4860, 4875)  # Howard et al. 2017: 4866
    assert standard.multiply_adds > 8 * separable.multiply_adds


@pytest.mark.parametrize("name", mobilenet.networks())
def test_table_is_that_of_the_command(name, command):
    shown = subprocess.run([command, "count", name], check=True, capture_output=True, text=True)
    assert shown.stdout.startswith(str(mobilenet.network(name)) + "\n\n")


@pytest.mark.parametrize(
    "name, options, words",
    [
        ("mobilenet_v9", {}, "mobilenet_v9"),
        ("mobilenet_v2\0", {}, "zero byte"),
        ("mobilenet_v2", {"width": 9.0}, "width"),
        ("mobilenet_v2", {"input_size": 31}, "input_size: height 31"),
        ("mobilenet_v2", {"input_size": (224, 2**32 + 224)}, "out of range"),
        ("mobilenet_v2", {"classes": -1}, "classes"),
        ("mobilenet_v2", {"padding": "valid"}, "padding: 'valid' is not one of default, same"),
        ("mobilenet_v2", {"source": "timm"}, "source: 'timm' is not one of"),
    ],
)
def test_bad_options(name, options, words):
    with pytest.raises(mobilenet.Error, match=words) as caught:
        mobilenet.network(name, **options)
    assert caught.value.status == mobilenet.Status.INVALID_ARGUMENT


def test_init_is_seeded():
    options = {"width": 0.25, "input_size": 32, "classes": 2}
    first = mobilenet.init("mobilenet_v1", 1, **options)
    assert first == mobilenet.init("mobilenet_v1", 1, **options)
    assert first != mobilenet.init("mobilenet_v1", 2, **options)
    with pytest.raises(mobilenet.Error, match="seed"):
        mobilenet.init("mobilenet_v1", -1)

"""The structures and enumerations of mobilenet._native against a C compiler's."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mobilenet import Status, _native

INCLUDE = Path(__file__).resolve().parents[2] / "include"
HEADERS = ("mobilenet.h", "mobilenet/kernels.h", "mobilenet/quantize.h")

STRUCTURES = {
    "mbn_error": _native.ErrorRecord,
    "mbn_network_options": _native.NetworkOptions,
    "mbn_activation": _native.ActivationRecord,
    "mbn_layer": _native.LayerRecord,
    "mbn_network": _native.NetworkRecord,
    "mbn_stage_info": _native.StageRecord,
    "mbn_model_options": _native.ModelOptions,
    "mbn_preprocessing": _native.PreprocessingRecord,
    "mbn_context_options": _native.ContextOptions,
    "mbn_image": _native.ImageRecord,
    "mbn_feature_map": _native.FeatureMapRecord,
    "mbn_step_info": _native.StepRecord,
    "mbn_calibration": _native.Calibration,
    "mbn_quantize_options": _native.QuantizeOptions,
    "mbn_output_loss": _native.OutputLoss,
    "mbn_quantize_trial": _native.QuantizeTrial,
    "mbn_layer_loss": _native.LayerLossRecord,
    "mbn_quantized": _native.QuantizedRecord,
}

ENUMERATIONS = {
    "MBN_PADDING_": _native.Padding,
    "MBN_SOURCE_": _native.Source,
    "MBN_ROLE_": _native.Role,
    "MBN_ACTIVATION_": _native.Activation,
    "MBN_PRECISION_": _native.Precision,
    "MBN_INTERPOLATION_": _native.Interpolation,
    "MBN_RESAMPLING_": _native.Resampling,
    "MBN_FIT_": _native.Fit,
    "MBN_RANGE_": _native.RangeMethod,
    "MBN_": (_native.Layout, _native.Output, _native.Order, Status),
}


def expected():
    """What C must print: name and number."""
    values = {}
    for name, structure in STRUCTURES.items():
        values[f"sizeof({name})"] = _native.ctypes.sizeof(structure)
        for field, *_ in structure._fields_:
            place = getattr(structure, field)
            values[f"offsetof({name}, {field})"] = place.offset
            values[f"sizeof((({name} *)0)->{field})"] = place.size
    values["MBN_QUANTIZE_TRIALS"] = _native.TRIALS
    values["offsetof(mbn_kernels, name)"] = _native.KernelsRecord.name.offset
    for prefix, kinds in ENUMERATIONS.items():
        for kind in kinds if isinstance(kinds, tuple) else (kinds,):
            values.update({prefix + member.name: member.value for member in kind})
    return values


def header_fields(name):
    """A structure's fields, in the order of the headers."""
    headers = "".join((INCLUDE / file).read_text() for file in HEADERS)
    body = re.search(rf"typedef struct {name} {{(.*?)\n}} {name};", headers, re.DOTALL)[1]
    declarations = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL).split(";")
    return [
        re.search(r"(\w+)\s*(\[\w+\])*$", declarator.strip())[1]
        for declaration in declarations
        if declaration.strip()
        for declarator in declaration.split(",")
    ]


@pytest.mark.skipif(not INCLUDE.is_dir(), reason="needs the repository's headers")
def test_no_field_is_missing():
    """Padding hides a field that is missing from what a compiler says of the others."""
    for name, structure in STRUCTURES.items():
        assert [field for field, *_ in structure._fields_] == header_fields(name), name


def test_structures_are_those_of_c(tmp_path):
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if not compiler or not INCLUDE.is_dir():
        pytest.skip("needs a C compiler and the repository's headers")
    values = expected()
    lines = "\n".join(f'    printf("%lld\\n", (long long)({name}));' for name in values)
    source = tmp_path / "layout.c"
    source.write_text(
        f"#include <mobilenet/quantize.h>\n#include <stdio.h>\nint main(void) {{\n{lines}\n    return 0;\n}}\n"
    )
    program = tmp_path / "layout"
    subprocess.run([compiler, f"-I{INCLUDE}", source, "-o", program], check=True)
    output = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    assert dict(zip(values, map(int, output.split()), strict=True)) == values

"""accuracy.py PROGRAM MOBILENET: bench/accuracy on a small network and made-up photos.  Skipped (77)
without numpy or Pillow."""

import pathlib
import re
import subprocess
import sys
import tempfile

try:
    import numpy
    from PIL import Image
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

program, mobilenet = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    random = numpy.random.default_rng(1)
    photos = pathlib.Path(folder, "photos")
    photos.mkdir()
    for i in range(2):
        pixels = random.integers(0, 256, (9, 12, 3), "u1").repeat(8, 0).repeat(8, 1)
        Image.fromarray(pixels).save(photos / f"{i}.png")
    model = f"{folder}/small.safetensors"
    size = ["--width", "0.35", "--resolution", "64", "--classes", "2"]
    subprocess.run([mobilenet, "init", "mobilenet_v2", model, *size], check=True)
    done = subprocess.run(
        [sys.executable, "-B", program, model, "--photos", photos, "--crops", "6", "--isa", "scalar"],
        capture_output=True, text=True,
    )  # fmt: skip
    print(done.stdout, done.stderr)
    # Of two classes one has half of the probability, so float32 is sure of all.
    row = re.search(r"^\| small \| scalar \| (0\.\d+|1\.0+) \| (\S+) \| ([\d.]+) % \| 6 \|$", done.stdout, re.M)
    mean, smallest, same = map(float, row.groups())
    assert 0.99 < mean <= 1 and smallest <= mean, row[0]
    assert done.returncode == (0 if mean >= 0.9995 and same >= 99 else 1), done.returncode
    assert "6 crops of 2 photos" in done.stdout
    nothing = subprocess.run(
        [sys.executable, "-B", program, model, "--photos", folder], capture_output=True, text=True
    )
    assert nothing.returncode == 1 and "no photos" in nothing.stderr, nothing.stderr

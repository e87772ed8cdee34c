#!/usr/bin/env bash
# graphs.sh BUILD: Keras's, TensorFlow Lite's and ONNX's files against the runtimes that they are of.
# Makes a virtual environment with these in the folder BUILD, where it stays for the next time.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
build=$(cd "$1" && pwd)

[ -x "$build/venv/bin/python" ] || python3 -m venv "$build/venv"
"$build/venv/bin/pip" install --quiet --requirement "$root/tests/importer/graphs.txt"
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES= PYTHONDONTWRITEBYTECODE=1
for test in onnx_runtime tflite keras; do
    "$build/venv/bin/python" "$root/tests/importer/test_$test.py"
done
exec "$build/venv/bin/python" "$root/tests/importer/compare_graphs.py" --table

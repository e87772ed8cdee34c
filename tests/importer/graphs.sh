#!/usr/bin/env bash
# graphs.sh BUILD: Keras's, TensorFlow Lite's and ONNX's files against the runtimes that they are of,
# in the environment of the folder BUILD.
set -euo pipefail
. "$(dirname "$0")/runtimes.sh"

for test in onnx_runtime tflite keras; do
    "$python" "$root/tests/importer/test_$test.py"
done
exec "$python" "$root/tests/importer/compare_graphs.py" --table

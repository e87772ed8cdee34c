#!/usr/bin/env bash
# wheel.sh BUILD: builds the wheel, installs it into a new virtual environment in the folder BUILD and
# runs the package's tests against what is installed, away from the sources.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
build=$(cd "$1" && pwd)

rm -rf "$build/venv" "$build/wheel"
python3 -m venv "$build/venv"
"$build/venv/bin/pip" wheel --quiet --no-deps --wheel-dir "$build/wheel" "$root/python"
wheel=("$build"/wheel/mobilenet-*.whl)
"$build/venv/bin/pip" install --quiet "${wheel[0]}[test]"

cd "$build"
unset MOBILENET_LIBRARY PYTHONPATH
"$build/venv/bin/python" -c '
import mobilenet, sys
path = mobilenet.__file__
print("testing", path)
sys.exit(not path.startswith(sys.prefix))'
exec "$build/venv/bin/python" -m pytest -q -p no:cacheprovider "$root/python/tests"

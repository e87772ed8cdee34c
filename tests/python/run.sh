#!/usr/bin/env bash
# run.sh PYTHON PACKAGE VENV: runs the package's tests from its sources, with the library that
# MOBILENET_LIBRARY names.  Where PYTHON has no pytest (Debian: python3-pytest), it is installed into
# VENV; exit status 77 (skipped) where that fails, or where numpy is missing.
set -euo pipefail
python=$1 package=$2 venv=$3

has() {
    "$1" -c "import $2" 2>/dev/null
}

if ! has "$python" numpy; then
    echo "skipped: $python has no numpy"
    exit 77
fi
if ! has "$python" pytest; then
    [ -x "$venv/bin/python" ] || "$python" -m venv --system-site-packages "$venv" || exit 77
    python=$venv/bin/python
    has "$python" pytest || timeout 60 "$python" -m pip install --quiet pytest || exit 77
fi
PYTHONPATH=$package PYTHONDONTWRITEBYTECODE=1 exec "$python" -m pytest -q -p no:cacheprovider "$package/tests"

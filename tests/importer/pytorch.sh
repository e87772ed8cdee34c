#!/usr/bin/env bash
# pytorch.sh BUILD: what the importer makes of torchvision's, timm's and transformers' networks, against
# these: a virtual environment in the folder BUILD with Debian's torch and torchvision and the others.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
venv=$(cd "$1" && pwd)/venv
if [ ! -x "$venv/bin/python" ]; then
    /usr/bin/python3 -m venv --system-site-packages "$venv"
fi
# Without dependencies: torch is Debian's, and these are the last that go with it.
"$venv/bin/pip" install --quiet --no-deps 'timm>=1.0.20,<1.1' 'transformers>=4.40,<4.50' \
    'huggingface_hub>=0.26,<1' 'tokenizers>=0.21,<0.22' safetensors filelock regex pyyaml tqdm \
    packaging fsspec typing_extensions requests urllib3 idna certifi charset_normalizer
export PYTHONDONTWRITEBYTECODE=1
for test in importer timm; do
    "$venv/bin/python" "$here/test_$test.py"
done
exec "$venv/bin/python" "$here/compare_pytorch.py" --table

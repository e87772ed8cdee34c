# To be sourced: $python is Python in a virtual environment that has the runtimes of graphs.txt, made
# in the folder that is the first argument, where it stays for the next time.
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
build=$(cd "$1" && pwd)
python=$build/venv/bin/python

[ -x "$python" ] || python3 -m venv "$build/venv"
"$build/venv/bin/pip" install --quiet --requirement "$root/tests/importer/graphs.txt"
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES= PYTHONDONTWRITEBYTECODE=1

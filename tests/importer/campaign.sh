#!/usr/bin/env bash
# campaign.sh BUILD [OPTION...]: campaign.py in the environment of the folder BUILD.
set -euo pipefail
. "$(dirname "$0")/runtimes.sh"

exec "$python" "$root/tests/importer/campaign.py" "${@:2}"

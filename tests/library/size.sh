#!/usr/bin/env bash
# size.sh LIBRARY LIMIT: the library, stripped of debug information, is smaller than LIMIT bytes.
set -euo pipefail
library=$1 limit=$2

stripped=$(mktemp)
trap 'rm -f "$stripped"' EXIT
strip --strip-debug -o "$stripped" "$library"
size=$(stat -c %s "$stripped")
echo "$library: $size bytes stripped, limit $limit"
[ "$size" -lt "$limit" ]

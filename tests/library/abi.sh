#!/usr/bin/env bash
# abi.sh WORK [--renew]: the shared library's ABI is that of mobilenet.abi beside this, but for functions
# that are new.  With --renew, mobilenet.abi becomes what the library is now (CONTRIBUTING.md, "What may
# change when").  Needs libabigail's abidw and abidiff; builds in the folder WORK.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source=$here/../..
recorded=$here/mobilenet.abi
work=$1

# Types are the same whatever the kernels.
cmake -S "$source" -B "$work" -DCMAKE_BUILD_TYPE=Debug -DBUILD_SHARED_LIBS=ON -DMOBILENET_ISAS=scalar \
    -DMOBILENET_TOOLS=OFF -DMOBILENET_TESTS=OFF -DMOBILENET_BENCH=OFF -DMOBILENET_EXAMPLES=OFF >/dev/null
cmake --build "$work" -j "$(nproc)" >/dev/null
library=$(readlink -f "$work/libmobilenet.so")

# What the public headers define, without paths of this machine and lines of declarations.
abidw --headers-dir "$source/include" --drop-private-types --exported-interfaces-only --no-corpus-path \
    --no-comp-dir-path --no-show-locs --no-elf-needed --no-parameter-names --no-write-default-sizes \
    --type-id-style hash --out-file "$work/mobilenet.abi" "$library"
sed -i -E "s, path='[^']*/((arch|kernels)/), path='\1," "$work/mobilenet.abi"
if [ "${2:-}" = --renew ]; then
    cp "$work/mobilenet.abi" "$recorded"
    exit
fi
abidiff --no-added-syms "$recorded" "$work/mobilenet.abi"
echo "$(grep -c '<elf-symbol ' "$recorded") symbols as recorded"

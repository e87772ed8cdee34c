#!/usr/bin/env bash
# coverage.sh BUILD: which lines and branches of kernels/ and arch/ the tests run, of what this
# machine's processor has; the table is BUILD/coverage.txt.  Fails below 95 % of the lines.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1

# Several threads count.
cmake --preset debug -B "$build" -DMOBILENET_BENCH=OFF -DMOBILENET_EXAMPLES=OFF \
    -DCMAKE_C_FLAGS_DEBUG="-O1 -g1 --coverage -fprofile-update=atomic"
cmake --build "$build" -j "$(nproc)"
find "$build" -name '*.gcda' -delete
# Not those that have a library of their own, or run nothing of it.
ctest --test-dir "$build" -j "$(nproc)" --output-on-failure --no-tests=error \
    -E '^(consumer|importer.*|library_.*|peers.*)$'
gcovr --root . --filter kernels/ --filter arch/ -j "$(nproc)" --branches "$build" \
    --txt "$build/branches.txt" >"$build/gcovr.log"
gcovr --root . --filter kernels/ --filter arch/ -j "$(nproc)" --print-summary --fail-under-line 95 \
    --txt "$build/coverage.txt" "$build"

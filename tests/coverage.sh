#!/usr/bin/env bash
# coverage.sh BUILD: which lines and branches of kernels/ and arch/ the tests run, of what this
# machine's processor has; fails below 95 % of the lines.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
lcov=(lcov --quiet --rc lcov_branch_coverage=1)

# Several threads count.
cmake --preset debug -B "$build" -DMOBILENET_BENCH=OFF -DMOBILENET_EXAMPLES=OFF \
    -DCMAKE_C_FLAGS_DEBUG="-O1 -g1 --coverage -fprofile-update=atomic"
cmake --build "$build" -j "$(nproc)"
find "$build" -name '*.gcda' -delete
# Not those that have a library of their own, run nothing of it, or fail or hang what counts, too.
MOBILENET_TESTS=brief ctest --test-dir "$build" -j "$(nproc)" --output-on-failure --no-tests=error \
    -E '^(consumer|importer.*|library_.*|peers.*|faults_commands|run_fork)$'
"${lcov[@]}" --capture --directory "$build" --output-file "$build/all.info"
"${lcov[@]}" --extract "$build/all.info" "$PWD/kernels/*" "$PWD/arch/*" \
    --output-file "$build/coverage.info"
lcov --rc lcov_branch_coverage=1 --list "$build/coverage.info"
lcov --rc lcov_branch_coverage=1 --summary "$build/coverage.info" --fail-under-lines 95

#!/usr/bin/env bash
# headers.sh INCLUDE: each public header by itself, in every language that it is for, by every compiler
# that is here.
set -euo pipefail
include=$1
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)

count=0
# compile LANGUAGE COMPILER STANDARD...
compile() {
    local language=$1 compiler=$2 standard header
    shift 2
    command -v "$compiler" >/dev/null || return 0
    for standard; do
        for header in mobilenet.h $(cd "$include" && echo mobilenet/*.h); do
            echo "#include <$header>" | "$compiler" -x "$language" -std="$standard" \
                "${warnings[@]}" -I "$include" -fsyntax-only - || {
                echo "$header: $compiler -std=$standard"
                exit 1
            }
            count=$((count + 1))
        done
    done
}

for compiler in gcc clang clang-19; do compile c $compiler c11 c17; done
for compiler in g++ clang++ clang++-19; do compile c++ $compiler c++11 c++20; done
echo "$count compilations"
[ $count -gt 0 ]

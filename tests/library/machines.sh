#!/usr/bin/env bash
# machines.sh SOURCE WORK: machines that the library is not for are refused when it is configured.
set -euo pipefail
source=$1 work=$2

# refused WHY OPTION...: of cmake's; compilers need not be able to link.
refused() {
    local why=$1
    shift
    rm -rf "$work"
    if cmake -S "$source" -B "$work" -DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY "$@" \
        >"$work.log" 2>&1; then
        echo "not refused: $*"
        exit 1
    fi
    # CMake breaks the lines of its messages.
    tr -s '\n ' ' ' <"$work.log" | grep -F "$why" >/dev/null || { cat "$work.log"; exit 1; }
}

if [ "$(uname -m)" = x86_64 ]; then
    refused 'for 64-bit machines: a pointer has 4 bytes' -DCMAKE_C_FLAGS=-m32
fi
if command -v aarch64-linux-gnu-gcc >/dev/null; then
    refused 'for little-endian machines' -DCMAKE_SYSTEM_NAME=Linux \
        -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc \
        -DCMAKE_C_FLAGS=-mbig-endian
fi

#!/usr/bin/env bash
# run.sh SOURCE BUILD WORK CC: builds and runs the consumer project in every way that a user would,
# and the program in the README.  BUILD is a finished build of the static library.
set -euo pipefail
source=$1 build=$2 work=$3/work cc=$4
here=$source/tests/consumer

rm -rf "$work"
mkdir -p "$work"
export LC_ALL=C
unset CMAKE_PREFIX_PATH PKG_CONFIG_PATH LD_LIBRARY_PATH

step() { printf '\n== %s\n' "$*"; }

awk '/^```c$/ { on = 1; next } /^```$/ && on { exit } on' "$source/README.md" >"$work/readme.c"
[ -s "$work/readme.c" ] || { echo "README.md: no program in C"; exit 1; }

# project NAME OPTION...: configures, builds and runs the consumer project.
project() {
    local name=$1
    shift
    cmake -S "$here/project" -B "$work/$name" -G Ninja -DCMAKE_C_COMPILER="$cc" \
        -DREADME_EXAMPLE="$work/readme.c" "$@"
    cmake --build "$work/$name"
    ctest --test-dir "$work/$name" --output-on-failure --no-tests=error
}

# installed NAME BUILD [PKG_CONFIG_OPTION]: the tree that BUILD installs, moved before it is used,
# through find_package and through pkg-config.
installed() {
    local name=$1 from=$2 prefix=$work/$1-moved static=${3-}
    step "$name library, installed and moved"
    cmake --install "$from" --prefix "$work/$name-installed"
    mv "$work/$name-installed" "$prefix"
    if grep -rIlF -e "$work" -e "$source" -e "$build" "$prefix"; then
        echo "absolute paths in the files above"
        exit 1
    fi

    step "$name library, the command"
    "$prefix/bin/mobilenet" init mobilenet_v2 "$work/model.safetensors"

    step "$name library, find_package"
    project "$name" -DCMAKE_PREFIX_PATH="$prefix"
    "$work/$name/readme_example" "$work/model.safetensors" | tee "$work/$name/readme.out"
    grep -Eq '^class [0-9]+, no label: 0\.[0-9]{3}$' "$work/$name/readme.out"

    step "$name library, pkg-config"
    local libraries
    libraries=$(dirname "$(find "$prefix" -name 'libmobilenet.*' | head -n 1)")
    export PKG_CONFIG_PATH=$libraries/pkgconfig
    local flags
    read -ra flags < <(pkg-config $static --cflags --libs mobilenet)
    echo "${flags[*]}"
    "$cc" -std=c11 "$here/project/consumer.c" "${flags[@]}" -o "$work/$name/by_pkg_config"
    LD_LIBRARY_PATH=$libraries "$work/$name/by_pkg_config"
}

installed static "$build" --static

# Few instruction sets make short builds; tests/library looks at the symbols of all.
chosen=all
if [ "$(uname -m)" = x86_64 ]; then
    chosen=sse
fi
step "shared library, with one instruction set chosen"
cmake -S "$source" -B "$work/shared-build" -G Ninja -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_BUILD_TYPE=Debug -DBUILD_SHARED_LIBS=ON -DMOBILENET_ISAS=$chosen \
    -DMOBILENET_TESTS=OFF -DMOBILENET_BENCH=OFF
cmake --build "$work/shared-build"
"$source/tests/library/symbols.sh" "$work/shared-build/libmobilenet.so" \
    "$source/include/mobilenet.h" "$source/include/mobilenet/kernels.h" \
    "$source/include/mobilenet/quantize.h"
installed shared "$work/shared-build"
if [ $chosen = sse ]; then
    "$work/shared-build/tools/mobilenet" info | grep -x '  built in    scalar, sse'
    MOBILENET_ISA='' "$work/shared-build/tools/mobilenet" profile "$work/model.safetensors" \
        --rounds 1 | grep -E '^(scalar|sse) kernels'
fi

step "subproject, without a build type, by a compiler that is older than an instruction set"
cat >"$work/older-cc" <<END
#!/bin/sh
for word; do
    case \$word in -mavx*) echo "unrecognized option '\$word'" >&2; exit 1 ;; esac
done
exec "$cc" "\$@"
END
chmod +x "$work/older-cc"
CFLAGS='' project subproject -DMOBILENET_SOURCE="$source" -DCMAKE_C_COMPILER="$work/older-cc" \
    -DCMAKE_EXPORT_COMPILE_COMMANDS=ON 2>&1 | tee "$work/subproject.log"
# CMake breaks the lines of its warnings.
tr -s '\n ' ' ' <"$work/subproject.log" >"$work/subproject.text"
grep -q 'does not compile avx512 (-mavx512f .*) *\. Its kernels are left out' "$work/subproject.text"
grep -q 'No build type: mobilenet is compiled with -O3 -DNDEBUG' "$work/subproject.text"
if [ "$(uname -m)" = x86_64 ]; then
    grep -qx -- '-- Instruction sets: scalar, sse' "$work/subproject.log"
fi
grep -q -e '-DNDEBUG.* -O3 .*arch/run/run\.c' "$work/subproject/compile_commands.json"
if grep 'project/consumer\.c' "$work/subproject/compile_commands.json" | grep -e ' -O[0-3s]' -e NDEBUG; then
    echo "the library's flags reach the project that uses it"
    exit 1
fi

step "instruction sets that there are not"
for isas in avx3 sse,avx512; do
    if cmake -S "$source" -B "$work/refused" -G Ninja -DCMAKE_C_COMPILER="$work/older-cc" \
        -DMOBILENET_TESTS=OFF -DMOBILENET_BENCH=OFF -DMOBILENET_ISAS=$isas \
        >"$work/refused.log" 2>&1; then
        echo "MOBILENET_ISAS=$isas was taken"
        exit 1
    fi
    grep -q "MOBILENET_ISAS: .*${isas#*,}" "$work/refused.log"
done
cmake --install "$work/subproject" --prefix "$work/subproject-installed"
if [ -e "$work/subproject-installed" ]; then
    find "$work/subproject-installed"
    echo "a subproject installs nothing"
    exit 1
fi

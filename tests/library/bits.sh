#!/usr/bin/env bash
# bits.sh COMMAND WORK NAME: what the command makes, quantises and computes on every instruction set is, bit
# for bit, what the command did that was the first to be asked in the folder WORK; NAME is its build's.
# Kernels add in an order that is promised, so neither compiler nor options make a difference.  On x86;
# where a build lacks instruction sets, of those that it has.  Needs Debian's python3-numpy and python3-pil.
set -euo pipefail
command=$(realpath "$1")
name=$3
mkdir -p "$2"
cd "$2"
[ -e image.png ] || /usr/bin/python3 - <<'END'
import numpy
from PIL import Image
random = numpy.random.default_rng(18)
numpy.save("images.npy", random.uniform(-1, 1, (3, 64, 64, 3)).astype("float32"))
Image.fromarray(random.integers(0, 256, (90, 130, 3), "uint8")).save("image.png")
END
[ -e first ] || echo "$name" >first
first=$(cat first)
rm -rf "./$name"
mkdir "$name"
cd "$name"

# Ranges are those of one instruction set, which every build has.
for network in mobilenet_v1 mobilenet_v2 mobilenet_v3_small; do
    "$command" init $network $network.safetensors --resolution 64 --classes 10
    MOBILENET_ISA=sse "$command" quantize $network.safetensors $network-int8.safetensors \
        --method minmax --calibrate ../images.npy >$network-int8.txt 2>/dev/null
done
for isa in $("$command" info | sed -n 's/^ *usable *//p' | tr -d ,); do
    for model in *.safetensors; do
        precisions=(float32 bfloat16)
        [[ $model != *-int8.* ]] || precisions+=(int8)
        for precision in "${precisions[@]}"; do
            options=("$model" --isa "$isa" --precision "$precision")
            output=${model%.safetensors}-$isa-$precision
            "$command" run "${options[@]}" --input ../images.npy --output "$output.npy"
            "$command" classify "${options[@]}" ../image.png --json --top 10 |
                grep -v milliseconds >"$output.json"
        done
    done
done

differ=0
for file in *; do cmp "$file" "../$first/$file" || differ=$((differ + 1)); done
echo "$(find . -type f | wc -l) files, of which $differ are not those of $first"
[ $differ = 0 ]

#!/usr/bin/env bash
# instructions.sh BUILD PROCESSOR OBJDUMP AS: no object file of the library holds an instruction of
# a set that is not its own.  A kernel's folder may use what its flags say; everything else only the
# processor's baseline, because it runs before, or without, the question what this machine has.
#
# The assembler knows of every instruction which extension has it.  So what objdump reads in an
# object is assembled again for the folder's instruction set, and what that refuses is a leak.
set -euo pipefail
build=$1 processor=$2 objdump=$3 as=$4

# A row: folder, what GNU as calls its set, an instruction that it has | one that it has not.
# kernels/x86.h has to ask for what a row allows; XSAVE's XGETBV is for that, where CPUID allows it.
case $processor in
x86_64 | AMD64 | amd64)
    comment='#'
    avx2=generic64+avx2+fma+popcnt
    avx512=$avx2+f16c+avx512f+avx512bw+avx512dq+avx512vl
    sets="
        -           generic64+xsave      addps %xmm0,%xmm1           | pshufb %xmm0,%xmm1
        sse         generic64+sse4.1     pmulld %xmm0,%xmm1          | pcmpgtq %xmm0,%xmm1
        avx2        $avx2                vpaddd %ymm0,%ymm1,%ymm2 | {vex} vpdpbusd %ymm0,%ymm1,%ymm2
        avxvnni     $avx2+avx_vnni       {vex} vpdpbusd %ymm0,%ymm1,%ymm2 | vaddps %zmm0,%zmm1,%zmm2
        avx512      $avx512              vpsrlw \$1,%zmm0,%zmm1      | vpdpbusd %zmm0,%zmm1,%zmm2
        avx512vnni  $avx512+avx512_vnni  vpdpbusd %zmm0,%zmm1,%zmm2  | vpermb %zmm0,%zmm1,%zmm2
        avx512vbmi  $avx512+avx512_vnni+avx512vbmi vpermb %zmm0,%zmm1,%zmm2    | vpopcntb %zmm0,%zmm1
        avx512bf16  $avx512+avx512_bf16  vdpbf16ps %zmm0,%zmm1,%zmm2 | vaddph %zmm0,%zmm1,%zmm2
    "
    ;;
aarch64 | arm64)
    comment='\/\/'
    sets="
        -         armv8-a                  fmla v0.4s, v1.4s, v2.4s    | ldadd w0, w1, [x2]
        neon      armv8-a                  fmla v0.4s, v1.4s, v2.s[3]  | sdot v0.4s, v1.16b, v2.16b
        neondot   armv8.2-a+dotprod+nolse  sdot v0.4s, v1.16b, v2.16b  | smmla v0.4s, v1.16b, v2.16b
        neonbf16  armv8-a+bf16             bfmmla v0.4s, v1.8h, v2.8h  | fadd v0.8h, v1.8h, v2.8h
    "
    ;;
esac

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# assembles SET: stdin, for that set; what is wrong, as LINE: REASON, and its status.
assembles() {
    "$as" -march="$1" -o /dev/null -- - 2>"$scratch/errors" && return
    sed -nE 's/^\{standard input\}:([0-9]+): Error: /\1: /p' "$scratch/errors"
    return 1
}

# A table that allows too little, too much, or what this assembler has not heard of, proves nothing.
declare -A set_of
while read -r folder set examples; do
    [ -n "$folder" ] || continue
    set_of[$folder]=$set
    own=${examples% | *} above=${examples#* | }
    assembles "$set" <<<"$own" || { echo "$set refuses $own"; cat "$scratch/errors"; exit 1; }
    ! assembles "$set" <<<"$above" >"$scratch/refused" || { echo "$set has $above"; exit 1; }
done <<<"$sets"

# Without the padding between functions, and with `.` for the targets of branches and references.
disassemble() {
    "$objdump" -d --no-show-raw-insn "$1" |
        sed -nE 's/^ *[0-9a-f]+:\t//p' | tr '\t' ' ' |
        sed -E "s/[[:space:]]*$comment.*//"'
                s/^(data16 )*(cs )?nop[wl].*/nop/
                s/\b[0-9a-f]+ <[^>]*>$/./'
}

objects=0 instructions=0 leaks=0
while read -r object; do
    folder=-
    if [[ $object =~ /kernels/([^/]+)/ && -n ${set_of[${BASH_REMATCH[1]}]:-} ]]; then
        folder=${BASH_REMATCH[1]}
    fi
    disassemble "$object" >"$scratch/code"
    objects=$((objects + 1))
    instructions=$((instructions + $(wc -l <"$scratch/code")))
    if ! assembles "${set_of[$folder]}" <"$scratch/code" >"$scratch/refused"; then
        echo "$object, for ${set_of[$folder]}:"
        while IFS=': ' read -r line reason; do
            printf '    %s   (%s)\n' "$(sed -n "${line}p" "$scratch/code")" "${reason% on *}"
        done < <(head -n 5 "$scratch/refused")
        leaks=$((leaks + 1))
    fi
done < <(find "$build/CMakeFiles/mobilenet.dir" -name '*.o')

echo "$objects object files, $instructions instructions; $leaks files with some above their set"
[ "$instructions" -gt 0 ] && [ "$leaks" = 0 ]

#!/usr/bin/env bash
# instructions.sh BUILD: no object file of the library holds instructions of a set above its own:
# a kernel's folder may use what its flags say, everything else only the x86-64 baseline, because
# it runs before, or without, the question what this machine has.
set -euo pipefail
cd "$1"

# What objdump calls the operands and mnemonics of each extension.
tab=$'\t'
evex='%zmm|%[xy]mm(1[6-9]|2[0-9]|3[01])|%k[0-7]|\{1to'
vex="$evex|%ymm|${tab}v[a-z0-9]+ .*%xmm|${tab}vzero(upper|all)"
vex+="|$tab(andn|bextr|blsi|blsr|blsmsk|bzhi|mulx|pdep|pext|rorx|sarx|shlx|shrx)[lq]? "
sse4="$tab(pshufb|phadd|phsub|pabs|palignr|pmaddubsw|psign|pmulhrsw|haddp|hsubp|addsubp"
sse4+="|movs[hl]dup|movddup|lddqu|p?blend|dpp[sd]|round[ps][sd]|pmul(ld|dq)|pm(in|ax)(sb|uw|ud|sd)"
sse4+="|pmov[sz]x|ptest|pinsr[bdq]|pextr[bdq]|insertps|extractps|packusdw|pcmp(eq|gt)q|mpsadbw"
sse4+="|phminposuw|movntdqa|crc32|popcnt|lzcnt)"

objects=0
leaks=0
while read -r object; do
    case $object in
    */kernels/avx512/*) continue ;;
    */kernels/avx2/*) above=$evex ;;
    */kernels/sse/*) above=$vex ;;
    *) above="$vex|$sse4" ;;
    esac
    objects=$((objects + 1))
    # All of them: a grep that stops at the first has objdump fail, and the pipe with it.
    if found=$(objdump -d --no-show-raw-insn "$object" | grep -E "$above"); then
        printf '%s:\n%s\n' "$object" "$(head -n 3 <<<"$found")"
        leaks=$((leaks + 1))
    fi
done < <(find CMakeFiles/mobilenet.dir -name '*.o')

echo "$objects object files, $leaks with instructions above their set"
[ "$objects" -gt 0 ] && [ "$leaks" = 0 ]

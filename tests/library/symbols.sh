#!/usr/bin/env bash
# symbols.sh LIBRARY HEADER...: a static library's external symbols all begin with mbn_; a shared
# library exports what the headers mark MBN_API and nothing else.  Neither misses any of it.
set -euo pipefail
library=$1
shift

declared() {
    sed '/^ *#/d' "$@" | tr '\n' ' ' | grep -oE 'MBN_API [^;(]*\(' | sed -E 's/.*[ *](mbn_[a-z0-9_]+)\($/\1/' | sort
}

case $library in
*.a)
    symbols=$(nm -g --defined-only "$library" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort)
    strangers=$(grep -v '^mbn_' <<<"$symbols" || true)
    ;;
*)
    symbols=$(nm -D --defined-only "$library" | awk '{ print $3 }' | sort)
    strangers=$(comm -23 <(echo "$symbols") <(declared "$@"))
    ;;
esac
missing=$(comm -13 <(echo "$symbols") <(declared "$@"))

echo "$library: $(wc -l <<<"$symbols") symbols, $(declared "$@" | wc -l) declared"
[ -z "$strangers" ] || printf 'should not be there: %s\n' $strangers
[ -z "$missing" ] || printf 'declared, but missing: %s\n' $missing
[ -z "$strangers$missing" ]

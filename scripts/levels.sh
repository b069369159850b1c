#!/bin/sh
# levels.sh - prints the instruction-set levels in simd/levels.inc, from the lowest to the highest.
#
#   scripts/levels.sh [ARCHITECTURE]    all levels, or those of one architecture ("any": plain C)
sed -nE "s/^ITH_LEVEL\((\w+), ${1:-\w+}, .*/\1/p" "$(dirname "$0")/../simd/levels.inc"

#!/bin/bash
# architectures.sh - every architecture at every level of the kernels that this CPU has: the digests
# of tests/golden/architectures (tests/parallel/test_architectures.c compares them).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build/release}

for level in $(scripts/levels.sh any) $(scripts/levels.sh "$(uname -m)"); do
    output=$(ITHACA_SIMD=$level "$build/tests/parallel/test_architectures" 2>&1)
    if grep -q '^ok ' <<<"$output" && ! grep -q '^not ok' <<<"$output"; then
        echo "ok architectures at $level"
    else
        tail -3 <<<"$output" | sed 's/^/# /'
        echo "not ok architectures at $level"
    fi
done

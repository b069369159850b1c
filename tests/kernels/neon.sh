#!/bin/bash
# neon.sh - the kernel tests for arm64, cross-compiled (only simd/ and tests/kernels/, no library)
# and run by qemu-user. Each level's kernels run on a CPU model that has this level and no higher
# one. This also shows that none of its files holds an instruction of a higher level: qemu would end
# it with a signal. Needs gcc-aarch64-linux-gnu and qemu-user: `make check-long` installs them,
# `make check` does not.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

build=${BUILD:-build/release}/aarch64
compiler=aarch64-linux-gnu-gcc emulator=qemu-aarch64

mapfile -t levels < <(scripts/levels.sh aarch64)
sources=(simd/*.c simd/ref/*.c tests/kernels/test_*.c tests/kernels/cross/*.c)
for level in "${levels[@]}"; do
    sources+=(simd/"$level"/*.c)
done

have_tools() { command -v $compiler >/dev/null && command -v $emulator >/dev/null; }

skip() {
    echo "ok neon: kernels of arm64 # SKIP $*"
    exit 0
}

[[ $(uname -m) != aarch64 ]] || skip "this machine runs them itself"
have_tools || [[ -z ${ITHACA_LONG:-} ]] || scripts/setup.sh cross || true
have_tools || skip "no $compiler or no $emulator (scripts/setup.sh cross)"

objects() {
    local source
    for source in "${sources[@]}"; do
        echo "$build/${source%.c}.o"
    done
}

# The Makefile's own rules and flags, for another machine, without the settings of a make that runs
# this script, and without debugging information: it doubles the time, and the code is the same.
compile() {
    # shellcheck disable=SC2046 # words on purpose
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -j"$(nproc)" CONFIG=release ARCH=aarch64 \
        MPICC=$compiler B="$build" PKG_CFLAGS= EXTRA_CFLAGS="-Itests/kernels/cross -g0" $(objects)
}

link() {
    local object
    for object in "$build"/tests/kernels/test_*.o "$build"/tests/kernels/cross/levels.o; do
        # shellcheck disable=SC2046
        $compiler -static "$object" $(objects | grep "^$build/simd/") -lm -o "${object%.o}" ||
            return 1
    done
}

# expect NAME WANTED COMMAND...: one line of output
expect() {
    local name=$1 want=$2 got
    shift 2
    got=$("$@" 2>&1)
    if [[ $got == "$want" ]]; then
        echo "ok neon: $name"
    else
        printf '# expected %s\n# got      %s\nnot ok neon: %s\n' "$want" "$got" "$name"
    fi
}

sample=()
[[ -n ${ITHACA_LONG:-} ]] || sample=(SAMPLE=1) # of the shapes (equal.h)

# programs CPU LEVEL: runs every test program on a CPU model, with the kernels of its level
programs() {
    local cpu=$1 level=$2 program status
    for program in "$build"/tests/kernels/test_*.o; do
        program=${program%.o}
        env KERNELS="$level" "${sample[@]}" $emulator -cpu "$cpu" "$program" | sed -E "s/^((not )?ok) /\1 neon, $cpu: /"
        status=${PIPESTATUS[0]}
        ((status <= 1)) || echo "not ok neon, $cpu: $(basename "$program"): exit status $status"
    done
}

if ! compile || ! link; then
    echo "not ok neon: compiles"
    exit 1
fi
print=$build/tests/kernels/cross/levels
expect "dispatch on Armv8.0" "ref neon -> neon" $emulator -cpu cortex-a53 "$print"
expect "dispatch with dotprod" "ref neon dotprod -> dotprod" $emulator -cpu neoverse-n1 "$print"
expect "dispatch with all" "ref ${levels[*]} -> ${levels[-1]}" $emulator -cpu max "$print"
for cap in ref "${levels[@]}"; do
    expect "ITHACA_SIMD=$cap" "ref ${levels[*]} -> $cap" \
        env ITHACA_SIMD="$cap" $emulator -cpu max "$print"
done
models=("max i8mm" "neoverse-n1 dotprod" "cortex-a53 neon")
for i in "${!models[@]}"; do # side by side, shown in order
    # shellcheck disable=SC2086 # two words
    programs ${models[i]} >"$build/programs.$i" &
done
wait
cat "$build"/programs.?

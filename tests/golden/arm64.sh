#!/bin/bash
# arm64.sh - the whole program on arm64, run by qemu-user at every level of the kernels: its logits
# have the bits of this machine's. It is built against Debian's arm64 libraries, which are unpacked
# under the build folder and not installed. Downloads 120 MB once, so only `make check-long` runs
# it; skipped where apt or the network is missing.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

build=$PWD/${BUILD:-build/release}/arm64
native=${ITHACA:-build/release/ithaca}
root=$build/root
lib=$root/usr/lib/aarch64-linux-gnu
prompt=(score -m tests/models/needle-qwen3 --ids tests/golden/needle/1k.ids --json)
. scripts/packages.sh
packages="libopenmpi-dev libgomp1"
for name in $libraries; do packages="$packages $(debian "$name")"; done
packages=${packages/libopenblas-dev/libopenblas-serial-dev} # which needs no alternatives to be set

skip() {
    echo "ok arm64: logits # SKIP $*"
    exit 0
}

have_tools() { command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64 >/dev/null; }

# A separate apt for the other architecture, which knows of no installed package.
apt_arm64() {
    apt-get -q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State::lists="$build/lists" \
        -o Dir::State::status="$build/status" -o Dir::Cache="$build/cache" -o Debug::NoLocking=1 "$@" >>"$build/apt.log" 2>&1
}

fetch_libraries() {
    local package
    [[ ! -e $root/complete ]] || return 0
    mkdir -p "$build/lists/partial" "$build/cache/archives/partial" "$root" && : >"$build/status" || return 1
    # shellcheck disable=SC2086 # words on purpose
    apt_arm64 update && apt_arm64 install -y -d --no-install-recommends $packages || return 1
    for package in "$build"/cache/archives/*.deb; do
        dpkg -x "$package" "$root" || return 1
    done
    rm -rf "$build/cache" "$build/lists"
    touch "$root/complete"
}

compile() {
    # Where libraries find the libraries that they need.
    local later=$lib:$lib/openmpi/lib:$root/lib/aarch64-linux-gnu
    cat >"$build/mpicc" <<E
#!/bin/sh
exec aarch64-linux-gnu-gcc --sysroot="$root" -I"$lib/openmpi/include" "\$@" -L"$lib/openmpi/lib" -lmpi -Wl,-rpath-link,$later
E
    chmod +x "$build/mpicc"
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL PKG_CONFIG_SYSROOT_DIR="$root" \
        PKG_CONFIG_LIBDIR="$lib/pkgconfig:$lib/openblas-serial/pkgconfig:$root/usr/share/pkgconfig" \
        make -s CONFIG=release ARCH=aarch64 MPICC="$build/mpicc" B="$build/out" "$build/out/ithaca"
}

checksum() { sed -n 's/.*"logits_sha256": *"\([0-9a-f]*\)".*/\1/p'; }

# arm64 LEVEL: prints the checksum at that level
arm64() {
    ITHACA_SIMD=$1 OMPI_MCA_btl=self qemu-aarch64 -L "$root" -cpu max \
        -E LD_LIBRARY_PATH=/usr/lib/aarch64-linux-gnu/openblas-serial "$build/out/ithaca" "${prompt[@]}" | checksum
}

[[ -n ${ITHACA_LONG:-} ]] || skip "a long test"
[[ $(uname -m) != aarch64 ]] || skip "this machine runs the other tests itself"
have_tools || scripts/setup.sh cross || true
have_tools || skip "no cross compiler or no qemu (scripts/setup.sh cross)"
mkdir -p "$build"
fetch_libraries || skip "no arm64 libraries: $build/apt.log"
if ! compile; then
    echo "not ok arm64: compiles"
    exit 1
fi
want=$("$native" "${prompt[@]}" | checksum)
for level in $(scripts/levels.sh aarch64); do
    got=$(arm64 "$level")
    if [[ -n $want && $got == "$want" ]]; then
        echo "ok arm64: logits at $level"
    else
        printf '# expected %s\n# got      %s\nnot ok arm64: logits at %s\n' "$want" "$got" "$level"
    fi
done

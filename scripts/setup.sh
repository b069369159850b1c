#!/bin/sh
# setup.sh - installs the packages that building, testing and the demo need and the machine lacks.
# Silent if nothing is missing.
#
#   scripts/setup.sh [PACKAGE]...     all of them, or only these packages
#   scripts/setup.sh cross            what tests/kernels/neon.sh needs to run arm64's kernels on
#                                     another machine
#   scripts/setup.sh slurm            a SLURM cluster on one machine, for `make check-slurm`
#   scripts/setup.sh page             Chromium and its driver, for `make check-page`
#   scripts/setup.sh deb              debhelper, for `make deb`
#   scripts/setup.sh peers            what builds llama.cpp, for `make compare`
#   scripts/setup.sh fuzz             clang, libFuzzer and llvm-cov, for `make fuzz`
#   ITHACA_SETUP=off                  never install: say what is missing, and fail
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

# libcmocka-dev, Python and curl are for the tests and the demo.
packages="build-essential pkg-config openmpi-bin libopenmpi-dev protobuf-c-compiler ca-certificates libcmocka-dev python3 python3-jsonschema curl"
for name in $libraries; do packages="$packages $(debian "$name")"; done
case ${1:-} in
'') ;;
cross) packages="gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user" ;;
page) packages="chromium chromium-driver" ;;
peers) packages="cmake g++ python3-pip" ;;
deb) packages="dpkg-dev debhelper libopenblas-dev" ;;
slurm) packages="slurm-wlm munge iproute2 openmpi-bin" ;;
fuzz) packages="clang-14 libclang-rt-14-dev libomp-14-dev llvm-14" ;;
*) packages=$* ;;
esac

say() { echo "setup: $*" >&2; }

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    # On another system packages have other names: look only for what the build uses.
    # shellcheck disable=SC2086 # words on purpose
    command -v pkg-config >/dev/null && command -v mpicc >/dev/null && command -v python3 >/dev/null &&
        command -v protoc-c >/dev/null &&
        pkg-config --exists $libraries && exit 0
    say "error: this is not Debian or Ubuntu. Install what these packages hold, as docs/building.md" \
        "explains, then try again: $packages"
    exit 1
fi

missing=
for package in $packages; do
    # libcurl with another TLS library will do, and excludes this one.
    [ "$package" = libcurl4-openssl-dev ] && pkg-config --exists libcurl 2>/dev/null && continue
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    as_root=sudo
else
    as_root=none
fi
if [ "$as_root" = none ] || [ "${ITHACA_SETUP:-}" = off ]; then
    say "error: packages are missing. As root: apt-get update && $install"
    exit 1
fi

say "installing$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # words on purpose
if ! { $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive $install; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    say "error: that failed. Try it by hand, as root: apt-get update && $install"
    exit 1
fi

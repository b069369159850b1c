#!/bin/sh
# need.sh - names everything that the build needs and the machine lacks, in one message.
#
#   scripts/need.sh MPICC PACKAGE...     packages by the names that pkg-config knows
set -eu

mpicc=$1
shift

# debian NAME: the Debian package of a pkg-config package or a command
debian() {
    case $1 in
    jansson | numa | hwloc) echo "lib$1-dev" ;;
    libpcre2-8) echo libpcre2-dev ;;
    nettle) echo nettle-dev ;;
    openblas) echo libopenblas-dev ;;
    libcurl) echo libcurl4-openssl-dev ;;
    libedit) echo libedit-dev ;;
    pkg-config) echo pkg-config ;;
    protoc-c) echo protobuf-c-compiler ;;
    "$mpicc") echo libopenmpi-dev ;;
    *) echo "$1-dev" ;;
    esac
}

missing= packages=
lacks() {
    missing="$missing $1"
    packages="$packages $(debian "$1")"
}

command -v "${mpicc%% *}" >/dev/null || lacks "$mpicc"
command -v protoc-c >/dev/null || lacks protoc-c
if command -v pkg-config >/dev/null; then
    for name; do
        pkg-config --exists "$name" || lacks "$name"
    done
else
    lacks pkg-config
    for name; do
        packages="$packages $(debian "$name")"
    done
fi
[ -n "$missing" ] || exit 0

cat >&2 <<EOF
error: the build needs what this machine does not have:$missing
  Debian, Ubuntu: make setup, or as root: apt-get install$packages
  elsewhere:      install them, or add their folders to PKG_CONFIG_PATH and PATH
EOF
exit 1

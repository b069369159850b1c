#!/bin/sh
# need.sh - names everything that the build needs and the machine lacks, in one message.
#
#   scripts/need.sh MPICC LIBRARY...    libraries by the names that pkg-config knows
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

mpicc=$1
shift
missing='' packages=''

# lacks NAME [KNOWN AS]
lacks() {
    missing="$missing $1"
    packages="$packages $(debian "${2:-$1}")"
}

command -v "${mpicc%% *}" >/dev/null || lacks "$mpicc" mpicc
command -v protoc-c >/dev/null || lacks protoc-c
command -v pkg-config >/dev/null || lacks pkg-config
for name; do
    if ! command -v pkg-config >/dev/null; then
        packages="$packages $(debian "$name")"
    elif ! pkg-config --exists "$name"; then
        lacks "$name"
    fi
done
[ -n "$missing" ] || exit 0

cat >&2 <<EOF
error: the build needs what this machine does not have:$missing
  Debian, Ubuntu: make setup, or as root: apt-get install$packages
  elsewhere:      install them, or add their folders to PKG_CONFIG_PATH and PATH
EOF
exit 1

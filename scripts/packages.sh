# packages.sh - sourced, from the root of the repository: what the build needs.
#
#   $libraries      the libraries, by the names that pkg-config knows: PKGS of the Makefile
#   debian NAME     the Debian package of a library or a command
#
# shellcheck shell=sh
libraries=$(sed -n 's/^PKGS *:= *//p' Makefile)

debian() {
    case $1 in
    jansson | numa | hwloc) echo "lib$1-dev" ;;
    libpcre2-8) echo libpcre2-dev ;;
    openblas) echo libopenblas-dev ;;
    libcurl) echo libcurl4-openssl-dev ;;
    pkg-config) echo pkg-config ;;
    protoc-c) echo protobuf-c-compiler ;;
    mpicc) echo libopenmpi-dev ;;
    *) echo "$1-dev" ;;
    esac
}

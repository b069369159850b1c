#!/bin/sh
# dist.sh - what `make dist` runs: packs the committed tree as FOLDER/ithaca-VERSION.tar.gz, with the
# version in .version. The same commit gives the same bytes. Prints the archive's name.
#
#   scripts/dist.sh FOLDER
set -eu
cd "$(dirname "$0")/.."

folder=$1
version=$(scripts/version.sh)
name=ithaca-$version
mkdir -p "$folder"
if ! git diff --quiet HEAD -- 2>/dev/null; then
    echo "dist: what is not committed is left out" >&2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "$version" >"$work/.version"
git archive --format=tar --prefix="$name/" --add-file="$work/.version" HEAD | gzip -9n >"$folder/$name.tar.gz"
echo "$folder/$name.tar.gz"

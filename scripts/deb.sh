#!/bin/sh
# deb.sh - what `make deb` runs: the Debian source package and its binary packages, from an archive
# of `make dist` and packaging/debian. They come to the folder of the archive.
#
#   scripts/deb.sh ARCHIVE
set -eu

archive=$1
folder=$(cd "$(dirname "$archive")" && pwd)
version=$(basename "$archive" .tar.gz | sed 's/^ithaca-//')
cd "$folder"
rm -rf "ithaca-$version"
cp "$(basename "$archive")" "ithaca_$version.orig.tar.gz"
tar xzf "$(basename "$archive")"
cd "ithaca-$version"
cp -r packaging/debian debian
{
    printf 'ithaca (%s-1) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- %s  %s\n' "$version" \
        "$(sed -n 's/^Maintainer: //p' debian/control)" "$(date -R -u -d "@${SOURCE_DATE_EPOCH:-$(stat -c %Y .version)}")"
} >debian/changelog
dpkg-buildpackage -us -uc

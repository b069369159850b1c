#!/bin/sh
# version.sh - the version of this tree, for archives and packages: X.Y.Z for the commit that is
# tagged vX.Y.Z, and X.Y.Z+gitN.HASH for the N-th commit otherwise. An archive has it in the file
# .version.
set -eu
cd "$(dirname "$0")/.."

if [ -r .version ]; then
    cat .version
    exit 0
fi
base=$(sed -n 's/^#define ITH_VERSION "\(.*\)"/\1/p' include/ithaca.h)
if ! git rev-parse --git-dir >/dev/null 2>&1 || git tag --points-at HEAD 2>/dev/null | grep -qxF "v$base"; then
    echo "$base"
else
    echo "$base+git$(git rev-list --count HEAD).$(git rev-parse --short=10 HEAD)"
fi

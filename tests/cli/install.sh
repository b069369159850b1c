#!/bin/bash
# An installed copy serves other programs: `make install` into a folder of its own, then tests/api/test_embed.c compiled against
# it through pkg-config, as a stranger would.
. tests/tap.sh

case $ITHACA in build/release/*) ;; *) echo "ok install # SKIP only the release build is installed" && exit 0 ;; esac

prefix=$work/usr
expect "make install" 0 make --no-print-directory install PREFIX="$prefix"
expect "the installed program runs" 0 "$prefix/bin/ithaca" version
for file in man/man1/ithaca.1 bash-completion/completions/ithaca zsh/site-functions/_ithaca; do
    matches "share/$file" "$prefix/share/$file" "max.?-tokens"
done
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
# shellcheck disable=SC2046
expect "an embedding program compiles" 0 ${MPICC:-mpicc} -std=c11 tests/api/test_embed.c -o "$work/embed" \
    $(pkg-config --cflags --libs ithaca) -lcmocka
expect "and runs" 0 "$work/embed"

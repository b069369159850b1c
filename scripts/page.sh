#!/bin/sh
# page.sh - the page of `serve` as C: its text with the style and the script inside, and the
# checksums by which a Content-Security-Policy allows these two alone.
#
#   scripts/page.sh PAGE.html PAGE.css SCRIPT.js...     the scripts become one, in this order
set -eu
html=$1 css=$2
shift 2

js=$(mktemp)
trap 'rm -f "$js"' EXIT
{
    echo '"use strict";'
    echo '(() => {'
    cat "$@"
    echo '})();'
} >"$js"

# \? because C reads two of them before some characters as another character.
quoted() { sed -e 's/[\"]/\\&/g' -e 's/?/\\?/g' -e 's/.*/    "&\\n" \\/'; }
sha256() { env printf "$(sha256sum <"$1" | cut -c1-64 | sed 's/../\\x&/g')" | base64; }

if grep -n -i '</script\|</style\|<!--' "$css" "$js" >&2; then
    echo "page.sh: this would end the style or the script" >&2
    exit 1
fi
echo "#define PAGE_STYLE \"sha256-$(sha256 "$css")\""
echo "#define PAGE_SCRIPT \"sha256-$(sha256 "$js")\""
echo "#define PAGE_VERSION \"$(cat "$html" "$css" "$js" | sha256sum | cut -c1-16)\""
echo '#define PAGE_TEXT \'
sed '/^@STYLE@$/,$d' "$html" | quoted
echo '    "<style>" \'
quoted <"$css"
printf '%s\n' '    "</style>\n" \'
sed '1,/^@STYLE@$/d; /^@SCRIPT@$/,$d' "$html" | quoted
echo '    "<script>" \'
quoted <"$js"
printf '%s\n' '    "</script>\n" \'
sed '1,/^@SCRIPT@$/d' "$html" | quoted
echo '    ""'

#!/bin/bash
# options.sh - every entry of the option tables appears in -h, --help, the manual page, and the
# completion of bash and zsh. Help fits 80 columns. The generated files are well-formed.
source "$(dirname "$0")/../tap.sh"

commands=()
for first in $("$ITHACA" -h | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
    case $first in
    bench | cache | eval)
        for second in $("$ITHACA" "$first" -h | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
            commands+=("$first $second")
        done
        ;;
    *) commands+=("$first") ;;
    esac
done
same "commands" 24 "${#commands[@]}"

: >"$work/short"
: >"$work/full"
for command in "${commands[@]}"; do
    # shellcheck disable=SC2086 # two words
    "$ITHACA" $command -h >"$work/one" 2>&1 && cat "$work/one" >>"$work/short"
    same "$command -h: fits" "" "$(grep -E '.{81}' "$work/one")"
    # shellcheck disable=SC2086
    "$ITHACA" $command --help >"$work/one" 2>&1 && cat "$work/one" >>"$work/full"
    same "$command --help: fits" "" "$(grep -E '.{81}' "$work/one")"
done
for asked in -h --help "bench -h" "cache -h" "eval -h"; do
    # shellcheck disable=SC2086
    same "$asked: fits" "" "$("$ITHACA" $asked | grep -E '.{81}')"
done

"$ITHACA" help --man >"$work/man"
"$ITHACA" help --completion bash >"$work/bash"
"$ITHACA" help --completion zsh >"$work/zsh"

# missing FILE PATTERN: prints the $options that, in place of @ in the pattern, match no line
missing() {
    local option
    for option in $options; do
        grep -qE -- "${2//@/$option}" "$1" || echo "$option"
    done
}
options=$(grep -ohE '^ *\{\.name = "[a-z-]+"' src/cli/*.c | sed 's/.*"\(.*\)"/\1/' | sort -u)
same "tables are found" yes "$( (($(wc -w <<<"$options") > 50)) && echo yes)"
same "each option is in -h" "" "$(missing "$work/short" '^  (-.,|   ) --@( |$)')"
same "each option is in --help" "" "$(missing "$work/full" '^  (-.,|   ) --@( |$)')"
same "each option is in bash's completion" "" "$(missing "$work/bash" "options='.* --@ ")"
same "each option is in zsh's completion" "" "$(missing "$work/zsh" "^ *'[*]?--@\[")"
sed 's/\\-/-/g' "$work/man" >"$work/man.plain"
same "each option is in the manual page" "" "$(missing "$work/man.plain" '^(.fB-.*|)\\fB--@\\fR')"

options=$(grep -ohE '\.aliases = \{[^}]*' src/cli/*.c | grep -oE '"[a-z-]+"' | tr -d '"')
same "each alias is in --help" "" "$(tr -s '\n ' '  ' <"$work/full" >"$work/line" && missing "$work/line" 'Alias: --@\.')"
same "each alias is in the manual page" "" "$(missing "$work/man.plain" 'Alias: --@\.')"
for command in "${commands[@]}"; do
    matches "$command is in the manual page" "$work/man.plain" "^\.SS \"ithaca $command\"$"
done
options=$(grep -ohE 'getenv\("(ITHACA_[A-Z]+|NO_COLOR)"' src/*/*.c simd/*.c | grep -oE '[A-Z_]{5,}' | grep -v TEST_HOOK)
same "each variable is in the manual page" "" "$(missing "$work/man.plain" '^\\fB@\\fR')"

bash -n "$work/bash" 2>"$err"
same "bash reads its completion" "0 " "$? $(cat "$err")"
complete_bash() { # WORDS...: what may stand in place of the last
    bash -c 'source "$0"; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _ithaca; printf "%s\n" "${COMPREPLY[@]}" | sort | xargs' \
        "$work/bash" "$@"
}
same "bash: commands" "cache calibrate" "$(complete_bash ithaca ca)"
same "bash: a second word" "kernels model roofline" "$(complete_bash ithaca bench "")"
same "bash: options" "--max-tokens --mem --mesh --messages --min-p --model" "$(complete_bash ithaca run --m)"
same "bash: options of two words" "--repetitions" "$(complete_bash ithaca bench model --rep)"
same "bash: values" "bf16 f32 q8" "$(complete_bash ithaca score -m x --kv "")"
same "bash: values of an old name" "replicated" "$(complete_bash ithaca run --placement r)"
same "bash: files" "tests/tap.sh" "$(complete_bash ithaca run -f tests/tap)"
same "bash: no files for a text" "" "$(complete_bash ithaca run -p tests/tap)"
if command -v zsh >/dev/null; then
    zsh -n "$work/zsh" 2>"$err"
    same "zsh reads its completion" "0 " "$? $(cat "$err")"
else
    echo "ok zsh reads its completion # SKIP no zsh"
fi
if command -v groff >/dev/null; then
    same "groff finds nothing wrong with the manual page" "" "$(groff -man -Tutf8 -ww -z "$work/man" 2>&1)"
else
    echo "ok groff finds nothing wrong with the manual page # SKIP no groff"
fi

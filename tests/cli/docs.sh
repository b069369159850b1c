#!/bin/bash
# docs.sh - what README.md and docs/*.md name exists: options, C functions, linked files and
# headings.
source "$(dirname "$0")/../tap.sh"

pages=(README.md docs/*.md)

# Options of mpirun, sbatch and pkg-config.
foreign=(
    --bind-to --map-by --host --mca
    --pty --mpi --nodes --ntasks-per-node --cpus-per-task --signal --array --array --mem-per-cpu --hint
    --cflags --libs --static
    --tasks --include --apply
)

# ---- Options ----

options() { grep -oE '(^|[^a-zA-Z-])--[a-z][a-z-]*' "$@" | grep -oE -- '--.*' | sort -u; }
commands_in() { "$ITHACA" "$@" -h | sed -nE 's/^  ([a-z]+)  .*/\1/p'; }

help=$work/help
mkdir "$help"
for command in $(commands_in); do
    case $command in
    bench | cache | eval)
        for second in $(commands_in "$command"); do
            "$ITHACA" "$command" "$second" --help | options - >"$help/$command $second"
        done
        ;;
    *) "$ITHACA" "$command" --help | options - >"$help/$command" ;;
    esac
done
{
    printf '%s\n' "${foreign[@]}"
    cat "$help"/*
} | sort -u >"$work/known"

cat "${pages[@]}" | options - >"$work/named"
same "options are found" yes "$( (($(wc -l <"$work/named") > 40)) && echo yes)"
same "each option is known" "" "$(comm -23 "$work/named" "$work/known")"

# In "... ithaca COMMAND OPTIONS", the options are those of the command.
misplaced() {
    local rest command
    grep -hoP '(^|[ /`])ithaca \K[a-z]+ [^`|#]*' "${pages[@]}" | while read -r rest; do
        command=$(grep -oE '^(bench|cache|eval) [a-z]+|^[a-z]+' <<<"$rest")
        [[ -e $help/$command ]] || continue
        options - <<<"$rest" | comm -23 - "$help/$command" | sed "s/^/ithaca $command: /"
    done
}
same "each option is one of its command" "" "$(misplaced)"

# ---- Links and the C interface ----

# The anchors of a page's headings as GitHub makes them: lower case, no punctuation, - for blanks.
anchors() {
    sed -nE 's/^#+ //p' "$1" | tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9 _-]//g; s/ /-/g'
}

broken_links() {
    local page target file
    for page in "${pages[@]}" CONTRIBUTING.md CHANGELOG.md bench/*.md bench/*/*.md; do
        grep -oP '\]\(\K[^)]+' "$page" | grep -v '^http' | while read -r target; do
            file=${target%%#*}
            file=${file:+$(dirname "$page")/$file}
            [[ -e ${file:=$page} ]] || echo "$page: $target: no such file"
            [[ $target != *'#'* ]] || anchors "$file" | grep -qx "${target#*#}" ||
                echo "$page: $target: no such heading"
        done
    done
}
same "links lead to files and headings" "" "$(broken_links)"

grep -ohE '\bith_[a-z0-9_]+' "${pages[@]}" | sort -u >"$work/names"
same "C names are in the headers" "" \
    "$(grep -ohE '\bith_[a-z0-9_]+' include/*.h | sort -u | comm -23 "$work/names" -)"

# README's lines of C, inside a function.
{
    printf '#include <%s>\n' ithaca.h stdio.h string.h
    echo 'void f(const char *text);'
    echo 'void f(const char *text) {'
    echo 'ith_world *world; ith_engine *engine; ith_session *session; ith_error err;'
    echo 'ith_generate_params how; ith_generation answer; int32_t *ids; size_t n;'
    sed -n '/^```c$/,/^```$/{/^```/!p}' README.md
    echo '}'
} >"$work/readme.c"
matches "README has C" "$work/readme.c" "ith_generate\("
expect "README's C compiles" 0 \
    cc -std=c11 -Wall -Wextra -Werror -fsyntax-only -Iinclude "$work/readme.c"

# Every pre-tokenizer that GGUF files may name.
sed -nE 's/^    \{"([^"]+)", &.*/\1/p' src/text/pre_names.c >"$work/pre"
same "docs/formats.md lists the pre-tokenizers" "" \
    "$(while read -r name; do grep -q "\`$name\`" docs/formats.md || echo "$name"; done <"$work/pre")"
matches "which are many" <(wc -l <"$work/pre") '^[0-9]{2,}$'

#!/bin/bash
# The arrows between the rooms (src/README.md) and the place of each outside library, read from the #include lines.
# tests/layers/check.sh [ROOT]; a line of every file that breaks a rule is printed before its "not ok".
set -uo pipefail
root=${1:-$(dirname "$0")/../..}
cd "$root" || exit 1
broken=0

# rooms a room may include, itself apart; every room may use include/ithaca.h and simd/;
# include/ithaca_tools.h is for those that implement it, and for cli
declare -A may=(
    [base]=""
    [text]="base"
    [grammar]="base text"
    [formats]="base"
    [comm]="base"
    [state]="base"
    [weights]="base formats comm state"
    [model]="base text formats comm state weights"
    [engine]="base text grammar formats comm state weights model"
    [hub]="base formats"
    [keep]="base grammar formats comm state weights model engine"
    [tools]="base text formats comm state weights model engine"
    [openai]="base"
    [serve]="base openai"
    [cli]="base openai serve"
)

# verdict NAME OFFENDERS: one TAP line
verdict() {
    if [[ -z $2 ]]; then
        echo "ok layers: $1"
    else
        echo "# ${2//$'\n'/$'\n'# }"
        echo "not ok layers: $1"
        broken=1
    fi
}

sources() { find "$@" -name '*.[ch]' 2>/dev/null | sort; }

# includes FILES...: "file:line:header" of every quoted include
quoted() { xargs -r grep -HnoP '^\s*#\s*include\s*"\K[^"]+' /dev/null; }

rooms_are_known() {
    local room
    for room in src/*/; do
        room=$(basename "$room")
        [[ -v may[$room] ]] || echo "src/$room is a room without arrows in tests/layers/check.sh"
    done
}

# Quoted includes are written from the roots; a bare name would hide which room it comes from.
check_room() {
    local room=$1 file line header
    sources "src/$room" | quoted | while IFS=: read -r file line header; do
        local to=${header%%/*}
        [[ $header == ithaca.h ]] && continue
        [[ $header == ithaca_tools.h && " hub keep engine tools cli " == *" $room "* ]] && continue
        if [[ $room == cli ]]; then
            [[ $to == cli || " ${may[cli]} " == *" $to "* ]] && continue
        else
            [[ $to == simd || $to == "$room" || " ${may[$room]} " == *" $to "* ]] && continue
        fi
        echo "$file:$line: includes \"$header\", but $room may include: itself ${may[$room]} simd ithaca.h"
    done
}

# Files of a room that include each other's headers in a circle. A file and its private header, NAME_impl.h, count as one.
circles() {
    local room=$1
    sources "src/$room" | quoted | sed -nE "s#^src/$room/(\w+)\.[ch]:[0-9]+:$room/(\w+)\.h\$#\1 \2#p" |
        sed 's/_impl\b//g' | awk '$1 != $2' | tsort 2>&1 >/dev/null |
        sed "s#^tsort: -.*#src/$room, a circle:#; s#^tsort: #    #"
}

# The kernels are a leaf: they know nothing but themselves, and neither allocate, print nor start threads.
check_kernels() {
    sources simd | quoted | grep -v -e ':simd/' -e ':ithaca\.h$' | sed 's/$/: simd includes only simd/'
    sources simd | xargs -r grep -HnE '\b(malloc|calloc|realloc|printf|fprintf)\s*\(|#\s*pragma\s+omp' /dev/null
}

# only PATTERN FILES: lines that match anywhere in src, simd or include but in these files (shell patterns)
only() {
    local pattern=$1 line file allowed
    shift
    sources src simd include | xargs -r grep -HnE "$pattern" /dev/null | while IFS= read -r line; do
        file=${line%%:*}
        for allowed in "$@"; do
            # shellcheck disable=SC2053 # a pattern on purpose
            [[ $file == $allowed ]] && continue 2
        done
        echo "$line"
    done
}

include() { echo "^\\s*#\\s*include\\s*[<\"]($1)[>\"]"; }

# A kind of block is known by name to its own files and to the architectures that are made of it; what loops over
# blocks sees block.h only.
check_blocks() {
    local kind pattern=''
    for kind in $(sed -n 's/^BLOCK(\(.*\))$/\1/p' src/model/blocks/kinds.inc); do
        [[ -e src/model/blocks/$kind.c ]] || echo "kinds.inc names $kind, but there is no src/model/blocks/$kind.c"
        pattern+="${pattern:+|}ith_block_$kind\b|ITH_BLOCK_$kind\b|\"$kind\""
    done
    sources src | grep -v -e '^src/model/blocks/' -e '^src/formats/' -e '^src/tools/' -e '^src/cli/' -e '^src/openai/' -e '^src/serve/' | xargs -r grep -HnE "$pattern" /dev/null |
        sed 's/$/: names a kind of block/'
    sources src simd | grep -v '^src/model/blocks/' | quoted | grep ':model/blocks/' | grep -v ':model/blocks/block\.h$' |
        sed 's/$/: only block.h is for others/'
}

# Every public function that takes `err` begins by making sure that it points to an error, and is called without one in a test.
public_errors() {
    local name
    for name in $(sed -nE ':a; /^ith_status [^;]*$/ { N; ba }; s/^ith_status (ith_\w+)\(.*ith_error \*err\);.*/\1/p' include/*.h); do
        grep -rhPzo --include='*.c' "\nith_status $name\([^;{]*\)\n\{\n(    ITH_DEFAULT_FPENV;\n)?    ITH_NEED_ERROR\(err\);" src | grep -q . ||
            echo "$name: it should begin with ITH_NEED_ERROR(err), because callers may pass NULL"
        grep -q "\b$name(" tests/api/test_null_error.c || echo "$name: tests/api/test_null_error.c should call it without an error"
    done
}

# Functions of libm that may round differently from one machine to the next, where results could depend on them. Square
# roots and what rounds to whole numbers are exact; what is left only estimates, or shows.
libm() {
    only '\b(pow|exp|exp2|expm1|log|log2|log10|log1p|sin|cos|tan|asin|acos|atan2?|sinh|cosh|tanh|cbrt|hypot|erf|tgamma)[fl]?\s*\(' \
        'src/cli/*' src/base/progress.c src/engine/cost.c src/formats/zframe.c src/tools/simulate.c | grep -vE ':[0-9]+:\s*(/?\*|//)|/\*.*\*/'
}

unique_names() {
    sources src simd tests | grep -v -e '^simd/[a-z0-9]*/' | xargs -rn1 basename | sort | uniq -d |
        sed 's/$/ names more than one file/'
}

verdict "every folder of src/ has its arrows" "$(rooms_are_known)"
for room in base text grammar formats hub comm state weights model keep engine tools openai serve cli; do
    verdict "$room" "$(check_room "$room")"
done
verdict "blocks are known to themselves" "$(check_blocks)"
for room in base text grammar formats hub comm state weights model engine keep tools openai serve cli; do
    verdict "$room has no circle of files" "$(circles "$room")"
done
verdict "simd is a leaf" "$(check_kernels)"
verdict "mpi.h" "$(only "$(include 'mpi\.h')" src/comm/comm_mpi.h)"
verdict "hwloc.h" "$(only "$(include 'hwloc.*\.h')" src/base/topology.c)"
verdict "numa.h" "$(only "$(include 'numa(if|compat1)?\.h')" src/base/pages.c)"
verdict "zstd.h" "$(only "$(include 'zstd.*\.h')" src/formats/zframe.c)"
verdict "jansson.h" "$(only "$(include 'jansson\.h')" src/base/json.h)"
verdict "xxhash.h" "$(only "$(include 'xxhash\.h')" src/base/checksum.c)"
verdict "nettle" "$(only "$(include 'nettle/.*')" src/base/digest.c)"
verdict "libcurl" "$(only "$(include 'curl/.*')" src/hub/libcurl.h)"
verdict "protobuf-c" "$(only "$(include 'protobuf-c/.*|.*\.pb-c\.h')" src/text/sentencepiece.c)"
verdict "libmicrohttpd" "$(only "$(include 'microhttpd\.h')" src/serve/visit.h)"
verdict "libedit" "$(only "$(include 'histedit\.h')" src/cli/typed.c)"
verdict "pcre2 and utf8proc" "$(only "$(include 'pcre2\.h|utf8proc\.h')" 'src/text/*')"
verdict "OpenMP" "$(only "$(include 'omp\.h')|^\\s*#\\s*pragma\\s+omp" src/base/threads.c src/base/cpumask.c)"
verdict "OpenBLAS in one file" "$(only "$(include 'cblas\.h|openblas.*\.h')" 'src/model/*' 'src/base/*';
    [[ $(sources src simd | xargs -r grep -lE "$(include 'cblas\.h|openblas.*\.h')" /dev/null | wc -l) -le 1 ]] ||
        echo "more than one file includes OpenBLAS")"
verdict "only the program prints and exits" "$(
    # comm ends all ranks when one cannot go on, and says why; progress is the one thing shown from below
    only '\b(exit|_exit|quick_exit|abort|puts|putchar|perror|v?printf)\s*\(|\bv?fprintf\s*\(\s*std|\bfputs\s*\(.*std' \
        'src/cli/*' 'src/comm/comm*' src/base/progress.c | grep -vE ':[0-9]+:\s*(/?\*|//)|(->|\.)abort\s*\(')"
verdict "no result depends on libm" "$(libm)"
verdict "public functions take err NULL" "$(public_errors)"
verdict "file names are unique" "$(unique_names)"
exit $broken

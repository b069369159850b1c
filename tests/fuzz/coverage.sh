#!/bin/bash
# coverage.sh - which lines the corpus reaches, by llvm-cov.
#
#   tests/fuzz/coverage.sh BUILD_DIR [CORPUS_DIR]     built with CONFIG=cover
#
# Prints the files of the rooms that read what is not trusted, with their lines and the share of
# them that was reached; BUILD_DIR/coverage has each file's text with counts.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=${1:?BUILD_DIR} corpus=${2:-tests/fuzz/corpus}
rm -rf "$build/profiles" "$build/coverage" && mkdir -p "$build/profiles" "$build/coverage"
objects=() rooms=(src/text src/formats src/hub src/keep src/grammar src/openai src/tools/machine_file.c src/cli/schema.c src/cli/report_*.c)
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c) && name=${name#fuzz_}
    [[ $name != main ]] || continue
    LLVM_PROFILE_FILE=$build/profiles/$name.raw "$build/tests/fuzz/fuzz_$name" $(ls -d "$corpus/$name" "build/seeds/$name" 2>/dev/null) >"$build/profiles/$name.log" 2>&1 ||
        echo "fuzz_$name failed: $build/profiles/$name.log"
    objects+=(${objects:+-object} "$build/tests/fuzz/fuzz_$name") # the first has no option
done
llvm-profdata-14 merge -o "$build/profiles/all" "$build"/profiles/*.raw
llvm-cov-14 show "${objects[@]}" -instr-profile="$build/profiles/all" "${rooms[@]}" -output-dir="$build/coverage" >/dev/null
# of each file: name, lines, missed lines
llvm-cov-14 export "${objects[@]}" -instr-profile="$build/profiles/all" -summary-only "${rooms[@]}" |
    python3 -c '
import collections, json, sys
rooms = collections.defaultdict(lambda: [0, 0])
for f in json.load(sys.stdin)["data"][0]["files"]:
    lines, room = f["summary"]["lines"], f["filename"].split("/src/")[-1].split("/")[0]
    name = f["filename"].split("/src/")[-1]
    if name.endswith(".c"):
        print("%-32s %5d lines %6.1f%%" % (name, lines["count"], lines["percent"]))
        rooms[room][0] += lines["count"]
        rooms[room][1] += lines["covered"]
for room, (count, covered) in sorted(rooms.items()):
    print("%-32s %5d lines %6.1f%%" % (room, count, 100 * covered / max(count, 1)))'

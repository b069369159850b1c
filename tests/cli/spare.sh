#!/bin/bash
# spare.sh - no output replaces a file that it is made from, by whatever name.
source "$(dirname "$0")/../tap.sh"

cp -r $NEEDLE "$work/model"
"$ITHACA" pack $NEEDLE -o "$work/p.ith" -q >"$out"
cp tests/golden/qwen3-gqa4-q4_0.gguf "$work/m.gguf"
cp bench/shapes/smollm2-135m.json "$work/shape.json"
seq 5 60 >"$work/ids"
printf 'It rained for days.\n' >"$work/book.txt"
"$ITHACA" calibrate -m $NEEDLE --ids "$work/ids" -o "$work/stats" -q

# spared NAME FILE COMMAND...: the command, which would write FILE, is refused by name and leaves it
spared() {
    local name=$1 file=$2 before
    before=$(sha256sum <"$file")
    expect "$name" 1 "${@:3}"
    same "$name: one line" 1 "$(grep -c '^ithaca: error: ' "$err")"
    matches "$name: says why" "$err" "read as input"
    same "$name: the file stays" "$before" "$(sha256sum <"$file")"
}

calibrate() { "$ITHACA" calibrate -m "$work/model" "$@"; }
spared "the text itself" "$work/book.txt" calibrate -f "$work/book.txt" -o "$work/book.txt"
spared "the text by another path" "$work/book.txt" calibrate -f "$work/book.txt" -o "$work/../${work##*/}/book.txt"
ln "$work/book.txt" "$work/hard"
ln -s book.txt "$work/soft"
spared "the text by a hard link" "$work/book.txt" calibrate -f "$work/book.txt" -o "$work/hard"
spared "the text by a symbolic link" "$work/book.txt" calibrate -f "$work/soft" -o "$work/book.txt"
spared "the ids" "$work/ids" calibrate --ids "$work/ids" -o "$work/ids"
spared "the weights" "$work/model/model.safetensors" calibrate --ids "$work/ids" -o "$work/model/model.safetensors"
spared "the tokenizer" "$work/model/tokenizer.json" calibrate --ids "$work/ids" -o "$work/model/tokenizer.json"
spared "statistics in use" "$work/stats" calibrate --ids "$work/ids" --quant w4 --stats "$work/stats" -o "$work/stats"
spared "the text on 2 ranks" "$work/book.txt" scripts/on_ranks.sh 2 "$ITHACA" calibrate -m "$work/model" -f "$work/book.txt" -o "$work/book.txt"

pack() { "$ITHACA" pack "$@" --force; }
spared "a pack of itself" "$work/p.ith" pack "$work/p.ith" -o "$work/p.ith"
spared "a GGUF file" "$work/m.gguf" pack "$work/m.gguf" -o "$work/m.gguf"
ln -s m.gguf "$work/m.link"
spared "a GGUF file by a link" "$work/m.gguf" pack "$work/m.gguf" -o "$work/m.link"
spared "a folder's configuration" "$work/model/config.json" pack "$work/model" -o "$work/model/config.json"
mkdir "$work/model/additional_chat_templates"
echo "{{ 1 }}" >"$work/model/additional_chat_templates/one.jinja"
spared "one of a folder's templates" "$work/model/additional_chat_templates/one.jinja" pack "$work/model" -o "$work/model/additional_chat_templates/one.jinja"
rm -r "$work/model/additional_chat_templates"
spared "the shape of a synthetic model" "$work/shape.json" pack "synthetic:$work/shape.json:q4_0" -o "$work/shape.json"
spared "the statistics of a pack" "$work/stats" pack "$work/model" --stats "$work/stats" -o "$work/stats"

# What others have written is not replaced either, where a command knows its own files
mine() {
    local name=$1 file=$2 says=$3 before
    before=$(sha256sum <"$file")
    expect "$name" 1 "${@:4}"
    matches "$name: says why" "$err" "^ithaca: error: .*$says"
    same "$name: the file stays" "$before" "$(sha256sum <"$file")"
}
plan=("$ITHACA" plan "$work/m.gguf" --machine cluster/machines/zen4-2.json)
mine "a script in the model's place" "$work/m.gguf" "exists and is no script" "${plan[@]}" --sbatch "$work/m.gguf"
cp cluster/machines/zen4-2.json "$work/here.json"
mine "a script in a machine file's place" "$work/here.json" "exists and is no script" "$ITHACA" plan "$work/m.gguf" --machine "$work/here.json" --sbatch "$work/here.json"
expect "a script" 0 "${plan[@]}" --sbatch "$work/job"
expect "a script in a script's place" 0 "${plan[@]}" --sbatch "$work/job"
probe=("$ITHACA" probe --seconds 0.001 --buffer 1MiB -q)
mine "a machine file in the place of what was read" "$work/m.gguf" "exists and is no machine file" "${probe[@]}" --disk "$work/m.gguf" -o "$work/m.gguf"
mine "a machine file in a text's place" "$work/book.txt" "exists and is no machine file" "${probe[@]}" -o "$work/book.txt"
python3 tests/cli/compare.py make "$work"
mkdir "$work/report"
cp "$work/gpu.json" "$work/report/index.html"
spared "a report in a document's place" "$work/report/index.html" "$ITHACA" compare "$work/report/index.html" -o "$work/report"
cp "$work/prices.json" "$work/report/report.md"
rm "$work/report/index.html"
spared "a report in the prices' place" "$work/report/report.md" "$ITHACA" compare "$work/gpu.json" --prices "$work/report/report.md" -o "$work/report"

expect "another file is replaced" 0 calibrate --ids "$work/ids" -o "$work/stats" -q
cp "$work/p.ith" "$work/old.ith"
expect "another pack is replaced" 0 pack "$work/model" -o "$work/old.ith" -q
expect "but not without --force" 1 "$ITHACA" pack "$work/model" -o "$work/old.ith" -q
matches "but not without --force: says why" "$err" "exists"

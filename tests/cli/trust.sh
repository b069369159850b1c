#!/bin/bash
# trust.sh - files that somebody else prepared: links are not followed, pipes do not hang, names
# do not reach the terminal as they are, memory does not follow claims; what Ithaca keeps of prompts
# is readable by its owner alone.
. tests/tap.sh
umask 022

cases=tests/cases/hostile
run() { "$ITHACA" run -m $NEEDLE --threads 1 --temp 0 -n 3 --json "$@"; }
modes() { find "$1" -printf '%y%m\n' | sort -u | tr '\n' ' '; }
# limited KIB COMMAND...: with so much address space at most
limited() { (ulimit -v "$1" && shift && exec "$@"); }

haystack --tokens 1500 --depth 0.5 --seed 2 >"$work/text" 2>/dev/null
cache=$work/cache

# Prompts are private
expect "a prompt cache" 0 run -f "$work/text" --prompt-cache "$cache"
same "a prompt cache: for its owner alone" "d700 f600 " "$(modes "$cache")"
point=(-m $NEEDLE --threads 1 --temp 0 --ignore-eos -n 30 -f "$work/text" --checkpoint "$work/point")
stopped() { ITHACA_TEST_HOOK="answer 2 TERM" "$ITHACA" run "${point[@]}" >/dev/null 2>&1; }
stopped
same "a checkpoint: saved" 75 $?
same "a checkpoint: for its owner alone" "d700 f600 " "$(modes "$work/point")"
mkdir -m 755 "$work/mine"
expect "a folder that is there" 0 run -f "$work/text" --prompt-cache "$work/mine"
same "a folder that is there keeps its mode, the files in it are private" "d700 d755 f600 " "$(modes "$work/mine")"

# Links: the target is neither read, written nor removed
segment=$(find "$cache" -mindepth 1 -maxdepth 1 -type d | head -n 1)
mv "$segment" "$work/elsewhere"
echo precious >"$work/elsewhere/head-9.kv"
ln -s "$work/elsewhere" "$segment"
before=$(ls "$work/elsewhere")
expect "a segment that is a link: ls" 0 "$ITHACA" cache ls "$cache"
expect "a segment that is a link: rm --all" 0 "$ITHACA" cache rm "$cache" --all
same "a segment that is a link: its target stays" "$before" "$(ls "$work/elsewhere")"
expect "a segment that is a link: a run goes on" 0 run -f "$work/text" --prompt-cache "$cache" --prompt-cache-size 1
same "a segment that is a link: its target still stays" "$before" "$(ls "$work/elsewhere")"
rm -rf "$cache" && run -f "$work/text" --prompt-cache "$cache" >/dev/null 2>&1
for name in manifest.json head-0.kv; do
    file=$(find "$cache" -name $name | head -n 1)
    mv "$file" "$work/$name" && ln -s "$work/$name" "$file"
    expect "$name that is a link: a run goes on" 0 run -f "$work/text" --prompt-cache "$cache"
    expect "$name that is a link: rm --all" 0 "$ITHACA" cache rm "$cache" --all
    same "$name that is a link: its target stays" yes "$([[ -s $work/$name ]] && echo yes)"
    rm -rf "$cache" && run -f "$work/text" --prompt-cache "$cache" >/dev/null 2>&1
done
# What a link leads to counts for nothing: neither its size nor its time, and it is no data
segment=$(find "$cache" -mindepth 1 -maxdepth 1 -type d | head -n 1)
truncate -s 1T "$work/large"
mv "$segment/head-0.kv" "$work/own" && ln -s "$work/large" "$segment/head-0.kv"
expect "a head that is a link: ls" 0 "$ITHACA" cache ls "$cache" --json
same "a head that is a link: its size does not count, and it is missing" "True 1" \
    "$(field "$out" "sum(s['bytes'] for s in j['segments']) < 1 << 30, sum(not s['complete'] for s in j['segments'])" | tr -d '(),')"
mv "$work/own" "$segment/head-0.kv"
mv "$segment/manifest.json" "$work/own" && ln -s "$work/own" "$segment/manifest.json"
touch -d 2001-01-01 "$work/own"
expect "a manifest that is a link: a run goes on" 0 run -f "$work/text" --prompt-cache "$cache"
same "a manifest that is a link: its target's time stays" 2001-01-01 "$(date -r "$work/own" +%F)"
rm -rf "$cache" "$work/large" && run -f "$work/text" --prompt-cache "$cache" >/dev/null 2>&1
rm -rf "$work/point" && mkdir -p "$work/point"
ln -s "$work/nothing" "$work/point/checkpoint.json"
expect "a checkpoint.json that is a link to nothing: refused" 1 "$ITHACA" run "${point[@]}"
same "a checkpoint.json that is a link to nothing: nothing is made" no "$([[ -e $work/nothing ]] && echo yes || echo no)"
for name in answer lock checkpoint.json; do
    rm -rf "$work/point"
    [[ $name != answer ]] || stopped # an answer alone would just be removed
    mkdir -p "$work/point" && rm -f "$work/point/$name"
    echo precious >"$work/target"
    ln -s "$work/target" "$work/point/$name"
    expect "a checkpoint's $name that is a link: refused" 1 "$ITHACA" run "${point[@]}"
    matches "a checkpoint's $name that is a link: named" "$err" "$name: (a symbolic link, which is not followed here|.*not a checkpoint)"
    same "a checkpoint's $name that is a link: its target stays" precious "$(cat "$work/target")"
done
rm -rf "$work/point" && mkdir "$work/point"
ln -s "$cache" "$work/point/kv"
expect "a checkpoint whose kv is a link: refused" 1 run -p hi --checkpoint "$work/point"
matches "a checkpoint whose kv is a link: named" "$err" "kv is not a folder"
same "a checkpoint whose kv is a link: its target stays" yes "$([[ -n $(ls "$cache") ]] && echo yes)"

# Only regular files are read
for name in config.json tokenizer.json tokenizer_config.json chat_template.jinja model.safetensors; do
    rm -rf "$work/model" && mkdir "$work/model"
    cp $NEEDLE/*.json $NEEDLE/*.safetensors "$work/model"
    rm -f "$work/model/$name" && mkfifo "$work/model/$name"
    expect "$name that is a pipe: refused" 1 timeout 600 "$ITHACA" run -m "$work/model" -p hi -n 1
    matches "$name that is a pipe: named" "$err" "$name: not a regular file"
done
file=$(find "$cache" -name manifest.json | head -n 1)
rm "$file" && mkfifo "$file"
expect "a manifest that is a pipe: ls" 0 timeout 600 "$ITHACA" cache ls "$cache"
expect "a manifest that is a pipe: a run goes on" 0 timeout 600 "$ITHACA" run -m $NEEDLE -f "$work/text" -n 1 --prompt-cache "$cache"
rm -rf "$work/point"
stopped
rm "$work/point/answer" && mkfifo "$work/point/answer"
expect "an answer that is a pipe: refused" 1 timeout 600 "$ITHACA" run "${point[@]}"
matches "an answer that is a pipe: named" "$err" "answer: not a regular file"
ln -s "$work/nowhere.gguf" "$work/link.gguf"
expect "a link that leads nowhere" 1 "$ITHACA" inspect "$work/link.gguf"
matches "a link that leads nowhere: called so" "$err" "link.gguf: a symbolic link to .*nowhere.gguf, which does not exist"

# Names: no byte that a terminal obeys; one that is cut between two bytes hides nothing
plain() { LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]' "$@" && echo no || echo yes; }
cp -r $cases/manifest-names "$work/names"
expect "names of models: ls" 0 "$ITHACA" cache ls "$work/names"
same "names of models: cleaned" yes "$(plain "$out" "$err")"
expect "names of models: ls --json" 0 "$ITHACA" cache ls "$work/names" --json
same "names of models: both segments" 2 "$(field "$out" "len(j['segments'])")"
expect "a tensor's name in an error" 1 "$ITHACA" inspect $cases/esc
same "a tensor's name in an error: cleaned" yes "$(plain "$err")"
matches "a tensor's name in an error: shown" "$err" "31m.*evil"
expect "a path in an error" 1 "$ITHACA" inspect "$work/"$'\xc2\x9b31m\e[31m\xe2\x80\xaeX'
same "a path in an error: cleaned" yes "$(plain "$err")"
mkdir "$work/caf"$'\xe9'
expect "a path that is not UTF-8: --json" 0 "$ITHACA" cache ls "$work/caf"$'\xe9' --json
cp -r $NEEDLE "$work/caf"$'\xe9/model'
expect "a model's path that is not UTF-8: --json" 0 "$ITHACA" run -m "$work/caf"$'\xe9/model' -p hi -n 1 --json
cp -r $NEEDLE "$work/caf"$'\xe9/\xe9'
expect "a model's name that is not UTF-8: a prompt cache" 0 "$ITHACA" run -m "$work/caf"$'\xe9/\xe9' -f "$work/text" -n 1 --prompt-cache "$work/c2"
same "a model's name that is not UTF-8: nothing is said of it" "" "$(grep warning "$err")"

long=a$(printf 'é%.0s' $(seq 100)) # cut to the room that a name has, inside a character
cp -r $NEEDLE "$work/$long"
expect "a name that is cut: a prompt cache" 0 run -m "$work/$long" -f "$work/text" --prompt-cache "$work/c3"
expect "a name that is cut: ls" 0 "$ITHACA" cache ls "$work/c3" --json
same "a name that is cut: its segments are listed" True "$(field "$out" "len(j['segments']) > 0 and all(s['complete'] for s in j['segments'])")"

# Memory follows the model's shapes, not what a tile claims
expect "a tile of 1 GiB in 34 KB" 1 limited 1500000 "$ITHACA" inspect --verify $cases/bomb-1g.ith
matches "a tile of 1 GiB in 34 KB: named" "$err" "tensor x has rows of 16777216 numbers"
rm -rf "$work/point"
stopped
truncate -s 12T "$work/point/answer"
expect "an answer of huge size that holds little" 0 "$ITHACA" run "${point[@]}"

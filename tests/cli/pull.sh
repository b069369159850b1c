#!/bin/bash
# pull.sh - `ithaca pull` against a local server that speaks the hub's paths (tests/hub/server.py):
# what is chosen, what the cache holds afterwards, and every way in which a download can fail.
source "$(dirname "$0")/../tap.sh"
source tests/hub/hub.sh

ITHACA=$(realpath "$ITHACA")
tiny=tests/cases/tiny-qwen3
mkdir -p "$hub/root/org" "$hub/root/gated" "$hub/root/private"
cp -r $tiny "$hub/root/org/tiny"
echo "Not of the model." >"$hub/root/org/tiny/README.md"
head -c 5000 /dev/zero >"$hub/root/org/tiny/pytorch_model.bin"
start_hub
new_log

pull() { "$ITHACA" pull "$@"; }
forget() { rm -rf "$HF_HOME"; }
# What has come of the large file
partial() { find "$(cached "$1")/blobs" -name "$sha256.incomplete" 2>/dev/null; }
# fails NAME REGEX COMMAND...: exit status 1 and one line besides progress
fails() {
    local name=$1 regex=$2
    shift 2
    expect "$name: fails" 1 "$@"
    same "$name: one line" 1 "$(grep -vc '^download ' "$err")"
    matches "$name: said so" "$err" "^ithaca: error: .*$regex"
}

# ---- A folder, and the cache ----

expect "a folder" 0 pull org/tiny
snapshot=$(cat "$out")
commit=${snapshot##*/}
same "a folder: its path" "$(cached org/tiny)/snapshots/$commit" "$snapshot"
same "a folder: the files of the model" "config.json model.safetensors tokenizer.json tokenizer_config.json " "$(ls "$snapshot" | tr '\n' ' ')"
for name in config.json model.safetensors tokenizer.json tokenizer_config.json; do
    same "$name: its bytes" "" "$(cmp "$snapshot/$name" $tiny/$name 2>&1)"
done
sha256=$(sha256sum <$tiny/model.safetensors | cut -d' ' -f1)
same "a large file's blob has its SHA-256" "../../blobs/$sha256" "$(readlink "$snapshot/model.safetensors")"
same "a small file's blob has Git's SHA-1" "../../blobs/$(git hash-object $tiny/config.json)" "$(readlink "$snapshot/config.json")"
same "refs/main" "$commit" "$(cat "$(cached org/tiny)/refs/main")"
same "a lock for each file" 4 "$(ls "$HF_HOME/hub/.locks/models--org--tiny" | grep -c '\.lock$')"
matches "CACHEDIR.TAG" "$HF_HOME/hub/CACHEDIR.TAG" "^Signature: 8a477f597d28d172789f06886806bc55$"
same "nothing is left behind" "" "$(find "$HF_HOME" -name '*.incomplete' -o -name '*.new-*')"
same "large files come from elsewhere" 2 "$(requests | grep -vc "^${endpoint##*:} ")"

new_log
expect "again" 0 pull org/tiny
matches "again: nothing is downloaded" "$err" "nothing had to be downloaded"
same "again: no progress" 0 "$(grep -c "^download" "$err")"
same "again: one request" 1 "$(requests | wc -l)"
expect "--json" 0 pull org/tiny --json
same "--json: what it says" "org/tiny main $commit $snapshot 0 4 True" "$(field "$out" 'j["model"], j["revision"], j["commit"], j["path"], j["received"], len(j["files"]), all(f["cached"] for f in j["files"])' | tr -d "(),'")"
rm "$snapshot/config.json"
expect "a name that is missing" 0 pull org/tiny -q
same "a name that is missing: is made again" "" "$(cmp "$snapshot/config.json" $tiny/config.json 2>&1)"
same "-q: nothing on stderr" "" "$(cat "$err")"

# ---- -m ORG/NAME ----

answer() { HF_ENDPOINT=http://127.0.0.1:1 "$ITHACA" run "$@" -p hi -n 4 --temp 0 --json -q; }
expected=$(answer $tiny | python3 -c 'import json, sys; print(json.load(sys.stdin)["logits_sha256"])')
new_log
expect "run ORG/NAME" 0 answer org/tiny
same "run ORG/NAME: the same bits" "$expected" "$(field "$out" 'j["logits_sha256"]')"
same "run ORG/NAME: its name" tiny "$(field "$out" 'j["model"]["name"]')"
same "run ORG/NAME: no request" 0 "$(requests | wc -l)"
expect "run, the path that pull printed" 0 answer "$snapshot"
same "run, the path that pull printed: its name" tiny "$(field "$out" 'j["model"]["name"]')"
for command in "tokenize -p hi" inspect "plan --nodes 1"; do
    # shellcheck disable=SC2086 # words on purpose
    expect "$command ORG/NAME" 0 "$ITHACA" $command -m org/tiny
done
expect "pack ORG/NAME" 0 "$ITHACA" pack org/tiny -o "$work/model.ith" -q
expect "pack over the cached file" 1 "$ITHACA" pack org/tiny -o "$snapshot/model.safetensors" --force -q
mkdir -p "$work/here/org"
cp -r $tiny "$work/here/org/tiny" && echo '{}' >"$work/here/org/tiny/config.json"
fails "a local path wins" "org/tiny/config\.json" env -C "$work/here" "$ITHACA" inspect org/tiny
fails "not there" "org/none: no such file or folder, nor .* in $HF_HOME/hub; to download it: ithaca pull org/none$" "$ITHACA" inspect org/none
fails "not there, with a tag" "to download it: ithaca pull org/none:Q8_0$" "$ITHACA" inspect org/none:Q8_0
fails "a file that is not there" "models/none.gguf: No such file" "$ITHACA" inspect models/none.gguf
mv "$HF_HOME" "$work/moved"
HF_HUB_CACHE=$work/moved/hub expect "HF_HUB_CACHE" 0 "$ITHACA" tokenize org/tiny -p hi
HF_HOME='' XDG_CACHE_HOME=$work expect "XDG_CACHE_HOME: not there" 1 "$ITHACA" tokenize org/tiny -p hi
mv "$work/moved" "$work/huggingface"
HF_HOME='' XDG_CACHE_HOME=$work expect "XDG_CACHE_HOME" 0 "$ITHACA" tokenize org/tiny -p hi
HF_HOME='~/huggingface' HOME=$work expect "a tilde" 0 "$ITHACA" tokenize org/tiny -p hi
forget

# ---- Revisions ----

expect "--revision" 0 pull org/tiny --revision v1
same "--revision: refs" "v1" "$(ls "$(cached org/tiny)/refs")"
expect "@REVISION" 0 "$ITHACA" tokenize org/tiny@v1 -p hi
fails "main was not pulled" "ithaca pull org/tiny$" "$ITHACA" inspect org/tiny
expect "a commit" 0 pull "org/tiny@$commit"
same "a commit: no ref" "v1" "$(ls "$(cached org/tiny)/refs")"
expect "@COMMIT" 0 "$ITHACA" tokenize "org/tiny@$commit" -p hi
fails "no such revision" "org/tiny@v2: it has no such revision" pull org/tiny@v2
forget

# ---- GGUF files ----

gguf=$hub/root/org/gguf
mkdir -p "$gguf/parts"
cp tests/golden/llama-gqa3-q4_0.gguf "$gguf/Model-Q4_0.gguf"
cp tests/golden/llama-gqa3-q8_0.gguf "$gguf/Model-Q8_0.gguf"
for name in Model-IQ4_0 Model-Q4_0_L mmproj-Model-Q8_0 Model.imatrix parts/Model-F16-00001-of-00003 parts/Model-F16-00002-of-00003 parts/Model-F16-00003-of-00003; do
    head -c 2000 /dev/urandom >"$gguf/$name.gguf"
done
chosen() { "$ITHACA" pull "$@" --dry-run --json | python3 -c 'import json, sys; print(*[f["name"] for f in json.load(sys.stdin)["files"]])'; }
same "a tag" Model-Q4_0.gguf "$(chosen org/gguf:Q4_0)"
same "a tag, lower case" Model-Q4_0.gguf "$(chosen org/gguf:q4_0)"
same "a file" Model-Q4_0_L.gguf "$(chosen org/gguf:Model-Q4_0_L.gguf)"
same "without a tag: Q8_0, no projector" Model-Q8_0.gguf "$(chosen org/gguf)"
same "all parts" "parts/Model-F16-00001-of-00003.gguf parts/Model-F16-00002-of-00003.gguf parts/Model-F16-00003-of-00003.gguf" "$(chosen org/gguf:F16)"
same "all parts, by one of them" 3 "$(chosen org/gguf:Model-F16-00002-of-00003.gguf | wc -w)"
same "any file" mmproj-Model-Q8_0.gguf "$(chosen org/gguf:mmproj-Model-Q8_0.gguf)"
fails "no such tag" "org/gguf: no file has the name or tag Q9; there are Model-IQ4_0.gguf, " pull org/gguf:Q9
cp "$gguf/Model-Q8_0.gguf" "$gguf/Other-Q8_0.gguf"
fails "two files" "several files could be meant; name one, as in org/gguf:FILE: Model-Q8_0.gguf, Other-Q8_0.gguf$" pull org/gguf
rm "$gguf/Other-Q8_0.gguf"
cp "$gguf/Model-Q4_0.gguf" "$gguf/Model-Q4_K_M.gguf"
same "without a tag: Q4_K_M first" Model-Q4_K_M.gguf "$(chosen org/gguf)"
rm "$gguf/Model-Q4_K_M.gguf"
expect "a GGUF file" 0 pull org/gguf:Q4_0
same "a GGUF file: its path" "Model-Q4_0.gguf" "$(basename "$(cat "$out")")"
expect "the only one there is" 0 "$ITHACA" inspect org/gguf
expect "by its tag" 0 "$ITHACA" inspect org/gguf:q4_0
fails "another one" "org/gguf:Q8_0, in .*no file has the name or tag Q8_0; there are Model-Q4_0.gguf" "$ITHACA" inspect org/gguf:Q8_0
expect "another one" 0 pull org/gguf
same "without a tag: what pull chooses" "$("$ITHACA" inspect "$gguf/Model-Q8_0.gguf" --json | md5sum)" \
    "$("$ITHACA" inspect org/gguf --json | sed "s|$(cached org/gguf)/snapshots/[0-9a-f]*|$gguf|" | md5sum)"
rm "$gguf/parts/Model-F16-00002-of-00003.gguf"
fails "a file is missing" "org/gguf: file 2 of 3 is missing: parts/Model-F16-00002-of-00003.gguf" pull org/gguf:F16
mkdir -p "$hub/root/org/bin"
echo '{}' | tee "$hub/root/org/bin/config.json" >"$hub/root/org/bin/pytorch_model.bin"
fails "only PyTorch weights" "only PyTorch weights \(pytorch_model.bin\)" pull org/bin
mkdir -p "$hub/root/org/docs" && echo hi >"$hub/root/org/docs/README.md"
fails "no model" "no model that Ithaca reads" pull org/docs
forget

# A file deep down
mkdir -p "$hub/root/org/deep/1/2/3/4/5/6/7" && cp "$gguf/Model-Q4_0.gguf" "$hub/root/org/deep/1/2/3/4/5/6/7/deep-Q4_0.gguf"
expect "a file deep down" 0 pull org/deep:Q4_0
expect "a file deep down: is found" 0 "$ITHACA" inspect org/deep
mkdir -p "$(cached org/deep)/snapshots/$commit/$(printf 'x/%.0s' {1..40})"
echo "$commit" >"$(cached org/deep)/refs/main"
fails "folders without end" "snapshots/$commit: it has more than 100000 files, or folders inside folders more than 32 deep" "$ITHACA" inspect org/deep
forget

# Shards: those that the index names
shards=$hub/root/org/shards
mkdir "$shards" && cp $tiny/*.json "$shards"
for name in model-1-of-2 model-2-of-2 consolidated; do head -c 3000 /dev/urandom >"$shards/$name.safetensors"; done
echo '{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors", "c": "model-1-of-2.safetensors"}}' >"$shards/model.safetensors.index.json"
same "shards" "model-1-of-2.safetensors model-2-of-2.safetensors " "$(chosen org/shards | tr ' ' '\n' | grep safetensors$ | tr '\n' ' ')"
expect "shards: pulled" 0 pull org/shards
echo '{"weight_map": {"a": "../../../x.safetensors"}}' >"$shards/model.safetensors.index.json"
fails "an index that leads out" "tensor a should be in ../../../x.safetensors, which is not in the repository" pull org/shards
echo '[]' >"$shards/model.safetensors.index.json"
fails "an index that is none" "weight_map.* is missing" pull org/shards
forget

# ---- --dry-run, offline ----

expect "--dry-run" 0 pull org/tiny --dry-run
matches "--dry-run: what it lists" "$out" "^ +55 kB  model.safetensors$"
same "--dry-run: nothing is made" "" "$(find "$HF_HOME" 2>/dev/null)"
new_log
HF_HUB_OFFLINE=1 fails "offline" "HF_HUB_OFFLINE is set" pull org/tiny
same "offline: no request" 0 "$(requests | wc -l)"

# ---- Names ----

for name in tiny /tiny org/ org/tiny/more ../tiny org/.. 'org/ti ny' 'org/--tiny' 'org/tiny:' 'org/tiny:../x' 'org/tiny:/x' 'org/tiny@' 'org/tiny@..' 'org/tiny@a b' \
    "org/$(printf 'x%.0s' {1..100})" $'org/ti\nny'; do
    expect "the name \"$name\"" 2 pull "$name"
    same "the name \"$name\": one line" 1 "$(wc -l <"$err")"
done
expect "--revision .." 2 pull org/tiny --revision ../x
HF_ENDPOINT=ftp://127.0.0.1 expect "HF_ENDPOINT ftp:" 2 pull org/tiny
for address in ftp://user:secret@127.0.0.1 user:secret@127.0.0.1 http://user:secret@127.0.0.1:1?secret; do
    HF_ENDPOINT=$address expect "HF_ENDPOINT $address" 2 pull org/tiny
    same "HF_ENDPOINT $address: is not shown" 0 "$(grep -c 'sec' "$err")"
done
HF_ENDPOINT=http://user:1/secret@127.0.0.1 fails "HF_ENDPOINT with a slash in its password" "org/tiny: http://127.0.0.1: " pull org/tiny
same "HF_ENDPOINT with a slash in its password: is not shown" 0 "$(grep -c secret "$err")"
HF_ENDPOINT=http://user:secret@127.0.0.1:1 fails "HF_ENDPOINT with a password" "org/tiny: http://127.0.0.1:1: .*onnect" pull org/tiny
same "HF_ENDPOINT with a password: is not shown" 0 "$(grep -c secret "$err")"
HF_TOKEN=$'a\r\nX-Evil: 1' expect "a token of two lines" 2 pull org/tiny
same "names: nothing is made" "" "$(find "$HF_HOME" 2>/dev/null)"

# ---- Tokens ----

cp -r $tiny "$hub/root/gated/tiny"
cp -r $tiny "$hub/root/private/tiny"
new_log
fails "gated, no token" "gated/tiny: access is granted on request only: accept the terms at $endpoint/gated/tiny, and set HF_TOKEN" pull gated/tiny
HF_TOKEN=hf_bad fails "gated, another's token" "accept the terms at $endpoint/gated/tiny, as the user whose token" pull gated/tiny
fails "private, no token" "private/tiny: no such model on $endpoint, or it is private and needs a token in HF_TOKEN" pull private/tiny
fails "not on the hub" "org/none: no such model on $endpoint" pull org/none
HF_TOKEN=hf_bad fails "not on the hub, with a token" "or it is private and the token in use does not open it" pull org/none
new_log
HF_TOKEN=hf_good expect "gated, the right token" 0 pull gated/tiny
same "the token is sent to the hub" 0 "$(requests | grep "^${endpoint##*:} " | grep -vc token=hf_good)"
same "the token is sent to nobody else" 0 "$(requests | grep -v "^${endpoint##*:} " | grep -c token=)"
same "others were asked" 2 "$(requests | grep -vc "^${endpoint##*:} ")"
forget
mkdir -p "$HF_HOME" && echo hf_good >"$HF_HOME/token"
expect "the token of hf auth login" 0 pull gated/tiny --dry-run
HF_HUB_DISABLE_IMPLICIT_TOKEN=1 expect "HF_HUB_DISABLE_IMPLICIT_TOKEN" 1 pull gated/tiny --dry-run
mv "$HF_HOME/token" "$work/token"
HF_TOKEN_PATH=$work/token expect "HF_TOKEN_PATH" 0 pull gated/tiny --dry-run
HF_TOKEN_PATH='~/token' HOME=$work expect "HF_TOKEN_PATH with a tilde" 0 pull gated/tiny --dry-run
forget

# ---- Redirections ----

cp -r $tiny "$hub/root/new"
mkdir "$hub/root/new.d" && mv "$hub/root/new" "$hub/root/new.d/tiny" && mv "$hub/root/new.d" "$hub/root/new"
HF_TOKEN=hf_good expect "a repository that was renamed" 0 pull old/tiny
same "a repository that was renamed: under the name that was asked for" 4 "$(ls "$(cached old/tiny)"/snapshots/* | wc -l)"
forget
fault "9 config.json to ftp://127.0.0.1/x"
fails "a redirection to ftp" "away from https: ftp://127.0.0.1/x" pull org/tiny
fault "9 config.json to ftp://user:secret@127.0.0.1/x?key=secret"
fails "a redirection to ftp with a password" "away from https: ftp://127.0.0.1/x\?\.\.\.$" pull org/tiny
fault "99 config.json to $endpoint/org/tiny/resolve/main/config.json"
fails "a redirection without end" "too many redirections" pull org/tiny
forget

# ---- Downloads that fail, and go on ----

bytes=$(stat -c %s $tiny/model.safetensors)
new_log
fault "1 model.safetensors cut 20000"
expect "cut once" 0 pull org/tiny
same "cut once: the rest is asked for" 1 "$(requests | grep -c 'tiny//model.safetensors 206 range=bytes=20000-')"
forget
fault "9 model.safetensors cut 10000"
fails "cut again and again" "org/tiny: model.safetensors: $endpoint: " pull org/tiny
same "cut again and again: what has come stays" 50000 "$(stat -c %s "$(partial org/tiny)")"
same "cut again and again: no name yet" "" "$(ls "$(cached org/tiny)/snapshots" "$(cached org/tiny)/refs" 2>/dev/null)"
fault
new_log
expect "the rest" 0 pull org/tiny --json
same "the rest: no more than that" $((bytes - 50000)) "$(field "$out" 'j["received"]')"
same "the rest: one request" 1 "$(requests | grep -c '//model.safetensors 206 range=bytes=50000-')"
forget
for status in 429 500 503; do
    new_log
    fault "2 model.safetensors status $status 0"
    expect "status $status twice" 0 pull org/tiny
    same "status $status twice: three requests" 3 "$(requests | grep -c 'resolve/.*/model.safetensors')"
    forget
done
fault "1 revision/main status 503 0"
expect "status 503 for the list" 0 pull org/tiny
forget
fault "99 revision/main status 429 0"
fails "status 429 for ever" "too many requests for $endpoint \(status 429\): try again later, or set HF_TOKEN" pull org/tiny
fault "99 model.safetensors status 418"
fails "status 418" "model.safetensors: $endpoint answers with status 418" pull org/tiny
fault "1 //model.safetensors status 403"
expect "an address elsewhere that has expired" 0 pull org/tiny
forget

fault "99 model.safetensors wrong"
fails "wrong bytes" "model.safetensors: wrong checksum: [0-9a-f]{64} instead of $sha256; it was removed" pull org/tiny
same "wrong bytes: removed" "" "$(partial org/tiny)"
fault "99 /config.json wrong"
fails "wrong bytes in a small file" "config.json: wrong checksum: [0-9a-f]{40} instead of $(git hash-object $tiny/config.json)" pull org/tiny
forget
fault
mkdir -p "$(cached org/tiny)/blobs"
head -c 30000 /dev/zero >"$(cached org/tiny)/blobs/$sha256.incomplete"
expect "what was left is wrong" 0 pull org/tiny --json
same "what was left is wrong: then all of it" $((2 * bytes - 30000)) "$(field "$out" 'j["received"] - sum(f["bytes"] for f in j["files"] if f["name"] != "model.safetensors")')"
forget
mkdir -p "$(cached org/tiny)/blobs"
cp $tiny/model.safetensors "$(cached org/tiny)/blobs/$sha256.incomplete"
new_log
expect "all of it was left" 0 pull org/tiny
same "all of it was left: no request" 0 "$(requests | grep -c model.safetensors)"
forget
mkdir -p "$(cached org/tiny)/blobs"
head -c 90000 /dev/zero >"$(cached org/tiny)/blobs/$sha256.incomplete"
expect "too much was left" 0 pull org/tiny
forget
mkdir -p "$(cached org/tiny)/blobs"
head -c 30000 $tiny/model.safetensors >"$(cached org/tiny)/blobs/$sha256.incomplete"
fault "1 model.safetensors whole"
expect "a server without ranges" 0 pull org/tiny --json
same "a server without ranges: all comes" True "$(field "$out" "j['received'] == sum(f['bytes'] for f in j['files'])")"
forget
mkdir -p "$(cached org/tiny)/blobs"
ln -s "$work/precious" "$(cached org/tiny)/blobs/$sha256.incomplete"
fails "a link in place of what was left" "incomplete" pull org/tiny
same "a link in place of what was left: not followed" "" "$(ls "$work/precious" 2>/dev/null)"
forget
fault "99 model.safetensors longer"
fails "too many bytes" "sends more than the $bytes bytes" pull org/tiny
forget
fault "99 model.safetensors short 1000"
fails "a transfer that ends early each time" "ends the transfer early each time" pull org/tiny
forget
fault "1 model.safetensors stall 20000"
HF_HUB_DOWNLOAD_TIMEOUT=1 expect "nothing more comes" 0 pull org/tiny
forget
HF_ENDPOINT=http://127.0.0.1:1 fails "no server" "org/tiny: http://127.0.0.1:1: .*onnect" pull org/tiny

# Two files of one content
mkdir "$hub/root/org/twice" && cp $tiny/*.json $tiny/*.safetensors "$hub/root/org/twice"
echo '{}' | tee "$hub/root/org/twice/generation_config.json" >"$hub/root/org/twice/special_tokens_map.json"
fault
expect "two files of one content" 0 pull org/twice
same "two files of one content: one blob" 5 "$(ls "$(cached org/twice)/blobs" | wc -l)"
forget

# ---- Stopped, killed, at the same time ----

for signal in INT TERM; do
    ITHACA_TEST_HOOK="download 20000 $signal" expect "SIG$signal: exit status" $((128 + $(kill -l $signal))) pull org/tiny
    same "SIG$signal: one line" "ithaca: stopped; run the same command again to resume the download" "$(grep -v '^download ' "$err")"
    same "SIG$signal: what has come stays" yes "$( (($(stat -c %s "$(partial org/tiny)") >= 20000)) && echo yes)"
    new_log
    expect "SIG$signal: goes on" 0 pull org/tiny
    same "SIG$signal: with the rest" 1 "$(requests | grep -c '//model.safetensors 206')"
    forget
done
ITHACA_TEST_HOOK="download 20000 KILL" "$ITHACA" pull org/tiny >"$out" 2>"$err"
same "SIGKILL: what has come stays" yes "$( (($(stat -c %s "$(partial org/tiny)") >= 20000)) && echo yes)"
expect "SIGKILL: goes on" 0 pull org/tiny
forget

ITHACA_TEST_HOOK="download 20000 $work/held" "$ITHACA" pull org/tiny >"$work/first" 2>&1 &
first=$!
holding "$work/held" $first
new_log
"$ITHACA" pull org/tiny >"$work/second" 2>&1 &
second=$!
until requests | grep -q revision/main || ! kill -0 $second 2>/dev/null; do sleep 0.05; done
echo go >"$work/held"
wait $first
same "at the same time: the first is done" 0 $?
wait $second
same "at the same time: the second is done" 0 $?
same "at the same time: one download" 0 "$(requests | grep -c '//model.safetensors')"
forget

# ---- A list that is not to be trusted ----

listing() { printf '%s' "$1" >"$hub/root/org/evil/.listing.json"; }
evil() { # NAME REGEX LISTING
    listing "$3"
    fails "$1" "$2" pull org/evil
}
mkdir "$hub/root/org/evil" && cp $tiny/* "$hub/root/org/evil"
sha=$(printf 'a%.0s' {1..40})
for name in ../../../../escape.gguf /etc/escape.gguf a/../../b.gguf ..; do
    evil "a list with $name" "a file that no repository can have: \"$name\"" "{\"sha\": \"$sha\", \"siblings\": [{\"rfilename\": \"$name\"}]}"
done
evil "a name with control characters" "no model that Ithaca reads" "{\"sha\": \"$sha\", \"siblings\": [{\"rfilename\": \"a\\u001b[31m.gguf\", \"size\": 1}]}"
evil "a commit that leads out" "no description of a model" '{"sha": "../../../../x", "siblings": []}'
evil "no list" "no description of a model" '{"sha": "'"$sha"'"}'
evil "a list of numbers" "no such list" '{"sha": "'"$sha"'", "siblings": [1]}'
evil "a size below zero" "size" '{"sha": "'"$sha"'", "siblings": [{"rfilename": "a.gguf", "size": -1}]}'
evil "not JSON" "org/evil" '<html>'
digest=$(printf 'b%.0s' {1..64})
evil "more than the disk holds" "left to download, and .* free in " '{"sha": "'"$sha"'", "siblings": [{"rfilename": "a.gguf", "size": 4000000000000000000, "lfs": {"sha256": "'"$digest"'", "size": 4000000000000000000}}]}'
evil "sums that overflow" "larger than any disk" '{"sha": "'"$sha"'", "siblings": [{"rfilename": "a-00001-of-00002.gguf", "size": 9000000000000000000, "blobId": "'"$sha"'"}, {"rfilename": "a-00002-of-00002.gguf", "size": 9000000000000000000, "blobId": "'"$sha"'"}]}'
evil "a sum that overflows at the second file" "larger than any disk" '{"sha": "'"$sha"'", "siblings": [{"rfilename": "a-00001-of-00002.gguf", "size": 4000000000000000000, "blobId": "'"$sha"'"}, {"rfilename": "a-00002-of-00002.gguf", "size": 9000000000000000000, "blobId": "'"$sha"'"}]}'
evil "a digest that is a path" "no such revision" '{"sha": "'"$sha"'", "siblings": [{"rfilename": "a.gguf", "size": 10, "blobId": "../../../../x"}]}'
same "nothing outside the cache" "" "$(find "$work" -name 'escape*' -o -name x)"
rm "$hub/root/org/evil/.listing.json"
forget

# Without sizes and digests in the list, each file is asked for
new_log
fault "9 revision/main no-digests"
expect "a list of names alone" 0 pull org/tiny
same "a list of names alone: asked for each" 4 "$(requests | grep -c ' HEAD ')"
same "a list of names alone: the same blobs" "../../blobs/$sha256" "$(readlink "$(cat "$out")/model.safetensors")"
forget

# ---- TLS ----

fault
if openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key" -out "$work/cert" -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 2>/dev/null; then
    mkdir "$hub/root/org/small"
    echo '{}' | tee "$hub/root/org/small/config.json" >"$hub/root/org/small/model.safetensors"
    start_hub "$work/cert" "$work/key"
    fails "a certificate that nobody knows" "org/small: https://127.0.0.1:[0-9]*: .*certificate" pull org/small
    SSL_CERT_FILE=$work/cert expect "SSL_CERT_FILE" 0 pull org/small
    SSL_CERT_FILE=$work/cert fails "from https to http" "a redirection away from https: http://127.0.0.1" pull org/tiny
    start_hub
    forget
else
    ok "TLS # SKIP no openssl command"
fi

# ---- huggingface_hub ----

if command python3 -c 'import huggingface_hub' 2>/dev/null; then
    python() { HF_HUB_DISABLE_XET=1 HF_HUB_DISABLE_TELEMETRY=1 command python3 "$@"; }
    expect "for huggingface_hub" 0 pull org/tiny
    same "huggingface_hub finds it" "$(cat "$out")" "$(HF_HUB_OFFLINE=1 python -c 'from huggingface_hub import snapshot_download as s; print(s("org/tiny"))' 2>"$err")"
    forget
    python -c 'from huggingface_hub import snapshot_download as s; s("org/tiny")' >"$out" 2>"$err"
    expect "what huggingface_hub has downloaded" 0 pull org/tiny --json
    same "what huggingface_hub has downloaded is not downloaded again" 0 "$(field "$out" 'j["received"]')"
    expect "what huggingface_hub has downloaded runs" 0 answer org/tiny
else
    ok "huggingface_hub # SKIP it is not installed"
fi

#!/bin/bash
# batch.sh - many requests at a time: the answers are those of one at a time, on any number of ranks and whenever the run is
# killed; nothing is lost or there twice; what is not understood is refused by name, line by line.
. tests/tap.sh

# 20 requests: texts, conversations and token ids of many lengths, greedy and drawn
python3 - "$work/in" <<'EOF'
import json, random, sys
random.seed(5)
words = [l.strip() for l in open("tests/models/needle-qwen3/README.md").read().split() if l.isalpha()]
with open(sys.argv[1], "w") as f:
    for i in range(20):
        body = {"max_tokens": random.choice([1, 3, 8, 20]), "ignore_eos": True, "model": "any"}
        text = " ".join(random.choice(words) for _ in range([2, 30, 400, 90, 700][i % 5]))
        if i % 3 == 0:
            body["messages"] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
        elif i % 3 == 1:
            body["prompt"] = text
        else:
            body["prompt"] = [random.randrange(200) for _ in range(5 + 37 * i)]
        if i % 4 == 1:
            body.update(temperature=0.8, top_p=0.9, seed=i)
        if i % 4 == 2:
            body.update(temperature=1.1, top_k=40)
        print(json.dumps({"custom_id": f"request-{i}", "method": "POST", "body": body,
                          "url": "/v1/chat/completions" if i % 3 == 0 else "/v1/completions"}), file=f)
        if i == 7:
            print("   ", file=f)
EOF
batch=("$ITHACA" batch $NEEDLE --threads 1 --ctx 8192 -q --input "$work/in")
sorted() { or_fail sort "$1"; }

expect "one at a time" 0 "${batch[@]}" --output "$work/one" --in-flight 1
want=$(sorted "$work/one")
same "one at a time: a line each" 20 "$(wc -l <"$work/one")"
same "one at a time: all are answered" 20 "$(grep -c '"status_code":200' "$work/one")"
expect "sixteen at a time" 0 "${batch[@]}" --output "$work/many" --json
same "sixteen at a time: the same" "$want" "$(sorted "$work/many")"
same "the summary" "(20, 0, 20, 0, True)" "$(field "$out" "j['lines'], j['done_before'], j['written'], j['failed'], j['steps'] < 400")"
# Answers that repeat their prompts
for i in 1 2 3; do
    echo "{\"custom_id\": \"$i\", \"body\": {\"prompt\": $(python3 -c "print([5, 6, 7, $i] * 40)"), \"max_tokens\": 40, \"temperature\": 0, \"ignore_eos\": true}}"
done >"$work/repeat"
repeat=("${batch[@]:0:${#batch[@]}-1}" "$work/repeat" --json --ordered)
expect "without guesses" 0 "${repeat[@]}" --speculate off -o "$work/plain"
same "without guesses: none" "(0, 0)" "$(field "$out" "j['drafted'], j['accepted']")"
expect "with guesses" 0 "${repeat[@]}" -o "$work/guessed"
same "with guesses: some are right, and save steps" True "$(field "$out" "j['drafted'] >= j['accepted'] > 0 and j['steps'] < 40")"
same "with guesses: the same" "$(cat "$work/plain")" "$(cat "$work/guessed")"

expect "in order" 0 "${batch[@]}" --output "$work/ordered" --ordered --chunk 64
same "in order: as the input" "$(cat "$work/one")" "$(cat "$work/ordered")"
expect "again" 0 "${batch[@]}" --output "$work/many" --json
same "again: nothing is computed" "(20, 20, 0, 0)" "$(field "$out" "j['lines'], j['done_before'], j['written'], j['steps']")"
same "again: nothing is added" "$want" "$(sorted "$work/many")"

# The answers of run
python3 -c '
import json, sys
lines = [json.loads(l) for l in open(sys.argv[1]) if l.strip()]
print(lines[1]["body"]["prompt"], end="")' "$work/in" >"$work/text"
tokens=$(field <(sed -n 2p "$work/in") "j['body']['max_tokens']")
expect "run" 0 "$ITHACA" run $NEEDLE --raw -f "$work/text" -n "$tokens" --temp 0.8 --top-p 0.9 --seed 1 --ignore-eos --threads 1 --json -q
same "run answers the same" "$(field "$out" "j['text']")" \
    "$(field <(grep '"request-1"' "$work/one") "j['response']['body']['choices'][0]['text']")"

# Killed again and again, a torn line among others
for ranks in 1 2; do
    on=() n=0
    [[ $ranks == 1 ]] || on=(scripts/on_ranks.sh $ranks)
    while ITHACA_TEST_HOOK="prompt 3 KILL" "${on[@]}" "${batch[@]}" --output "$work/killed$ranks" --in-flight 5 >"$out" 2>"$err"; [[ $? == 137 && $n -lt 20 ]]; do
        n=$((n + 1))
        flock "$work/killed$ranks" true # no rank is left
        [[ $n != 2 ]] || printf '{"id":"batch_req_1","custom' >>"$work/killed$ranks"
        [[ $n != 3 ]] || printf '{"i' >>"$work/killed$ranks"
    done
    same "killed, $ranks ranks: six times" 6 "$n"
    expect "killed, $ranks ranks: goes on" 0 "${on[@]}" "${batch[@]}" --output "$work/killed$ranks"
    same "killed, $ranks ranks: nothing is lost or doubled" "$want" "$(sorted "$work/killed$ranks")"
done
# What is left of a line after a kill, or of the last one after the machine has lost power
line=$(tail -n 1 "$work/killed1")
for torn in '{"id":"ba' "${line:0:99}\0\0\0" '\0\0\0\0' '\0\0\0\n' "${line:0:50}\0\0\0\0${line:54}\n" '\0\0'"${line:2}\n"; do
    printf "${torn//%/%%}" >>"$work/killed1"
    expect "a torn line is cut off" 0 "${batch[@]}" --output "$work/killed1"
    same "a torn line: the same" "$want" "$(sorted "$work/killed1")"
    sed -i '$d' "$work/killed1" # it is answered again
done
head -c 5000 /dev/zero >"$work/zeros"
expect "an output of zeros alone" 0 "${batch[@]}" --output "$work/zeros" --ordered --in-flight 1
same "an output of zeros alone: all are answered" "$(cat "$work/one")" "$(cat "$work/zeros")"

# In the order of the input, and stopped by a signal
expect "stopped" 75 env ITHACA_TEST_HOOK="prompt 12 TERM" "${batch[@]}" --output "$work/stopped" --ordered --in-flight 2
code=0
ITHACA_TEST_HOOK="prompt 4 TERM" timeout --kill-after=5 600 scripts/on_ranks.sh 2 "${batch[@]}" --output "$work/stopped2" >"$out" 2>"$err" || code=$?
same "stopped, 2 ranks: both end" 75 "$code"
expect "stopped: goes on" 0 scripts/on_ranks.sh 2 "${batch[@]}" --output "$work/stopped" --ordered --in-flight 3
same "stopped: the same" "$(cat "$work/one")" "$(cat "$work/stopped")"

# Jobs of an array share the input and a prompt cache
for k in 1 2 3; do
    expect "shard $k" 0 "${batch[@]}" --output "$work/shard$k" --shard $k/3 --prompt-cache "$work/cache" --json
done
same "shards: the same" "$want" "$(cat "$work"/shard? | sort)"
expect "from the prompt cache" 0 "${batch[@]}" --output "$work/cached" --prompt-cache "$work/cache" --json
same "from the prompt cache: the same" "$want" "$(sorted "$work/cached")"
same "from the prompt cache: something was read" True "$(field "$out" "j['restored_tokens'] > 1000")"

# A model without a tokenizer answers with ids
for i in 1 2 3 4; do
    echo "{\"custom_id\": \"$i\", \"body\": {\"prompt\": [$i, 5, 7], \"max_tokens\": $((9 * i)), \"ignore_eos\": true}}"
done >"$work/ids"
ids=("$ITHACA" batch synthetic:tests/models/windows/config.json:q8_0 --threads 1 -q -i "$work/ids" --ordered)
expect "ids, one at a time" 0 "${ids[@]}" -o "$work/ids1" --in-flight 1
expect "ids, together" 0 scripts/on_ranks.sh 2 "${ids[@]}" -o "$work/ids4"
same "ids: the same" "$(cat "$work/ids1")" "$(cat "$work/ids4")"
same "ids: all are there" "[9, 18, 27, 36]" "$(or_fail python3 -c '
import json, sys
print([len(json.loads(l)["response"]["body"]["choices"][0]["token_ids"]) for l in open(sys.argv[1])])' "$work/ids1")"

# ---- What is refused, line by line ----
python3 - "$work/bad" >"$work/params" <<'EOF'
import itertools, json, sys
chat = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
number = itertools.count()
def line(param, **more):
    body = dict(chat, **more.pop("body", {}))
    return param, json.dumps(dict({"custom_id": f"c{next(number)}", "body": body}, **more))
lines = []
for param, body in [("body.n", {"n": 2}), ("body.stream", {"stream": True}), ("body.tools", {"tools": [{}]}),
                    ("body.temperature", {"temperature": -1}), ("body.temperature", {"temperature": "hot"}),
                    ("body.max_tokens", {"max_tokens": 0}), ("body.max_tokens", {"max_tokens": 1.5}),
                    ("body.max_tokens", {"max_tokens": 10**30}), ("body.top_p", {"top_p": 1.5}), ("body.top_p", {"top_p": float("nan")}),
                    ("body.seed", {"seed": "x"}), ("body.stop", {"stop": ""}), ("body.stop", {"stop": ["a"] * 17}),
                    ("body.stop", {"stop": "a\0b"}), ("body.messages", {"messages": []}), ("body.messages", {"messages": [1]}),
                    ("body.messages", {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}),
                    ("body.response_format", {"response_format": {"type": "xml"}}), ("body.logit_bias", {"logit_bias": {"5": 1}}),
                    ("body.frequency_penalty", {"frequency_penalty": 0.5}), ("body.dance", {"dance": 1}), ("body.prompt", {"prompt": "x"})]:
    lines.append(line(param, body=body))
lines.append(line("url", url="/v1/embeddings"))
lines.append(line("method", method="GET"))
lines.append(line("custom_id", custom_id=""))
lines.append(line("custom_id", custom_id=["a"]))
lines.append(line("sing", sing=1))
lines.append(line("body.x" + 23 * "\u00e9" + "\ufffd", body={"x" + 40 * "\u00e9": 1})) # a long name is cut, here within a letter
for param, text in [("None", "{"), ("None", "[]"), ("None", "null"), ("None", "[" * 5000), ("None", "\x00\x01"), ("None", '{"custom_id": "\xff"}'),
                    ("body", '{"custom_id": "a0"}'), ("body", '{"custom_id": "a1", "body": 7}'),
                    ("body.prompt", '{"custom_id": "a2", "body": {"max_tokens": 3}}'),
                    ("body.prompt", '{"custom_id": "a3", "body": {"prompt": ["a", "b"]}}'),
                    ("body.prompt", '{"custom_id": "a4", "body": {"prompt": [-1]}}'),
                    ("None", '{"custom_id": "a5", "body": {"prompt": [70000]}}'),
                    ("None", '{"custom_id": "a6", "body": {"prompt": ""}}'),
                    ("None", '{"custom_id": "a7", "body": {"prompt": %s}}' % ([1] * 9000))]:
    lines.append((param, text))
lines.append(("ok", json.dumps({"custom_id": "good", "body": dict(chat, n=1, stream=False, stop=None, user="u", temperature=0,
    messages=[{"role": "user", "content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]}])})))
lines.append(("None", '{"custom_id": "deep", "body": {"metadata": %s, "prompt": "a"}}' % ("[" * 101 + "]" * 101)))
with open(sys.argv[1], "wb") as f:
    f.write(b"\n".join(text.encode("latin-1") for _, text in lines))
print([param for param, _ in lines])
EOF
expect "hostile lines" 0 "$ITHACA" batch $NEEDLE --threads 1 --ctx 8192 -i "$work/bad" -o "$work/errors" --ordered -q
same "hostile lines: what is wrong" "$(cat "$work/params")" "$(or_fail python3 -c '
import json, sys
def what(l):
    r = json.loads(l)["response"]
    return str(r["body"]["error"]["param"]) if r["status_code"] == 400 else "ok"
print([what(l) for l in open(sys.argv[1])])' "$work/errors")"
matches "hostile lines: said so" "$err" "warning: 43 requests have an error"

# ---- Files ----
echo "my notes" >"$work/notes"
expect "an output of something else" 1 "${batch[@]}" --output "$work/notes"
matches "an output of something else: said so" "$err" "line 1 was not written by ithaca batch"
sed -n '1s/batch_req_1"/batch_req_999999999999"/p' "$work/one" >"$work/far"
expect "an output of a longer input" 1 "${batch[@]}" --output "$work/far"
matches "an output of a longer input: said so" "$err" "line 1 answers line 999999999999 of an input, which this one does not have"
printf 'my notes' >"$work/notes"
expect "the same without a line end" 1 "${batch[@]}" --output "$work/notes"
same "it stays" "my notes" "$(cat "$work/notes")"
{ cat "$work/in" && echo && sed -n 3p "$work/in" | sed 's/"body"/ "body"/'; } >"$work/twice"
expect "one custom_id in two lines" 1 "$ITHACA" batch "$work/nothing" -i "$work/twice" -o "$work/of-twice"
matches "one custom_id in two lines: which" "$err" "lines 3 and [0-9]+ have the same custom_id"
same "one custom_id in two lines: nothing is written" 0 "$(stat -c %s "$work/of-twice")"
sed 's/request-/other-/' "$work/in" >"$work/other"
# Before the model is loaded: this one is not there
expect "the output of another input" 1 "$ITHACA" batch "$work/no-model" --threads 1 -q -i "$work/other" -o "$work/one"
matches "the output of another input: said so" "$err" "it is the output of another input"
sed '20s/"max_tokens": [0-9]*/"max_tokens": 77/' "$work/in" >"$work/other"
expect "one request has changed" 1 "$ITHACA" batch "$work/no-model" --threads 1 -q -i "$work/other" -o "$work/one"
matches "one request has changed: said so" "$err" "its line batch_req_20 answers another request"
head -n 20 "$work/in" >"$work/other"
expect "an input with a line less" 1 "$ITHACA" batch "$work/no-model" --threads 1 -q -i "$work/other" -o "$work/one"
matches "an input with a line less: said so" "$err" "it answers lines that .*/other does not have"
for option in "--temp 2" "--max-tokens 9" "--seed 3" "--kv f32"; do
    # shellcheck disable=SC2086
    expect "other options: $option" 1 "${batch[@]}" --output "$work/one" $option
    matches "other options: $option: said so" "$err" "it has answers of other options"
done
sed -i 's/"model":"[^"]*"/"model":"another"/' "$work/many"
expect "the output of another model" 1 "${batch[@]}" --output "$work/many"
matches "the output of another model: said so" "$err" "has answers of the model another"
expect "an output that another run writes" 1 flock "$work/ordered" "${batch[@]}" --output "$work/ordered"
matches "an output that another run writes: said so" "$err" "another run writes it"
expect "no input" 1 "$ITHACA" batch $NEEDLE -i "$work/none" -o "$work/new" -q
expect "a folder" 1 "$ITHACA" batch $NEEDLE -i "$work" -o "$work/new" -q
for shard in 0/3 4/3 1 a/b 1/2x; do
    expect "--shard $shard" 2 "${batch[@]}" --output "$work/new" --shard "$shard"
done
expect "no output" 2 "${batch[@]}"

# ---- One request's numbers exceed a float: it alone has an error ----
cp -r $NEEDLE "$work/overflow"
python3 - "$work/overflow" "$work/five" "$work/six" <<'EOF'
import json, random, struct, sys
folder, five, six = sys.argv[1:]
raw = open(f"{folder}/model.safetensors", "rb").read()
n = struct.unpack("<Q", raw[:8])[0]
header, data = json.loads(raw[8:8 + n]), raw[8 + n:]
embed = header["model.embed_tokens.weight"]
begin, end = embed["data_offsets"]
rows, size = embed["shape"][0], {"BF16": 2, "F32": 4}[embed["dtype"]]
huge = struct.pack("<f", 3e38)[4 - size:] * embed["shape"][1]
if "lm_head.weight" not in header:
    header["lm_head.weight"] = dict(embed, data_offsets=[len(data), len(data) + end - begin])
    data += data[begin:end]
at = begin + 77 * len(huge)
data = data[:at] + huge + data[at + len(huge):]
text = json.dumps(header).encode()
open(f"{folder}/model.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + data)
config = json.load(open(f"{folder}/config.json"))
config["tie_word_embeddings"] = False
json.dump(config, open(f"{folder}/config.json", "w"))
random.seed(6)
for path in five, six:
    with open(path, "w") as f:
        for i in range(6):
            ids = [random.choice([t for t in range(200) if t != 77]) for _ in range(10 + 60 * i)]
            if i == 3 and path == six:
                ids[150] = 77
            if i != 3 or path == six:
                print(json.dumps({"custom_id": str(i), "body": {"prompt": ids, "max_tokens": 6, "ignore_eos": True}}), file=f)
            else:
                print(file=f)
    random.seed(6)
EOF
for ranks in 1 2; do
    expect "overflow, $ranks ranks" 0 scripts/on_ranks.sh $ranks "$ITHACA" batch "$work/overflow" --quant bf16 --kv f32 --threads 1 -q -i "$work/six" -o "$work/six$ranks" --ordered
    same "overflow, $ranks ranks: one error" '("4", 500, "not_finite")' "$(or_fail python3 -c '
import json, sys
for l in open(sys.argv[1]):
    r = json.loads(l)
    if r["response"]["status_code"] != 200:
        print("(\"%s\", %d, \"%s\")" % (r["id"].split("_")[-1], r["response"]["status_code"], r["response"]["body"]["error"]["code"]))' "$work/six$ranks")"
    expect "overflow, $ranks ranks: the others" 0 scripts/on_ranks.sh $ranks "$ITHACA" batch "$work/overflow" --quant bf16 --kv f32 --threads 1 -q -i "$work/five" -o "$work/five$ranks" --ordered --in-flight 1
    same "overflow, $ranks ranks: the others are answered" "$(cat "$work/five$ranks")" "$(grep -v not_finite "$work/six$ranks")"
done

# ---- Memory for some of the requests at a time, or for none. Built with AddressSanitizer the program cannot start under a limit ----
addresses() { (ulimit -v "$1" && shift && exec timeout --kill-after=1 600 "$@"); }
if addresses 400000 "$ITHACA" -h >/dev/null 2>&1; then
    # A segment of 1,024 tokens takes 66 MiB of this model. Each request begins with one and needs another.
    python3 - "$work/large" <<'EOF'
import json, sys
def line(i, n, **more):
    prompt = [(i * 7 + k * (i + 3)) % 251 for k in range(n)]
    return json.dumps({"custom_id": str(i), "body": {"prompt": prompt, "temperature": 1, **more}})
with open(sys.argv[1], "w") as f:
    for i in range(5):
        print(line(i, 1010, max_tokens=20, ignore_eos=True), file=f)
EOF
    large=("$ITHACA" batch synthetic:tests/models/large-kv/config.json:q8_0 --threads 1 -q --ordered)
    expect "memory for all" 0 timeout 600 "${large[@]}" -i "$work/large" -o "$work/all" --json
    same "memory for all: none begins again" "(0, 0)" "$(field "$out" "j['failed'], j['begun_again']")"
    for case in "1 400000" "2 600000"; do
        read -r ranks limit <<<"$case"
        expect "memory for some, $ranks ranks" 0 addresses "$limit" scripts/on_ranks.sh "$ranks" "${large[@]}" -i "$work/large" -o "$work/some$ranks" --json
        same "memory for some, $ranks ranks: the same" "$(cat "$work/all")" "$(cat "$work/some$ranks")"
        same "memory for some, $ranks ranks: some begin again" True "$(field "$out" "j['failed'] == 0 and j['begun_again'] > 0")"
    done
    expect "memory for none" 0 addresses 200000 "${large[@]}" -i "$work/large" -o "$work/none"
    same "memory for none: said so" 5 "$(grep -c '"status_code":503.*out_of_memory' "$work/none")"
else
    ok "memory # SKIP the program does not start under ulimit -v"
fi

#!/bin/bash
# serve_embeddings.sh - /v1/embeddings, /rerank and ithaca embed: what Transformers computes, the same bits on any ranks and threads, alone and beside
# others; what the model's files forbid, and what cannot be asked for, is refused by name.
. tests/tap.sh
. tests/served.sh

cat >"$work/embedded.py" <<'PY'
"""embedded.py - what Transformers has computed."""
import base64, json, struct
golden = json.load(open("tests/golden/embeddings/embeddings.json"))
texts = [e["text"] for e in golden["embeddings"]]
def floats(reply):
    return [struct.unpack(f"<{len(base64.b64decode(d['embedding'])) // 4}f", base64.b64decode(d["embedding"])) for d in reply["data"]]
def far(a, b):
    return max(abs(x - y) for x, y in zip(a, b)) + abs(len(a) - len(b))
PY
cat >"$work/digest.py" <<'PY'
import hashlib, sys
from client import *
from embedded import *
every = floats(ask(sys.argv[1], "/v1/embeddings", {"input": texts, "encoding_format": "base64"}))
alone = [floats(ask(sys.argv[1], "/v1/embeddings", {"input": t, "encoding_format": "base64"}))[0] for t in texts]
ranked = ask(sys.argv[1], "/rerank", {"query": golden["query"], "documents": [s["document"] for s in golden["scores"]]})["results"]
assert every == alone
print(hashlib.sha256(repr((every, ranked)).encode()).hexdigest())
PY
# A model with the words "yes" and "no"
mkdir "$work/words"
cp $NEEDLE/{config.json,tokenizer_config.json,generation_config.json} "$work/words"
ln -s "$PWD/$NEEDLE/model.safetensors" "$work/words"
sed 's/"<think>"/"yes"/; s/"<\/think>"/"no"/' $NEEDLE/tokenizer.json >"$work/words/tokenizer.json"
sed -i 's/"<think>"/"yes"/; s/"<\/think>"/"no"/' "$work/words/tokenizer_config.json"

# ---- What Transformers computes ----
model=$work/words
start --exact
client "$url" <<'PY'
import sys
from client import *
from embedded import *
url, path = sys.argv[1], "/v1/embeddings"
reply = ask(url, path, {"input": texts, "model": "any", "user": "me"})
got = [d["embedding"] for d in reply["data"]]
for i, (g, w) in enumerate(zip(got, golden["embeddings"])):
    check(f"text {i}: as Transformers", far(g, w["embedding"]) < 2e-5, far(g, w["embedding"]))
check("its form", reply["object"] == "list" and [d["index"] for d in reply["data"]] == [0, 1, 2, 3] and
      all(d["object"] == "embedding" for d in reply["data"]), reply["object"])
check("tokens are counted", reply["usage"] == {"prompt_tokens": sum(len(e["ids"]) for e in golden["embeddings"]),
      "total_tokens": sum(len(e["ids"]) for e in golden["embeddings"])}, reply["usage"])
ids = ask(url, path, {"input": [e["ids"] for e in golden["embeddings"]], "encoding_format": "base64"})
check("token ids, base64: nearly the same", all(far(a, b) < 1e-6 for a, b in zip(floats(ids), got)))
one = ask(url, path, {"input": golden["embeddings"][0]["ids"]})["data"]
check("one list of token ids", len(one) == 1 and far(one[0]["embedding"], got[0]) < 1e-6)
short = ask(url, path, {"input": texts[0], "dimensions": 64})["data"][0]["embedding"]
norm = sum(x * x for x in got[0][:64]) ** 0.5
check("dimensions: the first, of length 1", far(short, [x / norm for x in got[0][:64]]) < 1e-6)
ranked = ask(url, "/v1/rerank", {"query": golden["query"], "documents": [s["document"] for s in golden["scores"]], "return_documents": True})
want = sorted(golden["scores"], key=lambda s: -s["score"])
check("rerank: as Transformers", all(abs(r["relevance_score"] / w["score"] - 1) < 2e-4 and r["document"]["text"] == w["document"] and
      golden["scores"][r["index"]] == w for r, w in zip(ranked["results"], want)) and len(ranked["results"]) == 3, ranked, want)
check("rerank: tokens are counted", ranked["usage"]["total_tokens"] == sum(s["ids"] for s in want), ranked["usage"])
best = ask(url, "/rerank", {"query": golden["query"], "documents": [{"text": s["document"]} for s in golden["scores"]], "top_n": 1})
check("rerank: the best alone", [r["index"] for r in best["results"]] == [ranked["results"][0]["index"]] and "document" not in best["results"][0], best)
for where, param, change in [(path, "input", {"input": []}), (path, "input", {"input": [1, "a"]}), (path, "input", {"input": ["a", 5]}), (path, "input", {"input": ""}),
                             (path, "input", {"input": [5000]}), (path, "input", {"input": ["a", ""]}), (path, "input", {"input": [[7] * 8193]}), (path, "input", {}),
                             (path, "input", {"input": ["a"] * 2049}), (path, "dimensions", {"input": "a", "dimensions": 0}), (path, "dimensions", {"input": "a", "dimensions": 193}),
                             (path, "encoding_format", {"input": "a", "encoding_format": "int8"}), (path, "dance", {"input": "a", "dance": 1}),
                             ("/rerank", "query", {"documents": ["a"]}), ("/rerank", "documents", {"query": "a"}), ("/rerank", "documents", {"query": "a", "documents": []}),
                             ("/rerank", "documents", {"query": "a", "documents": [1]}), ("/rerank", "top_n", {"query": "a", "documents": ["a"], "top_n": 0}),
                             ("/rerank", "dance", {"query": "a", "documents": ["a"], "dance": 1})]:
    status, _, refusal = request(url, "POST", where, json.dumps(change))
    check(f"refused: {where} {str(change)[:50]}", status == 400 and refusal["error"]["param"] == param, refusal)
PY
stop "exact: asked to stop"

# ---- The same bits, on any ranks and threads, in any company ----
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe OMPI_MCA_rmaps_base_oversubscribe=1
for ranks in 1 3; do
    on=()
    ((ranks == 1)) || on=(mpirun -n $ranks)
    start --threads $((1 + ranks % 2)) --chunk 64
    digest[ranks]=$(client "$url" <"$work/digest.py")
    if ((ranks == 1)); then # beside answers that are being written, and others' texts
        for ((i = 0; i < 3; i++)); do
            curl -s "$url/v1/completions" -d '{"prompt": "a", "max_tokens": 300, "ignore_eos": true}' >/dev/null &
        done
        client "$url" <"$work/digest.py" >"$work/other" &
        other=$!
        same "beside others: the same bits" "${digest[1]}" "$(client "$url" <"$work/digest.py")"
        wait $other
        same "beside others: theirs, too" "${digest[1]}" "$(cat "$work/other")"
    fi
    stop "$ranks ranks: asked to stop"
    same "$ranks ranks: the same bits" "${digest[1]}" "${digest[ranks]}"
done
on=()

# ---- ithaca embed: the bits of the server ----
start
client "$url" "$work" <<'PY'
import sys
from client import *
from embedded import *
url, work = sys.argv[1:]
with open(work + "/served", "wb") as f:
    for d in ask(url, "/v1/embeddings", {"input": texts, "encoding_format": "base64", "dimensions": 64})["data"]:
        f.write(base64.b64decode(d["embedding"]))
for i, t in enumerate(texts):
    open(f"{work}/text{i}", "w").write(t)
PY
stop "for ithaca embed: asked to stop"
files=(-f "$work/text0" -f "$work/text1" -f "$work/text2" -f "$work/text3")
for ranks in 1 2 3; do
    on=()
    ((ranks == 1)) || on=(scripts/on_ranks.sh $ranks)
    expect "embed, $ranks ranks" 0 "${on[@]}" "$ITHACA" embed "$model" "${files[@]}" --dimensions 64 --threads 1 -q -o "$work/matrix.npy"
    same "embed, $ranks ranks: the bits of the server" "$(sha256sum <"$work/served")" "$(tail -c +129 "$work/matrix.npy" | sha256sum)"
done
on=()
same "embed: the matrix says what it is" "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 64), }" "$(head -c 128 "$work/matrix.npy" | tail -c +11 | sed 's/ *$//')"
expect "embed: JSON" 0 "$ITHACA" embed "$model" "${files[@]}" --dimensions 64 --threads 1 -q --json
cp "$out" "$work/vectors"
packed='__import__("struct").pack("<256f", *[x for v in V for x in v]).hex()'
same "embed: JSON has the same bits" "$(od -An -v -tx1 "$work/served" | tr -d ' \n')" "$(field "$work/vectors" "${packed/V/j[\"embeddings\"]}")"
printf 'one\n\ntwo\r\nthree' >"$work/lines"
expect "embed: lines" 0 "$ITHACA" embed "$model" --lines "$work/lines" -p three --threads 1 -q
same "embed: a vector for each" "4 192" "$(awk '{n = NF} END {print NR, n}' "$out")"
same "embed: what is the same text has the same vector" "$(sed -n 1p "$out")" "$(sed -n 4p "$out")"
printf 'one\n\xff\n' >"$work/lines"
for wrong in "no text|2|" "no UTF-8|1|--lines $work/lines" "too many numbers|1|-p a --dimensions 193" "no such file|1|-f $work/none" "a folder that is not there|1|-p a -o $work/none/m.npy"; do
    IFS='|' read -r name status words <<<"$wrong"
    # shellcheck disable=SC2086 # words
    expect "embed: $name" "$status" "$ITHACA" embed "$model" --threads 1 -q $words
done
expect "embed: beyond the context" 1 "$ITHACA" embed "$model" -f "$model/tokenizer.json" --ctx 256 --threads 1 -q
matches "embed: beyond the context: which text" "$err" "tokenizer.json"

# ---- What the model's files say of it ----
cp -r "$work/words" "$work/mean"
mkdir "$work/mean/1_Pooling"
echo '{"word_embedding_dimension": 192, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true, "pooling_mode_lasttoken": false}' >"$work/mean/1_Pooling/config.json"
model=$work/mean
start
same "the mean of all tokens" 400 "$(post /v1/embeddings <<<'{"input": "a"}')"
matches "the mean of all tokens: refused by name" "$out" 'made of the outputs by the mean.*"unsupported"'
same "a model of embeddings still answers" 200 "$(post /v1/completions <<<'{"prompt": "a", "max_tokens": 1}')"
stop "the mean of all tokens: asked to stop"
sed -i 's/"pooling_mode_mean_tokens": true/"pooling_mode_mean_tokens": false/; s/"pooling_mode_lasttoken": false/"pooling_mode_lasttoken": true/' "$work/mean/1_Pooling/config.json"
echo '[{"type": "sentence_transformers.models.Transformer"}, {"type": "sentence_transformers.models.Pooling"}, {"type": "sentence_transformers.models.Normalize"}]' >"$work/mean/modules.json"
start
same "the last token" 200 "$(post /v1/embeddings <<<'{"input": "a"}')"
stop "the last token: asked to stop"
sed -i 's/models.Normalize/models.Dense/' "$work/mean/modules.json"
start
same "a matrix behind it" 400 "$(post /v1/embeddings <<<'{"input": "a"}')"
matches "a matrix behind it: refused by name" "$out" 'by several steps'
stop "a matrix behind it: asked to stop"

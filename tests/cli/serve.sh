#!/bin/bash
# serve.sh - answers over HTTP are those of run and score, alone and beside others, streamed or not, on one and two ranks; their tokens,
# log probabilities and offsets belong to the text.
. tests/tap.sh
. tests/served.sh

# What run and score say
head -c 6000 tests/models/needle-qwen3/README.md >"$work/long"
printf 'The passkey of Deborah is' >"$work/short"
expect "run, short" 0 "$ITHACA" run $NEEDLE --raw -f "$work/short" -n 12 --temp 0.9 --top-p 0.95 --seed 3 --ignore-eos --threads 1 --ctx 8192 --json -q
field "$out" "j['text']" >"$work/want"
expect "run, long" 0 "$ITHACA" run $NEEDLE --raw -f "$work/long" -n 9 --temp 0 --ignore-eos --threads 1 --ctx 8192 --json -q
field "$out" "j['text']" >>"$work/want"
expect "run, conversation" 0 "$ITHACA" run $NEEDLE -f "$work/short" -n 10 --temp 0 --ignore-eos --threads 1 --ctx 8192 --json -q
field "$out" "j['text']" >>"$work/want"
head -c 700 "$work/long" >"$work/scored"
expect "score" 0 "$ITHACA" score $NEEDLE -f "$work/scored" --threads 1 --ctx 8192 --json -q
field "$out" "j['nll']" >"$work/nll"

cat >"$work/answers.py" <<'PY'
import sys
from client import *
url, work = sys.argv[1:]
read = lambda name: open(f"{work}/{name}").read()
short = {"prompt": read("short"), "max_tokens": 12, "temperature": 0.9, "top_p": 0.95, "seed": 3, "ignore_eos": True}
long = {"prompt": read("long"), "max_tokens": 9, "temperature": 0, "ignore_eos": True}
chat = {"messages": [{"role": "user", "content": read("short")}], "max_completion_tokens": 10, "temperature": 0, "ignore_eos": True}
three = [("/v1/completions", short), ("/v1/completions", long), ("/v1/chat/completions", chat)]
want = read("want").split("\n")[:3]
def as_run(name, got):
    check(name, [g[0] for g in got] == [(w, "length") for w in want] * (len(got) // 3), got, want)
streamed = [(p, dict(b, stream=True)) for p, b in three]
as_run("alone: as run", [text(url, p, b) for p, b in three])
as_run("streamed: as run", [text(url, p, b) for p, b in streamed])
as_run("eighteen at a time: as run", together([(url, p, b) for p, b in (three + streamed) * 3]))
many = ask(url, "/v1/completions", dict(short, prompt=[short["prompt"], short["prompt"]], n=3, echo=True))
texts = [c["text"] for c in many["choices"]]
print("ok" if texts[0] == short["prompt"] + want[0] and texts[:3] == texts[3:] and len(set(texts)) > 1 else f"# {texts}\nnot ok",
      "two prompts, three answers, echo")
stop = text(url, "/v1/completions", dict(long, stop=[want[1][4:9]]))
print("ok" if stop == [(want[1][:want[1].index(want[1][4:9])], "stop")] else f"# {stop}\nnot ok", "a stop string")
usage = ask(url, "/v1/chat/completions", dict(chat, stream=True, stream_options={"include_usage": True}))
u = usage[-1]["usage"]
print("ok" if usage[-1]["choices"] == [] and u["completion_tokens"] == 10 and u["prompt_tokens"] + 10 == u["total_tokens"] and
      all(c["usage"] is None for c in usage[:-1]) and usage[0]["choices"][0]["delta"]["role"] == "assistant" else f"# {usage}\nnot ok",
      "usage at the end of a stream")

nll = eval(read("nll"))
score = {"prompt": read("scored"), "echo": True, "logprobs": 2, "max_tokens": 0, "temperature": 0}
l = ask(url, "/v1/completions", score)["choices"][0]["logprobs"]
print("ok" if l["token_logprobs"] == [None] + [-x for x in nll] else "not ok", "logprobs of a prompt: those of score")
print("ok" if "".join(l["tokens"]) == score["prompt"] and len(l["tokens"]) == len(l["top_logprobs"]) ==
      len(l["text_offset"]) and all(max(t.values()) >= p and p in t.values() and 2 <= len(t) <= 3
      for t, p in zip(l["top_logprobs"][1:], l["token_logprobs"][1:])) and
      all(score["prompt"][o:].startswith(t) for t, o in zip(l["tokens"], l["text_offset"])) else f"# {l}\nnot ok",
      "tokens, best tokens, offsets")
greedy = ask(url, "/v1/chat/completions", dict(chat, logprobs=True, top_logprobs=3))["choices"][0]
t = greedy["logprobs"]["content"]
bare = ask(url, "/v1/chat/completions", dict(chat, logprobs=True))["choices"][0]["logprobs"]["content"]
check("logprobs of a conversation, without others", [(x["token"], x["logprob"], x["top_logprobs"]) for x in bare] ==
      [(x["token"], x["logprob"], []) for x in t], bare)
none, two = (ask(url, "/v1/completions", dict(short, echo=True, max_tokens=6, logprobs=k))["choices"][0]["logprobs"] for k in (0, 2))
check("logprobs 0: those of logprobs 2", (none["tokens"], none["token_logprobs"], none["text_offset"]) ==
      (two["tokens"], two["token_logprobs"], two["text_offset"]) and all(len(x) == 1 for x in none["top_logprobs"][1:]), none, two)
print("ok" if len(t) == 10 and all(x["top_logprobs"][0]["token"] == x["token"] and x["top_logprobs"][0]["logprob"] == x["logprob"] and
      len(x["top_logprobs"]) == 3 for x in t) and bytes(sum((x["bytes"] for x in t), [])).decode() == greedy["message"]["content"]
      else f"# {greedy}\nnot ok", "logprobs of a conversation")
PY

on=()
for ranks in 1 2; do
    [[ $ranks == 1 ]] || on=(scripts/on_ranks.sh $ranks)
    start
    client "$url" "$work" <"$work/answers.py" | sed "s/ok /ok $ranks ranks: /"
    stop "$ranks ranks: asked to stop"
done
on=()

# ---- An answer that ends by itself: completions list the token that ends it, and nobody counts it ----
mkdir "$work/ends"
cp $NEEDLE/{config.json,tokenizer.json,tokenizer_config.json} "$work/ends"
ln -s "$PWD/$NEEDLE/model.safetensors" "$work/ends"
expect "the second token" 0 "$ITHACA" run $NEEDLE --raw -f "$work/short" -n 4 --temp 0 --ignore-eos --threads 1 --json -q
field "$out" "json.dumps({'eos_token_id': j['ids'][1]})" >"$work/ends/generation_config.json"
printf '{"custom_id": "a", "body": {"prompt": "%s", "max_tokens": 9, "temperature": 0}}\n' "$(cat "$work/short")" >"$work/lines"
expect "batch: an answer that ends" 0 "$ITHACA" batch "$work/ends" -i "$work/lines" -o "$work/answers" --threads 1 -q
model=$work/ends
start
client "$url" "$work" <<'PY'
import sys
from client import *
url, work = sys.argv[1:]
prompt, batch = open(work + "/short").read(), json.load(open(work + "/answers"))["response"]["body"]
body = {"prompt": prompt, "max_tokens": 9, "temperature": 0}
reply = ask(url, "/v1/completions", dict(body, logprobs=1))
c = reply["choices"][0]
check("a completion that ends: as in a batch", (c["text"], c["finish_reason"], reply["usage"]) ==
      (batch["choices"][0]["text"], "stop", batch["usage"]) and reply["usage"]["completion_tokens"] == 1, reply, batch)
l = c["logprobs"]
check("a completion that ends: its logprobs have the token that ends it", len(l["tokens"]) == 2 and l["tokens"][0] == c["text"] and
      all(x is not None for x in l["token_logprobs"]), l)
streamed = ask(url, "/v1/completions", dict(body, logprobs=1, stream=True))
check("a completion that ends: streamed", sum((x["choices"][0]["logprobs"]["tokens"] for x in streamed), []) == l["tokens"], streamed)
one = ask(url, "/v1/completions", dict(body, prompt=prompt + c["text"], logprobs=1, max_tokens=1))["choices"][0]
check("a completion of nothing but its end", one["text"] == "" and one["finish_reason"] == "stop" and one["logprobs"]["tokens"] == l["tokens"][1:], one)
score = ask(url, "/v1/completions", dict(body, prompt=prompt + c["text"], echo=True, logprobs=1, max_tokens=0))
check("a prompt before an end, without an answer", score["choices"][0]["finish_reason"] == "length" and
      score["usage"]["completion_tokens"] == 0 and "".join(score["choices"][0]["logprobs"]["tokens"]) == prompt + c["text"], score)
said = ask(url, "/v1/chat/completions", {"messages": [{"role": "user", "content": prompt}], "max_tokens": 400, "temperature": 1.5, "seed": 5, "logprobs": True})
c = said["choices"][0]
check("a conversation that ends: its logprobs are those of its text", c["finish_reason"] == "stop" and
      bytes(sum((x["bytes"] for x in c["logprobs"]["content"]), [])).decode(errors="replace") == c["message"]["content"] and
      len(c["logprobs"]["content"]) == said["usage"]["completion_tokens"], said)
again = [ask(url, "/v1/completions", dict(body, temperature=2)) for _ in range(2)]
check("a random seed is told, and gives the same answer again", again[0]["seed"] != again[1]["seed"] and
      ask(url, "/v1/completions", dict(body, temperature=2, seed=again[0]["seed"]))["choices"] == again[0]["choices"], again)
PY
stop "answers that end: SIGTERM"

# ---- A vocabulary of SentencePiece, which begins a text with a space that it has not, and with a token ----
mkdir "$work/pieces"
cp $NEEDLE/config.json "$work/pieces"
ln -s "$PWD/$NEEDLE/model.safetensors" "$work/pieces"
cp tests/golden/tokenizer/spm.model "$work/pieces/tokenizer.model"
echo '{"add_bos_token": true}' >"$work/pieces/tokenizer_config.json"
model=$work/pieces
start
client "$url" <<'PY'
import sys
from client import *
url = sys.argv[1]
prompt = "The sea of Ithaca is the sea"
body = {"prompt": prompt, "max_tokens": 8, "temperature": 0, "ignore_eos": True, "echo": True, "logprobs": 4}
c = ask(url, "/v1/completions", body)["choices"][0]
l = c["logprobs"]
n = next(i for i, o in enumerate(l["text_offset"]) if o == len(prompt))
check("pieces: the echo is what was sent", c["text"].startswith(prompt), c["text"])
check("pieces: the first token is not of the text", l["tokens"][0] not in prompt and l["text_offset"][:2] == [0, 0], l)
check("pieces: tokens are the text", "".join(l["tokens"][1:n]) == prompt and "".join(l["tokens"][n:]) == c["text"][len(prompt):], l, c["text"])
check("pieces: offsets are those of the text", all(c["text"][o:].startswith(t) for t, o in zip(l["tokens"][1:], l["text_offset"][1:])), l)
check("pieces: no two of the best have one name", all(len(t) >= 4 for t in l["top_logprobs"][1:]), l["top_logprobs"])
pieces = [ask(url, "/v1/completions", dict(body, echo=False, stream=s)) for s in (False, True)]
check("pieces: the answer goes on from the prompt", pieces[0]["choices"][0]["text"] == c["text"][len(prompt):] ==
      "".join(x["choices"][0]["text"] for x in pieces[1]), pieces)
check("pieces: some token begins with a space", any(t.startswith(" ") for t in l["tokens"][2:]), l["tokens"])
PY
stop "pieces: SIGTERM"

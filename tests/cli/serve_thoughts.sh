#!/bin/bash
# serve_thoughts.sh - thoughts of a model whose template opens <think> come apart, counted, streamed or not; an answer that a schema keeps to has none.
. tests/tap.sh
. tests/served.sh

# thinking NAME END: a model whose template ends a prompt so
thinking() {
    mkdir "$work/$1"
    cp $NEEDLE/{config.json,tokenizer.json,tokenizer_config.json,generation_config.json} "$work/$1"
    ln -s "$PWD/$NEEDLE/model.safetensors" "$work/$1"
    printf '%s' "{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content.split('</think>')[-1] }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
$2{% endif %}" >"$work/$1/chat_template.jinja"
}
thinking opens '<think>
'
thinking may ''

cat >"$work/asks.py" <<'PY'
import sys
from client import *
url, opens = sys.argv[1], sys.argv[2] == "opens"
path = "/v1/chat/completions"
body = {"messages": [{"role": "user", "content": "What is the passkey of Gerald?"}], "temperature": 1, "seed": 3, "max_tokens": 30, "ignore_eos": True}

def streamed(body):
    said, usage = {"reasoning_content": "", "content": ""}, None
    for chunk in ask(url, path, dict(body, stream=True, stream_options={"include_usage": True})):
        usage = chunk["usage"]
        for c in chunk["choices"]:
            for k in said:
                said[k] += c["delta"].get(k) or ""
    return said, usage

reply = ask(url, path, body)
m, usage = reply["choices"][0]["message"], reply["usage"]
tokens = ask(url, "/tokenize", body)["tokens"]
plain = ask(url, "/v1/completions", dict({k: v for k, v in body.items() if k != "messages"}, prompt=tokens))["choices"][0]["text"]
said, counted = streamed(body)
if opens:
    check("a thought that does not end is all there is", m.get("reasoning_content") == plain.strip() and not m["content"], m, plain)
    check("its tokens are counted", usage["completion_tokens_details"] == {"reasoning_tokens": 30}, usage)
else:
    check("without a mark all is content", m["content"] == plain and "reasoning_content" not in m, m, plain)
    check("no thoughts are counted", usage["completion_tokens_details"] == {"reasoning_tokens": 0}, usage)
check("streamed: the same", said == {"reasoning_content": m.get("reasoning_content", ""), "content": m["content"] or ""} and counted == usage, said, m, counted)
check("tokens that were there already are counted", usage["prompt_tokens_details"] == {"cached_tokens": 0}, usage)
schema = {"type": "json_schema", "json_schema": {"schema": {"enum": ["yes", 7]}}}
short = dict({k: v for k, v in body.items() if k != "ignore_eos"}, response_format=schema)
m = ask(url, path, short)["choices"][0]["message"]
check("kept to a schema: no thought", m["content"] in ('"yes"', "7") and "reasoning_content" not in m, m)
check("kept to a schema: streamed", streamed(short)[0]["content"] == m["content"])
text = ask(url, "/detokenize", {"tokens": ask(url, "/tokenize", short)["tokens"]})["prompt"]
check("kept to a schema: the prompt ends the thought", text.endswith("<think>\n\n</think>\n\n") == opens, text[-60:])
PY
for name in opens may; do
    model=$work/$name
    start
    client "$url" "$name" <"$work/asks.py" | sed -E "s/^(not )?ok /&$name: /"
    stop "$name: asked to stop"
done

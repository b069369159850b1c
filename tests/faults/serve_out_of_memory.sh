#!/bin/bash
# serve_out_of_memory.sh - one of the allocations of a request fails: the response is what it is otherwise, an error, or cut off, and
# never lacks a part. The server goes on, and answers the next request.
. tests/tap.sh
. tests/served.sh

shim=$work/failing_malloc.so
if ldd "$ITHACA" | grep -q 'lib[at]san'; then
    echo "ok out of memory # SKIP the sanitizer has the allocator"
    exit
fi
${CC:-gcc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -O1 -fPIC -shared tests/faults/failing_malloc.c -o "$shim"
export FAULT_AT=$work/at

model=$work/model
cp -r $NEEDLE "$model"
sed -i 's/"<think>"/"yes"/; s/"<\/think>"/"no"/' "$model/tokenizer.json" "$model/tokenizer_config.json"
cat >"$model/chat_template.jinja" <<'EOF'
{{ reasoning_effort }}{{ a }}{% for t in tools or [] %}{{ t | tojson }}{% endfor %}{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content or '' }}{% for c in m.tool_calls %}
<tool_call>
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}
EOF
cat >"$work/ask.py" <<'PY'
"""ask.py - asks a server for one thing, again and again, of whose allocations another one fails each time: the response is the same,
an error, or cut off. What differs from answer to answer anyway, such as ids and times, is left out."""
import http.client, json, os, re, sys
url, kind, at_file, numbers = sys.argv[1], sys.argv[2], sys.argv[3], [int(n) for n in sys.argv[4:]]
tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}}}}
flat = {"type": "function", "name": "f", "parameters": tool["function"]["parameters"]}
say = {"messages": [{"role": "user", "content": "What is the passkey?"}], "max_tokens": 4, "temperature": 0}
call = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{\"x\": 1}"}
turns = [{"role": "developer", "content": [{"type": "input_text", "text": "Be"}, {"type": "input_text", "text": " brief."}]},
         {"role": "user", "content": "What is the passkey?"}, call, {"type": "function_call_output", "call_id": "a", "output": "7"}]
respond = {"input": turns, "instructions": "Say it.", "tools": [flat], "max_output_tokens": 4, "temperature": 0,
           "reasoning": {"effort": "low"}, "chat_template_kwargs": {"a": 1}}
chat, response = "/v1/chat/completions", "/v1/responses"
path, body = {
    "tools": (chat, {**say, "tools": [tool], "tool_choice": "required"}),
    "logprobs": (chat, {**say, "logprobs": True, "top_logprobs": 2, "n": 2}),
    "format": (chat, {**say, "response_format": {"type": "json_object"}}),
    "stream": (chat, {**say, "stream": True, "stream_options": {"include_usage": True}}),
    "text": ("/v1/completions", {"prompt": "What is \u00e9?", "max_tokens": 4, "temperature": 0, "logprobs": 2, "echo": True}),
    "response": (response, respond),
    "events": (response, {**respond, "stream": True}),
    "embeddings": ("/v1/embeddings", {"input": ["a", "the passkey"], "dimensions": 8}),
    "rerank": ("/rerank", {"query": "a", "documents": ["b", "the passkey"], "return_documents": True}),
    "tokenize": ("/tokenize", {"messages": say["messages"]})}[kind]
ids = {"id", "item_id", "call_id", "created", "created_at", "sequence_number", "cached_tokens"}

def plain(value):
    if isinstance(value, list):
        return [plain(v) for v in value]
    return {k: plain(v) for k, v in value.items() if k not in ids} if isinstance(value, dict) else value

def stream(data):
    """How a stream is cut into pieces depends on the moment: its texts and its last events do not."""
    events = [json.loads(l[6:]) for l in data.split("\n") if l.startswith("data: {")]
    if "error" in events[-1] or events[-1].get("type") == "error":
        return None
    if kind == "events":
        said = "".join(e["delta"] for e in events if e["type"].endswith(".delta"))
        return said, plain([e for e in events[:2] + events[-1:]]) if events[-1]["type"].startswith("response.") else None
    said = "".join(c["delta"].get("content") or "" for e in events for c in e["choices"])
    return said, plain(events[-1]), [c["finish_reason"] for e in events for c in e["choices"]][-1], "[DONE]" in data

def ask(connection):
    """Status and what the response says; 0: it was cut off."""
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        reply = connection.getresponse()
        data = reply.read().decode()
    except (http.client.HTTPException, OSError):
        return 0, None
    if '"code":"out_of_memory"' in data:
        return 503, None
    said = stream(data) if body.get("stream") and reply.status == 200 else plain(json.loads(data))
    return (reply.status, said) if said is not None else (503, None)

def once():
    c = http.client.HTTPConnection(url[7:], timeout=600)
    answer = ask(c)
    c.close()
    return answer

def arm(n):
    with open(at_file + ".new", "w") as f:
        f.write(str(n))
    os.replace(at_file + ".new", at_file)

def disarm():
    arm(-1)
    while os.path.exists(at_file):
        c = http.client.HTTPConnection(url[7:], timeout=600)
        c.request("GET", "/health")
        c.getresponse().read()
        c.close()

def apart(got, want):
    """Where two texts differ."""
    got, want = repr(got), repr(want)
    n = len(os.path.commonprefix([got, want]))
    return f"...{got[max(0, n - 60):n + 80]}, not ...{want[max(0, n - 60):n + 80]}"

right = once()
print("undisturbed" if right[0] == 200 else f"undisturbed: {right}")
for n in numbers:
    arm(n)
    got = once()
    disarm()
    if got != right and got[0] not in (0, 500, 503):
        print(f"{n}: {apart(got, right)}")
    again = once()
    if again != right:
        print(f"after {n}: {apart(again, right)}")
PY
on=(env LD_PRELOAD="$shim")
start -q
numbers=(0 7 15 24 38 57 90 130 170 230 300 400 520 700 1000)
[[ -n ${ITHACA_LONG:-} ]] && mapfile -t numbers < <(seq 0 3 1500)
for kind in tools logprobs format stream text response events embeddings rerank tokenize; do
    same "serve, $kind: none is taken amiss" undisturbed "$(python3 "$work/ask.py" "$url" $kind "$work/at" "${numbers[@]}" 2>&1)"
    [[ $(code "$url/health") == 200 ]] || { not_ok "serve, $kind: the server has ended" "$(tail -n 1 "$work/log")" && start -q; }
done
stop "serve: it ends as asked"

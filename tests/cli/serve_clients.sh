#!/bin/bash
# serve_clients.sh - a server with clients that ask for what it has not, leave, stall, are too many or not allowed: they are refused by name,
# and hold up nobody; what runs when the server is asked to end is answered.
. tests/tap.sh
. tests/served.sh

# ---- What is refused, by name ----
start --max-body 8KiB --max-waiting 200 --allow-host proxy.example
client "$url" <<'PY'
import select, sys
from client import *
url = sys.argv[1]
def post(body, path="/v1/chat/completions", method="POST", headers={}):
    status, _, reply = request(url, method, path, body, headers)
    e = reply["error"] if status != 200 else {"param": None, "code": None}
    return status, e["param"], e["code"]
chat = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
for field, value in [("n", 0), ("n", 129), ("n", "x"), ("stream", "yes"), ("tools", [{}]), ("tool_choice", "auto"), ("functions", {}),
                     ("response_format", {"type": "xml"}), ("response_format", {}), ("temperature", -1),
                     ("temperature", "hot"), ("max_tokens", 0), ("max_completion_tokens", 1.5), ("top_p", 2), ("seed", 1.5), ("stop", ""),
                     ("stop", ["a"] * 17), ("stop", "a" * 4097), ("messages", []), ("messages", [1]), ("messages", None), ("messages", [{"role": "user"}]),
                     ("messages", [{"role": "user", "content": 5}]), ("messages", [{"role": "user", "content": {}}]),
                     ("messages", [{"role": "user", "content": None}]), ("messages", [{"role": "assistant", "content": None, "tool_calls": []}]),
                     ("messages", [{"role": "user", "content": [{"type": "image_url"}]}]), ("top_logprobs", 2), ("top_logprobs", 21),
                     ("logprobs", 3), ("stream_options", {"include_usage": True}), ("logit_bias", {"5": 1}), ("prompt", "x"), ("dance", 1),
                     ("service_tier", "flex"), ("modalities", ["audio"]), ("suffix", "")]:
    got = post(json.dumps(dict(chat, **{field: value})))
    check(f"refused: {field} {json.dumps(value)[:40]}", got[:2] == (400, field), got)
for field, value in [("tools", []), ("tool_choice", "none"), ("functions", []), ("function_call", "none"), ("logit_bias", {}), ("parallel_tool_calls", True),
                     ("service_tier", "auto"), ("modalities", ["text"]), ("response_format", {"type": "text"}), ("response_format", {"type": "json_object"}), ("presence_penalty", 0.0), ("stop", "a" * 4096)]:
    got = post(json.dumps(dict(chat, **{field: value})))
    check(f"a default is no wish: {field} {json.dumps(value)[:40]}", got[0] == 200, got)
text, nest = "/v1/completions", lambda n, open, close: open * n + close * n
for name, status, param, got in [
        ("a schema that is missing", 400, "response_format.json_schema", post(json.dumps(dict(chat, response_format={"type": "json_schema"})))),
        ("a schema with what it has not", 400, "response_format", post(json.dumps(dict(chat, response_format={"type": "json_schema", "json_schema": {"schema": {"type": 5}}})))),
        ("suffix", 400, "suffix", post('{"prompt": "a", "suffix": "b"}', text)), ("no prompt", 400, "prompt", post("{}", text)),
        ("a list with an empty list", 400, "prompt", post('{"prompt": [[1], []]}', text)), ("a negative id", 400, "prompt", post('{"prompt": [-1]}', text)),
        ("logprobs", 400, "logprobs", post('{"prompt": "a", "logprobs": 21}', text)), ("too many answers", 400, "n", post('{"prompt": ["a", "b"], "n": 65}', text)),
        ("too many prompts", 400, "prompt", post(json.dumps({"prompt": ["a"] * 129}), text)),
        ("best_of", 400, "best_of", post('{"prompt": "a", "n": 2, "best_of": 3}', text)), ("best_of, the default", 200, None, post('{"prompt": "a", "n": 2, "best_of": 2}', text)),
        ("suffix, the default", 200, None, post('{"prompt": "a", "suffix": ""}', text)),
        ("an id beyond the vocabulary", 400, "prompt", post('{"prompt": [70000]}', text)), ("an empty prompt", 400, "prompt", post('{"prompt": ""}', text)),
        ("max_tokens 0 without echo", 400, "max_tokens", post('{"prompt": "a", "max_tokens": 0}', text)),
        ("no JSON", 400, None, post("{", text)), ("no object", 400, None, post("[]", text)), ("nothing", 400, None, post("", text)),
        ("deep", 400, None, post("[" * 3000, text)), ("not UTF-8", 400, None, post(b'{"prompt": "\xff"}', text)), ("zeros", 400, None, post(b"\0\0\0", text)),
        ("a deep list in a message", 400, None, post('{"messages": [{"role": "user", "content": "a", "x": %s}]}' % nest(2040, "[", "]"))),
        ("a deep object in a message", 400, None, post('{"messages": [{"role": "user", "content": "a", "x": %s}]}' % ('{"":' * 1500 + "1" + "}" * 1500))),
        ("a deep list in chat_template_kwargs", 400, None, post('{"messages": [{"role": "user", "content": "a"}], "chat_template_kwargs": {"x": %s}}' % nest(2040, "[", "]"))),
        ("a deep list in metadata", 400, None, post('{"prompt": "a", "metadata": %s}' % nest(2040, "[", "]"), text)),
        ("brackets in a text", 200, None, post(json.dumps({"prompt": "[" * 200 + '"\\' + "[" * 200, "max_tokens": 1}), text)),
        ("a list that is not deep", 200, None, post('{"prompt": "a", "metadata": %s}' % nest(90, "[", "]"), text)),
        ("a long body", 413, None, post(json.dumps({"prompt": "x" * 10000}), text)), ("no such address", 404, None, post("{}", "/v2")),
        ("the page, and a zero", 404, None, post(None, "/%00", "GET")), ("an address, and a zero", 404, None, post(None, "/health%00x", "GET")),
        ("a model, and a zero", 404, "model", post(None, "/v1/models/x%00", "GET")),
        ("another method", 405, None, post(None, text, "GET")), ("another method", 405, None, post("{}", "/health"))]:
    check("refused: " + name if status != 200 else name, got[:2] == (status, param), got)

c = request(url, "GET", "/health", None, {"X-Long": "x" * 70000})
check("refused: a long header", c[0] == 431, c)
got = post((b"x" * 1000 for _ in range(64)), text)
check("refused: a long body in chunks", got[:2] == (413, None), got)
for path, allow in (("/v1/completions", "POST"), ("/health", "GET, HEAD"), ("/v1/models/x", "GET, HEAD")):
    status, headers, _ = request(url, "DELETE", path)
    check(f"another method: {path} says which", (status, headers["Allow"]) == (405, allow), status, headers)
check("HEAD", request(url, "HEAD", "/health")[0] == 200)
check("a model by its name", request(url, "GET", "/v1/models/needle-qwen3")[2]["id"] == "needle-qwen3")
check("another model", request(url, "GET", "/v1/models/needle")[2]["error"]["code"] == "model_not_found")

# Who asks: a page from elsewhere makes a browser ask
for name, status, headers in [("another site's page", 403, {"Origin": "http://evil.example"}), ("another port's page", 403, {"Origin": "http://127.0.0.1:1"}),
                              ("a page without a site", 403, {"Origin": "null"}), ("the server's page", 200, {"Origin": url}),
                              ("a name of somebody else", 403, {"Host": "evil.example"}), ("localhost", 200, {"Host": "LOCALHOST:99"}),
                              ("an address", 200, {"Host": "[::1]:80"}), ("this machine", 200, {"Host": socket.gethostname() + ":80"}),
                              ("an allowed name", 200, {"Host": "Proxy.example:443"})]:
    got = post(json.dumps(chat), headers=headers)
    check("asked by " + name, got[0] == status, got)
got = request(url, "GET", "/health", headers={"Host": "service.example"})
check("health: asked by any name", got[0] == 200, got)
check("responses are what they say", (got[1]["X-Content-Type-Options"], got[1]["Cross-Origin-Resource-Policy"]) == ("nosniff", "same-origin"), got[1])

# Bodies that do not end: together they may take the memory of four
def hold():
    return half(url, "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8000\r\n\r\n" + " " * 7999)
held = [hold() for _ in range(4)]
tries = 0
while (got := post('{"prompt": "a", "max_tokens": 1}', text))[0] == 200 and tries < 500:
    tries += 1
    held = [hold() if select.select([s], [], [], 0)[0] else s for s in held]  # one came after this request
check("too many long bodies at a time: refused", got == (503, None, "overloaded"), got)
[s.close() for s in held]
while (got := post('{"prompt": "a", "max_tokens": 1}', text))[0] != 200 and tries < 1000:
    tries += 1
check("too many long bodies at a time: the next is answered", got[0] == 200, got)
PY
same "the server goes on" 200 "$(post /v1/completions <<<'{"prompt": "a", "max_tokens": 1}')"
stop "after rubbish: SIGTERM"

start --ctx 1024 --max-waiting 8
client "$url" <<'PY'
import sys
from client import *
e = request(sys.argv[1], "POST", "/v1/completions", json.dumps({"prompt": [5] * 1025}))
check("beyond the context: said as elsewhere", e[0] == 400 and e[2]["error"]["code"] == "context_length_exceeded" and e[2]["error"]["param"] == "prompt" and
      "maximum context length is 1024 tokens" in e[2]["error"]["message"], e)
e = request(sys.argv[1], "POST", "/v1/chat/completions", json.dumps({"messages": [{"role": "user", "content": "a " * 3000}]}))
check("beyond the context: a conversation", e[0] == 400 and e[2]["error"]["code"] == "context_length_exceeded" and e[2]["error"]["param"] == "messages", e)
for body, param in (({"prompt": "a", "n": 9}, "n"), ({"prompt": ["a"] * 9}, "prompt")):
    e = request(sys.argv[1], "POST", "/v1/completions", json.dumps(body))
    check("more answers than may wait: " + param, (e[0], e[2]["error"]["param"]) == (400, param), e)
PY
stop "a small context: SIGTERM"

# ---- Clients that leave, or do not read ----
start --max-sessions 1 --ctx 131072 --chunk 256 --timeout 3600
client "$url" <<'PY'
import sys
from client import *
url, text_path, flight = sys.argv[1], "/v1/completions", "ithaca_prompts_in_flight"
long = {"prompt": "a", "max_tokens": 130000, "ignore_eos": True}
for body, name in ((dict(long, stream=True), "its stream"), (long, "its answer")):
    s = half(url, post_of(text_path, body))
    check("a client asks for " + name, until(s, b"data:") != b"" if body.get("stream") else comes_to(url, flight, 1))
    s.close()
    check(f"a client has left {name}: its session is free", comes_to(url, flight, 0))
check("and what it asked for is not computed", counter(url, "ithaca_completion_tokens_total") < 100000, counter(url, "ithaca_completion_tokens_total"))
s = half(url, post_of(text_path, {"prompt": [5] * 120000, "max_tokens": 1}))
comes_to(url, "ithaca_prompt_tokens_total", lambda n: n > 256)
s.close()
check("a client has left its long prompt: its session is free", comes_to(url, flight, 0))
check("and the prompt is not computed", counter(url, "ithaca_prompt_tokens_total") < 100000, counter(url, "ithaca_prompt_tokens_total"))

# More than the buffers of both sides hold, which are some MB: its answer is there, and its client has not read it
with open("/proc/sys/net/ipv4/tcp_wmem") as f:
    tokens = max(3000, 2 * int(f.read().split()[2]) // 2000) # of some 2,000 bytes
s = half(url, post_of(text_path, {"prompt": "a", "max_tokens": tokens, "ignore_eos": True, "stream": True, "logprobs": 20}), window=4096)
comes_to(url, flight, 1)
check("a client that does not read: others are answered", [text(url, text_path, {"prompt": "b", "max_tokens": 2})[0][1] for _ in range(3)] == ["length"] * 3)
check("and its answer is there, but has not gone", comes_to(url, flight, 0) and all(comes_to(url, "ithaca_requests_in_flight", 2) for _ in range(9)))
s.close()
check("until it leaves", comes_to(url, "ithaca_requests_in_flight", 1))
PY
stop "after clients that left: SIGTERM"

# ---- The engine does nothing for a while: answers that take longer than a client may be silent, clients that leave the queue ----
export ITHACA_TEST_HOOK="length 20 $work/held"
start --timeout 1 --max-sessions 2 --max-waiting 6
: >"$work/slow-true" >"$work/slow-false"
clients=()
for stream in true false; do # the engine stops in the first answer, so that the second one waits
    curl -sN -o "$work/slow-$stream" "$url/v1/completions" -d "{\"prompt\": \"a\", \"max_tokens\": 30, \"temperature\": 0, \"ignore_eos\": true, \"stream\": $stream}" &
    clients+=($!)
    [[ $stream == false ]] || holding "$work/held" $server
done
comes_to 'ithaca_prompts_waiting{for="sessions"}' 1
client "$url" <<'PY'
import sys
from client import *
url, text_path, queue = sys.argv[1], "/v1/completions", 'ithaca_prompts_waiting{for="sessions"}'
three = post_of(text_path, {"prompt": "a", "max_tokens": 1, "n": 3, "stream": True})
for turn in "first", "second":
    s = half(url, three)
    check(f"the {turn} request with three answers waits", status_of(s) == 200 and comes_to(url, queue, 4))
    s.close()
    check(f"the client of the {turn} has left the queue", comes_to(url, queue, 1))
PY
cat >"$work/three" <<<'{"prompt": "a", "max_tokens": 1, "n": 3, "stream": true}'
curl -sN -o "$out" "$url/v1/completions" -d @"$work/three" &
clients+=($!)
comes_to 'ithaca_prompts_waiting{for="sessions"}' 4
client "$url" <<'PY'
import sys
from client import *
e = request(sys.argv[1], "POST", "/v1/completions", '{"prompt": "a", "n": 3}')
check("a full queue: said so", (e[0], e[1]["Retry-After"], e[2]["error"]["code"]) == (503, "1", "overloaded"), e)
time.sleep(2.5) # more than the clients that wait for their answers may be silent
PY
echo on >"$work/held"
for client in "${clients[@]}"; do wait "$client"; done
for stream in true false; do
    matches "a slow answer, stream $stream: it is complete" "$work/slow-$stream" '"finish_reason":"length"'
done
matches "what waited is answered" "$out" 'data: \[DONE\]'
stop "after slow answers: SIGTERM"
unset ITHACA_TEST_HOOK

# ---- Requests that do not come whole, by a clock that is set ----
echo 0 >"$work/clock"
export ITHACA_TEST_CLOCK=$work/clock
start --timeout 3600
client "$url" "$work/clock" <<'PY'
import os, sys
from client import *
url, clock = sys.argv[1:]
now, busy = 0, "ithaca_requests_in_flight"
def later(s):
    global now
    now += s
    with open(clock + ".new", "w") as f:
        f.write(str(1000 * now))
    os.rename(clock + ".new", clock)
whole = post_of("/v1/completions", {"prompt": "a", "max_tokens": 1})
first, rest = whole[:-9], whole[-9:]
s = half(url, whole)
until(s, b'"usage"')
watched = half(url)
check("a request is over", comes_to(url, busy, 1))
later(3300) # the client is silent for so long, as it may be
s.sendall(first.encode())
check("a request has begun", comes_to(url, busy, 2))
later(3300)
check("a connection without a request is closed", is_closed(watched)) # and with it others that are late
s.sendall(rest.encode())
check("a request that takes its time, behind silence that does, is answered", b"200 OK" in until(s, b'"usage"'))
check("this is over, too", comes_to(url, busy, 1))
slow = [half(url, "POST /v1/completions HTTP/1.1\r\nX-Slow: "), half(url, first)]
check("another begins", comes_to(url, busy, 2))
later(3300)
[x.sendall(b" ") for x in slow]
later(400)
check("a header that comes byte by byte: the connection is closed", is_closed(slow[0]))
check("a body that comes byte by byte: the connection is closed", is_closed(slow[1]))
PY
stop "after slow requests: SIGTERM"
unset ITHACA_TEST_CLOCK

# ---- Too many connections: those that do nothing are closed ----
start --max-connections 4
client "$url" <<'PY'
import sys
from client import *
url, text_path, body = sys.argv[1], "/v1/completions", {"prompt": "a", "max_tokens": 1}
idle = [half(url) for _ in range(4)]
check("beside connections that do nothing a request is answered", request(url, "GET", "/health")[0] == 200)
check("and the first of them is closed", is_closed(idle[0]))
[s.close() for s in idle]
header, rest = post_of(text_path, body, "Expect: 100-continue\r\n").split("\r\n\r\n")
late = [half(url, header + "\r\n\r\n") for _ in range(4)]
check("four requests are on their way", [status_of(s) for s in late] == [100] * 4)
check("beside them another connection is closed", is_closed(half(url)))
[s.sendall(rest.encode()) for s in late]
check("and they are answered", [b"200 OK" in until(s, b'"usage"') for s in late] == [True] * 4)
PY
stop "after too many connections: SIGTERM"

# ---- Few requests are made ready at a time: the others wait, and may leave ----
export ITHACA_TEST_HOOK="prepare 0 $work/prepare"
start
client "$url" "$work/prepare" <<'PY'
import sys
from client import *
url, hold = sys.argv[1:]
busy, whole = "ithaca_requests_in_flight", post_of("/v1/completions", {"prompt": "a", "max_tokens": 1})
seven = [half(url, whole) for _ in range(7)]
check("seven requests have come", comes_to(url, busy, 8))
[s.close() for s in seven]
check("of seven clients that leave, three were still waiting", comes_to(url, busy, 5))
with open(hold, "w") as f:
    f.write("on")
check("the other four end, too", comes_to(url, busy, 1))
check("the next is answered", status_of(half(url, whole)) == 200)
PY
stop "after requests that waited: SIGTERM"
unset ITHACA_TEST_HOOK

# ---- SIGTERM: what runs is answered ----
start
curl -sN "$url/v1/completions" -d '{"prompt": "a", "max_tokens": 400, "temperature": 0, "ignore_eos": true, "stream": true}' >"$work/stream" &
client=$!
until grep -q data: "$work/stream" 2>/dev/null; do sleep 0.01; done
stop "SIGTERM beside a stream"
wait $client
same "SIGTERM: the stream is complete" "data: [DONE]" "$(grep . "$work/stream" | tail -n 1)"

# A server that ends is not ready, and what waits is refused
start --max-sessions 1 --ctx 131072
curl -sN "$url/v1/completions" -d '{"prompt": "a", "max_tokens": 130000, "temperature": 0, "ignore_eos": true, "stream": true}' >"$work/endless" &
client=$!
until grep -q data: "$work/endless" 2>/dev/null; do sleep 0.01; done
(post /v1/completions <<<'{"prompt": "b", "max_tokens": 1}' >"$work/refused") &
waiter=$!
kill -TERM "$server"
until [[ $(code "$url/health") != 200 ]]; do sleep 0.02; done
same "SIGTERM: the server is not ready any more" 503 "$(code "$url/health")"
wait $waiter
same "SIGTERM: what waits, or comes, is refused" 503 "$(cat "$work/refused")"
kill $client
wait "$server"
same "SIGTERM: it ends with its last client" 0 $?

# ---- A key, and the address ----
printf 'sesame\r\n' >"$work/key"
start --api-key-file "$work/key"
same "no key" 401 "$(code "$url/v1/models")"
same "another key" 401 "$(code "$url/v1/models" -H 'Authorization: Bearer sesamE')"
same "a longer key" 401 "$(code "$url/v1/models" -H 'Authorization: Bearer sesamesesame')"
same "an empty key" 401 "$(code "$url/v1/models" -H 'Authorization: Bearer ')"
same "the key" 200 "$(code "$url/v1/models" -H 'Authorization: Bearer sesame')"
same "the model" needle-qwen3 "$(field "$out" "j['data'][0]['id']")"
same "the key, in small letters" 200 "$(code "$url/v1/models" -H 'authorization: bearer sesame')"
same "the key, under any name" 200 "$(code "$url/v1/models" -H 'Authorization: Bearer sesame' -H 'Host: proxy.example')"
same "health needs none" 200 "$(code "$url/health")"
expect "a port that is in use" 1 "$ITHACA" serve $NEEDLE -q --threads 1 --port "${url##*:}"
matches "a port that is in use: said so" "$err" "cannot listen on 127.0.0.1 port"
stop "with a key: SIGTERM"
start --prompt-cache "$work/key/none" # a file is where a folder should be
for i in 1 2; do
    same "a prompt cache that fails: answer $i" 200 "$(post /v1/completions <<<'{"prompt": "a b c", "max_tokens": 1}')"
    comes_to ithaca_prompts_in_flight 0
done
stop "a prompt cache that fails: SIGTERM"
same "a prompt cache that fails: said once" 1 "$(grep -c 'computed without it' "$work/log")"
: >"$work/key"
expect "an empty key file" 1 "$ITHACA" serve $NEEDLE -q --threads 1 --port 0 --api-key-file "$work/key"
matches "an empty key file: said so" "$err" "expected one line with a key"
expect "no address" 1 "$ITHACA" serve $NEEDLE -q --threads 1 --port 0 --host 999.1.1.1
start --host 0.0.0.0
matches "open to everyone: said so" "$work/log" "^ithaca: warning: anyone who can reach this machine"
stop "open to everyone: SIGTERM"

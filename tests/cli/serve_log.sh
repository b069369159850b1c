#!/bin/bash
# serve_log.sh - --log-format: a line for each request, with what it was and nothing of its text.
. tests/tap.sh
. tests/served.sh

lines() { grep "$1" "$work/log" | grep -v /health >"$work/lines" || true; } # start asks for that

# asks PATTERN NAME: seven requests, whose lines match
asks() {
    code "$url/v1/completions" -d '{"prompt": "passkey of Ann", "max_tokens": 7, "ignore_eos": true}' >"$work/code"
    id=$(field "$out" "j['id']") n=$(field "$out" "j['usage']['prompt_tokens']")
    code "$url/v1/completions" -d '{"prompt": [[1, 2, 3], [4, 5]], "n": 2, "max_tokens": 3, "ignore_eos": true, "stream": true}' >"$work/code"
    code "$url/v1/completions" -d '{"prompt": [1, 2, 3], "max_tokens": 0, "echo": true, "logprobs": 1}' >"$work/code"
    code "$url/v1/chat/completions" -d '{"passkey": 1}' >"$work/code"
    code "$url/passkey%0Apasskey" >"$work/code"
    code "$url/v1/models/passkey" >"$work/code"
    code -I "$url/v1/models" >"$work/code"
    until lines "$1" && (($(wc -l <"$work/lines") >= 7)) || ! kill -0 $server 2>/dev/null; do sleep 0.02; done
    same "$2: lines" 7 "$(wc -l <"$work/lines")"
    same "$2: nothing of what was asked" "" "$(grep passkey "$work/log")"
}

start --log-format json
asks '^{' json
cat >"$work/lines.py" <<'PY'
import datetime, json, sys
path, url, id, n = sys.argv[1:]
lines = sorted((json.loads(l) for l in open(path)), key=lambda j: j["time"])
def word(j):
    return (j["method"], j["route"], j["status"], j["prompt_tokens"], j["completion_tokens"])
want = [("POST", "/v1/completions", 200, int(n), 7), ("POST", "/v1/completions", 200, 5, 12), ("POST", "/v1/completions", 200, 3, 0),
        ("POST", "/v1/chat/completions", 400, 0, 0), (None, None, 404, None, None), ("GET", "/v1/models/", 404, None, None),
        ("GET", "/v1/models", 200, None, None)]
assert sorted(map(str, map(word, lines))) == sorted(map(str, want)), lines
assert [j["id"] for j in lines if j["completion_tokens"] == 7] == [id]
for j in lines:
    assert list(j) == ["time", "client", "method", "route", "status", "id", "prompt_tokens", "completion_tokens", "waiting_seconds",
                       "first_token_seconds", "seconds"], j
    age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.strptime(j["time"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert j["client"] == "127.0.0.1" and 0 <= age.total_seconds() < 3600, j
    times = [j["waiting_seconds"], j["first_token_seconds"], j["seconds"]]
    assert (j["completion_tokens"] or 0) > 0 or times[1] is None, j
    assert j["route"] != "/v1/completions" or times[0] is not None, j
    assert [t for t in times if t is not None] == sorted(t for t in times if t is not None) and times[2] >= 0, j
print("as it should be")
PY
same "json: what they say" "as it should be" "$(or_fail python3 "$work/lines.py" "$work/lines" "$url" "$id" "$n" 2>&1)"
stop "json: SIGTERM"

start --log-format text
asks '^2.*Z ' text
stamp='^20[0-9-]{8}T[0-9:]{8}\.[0-9]{3}Z 127\.0\.0\.1'
s='[0-9]+\.[0-9]{3}'
matches "text: an answer" "$work/lines" "$stamp POST /v1/completions 200 $id prompt_tokens=$n completion_tokens=7 waiting=$s first_token=$s seconds=$s$"
matches "text: no answer" "$work/lines" "$stamp POST /v1/completions 200 cmpl-[0-9a-f]{16} prompt_tokens=3 completion_tokens=0 waiting=$s first_token=- seconds=$s$"
matches "text: refused" "$work/lines" "$stamp POST /v1/chat/completions 400 chatcmpl-[0-9a-f]{16} prompt_tokens=0 completion_tokens=0 waiting=- first_token=- seconds=$s$"
matches "text: an address that is not there" "$work/lines" "$stamp - - 404 seconds=$s$"
stop "text: SIGTERM"

start
code "$url/health" >"$work/code"
stop "without a log: SIGTERM"
same "without a log: nothing" 0 "$(grep -c health "$work/log")"

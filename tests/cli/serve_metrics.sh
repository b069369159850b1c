#!/bin/bash
# serve_metrics.sh - /metrics: its format, what is counted, and that it is answered while the engine is busy.
. tests/tap.sh
. tests/served.sh

cat >"$work/format.py" <<'PY'
"""Text format 0.0.4: samples of known families, buckets that add up."""
import re, sys
families, samples = {}, {}
for line in open(sys.argv[1]).read().split("\n")[:-1]:
    if m := re.fullmatch(r"# TYPE (\w+) (counter|gauge|histogram)", line):
        assert m[1] not in families, line
        families[m[1]] = m[2]
    elif not re.fullmatch(r"# HELP \w+ \S.*", line):
        m = re.fullmatch(r'(\w+)(\{\w+="[^"\\]*"(?:,\w+="[^"\\]*")*\})? (\d+(?:\.\d+)?)', line)
        assert m and m[1] + (m[2] or "") not in samples, line
        assert m[1] in families or families.get(re.sub("_(bucket|sum|count)$", "", m[1])) == "histogram", line
        samples[m[1] + (m[2] or "")] = float(m[3])
for name, kind in families.items():
    assert kind != "counter" or name.endswith("_total"), name
    if kind == "histogram":
        buckets = [(float(k.split('"')[1]), v) for k, v in samples.items() if k.startswith(name + "_bucket")]
        assert buckets == sorted(buckets) and [v for _, v in buckets] == sorted(v for _, v in buckets), buckets
        assert buckets[-1] == (float("inf"), samples[name + "_count"]), buckets
print("as it should be")
PY
format() {
    curl -s ${key:+-H "Authorization: Bearer $key"} -D "$work/header" "$url/metrics" >"$work/metrics"
    matches "$1: its type" "$work/header" "^Content-Type: text/plain; version=0.0.4"
    same "$1: its format" "as it should be" "$(or_fail python3 "$work/format.py" "$work/metrics" 2>&1)"
}

# ---- What is counted ----
start
format "nothing has been asked"
ask() { post "/v1/$1" <<<"$2"; }
same "a completion" 200 "$(ask completions '{"prompt": [1, 2, 3, 4, 5], "max_tokens": 7, "ignore_eos": true}')"
same "two answers to two prompts" 200 "$(ask completions '{"prompt": [[1, 2, 3], [4, 5]], "n": 2, "max_tokens": 3, "ignore_eos": true}')"
same "a stream" 200 "$(ask completions '{"prompt": [9, 8], "max_tokens": 2, "ignore_eos": true, "stream": true}')"
same "an answer that is not asked for" 200 "$(ask completions '{"prompt": [1, 2, 3], "max_tokens": 0, "echo": true, "logprobs": 1}')"
same "refused" 400 "$(ask completions '{"prompt": [1], "dance": 1}')"
same "another method" 405 "$(code "$url/v1/completions")"
same "no such address" 404 "$(code "$url/v1/\"x")"
comes_to 'ithaca_requests_total{route="/v1/completions",status="200"}' 4
comes_to 'ithaca_requests_total{route="/v1/completions",status="400"}' 1
comes_to 'ithaca_requests_total{route="other",status="405"}' 1
comes_to 'ithaca_requests_total{route="other",status="404"}' 1
same "tokens of prompts" $((5 + 2 * 3 + 2 * 2 + 2 + 3)) "$(counter ithaca_prompt_tokens_total)"
same "tokens of answers" $((7 + 4 * 3 + 2)) "$(counter ithaca_completion_tokens_total)"
same "requests with an answer" 4 "$(counter ithaca_request_seconds_count)"
same "requests that were worked on" 4 "$(counter ithaca_request_waiting_seconds_count)"
same "requests with a first token" 3 "$(counter ithaca_time_to_first_token_seconds_count)"
comes_to ithaca_requests_in_flight 1
comes_to ithaca_prompts_in_flight 0
repeats=$(python3 -c 'print([5, 6, 7] * 40)')
same "an answer that repeats its prompt" 200 "$(ask completions "{\"prompt\": $repeats, \"max_tokens\": 40, \"temperature\": 0, \"ignore_eos\": true}")"
comes_to 'ithaca_requests_total{route="/v1/completions",status="200"}' 5
same "guesses: some were right" True "$(python3 -c "print($(counter ithaca_draft_tokens_total) >= $(counter ithaca_accepted_tokens_total) > 0)")"
format "after requests"
stop "counted: SIGTERM"

# ---- The engine does nothing for a while: one prompt is worked on, one waits, and both clients leave ----
export ITHACA_TEST_HOOK="length 20 $work/held"
start --max-sessions 1
clients=()
for i in 1 2; do
    curl -sN -o /dev/null "$url/v1/completions" -d '{"prompt": [1, 2, 3], "max_tokens": 30, "ignore_eos": true, "stream": true}' &
    clients+=($!)
    ((i == 2)) || holding "$work/held" $server
done
comes_to 'ithaca_prompts_waiting{for="sessions"}' 1
same "one is worked on" 1 "$(counter ithaca_prompts_in_flight)"
same "it needs no more memory" 0 "$(counter 'ithaca_prompts_waiting{for="memory"}')"
comes_to ithaca_requests_in_flight 3
kill "${clients[@]}"
comes_to 'ithaca_requests_total{route="/v1/completions",status="499"}' 2
same "what waited is out of the queue" 0 "$(counter 'ithaca_prompts_waiting{for="sessions"}')"
echo on >"$work/held"
comes_to ithaca_prompts_in_flight 0
same "one had a first token" 1 "$(counter ithaca_time_to_first_token_seconds_count)"
stop "after clients that left: SIGTERM"
unset ITHACA_TEST_HOOK

# ---- A key ----
echo sesame >"$work/key"
start --api-key-file "$work/key"
same "with a key: it is needed" 401 "$(code "$url/metrics")"
key=sesame
comes_to 'ithaca_requests_total{route="/metrics",status="401"}' 1
format "with a key"
stop "with a key: SIGTERM"

#!/bin/bash
# serve_memory.sh - prompts that wait for memory while the one before them is worked on: it leaves, and the next has it; their clients
# leave; the server is asked to end.
. tests/tap.sh
. tests/served.sh

# A timeline of 120,000 tokens takes 469 MiB. There is room for one, and none for two.
python3 - "$work" <<'PY'
import json, sys
for i in range(4):
    for stream in True, False:
        with open(f"{sys.argv[1]}/{i}-{json.dumps(stream)}", "w") as f:
            json.dump({"prompt": [5 + i] * 120000, "max_tokens": 1, "stream": stream}, f)
PY
export SLURM_JOB_ID=1 SLURM_MEM_PER_NODE=840
unset SLURM_MEM_PER_CPU SLURM_CPUS_ON_NODE
waiting='ithaca_prompts_waiting{for="memory"}'

# send NAME: a client asks; $! is its process. leave PROCESS: it goes away
send() { curl -sN --max-time 600 -o "$work/answer-$1" -w '%{http_code}' "$url/v1/completions" -d @"$work/$1" >"$work/status-$1" & }
leave() { kill "$1" && wait "$1" 2>/dev/null; }

# goes_far: until several chunks are computed
goes_far() {
    local far=$(($(counter ithaca_prompt_tokens_total) + 1024))
    while kill -0 "$server" && (($(counter ithaca_prompt_tokens_total) < far)); do sleep 0.02; done
}

start --max-sessions 4 --max-waiting 1 --ctx 131072 --chunk 256 --kv f32
send 0-true
first=$!
comes_to ithaca_prompts_in_flight 1
send 1-true
second=$!
comes_to "$waiting" 1
same "the first alone is worked on" 1 "$(counter ithaca_prompts_in_flight)"
same "nothing waits in the queue" 0 "$(counter 'ithaca_prompts_waiting{for="sessions"}')"

# The first leaves: the second has its memory
leave $first
comes_to 'ithaca_requests_total{route="/v1/completions",status="499"}' 1
goes_far
same "the second is worked on" 1 "$(counter ithaca_prompts_in_flight)"
same "it waits no more" 0 "$(counter "$waiting")"

# Those that wait leave
send 2-true
third=$!
comes_to "$waiting" 1
send 3-false
fourth=$!
comes_to "$waiting" 2
leave $third
comes_to "$waiting" 1
leave $fourth
comes_to "$waiting" 0
same "the second is worked on still" 1 "$(counter ithaca_prompts_in_flight)"
same "nobody was refused" 0 "$(counter 'ithaca_requests_total{route="/v1/completions",status="503"}')"

# The server is asked to end: what waits is refused, and what is worked on goes on
send 2-true
third=$!
comes_to "$waiting" 1
send 3-false
fourth=$!
comes_to "$waiting" 2
kill -TERM "$server"
wait $third $fourth
same "SIGTERM: what waits for memory is refused" 503 "$(cat "$work/status-3-false")"
matches "SIGTERM: and says why" "$work/answer-3-false" "the server is stopping"
matches "SIGTERM: a stream, too" "$work/answer-2-true" "data: .*the server is stopping"
comes_to 'ithaca_requests_total{route="/v1/completions",status="503"}' 2
same "SIGTERM: the second is worked on still" 1 "$(counter ithaca_prompts_in_flight)"
leave $second
wait "$server"
same "SIGTERM: the server ends with it" 0 $?

#!/bin/bash
# out_of_memory.sh - an allocation of the program fails, in each command that answers or reckons: it does what it does otherwise, or
# says one line and exits with 1. (The server: serve_out_of_memory.sh.)
. tests/tap.sh

shim=$work/failing_malloc.so
if ldd "$ITHACA" | grep -q 'lib[at]san'; then
    echo "ok out of memory # SKIP the sanitizer has the allocator"
    exit
fi
${CC:-gcc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -O1 -fPIC -shared tests/faults/failing_malloc.c -o "$shim"
points=${ITHACA_LONG:+400}
points=${points:-8}
export FAULT_AT=$work/at FAULT_COUNT=$work/made

under() { if [[ $1 == bash ]]; then "$@"; else LD_PRELOAD=$shim "$@"; fi; }

# fails NAME COMMAND...: some of its allocations fail, evenly spread, one in each run
fails() {
    local name=$1 n at status wrong=''
    shift
    rm -f "$work/made" "$work/at"
    under "$@" >"$work/right" 2>"$work/right.err"
    same "$name: undisturbed" 0 $?
    n=$(tail -n 1 "$work/made")
    same "$name: allocations are counted" yes "$( ((n > 50)) && echo yes || echo "$n")"
    for ((i = 0; i < points; i++)); do
        at=$((i * n / points))
        echo $at >"$work/at"
        under "$@" >"$out" 2>"$err"
        status=$?
        if ((status == 0)); then
            # a batch has errors of single requests in its output, and says so
            cmp -s "$out" "$work/right" || grep -q 'requests have an error' "$err" || wrong+="$at of $n: another output; "
        elif ((status != 1)) || [[ $(grep -c '^ithaca: error: ' "$err") != 1 ]]; then
            wrong+="$at of $n: status $status, $(head -c 200 "$err"); "
        fi
    done
    same "$name: none is taken amiss" "" "$wrong"
}

python3 tests/cli/compare.py make "$work"
cat >"$work/person.json" <<'EOF'
{"type": "object", "properties": {"name": {"type": "string", "pattern": "^[A-Z][a-z]{1,5}$"}, "age": {"type": "integer", "minimum": 18}},
 "required": ["name", "age"]}
EOF
echo 'root ::= "passkey " [0-9]{3}' >"$work/key.gbnf"
python3 - "$work/batch.jsonl" <<'PY'
import json, sys
tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}}}}
say = {"messages": [{"role": "user", "content": "What is the passkey?"}], "max_tokens": 6, "temperature": 0}
with open(sys.argv[1], "w") as f:
    for i, more in enumerate(({}, {"tools": [tool]}, {"response_format": {"type": "json_object"}})):
        print(json.dumps({"custom_id": str(i), "body": {**say, **more}}), file=f)
PY
run=("$ITHACA" run $NEEDLE --threads 1 --ctx 2048 -q -p "What is the passkey of Gerald?" --temp 0 -n 6)
cat >"$work/batch.sh" <<'EOF'
rm -f "$work/answers"
LD_PRELOAD=$shim "$ITHACA" batch $NEEDLE --input "$work/batch.jsonl" --output "$work/answers" --ordered --threads 1 --ctx 2048 -q && cat "$work/answers"
EOF
export ITHACA NEEDLE work shim

fails "plan" "$ITHACA" plan synthetic:qwen3-8b:q4_0 --machine cluster/machines/zen4-2.json --nodes 2 --json
fails "compare" "$ITHACA" compare "$work/gpu.json" "$work/node.json" -o "$work/report"
fails "tokenize" "$ITHACA" tokenize $NEEDLE -p "What is the passkey of Gerald?" --json
fails "inspect" "$ITHACA" inspect $NEEDLE --json
fails "run, a schema" "${run[@]}" --json-schema "$work/person.json"
fails "run, a grammar" "${run[@]}" --grammar "$work/key.gbnf"
fails "batch" bash "$work/batch.sh"

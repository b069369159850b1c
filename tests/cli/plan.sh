#!/bin/bash
# plan.sh - plans with machine files: those that are shipped keep to their schema and to what was
# measured, wrong ones are refused by name; costs, the smallest number of nodes, many nodes.
source "$(dirname "$0")/../tap.sh"

plan() { "$ITHACA" plan synthetic:qwen3-0.6b:q4_0 --ctx 8192 "$@"; }
machines=(cluster/machines/*.json)
xeon=cluster/machines/xeon-32.json
same "machine files are found" yes "$( ((${#machines[@]} >= 3)) && echo yes)"

python=
for candidate in "$(type -P python3)" /usr/bin/python3; do
    "$candidate" -c 'import jsonschema' 2>/dev/null && python=$candidate && break
done
# schema FILE: does the schema accept it?
schema() {
    "$python" -c 'import json, sys, jsonschema
jsonschema.Draft202012Validator(json.load(open("cluster/machines/schema/machine-1.json"))).validate(json.load(open(sys.argv[1])))' "$1"
}
for file in "${machines[@]}"; do
    if [[ -n $python ]]; then
        expect "$file keeps to the schema" 0 schema "$file"
    else
        echo "ok $file keeps to the schema # SKIP no jsonschema for Python (Debian: python3-jsonschema)"
    fi
    expect "$file is read" 0 plan --machine "$file" --json
    same "$file: what is derived is there, and notes say more" True "$(or_fail python3 - "$file" <<'PY'
import json
import sys

m = json.load(open(sys.argv[1]))


def there(at, steps):
    if not steps:
        return True
    if steps[0] == "*":
        return all(there(x, steps[1:]) for x in at)
    return there(at[int(steps[0])] if isinstance(at, list) else at[steps[0]], steps[1:])


print(all(there(m, pointer.split("/")[1:]) for pointer in m["derived"]) and len(m["notes"]) > 0)
PY
)"
done

# What the schema refuses, the program refuses too, by the field's name.
expect "a copy" 0 python3 -c "
import json
m = json.load(open('$xeon'))
def put(_file, **change):
    json.dump({**m, **change}, open('$work/' + _file + '.json', 'w'))
put('same')
put('version', schema='ithaca-machine/9')
put('unknown', gpus=8)
put('lines', name='x\\nrm -rf ~')
put('long', name='x' * 400)
put('rates', rates=[{**m['rates'][0], 'read_gbps': -3}] + m['rates'][1:])
put('cores', cpu={**m['cpu'], 'cores': 'many'})
put('layout', products=[{'layout': 'w5', 'tokens': 1, 'gops': 1}])
put('link', links={'between': {'alpha_us': 1, 'gap_us': 1, 'gbps': 0}})
put('tiny', memory={'bytes': 1})
put('two', memory={'bytes': 1 << 40, 'nodes': [{'cores': 16, 'read_gbps': 80}] * 2}, disk={'read_gbps': 10})
"
expect "the same file" 0 plan --machine "$work/same.json"
[[ -z $python ]] || expect "schema: the same file" 0 schema "$work/same.json"
while read -r name says; do
    expect "$name: refused" 1 plan --machine "$work/$name.json"
    matches "$name: by name" "$err" "$work/$name.json: $says"
    [[ -z $python ]] || expect "$name: the schema refuses it" 1 schema "$work/$name.json"
done <<'END'
version schema should be
unknown gpus is not known
lines name should be a short text without control characters
long name should be a short text without control characters
rates rates\[0\].read_gbps should be
cores cpu.cores should be
layout products\[0\].layout should be
link links.between.gbps should be
END
expect "no file" 1 plan --machine "$work/none.json"
head -c 300 $xeon >"$work/cut.json"
expect "a file that is cut off" 1 plan --machine "$work/cut.json"
expect "a folder" 1 plan --machine "$work"

expect "costs" 0 plan --machine $xeon --nodes 4 --price 2 --watts 300 --answer 100 --json
same "costs: nodes, hours and price" True "$(field "$out" "all(abs(p['run']['cost'] - p['nodes'] * 2 * p['run']['seconds'] / 3600) < 1e-6 for p in j['plans'])")"
same "costs: nodes, hours and power" True "$(field "$out" "all(abs(p['run']['energy_wh'] - p['nodes'] * 300 * p['run']['seconds'] / 3600) < 1e-4 for p in j['plans'])")"
same "costs: prompt and answer fill the context" True "$(field "$out" "all(p['run']['prompt'] + p['run']['answer'] == 8192 and p['run']['answer'] == 100 for p in j['plans'])")"
same "parts are the whole" True "$(field "$out" "all(abs(sum(p['decode']['parts'].values()) * p['decode_tps'] - 1) < 1e-5 for p in j['plans'])")"
same "prompts of growing length" True "$(field "$out" "all([d['tokens'] for d in p['prefill']['depths']] == [1024, 2048, 4096, 8192] and abs(p['prefill']['depths'][-1]['seconds'] / p['prefill_s'] - 1) < 1e-4 for p in j['plans'])")"
expect "no costs" 0 plan --machine $xeon --json
same "no costs: null" True "$(field "$out" "j['plans'][0]['run']['cost'] is None and j['plans'][0]['run']['energy_wh'] is None")"
expect "as a table" 0 plan --machine $xeon --nodes 2 --price 1
matches "a table: the machine" "$out" "^node: 32 virtual cores, Intel Xeon, 155.0 GB/s"
matches "a table: the smallest" "$out" "^Smallest that fits in memory: 1 node\.$"

# A faster network, given on the command line, counts more than the file's.
expect "a slow network" 0 plan --machine $xeon --nodes 8 --network-gbps 0.1 --latency-us 100 --json
cp "$out" "$work/slow.json"
expect "a fast one" 0 plan --machine $xeon --nodes 8 --network-gbps 25 --latency-us 2 --json
same "a faster network is faster" True "$(field "$out" "j['plans'][3]['decode_tps'] > 2 * json.load(open('$work/slow.json'))['plans'][3]['decode_tps'] and j['network_gbps'] == 25 and j['latency_us'] == 2")"

# The memory of the machine that is planned for, not of this one.
expect "hardly any memory" 0 plan --machine "$work/tiny.json" --json
same "hardly any memory: nothing fits" "False none" "$(field "$out" "str(j['plans'][0]['fits']) + ' ' + j['plans'][0]['distribution']")"
expect "unknown memory" 0 plan --machine $xeon --json
same "unknown memory: said so" True "$(field "$out" "'the memory of a node, as this machine\'s' in j['plans'][0]['assumed']")"
expect "memory that is given" 0 plan --machine $xeon --mem 8GiB --json
same "memory that is given: nothing is assumed" False "$(field "$out" "any('memory' in a for a in j['plans'][0]['assumed'])")"
expect "ranks for two memory nodes" 0 plan --machine "$work/two.json" --ranks-per-node 4 --json
same "ranks for two memory nodes: a copy for each" True "$(field "$out" "j['plans'][0]['memory']['node_weights_bytes'] == 2 * j['plans'][0]['weight_bytes'] and j['plans'][0]['fits']")"
expect "ranks that do not divide" 0 plan --machine "$work/two.json" --ranks-per-node 3 --json
same "ranks that do not divide: one copy" True "$(field "$out" "j['plans'][0]['memory']['node_weights_bytes'] == j['plans'][0]['weight_bytes']")"
expect "no room for two copies" 0 "$ITHACA" plan synthetic:qwen3-8b:q4_0 --ctx 4096 --mem 4GiB --ranks-per-node 2 --machine "$work/two.json" --json
same "no room for two copies: one" True "$(field "$out" "j['plans'][0]['memory']['node_weights_bytes'] == j['plans'][0]['weight_bytes'] and j['plans'][0]['fits']")"

# A distribution that is asked for may be more than there is room for.
expect "replicated, but too large" 0 "$ITHACA" plan synthetic:qwen3-32b:bf16 --machine $xeon --mem 4GiB --distribution replicated --ctx 8192 --json
same "replicated, but too large: does not fit" True "$(field "$out" "j['smallest'] is None and not any(p['fits'] for p in j['plans']) and '; that is ' in j['plans'][0]['why']")"
expect "replicated, but too large: no script" 1 "$ITHACA" plan synthetic:qwen3-32b:bf16 --machine $xeon --mem 4GiB --distribution replicated --ctx 8192 --sbatch "$work/none.sbatch"

# Weights that are streamed come from the disk and, other nodes' rows, through the network.
expect "streamed over nodes" 0 "$ITHACA" plan synthetic:qwen3-32b:bf16 --machine "$work/two.json" --mem 4GiB --nodes 4 --ctx 4096 --network-gbps 0.1 --json
same "streamed over nodes: waits for the network" True "$(field "$out" "(lambda p: p['distribution'] == 'streamed' and p['prefill_s'] >= 30e9 * 3 / 4 / 0.1e9 * 4096 / p['chunk'])(j['plans'][-1])")"

expect "loading from an unknown disk" 0 plan --machine $xeon --json
same "loading from an unknown disk: said so" True "$(field "$out" "'the time to load, as none' in j['plans'][0]['assumed'] and j['plans'][0]['load_s'] is None")"
expect "a script, and an unknown disk" 0 "$ITHACA" plan synthetic:llama-3.1-70b:q8_0 --machine $xeon --mem 200GiB --nodes 1 --ctx 4096 --answer 2000 --sbatch "$work/slow.sbatch"
expect "a script, and a known disk" 0 "$ITHACA" plan synthetic:llama-3.1-70b:q8_0 --machine "$work/two.json" --mem 200GiB --nodes 1 --ctx 4096 --answer 2000 --sbatch "$work/fast.sbatch"
minutes() { sed -n 's/^#SBATCH --time=//p' "$1"; }
same "a script, and an unknown disk: has time for a slow one" yes "$( (($(minutes "$work/slow.sbatch") >= $(minutes "$work/fast.sbatch") + 5)) && echo yes)"

expect "a mesh is for that many nodes" 0 plan --machine $xeon --mesh 4x2 --nodes 8 --json
same "a mesh is for that many nodes: one row" "[8]" "$(field "$out" "[p['nodes'] for p in j['plans']]")"
for option in --latency-us --price --watts; do
    expect "$option 0 is refused" 2 plan --machine $xeon $option 0
    matches "$option 0: by name" "$err" "$option takes a number from"
done

# 34 GB of weights in 12 GiB of memory.
expect "nodes of little memory" 0 "$ITHACA" plan synthetic:qwen3-32b:bf16 --machine $xeon --mem 12GiB --nodes 16 --ctx 8192 --json
same "the smallest that fits lies between two rows" True "$(field "$out" "[p['nodes'] for p in j['plans'] if not p['fits']] == [1, 2] and j['smallest'] in (3, 4)")"
smallest=$(field "$out" "j['smallest']")
expect "the smallest" 0 "$ITHACA" plan synthetic:qwen3-32b:bf16 --machine $xeon --mem 12GiB --nodes "$smallest" --ctx 8192 --json
same "it fits, and is sharded" True "$(field "$out" "j['plans'][-1]['fits'] and j['plans'][-1]['distribution'] == 'sharded' and j['smallest'] == $smallest")"
expect "none fits" 0 "$ITHACA" plan synthetic:qwen3-32b:bf16 --machine $xeon --mem 4GiB --nodes 2 --ctx 8192 --json
same "none fits: null" True "$(field "$out" "j['smallest'] is None and j['plans'][-1]['prefill_s'] is None")"

expect "1,024 nodes" 0 "$ITHACA" plan synthetic:qwen3-8b:q4_0 --machine $xeon --ctx 128k --mem 1TB --nodes 1024 --json
same "1,024 nodes: eleven rows, sooner with more" True "$(field "$out" "[p['nodes'] for p in j['plans']] == [2 ** i for i in range(11)] and all(a['prefill_s'] > b['prefill_s'] for a, b in zip(j['plans'], j['plans'][1:]))")"
same "1,024 nodes: collectives of a token" True "$(field "$out" "[p['decode']['collectives'] for p in j['plans']] == [0] + 10 * [4 * 36 + 3]")"

expect "134 million tokens on many nodes" 0 "$ITHACA" plan synthetic:qwen3-8b:q4_0 --machine $xeon --ctx 134217728 --mem 20TB --nodes 16 --json
same "134 million tokens: ranks that share heads take less each" True "$(field "$out" "all(a['prefill_s'] > b['prefill_s'] for a, b in zip(j['plans'], j['plans'][1:]))")"

# Plans beside the runs that bench/notes and bench/plan.md record.
expect "plans beside runs: the median error is 10% at most, the largest 25%" 0 python3 bench/plan_check.py --ithaca "$ITHACA" --most 0.10,0.25

# ---- Scripts ----

script=$work/job.sbatch
expect "a script" 0 "$ITHACA" plan synthetic:qwen3-32b:bf16 --machine $xeon --mem 12GiB --nodes 16 --ranks-per-node 2 -t 16 --ctx 8192 --kv bf16 --chunk 1024 --sbatch "$script"
for line in '#!/bin/bash' '#SBATCH --nodes=2' '#SBATCH --ntasks-per-node=2' '#SBATCH --cpus-per-task=16' '#SBATCH --mem=[0-9]+G' \
    '#SBATCH --time=[0-9]+' '#SBATCH --signal=B:USR1@120' "set -- -m 'synthetic:qwen3-32b:bf16' --ctx 8192 '--kv' 'bf16' '--chunk' '1024' \"\\\$@\""; do
    matches "a script: $line" "$script" "^$line\$"
done
same "a script: each directive once" "" "$(sed -n 's/^#SBATCH --\([a-z-]*\).*/\1/p' "$script" | sort | uniq -d)"
expect "a script: bash reads it" 0 bash -n "$script"
mkdir "$work/bin"
printf '#!/bin/bash\nshift 2\nprintf "%%s\\n" "${@:2}" >"%s"\n' "$work/said" >"$work/bin/mpirun" # --bind-to none
chmod +x "$work/bin/mpirun"
expect "a script that runs" 0 "$ITHACA" plan "$NEEDLE" --machine $xeon --ctx 4096 --sbatch "$work/it's.sbatch"
expect "it runs" 0 env PATH="$work/bin:$PATH" ITHACA="$(realpath "$ITHACA")" ITHACA_LAUNCH=mpirun SLURM_JOB_ID=7 SLURM_SUBMIT_DIR="$PWD" \
    SLURM_CPUS_PER_TASK=1 bash "$work/it's.sbatch" -p "who's there"
same "it runs: model, context and what was submitted" "run --threads 1 -m $NEEDLE --ctx 4096 -p who's there" "$(paste -sd ' ' "$work/said")"
expect "no script where nothing fits" 1 "$ITHACA" plan synthetic:qwen3-32b:bf16 --machine $xeon --mem 4GiB --nodes 2 --ctx 8192 --sbatch "$work/none.sbatch"
matches "no script: why" "$err" "no script is written"
same "no script: none is there" no "$([[ -e $work/none.sbatch ]] && echo yes || echo no)"

# Measuring this machine takes seconds of all cores
expect "what is wrong is said before this machine is measured" 1 bash -c "ulimit -t 1; exec '$ITHACA' plan synthetic:qwen3-8b:q4_0 --ctx 99999999999"
matches "and named" "$err" "context 99999999999"

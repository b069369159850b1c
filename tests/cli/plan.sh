#!/bin/bash
# plan.sh - plans with machine files: those that are shipped keep to their schema and to what was
# measured, wrong ones are refused by name; costs, the smallest number of nodes, many nodes.
source "$(dirname "$0")/../tap.sh"

plan() { "$ITHACA" plan synthetic:qwen3-0.6b:q4_0 --ctx 8192 "$@"; }
machines=(cluster/machines/*.json)
xeon=cluster/machines/xeon-32.json
same "machine files are found" yes "$( ((${#machines[@]} >= 3)) && echo yes)"

python=
for candidate in python3 /usr/bin/python3; do
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
def put(name, **change):
    json.dump({**m, **change}, open('$work/' + name + '.json', 'w'))
put('same')
put('version', schema='ithaca-machine/9')
put('unknown', gpus=8)
put('rates', rates=[{**m['rates'][0], 'read_gbps': -3}] + m['rates'][1:])
put('cores', cpu={**m['cpu'], 'cores': 'many'})
put('layout', products=[{'layout': 'w5', 'tokens': 1, 'gops': 1}])
put('link', links={'between': {'alpha_us': 1, 'gap_us': 1, 'gbps': 0}})
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
same "1,024 nodes: collectives of a token" True "$(field "$out" "[p['decode']['collectives'] for p in j['plans']] == [0] + 10 * [4 * 36 + 8]")"

# Plans beside the runs that bench/notes and bench/plan.md record.
expect "plans beside runs: the median error is 10% at most, the largest 40%" 0 python3 bench/plan_check.py --ithaca "$ITHACA" --most 0.10,0.40

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

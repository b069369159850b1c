#!/bin/bash
# probe.sh - the machine that ithaca probe measures is written as a machine file, by any number of
# ranks, and plans read it.
source "$(dirname "$0")/../tap.sh"

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
python=
for candidate in "$(type -P python3)" /usr/bin/python3; do
    "$candidate" -c 'import jsonschema' 2>/dev/null && python=$candidate && break
done
check='import json, sys, jsonschema
jsonschema.Draft202012Validator(json.load(open("cluster/machines/schema/machine-1.json"))).validate(json.load(open(sys.argv[1])))'
quick=(probe --seconds 0 --buffer 8MiB --threads 1)

# probed NAME FILE: is it a machine file?
probed() {
    if [[ -n $python ]]; then
        expect "$1: by the schema" 0 "$python" -c "$check" "$2"
    else
        echo "ok $1: by the schema # SKIP no jsonschema for Python (Debian: python3-jsonschema)"
    fi
    expect "$1: a plan reads it" 0 "$ITHACA" plan synthetic:qwen3-0.6b:q4_0 --ctx 4096 --nodes 2 --machine "$2" --json
    same "$1: times, and nothing is assumed that was there to measure" "True True" \
        "$(field "$out" "all(p['prefill_s'] > 0 and p['decode_tps'] > 0 for p in j['plans'])") $(field "$out" "set(j['plans'][-1]['assumed']) <= {'links between nodes', 'how long threads wait for each other', 'the time to load, as none'}")"
}

head -c 40000000 /dev/zero >"$work/disk"
expect "one rank" 0 "$ITHACA" "${quick[@]}" -o "$work/one.json" --disk "$work/disk"
matches "one rank: a table" "$out" "integer GOP/s"
probed "one rank" "$work/one.json"
same "one rank: a thread, no links, a disk" "[1] 1 True None True" \
    "$(field "$work/one.json" "[r['threads'] for r in j['rates']], j['cpu']['cores'], j['disk']['read_gbps'] > 0, j['links']['inside'], all(p['gops'] > 0 for p in j['products'])" | tr -d '(),' )"
same "one rank: each instruction set" "$("$ITHACA" version --json | python3 -c "import json, sys; print(sorted(n for n in json.load(sys.stdin)['simd_available'] if n != 'ref'))")" \
    "$(field "$work/one.json" "sorted(j['integer_gops'])")"

expect "two ranks" 0 mpirun --oversubscribe --bind-to none -n 2 "$ITHACA" "${quick[@]}" --json -o "$work/two.json"
same "two ranks: what is printed is what is written" True "$(field "$out" "j == json.load(open('$work/two.json'))")"
probed "two ranks" "$work/two.json"
same "two ranks: cores of both, a link inside" "2 [2] True None" \
    "$(field "$work/two.json" "j['cpu']['cores'], [r['threads'] for r in j['rates']], j['links']['inside']['alpha_us'] > 0, j['links']['between']" | tr -d '(),')"

# Three ranks on a node of two and a node of one.
ITHACA_RANKS_PER_NODE=2 expect "three ranks on two nodes" 0 mpirun --oversubscribe --bind-to none -n 3 "$ITHACA" "${quick[@]}" -q -o "$work/three.json"
probed "three ranks" "$work/three.json"
same "three ranks: the smaller node's core, both links" "1 [1] True True" \
    "$(field "$work/three.json" "j['cpu']['cores'], [r['threads'] for r in j['rates']], j['links']['inside']['gbps'] > 0, j['links']['between']['gbps'] > 0" | tr -d '(),')"

# Without a file, a plan measures the machine itself.
expect "a plan of this machine" 0 "$ITHACA" plan synthetic:qwen3-0.6b:q4_0 --ctx 4096 --json
same "a plan of this machine: nothing is assumed but its disk" True "$(field "$out" "j['plans'][0]['assumed'] == ['the time to load, as none'] and j['plans'][0]['prefill_s'] > 0")"

# A rank has no memory for a kernel: a product, attention. All end, and say which rank it was.
two=(mpirun --oversubscribe --bind-to none -n 2)
products=$(field "$work/two.json" "len(j['products'])")
for line in 1 2 $((products + 2)); do
    ITHACA_TEST_HOOK="line $line FAIL 1" expect "rank 1 fails at line $line" 1 timeout 120 "${two[@]}" "$ITHACA" "${quick[@]}"
    matches "rank 1 fails at line $line: said" "$err" "rank 1: no memory for line $line"
done

# Memory nodes: those that no thread runs beside are left out, and so are those that a node lacks.
export ITHACA_TOPOLOGY=tests/topologies/qemu-2-nodes.xml
expect "two memory nodes, one thread" 0 "$ITHACA" "${quick[@]}" --json
same "two memory nodes, one thread: beside one" 1 "$(field "$out" "len(j['memory']['nodes'])")"
expect "two memory nodes, two threads" 0 "$ITHACA" "${quick[@]}" --threads 2 --json
same "two memory nodes, two threads: beside both" 2 "$(field "$out" "len(j['memory']['nodes'])")"
unset ITHACA_TOPOLOGY
ITHACA_RANKS_PER_NODE=1 expect "memory nodes of one node alone" 0 "${two[@]::5}" 1 env ITHACA_TOPOLOGY=tests/topologies/qemu-2-nodes.xml \
    "$ITHACA" "${quick[@]}" --threads 2 --json : -n 1 "$ITHACA" "${quick[@]}" --threads 2 --json
same "memory nodes of one node alone: as that node has them" 2 "$(field "$out" "len(j['memory']['nodes'])")"

expect "no such disk" 1 "$ITHACA" "${quick[@]}" --disk "$work/none"
expect "a disk of nothing" 1 "$ITHACA" "${quick[@]}" --disk "$work/err"
expect "no such folder" 1 "$ITHACA" "${quick[@]}" -o "$work/none/here.json"
matches "no such folder: said before anything is measured" "$err" "none/here.json"

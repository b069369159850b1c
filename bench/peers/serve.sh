#!/bin/bash
# serve.sh - ithaca serve and llama-server in turns, with the same file, threads and clients: tokens per second, time to the first
# token, an answer beside a long prompt, JSON of a schema.
#
# usage: serve.sh MODEL.gguf --llama DIR [OPTION]...
#   --llama DIR      holds llama-server: bin/ of build.sh's folder
#   --threads T      of each server (default: the cores)
#   --clients LIST   at a time (default 1,4,16,64)
#   --prompts LIST   tokens of each prompt (default 512,4096)
#   --tokens N       of each answer (default 64)
#   --kv TYPE        llama-server's cache type (default q8_0)
#   --rounds N       (default 1)
#   --out DIR        keeps results.jsonl and what the servers printed (default: a temporary folder)
# ITHACA names the program (default build/release/ithaca). The file needs a tokenizer and a chat template.
# Prints a line of JSON for each measurement, then a table. Every measurement has a server of its own, so that nothing is cached.
set -euo pipefail

usage() { sed -n '2,16s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
ithaca=${ITHACA:-$here/../../build/release/ithaca}
threads=$(nproc) clients=1,4,16,64 prompts=512,4096 tokens=64 kv=q8_0 rounds=1 llama='' out='' model=''
while (($#)); do
    case $1 in
    --llama | --threads | --clients | --prompts | --tokens | --kv | --rounds | --out)
        [[ $# -ge 2 ]] || usage
        printf -v "${1#--}" %s "$2"
        shift 2 ;;
    -*) usage ;;
    *) [[ -z $model ]] || usage
        model=$1
        shift ;;
    esac
done
[[ -n $model && -n $llama ]] || usage
[[ -n $out ]] || out=$(mktemp -d)
mkdir -p "$out"
: >"$out/results.jsonl"

server=
end() { [[ -z $server ]] || { kill "$server" && wait "$server" || true; } 2>/dev/null; server=; }
trap end EXIT

# start ENGINE SESSIONS CONTEXT: a server for so many prompts at a time, each of up to CONTEXT tokens; its address is $url
start() {
    local port
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    url=http://127.0.0.1:$port
    case $1 in
    ithaca) "$ithaca" serve -m "$model" -t "$threads" --port "$port" --max-sessions "$2" --ctx "$3" -q >"$out/$1.log" 2>&1 & ;;
    llama) "$llama/llama-server" -m "$model" -t "$threads" --port "$port" -np "$2" -c $(($2 * $3)) -fa on -ctk "$kv" -ctv "$kv" --jinja >"$out/$1.log" 2>&1 & ;;
    esac
    server=$!
    until [[ $(curl -s -o "$out/health" -w '%{http_code}' "$url/health") == 200 ]]; do
        kill -0 "$server" 2>/dev/null || { tail -n 3 "$out/$1.log" >&2 && exit 1; }
        sleep 0.2
    done
}

# measure SESSIONS CONTEXT WORD...: both engines, one after the other
measure() {
    local sessions=$1 context=$2 engine
    shift 2
    for engine in ithaca llama; do
        start $engine "$sessions" "$context"
        python3 "$here/serve_clients.py" "$url" $engine "$@" | tee -a "$out/results.jsonl"
        end
    done
}

longest=${prompts##*,}
for ((round = 0; round < rounds; round++)); do
    for prompt in ${prompts//,/ }; do
        for n in ${clients//,/ }; do
            measure "$n" $((prompt + tokens + 256)) many "$n" "$prompt" "$tokens"
        done
    done
    measure 2 $((longest + 16 * tokens + 256)) beside "$longest" "$tokens"
    measure 4 2048 schema 4 256
done

python3 - "$out/results.jsonl" <<'PY'
import collections, json, statistics, sys
found = collections.defaultdict(lambda: collections.defaultdict(list))
for line in map(json.loads, open(sys.argv[1])):
    e, what = line["engine"], line["what"]
    if what == "many":
        at = f"{line['clients']:3} clients, prompts of {line['prompt']}"
        found[at + ": tokens/s"][e].append(line["tokens_per_second"])
        found[at + ": first token, s"][e].append(line["first_token_seconds"])
    elif what == "beside":
        found[f"decode beside a prompt of {line['prompt']}: times alone"][e].append(line["ratio"])
        found[f"decode beside a prompt of {line['prompt']}: longest gap, s"][e].append(line["beside"]["most"])
    else:
        found["JSON of a schema: tokens/s"][e].append(line["tokens_per_second"])
        found["JSON of a schema: times the rate without"][e].append(line["tokens_per_second"] / line["without_schema"])
print(f"{'':48} {'ithaca':>10} {'llama':>10} {'ratio':>8}")
for what, engines in found.items():
    a, b = (statistics.median(engines[e]) for e in ("ithaca", "llama"))
    print(f"{what:48} {a:10.3f} {b:10.3f} {a / b:8.2f}")
PY

#!/bin/bash
# serve.sh - serve.sbatch without a cluster, its commands played by stubs: it says which tunnel to type, ends when it is told to, and comes
# back on the same port with the same prompt cache.
. tests/tap.sh

mkdir "$work/bin"
cat >"$work/bin/mpirun" <<END
#!/bin/bash
shift 2 # --bind-to none
echo "\$*" >>"$work/started"
exec "\$@"
END
chmod +x "$work/bin/mpirun"
port=$((20000 + $$ % 10000))
job=(env PATH="$work/bin:$PATH" ITHACA="$(realpath "$ITHACA")" ITHACA_LAUNCH=mpirun SLURM_JOB_ID=$$ SLURM_SUBMIT_DIR="$work"
    SLURM_SUBMIT_HOST=login SLURMD_NODENAME=n7 SLURM_CPUS_PER_TASK=1 bash cluster/slurm/serve.sbatch)

answered() { curl -sf -o "$work/answer" "http://127.0.0.1:$port/v1/completions" -d @"$work/prompt"; }
python3 -c 'import json; print(json.dumps({"prompt": [5] * 3000, "max_tokens": 4, "temperature": 0, "ignore_eos": True}))' >"$work/prompt"
text() { field "$work/answer" "j['choices'][0]['text']"; }

# serves NAME COMMAND...: it serves until a signal comes to the script alone
serves() {
    "${@:2}" >"$out" 2>"$err" &
    local script=$!
    until answered || ! kill -0 $script 2>/dev/null; do sleep 0.05; done
    kill -USR1 $script
    wait $script
    same "$1: ends well" 0 $?
}

serves "a job" "${job[@]}" "$PWD/$NEEDLE" --ctx 8192
first=$(text)
matches "a job: the tunnel" "$out" "^    ssh -N -L $port:localhost:$port -J login n7$"
matches "a job: the address" "$out" "http://127.0.0.1:$port/v1 "
matches "a job: it listens there" "$err" "listening on http://127.0.0.1:$port$"
same "a job: its prompt cache has the prompt" yes "$([[ -n $(find "$work/ithaca-serve.cache" -type f -size +100k) ]] && echo yes)"

serves "requeued" env SLURM_RESTART_COUNT=1 "${job[@]}" "$PWD/$NEEDLE" --ctx 8192
same "requeued: the same answer" "$first" "$(text)"
same "requeued: the same command" 1 "$(sort -u "$work/started" | wc -l)"
matches "requeued: with the prompt cache" "$work/started" " serve --threads 1 .*--port $port --prompt-cache $work/ithaca-serve.cache$"
same "requeued: the tunnel is said once" 1 "$(grep -c 'ssh -N' "$out")"

: >"$work/started"
expect "for other machines" 1 "${job[@]}" serve "$work/nowhere" --host 0.0.0.0 --port=8123 --prompt-cache "$work/cache"
matches "for other machines: the tunnel" "$out" "^    ssh -N -L 8123:n7:8123 login$"
matches "for other machines: options reach the program" "$work/started" " serve --threads 1 $work/nowhere --host 0.0.0.0 --port=8123 --prompt-cache $work/cache$"
expect "a port that nobody knows" 2 "${job[@]}" "$PWD/$NEEDLE" --port 0
matches "a port that nobody knows: said so" "$err" "^serve.sbatch: --port 0: a tunnel needs a port that is known"
expect "outside SLURM" 2 env -u SLURM_JOB_ID bash cluster/slurm/serve.sbatch MODEL
matches "outside SLURM: says what it is" "$err" "^serve.sbatch: a script for SLURM"

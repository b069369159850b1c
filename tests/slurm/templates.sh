#!/bin/bash
# templates.sh - every script of cluster/slurm, submitted to a SLURM cluster of two hosts that
# cluster/lab/slurm.sh makes of this machine: a needle found by 2 nodes and 4 ranks, a rank for each
# memory node, an array of 4, a chain of prefill and questions, a terminal, a job that is requeued
# in the middle of its prompt, a server, and one whose memory is too small. It runs as root and takes some
# minutes: `make check-slurm` and `make check-long`.
[[ ${ITHACA_LONG:-} == 1 || ${ITHACA_SLURM:-} == 1 ]] || { echo "ok slurm # SKIP make check-slurm runs it"; exit 0; }
. tests/slurm/cluster.bash

haystack --tokens 3000 --depth 0.4 --seed 3 --answer "$work/answer" >"$work/text" 2>/dev/null
options=(-m "$PWD/$NEEDLE" -f "$work/text" --temp 0 --json -n 16)
result() { field "$1" "j['text'], j['logits_sha256']"; }
answer=$(cat "$work/answer")

# as_wanted NAME: the job ended well and said what one process says
as_wanted() {
    ended "$1" COMPLETED 0:0
    same "$1: the same text and logits" "$want" "$(result "$stdout")"
}

expect "one process" 0 "$ITHACA" run "${options[@]}"
same "one process: finds the needle" "$answer" "$(field "$out" "j['text']")"
want=$(result "$out")

# ---- ithaca.sbatch and one-node.sbatch ----

submit 2 2 -- "${options[@]}" --report-ranks
as_wanted "many nodes"
same "many nodes: 4 ranks" 4 "$(field "$stdout" "j['ranks']")"
same "many nodes: the table has all of them" "0 n1 1 n1 2 n2 3 n2" "$(awk '$1 ~ /^[0-9]+$/ && $2 ~ /^n[12]$/ {print $1, $2}' "$stderr" | xargs)"
matches "many nodes: the table has the network" "$stderr" " eth0, .*Gbit/s measured"

ITHACA_RANKS=2 template=one-node.sbatch submit 1 1 --cpus-per-task=2 -- "${options[@]}"
as_wanted "one node"
same "one node: a rank for each of two memory nodes" 2 "$(field "$stdout" "j['ranks']")"
ITHACA_LAUNCH=mpirun ITHACA_RANKS=2 template=one-node.sbatch submit 1 1 --cpus-per-task=2 -- "${options[@]}"
as_wanted "one node, mpirun"
same "one node, mpirun: 2 ranks" 2 "$(field "$stdout" "j['ranks']")"

# A copy of the script works anywhere.
cp cluster/slurm/ithaca.sbatch "$work/mine.sbatch"
template=../../$(realpath --relative-to=. "$work/mine.sbatch") submit 1 1 -- "${options[@]}"
as_wanted "a copy of the script"

# ---- Too little memory: named before weights are read ----

submit 2 1 --mem=60 -- -m "$PWD/$NEEDLE" --raw -p "The rain" -c 100k
ended "too little memory" FAILED 1:0
matches "too little memory: named" "$stderr" "^ithaca: note: n[12]: rank [01] may take .* \(limited by the SLURM job\)"
matches "too little memory: what to do" "$stderr" "^ithaca: error: .*nothing is left for weights; give more memory"

# ---- preemptible.sbatch: killed in the middle of the prompt, by a requeue that nobody announced ----

hook="length 1024 $here" template=preemptible.sbatch submit 2 1 -- "${options[@]}" --chunk 512
comes holds
lab exec scontrol requeue "$job"
comes was_requeued "$job"
goes_on
as_wanted "preempted in mid-prefill"
same "preempted in mid-prefill: it went on" True "$(field "$stdout" "j['restored_tokens'] >= 1024")"
same "preempted in mid-prefill: the checkpoint is gone" "" "$(ls -d ithaca-*.checkpoint 2>/dev/null)"

# ---- array.sbatch ----

for i in 1 2 3 4; do
    haystack --tokens 1200 --depth 0.$i --seed $i --answer "$work/answer-$i" >"$work/document-$i" 2>/dev/null
    echo "$work/document-$i"
done >"$work/list"
ITHACA_ANSWERS=$work/answers template=array.sbatch submit 1 1 --array=1-4 -- documents "$work/list" -m "$PWD/$NEEDLE" --temp 0 -n 16
all_ended() { [[ -z $(lab exec squeue -h -j "$1" 2>/dev/null) ]]; }
comes all_ended "$job"
for i in 1 2 3 4; do
    same "array: document $i" "$(cat "$work/answer-$i")" "$(cat "$work/answers/000$i.txt" 2>&1)"
done
same "array: nothing else is left" "0001.txt 0002.txt 0003.txt 0004.txt" "$(ls "$work/answers" | xargs)"

# Two tasks for the four lines, one of which has its answer, and one of which cannot be read.
rm "$work/answers/0003.txt" "$work/answers/0004.txt"
echo kept >"$work/answers/0001.txt"
sed -i '4s/$/-that-is-not-there/' "$work/list"
ITHACA_ANSWERS=$work/answers template=array.sbatch submit 1 1 --array=1-2 --error="$work/array.err" -- documents "$work/list" -m "$PWD/$NEEDLE" --temp 0 -n 16
comes all_ended "$job"
same "array, again: what was there stays, what failed is missing" "0001.txt 0002.txt 0003.txt kept" \
    "$(cd "$work/answers" && ls -- *.txt | xargs) $(cat "$work/answers/0001.txt")"
matches "array, again: the line that failed" "$work/array.err" "array.sbatch: line 4 of .*/list: exit status 1: .*-that-is-not-there"

# ---- chain.sh ----

printf '%s\n' "Who has a passkey?" "$(tail -n 1 "$work/text")" >"$work/questions"
head -n -1 "$work/text" >"$work/book"
read -r first second <<<"$(ITHACA_ANSWERS=$work/asked ITHACA=$program \
    ITHACA_PREFILL="--cpus-per-task=1 --oversubscribe --output=$work/%j.out --error=$work/%j.err" \
    ITHACA_QUESTIONS="--array=1-2 --cpus-per-task=1 --oversubscribe --output=$work/asked.err --error=$work/asked.err" \
    lab exec cluster/slurm/chain.sh "$work/questions" -m "$PWD/$NEEDLE" -f "$work/book" --temp 0 --json -n 16 --prompt-cache "$work/cache")"
job=$first stderr=$work/$first.err
ended "chain: prefill" COMPLETED 0:0
comes all_ended "$second"
for i in 1 2; do
    expect "chain: question $i alone" 0 "$ITHACA" run -m "$PWD/$NEEDLE" -f "$work/book" -p "$(sed -n ${i}p "$work/questions")" --temp 0 --json -n 16
    same "chain: question $i, the same text and logits" "$(result "$out")" "$(result "$work/asked/000$i.txt")"
    same "chain: question $i, from the cache" True "$(field "$work/asked/000$i.txt" "j['restored_tokens'] >= 2048")"
done

# ---- interactive.sh ----

echo "$(cat "$work/questions" | tail -n 1)" >"$work/line"
export ITHACA=$program
lab exec cluster/slurm/interactive.sh --cpus-per-task=1 --oversubscribe -- -m "$PWD/$NEEDLE" --temp 0 -n 4 <"$work/line" >"$out" 2>"$err"
same "interactive: exit status" 0 $?
matches "interactive: an answer" "$out" "[a-z0-9]"
matches "interactive: on two ranks" "$err" "2 ranks|2 x 1 threads|[Gg]ranted job allocation"

# ---- serve.sbatch: two nodes answer what one process says, until the job is told to end ----

expect "one process, to be served" 0 "$ITHACA" run -m "$PWD/$NEEDLE" --raw -p "The rain" --temp 0 --ignore-eos -n 8 --json
want=$(field "$out" "j['text']")
ITHACA_TEST_HOOK='' template=serve.sbatch submit 2 1 -- "$PWD/$NEEDLE" --ctx 8192 --prompt-cache "$work/served.cache"
echo '{"prompt": "The rain", "max_tokens": 8, "temperature": 0, "ignore_eos": true}' >"$work/request"
url=http://127.0.0.1:$((20000 + job % 10000))/v1/completions
answered() { lab exec curl -sf "$url" -d @"$work/request" >"$work/served" 2>/dev/null || has_ended "$job"; }
comes answered
same "serve: the answer of one process" "$want" "$(field "$work/served" "j['choices'][0]['text']")"
same "serve: a rank on each node" "1 1" "$(ranks_of n1 | wc -l) $(ranks_of n2 | wc -l)"
matches "serve: which tunnel to type" "$stdout" "^    ssh -N -L $((20000 + job % 10000)):localhost:"
lab exec scancel -b -s USR1 "$job"
ended "serve: told to end" COMPLETED 0:0
same "serve: no rank is left" "" "$(ranks_of n1)$(ranks_of n2)"

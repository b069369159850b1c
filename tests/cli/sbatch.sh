#!/bin/bash
# sbatch.sh - cluster/slurm/ithaca.sbatch outside SLURM, with stand-ins for mpirun and scontrol.
# Warned of the time limit, a job with a checkpoint saves and goes back into the queue; without one
# it ends. The script's arguments reach the program.
. tests/tap.sh

mkdir "$work/bin"
printf '#!/bin/bash\nshift 2\nexec "$@"\n' >"$work/bin/mpirun" # --bind-to none
printf '#!/bin/bash\necho "$@" >>"%s"\n' "$work/requeued" >"$work/bin/scontrol"
chmod +x "$work"/bin/*
haystack --tokens 6000 --depth 0.4 --seed 3 >"$work/text" 2>/dev/null

job() {
    PATH=$work/bin:$PATH ITHACA=$ITHACA ITHACA_LAUNCH=mpirun SLURM_JOB_ID=17 SLURM_SUBMIT_DIR=$PWD SLURM_CPUS_PER_TASK=1 \
        bash cluster/slurm/ithaca.sbatch "$@"
}
options=(-m $NEEDLE -f "$work/text" --ignore-eos -n 100 --temp 0 --json)

# warned "POINT N" COMMAND...: sends SIGUSR1 to the script while the program waits there to be told
# to stop
warned() {
    rm -f "$work/here"
    ITHACA_TEST_HOOK="$1 $work/here" "${@:2}" >"$out" 2>"$err" &
    holding "$work/here" $!
    kill -USR1 $!
    wait $!
    status=$?
}

expect "a job that is left alone" 0 job "${options[@]}"
want=$(field "$out" "j['text'], j['logits_sha256']")
echo 1 2 3 >"$work/ids"
expect "another subcommand" 0 job score -m $NEEDLE --ids "$work/ids" --json
matches "another subcommand: runs" "$out" "perplexity"

exec_job=(env "PATH=$work/bin:$PATH" "ITHACA=$ITHACA" ITHACA_LAUNCH=mpirun SLURM_JOB_ID=17 "SLURM_SUBMIT_DIR=$PWD"
    SLURM_CPUS_PER_TASK=1 bash cluster/slurm/ithaca.sbatch)
warned "length 2048" "${exec_job[@]}" "${options[@]}" --checkpoint "$work/run"
same "warned, with a checkpoint: exit status" 75 "$status"
same "warned, with a checkpoint: back into the queue" "requeue 17" "$(cat "$work/requeued" 2>/dev/null)"
matches "warned, with a checkpoint: said so" "$err" "ithaca.sbatch: saved"
expect "from the queue again" 0 job "${options[@]}" --checkpoint "$work/run"
same "from the queue again: the same text and logits" "$want" "$(field "$out" "j['text'], j['logits_sha256']")"
same "from the queue again: it resumed" yes "$( (($(field "$out" "j['restored_tokens']") > 1000)) && echo yes || echo no)"


# A restarted job appends to its files (--open-mode), and shows its whole answer again
warned "answer 30" "${exec_job[@]}" "${options[@]}" --checkpoint "$work/again"
same "warned in the answer: what was said stays" 1 "$(wc -l <"$out")"
SLURM_RESTART_COUNT=1 "${exec_job[@]}" "${options[@]}" --checkpoint "$work/again" >>"$out" 2>>"$err"
same "restarted: exit status" 0 $?
same "restarted: the answer stands there once" "$want" "$(field "$out" "j['text'], j['logits_sha256']")"
matches "restarted: messages are kept" "$err" "ithaca.sbatch: saved"

rm -f "$work/requeued"
warned "answer 5" "${exec_job[@]}" -m $NEEDLE --raw -p "The rain" --ignore-eos -n 200 --temp 0
same "warned, without a checkpoint: 128 + 10" 138 "$status"
same "warned, without a checkpoint: not into the queue" no "$([[ -e $work/requeued ]] && echo yes || echo no)"
matches "warned, without a checkpoint: what was said stays" "$out" "[a-z]"

# A time limit that leaves no time to stop before: the warning comes as the job starts, and is not
# passed on. The run holds until it has come.
printf '#!/bin/bash\necho "%s"\n' '$LIMIT' | sed "s/.LIMIT/2:00/" >"$work/bin/squeue"
chmod +x "$work/bin/squeue"
rm -f "$work/here"
ITHACA_TEST_HOOK="answer 5 $work/here" "${exec_job[@]}" -m $NEEDLE --raw -p "The rain" --ignore-eos -n 20 --temp 0 >"$out" 2>"$err" &
holding "$work/here" $!
kill -USR1 $!
until grep -q "too short" "$err" || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
echo go >"$work/here"
wait $!
same "a limit of two minutes: run to its end" 0 $?
matches "a limit of two minutes: said so" "$err" "a time limit of 120 s is too short"
sed -i 's/2:00/1-00:00:00/' "$work/bin/squeue"
warned "answer 5" "${exec_job[@]}" -m $NEEDLE --raw -p "The rain" --ignore-eos -n 200 --temp 0
same "a limit of a day: stopped" 138 "$status"
expect "outside SLURM" 2 env -u SLURM_JOB_ID bash cluster/slurm/ithaca.sbatch -m $NEEDLE -p hi
matches "outside SLURM: says what it is" "$err" "^ithaca.sbatch: a script for SLURM"

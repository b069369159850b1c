#!/bin/bash
# array.sh - array.sbatch without a cluster, its commands played by stubs: a task whose first line was stopped and saved goes back
# into the queue, one whose line failed does not.
. tests/tap.sh

mkdir "$work/bin"
cat >"$work/bin/mpirun" <<'END'
#!/bin/bash
exit "$STATUS"
END
cat >"$work/bin/scontrol" <<END
#!/bin/bash
echo "\$*" >>"$work/scontrol"
END
chmod +x "$work/bin/mpirun" "$work/bin/scontrol"
echo "a document" >"$work/list"
task() {
    env PATH="$work/bin:$PATH" STATUS="$1" ITHACA="$(realpath "$ITHACA")" ITHACA_LAUNCH=mpirun ITHACA_ANSWERS="$work/answers" \
        SLURM_JOB_ID=7 SLURM_SUBMIT_DIR="$work" bash cluster/slurm/array.sbatch documents "$work/list" -m MODEL
}

expect "stopped and saved" 75 task 75
same "stopped and saved: requeued" "requeue 7" "$(cat "$work/scontrol" 2>&1)"
rm -f "$work/scontrol"
expect "failed" 1 task 3
same "failed: not requeued" "" "$(cat "$work/scontrol" 2>/dev/null)"
matches "failed: named" "$err" "array.sbatch: line 1 of .*/list: exit status 3: a document"
same "failed: no answer" "" "$(find "$work/answers" -name '*.txt')"

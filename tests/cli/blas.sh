#!/bin/bash
# blas.sh - only the exact path loads OpenBLAS: a damaged library in its place does not disturb
# anything else, and one that never returns does not keep the program from ending.
source "$(dirname "$0")/../tap.sh"

mkdir "$work/damaged"
echo "no library" >"$work/damaged/libopenblas.so.0"
cp "$work/damaged/libopenblas.so.0" "$work/damaged/libopenblas.so"
echo 1 2 3 >"$work/ids"
damaged() { LD_LIBRARY_PATH=$work/damaged "$@"; }

expect "a model runs without it" 0 damaged "$ITHACA" score -m $NEEDLE --ids "$work/ids" -t 1
expect "--exact does not" 1 damaged "$ITHACA" score -m $NEEDLE --ids "$work/ids" -t 1 --exact
matches "--exact names the library and what is wrong with it" "$err" "^ithaca: .*OpenBLAS: .*libopenblas.so.0: "
same "in one line" 1 "$(wc -l <"$err")"
expect "nor on two ranks" 1 damaged scripts/on_ranks.sh 2 "$ITHACA" score -m $NEEDLE --ids "$work/ids" -t 1 --exact
same "once" 1 "$(grep -c '^ithaca: .*OpenBLAS' "$err")"
expect "version" 0 damaged "$ITHACA" version
matches "version says so" "$out" "blas  *none"

# A product that never returns, as where OpenBLAS waits for memory: one signal ends the program
cat >"$work/stuck.c" <<'C'
/* cblas_sgemm says that it runs, and does not return */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
void openblas_set_num_threads(int n) { (void)n; }
char *openblas_get_config(void) { return "stuck"; }
void cblas_sgemm(void)
{
    close(open(getenv("STUCK"), O_CREAT | O_WRONLY, 0600));
    for (;;)
        pause();
}
C
# stuck SIGNAL WORD...: a command of the program, told to stop inside a product
stuck() {
    local pid
    rm -f "$work/runs"
    STUCK=$work/runs LD_LIBRARY_PATH=$work/stuck "$ITHACA" "${@:2}" &
    pid=$!
    until [[ -e $work/runs ]] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
    kill -s "$1" $pid
    wait $pid
}
mkdir "$work/stuck"
if gcc -shared -fPIC -o "$work/stuck/libopenblas.so.0" "$work/stuck.c" 2>"$err"; then
    expect "SIGTERM inside OpenBLAS: 128 + 15" 143 stuck TERM run -m $NEEDLE --ids "$work/ids" -n 1 -t 2 --exact
    expect "SIGUSR1 inside OpenBLAS: 128 + 10" 138 stuck USR1 score -m $NEEDLE --ids "$work/ids" -t 2 --exact
else
    ok "a product that never returns # SKIP no compiler for a stand-in"
fi

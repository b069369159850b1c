/* signals.h - signals that ask the program to stop.
 *
 * While the program listens, the first SIGINT, SIGTERM or SIGUSR1 asks, a second SIGINT or SIGTERM
 * kills. It listens from when ith_stop_signal is first called. While it does not, because it reads
 * standard input, plans or tokenizes, there is nobody to ask: the first signal ends it.
 *
 * Rank 0 ends the run on all ranks: its progress and text callbacks look here. Another rank cannot
 * end the run by itself: after SIGINT or SIGTERM it gives rank 0 some seconds, then it dies, which
 * ends all. SIGUSR1, which mpirun and srun pass on to all ranks, counts on rank 0 only.
 *
 * Signal handlers are the one place of the program with mutable globals: they cannot do without.
 */
#ifndef ITH_CLI_SIGNALS_H
#define ITH_CLI_SIGNALS_H

#include <stdbool.h>

void ith_stop_install(bool leader); /* leader: rank 0 */

/* The signal that asked to stop, 0 if none did. Whoever calls this will call it again soon. */
int ith_stop_signal(void);

/* Does the program listen from now on? Returns whether it did before. A command whose files must
 * not be left half-written listens from its start. */
bool ith_stop_listen(bool listens);

/* To be called when standard input has ended, before signals are listened to: was it ended by the
 * user? When mpirun is interrupted it closes its ranks' input and continues them (SIGCONT), and
 * ends them a second later. Where a SIGCONT has come, this waits for that, so that half a prompt is
 * not answered. */
void ith_stop_after_input(void);

/* For a program that a user talks to, on rank 0. Signals interrupt system calls from now on, such
 * as the one that waits for a line. After ith_stop_forget the next signal asks again, and the one
 * before counts as dealt with. */
void ith_stop_interrupts(void);
void ith_stop_forget(void);

/* After ith_stop_interrupts: waits until `fd` can be read or a signal asks to stop, and returns
 * whether to read. It misses no signal, also none that comes right before it waits. */
bool ith_stop_wait(int fd);

/* For a run that keeps nothing and calls a library that cannot be interrupted (OpenBLAS, which may
 * wait for memory for ever): if nobody looks within some seconds after a signal, it ends rank 0
 * too. */
void ith_stop_soon(void);

/* From now on rank 0 ends when it looks, and the other ranks wait for it however long that takes:
 * it has a chunk to finish and to save before it stops. */
void ith_stop_patiently(void);

#endif

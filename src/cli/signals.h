/* signals.h - being told to stop. The first SIGINT, SIGTERM or SIGUSR1 asks, a second SIGINT or SIGTERM kills. (Signal handlers are the one place
 * of the program with mutable globals: they have no other way to speak.)
 *
 * Rank 0 hears of it through the progress and text callbacks and ends the run on all ranks. Another rank cannot end
 * the run by itself: told by SIGINT or SIGTERM it gives rank 0 some seconds, then dies, which ends all. SIGUSR1, which mpirun and srun pass on to
 * all ranks, is rank 0's alone.
 */
#ifndef ITH_CLI_SIGNALS_H
#define ITH_CLI_SIGNALS_H

#include <stdbool.h>

void ith_stop_install(bool leader); /* leader: rank 0 */
int ith_stop_signal(void);          /* the signal that asked to stop, 0 if none did */

/* Rank 0 has a chunk to finish and to save before it stops: the others wait for it, however long. */
void ith_stop_patiently(void);

#endif

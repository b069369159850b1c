/* signals.h - being told to stop. The first SIGINT or SIGTERM asks, the second kills. (The one mutable global of the program:
 * a signal handler has no other way to speak.)
 *
 * Rank 0 hears of it through the progress and text callbacks and ends the run on all ranks. Another rank cannot end
 * the run by itself: it gives rank 0 some seconds, then dies, which ends all.
 */
#ifndef ITH_CLI_SIGNALS_H
#define ITH_CLI_SIGNALS_H

#include <stdbool.h>

void ith_stop_install(bool leader); /* leader: rank 0 */
int ith_stop_signal(void);          /* the signal that asked to stop, 0 if none did */

#endif

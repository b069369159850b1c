/* testhook.h - lets a test disturb the program at a fixed point of its work instead of after some
 * time.
 *
 * The environment variable ITHACA_TEST_HOOK holds "POINT N ACTION [RANK]". When a point's count
 * reaches N, rank RANK (default 0) acts, once. A count that starts beyond N, as after a resume,
 * counts as reaching it.
 *
 *   POINT   length   the timeline has N tokens. Every rank, after each pass; KV data handed to the
 *                    writer thread by then is on disk
 *           answer   N tokens of the answer are chosen and saved, the prompt's KV data is on disk,
 *                    and the last token is not shown yet. Rank 0 only
 *           prompt   N of many prompts have ended, and their lines are written. Rank 0 only
 *           file     the rank's writer thread has written N files of KV data. Runs in that thread
 *           pack     N bytes of a pack are made
 *           download N bytes of a file are downloaded and on disk
 *           typed    `chat` has asked for line N, and nothing of it is read. Rank 0 only
 *           prepare  a server makes a request ready for the engine. Rank 0 only; every thread that
 *                    comes to it, and /PATH alone
 *           bench    a benchmark has measured depth N, which its document does not have yet. Rank 0
 *                    only
 *           line     a probe has prepared kernel N, counted from 1, and has not run it
 *
 *   ACTION  KILL, TERM, INT, USR1,   the rank sends itself this signal; handlers run before it
 *           SEGV, BUS, STOP          continues
 *           FAIL                     at the point line: the rank has no memory for it
 *           /PATH                    the rank creates this file and waits while it is empty; at
 *                                    the points length and answer rank 0 also continues when it is
 *                                    told to stop
 *
 * All ranks must see the same value. Unset, a point costs one comparison. A value of another form
 * is ignored.
 *
 * ITHACA_TEST_STATES holds the number of tokens after which recurrent states are saved, so that a
 * test needs no long prompts.
 *
 * ITHACA_TEST_CLOCK names a file with the milliseconds by which a server's time is ahead, so that a
 * test need not wait. A test may write it again, with more, while the server runs.
 */
#ifndef ITH_BASE_TESTHOOK_H
#define ITH_BASE_TESTHOOK_H

#include <stdbool.h>
#include <stdint.h>

/* Reads the environment. To be called while the process has one thread. */
void ith_test_hook_open(int rank);

/* The value of ITHACA_TEST_STATES if it is a multiple of `unit`, else `otherwise`. */
int64_t ith_test_states(int64_t unit, int64_t otherwise);

/* By how much a server's time is ahead. Any thread. */
int64_t ith_test_clock_ms(void);

/* Is it time to act? Alike on all ranks that call it with the same count. */
bool ith_test_hook_due(const char *point, int64_t count);

/* To be called when it is. Sends the signal and returns false; or creates the file, sleeps for some
 * milliseconds, and returns true as long as the file is empty: the caller repeats the call unless
 * it has been told to stop. */
bool ith_test_hook_act(void);

/* Does the rank's step fail at this point? Once, with the action FAIL. */
bool ith_test_hook_fails(const char *point, int64_t count);

/* Any thread, as often as it likes: is it time to wait at this point? Creates the file and sleeps
 * for some milliseconds. */
bool ith_test_hook_holds(const char *point);

#endif

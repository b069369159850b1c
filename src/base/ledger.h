/* ledger.h - memory that is promised: allocated, but not yet touched, so that the system still
 * counts it as available.
 *
 * Each process keeps a sum of what it has allocated in large buffers (mem.h). What of that is not
 * in memory yet is promised, and nobody may count on it. Ranks of a node keep their sums in memory
 * that they share, so that each sees what the others were promised.
 *
 * A claim is entered first and checked then: of two ranks that claim the same memory at the same
 * time, one at least is refused.
 *
 * Any thread may call, except for ith_ledger_join and _leave.
 */
#ifndef ITH_BASE_LEDGER_H
#define ITH_BASE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Adds bytes to this process's sum, or takes them off. */
void ith_ledger_add(int64_t bytes);

/* Bytes promised to the processes of the node and not yet in memory. in_group: of those in this
 * process's control group only, whose limit they share. */
int64_t ith_ledger_promised(bool in_group);

/* From now on this process is number `me` of the n that share `ledger`: ith_ledger_bytes(n) zeroed
 * bytes, which stay the caller's. */
void ith_ledger_join(void *ledger, int n, int me);
size_t ith_ledger_bytes(int n);

/* This process is alone again, if `ledger` is what it joined last. */
void ith_ledger_leave(void *ledger);

#endif

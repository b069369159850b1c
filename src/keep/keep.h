/* keep.h - a session's KV data on disk: what the archive holds of a prompt is read instead of computed, what is computed is written.
 *
 * Writing is a thread's (keep_writer.h) while the next chunk is computed. Reading and every decision is a step of all ranks, each
 * of which reads and writes the (segment, head) pairs that it holds. What fails in an archive never fails a run: it is warned of and computed.
 */
#ifndef ITH_KEEP_KEEP_H
#define ITH_KEEP_KEEP_H

#include "ithaca.h"

typedef struct ith_keep ith_keep;

void ith_keep_close(ith_keep *keep); /* collective; accepts NULL */

/* Collective, as are the others. The ids of the session's timeline go on for n tokens behind its length, and the cache has room for them. Reads what the
 * archive holds of those and moves the session's length behind them, but never over the last token. *restored: how many. From
 * here to ith_keep_rest chunks are written. */
ith_status ith_keep_begin(ith_session *session, int64_t n, int64_t *restored, ith_error *err);

/* After each chunk. */
ith_status ith_keep_chunk(ith_session *session, ith_error *err);

/* At the end of the tokens, or where they were stopped: the part of a segment is written too. */
ith_status ith_keep_rest(ith_session *session, ith_error *err);

/* The timeline up to here is on disk, in whole segments: local, the same on all ranks. A session is not cut back below. */
int64_t ith_keep_least(const ith_keep *keep);

/* ---- A checkpoint's answer: rank 0 ---- */

/* Tokens to be shown again, and how often the sampler's generator was drawn from for them; 0 of them without a checkpoint, and for a second
 * answer. The last token that was saved is not among them: it is chosen again, so that its logits are there. `keep` may be NULL. */
const int32_t *ith_keep_answer(ith_keep *keep, int64_t *n, int64_t *draws);

/* Token i of the answer. Those that were shown again are passed over. A failure is warned of. `keep` may be NULL. */
void ith_keep_token(ith_keep *keep, int64_t i, int32_t id, int64_t draws);

#endif

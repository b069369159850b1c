/* keep_write.h - handing new segments of the timeline to the writer thread (keep_writer.h), which
 * writes them while the next chunk is computed.
 *
 * Recurrent states are copied for it: every ITH_KEEP_STATE_TOKENS tokens and where a prompt ends.
 * Under a checkpoint they are after some chunks too, and removed when there are later ones.
 *
 * A batch of segments goes to the thread after a chunk; before the next one, all ranks wait for
 * it and agree that it is on disk.
 */
#ifndef ITH_KEEP_KEEP_WRITE_H
#define ITH_KEEP_KEEP_WRITE_H

#include "keep/keep_state.h"

enum { ITH_KEEP_STATE_TOKENS = 8192 };

/* ith_keeper_ops.most: not beyond where states are saved. */
int64_t ith_keep_most(const ith_keeper *keeper, int64_t n);

/* ith_keeper_ops.chunk: whole segments, and under a checkpoint now and then an incomplete one. */
ith_status ith_keep_chunk(ith_keeper *keeper, ith_error *err);

/* Collective. Hands over the whole segments of the first `final` tokens, which the timeline will
 * not lose, if the next pass might write over one of them: in layers with a window. If one is lost
 * already, nothing more is written. */
ith_status ith_keep_catch_up(ith_keep *keep, int64_t final, ith_error *err);

/* ith_keeper_ops.rest: the last, incomplete segment is written too, and the states after it. */
ith_status ith_keep_rest(ith_keeper *keeper, ith_error *err);

/* ith_keeper_ops.least: tokens in whole segments that are written. */
int64_t ith_keep_least(const ith_keeper *keeper);

/* Collective. Waits until the last batch is on disk, then removes incomplete segments whose
 * tokens others contain. Afterwards keep->off says whether everything was written. */
void ith_keep_finish(ith_keep *keep);

#endif

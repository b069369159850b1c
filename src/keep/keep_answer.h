/* keep_answer.h - the checkpoint of a keeper: what run it is of, and the answer so far. Rank 0's
 * business. */
#ifndef ITH_KEEP_KEEP_ANSWER_H
#define ITH_KEEP_KEEP_ANSWER_H

#include "keep/keep_state.h"

/* Opens params->checkpoint, whose folder exists. ITH_E_ARGUMENT: it is of another run, or in
 * use. */
ith_status ith_keep_open_checkpoint(ith_keep *keep, const ith_keep_params *params, ith_error *err);

/* ith_keeper_ops.answer */
const int32_t *ith_keep_answer(ith_keeper *keeper, int64_t *n, int64_t *draws);

/* ith_keeper_ops.token. The user is warned of a failure, and the rest of the answer is not
 * saved. */
void ith_keep_token(ith_keeper *keeper, int64_t i, int32_t id, int64_t draws);

/* The whole answer is on disk; the error says why it is not. */
ith_status ith_keep_sync_answer(const ith_keep *keep, ith_error *err);

#endif

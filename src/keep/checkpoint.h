/* checkpoint.h - the state of a run in a folder, beside the KV data: what run it is, and the answer so far. One rank's business.
 *
 *   FOLDER/checkpoint.json   {"ithaca": "checkpoint", "version": 1, "run": {...}}: what must be the same for the run to go on
 *   FOLDER/answer            24 bytes a generated token, appended: u32 number, i32 id, i64 draws from the sampler's generator up to here,
 *                            u64 checksum of these. What is damaged, and all behind it, was never said.
 *   FOLDER/lock              held while a run uses the folder
 */
#ifndef ITH_KEEP_CHECKPOINT_H
#define ITH_KEEP_CHECKPOINT_H

#include "base/json.h"

typedef struct ith_checkpoint ith_checkpoint;

/* Begins one, or goes on: `run` is then compared with what is there. The folder is there. ITH_E_ARGUMENT: it is of another run, and the text says
 * what differs; or another process uses it. */
ith_status ith_checkpoint_open(const char *folder, const json_t *run, ith_checkpoint **checkpoint, ith_error *err);
void ith_checkpoint_close(ith_checkpoint *checkpoint); /* accepts NULL */

/* What was generated before it was opened. */
const int32_t *ith_checkpoint_answer(const ith_checkpoint *checkpoint, int64_t *n);

/* Draws up to and with token i of those. */
int64_t ith_checkpoint_draws(const ith_checkpoint *checkpoint, int64_t i);

/* The answer's next token is number i: what an earlier run left there and behind it goes. Now and then, and by ith_checkpoint_sync, the disk is waited for. */
ith_status ith_checkpoint_put(ith_checkpoint *checkpoint, int64_t i, int32_t id, int64_t draws, ith_error *err);
ith_status ith_checkpoint_sync(ith_checkpoint *checkpoint, ith_error *err);

/* The run is done: the files go. */
void ith_checkpoint_remove(ith_checkpoint *checkpoint);

/* The run that a folder's checkpoint is of: a new reference, NULL if there is none to read. */
json_t *ith_checkpoint_peek(const char *folder);

#endif

/* checkpoint.h - the state of a run in a folder: which run it is, and the answer so far. One rank's
 * business; the KV data lies in an archive.
 *
 *   FOLDER/checkpoint.json   {"ithaca": "checkpoint", "version": 1, "run": {...}}; a run may be
 *                            resumed only if its description is the same
 *   FOLDER/answer            24 bytes for each token: u32 number, i32 id, i64 draws from the
 *                            sampler's generator up to here, u64 checksum of these. The answer ends
 *                            before the first damaged record
 *   FOLDER/lock              locked while a run uses the folder
 *
 * Prompt and answer can be read in it, so the files are for their owner alone. The folder may be a
 * link, since the user named it; a file in it may not (base/regular.h).
 */
#ifndef ITH_KEEP_CHECKPOINT_H
#define ITH_KEEP_CHECKPOINT_H

#include "base/json.h"

typedef struct ith_checkpoint ith_checkpoint;

/* Creates a checkpoint in an existing folder, or opens the one that is there if its description
 * equals `run`. ITH_E_ARGUMENT: it is of another run (the text says what differs), or another
 * process uses it. */
ith_status ith_checkpoint_open(const char *folder, const json_t *run, ith_checkpoint **checkpoint,
                               ith_error *err);
void ith_checkpoint_close(ith_checkpoint *checkpoint); /* accepts NULL */

/* The n tokens that were there when it was opened. */
const int32_t *ith_checkpoint_answer(const ith_checkpoint *checkpoint, int64_t *n);

/* Draws from the generator up to and including token i of these. */
int64_t ith_checkpoint_draws(const ith_checkpoint *checkpoint, int64_t i);

/* Appends token i. The first call truncates the answer there. About once a second it waits until
 * the disk has what was written. */
ith_status ith_checkpoint_put(ith_checkpoint *checkpoint, int64_t i, int32_t id, int64_t draws,
                              ith_error *err);

/* Waits for the disk. */
ith_status ith_checkpoint_sync(ith_checkpoint *checkpoint, ith_error *err);

/* Deletes the files; the folder stays. */
void ith_checkpoint_remove(ith_checkpoint *checkpoint);

/* The description of the run in a folder, a new reference; NULL if it cannot be read. */
json_t *ith_checkpoint_peek(const char *folder);

#endif

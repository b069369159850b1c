/* batch_output.h - the file that `ithaca batch` writes: whole lines, each on disk before the next,
 * so that the same command goes on after being killed.
 *
 * A line's id is batch_req_N, N the number of its line in the input. When the file is opened, its
 * lines are read: their requests are done. A last line without an end, which was being written when
 * the run was killed, is cut off. Rank 0 only.
 */
#ifndef ITH_CLI_BATCH_OUTPUT_H
#define ITH_CLI_BATCH_OUTPUT_H

#include "base/json.h"

#define ITH_BATCH_ID "batch_req_"

typedef struct ith_batch_output {
    const char *path;
    int fd;
    int64_t bytes;   /* of whole lines */
    int64_t most;    /* lines that the input may have */
    int64_t n_lines; /* that were there */
    bool cut;        /* a torn line was */
    uint8_t *done;   /* [room] by line number: has it a line here? */
    uint64_t *names; /* [room] checksum of its custom_id */
    int64_t room;
} ith_batch_output;

/* The file is created if it is missing, and locked: two runs must not write one. model: the name
 * that answers bear; most: lines that the input may have. ITH_E_IO; ITH_E_ARGUMENT: another run has
 * it, or a line of it is not of this program, of another model, or of a line that the input cannot
 * have. Close it after a failure too. */
ith_status ith_batch_output_open(const char *path, const char *model, int64_t most,
                                 ith_batch_output *out, ith_error *err);
void ith_batch_output_close(ith_batch_output *out);

/* Has the input's line `line` its line here? ITH_E_ARGUMENT: it has, of another custom_id (NULL:
 * none). */
ith_status ith_batch_output_has(const ith_batch_output *out, int64_t line, const char *custom_id,
                                bool *has, ith_error *err);

/* Appends a line, and waits until it is on disk. ITH_E_IO: nothing of it is in the file. */
ith_status ith_batch_output_add(ith_batch_output *out, const char *text, ith_error *err);

#endif

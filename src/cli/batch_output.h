/* batch_output.h - the file that `ithaca batch` writes: whole lines, each on disk before the next,
 * so that the same command goes on after being killed.
 *
 * A line's id is batch_req_N, N the number of its line in the input, and its request_id says what
 * was asked and with which options. When the file is opened, its lines are read: their requests are
 * done. A last line that was being written when the run was killed or the machine lost power, is
 * cut off: it has no end, or zeros where the disk has not got its bytes. Rank 0 only.
 */
#ifndef ITH_CLI_BATCH_OUTPUT_H
#define ITH_CLI_BATCH_OUTPUT_H

#include "base/json.h"

#define ITH_BATCH_ID "batch_req_"

enum { ITH_BATCH_MODEL = 100 };

typedef struct ith_batch_output {
    const char *path;
    int fd;
    int64_t bytes;   /* of whole lines */
    int64_t most;    /* lines that the input may have */
    int64_t n_done;  /* lines of the input that have theirs here */
    bool cut;        /* a torn line was */
    uint8_t *done;   /* [room] by line number: has it a line here? */
    uint64_t *asked; /* [room] digest of the input's line */
    int64_t room;
    char model[ITH_BATCH_MODEL]; /* the name that answers bear; "": no answer was there */
    uint64_t options;            /* digest of the options of the lines that were there */
} ith_batch_output;

/* The file is created if it is missing, and locked: two runs must not write one. most: lines that
 * the input may have. ITH_E_IO; ITH_E_ARGUMENT: another run has it, or a line of it is not of this
 * program, of another model or other options than those before it, or of a line that the input
 * cannot have. Close it after a failure too. */
ith_status ith_batch_output_open(const char *path, int64_t most, ith_batch_output *out,
                                 ith_error *err);
void ith_batch_output_close(ith_batch_output *out);

/* Has the input's line `line` its line here? ITH_E_ARGUMENT: it has, of another request than the
 * one with this digest. */
ith_status ith_batch_output_has(const ith_batch_output *out, int64_t line, uint64_t asked,
                                bool *has, ith_error *err);

/* ITH_E_ARGUMENT: what was there is of another model, or of other options. */
ith_status ith_batch_output_check(const ith_batch_output *out, const char *model, uint64_t options,
                                  ith_error *err);

/* The request_id of a line to be added. */
void ith_batch_output_request_id(uint64_t asked, uint64_t options, char text[40]);

/* Appends a line, and waits until it is on disk. ITH_E_IO: nothing of it is in the file. */
ith_status ith_batch_output_add(ith_batch_output *out, const char *text, ith_error *err);

#endif

/* batch_names.h - custom_id, by which whoever asked finds the answers of a batch: no two lines of
 * the input may have the same. Rank 0 only. */
#ifndef ITH_CLI_BATCH_NAMES_H
#define ITH_CLI_BATCH_NAMES_H

#include "base/error.h"

typedef struct ith_batch_name {
    uint64_t digest; /* of the custom_id */
    int64_t line;
} ith_batch_name;

typedef struct ith_batch_names {
    ith_batch_name *list; /* [n], malloc'd */
    size_t n, room;
} ith_batch_names;

/* A line of the input; one that has no custom_id, or is no request, is passed over: it is refused
 * when it is its turn. ITH_E_MEMORY. */
ith_status ith_batch_names_add(ith_batch_names *names, const char *text, size_t len, int64_t line,
                               ith_error *err);

/* After all lines of the file `path`. ITH_E_ARGUMENT: two have the same, and which. */
ith_status ith_batch_names_check(ith_batch_names *names, const char *path, ith_error *err);

void ith_batch_names_free(ith_batch_names *names);

#endif

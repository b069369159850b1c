/* same.h - checks that all ranks were told the same, before one of them waits for the others.
 *
 * A rank lists what it was told, by name and value, and the lists are compared: by one digest while
 * they are equal, value by value when they are not.
 */
#ifndef ITH_COMM_SAME_H
#define ITH_COMM_SAME_H

#include "comm/comm.h"

enum { ITH_SAME_BYTES = 8192, ITH_SAME_VALUE = 200 };

/* Starts zeroed. All ranks add the same names in the same order. */
typedef struct ith_same {
    uint64_t digest; /* of everything that was added */
    int32_t used;
    char items[ITH_SAME_BYTES]; /* name, NUL, value, NUL; those that do not fit are in the digest */
} ith_same;

/* Of a value longer than ITH_SAME_VALUE bytes the start is shown in errors. NULL is a value too. */
void ith_same_text(ith_same *same, const char *name, const char *value);
void ith_same_int(ith_same *same, const char *name, int64_t value);
/* The value is the digest of some bytes. */
void ith_same_data(ith_same *same, const char *name, const void *data, size_t bytes);

/* Collective. ITH_E_COMM on all ranks: "rank 3: the chunk is 64, and 128 on rank 0", of the lowest
 * rank that differs and its first difference. Two reductions of one number if nothing differs. */
ith_status ith_comm_same(ith_comm *comm, const ith_same *mine, ith_error *err);

/* The name of thing i, for errors. */
typedef const char *(*ith_same_name)(const void *user, int64_t i);

/* Collective. The same for n things by their digests, n equal on all ranks: "rank 3: NAME differs
 * from rank 0's". ITH_E_COMM; ITH_E_MEMORY. */
ith_status ith_comm_same_digests(ith_comm *comm, const uint64_t *digests, int64_t n,
                                 ith_same_name name, const void *user, ith_error *err);

#endif

/* comm_blocks.h - for tests of src/comm: blocks of known bytes between guards, an all-to-all of
 * them, and a function that runs a program's cases. */
#ifndef ITH_TESTS_COMM_BLOCKS_H
#define ITH_TESTS_COMM_BLOCKS_H

#include "tests/check.h"

#include "comm/comm_mpi_open.h"
#include "comm/comm_open.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_RANKS = 16, GUARD = 32, MESSAGE = 1000, MOST = MAX_RANKS * (5000 + GUARD) + GUARD };

/* Where blocks lie in a buffer, with a guard between them. */
typedef struct plan {
    int64_t counts[MAX_RANKS], displs[MAX_RANKS], bytes;
} plan;

/* Bytes from s to d: some none at all, some one message, some several with and without a rest. */
static inline int64_t block_bytes(int s, int d)
{
    static const int64_t sizes[] = {1,    0,          37, MESSAGE, 2 * MESSAGE, 3 * MESSAGE + 1,
                                    5000, MESSAGE - 1};
    return sizes[(s * 3 + d * 5) % 8];
}

static inline uint8_t byte_of(int s, int d, int64_t i)
{
    return (uint8_t)(i * 7 + s * 31 + d * 101 + i / 251 + 1);
}

static inline void lay_out(plan *p, int size)
{
    p->bytes = GUARD;
    for (int r = 0; r < size; r++) {
        p->displs[r] = p->bytes;
        p->bytes += p->counts[r] + GUARD;
    }
}

static inline uint8_t *new_buffer(ith_comm *comm, const plan *p)
{
    uint8_t *buf = malloc((size_t)p->bytes);
    CHECK(comm, buf != NULL);
    memset(buf, 0xee, (size_t)p->bytes);
    return buf;
}

static inline bool guards_untouched(const uint8_t *buf, const plan *p, int size)
{
    int64_t at = 0;
    for (int r = 0; r <= size; r++) {
        int64_t end = r < size ? p->displs[r] : p->bytes;
        for (; at < end; at++)
            if (buf[at] != 0xee)
                return false;
        at = r < size ? end + p->counts[r] : end;
    }
    return true;
}

static inline bool block_is(const uint8_t *block, int64_t bytes, int s, int d)
{
    for (int64_t i = 0; i < bytes; i++)
        if (block[i] != byte_of(s, d, i))
            return false;
    return true;
}

static inline void fill_block(uint8_t *block, int64_t bytes, int s, int d)
{
    for (int64_t i = 0; i < bytes; i++)
        block[i] = byte_of(s, d, i);
}

/* An exchange in progress. */
typedef struct exchanged {
    plan out, in;
    uint8_t *send, *recv;
} exchanged;

static inline void start_alltoall(ith_comm *comm, int flight, exchanged *e)
{
    int me = comm->rank, size = comm->size;
    for (int r = 0; r < size; r++) {
        e->out.counts[r] = block_bytes(me, r + flight);
        e->in.counts[r] = block_bytes(r, me + flight);
    }
    lay_out(&e->out, size);
    lay_out(&e->in, size);
    e->send = new_buffer(comm, &e->out);
    e->recv = new_buffer(comm, &e->in);
    for (int r = 0; r < size; r++)
        fill_block(e->send + e->out.displs[r], e->out.counts[r], me, r + flight);
    comm->ops->alltoall_start(comm, flight,
                              &(ith_alltoall){e->send, e->out.counts, e->out.displs, e->recv,
                                              e->in.counts, e->in.displs, MOST});
}

static inline void finish_alltoall(ith_comm *comm, int flight, exchanged *e)
{
    comm->ops->finish(comm, flight);
    for (int r = 0; r < comm->size; r++)
        CHECK(comm, block_is(e->recv + e->in.displs[r], e->in.counts[r], r, comm->rank + flight));
    CHECK(comm, guards_untouched(e->recv, &e->in, comm->size));
    free(e->send);
    free(e->recv);
}

static inline void do_alltoall(ith_comm *comm)
{
    exchanged e;
    comm->ops->progress(comm); /* may be called at any time */
    start_alltoall(comm, 0, &e);
    for (int i = 0; i < (comm->rank * 3) % 5; i++)
        comm->ops->progress(comm);
    finish_alltoall(comm, 0, &e);
}

/* The main function of a program of such cases. */
static inline int run_cases(void (*const cases[])(ith_comm *), size_t n)
{
    ith_comm *comm;
    ith_error err;
    if (ith_comm_open_mpi(&ith_mpi_defaults, &comm, &err) != ITH_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    CHECK(comm, comm->size <= MAX_RANKS);
    for (size_t i = 0; i < n; i++)
        cases[i](comm);
    ith_comm_close(comm);
    return 0;
}

#endif

/* comm.h - what ranks say to each other, behind one struct of operations.
 *
 * Two implementations: comm_self.c (one rank, plain copies, no MPI: unit tests and plain runs need no launcher) and
 * the files comm_mpi*.c (their comm_mpi_impl.h alone includes <mpi.h>). All buffers are bytes; counts and displacements are 64-bit and in
 * bytes. Every function is collective over the communicator unless it says otherwise, and is called by one thread per
 * rank (MPI_THREAD_FUNNELED); a side communicator is for one thread more.
 *
 * A node is a set of ranks that share memory: those of one machine. ITHACA_RANKS_PER_NODE=n cuts machines into nodes of n ranks (and a
 * rest), so that what happens between machines can be tested on one.
 *
 * A failing MPI call cannot be mended by the rank that sees it: comm_mpi prints rank, call and MPI's text and ends all
 * ranks (ith_comm_abort). Functions that only communicate therefore return nothing.
 */
#ifndef ITH_COMM_COMM_H
#define ITH_COMM_COMM_H

#include "base/error.h"
#include "comm/exchange.h"

typedef struct ith_comm ith_comm;

/* Exchanges and lists of messages that may be under way at a time: each is a flight, with a number from 0 on. */
enum { ITH_FLIGHTS = 8 };

/* An all-to-all: block r of `send` (send_counts[r] bytes at send_displs[r]) goes to rank r; the block from r lands at recv_displs[r]. */
typedef struct ith_alltoall {
    const void *send;
    const int64_t *send_counts, *send_displs; /* [size] */
    void *recv;
    const int64_t *recv_counts, *recv_displs; /* [size] */
    int64_t
        most; /* bytes that no rank's `send` or `recv` exceeds; the same on all ranks, who choose a strategy by it */
} ith_alltoall;

/* Bytes and calls since the communicator was made, per operation; `sent` counts bytes for other ranks only. */
typedef struct ith_comm_stats {
    ith_exchange_traffic exchange[ITH_EXCHANGES]; /* by strategy */
    int64_t allgather_calls, allgather_sent;
    int64_t bcast_calls, bcast_sent;
    int64_t message_calls, messages, message_sent; /* lists; what they were sent in */
} ith_comm_stats;

typedef struct ith_parcel { /* one way, to or from another rank */
    int rank;
    void *buf; /* read by sends */
    int64_t bytes;
} ith_parcel;

/* Says where the pages of a buffer shall lie, before any is touched (base/topology.h). */
typedef void (*ith_place_fn)(void *user, void *data, size_t bytes);

typedef struct ith_comm_ops {
    const char *name; /* "self", "mpi" */
    void (*barrier)(ith_comm *comm);
    void (*bcast)(ith_comm *comm, void *buf, int64_t bytes, int root);
    /* Every rank's `send` of counts[rank] bytes lands at recv + displs[rank] on all ranks; counts and displs are equal everywhere.
     * send may be recv + displs[rank] (in place). */
    void (*allgatherv)(ith_comm *comm, const void *send, void *recv, const int64_t *counts, const int64_t *displs);
    /* The blocks and the arrays that *x names must stay as they are until the flight, which is free, is finished. Until then the caller
     * may call progress, start and finish other flights, and no other operation. All ranks start and finish exchanges in the same order. By which strategy: see exchange_open. */
    void (*alltoall_start)(ith_comm *comm, int flight, const ith_alltoall *x);
    /* Not collective: sends and receives these. What a pair of ranks exchanges in flights of one number matches in order; each receive names
     * the exact size. None of this rank with itself. The lists may be changed at once, the buffers when the flight is finished. */
    void (*messages_start)(ith_comm *comm, int flight, const ith_parcel *sends, int64_t n_sends,
                           const ith_parcel *recvs, int64_t n_recvs);
    void (*progress)(ith_comm *comm);           /* not collective: lets what is under way move, if anything is */
    void (*finish)(ith_comm *comm, int flight); /* all is there; the flight is free */
    /* Do exchanges of up to `most` bytes move while others are under way and the caller computes (others wait, or are done by
     * copying)? The same on all ranks. */
    bool (*overlaps)(const ith_comm *comm, int64_t most);
    /* Collective; the same arguments on all ranks. How exchanges are done from now on, and memory for such of up to `most` bytes; larger
     * ones go pairwise, as do all before the first call. May be called again; what was reserved stays. */
    ith_status (*exchange_open)(ith_comm *comm, ith_exchange strategy, int64_t most, ith_error *err);
    /* The largest `value` of all ranks: agreement on a status, on a need. */
    int64_t (*max)(ith_comm *comm, int64_t value);
    /* One buffer of `bytes` (the same on all ranks), zeroed, shared by the ranks of each node: *out differs as an address, not as
     * memory. Freed by shared_free, collective too. node_rank 0 on each node owns the allocation, and calls `place` before the first touch;
     * NULL: it does not matter where the pages lie. */
    ith_status (*shared_alloc)(ith_comm *comm, size_t bytes, const char *what, ith_place_fn place, void *user,
                               void **out, ith_error *err);
    void (*shared_free)(ith_comm *comm, void *ptr);
    void (*node_barrier)(ith_comm *comm); /* over the ranks of this node */
    /* Ranks of a node that say the same `domain` >= 0 are one memory domain from now on; before, the whole node is. For ranks that are bound to
     * one memory node (NUMA node) each. No buffer of domain_alloc may be left. */
    void (*split_domains)(ith_comm *comm, int domain);
    /* As shared_alloc, among the ranks of each domain, whose `bytes` may differ from another's; `place` is called on domain rank 0. */
    ith_status (*domain_alloc)(ith_comm *comm, size_t bytes, const char *what, ith_place_fn place, void *user,
                               void **out, ith_error *err);
    void (*domain_barrier)(ith_comm *comm); /* over the ranks of this domain */
    /* Another communicator of the same ranks, for one more thread of each, whose messages never meet those of the first: for work behind a
     * pass. It has barrier, messages_start, finish, max and close, and sleeps a little while it waits, because cores are wanted elsewhere. To be closed before
     * `comm`. ITH_E_COMM: MPI does not serve several threads (MPI_THREAD_MULTIPLE). */
    ith_status (*side)(ith_comm *comm, ith_comm **out, ith_error *err);
    void (*abort)(ith_comm *comm, int code) __attribute__((noreturn)); /* not collective: ends all ranks */
    void (*close)(ith_comm *comm);
} ith_comm_ops;

struct ith_comm {
    const ith_comm_ops *ops;
    int rank, size;               /* over all */
    int node_rank, node_size;     /* among the ranks of this node, in their order over all */
    int node, n_nodes;            /* this node's number: nodes are numbered in the order of their lowest ranks */
    const int *node_of;           /* [size] every rank's node */
    int domain_rank, domain_size; /* among the ranks of this memory domain; see split_domains */
    ith_exchange exchange;        /* the strategy wanted */
    int64_t
        joined; /* parcels of one rank that follow each other in a list go as one message of up to so many bytes. The lists of both ends have
                     * them side by side then, and the same `joined`. 0, at first: each goes by itself */
    ith_comm_stats stats;
    void *impl; /* the implementation's own */
};

/* start and finish in one, as flight 0. */
static inline void ith_comm_alltoall(ith_comm *comm, const ith_alltoall *x)
{
    comm->ops->alltoall_start(comm, 0, x);
    comm->ops->finish(comm, 0);
}
static inline void ith_comm_messages(ith_comm *comm, const ith_parcel *sends, int64_t n_sends, const ith_parcel *recvs,
                                     int64_t n_recvs)
{
    comm->ops->messages_start(comm, 0, sends, n_sends, recvs, n_recvs);
    comm->ops->finish(comm, 0);
}

/* The world: MPI if the environment shows a launcher (mpirun, srun with PMI), else self. Call once per process. */
ith_status ith_comm_open_world(ith_comm **comm, ith_error *err);
ith_status ith_comm_open_self(ith_comm **comm, ith_error *err);
/* For plans: one process that looks like rank 0 of n_nodes nodes of ranks_per_node ranks each, and has nobody to talk to. What all ranks would say
 * alike (max, allgatherv of equal parts, ith_comm_agree) is what this one says; nothing else is to be called. */
ith_status ith_comm_open_planned(int n_nodes, int ranks_per_node, ith_comm **comm, ith_error *err);
void ith_comm_close(ith_comm *comm); /* accepts NULL; MPI is finalized if ith_comm_open_world started it */

/* Collective. All ranks return the same: OK if all are OK, else the failing rank's status, and its text on every rank, preceded by
 * "rank N: " where several ranks run. Call after a step that can fail on one rank alone. */
ith_status ith_comm_agree(ith_comm *comm, ith_status status, ith_error *err);

/* Prints "ithaca: rank N: text" on stderr and ends all ranks with exit status `code`. Not collective. */
void ith_comm_abort(ith_comm *comm, int code, const char *text) __attribute__((noreturn));

/* Text on the library beneath: "Open MPI v4.1.4, ..."; "none" without MPI. Not collective. */
const char *ith_comm_library(void);

#endif

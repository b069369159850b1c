/* comm.h - communication between ranks, behind one struct of operations.
 *
 *   self     one rank; copies in place of messages, no MPI, no launcher (comm_self.c)
 *   planned  one process that stands for all ranks of a plan and talks to nobody (comm_self.c)
 *   mpi      the ranks that a launcher started (comm_mpi*.c; comm_mpi.h alone includes <mpi.h>)
 *
 * comm_open.h opens them. A communicator has one owner, who closes it with ith_comm_close.
 *
 * Buffers are bytes; counts and displacements are 64-bit and in bytes. Every operation is
 * collective over the communicator unless its comment says otherwise: all ranks call it, in the
 * same order. One thread per rank calls (MPI_THREAD_FUNNELED); a side communicator serves one more
 * thread.
 *
 * A node is a set of ranks that share memory: those of one machine. ITHACA_RANKS_PER_NODE=n cuts
 * each machine into nodes of n ranks and a rest, so that traffic between nodes can be tested on one
 * machine.
 *
 * Errors: the rank that sees an MPI call fail cannot repair it. It prints its rank, the call and
 * MPI's text and ends all ranks (ith_comm_abort). Functions that only communicate therefore return
 * nothing.
 */
#ifndef ITH_COMM_COMM_H
#define ITH_COMM_COMM_H

#include "base/error.h"
#include "comm/exchange.h"

typedef struct ith_comm ith_comm;

/* Flights, numbered from 0: exchanges and lists of messages that may be in progress together. */
enum { ITH_FLIGHTS = 8 };

enum { ITH_COMM_NOTE = 240 };

/* An all-to-all. Block r of `send`, send_counts[r] bytes at send_displs[r], goes to rank r; the
 * block from rank r lands at recv_displs[r]. */
typedef struct ith_alltoall {
    const void *send;
    const int64_t *send_counts, *send_displs; /* [size] */
    void *recv;
    const int64_t *recv_counts, *recv_displs; /* [size] */
    /* Upper bound of the bytes in any rank's `send` or `recv`. The same on all ranks, which choose
     * the strategy by it. */
    int64_t most;
} ith_alltoall;

/* Calls and bytes per operation since opening. `sent` counts bytes for other ranks. */
typedef struct ith_comm_stats {
    ith_exchange_traffic exchange[ITH_EXCHANGES]; /* by strategy */
    int64_t allgather_calls, allgather_sent;
    int64_t bcast_calls, bcast_sent;
    int64_t message_calls; /* lists of parcels */
    int64_t messages;      /* MPI messages that carried them */
    int64_t message_sent;
} ith_comm_stats;

/* A block of bytes to or from another rank. */
typedef struct ith_parcel {
    int rank;
    void *buf; /* read by sends, written by receives */
    int64_t bytes;
} ith_parcel;

/* Sets the page placement of a buffer before its first touch (base/topology.h). */
typedef void (*ith_place_fn)(void *user, void *data, size_t bytes);

typedef struct ith_comm_ops {
    const char *name; /* "self", "planned", "mpi" */

    void (*barrier)(ith_comm *comm);

    /* A barrier for waits that may last for hours: ranks look some fifty times a second whether all
     * have come, and sleep in between. */
    void (*idle_barrier)(ith_comm *comm);

    /* Copies root's buf[bytes] to buf on all ranks. */
    void (*bcast)(ith_comm *comm, void *buf, int64_t bytes, int root);

    /* Rank r's `send`, counts[r] bytes, lands at recv + displs[r] on all ranks. counts [size] and
     * displs [size] are equal on all ranks. `send` may be recv + displs[rank] (in place). */
    void (*allgatherv)(ith_comm *comm, const void *send, void *recv, const int64_t *counts,
                       const int64_t *displs);

    /* Starts *x as a flight that is free. Until that flight is finished, the blocks and arrays that
     * *x names must not change, and the caller may call progress, start and finish other flights,
     * and nothing else. All ranks start and finish their exchanges in the same order. */
    void (*alltoall_start)(ith_comm *comm, int flight, const ith_alltoall *x);

    /* Not collective. Makes room in every flight for lists of up to n_parcels sends and receives
     * together, with up to `bytes` bytes together, and for all-gathers of half of that. False:
     * there is no memory. */
    bool (*messages_open)(ith_comm *comm, int64_t n_parcels, int64_t bytes);

    /* Not collective. Starts these sends and receives as a flight that is free. A list beyond what
     * messages_open was told takes memory, without which all ranks end. None is from a rank to
     * itself. Between two ranks, parcels of flights of the same number match in order, and a
     * receive names the exact size of its send. The lists may change at once, the buffers only when
     * the flight is finished. */
    void (*messages_start)(ith_comm *comm, int flight, const ith_parcel *sends, int64_t n_sends,
                           const ith_parcel *recvs, int64_t n_recvs);

    /* Not collective. Lets the flights in progress advance, if there are any. */
    void (*progress)(ith_comm *comm);

    /* Waits until the flight is complete; it is free afterwards. */
    void (*finish)(ith_comm *comm, int flight);

    /* Not collective. Do exchanges of up to `most` bytes advance while the caller computes and
     * other flights are in progress? (Copies, and exchanges that do all their work in finish, do
     * not.) The same on all ranks. */
    bool (*overlaps)(const ith_comm *comm, int64_t most);

    /* Sets the strategy of the exchanges that follow and reserves memory for those of up to `most`
     * bytes; larger ones go pairwise, as all do before the first call. The same arguments and
     * result on all ranks. May be called again; reserved memory stays. ITH_E_MEMORY. */
    ith_status (*exchange_open)(ith_comm *comm, ith_exchange strategy, int64_t most,
                                ith_error *err);

    /* The largest `value` of all ranks. */
    int64_t (*max)(ith_comm *comm, int64_t value);

    /* Allocates one zeroed buffer of `bytes`, the same on all ranks, that the ranks of a node
     * share: *out is the same memory on each, at addresses that may differ. `what` names it in
     * errors. Node rank 0 owns the allocation and calls `place` before the first touch; NULL: any
     * placement. Freed by shared_free. ITH_E_MEMORY on all ranks. */
    ith_status (*shared_alloc)(ith_comm *comm, size_t bytes, const char *what, ith_place_fn place,
                               void *user, void **out, ith_error *err);
    void (*shared_free)(ith_comm *comm, void *ptr); /* accepts NULL */

    /* A barrier of this node's ranks. What one wrote into shared memory before, all read after. */
    void (*node_barrier)(ith_comm *comm);

    /* Ranks of a node that pass the same `domain` >= 0 form one memory domain from now on; before
     * the first call the whole node is one. For ranks that are bound to one memory node (NUMA node)
     * each. No buffer of domain_alloc may be left. */
    void (*split_domains)(ith_comm *comm, int domain);

    /* shared_alloc and node_barrier over this rank's domain. `bytes` may differ between domains;
     * domain rank 0 calls `place`. */
    ith_status (*domain_alloc)(ith_comm *comm, size_t bytes, const char *what, ith_place_fn place,
                               void *user, void **out, ith_error *err);
    void (*domain_barrier)(ith_comm *comm);

    /* Opens a second communicator of the same ranks for one more thread of each rank, for work
     * beside a pass. Its messages never meet those of the first. It has barrier, messages_open,
     * messages_start, finish, max and close, and sleeps briefly while it waits, because the cores
     * have other work. Close it before `comm`. ITH_E_COMM on all ranks: MPI lacks
     * MPI_THREAD_MULTIPLE. */
    ith_status (*side)(ith_comm *comm, ith_comm **out, ith_error *err);

    /* Not collective. Ends all ranks. */
    void (*abort)(ith_comm *comm, int code) __attribute__((noreturn));

    void (*close)(ith_comm *comm, bool late); /* late: ith_comm_abandon */
} ith_comm_ops;

struct ith_comm {
    const ith_comm_ops *ops;
    int rank, size;               /* of all ranks */
    int node_rank, node_size;     /* of the ranks of this node, in rank order */
    int node, n_nodes;            /* nodes are numbered in the order of their lowest ranks */
    const int *node_of;           /* [size] the node of each rank */
    char note[ITH_COMM_NOTE];     /* what the user should know of how it was opened; "": nothing */
    int domain_rank, domain_size; /* of this rank's memory domain; see split_domains */
    ith_exchange exchange;        /* the strategy asked for */
    /* Consecutive parcels of one rank in a list travel as one message of up to so many bytes; 0,
     * the default: each travels alone. Both ends must use the same value and list these parcels in
     * the same sequence. */
    int64_t joined;
    /* How long this rank has waited for others to come to the same operation, since opening. Of
     * exchanges and all-gathers by messages that is known for the ranks of its node, and only while
     * somebody measures (timers > 0); the wait for parcels is not in it. */
    int64_t waited_ns;
    int timers;
    ith_comm_stats stats;
    void *impl; /* the implementation's own */
};

/* Exchange and messages in one step, as flight 0. */
static inline void ith_comm_alltoall(ith_comm *comm, const ith_alltoall *x)
{
    comm->ops->alltoall_start(comm, 0, x);
    comm->ops->finish(comm, 0);
}
static inline void ith_comm_messages(ith_comm *comm, const ith_parcel *sends, int64_t n_sends,
                                     const ith_parcel *recvs, int64_t n_recvs)
{
    comm->ops->messages_start(comm, 0, sends, n_sends, recvs, n_recvs);
    comm->ops->finish(comm, 0);
}

/* Collective; accepts NULL. Finalizes MPI if opening this communicator started it. */
void ith_comm_close(ith_comm *comm);

/* Collective; accepts NULL. Closes after an error that is not reported yet: MPI stays until the
 * process exits. A launcher ends the job when the first rank has left with an error, so the ranks
 * must not part before rank 0 has said why. */
void ith_comm_abandon(ith_comm *comm);

/* Collective. Agreement after a step that can fail on one rank alone: ITH_OK on all ranks if all
 * pass ITH_OK; otherwise all return the status of the lowest failing rank, with its text in *err,
 * preceded by "rank N: " where there are several ranks. */
ith_status ith_comm_agree(ith_comm *comm, ith_status status, ith_error *err);

/* Collective. The same for memory that every rank has allocated for itself: ITH_E_MEMORY,
 * "no memory for WHAT", if a rank's `ptr` is NULL. */
ith_status ith_comm_agree_memory(ith_comm *comm, const void *ptr, const char *what, ith_error *err);

/* Not collective. Prints "ithaca: error: rank N: text" on stderr; all ranks exit with status
 * `code`. */
void ith_comm_abort(ith_comm *comm, int code, const char *text) __attribute__((noreturn));

#endif

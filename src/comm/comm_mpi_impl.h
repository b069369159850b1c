/* comm_mpi_impl.h - what the files of comm_mpi share; the only one that includes <mpi.h>. */
#ifndef ITH_COMM_MPI_IMPL_H
#define ITH_COMM_MPI_IMPL_H

#include "comm/comm_impl.h"
#include "comm/node_memory.h"

#include <mpi.h>

typedef struct ith_mpi_group { /* ranks that share memory */
    MPI_Comm comm;
    int rank, size;
} ith_mpi_group;

typedef struct ith_mpi_buffer { /* one shared buffer */
    struct ith_mpi_buffer *next;
    const ith_mpi_group *group; /* that shares it */
    void *data;
    ith_node_memory memory; /* either this */
    MPI_Win win;            /* or this, else MPI_WIN_NULL */
} ith_mpi_buffer;

typedef struct ith_mpi_board { /* see comm_mpi_board.c */
    uint8_t *area;             /* of the node; NULL: none */
    int64_t slot;              /* bytes of a slot */
    int64_t turn;              /* this rank's, the same on all between two turns */
} ith_mpi_board;

typedef struct ith_mpi_flight ith_mpi_flight;

typedef struct ith_mpi_strategy { /* of what is under way; of an all-to-all, all blocks but the rank's own */
    void (*start)(ith_comm *comm, ith_mpi_flight *flight); /* NULL: of messages, which begin otherwise */
    void (*progress)(ith_comm *comm, ith_mpi_flight *flight);
    void (*finish)(ith_comm *comm, ith_mpi_flight *flight);
} ith_mpi_strategy;

struct ith_mpi_flight {
    const ith_mpi_strategy *strategy; /* NULL: the flight is free */
    ith_alltoall exchange;
    int tag; /* of its messages */
    MPI_Request *requests;
    int64_t n_requests; /* there is room for */
    int *step_end;      /* pairwise: [size] the requests of step s end here */
    int posted, done;   /* pairwise: steps; else requests posted */
    bool under_way;     /* by node: have couriers begun? */
};

extern const ith_mpi_strategy ith_mpi_by_alltoallv, /* comm_mpi_exchange.c */
    ith_mpi_pairwise,                               /* comm_mpi_pairwise.c */
    ith_mpi_by_node;                                /* comm_mpi_by_node.c */

/* One flight more than callers have, for all-gathers that go as messages. */
enum { ITH_MPI_FLIGHTS = ITH_FLIGHTS + 1 };

typedef struct ith_mpi_impl {
    MPI_Comm world;
    ith_mpi_group node, domain; /* comm MPI_COMM_NULL: of a side communicator; not split, the node is the domain */
    bool finalize;
    bool patient;      /* a side communicator: sleeps while it waits */
    int *node_of;      /* [size] */
    int64_t piece;     /* most bytes in one message */
    bool windows_only; /* no anonymous files */
    ith_mpi_buffer *buffers;
    int *members, *first;  /* see ith_exchange_members; not of a side communicator */
    ith_mpi_board gathers; /* for small all-gathers, if some node has several ranks */
    uint8_t *packed;       /* a slot of it: what a courier sends */
    int *counts, *displs;  /* [size] MPI's int form of an allgather */
    int *vectors;          /* [4 * size] and of an all-to-all */
    int64_t *own;          /* [2 * size] an allgather's own block, for every rank: counts, displacements */
    ith_mpi_flight flights[ITH_MPI_FLIGHTS];
    /* By node: made by the first ith_mpi_by_node_open. */
    ith_mpi_board exchanges;
    ith_mpi_flight *on_board; /* NULL: none */
    int64_t node_most;        /* bytes that a slot takes; 0: none */
    int *lengths;             /* [node_size * size] a message's blocks */
    MPI_Aint *addresses;
} ith_mpi_impl;

static inline ith_mpi_impl *ith_mpi_of(const ith_comm *comm)
{
    return comm->impl;
}

/* Ends all ranks unless the code of `call` is MPI_SUCCESS. */
void ith_mpi_check(ith_comm *comm, int code, const char *call);

/* comm_mpi_flight.c: the operations on messages, and on whatever is under way; see comm.h. */
void ith_mpi_messages_start(ith_comm *comm, int flight, const ith_parcel *sends, int64_t n_sends,
                            const ith_parcel *recvs, int64_t n_recvs);
void ith_mpi_progress(ith_comm *comm);
void ith_mpi_finish(ith_comm *comm, int flight);

/* Room for at least n requests in a flight of which none is in use. */
void ith_mpi_reserve_requests(ith_comm *comm, ith_mpi_flight *flight, int64_t n);

/* Posts one way's message of `bytes` in pieces that MPI's int can count, in order; *request is moved on. */
void ith_mpi_post(ith_comm *comm, const ith_mpi_flight *flight, const ith_parcel *m, bool send, MPI_Request **request);
int64_t ith_mpi_pieces(const ith_comm *comm, int64_t bytes); /* so many requests that takes */

/* comm_mpi_exchange.c: the operations of an all-to-all; see comm.h. */
void ith_mpi_exchange_start(ith_comm *comm, int flight, const ith_alltoall *x);
bool ith_mpi_exchange_overlaps(const ith_comm *comm, int64_t most);
ith_status ith_mpi_exchange_open(ith_comm *comm, ith_exchange strategy, int64_t most, ith_error *err);

/* comm_mpi_by_node.c: slots for exchanges of up to `most` bytes. Collective. */
ith_status ith_mpi_by_node_open(ith_comm *comm, int64_t most, ith_error *err);

/* comm_mpi_nodes.c: makes impl->node and says in *comm which ranks share one. Collective. */
void ith_mpi_find_nodes(ith_comm *comm, int ranks_per_node);
void ith_mpi_split_domains(ith_comm *comm, int domain);
const ith_mpi_group *ith_mpi_domain(ith_comm *comm);

/* comm_mpi_memory.c: the operations on memory that the ranks of a node or domain share; see comm.h. */
void ith_mpi_node_barrier(ith_comm *comm);
ith_status ith_mpi_shared_alloc(ith_comm *comm, size_t bytes, const char *what, ith_place_fn place, void *user,
                                void **out, ith_error *err);
void ith_mpi_shared_free(ith_comm *comm, void *ptr);
ith_status ith_mpi_domain_alloc(ith_comm *comm, size_t bytes, const char *what, ith_place_fn place, void *user,
                                void **out, ith_error *err);
void ith_mpi_domain_barrier(ith_comm *comm);

/* comm_mpi_board.c: a board of the ranks of a node, with a slot for each. A turn: all raise board->turn by one, each writes its own
 * slot and publishes it, then reads another's after waiting for it. */
ith_status ith_mpi_board_open(ith_comm *comm, int64_t slot, ith_mpi_board *board, ith_error *err); /* collective */
void ith_mpi_board_close(ith_comm *comm, ith_mpi_board *board);                                    /* collective */
uint8_t *ith_mpi_board_slot(const ith_mpi_board *board, int node_rank, int64_t turn);
/* Has that rank published its slot of this turn? */
bool ith_mpi_board_there(const ith_mpi_board *board, int node_rank);
void ith_mpi_board_publish(const ith_comm *comm, const ith_mpi_board *board);
void ith_mpi_board_wait(ith_comm *comm, const ith_mpi_board *board, int node_rank);
void ith_mpi_board_wait_all(ith_comm *comm, const ith_mpi_board *board);

/* comm_mpi_gather.c: an all-gather over the nodes' boards, of up to `slot` bytes a rank and, over several nodes, in all. fits: can it carry these
 * blocks? The same on all ranks. Collective. */
ith_status ith_mpi_gather_open(ith_comm *comm, int64_t slot, ith_error *err);
bool ith_mpi_gather_fits(const ith_comm *comm, const int64_t *counts);
void ith_mpi_gather(ith_comm *comm, const void *send, void *recv, const int64_t *counts, const int64_t *displs);

#endif

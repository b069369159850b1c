/* comm_mpi.h - the state of a communicator over MPI, for the files comm_mpi_*.c.
 *
 * The only file that includes <mpi.h>. Each of these files declares its own functions:
 *
 *   comm_mpi_open         starts MPI, makes and closes communicators
 *   comm_mpi_collectives  barrier, bcast, max, allgatherv
 *   comm_mpi_gather       small all-gathers over the boards of nodes
 *   comm_mpi_exchange     the all-to-all: chooses among MPI_Alltoallv and the next two
 *   comm_mpi_by_node      ... through the memory of nodes
 *   comm_mpi_pairwise     ... by messages between all pairs
 *   comm_mpi_flight       messages in progress
 *   comm_mpi_board        a board in the memory of a node
 *   comm_mpi_memory       memory that the ranks of a node or domain share
 *   comm_mpi_nodes        which ranks share memory
 *   comm_mpi_meet         are all ranks the same build?
 *   comm_mpi_unexpected   messages that no receive has asked for
 *
 * A file includes headers of files further down only.
 */
#ifndef ITH_COMM_MPI_H
#define ITH_COMM_MPI_H

#include "comm/comm.h"
#include "comm/heartbeat.h"
#include "comm/network_watch.h"
#include "comm/node_memory.h"

#include <mpi.h>

/* Ranks that share memory. */
typedef struct ith_mpi_group {
    MPI_Comm comm;
    int rank, size;
} ith_mpi_group;

/* A shared buffer: of an anonymous file, of an MPI window, or this rank's own where it is alone. */
typedef struct ith_mpi_buffer {
    struct ith_mpi_buffer *next;
    const ith_mpi_group *group; /* that shares it */
    void *data;
    ith_node_memory memory; /* .data NULL: no anonymous file */
    MPI_Win win;            /* MPI_WIN_NULL: no window */
} ith_mpi_buffer;

/* A board in the memory of a node; see comm_mpi_board.h. */
typedef struct ith_mpi_board {
    uint8_t *area;        /* the node's; NULL: not open */
    int64_t buffer_bytes; /* of each of a rank's two buffers */
    int64_t turn;         /* the same on all ranks between two turns */
} ith_mpi_board;

typedef struct ith_mpi_flight ith_mpi_flight;

/* How a flight is carried out. Of an all-to-all: all blocks but the rank's own. */
typedef struct ith_mpi_strategy {
    void (*start)(ith_comm *comm, ith_mpi_flight *flight); /* NULL: of lists of messages */
    void (*progress)(ith_comm *comm, ith_mpi_flight *flight);
    void (*finish)(ith_comm *comm, ith_mpi_flight *flight);
} ith_mpi_strategy;

struct ith_mpi_flight {
    const ith_mpi_strategy *strategy; /* NULL: the flight is free */
    ith_alltoall exchange;
    int tag;               /* of its messages */
    int64_t arrival;       /* the turn of impl->arrivals that an exchange took */
    MPI_Request *requests; /* [n_requests] */
    int64_t n_requests;
    int *step_end;    /* pairwise: [size] where the requests of step s end */
    int posted, done; /* pairwise: steps; otherwise requests posted */
    bool under_way;   /* by node: have the couriers posted their messages? */
};

/* One flight more than callers have, for all-gathers that travel as messages. */
enum { ITH_MPI_FLIGHTS = ITH_FLIGHTS + 1 };

typedef struct ith_mpi_impl {
    MPI_Comm world;
    ith_mpi_group node;   /* comm MPI_COMM_NULL: of a side communicator */
    ith_mpi_group domain; /* comm MPI_COMM_NULL: the node is the domain */
    bool finalize;
    ith_network_watch *watch; /* NULL: none */
    ith_heartbeat *heartbeat;
    int network_timeout_s;
    bool patient;          /* a side communicator: sleeps while it waits */
    int *node_of;          /* [size] */
    int64_t message_bytes; /* of an MPI message at most */
    bool windows_only;     /* no anonymous files */
    ith_mpi_buffer *buffers;
    int *members, *first;   /* see ith_exchange_members; NULL on a side communicator */
    ith_mpi_board arrivals; /* without buffers: who has come to an exchange; open if gathers is */
    ith_mpi_board gathers;  /* of small all-gathers; open if some node has several ranks */
    uint8_t *packed;        /* [gathers.buffer_bytes] what a courier sends */
    int *counts, *displs;   /* [size] MPI's int form of an all-gather */
    int *vectors;           /* [4 * size] and of an all-to-all */
    int64_t *own; /* [2 * size] an all-gather's own block for every rank: counts, displs */
    ith_mpi_flight flights[ITH_MPI_FLIGHTS];

    /* By node: made by the first ith_mpi_by_node_open. */
    ith_mpi_board exchanges;
    ith_mpi_flight *on_board; /* NULL: none */
    int64_t node_most;        /* bytes of an exchange that the board takes; 0: none */
    int *lengths;             /* [node_size * size] the blocks of a message */
    MPI_Aint *addresses;      /* [node_size * size] */
} ith_mpi_impl;

static inline ith_mpi_impl *ith_mpi_of(const ith_comm *comm)
{
    return comm->impl;
}

/* Not collective. Ends all ranks unless `code`, the result of MPI's `call`, is MPI_SUCCESS. */
void ith_mpi_check(ith_comm *comm, int code, const char *call);

#endif

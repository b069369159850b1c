/* comm_mpi_board.c - a board in memory that the ranks of a node share.
 *
 * An MPI message costs some microseconds even between two cores of one machine, and decode waits
 * for four all-gathers in every layer. On the board each rank has a counter and two buffers. In
 * turn n a rank writes buffer n % 2, raises its counter to n, and reads the others' buffers as
 * their counters reach n. Two buffers suffice without acknowledgements: a rank that writes in turn
 * n has seen all counters at n - 1, so every rank had finished turn n - 2, whose buffer this is.
 */
#include "comm/comm_mpi_board.h"

#include "base/monotonic.h"
#include "base/range.h"
#include "base/relax.h"
#include "comm/comm_mpi_memory.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A counter is padded to two cache lines, because some processors fetch lines in pairs. SPINS takes
 * some microseconds: the counters of ranks that run at about the same speed are raised by then. */
enum { COUNTER_BYTES = 128, SPINS = 300 };

static int64_t rank_bytes(const ith_mpi_board *board)
{
    return COUNTER_BYTES + 2 * board->buffer_bytes;
}

static atomic_llong *counter(const ith_mpi_board *board, int node_rank)
{
    return (atomic_llong *)(void *)(board->area + node_rank * rank_bytes(board));
}

uint8_t *ith_mpi_board_buffer(const ith_mpi_board *board, int node_rank, int64_t turn)
{
    return board->area + node_rank * rank_bytes(board) + COUNTER_BYTES +
           turn % 2 * board->buffer_bytes;
}

ith_status ith_mpi_board_open(ith_comm *comm, int64_t bytes, ith_mpi_board *board, ith_error *err)
{
    void *area;
    *board = (ith_mpi_board){.buffer_bytes = ith_round_up(bytes, COUNTER_BYTES)};
    ITH_TRY(ith_mpi_shared_alloc(comm, (size_t)(comm->node_size * rank_bytes(board)),
                                 "exchange inside a node", NULL, NULL, &area, err));
    board->area = area;
    return ITH_OK;
}

void ith_mpi_board_close(ith_comm *comm, ith_mpi_board *board)
{
    ith_mpi_shared_free(comm, board->area);
    *board = (ith_mpi_board){0};
}

void ith_mpi_board_publish(const ith_comm *comm, const ith_mpi_board *board)
{
    atomic_store_explicit(counter(board, comm->node_rank), board->turn, memory_order_release);
}

bool ith_mpi_board_there(const ith_mpi_board *board, int node_rank)
{
    return atomic_load_explicit(counter(board, node_rank), memory_order_acquire) >= board->turn;
}

/* MPI moves messages only inside its calls, and the other rank may still wait for a message of
 * ours: so waiting calls MPI too. */
void ith_mpi_board_pause(ith_comm *comm)
{
    int flag;
    ith_mpi_check(
        comm,
        MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, ith_mpi_of(comm)->world, &flag, MPI_STATUS_IGNORE),
        "MPI_Iprobe");
    sched_yield();
}

static void wait_for(ith_comm *comm, const ith_mpi_board *board, int node_rank)
{
    for (int i = 0; i < SPINS; i++) {
        if (ith_mpi_board_there(board, node_rank))
            return;
        ith_cpu_relax();
    }
    while (!ith_mpi_board_there(board, node_rank))
        ith_mpi_board_pause(comm);
}

void ith_mpi_board_wait(ith_comm *comm, const ith_mpi_board *board, int node_rank)
{
    int64_t begin_ns;

    if (ith_mpi_board_there(board, node_rank))
        return;
    begin_ns = ith_clock_ns();
    wait_for(comm, board, node_rank);
    comm->waited_ns += ith_clock_ns() - begin_ns;
}

void ith_mpi_board_wait_all(ith_comm *comm, const ith_mpi_board *board)
{
    for (int i = 0; i < comm->node_size; i++)
        ith_mpi_board_wait(comm, board, i);
}

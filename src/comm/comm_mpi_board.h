/* comm_mpi_board.h - a board in memory that the ranks of a node share, with two buffers for each
 * rank.
 *
 * The board is used in turns. In each turn every rank of the node
 *
 *   board->turn++                                     starts the turn
 *   ith_mpi_board_buffer(board, node_rank, turn)      writes its own buffer
 *   ith_mpi_board_publish                             lets the others read it
 *   ith_mpi_board_wait, ith_mpi_board_buffer          waits for each other rank's buffer and reads
 *                                                     it
 *
 * A rank must have waited for all others of its node, and have read what it needs, before it starts
 * its next turn. All ranks take the same turns.
 */
#ifndef ITH_COMM_MPI_BOARD_H
#define ITH_COMM_MPI_BOARD_H

#include "comm/comm_mpi.h"

/* Collective. Buffers of at least `bytes`, rounded up. ITH_E_MEMORY on all ranks. */
ith_status ith_mpi_board_open(ith_comm *comm, int64_t bytes, ith_mpi_board *board, ith_error *err);
void ith_mpi_board_close(ith_comm *comm,
                         ith_mpi_board *board); /* collective; accepts a zeroed board */

/* A rank's buffer of a turn. */
uint8_t *ith_mpi_board_buffer(const ith_mpi_board *board, int node_rank, int64_t turn);

/* Publishes this rank's buffer of the current turn. */
void ith_mpi_board_publish(const ith_comm *comm, const ith_mpi_board *board);

/* Has that rank published its buffer of the current turn? */
bool ith_mpi_board_there(const ith_mpi_board *board, int node_rank);

/* Waits until that rank, or every rank of the node, has; counts comm->waited_ns. */
void ith_mpi_board_wait(ith_comm *comm, const ith_mpi_board *board, int node_rank);
void ith_mpi_board_wait_all(ith_comm *comm, const ith_mpi_board *board);

/* Between two looks at a board: lets messages move, and yields the core. */
void ith_mpi_board_pause(ith_comm *comm);

#endif

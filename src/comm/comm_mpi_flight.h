/* comm_mpi_flight.h - messages in progress. Nothing here is collective. */
#ifndef ITH_COMM_MPI_FLIGHT_H
#define ITH_COMM_MPI_FLIGHT_H

#include "comm/comm_mpi.h"

/* Operations of ith_comm_ops (comm.h). */
bool ith_mpi_messages_open(ith_comm *comm, int64_t n_parcels, int64_t bytes);
void ith_mpi_messages_start(ith_comm *comm, int flight, const ith_parcel *sends, int64_t n_sends,
                            const ith_parcel *recvs, int64_t n_recvs);
void ith_mpi_progress(ith_comm *comm);
void ith_mpi_finish(ith_comm *comm, int flight);

/* This rank has come to an exchange or all-gather, which travels as that flight. All ranks come to
 * theirs in the same order. */
void ith_mpi_arrive(ith_comm *comm, ith_mpi_flight *flight);

/* Waits until all ranks of the node have, and counts comm->waited_ns, if somebody measures. What is
 * left of the exchange is its transfer. */
void ith_mpi_await_node(ith_comm *comm, const ith_mpi_flight *flight);

/* Makes room for at least n requests in a flight none of whose requests is in use. False: there is
 * no memory. */
bool ith_mpi_has_requests(ith_mpi_flight *flight, int64_t n);

/* The same inside a pass, which cannot fail: without memory it ends all ranks. Exchanges and lists
 * of the sizes that exchange_open and messages_open were told have room already. */
void ith_mpi_reserve_requests(ith_comm *comm, ith_mpi_flight *flight, int64_t n);

/* MPI messages that a block of `bytes` takes: none of them is longer than message_bytes. */
int64_t ith_mpi_messages(const ith_comm *comm, int64_t bytes);

/* Posts the sends or receives of *parcel, in order; *request moves on by ith_mpi_messages. */
void ith_mpi_post(ith_comm *comm, const ith_mpi_flight *flight, const ith_parcel *parcel, bool send,
                  MPI_Request **request);

#endif

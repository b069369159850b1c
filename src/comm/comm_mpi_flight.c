/* comm_mpi_flight.c - what is under way: requests of MPI's, several lists of them at a time.
 *
 * MPI moves large messages only while somebody calls it, so whoever computes meanwhile asks for progress now and then. Each flight's messages
 * have a tag of their own: two ranks may post those of different flights in different orders.
 */
#include "comm/comm_mpi_impl.h"

#include <limits.h>
#include <stdlib.h>
#include <time.h>

void ith_mpi_reserve_requests(ith_comm *comm, ith_mpi_flight *f, int64_t n)
{
    MPI_Request *grown;
    if (n <= f->n_requests)
        return;
    grown = n < INT_MAX ? realloc(f->requests, (size_t)n * sizeof *grown) : NULL;
    if (!grown)
        ith_comm_abort(comm, 1, "no memory for the messages of an exchange");
    f->requests = grown;
    f->n_requests = n;
}

int64_t ith_mpi_pieces(const ith_comm *comm, int64_t bytes)
{
    int64_t piece = ith_mpi_of(comm)->piece;
    return (bytes + piece - 1) / piece;
}

void ith_mpi_post(ith_comm *comm, const ith_mpi_flight *f, const ith_parcel *m, bool send, MPI_Request **request)
{
    const ith_mpi_impl *impl = ith_mpi_of(comm);
    for (int64_t at = 0; at < m->bytes; at += impl->piece) {
        int n = (int)(m->bytes - at < impl->piece ? m->bytes - at : impl->piece);
        char *buf = (char *)m->buf + at;
        if (send)
            ith_mpi_check(comm, MPI_Isend(buf, n, MPI_BYTE, m->rank, f->tag, impl->world, (*request)++), "MPI_Isend");
        else
            ith_mpi_check(comm, MPI_Irecv(buf, n, MPI_BYTE, m->rank, f->tag, impl->world, (*request)++), "MPI_Irecv");
    }
}

/* ---- Messages that a rank names one by one ---- */

static int64_t pieces_in(const ith_comm *comm, const ith_parcel *list, int64_t n)
{
    int64_t pieces = 0;
    for (int64_t i = 0; i < n; i++)
        pieces += ith_mpi_pieces(comm, list[i].bytes);
    return pieces;
}

static void progress_messages(ith_comm *comm, ith_mpi_flight *f)
{
    int done;
    ith_mpi_check(comm, MPI_Testall(f->posted, f->requests, &done, MPI_STATUSES_IGNORE), "MPI_Testall");
}

/* On a side communicator: large messages move while MPI is asked about them, and only then, so sleeps are short. */
static void finish_patiently(ith_comm *comm, ith_mpi_flight *f)
{
    static const struct timespec moment = {.tv_nsec = 50 * 1000};
    for (int done = 0;;) {
        ith_mpi_check(comm, MPI_Testall(f->posted, f->requests, &done, MPI_STATUSES_IGNORE), "MPI_Testall");
        if (done)
            return;
        nanosleep(&moment, NULL);
    }
}

static void finish_messages(ith_comm *comm, ith_mpi_flight *f)
{
    if (ith_mpi_of(comm)->patient)
        finish_patiently(comm, f);
    else
        ith_mpi_check(comm, MPI_Waitall(f->posted, f->requests, MPI_STATUSES_IGNORE), "MPI_Waitall");
}

static const ith_mpi_strategy by_messages = {NULL, progress_messages, finish_messages};

void ith_mpi_messages_start(ith_comm *comm, int flight, const ith_parcel *sends, int64_t n_sends,
                            const ith_parcel *recvs, int64_t n_recvs)
{
    ith_mpi_flight *f = &ith_mpi_of(comm)->flights[flight];
    ith_mpi_reserve_requests(comm, f, pieces_in(comm, sends, n_sends) + pieces_in(comm, recvs, n_recvs));
    MPI_Request *next = f->requests;
    for (int64_t i = 0; i < n_recvs; i++)
        ith_mpi_post(comm, f, &recvs[i], false, &next);
    for (int64_t i = 0; i < n_sends; i++) {
        ith_mpi_post(comm, f, &sends[i], true, &next);
        comm->stats.message_sent += sends[i].bytes;
    }
    f->posted = (int)(next - f->requests);
    f->strategy = &by_messages;
    comm->stats.message_calls++;
}

/* ---- Whatever it is ---- */

void ith_mpi_progress(ith_comm *comm)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    for (int i = 0; i < ITH_FLIGHTS; i++)
        if (impl->flights[i].strategy != NULL)
            impl->flights[i].strategy->progress(comm, &impl->flights[i]);
}

void ith_mpi_finish(ith_comm *comm, int flight)
{
    ith_mpi_flight *f = &ith_mpi_of(comm)->flights[flight];
    f->strategy->finish(comm, f);
    f->strategy = NULL;
}

/* comm_mpi_pairwise.c - an all-to-all by messages between all pairs of ranks, a window of steps at
 * a time.
 *
 * Both ends know the size of a block and cut it alike into messages that MPI's int can count;
 * messages of a pair arrive in order. There is no deadlock: the lowest unfinished step over all
 * ranks lies in the windows of both its ends, so it can complete.
 */
#include "comm/comm_mpi_pairwise.h"

#include "comm/comm_mpi_flight.h"

enum { WINDOW = 8 };

/* Starts steps until the window is full. The requests of step s end at step_end[s]. */
static void post_steps(ith_comm *comm, ith_mpi_flight *f)
{
    const ith_alltoall *x = &f->exchange;
    while (f->posted < comm->size - 1 && f->posted < f->done + WINDOW) {
        int step = ++f->posted, from = ith_exchange_from(comm->rank, comm->size, step),
            to = ith_exchange_to(comm->rank, comm->size, step);
        MPI_Request *next = f->requests + f->step_end[step - 1];
        ith_parcel recv = {from, (char *)x->recv + x->recv_displs[from], x->recv_counts[from]},
                   send = {to, (char *)x->send + x->send_displs[to], x->send_counts[to]};
        ith_mpi_post(comm, f, &recv, false, &next);
        ith_mpi_post(comm, f, &send, true, &next);
        f->step_end[step] = (int)(next - f->requests);
    }
}

static int64_t messages(const ith_comm *comm, const int64_t *counts)
{
    int64_t n = 0;
    for (int r = 0; r < comm->size; r++)
        n += r == comm->rank ? 0 : ith_mpi_messages(comm, counts[r]);
    return n;
}

static void start(ith_comm *comm, ith_mpi_flight *f)
{
    const ith_alltoall *x = &f->exchange;
    ith_mpi_reserve_requests(comm, f,
                             messages(comm, x->send_counts) + messages(comm, x->recv_counts));
    f->posted = f->done = 0;
    f->step_end[0] = 0;
    post_steps(comm, f);
}

/* The requests of the lowest unfinished step. */
static MPI_Request *oldest(ith_mpi_flight *f, int *n)
{
    int begin = f->step_end[f->done];
    *n = f->step_end[f->done + 1] - begin;
    return f->requests + begin;
}

static void progress(ith_comm *comm, ith_mpi_flight *f)
{
    int n, flag = 1;
    while (f->done < f->posted && flag) {
        MPI_Request *requests = oldest(f, &n);
        ith_mpi_check(comm, MPI_Testall(n, requests, &flag, MPI_STATUSES_IGNORE), "MPI_Testall");
        f->done += flag;
        post_steps(comm, f);
    }
}

static void finish(ith_comm *comm, ith_mpi_flight *f)
{
    int n;
    while (f->done < f->posted) {
        MPI_Request *requests = oldest(f, &n);
        ith_mpi_check(comm, MPI_Waitall(n, requests, MPI_STATUSES_IGNORE), "MPI_Waitall");
        f->done++;
        post_steps(comm, f);
    }
}

const ith_mpi_strategy ith_mpi_pairwise = {start, progress, finish};

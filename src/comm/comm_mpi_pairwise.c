/* comm_mpi_pairwise.c - an all-to-all by messages between all pairs, a window of steps at a time.
 *
 * Both ends of a message know its size and cut it alike into pieces that MPI's int can count; pieces of a pair arrive in order. Of
 * the steps that are not done the lowest over all ranks is in flight on both its ends, since their windows begin no later; so no
 * ring of waiting ranks can close.
 */
#include "comm/comm_mpi_impl.h"

enum { WINDOW = 8 };

static void post_block(ith_comm *comm, char *at, int64_t bytes, int other, bool send)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    for (int64_t done = 0; done < bytes; done += impl->piece) {
        int n = (int)(bytes - done < impl->piece ? bytes - done : impl->piece);
        MPI_Request *request = &impl->requests[impl->step_end[impl->posted]++];
        if (send)
            ith_mpi_check(comm, MPI_Isend(at + done, n, MPI_BYTE, other, ITH_MPI_TAG_EXCHANGE, impl->world, request),
                          "MPI_Isend");
        else
            ith_mpi_check(comm, MPI_Irecv(at + done, n, MPI_BYTE, other, ITH_MPI_TAG_EXCHANGE, impl->world, request),
                          "MPI_Irecv");
    }
}

/* Starts steps until the window is full. Requests of step s are those up to step_end[s]. */
static void post_steps(ith_comm *comm, const ith_alltoall *x)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    while (impl->posted < comm->size - 1 && impl->posted < impl->done + WINDOW) {
        int step = ++impl->posted, from = ith_exchange_from(comm->rank, comm->size, step),
            to = ith_exchange_to(comm->rank, comm->size, step);
        impl->step_end[step] = impl->step_end[step - 1];
        post_block(comm, (char *)x->recv + x->recv_displs[from], x->recv_counts[from], from, false);
        post_block(comm, (char *)x->send + x->send_displs[to], x->send_counts[to], to, true);
    }
}

static int64_t pieces(const ith_comm *comm, const int64_t *counts, int64_t piece)
{
    int64_t n = 0;
    for (int r = 0; r < comm->size; r++)
        n += r == comm->rank ? 0 : (counts[r] + piece - 1) / piece;
    return n;
}

static void start(ith_comm *comm, const ith_alltoall *x)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    ith_mpi_reserve_requests(comm,
                             pieces(comm, x->send_counts, impl->piece) + pieces(comm, x->recv_counts, impl->piece));
    impl->posted = impl->done = 0;
    impl->step_end[0] = 0;
    post_steps(comm, x);
}

/* The requests of the lowest step that is not done. */
static MPI_Request *oldest(ith_mpi_impl *impl, int *n)
{
    int begin = impl->step_end[impl->done];
    *n = impl->step_end[impl->done + 1] - begin;
    return impl->requests + begin;
}

static void progress(ith_comm *comm, const ith_alltoall *x)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    int n, flag = 1;
    while (impl->done < impl->posted && flag) {
        MPI_Request *requests = oldest(impl, &n);
        ith_mpi_check(comm, MPI_Testall(n, requests, &flag, MPI_STATUSES_IGNORE), "MPI_Testall");
        impl->done += flag;
        post_steps(comm, x);
    }
}

static void finish(ith_comm *comm, const ith_alltoall *x)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    int n;
    while (impl->done < impl->posted) {
        MPI_Request *requests = oldest(impl, &n);
        ith_mpi_check(comm, MPI_Waitall(n, requests, MPI_STATUSES_IGNORE), "MPI_Waitall");
        impl->done++;
        post_steps(comm, x);
    }
}

const ith_mpi_strategy ith_mpi_pairwise = {start, progress, finish};

/* comm_mpi_flight.c - messages in progress: several lists of MPI requests at a time.
 *
 * MPI moves large messages only inside its calls, so a rank that computes meanwhile calls progress
 * now and then. Each flight has its own tag: two ranks may post flights in different orders.
 */
#include "comm/comm_mpi_flight.h"

#include "base/monotonic.h"
#include "comm/comm_mpi_board.h"

#include <limits.h>
#include <stdlib.h>
#include <time.h>

/* ---- Arrivals ---- */

void ith_mpi_arrive(ith_comm *comm, ith_mpi_flight *f)
{
    ith_mpi_board *board = &ith_mpi_of(comm)->arrivals;

    if (board->area == NULL)
        return;
    f->arrival = ++board->turn;
    ith_mpi_board_publish(comm, board);
}

void ith_mpi_await_node(ith_comm *comm, const ith_mpi_flight *f)
{
    ith_mpi_board board = ith_mpi_of(comm)->arrivals;
    int64_t begin_ns;

    if (comm->timers == 0 || board.area == NULL)
        return;
    board.turn = f->arrival;
    begin_ns = ith_clock_ns();
    for (int i = 0; i < comm->node_size; i++)
        while (!ith_mpi_board_there(&board, i)) {
            ith_mpi_progress(comm);
            ith_mpi_board_pause(comm);
        }
    comm->waited_ns += ith_clock_ns() - begin_ns;
}

/* ---- Requests ---- */

bool ith_mpi_has_requests(ith_mpi_flight *f, int64_t n)
{
    MPI_Request *grown;
    if (n <= f->n_requests)
        return true;
    grown = n < INT_MAX ? realloc(f->requests, (size_t)n * sizeof *grown) : NULL;
    if (!grown)
        return false;
    f->requests = grown;
    f->n_requests = n;
    return true;
}

void ith_mpi_reserve_requests(ith_comm *comm, ith_mpi_flight *f, int64_t n)
{
    if (!ith_mpi_has_requests(f, n))
        ith_comm_abort(comm, 1, "no memory for the messages of an exchange");
}

int64_t ith_mpi_messages(const ith_comm *comm, int64_t bytes)
{
    int64_t most = ith_mpi_of(comm)->message_bytes;
    return (bytes + most - 1) / most;
}

void ith_mpi_post(ith_comm *comm, const ith_mpi_flight *f, const ith_parcel *parcel, bool send,
                  MPI_Request **request)
{
    const ith_mpi_impl *impl = ith_mpi_of(comm);
    for (int64_t at = 0; at < parcel->bytes; at += impl->message_bytes) {
        int n = (int)(parcel->bytes - at < impl->message_bytes ? parcel->bytes - at
                                                               : impl->message_bytes);
        char *buf = (char *)parcel->buf + at;
        if (send)
            ith_mpi_check(
                comm, MPI_Isend(buf, n, MPI_BYTE, parcel->rank, f->tag, impl->world, (*request)++),
                "MPI_Isend");
        else
            ith_mpi_check(
                comm, MPI_Irecv(buf, n, MPI_BYTE, parcel->rank, f->tag, impl->world, (*request)++),
                "MPI_Irecv");
    }
}

/* ---- Lists of parcels ---- */

enum { JOINED_MOST = 256 };

/* How many parcels at the head of a list of n travel as one message; 1: the first travels alone. */
static int64_t run_of(const ith_comm *comm, const ith_parcel *list, int64_t n)
{
    int64_t i = 1, bytes = list->bytes, message = ith_mpi_of(comm)->message_bytes,
            most = comm->joined < message ? comm->joined : message;

    for (; i < n && i < JOINED_MOST && list[i].rank == list->rank && bytes + list[i].bytes <= most;
         i++)
        bytes += list[i].bytes;
    return i;
}

static int64_t messages_in(const ith_comm *comm, const ith_parcel *list, int64_t n)
{
    int64_t messages = 0;
    for (int64_t i = 0, run; i < n; i += run) {
        run = run_of(comm, &list[i], n - i);
        messages += run > 1 ? 1 : ith_mpi_messages(comm, list[i].bytes);
    }
    return messages;
}

/* MPI gathers the parcels from where they lie and scatters them at the other end. */
static void post_joined(ith_comm *comm, const ith_mpi_flight *f, const ith_parcel *list, int64_t n,
                        bool send, MPI_Request **request)
{
    MPI_Comm world = ith_mpi_of(comm)->world;
    MPI_Aint addresses[JOINED_MOST];
    int lengths[JOINED_MOST];
    MPI_Datatype type;

    for (int64_t i = 0; i < n; i++) {
        lengths[i] = (int)list[i].bytes;
        ith_mpi_check(comm, MPI_Get_address(list[i].buf, &addresses[i]), "MPI_Get_address");
    }
    ith_mpi_check(comm, MPI_Type_create_hindexed((int)n, lengths, addresses, MPI_BYTE, &type),
                  "MPI_Type_create_hindexed");
    ith_mpi_check(comm, MPI_Type_commit(&type), "MPI_Type_commit");
    if (send)
        ith_mpi_check(comm, MPI_Isend(MPI_BOTTOM, 1, type, list->rank, f->tag, world, (*request)++),
                      "MPI_Isend");
    else
        ith_mpi_check(comm, MPI_Irecv(MPI_BOTTOM, 1, type, list->rank, f->tag, world, (*request)++),
                      "MPI_Irecv");
    ith_mpi_check(comm, MPI_Type_free(&type), "MPI_Type_free");
}

static void post_all(ith_comm *comm, const ith_mpi_flight *f, const ith_parcel *list, int64_t n,
                     bool send, MPI_Request **next)
{
    for (int64_t i = 0, run; i < n; i += run) {
        run = run_of(comm, &list[i], n - i);
        if (run > 1)
            post_joined(comm, f, &list[i], run, send, next);
        else
            ith_mpi_post(comm, f, &list[i], send, next);
    }
}

static void progress_messages(ith_comm *comm, ith_mpi_flight *f)
{
    int done;
    ith_mpi_check(comm, MPI_Testall(f->posted, f->requests, &done, MPI_STATUSES_IGNORE),
                  "MPI_Testall");
}

/* On a side communicator. MPI moves large messages only while it is asked about them: sleeps are
 * short. */
static void finish_patiently(ith_comm *comm, ith_mpi_flight *f)
{
    static const struct timespec moment = {.tv_nsec = 50 * 1000};
    for (int done = 0;;) {
        ith_mpi_check(comm, MPI_Testall(f->posted, f->requests, &done, MPI_STATUSES_IGNORE),
                      "MPI_Testall");
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
        ith_mpi_check(comm, MPI_Waitall(f->posted, f->requests, MPI_STATUSES_IGNORE),
                      "MPI_Waitall");
}

bool ith_mpi_messages_open(ith_comm *comm, int64_t n_parcels, int64_t bytes)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    bool made = true;

    for (int i = 0; i < ITH_MPI_FLIGHTS && made; i++)
        made = ith_mpi_has_requests(&impl->flights[i], n_parcels + ith_mpi_messages(comm, bytes));
    return made;
}

static const ith_mpi_strategy by_messages = {NULL, progress_messages, finish_messages};

void ith_mpi_messages_start(ith_comm *comm, int flight, const ith_parcel *sends, int64_t n_sends,
                            const ith_parcel *recvs, int64_t n_recvs)
{
    ith_mpi_flight *f = &ith_mpi_of(comm)->flights[flight];
    int64_t messages = messages_in(comm, sends, n_sends);
    ith_mpi_reserve_requests(comm, f, messages + messages_in(comm, recvs, n_recvs));
    MPI_Request *next = f->requests;
    post_all(comm, f, recvs, n_recvs, false, &next);
    post_all(comm, f, sends, n_sends, true, &next);
    for (int64_t i = 0; i < n_sends; i++)
        comm->stats.message_sent += sends[i].bytes;
    comm->stats.messages += messages;
    f->posted = (int)(next - f->requests);
    f->strategy = &by_messages;
    comm->stats.message_calls++;
}

/* ---- Any flight ---- */

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
    if (f->strategy->start != NULL)
        ith_mpi_await_node(comm, f);
    f->strategy->finish(comm, f);
    f->strategy = NULL;
}

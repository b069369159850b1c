/* comm_mpi_meet.c - ranks meet: are they the same build?
 *
 * Every rank sends rank 0 its build, and rank 0 answers with a verdict. Both are texts of TEXT
 * bytes under one tag, and that never changes: builds that agree about nothing else understand each
 * other here.
 */
#include "comm/comm_mpi_meet.h"

#include "base/progress.h"
#include "comm/comm_mpi.h"
#include "comm/comm_mpi_unexpected.h"
#include "comm/interfaces.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TAG = 22001, TEXT = 512 };

/* How long others are waited for, in seconds. MPI_Init returns on all ranks at about the same time,
 * so a rank that does not answer then is slow or no such rank. On one machine it is as slow as this
 * one: time counts as far as naps are not late, `nap_most` each, for no longer than between
 * machines. */
typedef struct patience {
    double prompt; /* before anything else is tried */
    double rank_0, others;
    double nap_most;
} patience;

static const patience apart = {1, 10, 12, 60}, together = {0.4, 0.8, 1, 1e-3};

static __attribute__((noreturn)) void end_all(void)
{
    MPI_Abort(MPI_COMM_WORLD, 1);
    _exit(1);
}

/* Are all ranks on this machine, as far as the launcher says so? */
static bool are_together(int size)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && atoi(value) == size)
            return true;
    }
    return false;
}

static __attribute__((noreturn)) void end_without(int rank, int silent, double waited)
{
    char interfaces[200];

    ith_interfaces_describe(interfaces, sizeof interfaces);
    fprintf(stderr,
            "ithaca: error: rank %d: rank %d has not answered for %.1f seconds: it runs another "
            "program or another build of Ithaca, or MPI takes the wrong network (mpirun --mca "
            "btl_tcp_if_include NAME chooses one; here are %s)\n",
            rank, silent, waited, interfaces[0] != 0 ? interfaces : "none");
    end_all();
}

static __attribute__((noreturn)) void end_stranger(int rank, int stranger)
{
    fprintf(stderr,
            "ithaca: error: rank %d: rank %d runs another program, or a build of Ithaca too old to "
            "say which: its first message is another one\n",
            rank, stranger);
    end_all();
}

static bool has_come(int from)
{
    int there = 0;

    MPI_Iprobe(from, TAG, MPI_COMM_WORLD, &there, MPI_STATUS_IGNORE);
    return there != 0;
}

/* Waits for the text of rank `from` for so many seconds that count. What else has come from there
 * came before it, and Ithaca sends nothing before it. False: nothing has come. */
static bool comes(int rank, int from, double seconds, const patience *p,
                  ith_mpi_unexpected *unexpected)
{
    const struct timespec nap = {0, 200000};
    double begun = ith_now_s(), before = begun, counted = 0;

    while (!has_come(from)) {
        double now;
        if (ith_mpi_unexpected_from(unexpected, from) && !has_come(from))
            end_stranger(rank, from);
        nanosleep(&nap, NULL);
        now = ith_now_s();
        counted += fmin(now - before, p->nap_most);
        before = now;
        if (counted > seconds || now - begun > apart.others)
            return false;
    }
    return true;
}

/* Rank 0 hears from all, so it is the first to lose patience: others would name it while it waits
 * for the one that is silent. As a rule all are there at once, and nobody looks for strangers, for
 * which it takes long to prepare. */
static void await(int rank, int size, int from)
{
    const patience *p = are_together(size) ? &together : &apart;
    double seconds = rank == 0 ? p->rank_0 : p->others, begun = ith_now_s();
    ith_mpi_unexpected *unexpected;

    if (comes(rank, from, p->prompt, p, NULL))
        return;
    unexpected = ith_mpi_unexpected_open();
    if (!comes(rank, from, seconds - p->prompt, p, unexpected))
        end_without(rank, from, ith_now_s() - begun);
    ith_mpi_unexpected_close(unexpected);
}

static void hear(int rank, int size, int from, char text[TEXT])
{
    await(rank, size, from);
    MPI_Recv(text, TEXT, MPI_CHAR, from, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    text[TEXT - 1] = 0;
}

/* Rank 0: the verdict, empty if all are the same. */
static void judge(int size, const char *build, char verdict[TEXT])
{
    char theirs[TEXT];

    verdict[0] = 0;
    for (int r = 1; r < size; r++) {
        hear(0, size, r, theirs);
        if (verdict[0] == 0 && strncmp(theirs, build, TEXT - 1) != 0)
            snprintf(verdict, TEXT, "rank %d runs Ithaca %.120s, rank 0 Ithaca %.120s", r, theirs,
                     build);
    }
    for (int r = 1; r < size; r++)
        MPI_Send(verdict, TEXT, MPI_CHAR, r, TAG, MPI_COMM_WORLD);
}

ith_status ith_mpi_meet(const char *build, ith_error *err)
{
    char mine[TEXT] = "", verdict[TEXT];
    int rank, size;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    snprintf(mine, sizeof mine, "%s", build);
    if (rank == 0) {
        judge(size, mine, verdict);
    } else {
        MPI_Send(mine, TEXT, MPI_CHAR, 0, TAG, MPI_COMM_WORLD);
        hear(rank, size, 0, verdict);
    }
    return verdict[0] == 0 ? ITH_OK : ith_fail(err, ITH_E_COMM, "%s", verdict);
}

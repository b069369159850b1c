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

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TAG = 22001, TEXT = 512, PROMPT_S = 1, PATIENCE_S = 10, LEAD_S = 2 };

static __attribute__((noreturn)) void end_all(void)
{
    MPI_Abort(MPI_COMM_WORLD, 1);
    _exit(1);
}

static __attribute__((noreturn)) void end_without(int rank, int silent)
{
    char interfaces[200];

    ith_interfaces_describe(interfaces, sizeof interfaces);
    fprintf(stderr,
            "ithaca: error: rank %d: rank %d has not answered for %d seconds: it runs another "
            "program or another build of Ithaca, or MPI takes the wrong network (mpirun --mca "
            "btl_tcp_if_include NAME chooses one; here are %s)\n",
            rank, silent, (int)PATIENCE_S, interfaces[0] != 0 ? interfaces : "none");
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

/* Waits for the text of rank `from`. What else has come from there came before it, and Ithaca sends
 * nothing before it. False: nothing has come. */
static bool comes(int rank, int from, double seconds, ith_mpi_unexpected *unexpected)
{
    const struct timespec nap = {0, 200000};
    double until = ith_now_s() + seconds;

    while (!has_come(from)) {
        if (ith_mpi_unexpected_from(unexpected, from) && !has_come(from))
            end_stranger(rank, from);
        if (ith_now_s() > until)
            return false;
        nanosleep(&nap, NULL);
    }
    return true;
}

/* Rank 0 hears from all, so it is the first to lose patience: others would name it while it waits
 * for the one that is silent. As a rule all are there at once, and nobody looks for strangers, for
 * which it takes long to prepare. */
static void await(int rank, int from)
{
    double patience = PATIENCE_S + (rank == 0 ? 0 : LEAD_S);
    ith_mpi_unexpected *unexpected;

    if (comes(rank, from, PROMPT_S, NULL))
        return;
    unexpected = ith_mpi_unexpected_open();
    if (!comes(rank, from, patience - PROMPT_S, unexpected))
        end_without(rank, from);
    ith_mpi_unexpected_close(unexpected);
}

static void hear(int rank, int from, char text[TEXT])
{
    await(rank, from);
    MPI_Recv(text, TEXT, MPI_CHAR, from, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    text[TEXT - 1] = 0;
}

/* Rank 0: the verdict, empty if all are the same. */
static void judge(int size, const char *build, char verdict[TEXT])
{
    char theirs[TEXT];

    verdict[0] = 0;
    for (int r = 1; r < size; r++) {
        hear(0, r, theirs);
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
        hear(rank, 0, verdict);
    }
    return verdict[0] == 0 ? ITH_OK : ith_fail(err, ITH_E_COMM, "%s", verdict);
}

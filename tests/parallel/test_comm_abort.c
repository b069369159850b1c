/* RANKS: none, abort.sh runs it
 *
 * test_comm_abort.c - one rank ends in the way that the argument says, while the others wait in a
 * collective or work on alone.
 */
#include "comm/comm.h"
#include "comm/comm_open.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FAILING = 1, CODE = 7 };

static void fail(ith_comm *comm, const char *how)
{
    if (strcmp(how, "abort") == 0)
        ith_comm_abort(comm, CODE, "layers.3.bias: not a number");
    if (strcmp(how, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(how, "mpi") == 0)
        comm->ops->bcast(comm, &comm->size, sizeof comm->size, comm->size + 5); /* no such root */
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    ith_comm *comm;
    ith_error err;
    if (ith_comm_open_world(&comm, &err) != ITH_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    comm->ops->barrier(comm);
    if (comm->rank == FAILING)
        fail(comm, how);
    while (comm->rank == FAILING + 1)
        pause();
    comm->ops->max(comm, comm->rank);
    puts("a rank went on");
    ith_comm_close(comm);
    return 0;
}

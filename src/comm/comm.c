/* comm.c - what all communicators share: closing, agreement, the end of all ranks. */
#include "comm/comm.h"

#include <stdio.h>
#include <unistd.h>

void ith_comm_close(ith_comm *comm)
{
    if (comm)
        comm->ops->close(comm, false);
}

void ith_comm_abandon(ith_comm *comm)
{
    if (comm)
        comm->ops->close(comm, true);
}

/* Largest for the lowest failing rank, whose text all get. */
ith_status ith_comm_agree(ith_comm *comm, ith_status status, ith_error *err)
{
    if (comm->size == 1)
        return status;
    int64_t worst = comm->ops->max(comm, status != ITH_OK ? comm->size - comm->rank : 0);
    if (worst == 0)
        return ITH_OK;
    ith_error said = {.status = status};
    int speaker = comm->size - (int)worst;
    if (comm->rank == speaker)
        snprintf(said.text, sizeof said.text, "%s", err ? err->text : "failed");
    comm->ops->bcast(comm, &said, sizeof said, speaker);
    if (err)
        *err = said;
    return ith_fail_prefix(err, said.status, "rank %d", speaker);
}

ith_status ith_comm_agree_memory(ith_comm *comm, const void *ptr, const char *what, ith_error *err)
{
    ith_status status =
        ptr != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for %s", what);
    return ith_comm_agree(comm, status, err);
}

void ith_comm_abort(ith_comm *comm, int code, const char *text)
{
    char line[1200];
    int n = snprintf(line, sizeof line, "ithaca: error: rank %d: %s\n", comm->rank, text);
    size_t length = n < 0 ? 0 : (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    ssize_t written = write(STDERR_FILENO, line, length); /* one call: lines of ranks do not mix */
    (void)written;
    comm->ops->abort(comm, code);
}

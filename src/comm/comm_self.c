/* comm_self.c - communicators of one process: copies in place of messages. */
#include "comm/comm_self.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void self_barrier(ith_comm *comm)
{
    (void)comm;
}

static void self_bcast(ith_comm *comm, void *buf, int64_t bytes, int root)
{
    (void)buf, (void)bytes, (void)root;
    comm->stats.bcast_calls++;
}

static void copy_unless_in_place(void *to, const void *from, int64_t bytes)
{
    if (to != from && bytes > 0)
        memcpy(to, from, (size_t)bytes);
}

static void self_allgatherv(ith_comm *comm, const void *send, void *recv, const int64_t *counts,
                            const int64_t *displs)
{
    comm->stats.allgather_calls++;
    copy_unless_in_place((char *)recv + displs[0], send, counts[0]);
}

static void self_alltoall_start(ith_comm *comm, int flight, const ith_alltoall *x)
{
    (void)flight;
    comm->stats.exchange[ITH_EXCHANGE_PAIRWISE].calls++;
    copy_unless_in_place((char *)x->recv + x->recv_displs[0],
                         (const char *)x->send + x->send_displs[0], x->send_counts[0]);
}

static void self_progress(ith_comm *comm)
{
    (void)comm; /* start has done everything */
}

static void self_finish(ith_comm *comm, int flight)
{
    (void)comm, (void)flight;
}

static bool self_overlaps(const ith_comm *comm, int64_t most)
{
    (void)comm, (void)most; /* start has done everything */
    return false;
}

static ith_status self_exchange_open(ith_comm *comm, ith_exchange strategy, int64_t most,
                                     ith_error *err)
{
    (void)most, (void)err;
    comm->exchange = strategy;
    return ITH_OK;
}

static bool self_messages_open(ith_comm *comm, int64_t n_parcels, int64_t bytes)
{
    (void)comm, (void)n_parcels, (void)bytes;
    return true;
}

static void self_messages_start(ith_comm *comm, int flight, const ith_parcel *sends,
                                int64_t n_sends, const ith_parcel *recvs, int64_t n_recvs)
{
    (void)flight, (void)sends, (void)n_sends, (void)recvs,
        (void)n_recvs; /* there is no other rank */
    comm->stats.message_calls++;
}

static int64_t self_max(ith_comm *comm, int64_t value)
{
    (void)comm;
    return value;
}

static ith_status self_shared_alloc(ith_comm *comm, size_t bytes, const char *what,
                                    ith_place_fn place, void *user, void **out, ith_error *err)
{
    (void)comm;
    ITH_TRY(ith_mem_alloc(ITH_MEM_WEIGHTS, bytes, what, out, err));
    if (place != NULL)
        place(user, *out, bytes);
    return ITH_OK;
}

static void self_split_domains(ith_comm *comm, int domain)
{
    (void)comm, (void)domain; /* one rank, one domain */
}

static void self_shared_free(ith_comm *comm, void *ptr)
{
    (void)comm;
    ith_mem_free(ptr);
}

/* The last resort that comm.h documents: the one function of the library that ends the process. */
static __attribute__((noreturn)) void self_abort(ith_comm *comm, int code)
{
    (void)comm;
    _exit(code);
}

static void self_close(ith_comm *comm, bool late)
{
    (void)late;
    free(comm);
}

static ith_status self_side(ith_comm *comm, ith_comm **out, ith_error *err)
{
    (void)comm;
    return ith_comm_open_self(out, err);
}

static const int only_node = 0;

static void planned_allgatherv(ith_comm *comm, const void *send, void *recv, const int64_t *counts,
                               const int64_t *displs)
{
    for (int r = 0; r < comm->size; r++)
        memmove((uint8_t *)recv + displs[r], send, (size_t)counts[r]);
}

static void planned_close(ith_comm *comm, bool late)
{
    (void)late;
    free((void *)comm->node_of);
    free(comm);
}

static const ith_comm_ops planned_ops = {
    .name = "planned",
    .barrier = self_barrier,
    .idle_barrier = self_barrier,
    .bcast = self_bcast,
    .allgatherv = planned_allgatherv,
    .overlaps = self_overlaps,
    .max = self_max,
    .node_barrier = self_barrier,
    .split_domains = self_split_domains,
    .domain_barrier = self_barrier,
    .abort = self_abort,
    .close = planned_close,
};

static const ith_comm_ops self_ops = {
    .name = "self",
    .barrier = self_barrier,
    .idle_barrier = self_barrier,
    .bcast = self_bcast,
    .allgatherv = self_allgatherv,
    .alltoall_start = self_alltoall_start,
    .messages_open = self_messages_open,
    .messages_start = self_messages_start,
    .progress = self_progress,
    .finish = self_finish,
    .overlaps = self_overlaps,
    .exchange_open = self_exchange_open,
    .max = self_max,
    .shared_alloc = self_shared_alloc,
    .shared_free = self_shared_free,
    .node_barrier = self_barrier,
    .split_domains = self_split_domains,
    .domain_alloc = self_shared_alloc,
    .domain_barrier = self_barrier,
    .side = self_side,
    .abort = self_abort,
    .close = self_close,
};

ith_status ith_comm_open_self(ith_comm **comm, ith_error *err)
{
    *comm = calloc(1, sizeof **comm);
    if (!*comm)
        return ith_fail(err, ITH_E_MEMORY, "communicator: %zu bytes needed", sizeof **comm);
    (*comm)->ops = &self_ops;
    (*comm)->size = 1;
    (*comm)->node_size = 1;
    (*comm)->domain_size = 1;
    (*comm)->n_nodes = 1;
    (*comm)->node_of = &only_node;
    return ITH_OK;
}

ith_status ith_comm_open_planned(int n_nodes, int ranks_per_node, ith_comm **comm, ith_error *err)
{
    int size = n_nodes * ranks_per_node, *node_of = calloc((size_t)size, sizeof *node_of);

    *comm = calloc(1, sizeof **comm);
    if (!*comm || !node_of) {
        free(node_of);
        free(*comm);
        *comm = NULL;
        return ith_fail(err, ITH_E_MEMORY, "no memory to plan for %d ranks", size);
    }
    for (int r = 0; r < size; r++)
        node_of[r] = r / ranks_per_node;
    **comm = (ith_comm){.ops = &planned_ops,
                        .size = size,
                        .node_size = ranks_per_node,
                        .domain_size = ranks_per_node,
                        .n_nodes = n_nodes,
                        .node_of = node_of};
    return ITH_OK;
}

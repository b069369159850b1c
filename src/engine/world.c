/* world.c - the ranks of the job: opening, broadcasts, and counts of what was sent. */
#include "engine/world.h"
#include "base/ledger.h"
#include "base/mem.h"
#include "base/testhook.h"
#include "comm/comm_open.h"
#include "comm/comm_self.h"
#include "comm/same.h"

#include <stdlib.h>

static ith_status open_ledger(ith_world *world, ith_error *err)
{
    ith_comm *comm = world->comm;

    ITH_TRY(comm->ops->shared_alloc(comm, ith_ledger_bytes(comm->node_size), "the ledger of memory",
                                    NULL, NULL, &world->ledger, err));
    ith_ledger_join(world->ledger, comm->node_size, comm->node_rank);
    return ITH_OK;
}

static ith_status open_world(bool alone, ith_world **out, ith_error *err)
{
    ith_comm *comm;
    ith_world *world;
    ith_status status;

    *out = NULL;
    ITH_TRY(alone ? ith_comm_open_self(&comm, err) : ith_comm_open_world(&comm, err));
    world = calloc(1, sizeof *world);
    status = ith_comm_agree_memory(comm, world, "the world of ranks", err);
    if (status == ITH_OK) {
        world->comm = comm;
        ith_test_hook_open(comm->rank);
        status = open_ledger(world, err);
    }
    if (status != ITH_OK) {
        free(world);
        ith_comm_abandon(comm);
        return status;
    }
    *out = world;
    return ITH_OK;
}

ith_status ith_world_open(ith_world **out, ith_error *err)
{
    ITH_NEED_ERROR(err);
    return open_world(false, out, err);
}

ith_status ith_world_open_alone(ith_world **out, ith_error *err)
{
    ITH_NEED_ERROR(err);
    return open_world(true, out, err);
}

int ith_launched_rank(void)
{
    return ith_comm_launched_rank();
}

const char *ith_world_note(const ith_world *world)
{
    return world->comm->note;
}

ith_status ith_world_same(ith_world *world, const char *const *names, const char *const *values,
                          size_t n, ith_error *err)
{
    ITH_NEED_ERROR(err);
    ith_same same = {0};

    for (size_t i = 0; i < n; i++)
        ith_same_text(&same, names[i], values[i]);
    return ith_comm_same(world->comm, &same, err);
}

void ith_world_close(ith_world *world)
{
    if (world == NULL)
        return;
    if (world->ledger != NULL) {
        ith_ledger_leave(world->ledger);
        world->comm->ops->shared_free(world->comm, world->ledger);
    }
    ith_comm_close(world->comm);
    free(world);
}

int ith_world_rank(const ith_world *world)
{
    return world->comm->rank;
}
int ith_world_size(const ith_world *world)
{
    return world->comm->size;
}

void ith_world_bcast(ith_world *world, void *buf, size_t bytes)
{
    world->comm->ops->bcast(world->comm, buf, (int64_t)bytes, 0);
}

void ith_world_wait(ith_world *world)
{
    world->comm->ops->idle_barrier(world->comm);
}

ith_traffic ith_world_traffic(const ith_world *world)
{
    const ith_comm_stats *stats = &world->comm->stats;
    ith_traffic traffic = {.allgather = stats->allgather_sent,
                           .messages = stats->message_sent,
                           .bcast = stats->bcast_sent};

    for (int i = 0; i < ITH_EXCHANGES; i++)
        traffic.exchange[i] = stats->exchange[i];
    return traffic;
}

void ith_world_abort(ith_world *world, int code, const char *text)
{
    ith_comm_abort(world->comm, code, text);
}

ith_usage ith_world_usage(const ith_world *world)
{
    ith_traffic traffic = ith_world_traffic(world);
    int64_t sent = traffic.allgather + traffic.messages + traffic.bcast;

    for (int i = 0; i < ITH_EXCHANGES; i++)
        sent += traffic.exchange[i].in_node + traffic.exchange[i].cross_node;
    return (ith_usage){.sent = sent,
                       .resident = (int64_t)ith_mem_resident(),
                       .kv = (int64_t)ith_mem_in_use(ITH_MEM_KV)};
}

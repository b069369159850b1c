/* ranks.c - benchmarks on all ranks at once: ceilings are measured together and summed. */
#include "tools/ranks.h"

#include "engine/session.h"
#include "model/traffic.h"

ith_status ith_bench_ranks_open(ith_world *world, int threads, int64_t want, ith_team **team,
                                void **buffer, size_t *bytes, ith_error *err)
{
    ith_comm *comm = world->comm;

    if (threads == 0)
        threads = ith_cores_available() / comm->node_size;
    if (threads < 1)
        threads = 1;
    ITH_TRY(ith_comm_agree(comm, ith_team_open(threads, team, err), err));
    return ith_comm_agree(comm, ith_bench_buffer(want, comm->node_size, buffer, bytes, err), err);
}

/* Collective. Each rank in turn broadcasts its ceilings; all ranks sum them. */
static ith_ceilings add_up(ith_comm *comm, const ith_ceilings *mine)
{
    ith_ceilings sum = {0};

    for (int r = 0; r < comm->size; r++) {
        ith_ceilings c = *mine;
        comm->ops->bcast(comm, &c, sizeof c, r);
        sum.read_bytes += c.read_bytes;
        sum.integer_ops += c.integer_ops;
        sum.f32_ops += c.f32_ops;
    }
    return sum;
}

ith_ceilings ith_bench_ranks_ceilings(ith_world *world, ith_team *team, int active,
                                      const void *buffer, size_t bytes, double seconds)
{
    ith_ceilings c;
    world->comm->ops->barrier(world->comm);
    c = ith_ceilings_measure(team, active, ith_peaks_named(ith_kernels_get()->name), buffer, bytes,
                             seconds);
    return add_up(world->comm, &c);
}

int64_t ith_bench_ranks_sent(const ith_comm *comm)
{
    int64_t sent = comm->stats.allgather_sent + comm->stats.message_sent;
    for (int i = 0; i < ITH_EXCHANGES; i++)
        sent += comm->stats.exchange[i].in_node + comm->stats.exchange[i].cross_node;
    return sent;
}

int64_t ith_bench_ranks_formula(const ith_session *s, int64_t depth, int64_t n)
{
    const ith_engine *e = s->engine;
    ith_wire wire = ith_engine_wire(e);
    int64_t bytes = 0;

    for (int64_t done = 0, now; done < n; done += now) {
        now = n - done < s->chunk ? n - done : s->chunk;
        bytes += now <= s->rows_tokens ? ith_traffic_rows(&wire, now)
                                       : ith_traffic_ulysses(&wire, depth + done, now);
    }
    return bytes;
}

ith_status ith_bench_text(const json_t *root, char **json, ith_error *err)
{
    *json = root == NULL ? NULL : ith_json_text(root, false);
    return *json != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for the result");
}

/* ulysses.c - prefill by token slices, attention by heads, an all-to-all between the two (DeepSpeed-Ulysses,
 * arXiv 2309.14509). With one rank both exchanges vanish.
 *
 * Slices ascend with the rank, so blocks that arrive in rank order are in token order: records need no unpacking, and
 * attention's result needs no packing.
 */
#include "model/pass.h"

#include <string.h>

static ith_range all_rows(const ith_pass *p, int64_t n_rows)
{
    (void)p;
    return (ith_range){0, n_rows};
}

static ith_range all_kv_heads(const ith_pass *p)
{
    return (ith_range){0, p->model->hp.n_kv_heads};
}

static uint8_t *record_at(const ith_pass *p, int64_t token, int r)
{
    if (p->comm->size == 1)
        return p->ws->records + token * p->record.bytes;
    return p->ws->send + (r * ith_range_size(p->mine) + token) * p->record.bytes;
}

/* One side of an exchange holds my tokens' blocks, one per head owner; the other all slices in token order. */
static ith_comm_plan my_blocks(const ith_pass *p, int64_t width, int side)
{
    ith_comm_plan plan = ith_workspace_plan(p->ws, p->comm->size, side);
    for (int r = 0; r < p->comm->size; r++) {
        plan.counts[r] = ith_range_size(p->mine) * width;
        plan.displs[r] = r * plan.counts[r];
    }
    return plan;
}

static ith_comm_plan slices(const ith_pass *p, int64_t width, int side)
{
    ith_comm_plan plan = ith_workspace_plan(p->ws, p->comm->size, side);
    for (int r = 0; r < p->comm->size; r++) {
        ith_range slice = ith_mesh_tokens(&p->mesh, p->n, r);
        plan.counts[r] = ith_range_size(slice) * width;
        plan.displs[r] = slice.begin * width;
    }
    return plan;
}

static void to_heads(ith_pass *p)
{
    if (p->comm->size == 1)
        return;
    ith_comm_plan send = my_blocks(p, p->record.bytes, 0), recv = slices(p, p->record.bytes, 1);
    p->comm->ops->alltoallv(p->comm, p->ws->send, send.counts, send.displs, p->ws->records, recv.counts, recv.displs);
}

static void exchange_back(ith_pass *p, int64_t width)
{
    ith_comm_plan send = slices(p, width, 0), recv = my_blocks(p, width, 1);
    p->comm->ops->alltoallv(p->comm, p->ws->attn, send.counts, send.displs, p->ws->wire, recv.counts, recv.displs);
}

/* Blocks [head owner][my token][its heads] become [my token][all heads]. */
static void to_tokens(ith_pass *p, ith_member *me)
{
    int64_t n = ith_range_size(p->mine), width = p->attn_ld;
    ith_range mine = ith_my_share(me, n, 1);

    if (p->comm->size == 1)
        return;
    if (me->tid == 0)
        exchange_back(p, width * (int64_t)sizeof(float));
    ith_barrier(me);
    for (int64_t t = mine.begin; t < mine.end; t++)
        for (int r = 0; r < p->comm->size; r++)
            memcpy(p->ws->h + t * p->ws->ld + r * width, p->ws->wire + (r * n + t) * width,
                   (size_t)width * sizeof(float));
}

static void nothing_to_gather(ith_pass *p, ith_member *me, float *buf, int64_t n_rows)
{
    (void)p, (void)me, (void)buf, (void)n_rows;
}

const ith_way ith_way_ulysses = {
    .name = "ulysses",
    .rows = all_rows,
    .kv_heads = all_kv_heads,
    .record_at = record_at,
    .to_heads = to_heads,
    .to_tokens = to_tokens,
    .gather = nothing_to_gather,
};

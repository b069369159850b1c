/* ulysses.c - prefill by token slices, attention by heads, an all-to-all between the two (DeepSpeed-Ulysses,
 * arXiv 2309.14509). With one rank both exchanges vanish.
 *
 * Slices ascend with the rank, so blocks that arrive in rank order are in token order: records need no unpacking, and
 * attention's result needs no sorting.
 *
 * On the wire to the heads travel records (pass.h). On the way back a token's result travels as the output matrix will read it: if
 * it can, as int8 groups, about a quarter of the bytes.
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
    ith_comm_plan send = my_blocks(p, p->record.bytes, 0), recv = slices(p, p->record.bytes, 1);
    p->comm->ops->alltoallv(p->comm, p->ws->send, send.counts, send.displs, p->ws->records, recv.counts, recv.displs);
}

/* ---- The way back ---- */

static void exchange_back(ith_pass *p, const void *from, int64_t width)
{
    ith_comm_plan send = slices(p, width, 0), recv = my_blocks(p, width, 1);
    p->comm->ops->alltoallv(p->comm, from, send.counts, send.displs, p->ws->wire, recv.counts, recv.displs);
}

/* Floats of a token's result for my heads. */
static int64_t my_width(const ith_pass *p)
{
    return ith_range_size(p->heads) * p->group * p->model->hp.head_dim;
}

static ith_heads_out heads_out(const ith_pass *p, const ith_matrix *o)
{
    bool alone = p->comm->size == 1;
    int64_t width = my_width(p);
    return (ith_heads_out){
        .quantized = ith_heads_are_groups(p->model, o),
        .acts = ith_pass_input(p, width).acts, /* free until the result is back; large enough, since C <= U * T */
        .x = alone ? p->ws->h : p->ws->attn,
        .ld = alone ? p->ws->ld : width};
}

/* Blocks [head owner][my token][its channels] become [my token][all channels]. */
static void floats_back(ith_pass *p, ith_member *me)
{
    int64_t n = ith_range_size(p->mine), width = my_width(p);
    ith_range mine = ith_my_share(me, n, 1);
    const float *wire = p->ws->wire;

    if (me->tid == 0)
        exchange_back(p, p->ws->attn, width * (int64_t)sizeof(float));
    ith_barrier(me);
    for (int64_t t = mine.begin; t < mine.end; t++)
        for (int r = 0; r < p->comm->size; r++)
            memcpy(p->ws->h + t * p->ws->ld + r * width, wire + (r * n + t) * width, (size_t)width * sizeof *wire);
}

/* The same for int8 groups. */
static void groups_back(ith_pass *p, ith_member *me, const ith_matrix *o)
{
    int64_t n = ith_range_size(p->mine), groups = my_width(p) / ITH_GROUP, bytes = ith_acts_wire_bytes(groups);
    ith_acts out = heads_out(p, o).acts, in = ith_pass_input(p, o->cols).acts;
    ith_range all = ith_my_share(me, p->n, 1), mine = ith_my_share(me, n, 1);

    for (int64_t t = all.begin; t < all.end; t++)
        ith_acts_to_wire(&out, t, 0, groups, p->ws->back + t * bytes);
    ith_barrier(me);
    if (me->tid == 0)
        exchange_back(p, p->ws->back, bytes);
    ith_barrier(me);
    for (int64_t t = mine.begin; t < mine.end; t++)
        for (int r = 0; r < p->comm->size; r++)
            ith_acts_from_wire(&in, t, r * groups, groups, (const uint8_t *)p->ws->wire + (r * n + t) * bytes);
    ith_barrier(me);
}

static void to_tokens(ith_pass *p, const ith_matrix *o, ith_member *me)
{
    bool groups = ith_heads_are_groups(p->model, o);

    if (p->comm->size > 1 && groups)
        groups_back(p, me, o);
    else if (p->comm->size > 1)
        floats_back(p, me);
    if (!groups)
        ith_quantize_h(p, me, o->cols);
}

static void nothing_to_gather_mid(ith_pass *p, ith_member *me, const ith_matrix *down)
{
    (void)p, (void)me, (void)down;
}

static void nothing_to_gather(ith_pass *p, ith_member *me)
{
    (void)p, (void)me;
}

const ith_way ith_way_ulysses = {
    .name = "ulysses",
    .rows = all_rows,
    .kv_heads = all_kv_heads,
    .record_at = record_at,
    .to_heads = to_heads,
    .heads_out = heads_out,
    .to_tokens = to_tokens,
    .gather_mid = nothing_to_gather_mid,
    .gather_y = nothing_to_gather,
};

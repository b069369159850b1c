/* ulysses.c - prefill by token slices, attention by heads, an all-to-all between the two (DeepSpeed-Ulysses,
 * arXiv 2309.14509). With one rank both exchanges vanish.
 *
 * Slices ascend with the rank, so blocks that arrive in rank order are in token order: records need no unpacking, and
 * attention's result needs no sorting.
 *
 * On the wire to the heads travel records (pass.h). On the way back, if the output matrix is quantized and whole groups of 32
 * channels belong to one head, each token's result travels as the matrix will read it: [my channels] i8, [groups] f32
 * scales: about a quarter of the bytes. A group's quants depend on its 32 values only, so where it is quantized does not change them.
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

/* ---- The way back ---- */

static void exchange_back(ith_pass *p, const void *from, int64_t width)
{
    ith_comm_plan send = slices(p, width, 0), recv = my_blocks(p, width, 1);
    p->comm->ops->alltoallv(p->comm, from, send.counts, send.displs, p->ws->wire, recv.counts, recv.displs);
}

static bool quantized_back(const ith_pass *p, const ith_matrix *o)
{
    return ith_layout_is_quantized(o->layout) && p->model->hp.head_dim % ITH_GROUP == 0;
}

/* Blocks [head owner][my token][its channels] become [my token][all channels]. */
static void floats_back(ith_pass *p, ith_member *me)
{
    int64_t n = ith_range_size(p->mine), width = p->attn_ld;
    ith_range mine = ith_my_share(me, n, 1);
    const float *wire = p->ws->wire;

    if (me->tid == 0)
        exchange_back(p, p->ws->attn, width * (int64_t)sizeof(float));
    ith_barrier(me);
    for (int64_t t = mine.begin; t < mine.end; t++)
        for (int r = 0; r < p->comm->size; r++)
            memcpy(p->ws->h + t * p->ws->ld + r * width, wire + (r * n + t) * width, (size_t)width * sizeof *wire);
}

/* Quants and scales of all the pass's tokens, for my heads. */
static void pack_back(ith_pass *p, ith_member *me, int64_t width, int64_t groups)
{
    ith_acts acts = p->ws->acts; /* free until the result is back; large enough, since C <= U * T */
    ith_range share = ith_my_share(me, p->n, 1);
    int64_t bytes = width + groups * (int64_t)sizeof(float);

    acts.groups = groups;
    for (int64_t t = share.begin; t < share.end; t++) {
        ith_acts at = ith_acts_at(&acts, t);
        p->model->kernels->quantize(width, p->ws->attn + t * width, &acts, t, 0);
        memcpy(p->ws->back + t * bytes, at.quants, (size_t)width);
        memcpy(p->ws->back + t * bytes + width, at.scales, (size_t)groups * sizeof(float));
    }
}

/* What ith_kernels.quantize derives from the quants of groups [g, g + n) of a token. */
static void derive(const ith_acts *at, int64_t g, int64_t n)
{
    for (int64_t i = g; i < g + n; i++) {
        int32_t sum = 0;
        for (int c = 0; c < ITH_GROUP; c++)
            sum += at->quants[i * ITH_GROUP + c];
        at->sums[i] = at->scales[i] * (float)sum;
        at->zero8[i] = -8 * sum;
        at->zero128[i] = -128 * sum;
    }
}

static void unpack_back(ith_pass *p, ith_member *me, int64_t width, int64_t groups)
{
    int64_t n = ith_range_size(p->mine), bytes = width + groups * (int64_t)sizeof(float);
    ith_input in = ith_pass_input(p, width * p->comm->size);
    ith_range share = ith_my_share(me, n, 1);
    const uint8_t *wire = (const uint8_t *)p->ws->wire;

    for (int64_t t = share.begin; t < share.end; t++) {
        ith_acts at = ith_acts_at(&in.acts, t);
        for (int r = 0; r < p->comm->size; r++) {
            memcpy(at.quants + r * width, wire + (r * n + t) * bytes, (size_t)width);
            memcpy(at.scales + r * groups, wire + (r * n + t) * bytes + width, (size_t)groups * sizeof(float));
            derive(&at, r * groups, groups);
        }
    }
    ith_barrier(me);
}

static void to_tokens(ith_pass *p, const ith_matrix *o, ith_member *me)
{
    int64_t width = p->attn_ld, groups = width / ITH_GROUP;

    if (p->comm->size > 1 && quantized_back(p, o)) {
        pack_back(p, me, width, groups);
        ith_barrier(me);
        if (me->tid == 0)
            exchange_back(p, p->ws->back, width + groups * (int64_t)sizeof(float));
        ith_barrier(me);
        unpack_back(p, me, width, groups);
        return;
    }
    if (p->comm->size > 1)
        floats_back(p, me);
    ith_quantize_h(p, me, o->cols);
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

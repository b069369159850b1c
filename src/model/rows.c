/* rows.c - decode and short prefills: every rank holds all tokens of the pass and computes its heads and its rows of every
 * matrix; results are all-gathered. Matrices are never cut along the summed dimension, so no partial sums travel
 * and no sum depends on the number of ranks.
 */
#include "model/pass.h"

#include <string.h>

static ith_range my_rows(const ith_pass *p, int64_t n_rows)
{
    return ith_mesh_rows(&p->mesh, n_rows, p->comm->rank);
}

static ith_range my_kv_heads(const ith_pass *p)
{
    return p->heads;
}

static uint8_t *record_at(const ith_pass *p, int64_t token, int r)
{
    (void)r;
    return p->ws->records + token * p->record.bytes;
}

static void already_by_heads(ith_pass *p)
{
    (void)p;
}

typedef ith_range (*owner_fn)(const ith_pass *p, int64_t n_rows, int r);

static ith_range rows_of(const ith_pass *p, int64_t n_rows, int r)
{
    return ith_mesh_rows(&p->mesh, n_rows, r);
}

static ith_range head_rows_of(const ith_pass *p, int64_t n_rows, int r)
{
    ith_range heads = ith_mesh_kv_heads(&p->mesh, (int)p->model->hp.n_kv_heads, r % p->mesh.ulysses);
    int64_t width = n_rows / p->model->hp.n_kv_heads;
    return (ith_range){heads.begin * width, heads.end * width};
}

/* In ws->wire rank r's rows of all tokens are one block, [n][its rows], blocks in the order of rows. */
static void all_gather(ith_pass *p, int64_t n_rows, owner_fn owner)
{
    ith_comm_plan plan = ith_workspace_plan(p->ws, p->comm->size, 0);
    float *wire = p->ws->wire;

    for (int r = 0; r < p->comm->size; r++) {
        ith_range rows = owner(p, n_rows, r);
        plan.counts[r] = p->n * ith_range_size(rows) * (int64_t)sizeof *wire;
        plan.displs[r] = p->n * rows.begin * (int64_t)sizeof *wire;
    }
    p->comm->ops->allgatherv(p->comm, (uint8_t *)wire + plan.displs[p->comm->rank], wire, plan.counts, plan.displs);
}

static void gather_by(ith_pass *p, ith_member *me, float *buf, int64_t n_rows, owner_fn owner)
{
    ith_range mine = owner(p, n_rows, p->comm->rank), share = ith_my_share(me, p->n, 1);
    int64_t width = ith_range_size(mine), ld = p->ws->ld;

    ith_barrier(me);
    for (int64_t t = share.begin; t < share.end; t++)
        memcpy(p->ws->wire + p->n * mine.begin + t * width, buf + t * ld, (size_t)width * sizeof *buf);
    ith_barrier(me);
    if (me->tid == 0)
        all_gather(p, n_rows, owner);
    ith_barrier(me);
    for (int64_t t = share.begin; t < share.end; t++) {
        for (int r = 0; r < p->comm->size; r++) {
            ith_range rows = owner(p, n_rows, r);
            memcpy(buf + t * ld + rows.begin, p->ws->wire + p->n * rows.begin + t * ith_range_size(rows),
                   (size_t)ith_range_size(rows) * sizeof *buf);
        }
    }
}

static void gather_rows(ith_pass *p, ith_member *me, float *buf, int64_t n_rows)
{
    gather_by(p, me, buf, n_rows, rows_of);
}

static void gather_heads(ith_pass *p, const ith_matrix *o, ith_member *me)
{
    gather_by(p, me, p->ws->h, o->cols, head_rows_of);
    ith_quantize_h(p, me, o->cols);
}

const ith_way ith_way_rows = {
    .name = "rows",
    .rows = my_rows,
    .kv_heads = my_kv_heads,
    .record_at = record_at,
    .to_heads = already_by_heads,
    .to_tokens = gather_heads,
    .gather = gather_rows,
};

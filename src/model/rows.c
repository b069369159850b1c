/* rows.c - passes by rows, decode and short prefills: every rank holds all tokens of the pass and
 * computes its rows of every matrix; results are all-gathered, as int8 groups where the next matrix
 * reads those. How heads travel: blocks/heads_rows.c. */
#include "model/rows.h"

#include <string.h>

static ith_range my_rows(const ith_pass *p, int64_t n_rows)
{
    return ith_mesh_rows(&p->mesh, n_rows, p->comm->rank);
}

ith_range ith_rows_owned(const ith_pass *p, const ith_owners *owners, int r)
{
    if (owners->n_heads == 0)
        return ith_mesh_rows(&p->mesh, owners->n_cols, r);
    ith_range heads = ith_mesh_own_heads(&p->mesh, owners->n_heads, r);
    int64_t width = owners->n_cols / owners->n_heads;
    return (ith_range){heads.begin * width, heads.end * width};
}

static void all_gather(ith_pass *p, const ith_comm_counts *c)
{
    uint8_t *wire = (uint8_t *)p->ws->wire;
    p->comm->ops->allgatherv(p->comm, wire + c->displs[p->comm->rank], wire, c->counts, c->displs);
}

void ith_rows_gather_floats(ith_pass *p, ith_member *me, float *buf, int64_t ld, int64_t n,
                            int64_t at, const ith_owners *owners)
{
    ith_range mine = ith_rows_owned(p, owners, p->comm->rank), share = ith_my_share(me, n, 1);
    int64_t width = ith_range_size(mine);

    for (int64_t t = share.begin; t < share.end; t++)
        memcpy(p->ws->wire + n * mine.begin + t * width, buf + t * ld + at,
               (size_t)width * sizeof *buf);
    ith_barrier(me);
    if (me->tid == 0) {
        ith_comm_counts c = ith_workspace_counts(p->ws, p->comm->size, 0, 0);
        for (int r = 0; r < p->comm->size; r++) {
            ith_range cols = ith_rows_owned(p, owners, r);
            c.counts[r] = n * ith_range_size(cols) * (int64_t)sizeof *buf;
            c.displs[r] = n * cols.begin * (int64_t)sizeof *buf;
        }
        all_gather(p, &c);
    }
    ith_barrier(me);
    for (int64_t t = share.begin; t < share.end; t++)
        for (int r = 0; r < p->comm->size; r++) {
            ith_range cols = ith_rows_owned(p, owners, r);
            memcpy(buf + t * ld + cols.begin,
                   p->ws->wire + n * cols.begin + t * ith_range_size(cols),
                   (size_t)ith_range_size(cols) * sizeof *buf);
        }
}

/* An empty range may lie behind the last column, inside the last group. */
static ith_range groups_of(ith_range cols)
{
    if (cols.begin == cols.end)
        return (ith_range){cols.begin / ITH_GROUP, cols.begin / ITH_GROUP};
    return (ith_range){cols.begin / ITH_GROUP, (cols.end + ITH_GROUP - 1) / ITH_GROUP};
}

void ith_rows_gather_acts(ith_pass *p, ith_member *me, const ith_acts *acts, int64_t n,
                          const ith_owners *owners)
{
    int size = p->comm->size, rank = p->comm->rank;
    ith_comm_counts c = ith_workspace_counts(p->ws, size, 0, 0);
    ith_range mine = groups_of(ith_rows_owned(p, owners, rank)),
              share = ith_my_share(me, n * size, 1);
    int64_t group = ith_acts_wire_bytes(1);
    uint8_t *wire = (uint8_t *)p->ws->wire;

    if (me->tid == 0) {
        for (int r = 0; r < size; r++) {
            ith_range g = groups_of(ith_rows_owned(p, owners, r));
            c.counts[r] = n * ith_range_size(g) * group;
            c.displs[r] = n * g.begin * group;
        }
        for (int64_t t = 0; t < n; t++)
            ith_acts_to_wire(acts, t, mine.begin, ith_range_size(mine),
                             wire + c.displs[rank] + t * ith_range_size(mine) * group);
        all_gather(p, &c);
    }
    ith_barrier(me);
    for (int64_t i = share.begin; i < share.end; i++) {
        int r = (int)(i % size);
        ith_range g = groups_of(ith_rows_owned(p, owners, r));
        if (r != rank)
            ith_acts_from_wire(acts, i / size, g.begin, ith_range_size(g),
                               wire + c.displs[r] + i / size * ith_range_size(g) * group);
    }
    ith_barrier(me);
}

static void gather_y(ith_pass *p, ith_member *me)
{
    ith_owners owners = {.n_cols = p->model->hp.hidden};
    ith_rows_gather_floats(p, me, p->ws->y, p->ws->ld_y, p->n, 0, &owners);
}

static void gather_mid(ith_pass *p, ith_member *me, const ith_input *mid, int64_t n,
                       const ith_matrix *down)
{
    ith_owners owners = {.n_cols = down->cols};

    if (ith_layout_is_quantized(down->layout)) {
        ith_rows_gather_acts(p, me, &mid->acts, n, &owners);
        return;
    }
    ith_rows_gather_floats(p, me, p->ws->mid, mid->ld, n, my_rows(p, down->cols).begin, &owners);
    ith_barrier(me);
}

const ith_way ith_way_rows = {
    .name = "rows",
    .all_tokens = true,
    .rows = my_rows,
    .gather_mid = gather_mid,
    .gather_y = gather_y,
};

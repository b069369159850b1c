/* parts.c - how a pass is cut by heads, so that exchanges travel behind compute. */
#include "model/traffic.h"

/* A part's queries are no fewer bytes than this on the busiest rank: what a message costs outweighs what it hides where they are fewer. */
enum { LEAST_BYTES = 128 * 1024 };

static ith_heads_part part_of(const ith_pass *p, int n_parts, int i)
{
    ith_range heads = ith_split(ith_range_size(p->heads), 1, n_parts, i);
    ith_kv_layout layout = ith_kv_get_layout(p->kv);
    int64_t d = p->model->hp.head_dim;
    return (ith_heads_part){.number = i,
                            .heads = heads,
                            .record = ith_record_layout(layout, ith_range_size(heads) * p->group, d),
                            .before = ith_record_layout(layout, heads.begin * p->group, d).bytes};
}

ith_heads_part ith_pass_part(const ith_pass *p, int i)
{
    return part_of(p, p->n_parts, i);
}

/* With R > 1 the segments of one head after another pass among the group instead. Rows of parts must be whole tiles. */
static int most_parts(const ith_pass *p)
{
    int64_t heads = ith_range_size(p->heads);
    if (p->way->all_tokens || p->comm->size == 1 || p->mesh.context > 1 || p->model->hp.head_dim % ITH_TILE_ROWS != 0)
        return 1;
    return heads < ITH_PARTS_MOST ? (int)heads : ITH_PARTS_MOST;
}

static bool pays(const ith_pass *p, int n_parts)
{
    int64_t bytes = ith_blocks_most(&p->mesh, p->n, part_of(p, n_parts, n_parts - 1).record.bytes);
    return bytes >= LEAST_BYTES && p->comm->ops->overlaps(p->comm, bytes);
}

int ith_pass_choose_parts(const ith_pass *p, int wanted)
{
    int n = most_parts(p);

    if (wanted > 0)
        return wanted < n ? wanted : n;
    while (n > 1 && !pays(p, n))
        n--;
    return n;
}

int ith_heads_runs(const ith_pass *p)
{
    return p->n_parts == 1 ? 1 : p->mesh.ulysses;
}

ith_range ith_heads_run(const ith_pass *p, const ith_heads_part *part, ith_range all, int64_t each, int i)
{
    int64_t first = i * ith_range_size(p->heads);
    if (p->n_parts == 1)
        return all;
    return (ith_range){(first + part->heads.begin) * each, (first + part->heads.end) * each};
}

/* head_slices.c - how heads are cut into slices, so that exchanges travel behind compute; the
 * layouts of what is exchanged. */
#include "model/blocks/heads.h"
#include "model/blocks/reach.h"

/* A slice's queries are no fewer bytes than this on the busiest rank: where they are fewer, a
 * message costs more than it hides. */
enum { LEAST_BYTES = 128 * 1024 };

ith_query_record ith_query_record_layout(const ith_heads_shape *s, int64_t n_heads)
{
    bool q8 = s->kv == ITH_KVL_Q8;
    ith_query_record r = {.stride = q8 ? ith_round_up(s->d, 16) : 4 * s->d,
                          .scale = !q8         ? 0
                                   : s->latent ? 8
                                               : 4};

    r.scales = n_heads * r.stride;
    r.bytes = r.scales + r.scale * n_heads;
    return r;
}

ith_kv_record ith_kv_record_layout(const ith_heads_shape *s)
{
    bool q8 = s->kv == ITH_KVL_Q8;
    int64_t key = q8 ? ith_round_up(s->d, 16) : s->d * (s->kv == ITH_KVL_BF16 ? 2 : 4),
            scales = s->latent ? key : 2 * key;
    return (ith_kv_record){
        .value = key, .scales = scales, .bytes = ith_round_up(scales + (q8 ? 4 : 0), 4)};
}

int64_t ith_heads_block_bytes(const ith_heads_shape *s)
{
    return (int64_t)ith_cache_block_bytes(s->latent, s->kv, (int)s->d);
}

int64_t ith_heads_segment_bytes(const ith_heads_shape *s)
{
    return ith_heads_block_bytes(s) * (ITH_KV_SEGMENT / ITH_KV_BLOCK);
}

static ith_head_slice slice_of(const ith_heads *a, int n_slices, int i)
{
    ith_range heads = ith_split(ith_range_size(a->heads), 1, n_slices, i);
    return (ith_head_slice){
        .number = i,
        .heads = heads,
        .record = ith_query_record_layout(&a->shape, ith_range_size(heads) * a->group),
        .before = ith_query_record_layout(&a->shape, heads.begin * a->group).bytes};
}

ith_head_slice ith_head_slice_of(const ith_heads *a, int i)
{
    return slice_of(a, a->n_slices, i);
}

/* With R > 1 the segments of one head after another pass among the group instead. Rows of slices
 * must be whole tiles. A norm over all heads needs all before any can be sent. */
static int most_slices(const ith_heads_slicing *s)
{
    if (s->mesh->ranks == 1 || s->mesh->context > 1 || s->shape.d % ITH_TILE_ROWS != 0 || s->whole)
        return 1;
    return s->heads < ITH_HEAD_SLICES_MOST ? (int)s->heads : ITH_HEAD_SLICES_MOST;
}

static bool pays(const ith_heads_slicing *s, int n_slices)
{
    int64_t heads = ith_range_size(ith_split(s->heads, 1, n_slices, n_slices - 1)),
            group = s->shape.n_q / s->shape.n_kv,
            bytes = ith_reach_most_tokens(s->mesh, s->n) *
                    ith_query_record_layout(&s->shape, heads * group).bytes;
    return bytes >= LEAST_BYTES && (s->comm == NULL || s->comm->ops->overlaps(s->comm, bytes));
}

int ith_head_slices_of(const ith_heads_slicing *s, int wanted)
{
    int n = most_slices(s);

    if (wanted > 0)
        return wanted < n ? wanted : n;
    while (n > 1 && !pays(s, n))
        n--;
    return n;
}

int ith_head_slices_choose(const ith_heads *a)
{
    const ith_pass *p = a->pass;
    const ith_heads_slicing s = {.mesh = &p->mesh,
                                 .shape = a->shape,
                                 .heads = ith_range_size(a->heads),
                                 .n = p->n,
                                 .whole = p->model->hp.qk_norm == ITH_QK_NORM_WHOLE,
                                 .comm = p->comm};
    return p->way->all_tokens ? 1 : ith_head_slices_of(&s, p->head_slices);
}

int ith_head_runs(const ith_heads *a)
{
    return a->n_slices == 1 ? 1 : a->pass->mesh.ulysses;
}

ith_range ith_head_run(const ith_heads *a, const ith_head_slice *slice, ith_range all, int64_t each,
                       int i)
{
    int64_t first = i * ith_range_size(a->heads);
    if (a->n_slices == 1)
        return all;
    return (ith_range){(first + slice->heads.begin) * each, (first + slice->heads.end) * each};
}

/* heads.c - from projections to attention's operands: norm, RoPE and quantization of every head,
 * its record on the way to the rank that owns the head, its slot in the cache. */
#include "model/blocks/heads.h"

#include "base/finite.h"
#include "base/precise.h"
#include "model/blocking.h"
#include "model/rows.h"
#include "simd/half.h"
#include "simd/prefetch.h"

#include <math.h>
#include <string.h>

ith_heads ith_heads_open(ith_pass *p, int layer, const ith_attention *w,
                         const ith_heads_shape *shape, ith_heads_work *work, float log2_scale)
{
    const double log2_e = 1.4426950408889634;
    ith_heads a = {.pass = p,
                   .mesh = ith_mesh_for_heads(&p->mesh, shape->n_kv),
                   .w = w,
                   .ops = p->way->all_tokens ? &ith_heads_by_rows : &ith_heads_by_tokens,
                   .form = &ith_heads_plain,
                   .work = work,
                   .layer = layer,
                   .from = layer,
                   .shape = *shape,
                   .d = shape->d,
                   .n_q = shape->n_q,
                   .n_kv = shape->n_kv,
                   .group = shape->n_q / shape->n_kv,
                   .heads = ith_mesh_kv_heads(&p->mesh, (int)shape->n_kv, p->mesh.u),
                   .attended = p->way->all_tokens ? (ith_range){0, p->n}
                                                  : ith_mesh_attended(&p->mesh, p->n, p->mesh.c),
                   .q_factor = log2_scale,
                   .cap = (float)(log2_e * p->model->hp.attn_softcap)};
    int rope = w->rope == &p->model->window_rope;

    if (w->rope != NULL) {
        a.half = w->rope->half;
        a.cos = a.work->cos[rope];
        a.sin = a.work->sin[rope];
    }
    a.record = ith_query_record_layout(shape, ith_range_size(a.heads) * a.group);
    a.kv = ith_kv_record_layout(shape);
    a.n_slices = ith_head_slices_choose(&a);
    a.head_tasks = 1;
    return a;
}

/* A projected head of my token t: `head` counts from the first one projected. */
static float *head_of(float *buffer, int64_t ld, ith_range rows, int64_t t, int64_t head, int64_t d)
{
    return buffer + t * ld + rows.begin % ITH_TILE_ROWS + head * d;
}

/* Calls for the same head of the next token: heads are made token by token, and the projections lie
 * too far apart for the CPU to foresee it. */
static void call_next(const ith_heads *a, const float *x, int64_t ld, int64_t t)
{
    const float *next = x + ld;

    if (t + 1 < ith_range_size(a->pass->mine))
        for (int64_t c = 0; c < a->d; c += 64 / (int64_t)sizeof *x)
            ith_fetch_l1(next + c);
}

/* Adds the bias of head `head`, and limits the numbers, where the model has such. */
static void add_bias(const ith_heads *a, const float *bias, int64_t head, float *x)
{
    const float most = (float)a->pass->model->hp.qkv_limit;

    if (bias != NULL)
        a->pass->model->kernels->add(a->d, x, bias + head * a->d);
    if (most > 0 && !ith_all_finite(x, a->d)) /* the limit would hide it */
        ith_pass_note_broken_here(a->pass);
    for (int64_t c = 0; most > 0 && c < a->d; c++) /* NaN stays */
        x[c] = x[c] > most ? most : x[c] < -most ? -most : x[c];
}

/* The limit of a head's numbers or, in int8, of their scale. No model comes near; within
 * it, scores do not exceed a float. */
#define HEAD_MOST 0x1p48f

void ith_heads_check(const ith_heads *a, float largest)
{
    if (!(largest < HEAD_MOST)) /* or NaN */
        ith_pass_note_broken_here(a->pass);
}

/* ---- Norms and positions ---- */

/* The norm over a head [d] of my token t. first: where the roots of its kind are among its sums. */
static void normalize(const ith_heads *a, const float *const *norms, int64_t head, int64_t first,
                      int64_t t, float *x)
{
    const ith_model *m = a->pass->model;
    const ith_kernels *kernels = m->kernels;
    const float *w = norms[a->w->norm_each ? head : 0];

    if (m->hp.qk_norm == ITH_QK_NORM_WHOLE) {
        kernels->scale(a->d, x, a->work->sums[t * a->work->ld_sums + first]);
        kernels->mul(a->d, x, w + head * a->d);
        return;
    }
    if (m->hp.qk_norm == ITH_QK_NORM_HEADS && !a->w->norm_each)
        w += head * a->d;
    ith_norm_apply(m, &(ith_norm){.on = true, .w = w}, a->d, x, x);
}

/* Bias, norm and RoPE of head `head` of my token t, where there are any. */
static void shape_head(const ith_heads *a, const float *bias, const float *const *norms,
                       int64_t head, int64_t first, int64_t t, float *x)
{
    const ith_model *m = a->pass->model;
    bool after = m->arch->qk_norm_after_rope;

    if (m->hp.qk_norm != ITH_QK_NORM_WHOLE) /* else it is there already */
        add_bias(a, bias, head, x);
    if (norms != NULL)
        ith_heads_check(a, ith_largest_abs(x, a->d)); /* a norm might lose what is too large */
    if (norms != NULL && !after)
        normalize(a, norms, head, first, t, x);
    if (a->half > 0)
        m->kernels->rope((int)(2 * a->half), x, a->cos + t * a->half, a->sin + t * a->half);
    if (norms != NULL && after)
        normalize(a, norms, head, first, t, x);
}

/* Biases, then sums of squares, of the heads that I project, of my token t. */
static void sum_squares(const ith_heads *a, ith_range heads, float *buffer, int64_t ld,
                        const float *bias, int64_t t, float *sums)
{
    for (int64_t head = heads.begin; head < heads.end; head++) {
        float *x = head_of(buffer, ld, (ith_range){heads.begin * a->d, heads.end * a->d}, t,
                           head - heads.begin, a->d);
        add_bias(a, bias, head, x);
        sums[head - heads.begin] = a->pass->model->kernels->sum_squares(a->d, x);
    }
}

/* 1 / sqrt(mean + eps) of n heads' sums, added in ascending order. */
static float inverse_root(const ith_heads *a, const float *sums, int64_t n)
{
    float sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += sums[i];
    return 1.0f / sqrtf(sum / (float)(n * a->d) + (float)a->pass->model->hp.rms_eps);
}

void ith_heads_measure(const ith_heads *a, ith_member *me)
{
    ith_pass *p = a->pass;
    ith_heads_work *work = a->work;
    ith_range q = a->ops->q_heads(a), kv = a->ops->kv_heads(a);
    int64_t n = ith_range_size(p->mine), ld = work->ld_sums;
    ith_range share = ith_my_share(me, n, 1);
    const ith_owners q_owners = {a->n_q, a->n_q}, kv_owners = {a->n_kv, a->n_kv};

    for (int64_t t = share.begin; t < share.end; t++) {
        float *sums = work->sums + t * ld;
        sum_squares(a, q, work->q, work->ld_q, a->w->q_bias, t, sums);
        sum_squares(a, kv, work->k, work->ld_kv, a->w->k_bias, t, sums + a->n_q);
    }
    if (p->way->all_tokens && p->comm->size > 1) {
        ith_rows_gather_floats(p, me, work->sums, ld, n, 0, &q_owners);
        ith_barrier(me);
        ith_rows_gather_floats(p, me, work->sums + a->n_q, ld, n, 0, &kv_owners);
    }
    for (int64_t t = share.begin; t < share.end; t++) {
        float *sums = work->sums + t * ld;
        sums[0] = inverse_root(a, sums, a->n_q);
        sums[a->n_q] = inverse_root(a, sums + a->n_q, a->n_kv);
    }
    ith_barrier(me);
}

void ith_heads_gate(const ith_heads *a, int64_t t, float *x)
{
    ith_range heads = a->ops->q_heads(a), rows = {heads.begin * a->d, heads.end * a->d};
    const float *gate;

    if (a->w == NULL || a->w->gate == NULL)
        return;
    gate = head_of(a->work->gate, a->work->ld_q, rows, t, 0, a->d);
    if (!ith_all_finite(gate, ith_range_size(rows))) /* infinity would count as 0 or 1 */
        ith_pass_note_broken_here(a->pass);
    a->pass->model->kernels->sigmoid_mul(ith_range_size(rows), gate, x, x);
}

/* ---- Records ---- */

void ith_heads_put_floats(ith_kv_layout layout, int64_t n, const float *x, uint8_t *out)
{
    if (layout == ITH_KVL_F32) {
        memcpy(out, x, (size_t)n * sizeof *x);
        return;
    }
    for (int64_t c = 0; c < n; c++) {
        uint16_t h = ith_f32_to_bf16(x[c]);
        memcpy(out + 2 * c, &h, 2);
    }
}

static ith_range rows_of_heads(ith_range heads, int64_t d)
{
    return (ith_range){heads.begin * d, heads.end * d};
}

/* What queries of my token t are multiplied by because of its position. */
static float growth(const ith_heads *a, int64_t t)
{
    const ith_hparams *hp = &a->pass->model->hp;
    int64_t pos;

    if (hp->query_beta == 0)
        return 1;
    pos = ith_pass_position(a->pass, ith_pass_token(a->pass, t));
    return (float)(1 + hp->query_beta * ith_ln(1 + (double)(pos / hp->query_tokens)));
}

/* Query head `head` of my token t, into its group's record. */
static void make_query(const ith_heads *a, const ith_head_slice *slice, int64_t head, int64_t t)
{
    const ith_kernels *kernels = a->pass->model->kernels;
    int64_t d = a->d, in_group = ith_range_size(a->heads) * a->group,
            slot = head % in_group - slice->heads.begin * a->group;
    ith_range mine = a->ops->q_heads(a);
    float *q = head_of(a->work->q, a->work->ld_q, rows_of_heads(mine, d), t, head - mine.begin, d);
    uint8_t *record = a->ops->query_at(a, slice, t, (int)(head / in_group)),
            *at = record + slot * slice->record.stride;
    float factor = a->q_factor * growth(a, t);

    call_next(a, q, a->work->ld_q, t);
    shape_head(a, a->w->q_bias, a->w->q_norm, head, 0, t, q);
    if (a->pass->kv == ITH_KVL_Q8) {
        float scale = kernels->quantize_head((int)d, q, NULL, (int8_t *)at);
        ith_heads_check(a, scale);
        scale *= factor;
        memcpy(record + slice->record.scales + slot * (int64_t)sizeof scale, &scale, sizeof scale);
    } else {
        ith_heads_check(a, ith_largest_abs(q, d));
        kernels->scale(d, q, factor);
        memcpy(at, q, (size_t)d * sizeof *q);
    }
}

/* Divides a value head by its root mean square. */
static void normalize_value(const ith_heads *a, float *v)
{
    const ith_kernels *kernels = a->pass->model->kernels;
    float squares;

    ith_heads_check(a, ith_largest_abs(v, a->d)); /* the norm might lose what is too large */
    squares = kernels->sum_squares(a->d, v);
    kernels->scale(a->d, v, inverse_root(a, &squares, 1));
}

/* KV head `head` of my token t. */
static void make_kv(const ith_heads *a, int64_t head, int64_t t, uint8_t *record)
{
    const ith_model *m = a->pass->model;
    int64_t d = a->d;
    ith_range mine = a->ops->kv_heads(a), rows = rows_of_heads(mine, d);
    float *k = head_of(a->work->k, a->work->ld_kv, rows, t, head - mine.begin, d),
          *v = head_of(a->work->v, a->work->ld_kv, rows, t, head - mine.begin, d);
    const float *bias = m->key_means == NULL
                            ? NULL
                            : m->key_means + a->layer * ith_hparams_most_kv(&m->hp) + head * d;

    call_next(a, k, a->work->ld_kv, t);
    call_next(a, v, a->work->ld_kv, t);
    if (a->w->v == NULL)
        memcpy(v, k, (size_t)d * sizeof *v);
    shape_head(a, a->w->k_bias, a->w->k_norm, head, a->n_q, t, k);
    add_bias(a, a->w->v_bias, head, v);
    if (m->hp.value_norm)
        normalize_value(a, v);
    if (a->pass->kv == ITH_KVL_Q8) {
        int8_t *key = (int8_t *)record, *value = (int8_t *)record + a->kv.value;
        uint16_t scales[2] = {m->kernels->quantize_head_bf16((int)d, k, bias, key),
                              m->kernels->quantize_head_bf16((int)d, v, NULL, value)};
        ith_heads_check(a, ith_bf16_to_f32(scales[0]));
        ith_heads_check(a, ith_bf16_to_f32(scales[1]));
        memcpy(record + a->kv.scales, scales, sizeof scales);
    } else {
        ith_heads_check(a, ith_largest_abs(k, d));
        ith_heads_check(a, ith_largest_abs(v, d));
        ith_heads_put_floats(a->pass->kv, d, k, record);
        ith_heads_put_floats(a->pass->kv, d, v, record + a->kv.value);
    }
}

static void show_keys(const ith_heads *a, ith_member *me)
{
    const ith_probe *probe = a->pass->probe;
    ith_range kv = a->ops->kv_heads(a);
    ith_seen seen = {.tokens = ith_range_size(a->pass->mine),
                     .cols = ith_range_size(kv) * a->d,
                     .x = head_of(a->work->k, a->work->ld_kv, rows_of_heads(kv, a->d), 0, 0, a->d),
                     .ld = a->work->ld_kv};
    probe->keys(probe->user, a->layer, &seen, me);
}

/* ---- Cache ---- */

/* The key and value of the pass's token t; `head` counts from the group's first. */
static void put_in_cache(const ith_heads *a, int64_t head, int64_t t, const uint8_t *record)
{
    int layer;
    ith_kv *kv = ith_heads_kv(a, t, &layer);
    int64_t pos = ith_pass_position(a->pass, t);
    const uint8_t *value = record + a->kv.value;
    uint16_t scales[2];

    if (a->pass->kv != ITH_KVL_Q8) {
        ith_kv_put_float(kv, layer, (int)head, pos, record, value);
        return;
    }
    memcpy(scales, record + a->kv.scales, sizeof scales);
    a->pass->model->kernels->kv_put_q8(ith_kv_block(kv, layer, (int)head, pos), (int)a->d,
                                       (int)(pos % ITH_KV_BLOCK), (const int8_t *)record,
                                       (const int8_t *)value, scales[0], scales[1]);
}

const ith_heads_form ith_heads_plain = {
    .make_query = make_query, .make_kv = make_kv, .put = put_in_cache};

/* ---- Units of work: a slice's heads times the cache's blocks that the pass touches, span after
 * span. A block of 64 tokens belongs to one thread. ---- */

static int64_t first_block(const ith_span *s)
{
    return s->pos / ITH_KV_BLOCK;
}

static int64_t n_blocks(const ith_span *s)
{
    return (s->pos + s->n - 1) / ITH_KV_BLOCK - first_block(s) + 1;
}

/* Of all spans. */
static int64_t all_blocks(const ith_pass *p)
{
    int64_t n = 0;
    for (int i = 0; i < p->n_spans; i++)
        n += n_blocks(&p->spans[i]);
    return n;
}

/* The pass's tokens in block number `block`, and the segment that it is in. */
static ith_range block_tokens(const ith_pass *p, int64_t block, int64_t *segment)
{
    const ith_span *s = p->spans;
    int64_t before = 0, begin, end;

    for (; block >= n_blocks(s); s++) {
        block -= n_blocks(s);
        before += s->n;
    }
    *segment = (first_block(s) + block) * ITH_KV_BLOCK / ITH_KV_SEGMENT;
    begin = (first_block(s) + block) * ITH_KV_BLOCK - s->pos;
    end = begin + ITH_KV_BLOCK;
    return (ith_range){before + (begin < 0 ? 0 : begin), before + (end < s->n ? end : s->n)};
}

/* A lot of the pass's units of work. */
static ith_lot open_units(const ith_pass *p, ith_member *me)
{
    bool help = ith_help_with(p->n);
    return ith_lot_open(me, help ? ITH_SHARE_TASKS : 1, help);
}

static void make_unit_and_append(const ith_heads *a, const ith_head_slice *slice, int64_t head,
                                 int64_t block, uint8_t *record)
{
    int64_t kv_head = a->heads.begin + head, segment;
    ith_range tokens = block_tokens(a->pass, block, &segment);

    for (int64_t t = tokens.begin; t < tokens.end; t++) {
        for (int64_t g = 0; a->form->make_query != NULL && g < a->group; g++)
            a->form->make_query(a, slice, kv_head * a->group + g, t);
        if (!ith_heads_make_kv(a))
            continue;
        a->form->make_kv(a, kv_head, t, record);
        a->form->put(a, head, t, record);
    }
}

/* All tokens and all of the group's heads are made here: each record goes to the cache at once. */
static void make_and_append(const ith_heads *a, const ith_head_slice *slice, ith_member *me)
{
    int64_t blocks = all_blocks(a->pass), n = blocks * ith_range_size(slice->heads);
    uint8_t *record = (uint8_t *)a->pass->ws->scratch[me->tid];
    ith_lot lot = open_units(a->pass, me);

    while (ith_lot_next(me, &lot)) {
        ith_range units = ith_lot_range(me, &lot, n, 1);
        for (int64_t i = units.begin; i < units.end; i++)
            make_unit_and_append(a, slice, i / blocks, i % blocks, record);
    }
}

/* Head `at` of those of a run of the slice, query heads before KV heads. */
static void make_head(const ith_heads *a, const ith_head_slice *slice, int run, int64_t at,
                      int64_t n_q, int64_t t)
{
    if (at < n_q) {
        ith_range heads = ith_head_run(a, slice, a->ops->q_heads(a), a->group, run);
        a->form->make_query(a, slice, heads.begin + at, t);
    } else {
        int64_t head = ith_head_run(a, slice, a->ops->kv_heads(a), 1, run).begin + at - n_q;
        a->form->make_kv(a, head, t, a->ops->kv_at(a, slice, t, head));
    }
}

/* Unit i: head i % n of token i / n, run by run. */
static void make(const ith_heads *a, const ith_head_slice *slice, ith_member *me)
{
    bool queries = a->form->make_query != NULL;
    int64_t n_q = queries ? ith_range_size(ith_head_run(a, slice, a->ops->q_heads(a), a->group, 0))
                          : 0,
            n_kv = ith_heads_make_kv(a)
                       ? ith_range_size(ith_head_run(a, slice, a->ops->kv_heads(a), 1, 0))
                       : 0,
            n_run = n_q + n_kv, n = n_run * ith_head_runs(a);
    ith_lot lot = open_units(a->pass, me);

    while (ith_lot_next(me, &lot)) {
        ith_range units = ith_lot_range(me, &lot, ith_range_size(a->pass->mine) * n, 1);
        for (int64_t i = units.begin; i < units.end; i++)
            make_head(a, slice, (int)(i % n / n_run), i % n_run, n_q, i / n);
    }
}

static void append_unit(const ith_heads *a, const ith_head_slice *slice, int64_t head,
                        int64_t block)
{
    int64_t segment;
    int layer;
    ith_range tokens = block_tokens(a->pass, block, &segment);

    if (ith_kv_holds(ith_heads_kv(a, tokens.begin, &layer), (int)head, segment))
        for (int64_t t = tokens.begin; t < tokens.end; t++)
            a->form->put(a, head, t, a->ops->arrived(a, slice, t, head));
}

static void append(const ith_heads *a, const ith_head_slice *slice, ith_member *me)
{
    int64_t blocks = all_blocks(a->pass), n = blocks * ith_range_size(slice->heads);
    ith_lot lot = open_units(a->pass, me);

    while (ith_lot_next(me, &lot)) {
        ith_range units = ith_lot_range(me, &lot, n, 1);
        for (int64_t i = units.begin; i < units.end; i++)
            append_unit(a, slice, slice->heads.begin + i / blocks, i % blocks);
    }
}

/* ---- The two steps ---- */

/* Does this rank make all that it needs? */
static bool makes_all(const ith_pass *p)
{
    return p->comm->size == 1 || (p->way->all_tokens && p->mesh.context == 1);
}

void ith_heads_make(const ith_heads *a, const ith_head_slice *slice, ith_member *me)
{
    if (makes_all(a->pass))
        return;
    make(a, slice, me);
    ith_barrier(me);
    ith_pass_lap(a->pass, me, a->layer, ITH_LAP_REST);
    if (me->tid == 0)
        a->ops->send(a, slice);
    ith_pass_lap(a->pass, me, a->layer, ITH_LAP_EXCHANGE);
}

void ith_heads_take(const ith_heads *a, const ith_head_slice *slice, ith_member *me)
{
    const ith_probe *probe = a->pass->probe;

    if (me->tid == 0)
        ith_counter_reset(me); /* attention's; nobody counts until the barrier below */
    if (makes_all(a->pass)) {
        make_and_append(a, slice, me);
    } else {
        if (me->tid == 0)
            a->ops->receive(a, slice);
        ith_barrier(me);
        ith_pass_lap(a->pass, me, a->layer, ITH_LAP_EXCHANGE);
        if (ith_heads_make_kv(a))
            append(a, slice, me);
    }
    ith_barrier(me);
    if (ith_heads_make_kv(a) && probe != NULL && probe->keys != NULL &&
        slice->number == a->n_slices - 1)
        show_keys(a, me);
}

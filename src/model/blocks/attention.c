/* attention.c - the block of grouped-query attention: softmax(q k^T * scale) v with rotary
 * positions, a KV cache, and where the model has them biases, norms of heads, a window, and a soft
 * cap of the scores. */
#include "model/blocks/heads.h"
#include "model/blocks/reach.h"

#include <math.h>
#include <stdlib.h>

enum { STAGE_QKV, STAGE_O, STAGES };

static const ith_attention *weights_of(const ith_block *block)
{
    return block->weights;
}

/* ---- Weights ---- */

/* Heads of q, k and v that take turns: of a head its query, its key, its value. */
static ith_head_order in_turn(const ith_hparams *hp)
{
    return (ith_head_order){.head_dim = hp->head_dim, .stride = 3 * hp->head_dim};
}

static ith_status bind_biases(ith_binder *b, ith_block *block, int64_t q, int64_t kv,
                              ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;
    ith_attention *w = block->weights;
    ith_vector_want wq = {.role = ITH_ROLE_Q_BIAS, .n = q, .rotary = true},
                    wk = {.role = ITH_ROLE_K_BIAS, .n = kv, .rotary = true},
                    wv = {.role = ITH_ROLE_V_BIAS, .n = kv};

    wq.fused = wk.fused = wv.fused = ITH_ROLE_QKV_BIAS;
    wq.fused_n = wk.fused_n = wv.fused_n = q + 2 * kv;
    wk.first = q;
    wv.first = q + kv;
    if (b->model->arch->hf_qkv_in_turn && b->hf) {
        wq.form.order = wk.form.order = wv.form.order = in_turn(hp);
        wk.first = hp->head_dim;
        wv.first = 2 * hp->head_dim;
    }
    if (hp->qkv_bias)
        ITH_TRY(ith_bind_vector_as(b, &wq, &w->q_bias, err));
    if (hp->qkv_bias && w->k != NULL) {
        ITH_TRY(ith_bind_vector_as(b, &wk, &w->k_bias, err));
        ITH_TRY(ith_bind_vector_as(b, &wv, &w->v_bias, err));
    }
    return hp->o_bias ? ith_bind_vector(b, ITH_ROLE_O_BIAS, hp->hidden, &block->bias, err) : ITH_OK;
}

/* The norm of `heads` heads: one tensor, or one for each head. */
static ith_status bind_head_norm(ith_binder *b, ith_role role, ith_role of_head, int64_t heads,
                                 bool *each, const float ***out, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;
    int64_t d = ith_hparams_head_dim(hp, b->layer);
    ith_vector_want want = {.role = role, .n = heads * d, .rotary = true, .norm = true};
    char name[128];

    *each = hp->qk_norm == ITH_QK_NORM_HEADS && ith_bind_look(b, role, 0, name) == NULL &&
            ith_bind_look(b, of_head, 0, name) != NULL;
    *out = calloc(*each ? (size_t)heads : 1, sizeof **out);
    if (*out == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the table of norms");
    if (hp->qk_norm == ITH_QK_NORM_HEAD || *each)
        want.n = d;
    if (hp->qk_norm == ITH_QK_NORM_HEADS && !*each)
        want.rows = heads;
    if (!*each)
        return ith_bind_vector_as(b, &want, *out, err);
    want.role = of_head;
    for (; want.number < heads; want.number++)
        ITH_TRY(ith_bind_vector_as(b, &want, *out + want.number, err));
    return ITH_OK;
}

/* Keys that a token sees in a layer; 0: all before it. */
static int64_t window_of(const ith_hparams *hp, int64_t layer)
{
    return ith_hparams_traits(hp, layer) & ITH_LAYER_WINDOW ? hp->window : 0;
}

/* Has a layer keys and values of its own? */
static bool has_kv(const ith_hparams *hp, int64_t layer)
{
    return ith_hparams_kv_from(hp, layer) == layer;
}

/* Is a layer's value its key's projection? */
static bool keys_are_values(const ith_hparams *hp, int64_t layer)
{
    return hp->full.keys_are_values && !(ith_hparams_traits(hp, layer) & ITH_LAYER_WINDOW);
}

/* What distinguishes the layer from others. */
static void take_traits(const ith_binder *b, ith_attention *w)
{
    const ith_model *m = b->model;
    int32_t traits = ith_hparams_traits(&m->hp, b->layer);

    w->n_kv = ith_hparams_kv_heads(&m->hp, b->layer);
    w->d = ith_hparams_head_dim(&m->hp, b->layer);
    w->window = window_of(&m->hp, b->layer);
    w->rope = traits & ITH_LAYER_NO_ROPE       ? NULL
              : traits & ITH_LAYER_WINDOW_ROPE ? &m->window_rope
                                               : &m->rope;
}

/* Files have of each head the rows of q, then those of the gate, in one tensor. */
static ith_status bind_gate(ith_binder *b, ith_matrix_want *wq, const ith_matrix **gate,
                            ith_error *err)
{
    ith_matrix_want want = ith_want(ITH_ROLE_Q_GATE, wq->rows, wq->cols, STAGE_QKV);
    int64_t d = ith_hparams_head_dim(&b->model->hp, b->layer);

    want.heads = wq->heads;
    want.order = wq->order = (ith_head_order){.head_dim = d, .stride = 2 * d};
    want.fused_rows = wq->file_rows = 2 * wq->rows;
    want.fused = ITH_ROLE_Q;
    want.first_row = d;
    return ith_bind_matrix(b, &want, gate, err);
}

static ith_status bind(ith_binder *b, ith_block *block, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;
    int64_t h = hp->hidden, d = ith_hparams_head_dim(hp, b->layer), q = hp->n_heads * d,
            n_kv = ith_hparams_kv_heads(hp, b->layer), kv = n_kv * d;
    ith_matrix_want wq = ith_want(ITH_ROLE_Q, q, h, STAGE_QKV),
                    wk = ith_want(ITH_ROLE_K, kv, h, STAGE_QKV),
                    wv = ith_want(ITH_ROLE_V, kv, h, STAGE_QKV),
                    wo = ith_want(ITH_ROLE_O, h, q, STAGE_O);
    ith_attention *w = block->weights;

    wq.heads = hp->n_heads;
    wk.heads = wv.heads = n_kv;
    wq.rotary = wk.rotary = true;
    if (hp->attn_gate)
        ITH_TRY(bind_gate(b, &wq, &w->gate, err));
    wq.fused = wk.fused = wv.fused = ITH_ROLE_QKV;
    wq.fused_rows = wk.fused_rows = wv.fused_rows = q + 2 * kv;
    wk.first_row = q;
    wv.first_row = q + kv;
    if (b->model->arch->hf_qkv_in_turn && b->hf) {
        wq.order = wk.order = wv.order = in_turn(hp);
        wk.first_row = d;
        wv.first_row = 2 * d;
    }
    ITH_TRY(ith_bind_matrix(b, &wq, &w->q, err));
    if (has_kv(hp, b->layer))
        ITH_TRY(ith_bind_matrix(b, &wk, &w->k, err));
    if (has_kv(hp, b->layer) && !keys_are_values(hp, b->layer))
        ITH_TRY(ith_bind_matrix(b, &wv, &w->v, err));
    ITH_TRY(ith_bind_matrix(b, &wo, &w->o, err));
    take_traits(b, w);
    block->scale = hp->attn_out_scale == 1 ? 0 : (float)hp->attn_out_scale;
    ITH_TRY(bind_biases(b, block, q, kv, err));
    if (hp->sinks)
        ITH_TRY(ith_bind_vector(b, ITH_ROLE_SINKS, hp->n_heads, &w->sinks, err));
    if (hp->qk_norm == ITH_QK_NORM_NONE)
        return ITH_OK;
    ITH_TRY(bind_head_norm(b, ITH_ROLE_Q_NORM, ITH_ROLE_Q_HEAD_NORM, hp->n_heads, &w->norm_each,
                           &w->q_norm, err));
    if (!has_kv(hp, b->layer))
        return ITH_OK;
    return bind_head_norm(b, ITH_ROLE_K_NORM, ITH_ROLE_K_HEAD_NORM, n_kv, &w->norm_each, &w->k_norm,
                          err);
}

static void unbind(ith_block *block)
{
    ith_attention *w = block->weights;
    free(w->q_norm);
    free(w->k_norm);
}

static void each_matrix(const ith_hparams *hp, const ith_block *block, ith_use_fn see, void *user)
{
    const ith_attention *w = weights_of(block);
    const ith_matrix *const all[] = {w->q, w->k, w->v, w->o, w->gate};

    (void)hp;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] != NULL)
            see(user, &(ith_use){all[i], 1});
}

static int64_t n_vector_params(const ith_hparams *hp, const ith_block *block)
{
    const ith_attention *w = weights_of(block);
    int64_t kv = w->k != NULL ? w->n_kv : 0, heads = hp->n_heads + kv;
    static const bool wide[ITH_QK_NORMS] = {[ITH_QK_NORM_HEADS] = true, [ITH_QK_NORM_WHOLE] = true};

    return (hp->qkv_bias ? (heads + kv) * w->d : 0) + (hp->o_bias ? hp->hidden : 0) +
           (hp->sinks ? hp->n_heads : 0) +
           (hp->qk_norm == ITH_QK_NORM_NONE ? 0
                                            : (wide[hp->qk_norm] ? heads
                                               : kv > 0          ? 2
                                                                 : 1) *
                                                  w->d);
}

/* ---- State and workspace ---- */

static ith_layer_state state(const ith_hparams *hp, int layer)
{
    if (!has_kv(hp, layer))
        return (ith_layer_state){.form = ITH_STATE_NONE};
    return (ith_layer_state){.form = ITH_STATE_KV,
                             .heads = ith_hparams_kv_heads(hp, layer),
                             .head_dim = ith_hparams_head_dim(hp, layer),
                             .window = window_of(hp, layer)};
}

static ith_heads_shape shape_of(const ith_hparams *hp, int64_t layer, ith_kv_layout kv)
{
    int64_t d = ith_hparams_head_dim(hp, layer);
    return (ith_heads_shape){
        .kv = kv, .n_q = hp->n_heads, .n_kv = ith_hparams_kv_heads(hp, layer), .d = d, .dv = d};
}

static void needs(const ith_work_sizes *s, const ith_block *block, ith_work_needs *n)
{
    const ith_hparams *hp = &s->model->hp;
    const ith_attention *w = weights_of(block);
    const ith_heads_shape shape = {
        .kv = s->kv, .n_q = hp->n_heads, .n_kv = w->n_kv, .d = w->d, .dv = w->d};

    n->input_cols = ith_max(n->input_cols, hp->n_heads * w->d);
    ith_heads_needs(s, &shape, n);
}

/* Layers have one of two shapes: the first of each. Returns how many there are. */
static int shapes_of(const ith_hparams *hp, ith_kv_layout kv, ith_heads_shape shapes[2])
{
    int n = 1;

    shapes[0] = shape_of(hp, 0, kv);
    for (int64_t i = 1; i < hp->n_layers && n == 1; i++) {
        shapes[1] = shape_of(hp, i, kv);
        n += shapes[1].n_kv != shapes[0].n_kv || shapes[1].d != shapes[0].d;
    }
    return n;
}

static void request(ith_requests *r, const ith_work_sizes *s, void *work)
{
    const ith_hparams *hp = &s->model->hp;
    ith_heads_shape shapes[2];
    ith_heads_work *w = work;
    int n = shapes_of(hp, s->kv, shapes);
    int64_t T = s->T, d = ith_max(shapes[0].d, shapes[n - 1].d),
            kv = ith_max(shapes[0].n_kv * shapes[0].d, shapes[n - 1].n_kv * shapes[n - 1].d);

    /* Tiles of rows may stick out at both ends of a range. */
    w->ld_q = ith_round_up(hp->n_heads * d, ITH_TILE_ROWS) + 2 * ITH_TILE_ROWS;
    w->ld_kv = ith_round_up(kv, ITH_TILE_ROWS) + 2 * ITH_TILE_ROWS;
    ith_request(r, T * w->ld_q, sizeof(float), &w->q);
    ith_request(r, T * w->ld_kv, sizeof(float), &w->k);
    ith_request(r, T * w->ld_kv, sizeof(float), &w->v);
    if (hp->attn_gate)
        ith_request(r, T * w->ld_q, sizeof(float), &w->gate);
    for (int i = 0; i < (s->model->window_rope.half > 0 ? 2 : 1); i++) {
        ith_request(r, T * d / 2, sizeof(float), &w->cos[i]);
        ith_request(r, T * d / 2, sizeof(float), &w->sin[i]);
    }
    w->ld_sums = hp->n_heads + ith_max(shapes[0].n_kv, shapes[n - 1].n_kv);
    if (hp->qk_norm == ITH_QK_NORM_WHOLE)
        ith_request(r, T * w->ld_sums, sizeof(float), &w->sums);
    ith_heads_request(r, s, shapes, n, w);
}

/* ---- Traffic and costs ---- */

/* Attention's result travels as int8 groups: see ith_heads_are_groups. */
static ith_heads_traffic traffic_of(const ith_wire *w, int64_t layer)
{
    const ith_heads_shape shape = shape_of(w->hp, layer, w->kv);
    return (ith_heads_traffic){.wire = w,
                               .shape = shape,
                               .d_out = shape.d,
                               .groups =
                                   w->quantized && shape.d % ITH_GROUP == 0 && !w->hp->attn_gate,
                               .no_kv = !has_kv(w->hp, layer),
                               .window = window_of(w->hp, layer)};
}

static int64_t sends_by_tokens(const ith_wire *w, int layer, int64_t depth, int64_t n)
{
    const ith_heads_traffic traffic = traffic_of(w, layer);
    return ith_heads_sends_by_tokens(&traffic, depth, n);
}

static int64_t sends_by_rows(const ith_wire *w, int layer, int64_t n)
{
    const ith_heads_traffic traffic = traffic_of(w, layer);
    const ith_hparams *hp = w->hp;
    ith_range q = ith_mesh_own_heads(w->mesh, hp->n_heads, w->mesh->rank),
              kv = ith_mesh_own_heads(w->mesh, traffic.shape.n_kv, w->mesh->rank);
    int64_t sums = hp->qk_norm == ITH_QK_NORM_WHOLE
                       ? (ith_range_size(q) + ith_range_size(kv)) * (int64_t)sizeof(float)
                       : 0;
    return n * (w->mesh->ranks - 1) * (ith_heads_result_bytes(&traffic, ith_range_size(q)) + sums);
}

static int64_t exchange_most(const ith_wire *w, int layer, int64_t n)
{
    const ith_heads_traffic traffic = traffic_of(w, layer);
    return ith_heads_exchange_most(&traffic, n);
}

static int slices(const ith_wire *w, int layer, int64_t n, int wanted)
{
    const ith_heads_shape shape = shape_of(w->hp, layer, w->kv);
    const ith_mesh mesh = ith_mesh_for_heads(w->mesh, shape.n_kv);
    const ith_heads_slicing s = {.mesh = &mesh,
                                 .shape = shape,
                                 .heads = mesh.heads,
                                 .n = n,
                                 .whole = w->hp->qk_norm == ITH_QK_NORM_WHOLE};
    return ith_head_slices_of(&s, wanted);
}

/* Two products of head_dim for every query head. */
static double key_ops(const ith_hparams *hp, int layer)
{
    return 4 * (double)(ith_hparams_head_dim(hp, layer) * hp->n_heads);
}

/* Of the layers without a window, where there are such: they take the most time. */
static ith_key_tile key_tile(const ith_hparams *hp, const ith_caches *caches, ith_kv_layout kv,
                             int64_t n, int n_threads)
{
    ith_heads_shape shapes[2], shape;
    int last = shapes_of(hp, kv, shapes) - 1;

    shape = shapes[last > 0 && window_of(hp, 0) > 0 ? last : 0];
    return (ith_key_tile){.head_dim = shape.d,
                          .group = shape.n_q / shape.n_kv,
                          .tokens = ith_attend_tile(caches, &shape, n * hp->n_heads, n_threads)};
}

/* ---- Passes ---- */

static double scale_of(const ith_hparams *hp, int64_t d)
{
    return hp->attn_scale > 0 ? hp->attn_scale : 1 / sqrt((double)d);
}

static ith_heads_work *work_of(const ith_pass *p)
{
    return p->ws->of[ITH_BLOCK_attention];
}

/* Of layers that rotate by `rope`; long_rope: the frequencies of long timelines. */
static void make_angles(ith_pass *p, const ith_rope *rope, const ith_rope *long_rope, float *cos,
                        float *sin, ith_member *me)
{
    ith_range share = ith_my_share(me, ith_range_size(p->mine), 1);

    for (int64_t t = share.begin; t < share.end; t++) {
        int64_t in_span;
        const ith_span *s = ith_pass_span(p, ith_pass_token(p, t), &in_span);
        ith_rope_angles(s->is_long ? long_rope : rope, s->pos + in_span, cos + t * rope->half,
                        sin + t * rope->half);
    }
}

/* Rotary angles of my tokens. */
static void begin(ith_pass *p, ith_member *me)
{
    const ith_model *m = p->model;
    ith_heads_work *work = work_of(p);

    make_angles(p, &m->rope, &m->long_rope, work->cos[0], work->sin[0], me);
    if (m->window_rope.half > 0)
        make_angles(p, &m->window_rope, &m->window_rope, work->cos[1], work->sin[1], me);
}

static void project(ith_pass *p, ith_member *me, const ith_matrix *w, ith_range rows, float *out,
                    int64_t ld)
{
    ith_input in = ith_pass_input(p, w->cols);
    ith_linear(me, p->model, w, rows, &in, ith_range_size(p->mine), out, ld);
}

/* Heads `run` of the `all` that this rank projects, to where they lie among those. */
static void project_heads(const ith_heads *a, ith_member *me, const ith_matrix *w, ith_range all,
                          ith_range run, float *out, int64_t ld)
{
    ith_range rows = {run.begin * a->d, run.end * a->d};
    int64_t at = all.begin * a->d % ITH_TILE_ROWS + (run.begin - all.begin) * a->d;

    project(a->pass, me, w, rows, out + at - rows.begin % ITH_TILE_ROWS, ld);
    ith_pass_progress(a->pass, me);
}

static void project_qkv(const ith_heads *a, const ith_head_slice *slice, ith_member *me)
{
    ith_range q = a->ops->q_heads(a), kv = a->ops->kv_heads(a);
    ith_heads_work *work = a->work;

    for (int i = 0; i < ith_head_runs(a); i++) {
        ith_range q_run = ith_head_run(a, slice, q, a->group, i),
                  kv_run = ith_head_run(a, slice, kv, 1, i);
        project_heads(a, me, a->w->q, q, q_run, work->q, work->ld_q);
        if (a->w->gate != NULL)
            project_heads(a, me, a->w->gate, q, q_run, work->gate, work->ld_q);
        if (a->w->k != NULL)
            project_heads(a, me, a->w->k, kv, kv_run, work->k, work->ld_kv);
        if (a->w->v != NULL)
            project_heads(a, me, a->w->v, kv, kv_run, work->v, work->ld_kv);
    }
    ith_barrier(me);
}

/* Projections of all slices, the exchange of each under way behind the next one's. */
static void project_slices(const ith_heads *a, const ith_block *block, ith_member *me)
{
    const ith_attention *w = a->w;
    const ith_matrix *readers[4] = {w->q};
    int n = 1;

    if (w->k != NULL)
        readers[n++] = w->k;
    if (w->v != NULL)
        readers[n++] = w->v;
    if (w->gate != NULL)
        readers[n++] = w->gate;
    ith_pass_show(a->pass, readers, n, w->q->cols, false, me);
    ith_pass_enter(a->pass, a->layer, block, STAGE_QKV, NULL, me);
    for (int i = 0; i < a->n_slices; i++) {
        ith_head_slice slice = ith_head_slice_of(a, i);
        project_qkv(a, &slice, me);
        ith_pass_lap(a->pass, me, a->layer, ITH_LAP_PRODUCTS);
        if (a->pass->model->hp.qk_norm == ITH_QK_NORM_WHOLE)
            ith_heads_measure(a, me);
        ith_heads_make(a, &slice, me);
    }
    ith_pass_leave(a->pass, a->layer, block, STAGE_QKV, me);
}

static void attend_slices(const ith_heads *a, ith_member *me)
{
    for (int i = 0; i < a->n_slices; i++) {
        ith_head_slice slice = ith_head_slice_of(a, i);
        ith_heads_take(a, &slice, me);
        ith_pass_lap(a->pass, me, a->layer, ITH_LAP_REST);
        ith_attend(a, &slice, me);
        ith_pass_lap(a->pass, me, a->layer, ITH_LAP_ATTENTION);
        a->ops->send_back(a, &slice, me);
        ith_pass_lap(a->pass, me, a->layer, ITH_LAP_EXCHANGE);
    }
    a->ops->to_tokens(a, me);
    ith_pass_lap(a->pass, me, a->layer, ITH_LAP_EXCHANGE);
}

static void project_out(const ith_heads *a, const ith_block *block, ith_member *me)
{
    ith_pass *p = a->pass;
    const ith_matrix *o = a->w->o;

    ith_pass_show(p, &o, 1, o->cols, ith_heads_are_groups(a), me);
    ith_pass_enter(p, a->layer, block, STAGE_O, NULL, me);
    project(p, me, o, p->way->rows(p, o->rows), p->ws->y, p->ws->ld_y);
    ith_barrier(me);
    ith_pass_lap(p, me, a->layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, a->layer, block, STAGE_O, me);
}

static void run(ith_pass *p, int layer, const ith_block *block, ith_member *me)
{
    const double log2_e = 1.4426950408889634;
    const ith_hparams *hp = &p->model->hp;
    const ith_heads_shape shape = shape_of(hp, layer, p->kv);
    ith_heads a = ith_heads_open(p, layer, weights_of(block), &shape, work_of(p),
                                 (float)(log2_e * scale_of(hp, shape.d)));

    a.from = (int)ith_hparams_kv_from(hp, layer);
    project_slices(&a, block, me);
    attend_slices(&a, me);
    project_out(&a, block, me);
}

const ith_block_kind ith_block_attention = {
    .name = "attention",
    .n_stages = STAGES,
    .weight_bytes = sizeof(ith_attention),
    .bind = bind,
    .unbind = unbind,
    .each_matrix = each_matrix,
    .n_vector_params = n_vector_params,
    .state = state,
    .needs = needs,
    .work_bytes = sizeof(ith_heads_work),
    .request = request,
    .sends_by_tokens = sends_by_tokens,
    .sends_by_rows = sends_by_rows,
    .exchange_most = exchange_most,
    .slices = slices,
    .key_ops = key_ops,
    .key_tile = key_tile,
    .begin = begin,
    .run = run,
};

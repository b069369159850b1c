/* layer_inputs.c - the block of a layer's inputs (Gemma 3n): down(act(gate x) * e), where e is the
 * token's vector for the layer. The vectors of all layers are made before the first:
 *
 *     e = (norm(project(embedding) / sqrt(hidden)) + own * sqrt(size)) / sqrt(2)
 *
 * with `own` of a table of tokens, the norm over each layer's. In bits: the product is that of any
 * small matrix (ith_small_product), the rest the kernels scale, rmsnorm and add, in this order. */
#include "model/blocks/mlp.h"
#include "weights/layout.h"

#include <math.h>
#include <string.h>

/* Hidden h, size n. */
typedef struct inputs {
    ith_ffn ffn;        /* gate [n, h], down [h, n] */
    const float *scale; /* [h] x is multiplied by it before the gate reads it; NULL: it is not */
    /* Of the model; in the first layer's block: */
    const ith_matrix *table;   /* [vocabulary, layers * n] */
    const ith_matrix *project; /* [layers * n, h] */
    const float *norm;         /* [n] */
} inputs;

/* [T][ld]: the vectors of my tokens. */
typedef struct vectors {
    float *x;
    int64_t ld;
} vectors;

static int64_t all_layers(const ith_hparams *hp)
{
    return hp->n_layers * hp->layer_inputs.size;
}

/* ---- Weights ---- */

static ith_status bind(ith_binder *b, ith_block *block, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;
    const ith_layer_inputs *in = &hp->layer_inputs;
    const ith_mlp_form form = {.gate = ITH_ROLE_INPUT_GATE,
                               .up = ITH_ROLE_NONE,
                               .gate_up = ITH_ROLE_NONE,
                               .down = ITH_ROLE_INPUT_DOWN,
                               .width = in->size};
    const ith_vector_want norm = {.role = ITH_ROLE_INPUTS_NORM, .n = in->size, .norm = true};
    inputs *w = block->weights;

    ITH_TRY(ith_mlp_bind(b, &form, &w->ffn, err));
    if (hp->altup.scaled)
        ITH_TRY(ith_bind_vector(b, ITH_ROLE_STREAM_SCALE, hp->hidden, &w->scale, err));
    if (b->layer > 0)
        return ITH_OK;
    ITH_TRY(ith_bind_table(b, ITH_ROLE_INPUTS_EMBED, in->n_vocab, all_layers(hp), &w->table, err));
    ITH_TRY(ith_bind_whole_matrix(b, ITH_ROLE_INPUTS_PROJ, all_layers(hp), hp->hidden, &w->project,
                                  err));
    return ith_bind_vector_as(b, &norm, &w->norm, err);
}

static void each_matrix(const ith_hparams *hp, const ith_block *block, ith_use_fn see, void *user)
{
    const inputs *w = block->weights;

    (void)hp;
    ith_ffn_each_matrix(&w->ffn, 1, see, user);
    if (w->project != NULL)
        see(user, &(ith_use){w->project, 1});
}

/* The table's rows are not multiplied with. */
static int64_t n_vector_params(const ith_hparams *hp, const ith_block *block)
{
    const inputs *w = block->weights;
    int64_t scale = hp->altup.scaled ? hp->hidden : 0;
    return scale + (w->table == NULL ? 0 : hp->layer_inputs.size + w->table->rows * w->table->cols);
}

/* ---- Workspace and traffic ---- */

static void needs(const ith_work_sizes *s, const ith_block *block, ith_work_needs *n)
{
    const ith_hparams *hp = &s->model->hp;

    (void)block;
    ith_mlp_needs(s, hp->layer_inputs.size, n);
    n->scratch = ith_max(n->scratch, all_layers(hp)); /* a row of the table */
}

static void request(ith_requests *r, const ith_work_sizes *s, void *work)
{
    vectors *e = work;

    e->ld = ith_round_up(all_layers(&s->model->hp), ITH_TILE_ROWS);
    ith_request(r, s->T * e->ld, sizeof(float), &e->x);
}

static int64_t sends_by_rows(const ith_wire *wire, int layer, int64_t n)
{
    (void)layer;
    return ith_ffn_sends_by_rows(wire, wire->hp->layer_inputs.size, n);
}

/* ---- Passes ---- */

static void look_up(const ith_matrix *table, int64_t token, float *out)
{
    int64_t row = token < table->rows ? token : 0;

    ith_layout_unpack_row(table->layout, table->groups,
                          ith_matrix_tiles(table, row / ITH_TILE_ROWS), (int)(row % ITH_TILE_ROWS),
                          table->cols, out);
}

/* e of my token t, which is there as project(embedding). own: [layers * size] */
static void make(ith_pass *p, const inputs *w, int64_t t, float *e, float *own)
{
    const ith_model *m = p->model;
    const ith_kernels *kernels = m->kernels;
    const ith_norm norm = {.on = true, .w = w->norm};
    int64_t size = m->hp.layer_inputs.size, n = all_layers(&m->hp);

    look_up(w->table, p->ids[ith_pass_token(p, t)], own);
    kernels->scale(n, e, (float)(1 / sqrt((double)m->hp.hidden)));
    for (int64_t i = 0; i < n; i += size)
        ith_norm_output(p, &norm, size, e + i, ith_pass_place(0, 0));
    kernels->scale(n, own, (float)sqrt((double)size));
    kernels->add(n, e, own);
    kernels->scale(n, e, (float)sqrt(0.5));
}

/* The vectors of my tokens, whose embeddings each member has put into x. */
static void begin(ith_pass *p, ith_member *me)
{
    const ith_norm none = {.on = false};
    const inputs *w = ith_block_weights(p->model, 0, ITH_BLOCK_layer_inputs);
    const vectors *e = p->ws->of[ITH_BLOCK_layer_inputs];
    ith_range mine = ith_my_share(me, ith_range_size(p->mine), 1);

    for (int64_t t = mine.begin; t < mine.end; t++)
        ith_normalize_token(p, p->ws->x + t * p->model->hp.hidden, &none, t, ith_pass_place(0, 0));
    ith_barrier(me);
    ith_small_product(p, w->project, e->x, e->ld, me);
    for (int64_t t = mine.begin; t < mine.end; t++)
        make(p, w, t, e->x + t * e->ld, p->ws->scratch[me->tid]);
}

static void run(ith_pass *p, int layer, const ith_block *block, ith_member *me)
{
    const inputs *w = block->weights;
    const vectors *e = p->ws->of[ITH_BLOCK_layer_inputs];
    int64_t hidden = p->model->hp.hidden;
    ith_range mine = ith_my_share(me, ith_range_size(p->mine), 1);
    ith_ffn ffn = w->ffn;

    for (int64_t t = mine.begin; w->scale != NULL && t < mine.end; t++)
        p->model->kernels->mul(hidden, p->ws->h + t * p->ws->ld, w->scale);
    if (w->scale != NULL)
        ith_quantize_h(p, me, hidden);
    ffn.given = e->x + layer * p->model->hp.layer_inputs.size;
    ffn.ld_given = e->ld;
    ith_mlp_run(p, layer, block, &ffn, me);
}

const ith_block_kind ith_block_layer_inputs = {
    .name = "layer_inputs",
    .n_stages = ITH_MLP_STAGES,
    .weight_bytes = sizeof(inputs),
    .bind = bind,
    .each_matrix = each_matrix,
    .n_vector_params = n_vector_params,
    .needs = needs,
    .work_bytes = sizeof(vectors),
    .request = request,
    .sends_by_rows = sends_by_rows,
    .begin = begin,
    .run = run,
};

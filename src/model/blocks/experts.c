/* experts.c - the block of a mixture of experts; see experts.h. */
#include "model/blocks/experts.h"

#include "model/blocking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STAGE_GATE_UP, STAGE_DOWN, STAGES };

static ith_routes *routes_of(const ith_pass *p)
{
    return p->ws->of[ITH_BLOCK_experts];
}

/* ---- Weights ---- */

/* A role of which there is one for each expert, and how the tensors that hold that of all experts
 * are named and cut. */
typedef struct expert_role {
    ith_role one;
    ith_role all; /* [experts][rows][cols] */
    int of_two;   /* 0, 1: its half of each expert in ITH_ROLE_EXPERTS_GATE_UP; -1: not there */
    int stage;
} expert_role;

static const expert_role gate_role = {ITH_ROLE_EXPERT_GATE, ITH_ROLE_EXPERTS_GATE, 0,
                                      STAGE_GATE_UP},
                         up_role = {ITH_ROLE_EXPERT_UP, ITH_ROLE_EXPERTS_UP, 1, STAGE_GATE_UP},
                         down_role = {ITH_ROLE_EXPERT_DOWN, ITH_ROLE_EXPERTS_DOWN, -1, STAGE_DOWN};

/* Are the matrices of the tensor transposed? */
static bool is_turned(const ith_binder *b, const ith_tensor *t, int64_t cols)
{
    if (!b->hf || t == NULL || t->quantized != NULL)
        return false;
    if (b->model->arch->hf_experts_either)
        return t->n_dims == 3 && t->dims[1] == cols && t->dims[2] != cols;
    return b->model->arch->hf_experts_turned;
}

/* The tensor that holds that of all experts, and where expert `e` has its rows. */
static const ith_tensor *look_for_stack(const ith_binder *b, const expert_role *role, int e,
                                        int64_t rows, int64_t cols, ith_stack *stack,
                                        char name[128])
{
    int64_t n = b->model->hp.experts.n;
    char both[128];

    bool in_turn = b->hf && b->model->arch->hf_gate_up_in_turn;
    const ith_tensor *t = ith_bind_look(b, role->all, 0, name);

    *stack = (ith_stack){.dims = {n, rows}, .first_row = e * rows, .row_step = 1};
    if (t == NULL && role->of_two >= 0) {
        t = ith_bind_look(b, ITH_ROLE_EXPERTS_GATE_UP, 0, both);
        stack->dims[1] = 2 * rows;
        stack->first_row = 2 * e * rows + role->of_two * (in_turn ? 1 : rows);
        stack->row_step = in_turn ? 2 : 1;
    }
    stack->tensor = t;
    stack->turned = is_turned(b, t, cols);
    return t;
}

/* `reads`: a matrix with the same input, or NULL. */
static ith_status bind_role(const ith_binder *b, const expert_role *role, int e, int64_t rows,
                            int64_t cols, const ith_matrix *reads, const ith_matrix **out,
                            ith_error *err)
{
    char name[128], other[128];
    const ith_tensor *tensor = ith_bind_look(b, role->one, e, name);
    bool stacked = tensor == NULL;
    ith_stack stack;
    ith_entry *entry;
    ith_layout layout;

    if (stacked)
        tensor = look_for_stack(b, role, e, rows, cols, &stack, other);
    if (tensor == NULL)
        return ith_bind_missing(b, name[0] != '\0' ? name : other, err);
    ith_bind_name(b, role->one, e, name);
    layout = ith_bind_layout(b, tensor);
    if (stacked)
        ITH_TRY(ith_load_plan_stacked(b->plan, name, &stack, rows, cols, layout, out, err));
    else
        ITH_TRY(ith_load_plan_matrix(b->plan, name, tensor, rows, cols, layout, out, err));
    entry = ith_load_plan_entry(b->plan, *out);
    entry->stage = b->first_stage + role->stage;
    entry->expert = e;
    entry->reads = reads;
    return ITH_OK;
}

/* A pass treats all experts of a block alike. */
static ith_status check_alike(const ith_binder *b, const ith_ffn *ffn, int e, ith_error *err)
{
    const ith_ffn *first = &ffn[0], *other = &ffn[e];

    if ((first->gate == NULL || other->gate->layout == first->gate->layout) &&
        other->up->layout == first->up->layout && other->down->layout == first->down->layout)
        return ITH_OK;
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: %s is of another type than expert 0's: Ithaca wants them alike",
                    ith_source_path(b->source), other->up->name);
}

/* The biases of gate or up: a tensor of their own, or every other number of one for both. */
static ith_status bind_half(const ith_binder *b, ith_role role, int64_t of_two, const float **out,
                            ith_error *err)
{
    const ith_experts_params *e = &b->model->hp.experts;
    const ith_vector_want want = {.role = role,
                                  .n = e->n * e->ffn,
                                  .rows = e->n,
                                  .fused = ITH_ROLE_EXPERTS_GATE_UP_BIAS,
                                  .fused_n = 2 * e->n * e->ffn,
                                  .first = of_two,
                                  .step = 2};

    return ith_bind_vector_as(b, &want, out, err);
}

static ith_status bind_biases(const ith_binder *b, ith_experts *w, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;
    int64_t n = hp->experts.n;
    const ith_vector_want down = {
        .role = ITH_ROLE_EXPERTS_DOWN_BIAS, .n = n * hp->hidden, .rows = n};

    if (hp->experts.router.bias)
        ITH_TRY(ith_bind_vector(b, ITH_ROLE_ROUTER_BIAS, n, &w->router_bias, err));
    if (hp->experts.router.choice_bias)
        ITH_TRY(ith_bind_vector(b, ITH_ROLE_CHOICE_BIAS, n, &w->choice_bias, err));
    if (!hp->experts.bias)
        return ITH_OK;
    ITH_TRY(bind_half(b, ITH_ROLE_EXPERTS_GATE_BIAS, 0, &w->gate_bias, err));
    ITH_TRY(bind_half(b, ITH_ROLE_EXPERTS_UP_BIAS, 1, &w->up_bias, err));
    return ith_bind_vector_as(b, &down, &w->down_bias, err);
}

/* A matrix with the same input as all gates and ups: the router, or the first gate. */
static const ith_matrix *reader_like(const ith_hparams *hp, const ith_experts *w)
{
    return hp->experts.router.apart ? w->ffn[0].gate : w->router;
}

static ith_status bind_apart(const ith_binder *b, ith_experts *w, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;

    if (!hp->experts.router.apart)
        return ITH_OK;
    ITH_TRY(ith_bind_norm(b, ITH_ROLE_EXPERTS_NORM, ITH_ROLE_NONE, hp->hidden, &w->norm, err));
    return ith_bind_vector(b, ITH_ROLE_EXPERT_SCALES, hp->experts.n, &w->scales, err);
}

static ith_status bind(ith_binder *b, ith_block *block, ith_error *err)
{
    const ith_hparams *hp = &b->model->hp;
    int64_t n = hp->experts.n, h = hp->hidden, f = hp->experts.ffn;
    ith_experts *w = block->weights;

    w->ffn = calloc((size_t)n, sizeof *w->ffn);
    if (w->ffn == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for %lld experts", (long long)n);
    ITH_TRY(ith_bind_whole_matrix(b, ITH_ROLE_ROUTER, n, h, &w->router, err));
    ITH_TRY(bind_biases(b, w, err));
    ITH_TRY(bind_apart(b, w, err));
    for (int e = 0; e < n; e++) {
        if (!hp->ungated)
            ITH_TRY(bind_role(b, &gate_role, e, f, h, reader_like(hp, w), &w->ffn[e].gate, err));
        ITH_TRY(bind_role(b, &up_role, e, f, h, reader_like(hp, w), &w->ffn[e].up, err));
    }
    for (int e = 0; e < n; e++) {
        ITH_TRY(bind_role(b, &down_role, e, h, f, NULL, &w->ffn[e].down, err));
        ITH_TRY(check_alike(b, w->ffn, e, err));
    }
    return ITH_OK;
}

static void unbind(ith_block *block)
{
    free(((ith_experts *)block->weights)->ffn);
}

static int64_t n_vector_params(const ith_hparams *hp, const ith_block *block)
{
    const ith_router_params *router = &hp->experts.router;

    (void)block;
    return (router->bias + router->choice_bias + router->apart +
            (hp->experts.bias ? 2 * hp->experts.ffn + hp->hidden : 0)) *
               hp->experts.n +
           (router->apart ? hp->hidden : 0);
}

static void each_matrix(const ith_hparams *hp, const ith_block *block, ith_use_fn see, void *user)
{
    const ith_experts *w = block->weights;
    double share = (double)hp->experts.used / (double)hp->experts.n;

    see(user, &(ith_use){w->router, 1});
    for (int64_t e = 0; e < hp->experts.n; e++)
        ith_ffn_each_matrix(&w->ffn[e], share, see, user);
}

/* ---- Traffic ---- */

static int64_t sends_by_rows(const ith_wire *wire, int layer, int64_t n)
{
    const ith_experts_params *experts = &wire->hp->experts;

    (void)layer;
    return ith_ffn_sends_by_rows(wire, experts->ffn, n * experts->used);
}
/* ---- Scratch of a member: products, then the gathered activations of a block of tokens ---- */

/* Floats that a token's activations take in the forms that the model's matrices want. */
static int64_t gathered_floats(const ith_model *model)
{
    int64_t cols = ith_round_up(model->hp.hidden, ITH_GROUP), per_group = 7; /* scales to half128 */
    return (model->quantized ? cols / 4 + cols / ITH_GROUP * per_group : 0) +
           (model->floats ? cols : 0);
}

static int64_t scratch_floats(const ith_model *model)
{
    return ith_ffn_scratch(&model->caches) + ITH_PANEL_TOKENS * gathered_floats(model);
}

static void needs(const ith_work_sizes *s, const ith_block *block, ith_work_needs *n)
{
    const ith_experts_params *e = &s->model->hp.experts;

    (void)block;
    n->mid_values = ith_max(n->mid_values, e->used * ith_round_up(e->ffn, ITH_GROUP));
    n->scratch = ith_max(n->scratch, scratch_floats(s->model));
}

static void request(ith_requests *r, const ith_work_sizes *s, void *work)
{
    const ith_experts_params *e = &s->model->hp.experts;
    ith_routes *routes = work;

    routes->ld = ith_round_up(e->n, ITH_TILE_ROWS);
    ith_request(r, s->T * routes->ld, sizeof(float), &routes->logits);
    ith_request(r, s->limits.n_threads * routes->ld, sizeof(float), &routes->scores);
    ith_request(r, s->T * e->used, sizeof(int32_t), &routes->chosen);
    ith_request(r, s->T * e->used, sizeof(float), &routes->weights);
    ith_request(r, e->n + 1, sizeof(int64_t), &routes->first);
    ith_request(r, e->n + 1, sizeof(int64_t), &routes->costs);
    ith_request(r, e->n, sizeof(bool), &routes->chosen_by_any);
    ith_request(r, s->T * e->used, sizeof(int32_t), &routes->token);
    ith_request(r, s->T * e->used, sizeof(float), &routes->weight);
}

/* Room for n tokens of `groups` groups at *at, which moves behind it. */
static ith_acts acts_at(float **at, int64_t n, int64_t groups)
{
    float *f = *at;
    int64_t each = n * groups;
    ith_acts acts = {.scales = f, .shifts = f + each, .sums = f + 2 * each, .groups = groups};

    acts.start8 = (int32_t *)(void *)(f + 3 * each);
    acts.start128 = (int32_t *)(void *)(f + 4 * each);
    acts.half128 = (int32_t *)(void *)(f + 5 * each);
    acts.quants = (int8_t *)(void *)(f + 7 * each);
    *at = f + 7 * each + each * ITH_GROUP / (int64_t)sizeof(float);
    return acts;
}

/* The n tokens of `in` that are listed, as neighbours: the first is token *t of the result. Copied
 * to scratch, unless they are neighbours. */
static ith_input gather(const ith_model *model, const ith_input *in, const int32_t *tokens,
                        int64_t n, float *scratch, int64_t *t)
{
    ith_input out = *in;
    float *x = scratch;

    *t = tokens[0];
    if (tokens[n - 1] - tokens[0] == n - 1)
        return out;
    *t = 0;
    if (model->quantized) {
        out.acts = acts_at(&x, n, in->acts.groups);
        for (int64_t i = 0; i < n; i++)
            ith_acts_copy(&in->acts, tokens[i], &out.acts, i);
    }
    if (model->floats) {
        out.x = x;
        out.ld = in->acts.groups * ITH_GROUP;
        for (int64_t i = 0; i < n; i++)
            memcpy(x + i * out.ld, in->x + tokens[i] * in->ld,
                   (size_t)model->hp.hidden * sizeof *x);
    }
    return out;
}

/* ---- Gate and up ---- */

/* The intermediate, a row for each assignment. */
static ith_input mid_of(const ith_pass *p)
{
    ith_input mid = ith_pass_mid(p, p->model->hp.experts.ffn);
    mid.ld = mid.acts.groups * ITH_GROUP;
    return mid;
}

/* An expert of width f. */
static ith_ffn with_biases(const ith_experts *w, int64_t expert, int64_t f)
{
    ith_ffn ffn = w->ffn[expert];

    if (w->gate_bias != NULL)
        ffn.gate_bias = w->gate_bias + expert * f;
    if (w->up_bias != NULL)
        ffn.up_bias = w->up_bias + expert * f;
    return ffn;
}

/* Rows `rows` of an expert for its assignments. */
static void expert_rows(ith_pass *p, const ith_experts *all, int64_t expert, ith_range rows,
                        float *scratch)
{
    const ith_model *m = p->model;
    const ith_ffn ffn = with_biases(all, expert, m->hp.experts.ffn), *w = &ffn;
    int64_t first = routes_of(p)->first[expert], end = routes_of(p)->first[expert + 1];
    ith_input in = ith_pass_input(p, w->up->cols), mid = mid_of(p);

    for (int64_t a = first, n, t; a < end; a += n) {
        n = ith_linear_block(m, w->up, end - a);
        ith_input block =
            gather(m, &in, routes_of(p)->token + a, n, scratch + ith_ffn_scratch(&m->caches), &t);
        int64_t width = ith_block_rows(&m->caches, n);
        for (int64_t r = rows.begin; r < rows.end; r += width) {
            ith_range some = {r, r + width < rows.end ? r + width : rows.end};
            ith_ffn_block(p, w, some, &block, t, n, &mid, a, scratch);
        }
    }
}

/* Task `task` of `tasks` of the pass's rows `rows` of all experts' gate and up. */
static void gate_up_task(ith_pass *p, const ith_experts *w, ith_range rows, ith_deal deal,
                         int tasks, int task, float *scratch)
{
    const ith_routes *routes = routes_of(p);
    int64_t n = p->model->hp.experts.n, groups = (ith_range_size(rows) + ITH_GROUP - 1) / ITH_GROUP;

    for (int64_t e = 0; e < n; e++) {
        ith_range share = ith_experts_share(routes, n, e, groups, deal, tasks, task);
        int64_t begin = rows.begin + share.begin * ITH_GROUP,
                end = rows.begin + share.end * ITH_GROUP;
        if (share.begin < share.end)
            expert_rows(p, w, e, (ith_range){begin, end < rows.end ? end : rows.end}, scratch);
    }
}

/* A member's share is cut as the whole is. */
static void gate_up(ith_pass *p, const ith_experts *w, ith_range rows, ith_member *me)
{
    bool help = ith_help_with(ith_range_size(p->mine));
    int tasks = help ? ITH_SHARE_TASKS : 1;
    ith_deal deal = ith_range_size(p->mine) <= ITH_DECODE_TOKENS ? ITH_BY_ROWS : ITH_BY_EXPERTS;
    ith_lot lot = ith_lot_open(me, tasks, help);

    while (ith_lot_next(me, &lot))
        gate_up_task(p, w, rows, deal, me->n_threads * tasks, lot.share * tasks + (int)lot.task,
                     p->ws->scratch[me->tid]);
    ith_barrier(me);
}

/* ---- Down ---- */

/* Tiles `tiles` of an expert's down for assignments [a, a + n), with its bias, weighed and added to
 * their tokens' y at column `at`. */
static void add_expert(ith_pass *p, const ith_matrix *down, const float *bias, ith_range tiles,
                       int64_t at, int64_t a, int64_t n, float *scratch)
{
    const ith_kernels *kernels = p->model->kernels;
    const ith_routes *routes = routes_of(p);
    ith_input mid = mid_of(p);
    int64_t ld = ith_range_size(tiles) * ITH_TILE_ROWS, first = tiles.begin * ITH_TILE_ROWS,
            rows = down->rows - first < ld ? down->rows - first : ld;

    ith_linear_tiles(kernels, down, tiles, &mid, a, n, scratch, ld);
    for (int64_t i = 0; bias != NULL && i < n; i++)
        kernels->add(rows, scratch + i * ld, bias + first);
    for (int64_t i = 0; i < n; i++)
        kernels->add_scaled(ld, p->ws->y + routes->token[a + i] * p->ws->ld_y + at,
                            routes->weight[a + i], scratch + i * ld);
}

/* Tiles `tiles` of those that begin with `first`: of every expert, ascending. */
static void down_tiles(ith_pass *p, const ith_experts *w, int64_t first, ith_range tiles,
                       float *scratch)
{
    const ith_routes *routes = routes_of(p);
    int64_t at = tiles.begin * ITH_TILE_ROWS, size = ith_range_size(tiles) * ITH_TILE_ROWS;

    for (int64_t t = 0; t < ith_range_size(p->mine); t++)
        memset(p->ws->y + t * p->ws->ld_y + at, 0, (size_t)size * sizeof *p->ws->y);
    for (int64_t e = 0; e < p->model->hp.experts.n && size > 0; e++) {
        const ith_matrix *matrix = w->ffn[e].down;
        const float *bias = w->down_bias != NULL ? w->down_bias + e * matrix->rows : NULL;
        for (int64_t a = routes->first[e], end = routes->first[e + 1], n; a < end; a += n) {
            n = ith_linear_block(p->model, matrix, end - a);
            int64_t width = ith_block_rows(&p->model->caches, n) / ITH_TILE_ROWS;
            for (int64_t i = tiles.begin; i < tiles.end; i += width) {
                int64_t stop = i + width < tiles.end ? i + width : tiles.end;
                add_expert(p, matrix, bias, (ith_range){first + i, first + stop}, i * ITH_TILE_ROWS,
                           a, n, scratch);
            }
        }
    }
}

/* The pass's rows `rows`, which begin with a tile. A rank may have none. */
static void down(ith_pass *p, const ith_experts *w, ith_range rows, ith_member *me)
{
    ith_range all = ith_tiles_of(rows);
    int64_t n = ith_range_size(all);
    bool help = ith_help_with(ith_range_size(p->mine));
    ith_lot lot = ith_lot_open(
        me, help ? ith_tile_runs((n + me->n_threads - 1) / me->n_threads, 1) : 1, help);

    while (ith_lot_next(me, &lot))
        down_tiles(p, w, all.begin, ith_lot_range(me, &lot, n, 1), p->ws->scratch[me->tid]);
    ith_barrier(me);
}

/* ---- Weights that come when they are chosen ---- */

/* A pass that probably goes to more than this share of a layer's experts has all of them fetched
 * ahead, behind the layers before it, rather than those that it waits for. Up to it are tokens of
 * an answer, also several that were guessed: 17 of Qwen3's 8 of 128. */
static const double FEW = 2.0 / 3;

/* Every rank has to know all that are chosen: tokens that are shared out are routed where they
 * are. */
static bool chooses(const ith_pass *p)
{
    const ith_experts_params *experts = &p->model->hp.experts;
    double missed = 1, each;

    if (experts->n == 0 || !(p->way->all_tokens || p->comm->size == 1))
        return false;
    each = 1 - (double)experts->used / (double)experts->n;
    for (int64_t t = 0; t < p->n && missed >= 1 - FEW; t++)
        missed *= each;
    return missed >= 1 - FEW;
}

/* ith_pass_enter, once it is known which experts the pass goes to. */
static void enter(const ith_pass *p, int layer, const ith_block *block, int stage, ith_member *me)
{
    const ith_routes *r = routes_of(p);

    for (int64_t e = 0; me->tid == 0 && e < p->model->hp.experts.n; e++)
        r->chosen_by_any[e] = r->first[e + 1] > r->first[e];
    ith_pass_enter(p, layer, block, stage, r->chosen_by_any, me);
}

/* ---- Passes ---- */

/* The intermediate, expert by expert. */
static void show_mid(ith_pass *p, const ith_experts *w, ith_member *me)
{
    const ith_routes *routes = routes_of(p);
    ith_input mid = mid_of(p);

    for (int64_t e = 0; e < p->model->hp.experts.n; e++) {
        const ith_matrix *down = w->ffn[e].down;
        int64_t first = routes->first[e];
        bool groups = ith_layout_is_quantized(down->layout);
        ith_seen seen = {.tokens = routes->first[e + 1] - first,
                         .cols = p->model->hp.experts.ffn,
                         .x = groups ? NULL : p->ws->mid + first * mid.ld,
                         .ld = mid.ld,
                         .acts = ith_acts_at(&mid.acts, first)};
        if (seen.tokens > 0)
            p->probe->reads(p->probe->user, &down, 1, &seen, me);
    }
}

/* What the experts read, where that is not what the router has read. Ends with a barrier. */
static void normalize_apart(ith_pass *p, const ith_experts *w, ith_member *me)
{
    ith_range mine = ith_my_share(me, ith_range_size(p->mine), 1);

    for (int64_t t = mine.begin; t < mine.end; t++)
        ith_normalize_token(p, p->ws->x + t * p->model->hp.hidden, &w->norm, t, p->place - 1);
    ith_barrier(me);
    ith_pass_show(p, (const ith_matrix *const[]){w->ffn[0].gate}, 1, p->model->hp.hidden, false,
                  me);
}

static void run(ith_pass *p, int layer, const ith_block *block, ith_member *me)
{
    const ith_experts *w = block->weights;
    const ith_hparams *hp = &p->model->hp;
    int64_t assignments = ith_range_size(p->mine) * hp->experts.used;
    ith_input mid = mid_of(p);

    ith_pass_show(p, &w->router, 1, hp->hidden, false, me);
    ith_route(p, w, routes_of(p), me);
    if (w->norm.on)
        normalize_apart(p, w, me);
    ith_pass_lap(p, me, layer, ITH_LAP_PRODUCTS);
    enter(p, layer, block, STAGE_GATE_UP, me);
    gate_up(p, w, p->way->rows(p, hp->experts.ffn), me);
    ith_pass_lap(p, me, layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, layer, block, STAGE_GATE_UP, me);
    if (p->comm->size > 1) {
        p->way->gather_mid(p, me, &mid, assignments, w->ffn[0].down);
        ith_pass_lap(p, me, layer, ITH_LAP_EXCHANGE);
    }
    if (p->probe != NULL && p->probe->reads != NULL)
        show_mid(p, w, me);
    enter(p, layer, block, STAGE_DOWN, me);
    down(p, w, p->way->rows(p, hp->hidden), me);
    ith_pass_lap(p, me, layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, layer, block, STAGE_DOWN, me);
}

const ith_block_kind ith_block_experts = {
    .name = "experts",
    .n_stages = STAGES,
    .weight_bytes = sizeof(ith_experts),
    .bind = bind,
    .unbind = unbind,
    .each_matrix = each_matrix,
    .n_vector_params = n_vector_params,
    .needs = needs,
    .work_bytes = sizeof(ith_routes),
    .request = request,
    .sends_by_rows = sends_by_rows,
    .chooses = chooses,
    .run = run,
};

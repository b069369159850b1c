#include "model/experts.h"

#include "model/blocking.h"

#include <string.h>

/* ---- Scratch of a member: products, then the activations of a block of tokens, side by side ---- */

/* Floats that a token's activations take in the forms that the model's matrices want. */
static int64_t gathered_floats(const ith_model *model)
{
    int64_t cols = ith_round_up(model->hp.hidden, ITH_GROUP), per_group = 5; /* scales to start128 */
    return (model->quantized ? cols / 4 + cols / ITH_GROUP * per_group : 0) + (model->floats ? cols : 0);
}

int64_t ith_experts_scratch(const ith_model *model)
{
    return ith_mlp_scratch(model) + ITH_PANEL_TOKENS * gathered_floats(model);
}

/* Room for n tokens of `groups` groups at *at, which moves behind it. */
static ith_acts acts_at(float **at, int64_t n, int64_t groups)
{
    float *f = *at;
    int64_t each = n * groups;
    ith_acts acts = {.scales = f, .shifts = f + each, .sums = f + 2 * each, .groups = groups};

    acts.start8 = (int32_t *)(void *)(f + 3 * each);
    acts.start128 = (int32_t *)(void *)(f + 4 * each);
    acts.quants = (int8_t *)(void *)(f + 5 * each);
    *at = f + 5 * each + each * ITH_GROUP / (int64_t)sizeof(float);
    return acts;
}

/* The n tokens of `in` that are listed, as neighbours: the first is token *t of the result. Copied to scratch, unless they are neighbours. */
static ith_input gather(const ith_model *model, const ith_input *in, const int32_t *tokens, int64_t n, float *scratch,
                        int64_t *t)
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
            memcpy(x + i * out.ld, in->x + tokens[i] * in->ld, (size_t)model->hp.hidden * sizeof *x);
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

/* Rows `rows` of an expert for its assignments [first, end). */
static void expert_rows(ith_pass *p, const ith_ffn *w, ith_range rows, int64_t first, int64_t end, float *scratch)
{
    const ith_model *m = p->model;
    ith_input in = ith_pass_input(p, w->gate->cols), mid = mid_of(p);

    for (int64_t a = first, n, t; a < end; a += n) {
        n = ith_linear_block(m, w->gate, end - a);
        ith_input block = gather(m, &in, p->ws->routes.token + a, n, scratch + ith_mlp_scratch(m), &t);
        int64_t width = ith_block_rows(&m->caches, n);
        for (int64_t r = rows.begin; r < rows.end; r += width) {
            ith_range some = {r, r + width < rows.end ? r + width : rows.end};
            ith_mlp_block(p, w, some, &block, t, n, &mid, a, scratch);
        }
    }
}

/* Part `part` of `parts` of the pass's rows `rows` of all experts' gate and up. */
static void gate_up_part(ith_pass *p, const ith_layer *w, ith_range rows, ith_deal deal, int parts, int part,
                         float *scratch)
{
    const ith_routes *routes = &p->ws->routes;
    int64_t n = p->model->hp.experts.n, groups = (ith_range_size(rows) + ITH_GROUP - 1) / ITH_GROUP;

    for (int64_t e = 0; e < n; e++) {
        ith_range share = ith_experts_share(routes, n, e, groups, deal, parts, part);
        int64_t begin = rows.begin + share.begin * ITH_GROUP, end = rows.begin + share.end * ITH_GROUP;
        if (share.begin < share.end)
            expert_rows(p, &w->experts[e], (ith_range){begin, end < rows.end ? end : rows.end}, routes->first[e],
                        routes->first[e + 1], scratch);
    }
}

/* A member's share is cut as the whole is. */
static void gate_up(ith_pass *p, const ith_layer *w, ith_range rows, ith_member *me)
{
    bool help = ith_help_with(ith_range_size(p->mine));
    int pieces = help ? ITH_PIECES : 1;
    ith_deal deal = ith_range_size(p->mine) <= ITH_DECODE_TOKENS ? ITH_BY_ROWS : ITH_BY_EXPERTS;
    ith_lot lot = ith_lot_open(me, pieces, help);

    while (ith_lot_next(me, &lot))
        gate_up_part(p, w, rows, deal, me->n_threads * pieces, lot.share * pieces + (int)lot.piece,
                     p->ws->scratch[me->tid]);
    ith_barrier(me);
}

/* ---- Down ---- */

/* Tiles `tiles` of an expert's down for assignments [a, a + n), weighed and added to their tokens' y at column `at`. */
static void add_expert(ith_pass *p, const ith_matrix *down, ith_range tiles, int64_t at, int64_t a, int64_t n,
                       float *scratch)
{
    const ith_kernels *kernels = p->model->kernels;
    const ith_routes *routes = &p->ws->routes;
    ith_input mid = mid_of(p);
    int64_t ld = ith_range_size(tiles) * ITH_TILE_ROWS;

    ith_linear_tiles(kernels, down, tiles, &mid, a, n, scratch, ld);
    for (int64_t i = 0; i < n; i++)
        kernels->add_scaled(ld, p->ws->y + routes->token[a + i] * p->ws->ld_y + at, routes->weight[a + i],
                            scratch + i * ld);
}

/* Tiles `tiles` of those that begin with `first`: of every expert, ascending. */
static void down_tiles(ith_pass *p, const ith_layer *w, int64_t first, ith_range tiles, float *scratch)
{
    const ith_routes *routes = &p->ws->routes;
    int64_t at = tiles.begin * ITH_TILE_ROWS, size = ith_range_size(tiles) * ITH_TILE_ROWS;

    for (int64_t t = 0; t < ith_range_size(p->mine); t++)
        memset(p->ws->y + t * p->ws->ld_y + at, 0, (size_t)size * sizeof *p->ws->y);
    for (int64_t e = 0; e < p->model->hp.experts.n && size > 0; e++) {
        const ith_matrix *matrix = w->experts[e].down;
        for (int64_t a = routes->first[e], end = routes->first[e + 1], n; a < end; a += n) {
            n = ith_linear_block(p->model, matrix, end - a);
            int64_t width = ith_block_rows(&p->model->caches, n) / ITH_TILE_ROWS;
            for (int64_t i = tiles.begin; i < tiles.end; i += width) {
                int64_t stop = i + width < tiles.end ? i + width : tiles.end;
                add_expert(p, matrix, (ith_range){first + i, first + stop}, i * ITH_TILE_ROWS, a, n, scratch);
            }
        }
    }
}

/* The pass's rows `rows`, which begin with a tile. */
static void down(ith_pass *p, const ith_layer *w, ith_range rows, ith_member *me)
{
    int64_t first = rows.begin / ITH_TILE_ROWS, n = (rows.end + ITH_TILE_ROWS - 1) / ITH_TILE_ROWS - first;
    bool help = ith_help_with(ith_range_size(p->mine));
    ith_lot lot = ith_lot_open(me, help ? ith_tile_runs((n + me->n_threads - 1) / me->n_threads, 1) : 1, help);

    while (ith_lot_next(me, &lot))
        down_tiles(p, w, first, ith_lot_part(me, &lot, n, 1), p->ws->scratch[me->tid]);
    ith_barrier(me);
}

/* ---- Weights that come when they are chosen ---- */

/* A pass that probably goes to more than this share of a layer's experts has all of them fetched ahead, behind the layers before it, rather than those that
 * it waits for. Up to it are tokens of an answer, also several that were guessed: 17 of Qwen3's 8 of 128. */
static const double FEW = 2.0 / 3;

/* Every rank has to know all that are chosen: tokens that are shared out are routed where they are. */
bool ith_experts_are_few(const ith_pass *p)
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
static void enter(const ith_pass *p, int layer, enum ith_stage stage, ith_member *me)
{
    const ith_routes *r = &p->ws->routes;

    for (int64_t e = 0; me->tid == 0 && e < p->model->hp.experts.n; e++)
        r->chosen_by_any[e] = r->first[e + 1] > r->first[e];
    ith_store_enter(p->model->store, layer, (int)stage, ith_pass_need(p), r->chosen_by_any, me);
    ith_pass_lap(p, me, layer, ITH_LAP_WEIGHTS);
}

/* ---- The layer's step ---- */

/* The intermediate, expert by expert. */
static void show(ith_pass *p, int layer, ith_member *me)
{
    const ith_routes *routes = &p->ws->routes;
    ith_input mid = mid_of(p);

    for (int e = 0; e < p->model->hp.experts.n; e++) {
        int64_t first = routes->first[e];
        ith_seen seen = {.tokens = routes->first[e + 1] - first,
                         .cols = p->model->hp.experts.ffn,
                         .expert = e,
                         .x = ith_layout_is_quantized(p->model->layers[layer].experts[e].down->layout)
                                  ? NULL
                                  : p->ws->mid + first * mid.ld,
                         .ld = mid.ld,
                         .acts = ith_acts_at(&mid.acts, first)};
        if (seen.tokens > 0)
            p->probe->see(p->probe->user, ITH_PROBE_EXPERT, layer, &seen, me);
    }
}

void ith_experts(ith_pass *p, int layer, ith_member *me)
{
    const ith_layer *w = &p->model->layers[layer];
    const ith_hparams *hp = &p->model->hp;
    ith_input mid = mid_of(p);

    ith_route(p, w, me);
    ith_pass_lap(p, me, layer, ITH_LAP_PRODUCTS);
    enter(p, layer, ITH_STAGE_GATE_UP, me);
    gate_up(p, w, p->way->rows(p, hp->experts.ffn), me);
    ith_pass_lap(p, me, layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, layer, ITH_STAGE_GATE_UP, me);
    if (p->comm->size > 1) {
        p->way->gather_mid(p, me, &mid, ith_range_size(p->mine) * hp->experts.used, w->experts[0].down);
        ith_pass_lap(p, me, layer, ITH_LAP_EXCHANGE);
    }
    if (p->probe != NULL)
        show(p, layer, me);
    enter(p, layer, ITH_STAGE_DOWN, me);
    down(p, w, p->way->rows(p, hp->hidden), me);
    ith_pass_lap(p, me, layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, layer, ITH_STAGE_DOWN, me);
}

#include "base/mem.h"
#include "model/pass.h"

#include <stdlib.h>

static int64_t max2(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

ith_record ith_record_layout(ith_kv_layout layout, int64_t n_heads, int64_t head_dim)
{
    bool q8 = layout == ITH_KVL_Q8;
    ith_record r = {.stride = q8 ? ith_round_up(head_dim, 16) : 4 * head_dim};

    r.scales = n_heads * r.stride;
    r.bytes = r.scales + (q8 ? 4 * n_heads : 0);
    return r;
}

ith_kv_piece ith_kv_piece_layout(ith_kv_layout layout, int64_t head_dim)
{
    bool q8 = layout == ITH_KVL_Q8;
    int64_t value = q8 ? ith_round_up(head_dim, 16) : head_dim * (layout == ITH_KVL_BF16 ? 2 : 4);
    return (ith_kv_piece){.value = value, .scales = 2 * value, .bytes = ith_round_up(2 * value + (q8 ? 4 : 0), 4)};
}

typedef struct requests { /* buffers asked for, one after another */
    bool sizing;          /* only their bytes are wanted */
    int64_t bytes;
    ith_status status;
    ith_error *err;
} requests;

/* `count` elements of `size` bytes, unless an earlier request failed. */
static void request(requests *r, int64_t count, size_t size, void *out)
{
    r->bytes += count * (int64_t)size;
    if (r->status == ITH_OK && !r->sizing)
        r->status = ith_mem_alloc_array(ITH_MEM_ACTIVATIONS, (size_t)count, size, "activations", out, r->err);
}

static void request_acts(requests *r, int64_t tokens, int64_t groups, ith_acts *acts)
{
    request(r, tokens * groups * ITH_GROUP, 1, &acts->quants);
    request(r, tokens * groups, sizeof(float), &acts->scales);
    request(r, tokens * groups, sizeof(float), &acts->shifts);
    request(r, tokens * groups, sizeof(float), &acts->sums);
    request(r, tokens * groups, sizeof(int32_t), &acts->start8);
    request(r, tokens * groups, sizeof(int32_t), &acts->start128);
    acts->groups = groups;
}

static void free_acts(const ith_acts *acts)
{
    ith_mem_free(acts->quants);
    ith_mem_free(acts->scales);
    ith_mem_free(acts->shifts);
    ith_mem_free(acts->sums);
    ith_mem_free(acts->start8);
    ith_mem_free(acts->start128);
}

static void request_routes(requests *r, const ith_model *model, int64_t tokens, ith_routes *routes)
{
    const ith_experts_params *e = &model->hp.experts;

    routes->ld = ith_round_up(e->n, ITH_TILE_ROWS);
    request(r, tokens * routes->ld, sizeof(float), &routes->logits);
    request(r, tokens * e->used, sizeof(int32_t), &routes->chosen);
    request(r, tokens * e->used, sizeof(float), &routes->weights);
    request(r, e->n + 1, sizeof(int64_t), &routes->first);
    request(r, e->n + 1, sizeof(int64_t), &routes->costs);
    request(r, e->n, sizeof(bool), &routes->chosen_by_any);
    request(r, tokens * e->used, sizeof(int32_t), &routes->token);
    request(r, tokens * e->used, sizeof(float), &routes->weight);
}

static void free_routes(const ith_routes *routes)
{
    ith_mem_free(routes->logits);
    ith_mem_free(routes->chosen);
    ith_mem_free(routes->weights);
    ith_mem_free(routes->first);
    ith_mem_free(routes->costs);
    ith_mem_free(routes->chosen_by_any);
    ith_mem_free(routes->token);
    ith_mem_free(routes->weight);
}

static void request_scratch(requests *r, ith_workspace *ws, int64_t floats)
{
    request(r, ws->n_threads, sizeof *ws->scratch, &ws->scratch);
    for (int i = 0; r->status == ITH_OK && i < ws->n_threads; i++)
        request(r, floats, sizeof(float), r->sizing ? NULL : &ws->scratch[i]);
}

typedef struct shape { /* of this rank's part of a pass */
    int64_t T, C, A;   /* tokens on this rank, over all ranks, attended to: at most */
    int64_t U, R, d, q, kv, my_q, my_kv;
    int64_t segments;
    ith_record record;
    ith_kv_piece piece;
} shape;

static shape shape_of(const ith_model *model, const ith_mesh *mesh, ith_kv_layout layout, const ith_limits *limits)
{
    const ith_hparams *hp = &model->hp;
    int64_t my_kv = ith_range_size(ith_mesh_kv_heads(mesh, (int)hp->n_kv_heads, mesh->u)),
            my_q = my_kv * (hp->n_heads / hp->n_kv_heads);
    return (shape){
        .T = limits->max_tokens,
        .C = limits->chunk,
        .A = mesh->context == 1 ? limits->chunk : mesh->ulysses * limits->max_tokens,
        .U = mesh->ulysses,
        .R = mesh->context,
        .d = hp->head_dim,
        .q = hp->n_heads * hp->head_dim,
        .kv = hp->n_kv_heads * hp->head_dim,
        .my_q = my_q,
        .my_kv = my_kv,
        .segments = ith_kv_segments(limits->ctx),
        .record = ith_record_layout(layout, my_q, hp->head_dim),
        .piece = ith_kv_piece_layout(layout, hp->head_dim),
    };
}

/* What every rank needs for its tokens. */
static void request_tokens(requests *r, ith_workspace *ws, const ith_model *model, const shape *s)
{
    const ith_hparams *hp = &model->hp;
    int64_t T = s->T, acts = model->quantized ? T : 1;

    request(r, T * hp->hidden, sizeof(float), &ws->x);
    request(r, T * ws->ld, sizeof(float), &ws->h);
    request(r, T * ws->ld_y, sizeof(float), &ws->y);
    request(r, model->floats ? T * ws->ld : 1, sizeof(float), &ws->mid);
    request_acts(r, acts, ith_round_up(max2(hp->hidden, s->q), ITH_GROUP) / ITH_GROUP, &ws->acts);
    request_acts(r, acts, ith_model_mid(model) / ITH_GROUP, &ws->mid_acts);
    if (hp->experts.n > 0)
        request_routes(r, model, T, &ws->routes);
    request(r, T * ws->ld_q, sizeof(float), &ws->q);
    request(r, T * ws->ld_kv, sizeof(float), &ws->k);
    request(r, T * ws->ld_kv, sizeof(float), &ws->v);
    request(r, T * s->d / 2, sizeof(float), &ws->cos);
    request(r, T * s->d / 2, sizeof(float), &ws->sin);
    request(r, s->A * s->record.bytes, 1, &ws->queries);
}

/* What several ranks need to exchange. */
static void request_wire(requests *r, ith_workspace *ws, const ith_model *model, const shape *s)
{
    /* What a token's heads take on the way to the R ranks of the group, when each makes some (rows.c). */
    int64_t made = s->R * ((s->my_q + s->R - 1) / s->R) * (s->record.stride + 4) + s->my_kv * s->piece.bytes;
    int64_t held = (s->my_kv + s->R - 1) / s->R;

    request(r, s->T * max2(ws->ld * (int64_t)sizeof(float), made), 1, &ws->wire);
    request(r, s->T * max2(s->U * s->record.bytes, made), 1, &ws->records_out);
    request(r, s->T * model->hp.n_kv_heads * s->piece.bytes, 1, &ws->pieces_out);
    request(r, (s->C * held + s->T * s->my_kv) * s->piece.bytes, 1, &ws->pieces_in);
    request(r, s->A * s->my_q * s->d, sizeof(float), &ws->attn);
    request(r, s->A * ith_acts_wire_bytes(s->my_q * s->d / ITH_GROUP), 1, &ws->back);
}

/* What the ranks of a group need to share its heads' segments. */
static void request_group(requests *r, ith_workspace *ws, ith_kv_layout layout, const shape *s, int64_t cells)
{
    size_t segment = ith_kv_block_bytes(layout, (int)s->d) * (ITH_KV_SEGMENT / ITH_KV_BLOCK);

    ws->n_parcels = s->segments + s->R;
    request(r, 2 * ws->n_parcels, sizeof *ws->parcels, &ws->parcels);
    request(r, cells / s->my_q * (s->R * ((s->my_q + s->R - 1) / s->R)), sizeof(float), &ws->cells_in);
    request(r, s->segments, segment, &ws->ring[0]);
    request(r, s->segments, segment, &ws->ring[1]);
}

static void request_all(requests *r, ith_workspace *ws, const ith_model *model, const ith_mesh *mesh,
                        ith_kv_layout layout, const ith_limits *limits)
{
    const ith_hparams *hp = &model->hp;
    shape s = shape_of(model, mesh, layout, limits);
    int64_t cells = ith_attention_cells(model, mesh, s.R > 1 ? limits->rows_tokens : ITH_DECODE_TOKENS, s.segments);

    ws->max_tokens = s.T;
    ws->max_chunk = s.C;
    ws->n_threads = limits->n_threads;
    /* Tiles of rows may stick out at both ends of a range. */
    ws->ld = ith_round_up(max2(hp->hidden, max2(s.q, ith_model_mid(model))), ITH_GROUP) + 2 * ITH_TILE_ROWS;
    ws->ld_q = ith_round_up(s.q, ITH_TILE_ROWS) + 2 * ITH_TILE_ROWS;
    ws->ld_kv = ith_round_up(s.kv, ITH_TILE_ROWS) + 2 * ITH_TILE_ROWS;
    ws->ld_y = ith_round_up(hp->hidden, ITH_TILE_ROWS) + 2 * ITH_TILE_ROWS;
    request_tokens(r, ws, model, &s);
    if (mesh->ranks > 1)
        request_wire(r, ws, model, &s);
    if (s.R > 1)
        request_group(r, ws, layout, &s, cells);
    request(r, ITH_FLIGHTS * 4 * mesh->ranks, sizeof(int64_t), &ws->plans);
    request(r, cells, sizeof(float), &ws->cells);
    if (mesh->ranks > 1)
        request(r, ITH_DECODE_TOKENS * ith_logits_ld(model), sizeof(float), &ws->logits_rows);
    request_scratch(r, ws,
                    max2(ith_attention_scratch(model, layout),
                         hp->experts.n > 0 ? ith_experts_scratch(model) : ith_mlp_scratch(model)));
}

int64_t ith_workspace_bytes(const ith_model *model, const ith_mesh *mesh, ith_kv_layout layout,
                            const ith_limits *limits)
{
    ith_workspace none = {0};
    requests r = {.sizing = true};
    request_all(&r, &none, model, mesh, layout, limits);
    return r.bytes;
}

ith_status ith_workspace_open(const ith_model *model, const ith_mesh *mesh, ith_kv_layout layout,
                              const ith_limits *limits, ith_workspace **out, ith_error *err)
{
    ith_workspace *ws = calloc(1, sizeof *ws);
    requests r = {.err = err};

    *out = NULL;
    if (ws == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for activations");
    request_all(&r, ws, model, mesh, layout, limits);
    if (r.status != ITH_OK) {
        ith_workspace_close(ws);
        return r.status;
    }
    *out = ws;
    return ITH_OK;
}

void ith_workspace_close(ith_workspace *ws)
{
    if (ws == NULL)
        return;
    void *const buffers[] = {ws->x,          ws->h,         ws->y,       ws->mid,     ws->q,          ws->k,
                             ws->v,          ws->cos,       ws->sin,     ws->queries, ws->wire,       ws->records_out,
                             ws->pieces_out, ws->pieces_in, ws->attn,    ws->back,    ws->plans,      ws->cells,
                             ws->cells_in,   ws->ring[0],   ws->ring[1], ws->parcels, ws->logits_rows};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        ith_mem_free(buffers[i]);
    free_acts(&ws->acts);
    free_acts(&ws->mid_acts);
    free_routes(&ws->routes);
    for (int i = 0; ws->scratch != NULL && i < ws->n_threads; i++)
        ith_mem_free(ws->scratch[i]);
    ith_mem_free(ws->scratch);
    free(ws);
}

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

/* `count` elements of `size` bytes, unless an earlier request failed. */
static void request(ith_status *status, int64_t count, size_t size, void *out, ith_error *err)
{
    if (*status == ITH_OK)
        *status = ith_mem_alloc_array(ITH_MEM_ACTIVATIONS, (size_t)count, size, "activations", out, err);
}

static void request_acts(ith_status *status, int64_t tokens, int64_t groups, ith_acts *acts, ith_error *err)
{
    request(status, tokens * groups * ITH_GROUP, 1, &acts->quants, err);
    request(status, tokens * groups, sizeof(float), &acts->scales, err);
    request(status, tokens * groups, sizeof(float), &acts->sums, err);
    request(status, tokens * groups, sizeof(int32_t), &acts->zero8, err);
    request(status, tokens * groups, sizeof(int32_t), &acts->zero128, err);
    acts->groups = groups;
}

static void free_acts(const ith_acts *acts)
{
    ith_mem_free(acts->quants);
    ith_mem_free(acts->scales);
    ith_mem_free(acts->sums);
    ith_mem_free(acts->zero8);
    ith_mem_free(acts->zero128);
}

static void request_scratch(ith_status *status, ith_workspace *ws, int64_t floats, ith_error *err)
{
    request(status, ws->n_threads, sizeof *ws->scratch, &ws->scratch, err);
    for (int i = 0; *status == ITH_OK && i < ws->n_threads; i++)
        request(status, floats, sizeof(float), &ws->scratch[i], err);
}

ith_status ith_workspace_open(const ith_model *model, const ith_mesh *mesh, ith_kv_layout layout, int64_t chunk,
                              int64_t max_tokens, int64_t rows_tokens, int n_threads, int64_t ctx, ith_workspace **out,
                              ith_error *err)
{
    const ith_hparams *hp = &model->hp;
    ith_workspace *ws = calloc(1, sizeof *ws);
    int64_t d = hp->head_dim, q = hp->n_heads * d, kv = hp->n_kv_heads * d, T = max_tokens, C = chunk;
    int64_t my_kv = ith_range_size(ith_mesh_kv_heads(mesh, (int)hp->n_kv_heads, mesh->u)),
            my_q = my_kv * (hp->n_heads / hp->n_kv_heads);
    int64_t widest = max2(hp->hidden, max2(q, hp->ffn)), vocab = ith_round_up(hp->n_vocab, ITH_TILE_ROWS);
    ith_record record = ith_record_layout(layout, my_q, d);
    ith_kv_piece piece = ith_kv_piece_layout(layout, d);
    int64_t U = mesh->ulysses, R = mesh->context, attended = R == 1 ? C : U * T;
    int64_t segments = (ctx + ITH_KV_SEGMENT - 1) / ITH_KV_SEGMENT,
            cells = ith_attention_cells(model, mesh, R > 1 ? rows_tokens : ITH_DECODE_TOKENS, segments);
    /* What a token's heads take on the way to the R ranks of the group, when each makes some (rows.c). */
    int64_t made_bytes = R * ((my_q + R - 1) / R) * (record.stride + 4) + my_kv * piece.bytes;
    ith_status status = ITH_OK;

    *out = NULL;
    if (ws == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for activations");
    ws->max_tokens = T;
    ws->max_chunk = C;
    ws->n_threads = n_threads;
    /* Tiles of rows may stick out at both ends of a range. */
    ws->ld = ith_round_up(widest, ITH_GROUP) + 2 * ITH_TILE_ROWS;
    ws->ld_q = ith_round_up(q, ITH_TILE_ROWS) + 2 * ITH_TILE_ROWS;
    ws->ld_kv = ith_round_up(kv, ITH_TILE_ROWS) + 2 * ITH_TILE_ROWS;
    ws->ld_y = ith_round_up(hp->hidden, ITH_TILE_ROWS) + 2 * ITH_TILE_ROWS;

    request(&status, T * hp->hidden, sizeof(float), &ws->x, err);
    request(&status, T * ws->ld, sizeof(float), &ws->h, err);
    request(&status, T * ws->ld_y, sizeof(float), &ws->y, err);
    request(&status, model->floats ? T * ws->ld : 1, sizeof(float), &ws->mid, err);
    request_acts(&status, model->quantized ? T : 1, ith_round_up(max2(hp->hidden, q), ITH_GROUP) / ITH_GROUP, &ws->acts,
                 err);
    request_acts(&status, model->quantized ? T : 1, ith_round_up(hp->ffn, ITH_GROUP) / ITH_GROUP, &ws->mid_acts, err);
    request(&status, T * ws->ld_q, sizeof(float), &ws->q, err);
    request(&status, T * ws->ld_kv, sizeof(float), &ws->k, err);
    request(&status, T * ws->ld_kv, sizeof(float), &ws->v, err);
    request(&status, T * d / 2, sizeof(float), &ws->cos, err);
    request(&status, T * d / 2, sizeof(float), &ws->sin, err);
    request(&status, attended * record.bytes, 1, &ws->queries, err);
    if (mesh->ranks > 1) {
        request(&status, max2(T * ws->ld * (int64_t)sizeof(float), T * made_bytes), 1, &ws->wire, err);
        request(&status, max2(U * T * record.bytes, T * made_bytes), 1, &ws->records_out, err);
        request(&status, T * hp->n_kv_heads * piece.bytes, 1, &ws->pieces_out, err);
        request(&status, C * (R == 1 ? my_kv : max2((my_kv + R - 1) / R, 1)) * piece.bytes + T * my_kv * piece.bytes, 1,
                &ws->pieces_in, err);
        request(&status, attended * my_q * d, sizeof(float), &ws->attn, err);
        request(&status, attended * ith_acts_wire_bytes(my_q * d / ITH_GROUP), 1, &ws->back, err);
    }
    if (R > 1) {
        size_t segment = ith_kv_block_bytes(layout, (int)d) * (ITH_KV_SEGMENT / ITH_KV_BLOCK);
        ws->n_parcels = segments + R;
        request(&status, 2 * ws->n_parcels, sizeof *ws->parcels, &ws->parcels, err);
        request(&status, cells / my_q * (R * ((my_q + R - 1) / R)), sizeof(float), &ws->cells_in, err);
        request(&status, segments, segment, &ws->ring[0], err);
        request(&status, segments, segment, &ws->ring[1], err);
    }
    request(&status, 4 * mesh->ranks, sizeof(int64_t), &ws->plans, err);
    request(&status, cells, sizeof(float), &ws->cells, err);
    request(&status, vocab, sizeof(float), &ws->logits_rows, err);
    request_scratch(&status, ws, max2(ith_attention_scratch(model), ith_mlp_scratch()), err);
    if (status != ITH_OK) {
        ith_workspace_close(ws);
        return status;
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
    for (int i = 0; ws->scratch != NULL && i < ws->n_threads; i++)
        ith_mem_free(ws->scratch[i]);
    ith_mem_free(ws->scratch);
    free(ws);
}

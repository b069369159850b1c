/* workspace_open.c - the buffers of passes: those that all blocks share, then those of each
 * kind. */
#include "model/workspace.h"

#include "base/mem.h"
#include "model/blocks/block.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

ith_limits ith_limits_both(const ith_limits *a, const ith_limits *b)
{
    return (ith_limits){.chunk = ith_max(a->chunk, b->chunk),
                        .max_tokens = ith_max(a->max_tokens, b->max_tokens),
                        .rows_tokens = ith_max(a->rows_tokens, b->rows_tokens),
                        .ctx = ith_max(a->ctx, b->ctx),
                        .logits = ith_max(a->logits, b->logits),
                        .n_threads = (int)ith_max(a->n_threads, b->n_threads)};
}

bool ith_limits_within(const ith_limits *a, const ith_limits *b)
{
    return a->chunk <= b->chunk && a->max_tokens <= b->max_tokens &&
           a->rows_tokens <= b->rows_tokens && a->ctx <= b->ctx && a->logits <= b->logits &&
           a->n_threads <= b->n_threads;
}

/* ---- What all blocks share ---- */

static void request_scratch(ith_requests *r, ith_workspace *ws, int64_t floats)
{
    ith_request(r, ws->n_threads, sizeof *ws->scratch, &ws->scratch);
    for (int i = 0; r->status == ITH_OK && i < ws->n_threads; i++)
        ith_request(r, floats, sizeof(float), r->sizing ? NULL : &ws->scratch[i]);
}

static void request_shared(ith_requests *r, ith_workspace *ws, const ith_work_sizes *s)
{
    const ith_model *m = s->model;
    ith_work_needs needs = ith_blocks_needs(s);
    int64_t T = s->T, acts = m->quantized ? T : 1, cols = ith_max(m->hp.hidden, needs.input_cols);

    /* Tiles of rows may stick out at both ends of a range. */
    ws->ld = ith_round_up(ith_max(cols, needs.mid_values), ITH_GROUP) + 2 * ITH_TILE_ROWS;
    ws->ld_y = ith_round_up(m->hp.hidden, ITH_TILE_ROWS) + 2 * ITH_TILE_ROWS;
    ith_request(r, T * m->hp.hidden, sizeof(float), &ws->x);
    ith_request(r, T * ws->ld, sizeof(float), &ws->h);
    ith_request(r, T * ws->ld_y, sizeof(float), &ws->y);
    ith_request(r, m->holds ? T * m->hp.hidden : 1, sizeof(float), &ws->held);
    ith_request(r, ith_max(1, m->hp.altup.streams * T * m->hp.hidden), sizeof(float), &ws->streams);
    ith_request(r, m->floats ? T * ws->ld : 1, sizeof(float), &ws->mid);
    ith_request_acts(r, acts, ith_round_up(cols, ITH_GROUP) / ITH_GROUP, &ws->acts);
    ith_request_acts(r, acts, needs.mid_values / ITH_GROUP, &ws->mid_acts);
    ith_request(r, ITH_FLIGHTS * 4 * s->mesh->ranks, sizeof(int64_t), &ws->counts);
    if (s->mesh->ranks > 1) {
        int64_t token = ith_max(ws->ld * (int64_t)sizeof(float), needs.wire_bytes);
        ith_request(r, T * token, 1, &ws->wire);
        needs.parcels = ith_max(needs.parcels, 2 * s->mesh->ranks);
        needs.parcel_bytes = ith_max(needs.parcel_bytes, 2 * T * token);
        ith_request(r, s->limits.logits * ith_logits_ld(m), sizeof(float), &ws->logits_rows);
    }
    ws->parcels = needs.parcels;
    ws->parcel_bytes = needs.parcel_bytes;
    request_scratch(r, ws, needs.scratch);
}

static void request_kinds(ith_requests *r, ith_workspace *ws, const ith_work_sizes *s)
{
    void *table = r->table;

    for (int k = 0; k < ITH_BLOCKS && r->status == ITH_OK; k++) {
        const ith_block_kind *kind = ith_block_kinds[k];
        if (kind->request == NULL || !ith_blocks_have(s->model, k))
            continue;
        if (r->sizing)
            memset(table, 0, ITH_WORK_TABLE);
        else
            table = ws->of[k] = calloc(1, kind->work_bytes);
        if (table == NULL || kind->work_bytes > ITH_WORK_TABLE)
            r->status = ith_fail(r->err, ITH_E_MEMORY, "no memory for the table of activations");
        else
            kind->request(r, s, table);
    }
}

static void request_all(ith_requests *r, const ith_model *model, const ith_mesh *mesh,
                        ith_kv_layout kv, const ith_limits *limits)
{
    ith_work_sizes s = {.model = model,
                        .mesh = mesh,
                        .kv = kv,
                        .limits = *limits,
                        .T = limits->max_tokens,
                        .C = limits->chunk};

    s.A = mesh->context == 1 ? s.C : mesh->ulysses * s.T;
    r->ws->max_tokens = s.T;
    r->ws->max_chunk = s.C;
    r->ws->limits = *limits;
    r->ws->n_threads = limits->n_threads;
    request_shared(r, r->ws, &s);
    request_kinds(r, r->ws, &s);
}

int64_t ith_workspace_bytes(const ith_model *model, const ith_mesh *mesh, ith_kv_layout kv,
                            const ith_limits *limits)
{
    ith_workspace none = {0};
    _Alignas(max_align_t) char table[ITH_WORK_TABLE] = ""; /* sizes need no memory */
    ith_requests r = {.ws = &none, .sizing = true, .table = table};

    request_all(&r, model, mesh, kv, limits);
    return r.bytes;
}

ith_status ith_workspace_open(const ith_model *model, const ith_mesh *mesh, ith_kv_layout kv,
                              const ith_limits *limits, ith_workspace **out, ith_error *err)
{
    ith_workspace *ws = calloc(1, sizeof *ws);
    ith_requests r = {.ws = ws, .err = err};

    *out = NULL;
    if (ws == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for activations");
    request_all(&r, model, mesh, kv, limits);
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
    for (size_t i = 0; i < ws->n_buffers; i++)
        ith_mem_free(ws->buffers[i]);
    for (int k = 0; k < ITH_BLOCKS; k++)
        free(ws->of[k]);
    free(ws->buffers);
    free(ws);
}

#include "kv/kv.h"

#include "base/mem.h"
#include "base/range.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct ith_kv {
    ith_kv_layout layout;
    int n_layers, n_heads, head_dim;
    size_t block_bytes, segment_bytes;
    int64_t max_segments; /* per layer */
    int64_t n_segments;   /* reserved now, for every layer */
    void **segments;      /* [n_layers][max_segments], each of all heads: n_heads * segment_bytes */
};

static void **slot_of(const ith_kv *kv, int layer, int64_t s)
{
    return kv->segments + layer * kv->max_segments + s;
}

ith_status ith_kv_open(ith_kv_layout layout, int n_layers, int n_heads, int head_dim, int64_t ctx, ith_kv **out,
                       ith_error *err)
{
    ith_kv *kv = calloc(1, sizeof *kv);
    size_t slots;

    *out = NULL;
    if (kv == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a KV cache");
    kv->layout = layout;
    kv->n_layers = n_layers;
    kv->n_heads = n_heads;
    kv->head_dim = head_dim;
    kv->block_bytes = ith_kv_block_bytes(layout, head_dim);
    /* A timeline shorter than a segment needs no whole one. */
    kv->segment_bytes =
        kv->block_bytes * (size_t)((ctx < ITH_KV_SEGMENT ? ctx + ITH_KV_BLOCK - 1 : ITH_KV_SEGMENT) / ITH_KV_BLOCK);
    kv->max_segments = (ctx + ITH_KV_SEGMENT - 1) / ITH_KV_SEGMENT;
    if (!ith_mul_size((size_t)n_layers, (size_t)kv->max_segments, &slots) ||
        (kv->segments = calloc(slots ? slots : 1, sizeof *kv->segments)) == NULL) {
        free(kv);
        return ith_fail(err, ITH_E_MEMORY, "no memory for the table of a KV cache of %lld tokens", (long long)ctx);
    }
    *out = kv;
    return ITH_OK;
}

void ith_kv_close(ith_kv *kv)
{
    if (kv == NULL)
        return;
    for (int64_t i = 0; i < kv->n_layers * kv->max_segments; i++)
        ith_mem_free(kv->segments[i]);
    free(kv->segments);
    free(kv);
}

/* Segment `s` of every layer. What an earlier attempt left is kept. */
static ith_status add_segment(ith_kv *kv, int64_t s, ith_error *err)
{
    for (int layer = 0; layer < kv->n_layers; layer++) {
        void **slot = slot_of(kv, layer, s);
        if (*slot == NULL)
            ITH_TRY(ith_mem_alloc_array(ITH_MEM_KV, (size_t)kv->n_heads, kv->segment_bytes, "KV cache", slot, err));
    }
    return ITH_OK;
}

ith_status ith_kv_reserve(ith_kv *kv, int64_t n_tokens, ith_error *err)
{
    int64_t need = (n_tokens + ITH_KV_SEGMENT - 1) / ITH_KV_SEGMENT;

    assert(need <= kv->max_segments);
    while (kv->n_segments < need) {
        ITH_TRY(add_segment(kv, kv->n_segments, err));
        kv->n_segments++;
    }
    return ITH_OK;
}

ith_kv_layout ith_kv_get_layout(const ith_kv *kv)
{
    return kv->layout;
}

void *ith_kv_segment(const ith_kv *kv, int layer, int head, int64_t s)
{
    assert(s < kv->n_segments);
    return (uint8_t *)*slot_of(kv, layer, s) + (size_t)head * kv->segment_bytes;
}

void *ith_kv_block(const ith_kv *kv, int layer, int head, int64_t pos)
{
    int64_t in_segment = pos % ITH_KV_SEGMENT;
    return (uint8_t *)ith_kv_segment(kv, layer, head, pos / ITH_KV_SEGMENT) +
           (size_t)(in_segment / ITH_KV_BLOCK) * kv->block_bytes;
}

void ith_kv_put_float(const ith_kv *kv, int layer, int head, int64_t pos, const void *k, const void *v)
{
    size_t element = kv->layout == ITH_KVL_F32 ? 4 : 2, dp = (size_t)ith_round_up(kv->head_dim, 16);
    size_t slot = (size_t)(pos % ITH_KV_BLOCK), d = (size_t)kv->head_dim;
    uint8_t *keys = ith_kv_block(kv, layer, head, pos), *values = keys + dp * ITH_KV_BLOCK * element;

    for (size_t c = 0; c < d; c++)
        memcpy(keys + (c * ITH_KV_BLOCK + slot) * element, (const uint8_t *)k + c * element, element);
    memcpy(values + slot * dp * element, v, d * element);
}

int64_t ith_kv_token_bytes(ith_kv_layout layout, int n_layers, int n_heads, int head_dim)
{
    return (int64_t)ith_kv_block_bytes(layout, head_dim) / ITH_KV_BLOCK * n_layers * n_heads;
}

/* vectors.c - the element-wise kernels of the table, and the operands they are called with. */
#include "tools/vectors.h"

#include "base/mem.h"
#include "base/range.h"

ith_status ith_vector_buffers_open(int64_t n, ith_vector_buffers *b, ith_error *err)
{
    int64_t n32 = ith_round_up(n, ITH_GROUP), groups = n32 / ITH_GROUP;
    size_t block = ith_kv_block_bytes(ITH_KVL_Q8, (int)n);
    float *at;

    ITH_TRY(ith_mem_alloc(ITH_MEM_OTHER,
                          (size_t)(3 * n32 + 7 * groups) * 4 + 2 * (size_t)n32 + block + 128,
                          "vectors", &b->memory, err));
    at = b->memory;
    b->block = at;
    at += (block + 63) / 64 * 16;
    b->x = at, b->y = at + n32, b->z = at + 2 * n32;
    b->acts = (ith_acts){.scales = at + 3 * n32, .sums = at + 3 * n32 + groups, .groups = groups};
    b->acts.shifts = b->acts.sums + groups;
    b->acts.start8 = (int32_t *)(void *)(b->acts.shifts + groups);
    b->acts.start128 = b->acts.start8 + groups;
    b->acts.half128 = b->acts.start128 + groups;
    b->acts.quants = (int8_t *)(void *)(b->acts.half128 + 2 * groups);
    b->head = b->acts.quants + n32;
    for (int64_t i = 0; i < n32; i++) {
        b->x[i] = (float)((i * 2654435761 >> 7) % 2001) * 0.001f - 1.0f;
        b->y[i] = 0.5f;
    }
    return ITH_OK;
}

void ith_vector_buffers_close(ith_vector_buffers *b)
{
    ith_mem_free(b->memory);
    *b = (ith_vector_buffers){0};
}

static int64_t hidden(const ith_hparams *hp)
{
    return hp->hidden;
}
static int64_t ffn(const ith_hparams *hp)
{
    return hp->experts.n > 0 ? hp->experts.ffn : hp->ffn;
}
static int64_t head_dim(const ith_hparams *hp)
{
    return hp->head_dim;
}
static int64_t vocabulary(const ith_hparams *hp)
{
    return hp->n_vocab;
}

#define RUN(name)                                                                                  \
    static void run_##name(const ith_kernels *k, const ith_vector_buffers *b, int64_t n)

RUN(quantize)
{
    k->quantize(n, b->x, &b->acts, 0, 0);
}
RUN(quantize_head)
{
    k->quantize_head((int)n, b->x, b->y, b->head);
}
RUN(quantize_head_bf16)
{
    k->quantize_head_bf16((int)n, b->x, b->y, b->head);
}
RUN(kv_put_q8)
{
    k->kv_put_q8(b->block, (int)n, 5, b->head, b->head, 1, 1);
}
/* One row. */
RUN(attn_merge)
{
    float m = 0, l = 1, pm = 0.5f, pl = 1;
    k->attn_merge(1, (int)n, &m, &l, b->z, &pm, &pl, b->x);
}
RUN(rmsnorm)
{
    k->rmsnorm(n, b->x, b->y, 1e-6f, b->z);
}
RUN(rope)
{
    k->rope((int)n, b->z, b->x, b->y);
}
RUN(silu_mul)
{
    k->silu_mul(n, b->x, b->y, b->z);
}
RUN(add)
{
    k->add(n, b->z, b->y);
}
RUN(scale)
{
    k->scale(n, b->z, 1.0f);
}
RUN(add_scaled)
{
    k->add_scaled(n, b->z, 0.5f, b->y);
}
RUN(max)
{
    k->max(n, b->x);
}
RUN(sum_exp)
{
    k->sum_exp(n, b->x, 1.0f);
}

RUN(argmax)
{
    k->argmax(n, b->x);
}
RUN(maxima)
{
    k->maxima(n, b->x, b->z);
}
/* The threshold selects about one element in 400. */
RUN(select)
{
    k->select(n, b->x, 0.9955f, (int32_t *)(void *)b->z);
}

RUN(weights)
{
    k->weights(n, b->x, 1.0f, 0.7f, b->z);
}

const ith_vector_kernel ith_vector_kernels[] = {
    {"quantize", "hidden", hidden, run_quantize},
    {"quantize", "ffn", ffn, run_quantize},
    {"quantize", "head", head_dim, run_quantize},
    {"quantize_head", "head", head_dim, run_quantize_head},
    {"quantize_head_bf16", "head", head_dim, run_quantize_head_bf16},
    {"kv_put_q8", "head", head_dim, run_kv_put_q8},
    {"attn_merge", "head", head_dim, run_attn_merge},
    {"rmsnorm", "hidden", hidden, run_rmsnorm},
    {"rmsnorm", "head", head_dim, run_rmsnorm},
    {"rope", "head", head_dim, run_rope},
    {"silu_mul", "ffn", ffn, run_silu_mul},
    {"add", "hidden", hidden, run_add},
    {"add_scaled", "hidden", hidden, run_add_scaled},
    {"scale", "head", head_dim, run_scale},
    {"max", "vocabulary", vocabulary, run_max},
    {"sum_exp", "vocabulary", vocabulary, run_sum_exp},
    {"argmax", "vocabulary", vocabulary, run_argmax},
    {"maxima", "vocabulary", vocabulary, run_maxima},
    {"select", "vocabulary", vocabulary, run_select},
    {"weights", "vocabulary", vocabulary, run_weights},
};

const size_t ith_n_vector_kernels = sizeof ith_vector_kernels / sizeof *ith_vector_kernels;

/* synthetic.c - synthetic models: their tensors, and random data for them. */
#include "formats/synthetic.h"

#include "base/range.h"
#include "formats/arch.h"
#include "formats/shapes.h"
#include "simd/half.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

static const char prefix[] = "synthetic:";

enum {
    PERIOD_MIN = 8 << 20, /* bytes after which the data repeat, at least */
    STARTS = 1 << 12,     /* a tensor starts at one of the first so many blocks */
    START_STEP = 1117     /* prime, so that layers start at different ones */
};

bool ith_synthetic_is_name(const char *path)
{
    return strncmp(path, prefix, sizeof prefix - 1) == 0;
}

/* ---- The name ---- */

static ith_status find_type(const char *path, const char *name, ith_dtype *dtype, ith_error *err)
{
    char known[400] = "";
    size_t used = 0;

    for (int i = 0; i < ITH_DTYPES && used < sizeof known; i++) {
        const char *type = ith_dtype_get((ith_dtype)i)->name;
        if (strcasecmp(type, name) == 0) {
            *dtype = (ith_dtype)i;
            return ITH_OK;
        }
        used +=
            (size_t)snprintf(known + used, sizeof known - used, "%s%s", i == 0 ? "" : ", ", type);
    }
    return ith_fail(err, ITH_E_ARGUMENT, "%s: \"%s\" is not a tensor type; known: %s", path, name,
                    known);
}

/* Of a path, its last folder and its file: shared results hold no paths of a machine. */
static const char *short_name(const char *shape)
{
    const char *at = strrchr(shape, '/');

    while (at != NULL && at > shape && at[-1] != '/')
        at--;
    return at != NULL ? at : shape;
}

static ith_status parse_name(ith_source *source, ith_dtype *dtype, ith_error *err)
{
    const char *path = source->path, *colon = strrchr(path, ':');
    char *shape;
    ith_status status;

    if (colon < path + sizeof prefix)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "%s: expected synthetic:SHAPE:TYPE, for instance synthetic:qwen3-8b:q4_0",
                        path);
    ITH_TRY(find_type(path, colon + 1, dtype, err));
    shape = strndup(path + sizeof prefix - 1, (size_t)(colon - path) - (sizeof prefix - 1));
    if (shape == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for its name", path);
    status = ith_shape_find(shape, &source->hparams, err);
    if (status == ITH_OK) {
        snprintf(source->hparams.name, sizeof source->hparams.name, "synthetic %.100s",
                 short_name(shape));
        source->hparams.bos = -1;
        source->hparams.n_eos = 0; /* random weights must not end a measurement */
    }
    free(shape);
    return status;
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t len = strlen(text), end = strlen(suffix);
    return len >= end && strcmp(text + len - end, suffix) == 0;
}

/* ---- Data ---- */

static uint64_t next(uint64_t *x)
{
    *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17; /* xorshift64, Marsaglia 2003 */
    return *x;
}

static void put_f16(uint8_t *at, double x)
{
    uint16_t half = ith_f32_to_f16((float)x);
    memcpy(at, &half, 2);
}

/* Where a block has its scale d and its minimum m, what the deviation of its elements is if d is 1
 * and all else random, and the m / d that then makes their mean 0. */
static const struct {
    int d_at, m_at;
    double deviation, m;
} quantized[ITH_DTYPES] = {
    [ITH_DT_Q8_0] = {0, -1, 73.9, 0},    [ITH_DT_Q4_0] = {0, -1, 4.61, 0},
    [ITH_DT_Q4_1] = {0, 2, 4.61, -7.5},  [ITH_DT_Q5_0] = {0, -1, 9.23, 0},
    [ITH_DT_Q5_1] = {0, 2, 9.23, -15.5}, [ITH_DT_Q2_K] = {80, 82, 13.9, 1.5},
    [ITH_DT_Q3_K] = {108, -1, 43.3, 0},  [ITH_DT_Q4_K] = {0, 2, 259, 7.5},
    [ITH_DT_Q5_K] = {0, 2, 524, 15.5},   [ITH_DT_Q6_K] = {208, -1, 1364, 0},
    [ITH_DT_IQ4_NL] = {0, -1, 67.2, 0},  [ITH_DT_IQ4_XS] = {0, -1, 1245, 0},
    [ITH_DT_MXFP4] = {0, -1, 5.84, 0},   [ITH_DT_IQ3_S] = {0, -1, 140, 0},
};

/* Scale and minimum of a block whose elements should have the deviation `std`. */
static void put_scale(ith_dtype dtype, double std, uint8_t *at)
{
    double d = std / quantized[dtype].deviation;

    /* The power of two that is near enough. */
    if (dtype == ITH_DT_MXFP4) {
        at[0] = 128;
        for (double left = d; left < 0.7; left *= 2)
            at[0]--;
        return;
    }
    put_f16(at + quantized[dtype].d_at, d);
    if (quantized[dtype].m_at >= 0)
        put_f16(at + quantized[dtype].m_at, quantized[dtype].m * d);
}

/* One block of uniform elements with standard deviation `std`: random quants, a scale that fits. */
static void put_block(ith_dtype dtype, double std, uint64_t *x, uint8_t *at)
{
    const ith_dtype_info *type = ith_dtype_get(dtype);
    double uniform = ((double)(next(x) >> 11) * 0x1p-53 * 2 - 1) * sqrt(3) * std;
    float f32 = (float)uniform;
    uint16_t bf16 = ith_f32_to_bf16(f32);

    for (int i = 0; i < type->block_bytes && type->block > 1; i++)
        at[i] = (uint8_t)(next(x) >> 32);
    if (dtype == ITH_DT_F32)
        memcpy(at, &f32, 4);
    else if (dtype == ITH_DT_BF16)
        memcpy(at, &bf16, 2);
    else if (dtype == ITH_DT_F16)
        put_f16(at, uniform);
    else
        put_scale(dtype, std, at);
}

/* Maps one unnamed file of `period` bytes repeatedly, until `bytes` are covered. The mappings keep
 * the file. */
static ith_status map_repeated(const char *path, size_t period, size_t bytes, void **out,
                               size_t *size, ith_error *err)
{
    size_t total = (bytes + period - 1) / period * period;
    int fd = memfd_create("synthetic", MFD_CLOEXEC);
    uint8_t *base = MAP_FAILED;
    bool good = fd >= 0 && ftruncate(fd, (off_t)period) == 0;

    if (good)
        base = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    good = good && base != MAP_FAILED;
    for (size_t at = 0; good && at < total; at += period)
        good = mmap(base + at, period, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) !=
               MAP_FAILED;
    if (!good) {
        ith_fail(err, ITH_E_MEMORY, "%s: cannot map %zu bytes: %s", path, total, strerror(errno));
        if (base != MAP_FAILED)
            munmap(base, total);
    }
    if (fd >= 0)
        close(fd);
    *out = base;
    *size = total;
    return good ? ITH_OK : ITH_E_MEMORY;
}

/* Adds a mapping of at least `bytes` random blocks to the source's files. */
static ith_status make_data(ith_source *source, ith_dtype dtype, size_t bytes, ith_error *err)
{
    size_t block = (size_t)ith_dtype_get(dtype)->block_bytes,
           unit = block * (size_t)sysconf(_SC_PAGESIZE);
    size_t period = (PERIOD_MIN + unit - 1) / unit * unit;
    uint64_t x = 88172645463325252u;
    void *data;
    ith_mapfile *file;

    ITH_TRY(ith_source_add_file(source, source->path, &file, err));
    ITH_TRY(map_repeated(source->path, period, bytes, &data, &file->size, err));
    file->data = data;
    for (size_t at = 0; at < period; at += block)
        put_block(dtype, 1 / sqrt((double)source->hparams.hidden), &x, (uint8_t *)data + at);
    return ITH_OK;
}

/* ---- Tensors ---- */

typedef struct wanted {
    ith_role role;
    int64_t rows, cols; /* rows 0: a vector */
    ith_dtype dtype;
} wanted;

/* Adds a tensor under its Hugging Face name, without data. */
static ith_status add(ith_source *source, const wanted *w, int layer, int expert, ith_error *err)
{
    const ith_arch *arch = ith_arch_find(source->hparams.architecture);
    char name[ITH_TENSOR_NAME];
    ith_tensor t = {.name = name,
                    .file = source->path,
                    .dtype = w->dtype,
                    .n_dims = w->rows > 0 ? 2 : 1,
                    .dims = {w->rows > 0 ? w->rows : w->cols, w->rows > 0 ? w->cols : 0}};

    if (!ith_arch_tensor_name(arch, false, w->role, layer, expert, name))
        return ITH_OK;
    ITH_TRY(ith_tensor_set_shape(&t, err));
    return ith_tensor_table_add(&source->tensors, &t, err);
}

static ith_status add_all(ith_source *source, const wanted *list, size_t n, int layer, int expert,
                          ith_error *err)
{
    for (size_t i = 0; i < n; i++)
        ITH_TRY(add(source, &list[i], layer, expert, err));
    return ITH_OK;
}

static ith_status add_latent(ith_source *source, ith_dtype dtype, int i, ith_error *err)
{
    const ith_hparams *hp = &source->hparams;
    const ith_latent_params *l = &hp->latent;
    int64_t h = hp->hidden, H = hp->n_heads, q = H * (l->nope + l->rope);
    const wanted all[] = {
        {ITH_ROLE_ATTN_NORM, 0, h, ITH_DT_F32},
        {ITH_ROLE_KV_A, l->kv_rank + l->rope, h, dtype},
        {ITH_ROLE_KV_A_NORM, 0, l->kv_rank, ITH_DT_F32},
        {ITH_ROLE_K_B, H * l->kv_rank, l->nope, dtype},
        {ITH_ROLE_V_B, H * l->value, l->kv_rank, dtype},
        {ITH_ROLE_O, h, H * l->value, dtype},
    };
    const wanted one[] = {{ITH_ROLE_Q, q, h, dtype}},
                 two[] = {{ITH_ROLE_Q_A, l->q_rank, h, dtype},
                          {ITH_ROLE_Q_A_NORM, 0, l->q_rank, ITH_DT_F32},
                          {ITH_ROLE_Q_B, q, l->q_rank, dtype}};

    ITH_TRY(add_all(source, all, sizeof all / sizeof *all, i, 0, err));
    return l->q_rank > 0 ? add_all(source, two, 3, i, 0, err) : add_all(source, one, 1, i, 0, err);
}

/* A norm before or after a block; ITH_ROLE_NONE: there is none. */
static ith_status add_norm(ith_source *source, ith_role role, int i, ith_error *err)
{
    const wanted norm = {role, 0, source->hparams.hidden, ITH_DT_F32};
    const ith_arch *arch = ith_arch_find(source->hparams.architecture);

    return role == ITH_ROLE_NONE || ith_arch_pattern(arch, false, role) == NULL
               ? ITH_OK /* or it has no weights */
               : add(source, &norm, i, 0, err);
}

static ith_status add_attention(ith_source *source, ith_dtype dtype, int i, ith_error *err)
{
    const ith_hparams *hp = &source->hparams;
    int64_t h = hp->hidden, d = hp->head_dim, q = hp->n_heads * d, kv = hp->n_kv_heads * d;
    const wanted matrices[] = {
        {ITH_ROLE_Q, q, h, dtype},
        {ITH_ROLE_K, kv, h, dtype},
        {ITH_ROLE_V, kv, h, dtype},
        {ITH_ROLE_O, h, q, dtype},
    };
    const wanted biases[] = {{ITH_ROLE_Q_BIAS, 0, q, ITH_DT_F32},
                             {ITH_ROLE_K_BIAS, 0, kv, ITH_DT_F32},
                             {ITH_ROLE_V_BIAS, 0, kv, ITH_DT_F32}};
    bool whole = hp->qk_norm == ITH_QK_NORM_WHOLE;
    const wanted o_bias = {ITH_ROLE_O_BIAS, 0, h, ITH_DT_F32},
                 sinks = {ITH_ROLE_SINKS, 0, hp->n_heads, ITH_DT_F32},
                 norms[] = {{ITH_ROLE_Q_NORM, 0, whole ? q : d, ITH_DT_F32},
                            {ITH_ROLE_K_NORM, 0, whole ? kv : d, ITH_DT_F32}};

    ITH_TRY(add_all(source, matrices, sizeof matrices / sizeof *matrices, i, 0, err));
    if (hp->attn_gate)
        ITH_TRY(add(source, &(wanted){ITH_ROLE_Q_GATE, q, h, dtype}, i, 0, err));
    if (hp->qkv_bias)
        ITH_TRY(add_all(source, biases, 3, i, 0, err));
    if (hp->o_bias)
        ITH_TRY(add(source, &o_bias, i, 0, err));
    if (hp->sinks)
        ITH_TRY(add(source, &sinks, i, 0, err));
    return hp->qk_norm != ITH_QK_NORM_NONE ? add_all(source, norms, 2, i, 0, err) : ITH_OK;
}

static ith_status add_router(ith_source *source, int i, ith_error *err)
{
    const ith_experts_params *e = &source->hparams.experts;
    const wanted router = {ITH_ROLE_ROUTER, e->n, source->hparams.hidden, ITH_DT_F32},
                 bias = {ITH_ROLE_ROUTER_BIAS, 0, e->n, ITH_DT_F32},
                 choice = {ITH_ROLE_CHOICE_BIAS, 0, e->n, ITH_DT_F32};

    ITH_TRY(add(source, &router, i, 0, err));
    if (e->router.bias)
        ITH_TRY(add(source, &bias, i, 0, err));
    return e->router.choice_bias ? add(source, &choice, i, 0, err) : ITH_OK;
}

static ith_status add_shared(ith_source *source, ith_dtype dtype, int i, ith_error *err)
{
    const ith_experts_params *e = &source->hparams.experts;
    int64_t h = source->hparams.hidden, f = e->shared_ffn;
    const wanted shared[] = {{ITH_ROLE_SHARED_GATE, f, h, dtype},
                             {ITH_ROLE_SHARED_UP, f, h, dtype},
                             {ITH_ROLE_SHARED_DOWN, h, f, dtype}},
                 weight = {ITH_ROLE_SHARED_WEIGHT, 1, h, ITH_DT_F32};

    if (f == 0)
        return ITH_OK;
    ITH_TRY(add_all(source, shared, 3, i, 0, err));
    return e->shared_gated ? add(source, &weight, i, 0, err) : ITH_OK;
}

/* Does the family's recurrent block have gates of low rank? */
static bool has_low_gates(const ith_source *source)
{
    const ith_arch *arch = ith_arch_find(source->hparams.architecture);
    return ith_arch_pattern(arch, false, ITH_ROLE_REC_A_LOW) != NULL;
}

/* Under the names and in the forms of packs. */
static ith_status add_kda(ith_source *source, ith_dtype dtype, int i, ith_error *err)
{
    const ith_hparams *hp = &source->hparams;
    int64_t h = hp->hidden, H = hp->delta.key_heads, d = hp->delta.key_dim, taps = hp->delta.taps;
    const wanted list[] = {
        {ITH_ROLE_ATTN_NORM, 0, h, ITH_DT_F32},
        {ITH_ROLE_REC_Q, H * d, h, dtype},
        {ITH_ROLE_REC_K, H * d, h, dtype},
        {ITH_ROLE_REC_V, H * d, h, dtype},
        {ITH_ROLE_REC_A_LOW, d, h, dtype},
        {ITH_ROLE_REC_A, H * d, d, dtype},
        {ITH_ROLE_REC_Z_LOW, d, h, dtype},
        {ITH_ROLE_REC_Z, H * d, d, dtype},
        {ITH_ROLE_REC_B, H, h, dtype},
        {ITH_ROLE_REC_CONV_Q, 0, H * d * taps, ITH_DT_F32},
        {ITH_ROLE_REC_CONV_K, 0, H * d * taps, ITH_DT_F32},
        {ITH_ROLE_REC_CONV_V, 0, H * d * taps, ITH_DT_F32},
        {ITH_ROLE_REC_DECAY, 0, H, ITH_DT_F32},
        {ITH_ROLE_REC_DT_BIAS, 0, H * d, ITH_DT_F32},
        {ITH_ROLE_REC_NORM, 0, d, ITH_DT_F32},
        {ITH_ROLE_REC_OUT, h, H * d, dtype},
    };
    return add_all(source, list, sizeof list / sizeof *list, i, 0, err);
}

/* Likewise. */
static ith_status add_delta(ith_source *source, ith_dtype dtype, int i, ith_error *err)
{
    const ith_hparams *hp = &source->hparams;
    const ith_delta_params *d = &hp->delta;
    int64_t h = hp->hidden, keys = d->key_heads * d->key_dim, V = d->value_heads,
            values = V * d->value_dim;
    const wanted list[] = {
        {ITH_ROLE_ATTN_NORM, 0, h, ITH_DT_F32},
        {ITH_ROLE_REC_Q, keys, h, dtype},
        {ITH_ROLE_REC_K, keys, h, dtype},
        {ITH_ROLE_REC_V, values, h, dtype},
        {ITH_ROLE_REC_Z, values, h, dtype},
        {ITH_ROLE_REC_A, V, h, dtype},
        {ITH_ROLE_REC_B, V, h, dtype},
        {ITH_ROLE_REC_CONV_QK, 0, 2 * keys * d->taps, ITH_DT_F32},
        {ITH_ROLE_REC_CONV_V, 0, values * d->taps, ITH_DT_F32},
        {ITH_ROLE_REC_DECAY, 0, V, ITH_DT_F32},
        {ITH_ROLE_REC_DT_BIAS, 0, V, ITH_DT_F32},
        {ITH_ROLE_REC_NORM, 0, d->value_dim, ITH_DT_F32},
        {ITH_ROLE_REC_OUT, h, values, dtype},
    };
    return add_all(source, list, sizeof list / sizeof *list, i, 0, err);
}

static ith_status add_mlp(ith_source *source, ith_dtype dtype, int i, ith_error *err)
{
    const ith_hparams *hp = &source->hparams;
    int64_t h = hp->hidden, f = hp->experts.ffn;
    const wanted mlp[] = {{ITH_ROLE_GATE, hp->ffn, h, dtype},
                          {ITH_ROLE_UP, hp->ffn, h, dtype},
                          {ITH_ROLE_DOWN, h, hp->ffn, dtype}},
                 biases[] = {{ITH_ROLE_EXPERTS_GATE_BIAS, hp->experts.n, f, ITH_DT_F32},
                             {ITH_ROLE_EXPERTS_UP_BIAS, hp->experts.n, f, ITH_DT_F32},
                             {ITH_ROLE_EXPERTS_DOWN_BIAS, hp->experts.n, h, ITH_DT_F32}},
                 expert[] = {{ITH_ROLE_EXPERT_GATE, f, h, dtype},
                             {ITH_ROLE_EXPERT_UP, f, h, dtype},
                             {ITH_ROLE_EXPERT_DOWN, h, f, dtype}};

    if (!ith_hparams_has_experts(hp, i))
        return add_all(source, mlp, 3, i, 0, err);
    ITH_TRY(add_router(source, i, err));
    if (hp->experts.bias)
        ITH_TRY(add_all(source, biases, 3, i, 0, err));
    for (int e = 0; e < hp->experts.n; e++)
        ITH_TRY(add_all(source, expert, 3, i, e, err));
    return add_shared(source, dtype, i, err);
}

static ith_status add_tensors(ith_source *source, ith_dtype dtype, ith_error *err)
{
    const ith_hparams *hp = &source->hparams;
    const wanted embedding = {ITH_ROLE_EMBED, hp->n_vocab, hp->hidden, dtype},
                 output = {ITH_ROLE_OUTPUT, hp->n_vocab, hp->hidden, dtype};

    ITH_TRY(add(source, &embedding, 0, 0, err));
    for (int i = 0; i < hp->n_layers; i++) {
        ith_layer_form form = ith_arch_find(hp->architecture)->layer(hp, i);
        if (ith_hparams_traits(hp, i) & ITH_LAYER_RECURRENT) {
            ITH_TRY(has_low_gates(source) ? add_kda(source, dtype, i, err)
                                          : add_delta(source, dtype, i, err));
        } else if (hp->latent.kv_rank > 0) {
            ITH_TRY(add_latent(source, dtype, i, err));
        } else {
            ITH_TRY(add_norm(source, form.sub[0].norm, i, err));
            ITH_TRY(add_attention(source, dtype, i, err));
        }
        ITH_TRY(add_norm(source, form.sub[0].post, i, err));
        ITH_TRY(add_norm(source, form.sub[1].norm, i, err));
        ITH_TRY(add_norm(source, form.sub[1].post, i, err));
        ITH_TRY(add_mlp(source, dtype, i, err));
    }
    ITH_TRY(add_norm(source, ITH_ROLE_OUT_NORM, 0, err));
    if (!hp->tied_embeddings)
        ITH_TRY(add(source, &output, 0, 0, err));
    return ith_tensor_table_index(&source->tensors, err);
}

static bool is_decay(const ith_arch *arch, const ith_tensor *t)
{
    const char *pattern = ith_arch_pattern(arch, false, ITH_ROLE_REC_DECAY), *number;

    number = pattern == NULL ? NULL : strstr(pattern, "%d");
    return number != NULL && ends_with(t->name, number + 2);
}

/* The rate of head i: some forget within a token, others remember hundreds. */
static float decay_of(int64_t head)
{
    return -1.0F / (float)(1 << (3 * (head % 4)));
}

/* n_ones ones, as many decays, then n random numbers with standard deviation `std`. */
static ith_status make_floats(ith_source *source, int64_t n_ones, int64_t n, double std,
                              ith_error *err)
{
    uint64_t x = 88172645463325252u;

    source->floats = calloc((size_t)(2 * n_ones + n), sizeof *source->floats);
    if (source->floats == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for its norms, biases and routers",
                        source->path);
    for (int64_t i = 0; i < n_ones; i++)
        source->floats[i] = 1, source->floats[n_ones + i] = decay_of(i);
    for (int64_t i = 0; i < n; i++)
        put_block(ITH_DT_F32, std, &x, (uint8_t *)(source->floats + 2 * n_ones + i));
    return ITH_OK;
}

/* The router, the gate of shared experts, or biases of experts: floats of several rows. */
static bool is_router(const ith_arch *arch, const ith_tensor *t)
{
    static const ith_role roles[] = {ITH_ROLE_ROUTER, ITH_ROLE_SHARED_WEIGHT,
                                     ITH_ROLE_EXPERTS_GATE_BIAS, ITH_ROLE_EXPERTS_UP_BIAS,
                                     ITH_ROLE_EXPERTS_DOWN_BIAS};

    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        const char *pattern = ith_arch_pattern(arch, false, roles[i]),
                   *number = pattern != NULL ? strstr(pattern, "%d") : NULL;
        if (number != NULL && ends_with(t->name, number + 2))
            return true;
    }
    return false;
}

/* Gives tensors their data: norms and biases are ones, decays differ by head, all routers are
 * alike, and other matrices start at different blocks of the mapping. */
static ith_status give_data(ith_source *source, ith_dtype dtype, ith_error *err)
{
    const ith_hparams *hp = &source->hparams;
    const ith_arch *arch = ith_arch_find(hp->architecture);
    size_t block = (size_t)ith_dtype_get(dtype)->block_bytes, longest = 0;
    int64_t n_ones = 1, n_router = 1, at;

    for (size_t i = 0; i < source->tensors.n; i++) {
        const ith_tensor *t = &source->tensors.items[i];
        longest = t->bytes > longest ? t->bytes : longest;
        n_ones = t->n_dims == 1 ? ith_max(n_ones, t->dims[0]) : n_ones;
        n_router = is_router(arch, t) ? ith_max(n_router, ith_tensor_elements(t)) : n_router;
    }
    ITH_TRY(make_data(source, dtype, longest + STARTS * block, err));
    ITH_TRY(make_floats(source, n_ones, n_router, 1 / sqrt((double)hp->hidden), err));
    for (size_t i = 0; i < source->tensors.n; i++) {
        ith_tensor *t = &source->tensors.items[i];
        at = is_router(arch, t) ? 2 * n_ones : is_decay(arch, t) ? n_ones : 0;
        if (t->n_dims == 1 || is_router(arch, t))
            t->data = (const uint8_t *)(source->floats + at);
        else
            t->data = source->files[0]->data + i * START_STEP % STARTS * block;
    }
    return ITH_OK;
}

ith_status ith_synthetic_open(ith_source *source, unsigned flags, ith_error *err)
{
    ith_dtype dtype = ITH_DT_F32;

    source->kind = ITH_SOURCE_SYNTHETIC;
    source->hparams = ith_hparams_default();
    ITH_TRY(parse_name(source, &dtype, err));
    ITH_TRY(ith_hparams_check(&source->hparams, source->path, err));
    if (flags & ITH_SOURCE_TOKENIZER_ONLY)
        return ITH_OK;
    ITH_TRY(add_tensors(source, dtype, err));
    return give_data(source, dtype, err);
}

/* quantized.c - rows of matrices whose numbers are in several tensors. */
#include "formats/quantized.h"

#include "formats/quantized_impl.h"
#include "simd/half.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP = 32 };

float ith_f8_e4m3(uint8_t x)
{
    const uint32_t sign = (uint32_t)(x & 0x80) << 24, e = x >> 3 & 15, m = x & 7;

    if ((x & 0x7f) == 0x7f)
        return ith_f32_from_bits(sign | 0x7fc00000);
    if (e == 0)
        return ith_f32_from_bits(sign | ith_f32_bits((float)m * 0x1p-9f));
    return ith_f32_from_bits(sign | (e + 120) << 23 | m << 20);
}

static uint32_t word_at(const ith_tensor *t, int64_t i)
{
    uint32_t x;
    memcpy(&x, t->data + 4 * i, sizeof x);
    return x;
}

/* ---- Scales and zero points ---- */

/* 2^(e - 127) */
static float e8m0(uint8_t e)
{
    if (e == 255)
        return NAN;
    return ith_f32_from_bits(e == 0 ? 0x00400000u : (uint32_t)e << 23);
}

float ith_quantized_scale_at(const ith_tensor *scales, int64_t i)
{
    uint16_t h;
    float x;

    switch (scales->dtype) {
    case ITH_DT_F32:
        memcpy(&x, scales->data + 4 * i, sizeof x);
        return x;
    case ITH_DT_F16:
        memcpy(&h, scales->data + 2 * i, sizeof h);
        return ith_f16_to_f32(h);
    case ITH_DT_BF16:
        memcpy(&h, scales->data + 2 * i, sizeof h);
        return ith_bf16_to_f32(h);
    default:
        return e8m0(scales->data[i]);
    }
}

static float scale_of(const ith_quantized *q, int64_t row, int64_t group)
{
    return ith_quantized_scale_at(&q->scales,
                                  row / q->block_rows * q->scale_row + group * q->scale_col);
}

/* Where AutoAWQ puts each row of eight. */
static const uint8_t awq_nibble[8] = {0, 4, 1, 5, 2, 6, 3, 7};

int ith_quantized_zero(const ith_quantized *q, int64_t row, int64_t group)
{
    const int per_word = 32 / q->bits, at = (int)(row % per_word), mask = (1 << q->bits) - 1;
    const int64_t groups = ith_quantized_groups(q), word = row / per_word;
    uint32_t w;

    if (q->zeros.name == NULL)
        return q->form == ITH_FORM_INT8 ? 0 : 1 << (q->bits - 1);
    switch (q->form) {
    case ITH_FORM_INT8:
        return (int8_t)q->zeros.data[row / q->block_rows * q->scale_row + group * q->scale_col];
    case ITH_FORM_PACKED:
        return (int)(word_at(&q->zeros, word * groups + group) >> at * q->bits) & mask;
    case ITH_FORM_AWQ:
        return (int)(word_at(&q->zeros, group * (q->rows / 8) + word) >> awq_nibble[at] * 4) & 15;
    default:
        w = word_at(&q->zeros, group * (q->rows / per_word) + word);
        if (q->zeros_less_one)
            w += q->bits == 4 ? 0x11111111u : 0x01010101u;
        return (int)(w >> at * q->bits) & mask;
    }
}

static int64_t group_of(const ith_quantized *q, int64_t col)
{
    int32_t group;

    if (q->in_order)
        return col / q->block_cols;
    memcpy(&group, q->order.data + 4 * col, sizeof group);
    return group;
}

/* ---- Quants ----
 *
 * Of a row, a byte each: as they are stored, or in INT8 with the top bit flipped. */

static void flip_bytes(const uint8_t *stored, int64_t n, uint8_t *out)
{
    for (int64_t c = 0; c < n; c++)
        out[c] = stored[c] ^ 0x80;
}

static void unpack_nibbles(const uint8_t *stored, int64_t n, uint8_t *out)
{
    for (int64_t c = 0; c < n; c++)
        out[c] = stored[c / 2] >> (c % 2 * 4) & 15;
}

static uint8_t *scratch_row(const ith_quantized *q, uint8_t *scratch, int r)
{
    return scratch + r * (q->cols + ITH_QUANTIZED_PAD);
}

/* Rows whose quants are spread over the tensor, all of them at once: words of one column, or of a
 * few columns, lie together. */
static void gather_awq(const ith_tensor *t, const int64_t rows[16], uint8_t *scratch)
{
    const ith_quantized *q = t->quantized;
    const int64_t words = q->rows / 8;

    for (int64_t c = 0; c < q->cols; c++)
        for (int r = 0; r < 16; r++)
            if (rows[r] >= 0)
                scratch_row(q, scratch, r)[c] =
                    (uint8_t)(word_at(t, c * words + rows[r] / 8) >> awq_nibble[rows[r] % 8] * 4 &
                              15);
}

static void gather_gptq(const ith_tensor *t, const int64_t rows[16], uint8_t *scratch)
{
    const ith_quantized *q = t->quantized;
    const int per_word = 32 / q->bits, mask = (1 << q->bits) - 1;

    for (int64_t k = 0; k < q->cols / per_word; k++)
        for (int r = 0; r < 16; r++) {
            uint8_t *out = scratch_row(q, scratch, r) + k * per_word;
            uint32_t w = rows[r] >= 0 ? word_at(t, k * q->rows + rows[r]) : 0;
            for (int i = 0; i < per_word && rows[r] >= 0; i++)
                out[i] = (uint8_t)(w >> i * q->bits & (unsigned)mask);
        }
}

/* Blocks of GGML's MXFP4: columns i and i + 16 share a byte. */
static void make_mxfp4(const ith_quantized *q, int64_t row, const uint8_t *stored, uint8_t *out)
{
    const uint8_t *e = q->scales.data + row * (q->cols / GROUP);

    for (int64_t g = 0; g < q->cols / GROUP; g++, stored += GROUP / 2, out += 1 + GROUP / 2) {
        uint8_t u[GROUP];
        unpack_nibbles(stored, GROUP, u);
        out[0] = e[g];
        for (int i = 0; i < GROUP / 2; i++)
            out[1 + i] = (uint8_t)(u[i] | u[i + GROUP / 2] << 4);
    }
}

/* The quants of row r of the sixteen. */
static const uint8_t *quants_of(const ith_quantized *q, const uint8_t *stored, uint8_t *scratch)
{
    switch (q->form) {
    case ITH_FORM_F8:
        return stored;
    case ITH_FORM_INT8:
        flip_bytes(stored, q->cols, scratch);
        return scratch;
    case ITH_FORM_PACKED:
        if (q->bits == 8)
            return stored;
        unpack_nibbles(stored, q->cols, scratch);
        return scratch;
    default:
        return scratch;
    }
}

/* What a stored quant of a byte means without a zero point. */
static float value_of(const ith_quantized *q, uint8_t u)
{
    if (q->form == ITH_FORM_F8)
        return ith_f8_e4m3(u);
    return (float)u - (q->form == ITH_FORM_INT8 ? 128.0f : 0.0f);
}

/* ---- Rows ---- */

/* Columns that share a group: from `col` on, at most to the end. */
static int64_t run_of(const ith_quantized *q, int64_t col)
{
    int64_t end = q->in_order ? (col / q->block_cols + 1) * q->block_cols : col + 1;
    return (end < q->cols ? end : q->cols) - col;
}

static void make_floats(const ith_quantized *q, int64_t row, const uint8_t *u, float *out)
{
    for (int64_t c = 0, n; c < q->cols; c += n) {
        const int64_t group = group_of(q, c);
        const float s = scale_of(q, row, group),
                    z = q->form == ITH_FORM_F8 ? 0 : (float)ith_quantized_zero(q, row, group);
        n = run_of(q, c);
        for (int64_t i = c; i < c + n; i++)
            out[i] = (value_of(q, u[i]) - z) * s;
    }
}

/* Blocks of 32 with d = s: Q4_0 holds q - z + 8, Q5_0 q - z + 16, Q8_0 q - z (formats/blocks.c). */
static void make_blocks(const ith_quantized *q, ith_dtype dtype, int64_t row, const uint8_t *u,
                        uint8_t *out)
{
    const ith_dtype_info *info = ith_dtype_get(dtype);
    const int zero = dtype == ITH_DT_Q4_0 ? 8 : dtype == ITH_DT_Q5_0 ? 16 : 0;

    for (int64_t c = 0; c < q->cols; c += GROUP, u += GROUP, out += info->block_bytes) {
        const int64_t group = c / q->block_cols;
        const uint16_t d = ith_f32_to_f16(scale_of(q, row, group));
        const int add = zero - (q->form == ITH_FORM_INT8 ? 128 : ith_quantized_zero(q, row, group));
        uint8_t *qs = out + info->block_bytes - (dtype == ITH_DT_Q8_0 ? 32 : 16);
        uint32_t fifth = 0;

        memcpy(out, &d, sizeof d);
        for (int i = 0; dtype == ITH_DT_Q8_0 && i < GROUP; i++)
            qs[i] = (uint8_t)(u[i] + add);
        for (int i = 0; dtype != ITH_DT_Q8_0 && i < GROUP / 2; i++) {
            const unsigned low = (unsigned)(u[i] + add), high = (unsigned)(u[i + 16] + add);
            qs[i] = (uint8_t)((low & 15) | (high & 15) << 4);
            fifth |= (low >> 4 & 1) << i | (high >> 4 & 1) << (i + 16);
        }
        if (dtype == ITH_DT_Q5_0)
            memcpy(out + 2, &fifth, sizeof fifth);
    }
}

void ith_quantized_rows(const ith_tensor *t, const int64_t rows[16],
                        const uint8_t *const stored[16], uint8_t *scratch, uint8_t *const out[16])
{
    const ith_quantized *q = t->quantized;

    if (q->form == ITH_FORM_AWQ)
        gather_awq(t, rows, scratch);
    if (q->form == ITH_FORM_GPTQ)
        gather_gptq(t, rows, scratch);
    for (int r = 0; r < 16; r++) {
        const uint8_t *u;
        if (rows[r] < 0)
            continue;
        if (q->form == ITH_FORM_MXFP4) {
            make_mxfp4(q, rows[r], stored[r], out[r]);
            continue;
        }
        u = quants_of(q, stored[r], scratch_row(q, scratch, r));
        if (t->dtype == ITH_DT_F32)
            make_floats(q, rows[r], u, (float *)(void *)out[r]);
        else
            make_blocks(q, t->dtype, rows[r], u, out[r]);
    }
}

size_t ith_quantized_bytes(const ith_tensor *t)
{
    const ith_quantized *q = t->quantized;
    return t->bytes + q->scales.bytes + q->zeros.bytes + q->order.bytes;
}

void ith_quantized_list_free(ith_quantized_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        ith_quantized *q = &list->items[i];
        const ith_tensor *const companions[] = {&q->scales, &q->zeros, &q->order};
        for (int k = 0; k < 3; k++)
            free((char *)(uintptr_t)companions[k]->name);
    }
    free(list->items);
    *list = (ith_quantized_list){0};
}

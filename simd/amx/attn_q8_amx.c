/* attn_q8_amx.c - attention over the int8 cache by AMX.
 *
 * Up to 32 rows pass over a segment together. Keys and values lie in memory as the second operand
 * of the products: of keys 64 channels by 16 keys, of values 64 keys by 16 channels. The first
 * operand is 16 rows of queries, or of weights as bytes. The stages in between are those of the
 * other levels with 512-bit registers, four rows at a time (avx512bw/attn_q8_frame_avx512.h); tiles
 * work beside them: while the scores of a block become weights, its rows are multiplied with the
 * keys of the next block, and while sums of values are added to the outputs, the next channels are
 * multiplied.
 *
 * Few rows, latents and head sizes that are no multiple of 64 stay with the level below.
 */
#include "simd/amx/tiles_amx.h"
#include "simd/avx512bw/vec_avx512.h"
#include "simd/variants.h"

enum { KEYS_BIASED = 1 };

/* The products have been made: q[r] is a row of them. */
ITH_INLINE void dot_keys(const int rows, const bool fetch, const uint8_t *keys, int dp,
                         const int8_t *const q[], __m512i dot[][4], const uint8_t *next)
{
    (void)fetch, (void)keys, (void)dp, (void)next;
    EACH_ROW
    {
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++)
            dot[r][k] = _mm512_load_si512(q[r] + 64 * k);
    }
}

#include "simd/avx512bw/attn_q8_units_avx512.h"

enum {
    FEW_ROWS = 8,   /* for which the level below is faster */
    TILE_ROWS = 16, /* of a tile; also keys or channels */
    STEP = 64,      /* channels in a tile of queries */
    STEPS = EXACT_DIM / STEP,
    GROUPS = 2, /* tiles of rows in a pass */
    QUADS = GROUPS * TILE_ROWS / QUAD,
    HALF = ITH_KV_BLOCK / 2, /* keys, or channels, of two tiles */
    KEY_ROW = ITH_KV_BLOCK * 4
};

/* The rows of a pass. */
typedef struct pass_rows {
    int8_t queries[GROUPS][STEPS][TILE_ROWS][STEP]; /* zeros in rows not in use */
    int32_t starts[GROUPS][TILE_ROWS][16];          /* what products with keys start from */
    int32_t dots[GROUPS * TILE_ROWS][ITH_KV_BLOCK];
    uint8_t weights[GROUPS * TILE_ROWS][ITH_KV_BLOCK];
    int32_t sums[2][GROUPS * TILE_ROWS][HALF]; /* of values: those being added, and the next */
    quad_state quads[QUADS];
    unit_q8 units[QUADS];
    block_q8 block;
    int n_quads, n_units, head_dim;
    int64_t visible, from; /* keys that some row sees */
} __attribute__((aligned(64))) pass_rows;

/* ---- Keys ---- */

/* Products of all rows, in one tile of them or two, with half of a block's keys. */
ITH_INLINE void multiply_keys(const bool two, const pass_rows *p, const uint8_t *keys, int half)
{
    const uint8_t *at = keys + half * (KEY_ROW / 2);
    tile_load(0, p->starts[0], 64);
    tile_load(1, p->starts[0], 64);
    if (two) {
        tile_load(2, p->starts[1], 64);
        tile_load(3, p->starts[1], 64);
    }
    for (int step = 0; step < p->head_dim / STEP; step++, at += STEP / 4 * KEY_ROW) {
        tile_load(4, p->queries[0][step], STEP);
        tile_load(6, at, KEY_ROW);
        tile_add_su(0, 4, 6);
        tile_load(7, at + 64, KEY_ROW);
        tile_add_su(1, 4, 7);
        if (two) {
            tile_load(5, p->queries[1][step], STEP);
            tile_add_su(2, 5, 6);
            tile_add_su(3, 5, 7);
        }
    }
}

ITH_INLINE void store_dots(const bool two, pass_rows *p, int half)
{
    tile_store(0, p->dots[0] + HALF * half, KEY_ROW);
    tile_store(1, p->dots[0] + HALF * half + 16, KEY_ROW);
    if (two) {
        tile_store(2, p->dots[TILE_ROWS] + HALF * half, KEY_ROW);
        tile_store(3, p->dots[TILE_ROWS] + HALF * half + 16, KEY_ROW);
    }
}

/* ---- Stages ---- */

static __attribute__((noinline)) void score_full(unit_q8 *w)
{
    score(QUAD, true, false, false, w, EXACT_DIM);
}

static void score_units(pass_rows *p)
{
    for (int i = 0; i < p->n_units; i++)
        if (p->units[i].full && !p->units[i].capped)
            score_full(&p->units[i]);
        else
            score_rows(&p->units[i], EXACT_DIM);
}

/* Weighs the units; meanwhile multiplies with the keys of the next block unless next is NULL. */
ITH_INLINE void weigh_units(const bool two, pass_rows *p, const uint8_t *next)
{
    for (int i = 0; i < 3 || i < p->n_units; i++) {
        if (next && i > 0 && i < 3)
            store_dots(two, p, i - 1);
        if (next && i < 2)
            multiply_keys(two, p, next, i);
        if (i < p->n_units)
            weigh_unit(&p->units[i]);
    }
}

static void pack_units(pass_rows *p)
{
    for (int i = 0; i < p->n_units; i++) {
        unit_q8 *w = &p->units[i];
        pack_unit(w);
        memcpy(p->weights[QUAD * (w->s - p->quads)], w->u, sizeof w->u);
        if (w->risen)
            scale_outputs(w, p->head_dim);
    }
}

/* ---- Values ---- */

/* Products of the weights, in tiles 4 and 5, with 32 channels of a block's values. */
ITH_INLINE void multiply_values(const bool two, const pass_rows *p, int channel)
{
    const int stride = 4 * p->head_dim;
    const int8_t *at = p->block.values + 4 * channel;
    tile_zero(0);
    tile_load(6, at, stride);
    tile_add_us(0, 4, 6);
    tile_zero(1);
    tile_load(7, at + 64, stride);
    tile_add_us(1, 4, 7);
    if (two) {
        tile_zero(2);
        tile_add_us(2, 5, 6);
        tile_zero(3);
        tile_add_us(3, 5, 7);
    }
}

ITH_INLINE void store_sums(const bool two, int32_t (*sums)[HALF])
{
    tile_store(0, sums[0], HALF * 4);
    tile_store(1, sums[0] + 16, HALF * 4);
    if (two) {
        tile_store(2, sums[TILE_ROWS], HALF * 4);
        tile_store(3, sums[TILE_ROWS] + 16, HALF * 4);
    }
}

static void add_sums(const pass_rows *p, const int32_t (*sums)[HALF], int channel)
{
    for (int i = 0; i < p->n_units; i++) {
        const unit_q8 *w = &p->units[i];
        const int32_t(*of_quad)[HALF] = sums + QUAD * (w->s - p->quads);
        for (int r = 0; r < w->s->rows; r++) {
            const __m512 unit = _mm512_set1_ps(w->unit[r]);
            float *o = w->s->o[r] + channel;
            if (!(w->alive >> (4 * r) & 1))
                continue;
#pragma GCC unroll 2
            for (int v = 0; v < HALF; v += 16)
                _mm512_storeu_ps(
                    o + v, _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_load_si512(of_quad[r] + v)),
                                           unit, _mm512_loadu_ps(o + v)));
        }
    }
}

ITH_INLINE void add_values(const bool two, pass_rows *p)
{
    tile_load(4, p->weights[0], ITH_KV_BLOCK);
    if (two)
        tile_load(5, p->weights[TILE_ROWS], ITH_KV_BLOCK);
    multiply_values(two, p, 0);
    for (int c = 0; c < p->head_dim; c += HALF) {
        int32_t(*sums)[HALF] = p->sums[c / HALF % 2];
        store_sums(two, sums);
        if (c + HALF < p->head_dim)
            multiply_values(two, p, c + HALF);
        add_sums(p, (const int32_t(*)[HALF])sums, c);
    }
}

/* ---- A pass ---- */

/* Prepares up to 32 rows of the call, from first_row on. */
static void open_pass(pass_rows *p, const ith_attn *a, int64_t first_row)
{
    const int64_t left = (int64_t)a->n_tokens * a->n_heads - first_row;
    p->n_quads = left < QUADS * QUAD ? (int)((left + QUAD - 1) / QUAD) : QUADS;
    p->head_dim = a->head_dim;
    p->visible = 0;
    p->from = ITH_KV_SEGMENT;
    memset(p->queries, 0, sizeof p->queries);
    memset(p->starts, 0, sizeof p->starts);
    memset(p->weights, 0, sizeof p->weights);
    for (int i = 0; i < p->n_quads; i++) {
        quad_state *s = &p->quads[i];
        open_rows(s, a, first_row + i * QUAD);
        p->visible = s->visible_max > p->visible ? s->visible_max : p->visible;
        p->from = s->from_least < p->from ? s->from_least : p->from;
        for (int r = 0; r < s->rows; r++) {
            const int row = i * QUAD + r, group = row / TILE_ROWS;
            for (int step = 0; step < a->head_dim / STEP; step++)
                memcpy(p->queries[group][step][row % TILE_ROWS],
                       (const int8_t *)s->q[r] + step * STEP, STEP);
            _mm512_store_si512(p->starts[group][row % TILE_ROWS], s->start[r]);
            s->q[r] = p->dots[row];
        }
    }
}

/* Attention of the rows to a block, with whose keys they have been multiplied. */
ITH_INLINE void attend_block(const bool two, pass_rows *p, const ith_attn *a, int64_t first)
{
    const size_t bytes = ith_attn_block_bytes(a, ITH_KVL_Q8);
    open_block(&p->block, a, first, p->visible);
    p->n_units = open_units(p->units, p->quads, p->n_quads, &p->block, 1, a);
    score_units(p);
    weigh_units(two, p, first + ITH_KV_BLOCK < p->visible ? p->block.keys + bytes : NULL);
    pack_units(p);
    add_values(two, p);
}

ITH_INLINE void attend(const bool two, pass_rows *p, const ith_attn *a)
{
    const int64_t begin = p->from / ITH_KV_BLOCK;
    const uint8_t *keys =
        (const uint8_t *)a->segment + (size_t)begin * ith_attn_block_bytes(a, ITH_KVL_Q8);
    if (begin * ITH_KV_BLOCK >= p->visible)
        return;
    for (int half = 0; half < 2; half++) {
        multiply_keys(two, p, keys, half);
        store_dots(two, p, half);
    }
    for (int64_t first = begin * ITH_KV_BLOCK; first < p->visible; first += ITH_KV_BLOCK)
        attend_block(two, p, a, first);
}

static __attribute__((noinline)) void attend_one(pass_rows *p, const ith_attn *a)
{
    attend(false, p, a);
}
static __attribute__((noinline)) void attend_two(pass_rows *p, const ith_attn *a)
{
    attend(true, p, a);
}

static void configure(void)
{
    tile_shapes shapes = {.palette = 1};
    for (int i = 0; i < 8; i++)
        shapes.rows[i] = TILE_ROWS, shapes.row_bytes[i] = 64;
    tile_configure(&shapes);
}

void ITH_TILES(ith_attn_q8)(const ith_attn *a)
{
    const int64_t n_rows = (int64_t)a->n_tokens * a->n_heads;
    pass_rows p;

    if (n_rows <= FEW_ROWS || a->values != NULL || a->head_dim % STEP != 0 ||
        a->head_dim > EXACT_DIM) {
        ith_attn_q8__avx512(a);
        return;
    }
    configure();
    for (int64_t first = 0; first < n_rows; first += QUADS * QUAD) {
        open_pass(&p, a, first);
        (p.n_quads * QUAD > TILE_ROWS ? attend_two : attend_one)(&p, a);
        for (int i = 0; i < p.n_quads; i++)
            close_quad(&p.quads[i], a, first + i * QUAD);
    }
}

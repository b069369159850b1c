/* bench_products.c - weights times activations, for every layout, every matrix of a layer and a
 * range of token counts. */
#include "tools/lines.h"

#include "base/mem.h"
#include "model/acts.h"
#include "simd/tile.h"

#include <stdio.h>

/* Multiplies n_tiles tiles with tokens [t, t + n). */
static void multiply(const ith_line *l, int64_t t, int64_t n, int64_t n_tiles, const uint8_t *tiles,
                     float *out)
{
    ith_acts acts = ith_acts_at(&l->acts, t);

    l->kernels->gemm[l->layout](n_tiles, n, tiles, &acts, out, l->rows);
}

static void product(const ith_line *l, const ith_member *me, int64_t run)
{
    int64_t n_tiles = l->rows / ITH_TILE_ROWS;
    size_t tile = ith_tile_bytes(l->layout, (size_t)l->acts.groups);
    ith_range mine = ith_my_share(me, n_tiles, 1);

    for (int64_t i = 0; i < l->per_run; i++) {
        int64_t copy = (l->first + run * l->per_run + i) % l->copies;
        int64_t block = l->block > 0 ? l->block : l->tokens;
        const uint8_t *tiles = l->pool + (size_t)(copy * n_tiles + mine.begin) * tile;
        for (int64_t t = 0; t < l->tokens; t += block)
            multiply(l, t, l->tokens - t < block ? l->tokens - t : block, ith_range_size(mine),
                     tiles, l->out + t * l->rows + mine.begin * ITH_TILE_ROWS);
    }
}

/* Writes the input 1, -1, 1, ... as floats, and as the kernel table quantizes them. */
static ith_status prepare_input(const ith_kernel_bench *b, ith_line *l, ith_error *err)
{
    int64_t cols = l->acts.groups * ITH_GROUP;
    size_t n = (size_t)(l->tokens * l->acts.groups), outputs = (size_t)(l->tokens * l->rows);

    ITH_TRY(ith_mem_alloc(ITH_MEM_OTHER, n * (ITH_GROUP * 5 + 28) + outputs * 4,
                          "a product's operands", &l->memory, err));
    l->out = l->memory;
    l->x = l->out + outputs;
    l->acts.scales = l->x + n * ITH_GROUP;
    l->acts.sums = l->acts.scales + n;
    l->acts.shifts = l->acts.sums + n;
    l->acts.start8 = (int32_t *)(void *)(l->acts.shifts + n);
    l->acts.start128 = l->acts.start8 + n;
    l->acts.half128 = l->acts.start128 + n;
    l->acts.quants = (int8_t *)(void *)(l->acts.half128 + 2 * n);
    l->acts.x = l->x;
    l->acts.ld_x = l->acts.n_cols = l->cols;
    for (size_t i = 0; i < n * ITH_GROUP; i++)
        l->x[i] = i % 2 ? 1.0f : -1.0f;
    for (int64_t t = 0; t < l->tokens; t++)
        b->kernels->quantize(cols, l->x + t * cols, &l->acts, t, 0);
    return ITH_OK;
}

ith_status ith_line_product(const ith_kernel_bench *b, ith_layout layout, int64_t rows,
                            int64_t cols, int64_t tokens, ith_line *l, ith_error *err)
{
    int64_t n_tiles = (rows + ITH_TILE_ROWS - 1) / ITH_TILE_ROWS, fit;

    *l = (ith_line){.fn = product, .layout = layout, .cols = cols, .tokens = tokens, .per_run = 1};
    l->acts.groups = (cols + ITH_GROUP - 1) / ITH_GROUP;
    fit = (int64_t)(ith_line_pool(b) / ith_tile_bytes(layout, (size_t)l->acts.groups));
    if (fit == 0)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "a buffer of %zu bytes is too small for a matrix of %lld columns",
                        ith_line_pool(b), (long long)cols);
    if (n_tiles > fit)
        n_tiles = fit;
    l->rows = n_tiles * ITH_TILE_ROWS;
    l->copies = fit / n_tiles;
    return prepare_input(b, l, err);
}

double ith_line_product_ops(const ith_line *l)
{
    return 2.0 * (double)(l->rows * l->cols * l->tokens);
}

static ith_status bench_product(ith_kernel_bench *b, const char *operand, int64_t rows,
                                int64_t cols, ith_layout layout, int64_t tokens, ith_error *err)
{
    ith_line l;
    ith_status status;
    char name[32];

    snprintf(name, sizeof name, "gemm_%s", ith_layout_name(layout));
    if (!ith_line_begins(b, name, operand, tokens))
        return ITH_OK;
    status = ith_line_product(b, layout, rows, cols, tokens, &l, err);
    if (status == ITH_OK) {
        size_t bytes =
            ith_tile_bytes(layout, (size_t)l.acts.groups) * (size_t)(l.rows / ITH_TILE_ROWS);
        l.per_run = ith_line_copies(b, bytes);
        ith_line_measure(b, name, operand, &l, ith_line_product_ops(&l), (double)bytes,
                         ith_layout_is_quantized(layout) ? b->ceilings.integer_ops
                                                         : b->ceilings.f32_ops);
    }
    ith_line_close(&l);
    return status;
}

/* Are rows whole blocks of the layout? */
static bool fits(ith_layout layout, int64_t cols)
{
    return ith_tile_block(layout) == 1 || cols % (ITH_GROUP * ith_tile_block(layout)) == 0;
}

ith_status ith_bench_products(ith_kernel_bench *b, ith_error *err)
{
    static const int64_t tokens[] = {1, 2, 4, 8, 16, 96};
    const ith_hparams *hp = &b->hp;
    int64_t q = hp->n_heads * hp->head_dim, kv = hp->n_kv_heads * hp->head_dim;
    int64_t ffn = hp->experts.n > 0 ? hp->experts.ffn : hp->ffn;
    const struct {
        const char *name;
        int64_t rows, cols;
    } operands[] = {{"q", q, hp->hidden},      {"kv", kv, hp->hidden},
                    {"o", hp->hidden, q},      {"gate", ffn, hp->hidden},
                    {"down", hp->hidden, ffn}, {"output", hp->n_vocab, hp->hidden}};

    for (ith_layout layout = 0; layout < ITH_LAYOUTS; layout++)
        for (size_t i = 0;
             b->kernels->gemm[layout] != NULL && i < sizeof operands / sizeof *operands; i++)
            for (size_t j = 0; j < sizeof tokens / sizeof *tokens && fits(layout, operands[i].cols);
                 j++)
                ITH_TRY(bench_product(b, operands[i].name, operands[i].rows, operands[i].cols,
                                      layout, tokens[j], err));
    return ITH_OK;
}

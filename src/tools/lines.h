/* lines.h - the lines of `ithaca bench kernels`: how each is selected, run and reported.
 *
 * A line is one kernel at one size. A team of threads runs it again and again.
 *
 * Operands that a model reads from memory (weights, caches) come from one pool that is larger than
 * the caches. Each run uses the next copy of its operand there. The bytes of the pool are valid
 * numbers as f16 and bf16 too, so one pool serves every layout. The values have no influence on a
 * kernel's time.
 */
#ifndef ITH_TOOLS_LINES_H
#define ITH_TOOLS_LINES_H

#include "base/caches.h"
#include "model/blocks/block.h"
#include "tools/ceilings.h"
#include "tools/vectors.h"

typedef struct ith_kernel_bench {
    const ith_bench_kernels_params *params;
    ith_team *team;
    const uint8_t *pool;
    size_t pool_bytes;
    size_t pool_at; /* where the last line ended; the next line starts there, with cold memory */
    const ith_kernels *kernels;
    ith_caches caches; /* they determine the tiles of prefill attention */
    ith_ceilings ceilings;
    const char *shape;
    ith_hparams hp;
    json_t *results;
    int64_t done, total; /* lines */
    bool counting;       /* the first round only counts the lines */
    bool cancelled;
} ith_kernel_bench;

/* One line, as a job of the team: each member runs `fn` on its share. */
typedef struct ith_line ith_line;
struct ith_line {
    void (*fn)(const ith_line *l, const ith_member *me, int64_t run);
    const ith_kernels *kernels;
    const uint8_t *pool;
    double seconds; /* to run for */
    double best_s;  /* of the fastest run */
    double later_s; /* of all runs together except the first, which may meet cold caches */
    int64_t runs;
    bool go_on;
    int64_t copies;  /* of the operand in the pool */
    int64_t first;   /* the copy that the first run starts with */
    int64_t per_run; /* copies that each run uses */

    /* Products. */
    ith_layout layout;
    int64_t rows, cols, tokens;
    int64_t block; /* tokens that a thread takes through all its tiles at a time; 0: all */
    ith_acts acts;
    float *x, *out; /* [tokens][cols], [tokens][rows] */

    /* Attention. */
    ith_kv_layout kv;
    int head_dim, group;
    int value_dim;      /* of latents; 0: none */
    int64_t n_segments; /* in each copy */
    uint8_t *values;    /* latents: [threads] the values of a segment */
    void *q;
    float *q_scale;

    /* Vectors. */
    const ith_vector_kernel *vector;
    ith_vector_buffers buffers;
    int64_t calls;

    void *memory; /* of the operands that are not in the pool */
};

/* Returns true if the line "KERNEL SHAPE.OPERAND TOKENS" is to be measured: the filter selects it
 * and the first round is over. Counts the line and reports progress. */
bool ith_line_begins(ith_kernel_bench *b, const char *kernel, const char *operand, int64_t tokens);

/* Bytes of the pool that a line may use. */
size_t ith_line_pool(const ith_kernel_bench *b);

/* Copies of `bytes` that one run uses, so that it reads enough memory to be timed. */
int64_t ith_line_copies(const ith_kernel_bench *b, size_t bytes);

/* These three prepare the operands of a line for b->kernels, b->pool and b->team. Release them with
 * ith_line_close, after a failure too. ITH_E_ARGUMENT: the pool is too small; ITH_E_MEMORY. */

/* A matrix [rows][cols] times the activations of `tokens` tokens. The matrix has fewer rows if the
 * pool is too small. */
ith_status ith_line_product(const ith_kernel_bench *b, ith_layout layout, int64_t rows,
                            int64_t cols, int64_t tokens, ith_line *l, ith_error *err);

/* The queries of a tile against segments of the KV cache. With one token the segments come from
 * memory, with more they stay in the CPU's caches. */
ith_status ith_line_attention(const ith_kernel_bench *b, ith_kv_layout kv, const ith_key_tile *tile,
                              ith_line *l, ith_error *err);

void ith_line_close(ith_line *l);

/* Bytes of one segment of an attention line's KV cache. */
size_t ith_line_segment_bytes(const ith_line *l);

/* Multiplications and additions that a product or attention line needs for one copy. */
double ith_line_product_ops(const ith_line *l);
double ith_line_attention_ops(const ith_line *l);

/* Runs the line on the bench's team for params->seconds, and at least three times. */
void ith_line_run(const ith_kernel_bench *b, ith_line *l);

/* Mean seconds of a run, the first run excluded. */
double ith_line_mean_s(const ith_line *l);

/* The JSON fields that all lines have. `s`: seconds of one call. */
json_t *ith_line_describe(const ith_kernel_bench *b, const char *kernel, const char *operand,
                          const ith_line *l, double s);

/* Runs a product or attention line and appends its figures to the results. One copy needs `ops`
 * operations and reads `bytes` from memory (0: its operands stay in cache). */
void ith_line_measure(ith_kernel_bench *b, const char *kernel, const char *operand, ith_line *l,
                      double ops, double bytes, double ops_ceiling);

/* All lines of one family for b->shape. */
ith_status ith_bench_products(ith_kernel_bench *b, ith_error *err);
ith_status ith_bench_attentions(ith_kernel_bench *b, ith_error *err);
ith_status ith_bench_vectors(ith_kernel_bench *b, ith_error *err);

#endif

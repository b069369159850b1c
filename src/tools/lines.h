/* lines.h - the lines of `ithaca bench kernels`: how each is chosen, run by a team again and again, and reported.
 *
 * All operands that a model reads from memory (weights, caches) come from one pool beyond the caches: each run takes the next
 * copy of its matrix there. The pool's bytes are sane as f16 and bf16 too, so that it serves every layout. What a product
 * multiplies does not change its time.
 */
#ifndef ITH_TOOLS_LINES_H
#define ITH_TOOLS_LINES_H

#include "base/caches.h"
#include "tools/ceilings.h"
#include "tools/vectors.h"

typedef struct ith_kernel_bench {
    const ith_bench_kernels_params *params;
    ith_team *team;
    const uint8_t *pool;
    size_t pool_bytes, pool_at; /* pool_at: where the last line ended, so that the next one begins with cold memory */
    const ith_kernels *kernels;
    ith_caches caches; /* by which prefill attention is cut into tiles */
    ith_ceilings ceilings;
    const char *shape;
    ith_hparams hp;
    json_t *results;
    int64_t done, total; /* lines */
    bool counting;       /* a first round only counts the lines */
    bool cancelled;
} ith_kernel_bench;

/* One line of the result, as a job of the team: members run fn on their shares. */
typedef struct ith_line ith_line;
struct ith_line {
    void (*fn)(const ith_line *l, const ith_member *me, int64_t run);
    const ith_kernels *kernels;
    const uint8_t *pool;
    double seconds, best_s;
    double later_s; /* of all runs but the first, which may meet cold caches, together */
    int64_t runs;
    bool go_on;
    int64_t copies, first; /* of the operand in the pool; the one to begin with */
    int64_t per_run;       /* copies that a run goes through */
    /* products */
    ith_layout layout;
    int64_t rows, cols, tokens;
    int64_t block; /* tokens that pass by all tiles of a thread at a time; 0: all */
    ith_acts acts;
    float *x, *out; /* [tokens][cols], [tokens][rows] */
    /* attention */
    ith_kv_layout kv;
    int head_dim, group;
    int64_t n_segments; /* in each copy */
    void *q;
    float *q_scale;
    /* vectors */
    const ith_vector_kernel *vector;
    ith_vector_buffers buffers;
    int64_t calls;
    void *memory; /* of the operands that are not in the pool */
};

/* Is the line "KERNEL SHAPE.PART TOKENS" wanted? Counts it, and reports progress. */
bool ith_line_begins(ith_kernel_bench *b, const char *kernel, const char *part, int64_t tokens);

/* Bytes of the pool that a line may use, and copies of `bytes` that one run goes through. */
size_t ith_line_pool(const ith_kernel_bench *b);
int64_t ith_line_copies(const ith_kernel_bench *b, size_t bytes);

/* Operands of a line of each kind, for b->kernels, b->pool and b->team; freed by ith_line_close, after failures too.
 *   product    a matrix [rows][cols], fewer rows if the pool holds no more, with so many tokens
 *   attention  queries of `tokens` tokens, `group` heads each, with segments of the cache: of one token, from memory; of more, in cache
 *   vector     calls of about 2^16 elements together */
ith_status ith_line_product(const ith_kernel_bench *b, ith_layout layout, int64_t rows, int64_t cols, int64_t tokens,
                            ith_line *l, ith_error *err);
ith_status ith_line_attention(const ith_kernel_bench *b, ith_kv_layout kv, int head_dim, int group, int64_t tokens,
                              ith_line *l, ith_error *err);
ith_status ith_line_vector(const ith_vector_kernel *v, const ith_hparams *hp, ith_line *l, ith_error *err);
void ith_line_close(ith_line *l);

size_t ith_line_segment_bytes(const ith_line *l); /* of an attention line's cache */

/* Multiplications and additions of a run of a product or attention, each copy's counted once. */
double ith_line_product_ops(const ith_line *l);
double ith_line_attention_ops(const ith_line *l);

/* Runs it on the bench's team until params->seconds have passed; best_s is the best run's time. */
void ith_line_run(const ith_kernel_bench *b, ith_line *l);
/* Seconds of a run, as a rule: the mean of all but the first. */
double ith_line_mean_s(const ith_line *l);

/* The fields that all lines have; s: seconds of one call. */
json_t *ith_line_describe(const ith_kernel_bench *b, const char *kernel, const char *part, const ith_line *l, double s);

/* Runs a product of `ops` operations a copy, over operands of `bytes` from memory (0: from cache), and keeps its figures. */
void ith_line_measure(ith_kernel_bench *b, const char *kernel, const char *part, ith_line *l, double ops, double bytes,
                      double ops_ceiling);

/* All lines of a kind for b->shape. */
ith_status ith_bench_products(ith_kernel_bench *b, ith_error *err);
ith_status ith_bench_attentions(ith_kernel_bench *b, ith_error *err);
ith_status ith_bench_vectors(ith_kernel_bench *b, ith_error *err);

#endif

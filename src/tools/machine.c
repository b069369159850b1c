/* machine.c - the rates of a machine for any number of threads, tokens and rows. */
#include "tools/machine.h"

#include "simd/tile.h"

#include <stdio.h>

static double least(double a, double b)
{
    return a < b ? a : b;
}

/* ---- Machines of which little is known ---- */

ith_machine ith_machine_assumed(int cores, double read_bytes, double integer_ops)
{
    ith_machine m = {.cores = cores, .memory_nodes = 1, .caches = ith_caches_default()};

    snprintf(m.name, sizeof m.name, "a machine of %d cores", cores);
    /* Multiplying bytes takes a quarter of the instructions that floats take. */
    m.rates[m.n_rates++] = (ith_machine_rate){.threads = cores,
                                              .read_bytes = read_bytes,
                                              .integer_ops = integer_ops,
                                              .float_ops = integer_ops / 4};
    return m;
}

static double weight_bytes(ith_layout layout)
{
    return (double)ith_tile_bytes(layout, 1024) / (1024 * ITH_GROUP * ITH_TILE_ROWS);
}

static double bytes_of_key(ith_kv_layout kv, int64_t head_dim)
{
    return (double)ith_kv_block_bytes(kv, (int)head_dim) / ITH_KV_BLOCK;
}

/* The rate `ops` of a kernel that needs `s` seconds for something of which it reads `bytes`, once
 * memory and arithmetic are so many times as fast. */
static double scaled(const ith_machine *m, double ops, double s, double bytes, double memory,
                     double arithmetic)
{
    double reading = least(bytes / m->rates[m->n_rates - 1].read_bytes / s, 1);
    return ops / (reading / memory + (1 - reading) / arithmetic);
}

/* Attention of many rows finds the keys in the cores' caches. */
static void scale(ith_machine *m, double memory, double arithmetic)
{
    for (int i = 0; i < m->n_products; i++) {
        ith_machine_product *p = &m->products[i];
        p->ops = scaled(m, p->ops, 2 * (double)p->tokens / p->ops, weight_bytes(p->layout), memory,
                        arithmetic);
    }
    for (int i = 0; i < m->n_attention; i++) {
        ith_machine_attention *a = &m->attention[i];
        bool few = a->rows <= ITH_MACHINE_FEW_ROWS;
        a->ops = scaled(m, a->ops, 4 * (double)(a->rows * a->head_dim) / a->ops,
                        few ? bytes_of_key(a->kv, a->head_dim) : 0, memory, arithmetic);
    }
    for (int i = 0; i < m->n_rates; i++) {
        m->rates[i].read_bytes *= memory;
        m->rates[i].few_bytes *= memory;
        m->rates[i].integer_ops *= arithmetic;
        m->rates[i].float_ops *= arithmetic;
    }
}

void ith_machine_set_read(ith_machine *m, double read_bytes)
{
    scale(m, read_bytes / m->rates[m->n_rates - 1].read_bytes, 1);
}

void ith_machine_set_integer(ith_machine *m, double integer_ops)
{
    scale(m, 1, integer_ops / m->rates[m->n_rates - 1].integer_ops);
}

/* ---- Threads ---- */

/* What lies between two rates at `at` of the way from a to b. */
static double between(double a, double b, double at)
{
    return a + (b - a) * at;
}

ith_machine_rate ith_machine_rates(const ith_machine *m, double threads)
{
    ith_machine_rate low = {0}, high = m->rates[0];
    double at;

    for (int i = 1; i < m->n_rates && high.threads < threads; i++) {
        low = high;
        high = m->rates[i];
    }
    if (threads >= high.threads)
        return high;
    at = (threads - low.threads) / (high.threads - low.threads);
    return (ith_machine_rate){.threads = (int)threads,
                              .read_bytes = between(low.read_bytes, high.read_bytes, at),
                              .integer_ops = between(low.integer_ops, high.integer_ops, at),
                              .float_ops = between(low.float_ops, high.float_ops, at),
                              .few_bytes = between(low.few_bytes, high.few_bytes, at)};
}

/* How much longer than all threads `threads` of them take for what reads memory in `reading` of its
 * time, and computes in the rest. */
static double slower(const ith_machine *m, double reading, bool integer, double threads)
{
    ith_machine_rate all = m->rates[m->n_rates - 1], some = ith_machine_rates(m, threads);
    double computing =
        integer ? all.integer_ops / some.integer_ops : all.float_ops / some.float_ops;

    double memory = all.few_bytes > 0 && some.few_bytes > 0 ? all.few_bytes / some.few_bytes
                                                            : all.read_bytes / some.read_bytes;

    return reading * memory + (1 - reading) * computing;
}

/* ---- Kernels ---- */

/* A point of a curve of times: n things take s seconds. */
typedef struct point {
    double n, s;
} point;

/* The next point of the curve: more things take no less time, whatever was measured. */
static point next_point(point before, double n, double s)
{
    return (point){n, s > before.s ? s : before.s};
}

/* Seconds of n things, between two points of the curve or beyond both. */
static double time_at(point low, point high, double n)
{
    double s;

    if (n <= low.n)
        return low.s;
    if (n >= high.n)
        return high.s * n / high.n;
    s = between(low.s, high.s, (n - low.n) / (high.n - low.n));
    return s > low.s ? s : low.s;
}

/* Seconds of n things, of which the curve knows from low.n or, where that is 0, from high.n on;
 * below that, what is assumed of one. */
static double curve_s(point low, point high, double n, double assumed_of_one)
{
    if (low.n == 0)
        low = high.n > 1 ? (point){1, least(assumed_of_one, high.s)} : high;
    return time_at(low, high, n);
}

/* What is assumed of a kernel: reading `bytes` with one token or row, computing `ops` with each. */
static double assumed_s(const ith_machine *m, double bytes, double ops, double n, double share,
                        bool integer)
{
    ith_machine_rate all = m->rates[m->n_rates - 1];
    double reading = bytes / (ITH_ASSUMED_FEW * all.read_bytes),
           computing = n * ops / (share * (integer ? all.integer_ops : all.float_ops));

    return reading > computing ? reading : computing;
}

bool ith_machine_knows_product(const ith_machine *m, ith_layout layout)
{
    for (int i = 0; i < m->n_products; i++)
        if (m->products[i].layout == layout)
            return true;
    return false;
}

/* Seconds for one weight. */
static double weight_s(const ith_machine *m, ith_layout layout, double tokens)
{
    point low = {0}, high = {0};
    bool integer = ith_layout_is_quantized(layout);
    double bytes = weight_bytes(layout);

    if (!ith_machine_knows_product(m, layout))
        return assumed_s(m, bytes, 2, tokens, ITH_ASSUMED_PRODUCTS, integer);
    for (int i = 0; i < m->n_products; i++) {
        const ith_machine_product *p = &m->products[i];
        if (p->layout != layout || (high.n > 0 && high.n >= tokens))
            continue;
        low = high;
        high = next_point(low, (double)p->tokens, 2 * (double)p->tokens / p->ops);
    }
    return curve_s(low, high, tokens, assumed_s(m, bytes, 2, 1, ITH_ASSUMED_PRODUCTS, integer));
}

double ith_machine_product_s(const ith_machine *m, ith_layout layout, double rows, double cols,
                             double tokens, double threads)
{
    double each = weight_s(m, layout, tokens),
           reading = weight_bytes(layout) / m->rates[m->n_rates - 1].read_bytes / each;

    return rows * cols * each *
           slower(m, least(reading, 1), ith_layout_is_quantized(layout), threads);
}

bool ith_machine_knows_attention(const ith_machine *m, ith_kv_layout kv)
{
    for (int i = 0; i < m->n_attention; i++)
        if (m->attention[i].kv == kv)
            return true;
    return false;
}

/* The head size that the machine knows which is nearest to head_dim. */
static int64_t nearest_head(const ith_machine *m, ith_kv_layout kv, int64_t head_dim)
{
    int64_t best = 0, off = INT64_MAX;

    for (int i = 0; i < m->n_attention; i++) {
        int64_t d = m->attention[i].head_dim, away = d > head_dim ? d - head_dim : head_dim - d;
        if (m->attention[i].kv == kv && away < off) {
            best = d;
            off = away;
        }
    }
    return best;
}

/* Seconds for one key and its value. */
static double key_s(const ith_machine *m, ith_kv_layout kv, int64_t head_dim, double key_bytes,
                    double rows)
{
    point low = {0}, high = {0};
    int64_t known = nearest_head(m, kv, head_dim);
    double ops = 4 * (double)head_dim; /* of a row: 2 for each channel of the key and the value */
    bool integer = kv == ITH_KVL_Q8;

    if (!ith_machine_knows_attention(m, kv))
        return assumed_s(m, key_bytes, ops, rows, ITH_ASSUMED_ATTENTION, integer);
    for (int i = 0; i < m->n_attention; i++) {
        const ith_machine_attention *a = &m->attention[i];
        if (a->kv != kv || a->head_dim != known || (high.n > 0 && high.n >= rows))
            continue;
        low = high;
        high = next_point(low, (double)a->rows, (double)a->rows * ops / a->ops);
    }
    return curve_s(low, high, rows,
                   assumed_s(m, key_bytes, ops, 1, ITH_ASSUMED_ATTENTION, integer));
}

double ith_machine_attention_s(const ith_machine *m, ith_kv_layout kv, int64_t head_dim,
                               double key_bytes, double rows, double ops, double threads)
{
    double passes = ops / (4 * (double)head_dim) / rows,
           each = key_s(m, kv, head_dim, key_bytes, rows),
           reading = key_bytes / m->rates[m->n_rates - 1].read_bytes / each;

    return passes * each * slower(m, least(reading, 1), kv == ITH_KVL_Q8, threads);
}

/* ---- Threads that wait for each other ---- */

double ith_machine_barrier_s(const ith_machine *m, int threads)
{
    ith_machine_barrier low = {1, 0}, high = {1, 0};

    if (threads <= 1)
        return 0;
    if (m->n_barriers == 0)
        return (ITH_ASSUMED_BARRIER_US + ITH_ASSUMED_BARRIER_THREAD_US * threads) * 1e-6;
    for (int i = 0; i < m->n_barriers && high.threads < threads; i++) {
        low = high;
        high = m->barriers[i];
    }
    if (threads >= high.threads)
        return high.s * threads / high.threads;
    return between(low.s, high.s, (double)(threads - low.threads) / (high.threads - low.threads));
}

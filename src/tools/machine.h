/* machine.h - what a machine of a cluster can do, as simulate.h needs it: one node, and the links
 * that lead from it.
 *
 * machine_file.h reads it from a machine file. All rates are those of a whole node that does
 * nothing else.
 *
 * Kernels are described by what they reach when they run alone, on all cores, with operands from
 * memory:
 *
 *   products    operations per second of the product of a matrix with some tokens, for a layout and
 *               a number of tokens. With one token the memory decides, with many the arithmetic
 *   attention   the same for queries with keys and values, for a form of the cache, a head size and
 *               a number of rows (tokens x query heads of a KV head)
 *
 * Between two numbers of tokens, or rows, the time of a call is interpolated linearly; beyond the
 * largest it grows in proportion; it never falls. With fewer threads than all, the part of the time
 * in which memory is read grows as what products of one token read falls, or else as bandwidth
 * falls, the rest as the integer rate (of float layouts: the float rate) falls; `rates` has all of
 * them for some numbers of threads. What a file leaves out is assumed: ITH_ASSUMED_* of the rates.
 *
 * Links are described as in LogGP (Alexandrov et al., SPAA 1995): a message of b bytes that is sent
 * with k - 1 others takes alpha + (k - 1) gap + k b / bandwidth.
 */
#ifndef ITH_TOOLS_MACHINE_H
#define ITH_TOOLS_MACHINE_H

#include "base/caches.h"
#include "simd/kernels.h"

enum { ITH_MACHINE_LIST = 256, ITH_MACHINE_TEXT = 160 };

/* Shares of a machine's rates that kernels are assumed to reach where nothing was measured
 * (bench/notes/kernels.md, bench/notes/prefill.md). */
#define ITH_ASSUMED_FEW       0.90 /* of the bandwidth: products and attention of a token */
#define ITH_ASSUMED_PRODUCTS  0.62 /* of the integer or float rate: products of many tokens */
#define ITH_ASSUMED_ATTENTION 0.55 /* likewise: attention of many rows */

/* Microseconds of a barrier, and more for each thread, likewise. */
#define ITH_ASSUMED_BARRIER_US        0.3
#define ITH_ASSUMED_BARRIER_THREAD_US 0.1

/* Links between nodes: 10 gigabits per second and 20 microseconds; and of each further message, a
 * part of the first one's time. */
#define ITH_ASSUMED_LINK_BYTES 1.25e9
#define ITH_ASSUMED_LINK_US    20
#define ITH_ASSUMED_GAP        0.1

/* Attention of so many rows counts as decode's, which reads the cache from memory. */
enum { ITH_MACHINE_FEW_ROWS = 16 };

typedef struct ith_machine_rate {
    int threads;
    double read_bytes, integer_ops, float_ops; /* per second */
    double few_bytes; /* that products of one token read; 0: a share of read_bytes */
} ith_machine_rate;

typedef struct ith_machine_product {
    ith_layout layout;
    int64_t tokens;
    double ops; /* per second */
} ith_machine_product;

typedef struct ith_machine_attention {
    ith_kv_layout kv;
    int64_t head_dim, rows;
    double ops; /* per second */
} ith_machine_attention;

typedef struct ith_machine_barrier {
    int threads;
    double s; /* of one barrier of so many threads */
} ith_machine_barrier;

/* From a rank to another. alpha: until a message of a few bytes has arrived; gap: of each further
 * one that is sent with it. bytes: per second, inside a node those of a rank, between nodes those
 * of a node, while all send; 0: no such link is known. */
typedef struct ith_machine_link {
    double alpha_s, gap_s, bytes;
} ith_machine_link;

typedef struct ith_machine {
    char name[ITH_MACHINE_TEXT];
    int cores, memory_nodes;
    ith_caches caches;
    int64_t memory;                           /* bytes of a node; 0: unknown */
    ith_machine_rate rates[ITH_MACHINE_LIST]; /* threads ascend; the last are all */
    int n_rates;
    ith_machine_product products[ITH_MACHINE_LIST]; /* by layout; tokens ascend */
    int n_products;
    ith_machine_attention attention[ITH_MACHINE_LIST]; /* by form and head size; rows ascend */
    int n_attention;
    ith_machine_barrier barriers[ITH_MACHINE_LIST]; /* threads ascend */
    int n_barriers;
    ith_machine_link inside, between; /* ranks of one node, of two */
    double disk_bytes;                /* per second; 0: unknown */
} ith_machine;

/* Local. A machine of which only two rates are known, per second. */
ith_machine ith_machine_assumed(int cores, double read_bytes, double integer_ops);

/* Local. Sets a rate of all threads, and with it those of fewer threads, in proportion, and those
 * of kernels: by bandwidth the part of their time in which they read memory, by integer_ops, which
 * stands for all arithmetic, the rest. */
void ith_machine_set_read(ith_machine *machine, double read_bytes);
void ith_machine_set_integer(ith_machine *machine, double integer_ops);

/* ---- Pure functions ---- */

/* Rates of some threads: between those that are known in proportion, beyond them as all. */
ith_machine_rate ith_machine_rates(const ith_machine *machine, double threads);

/* Seconds in which `threads` threads multiply a matrix [rows][cols] with so many tokens, 1 at
 * least. */
double ith_machine_product_s(const ith_machine *machine, ith_layout layout, double rows,
                             double cols, double tokens, double threads);

/* Seconds in which they take `rows` rows of queries, 1 at least, through the keys that need `ops`
 * operations. key_bytes: of a key and its value in the cache. */
double ith_machine_attention_s(const ith_machine *machine, ith_kv_layout kv, int64_t head_dim,
                               double key_bytes, double rows, double ops, double threads);

/* Seconds of a barrier of so many threads; 0 of one. */
double ith_machine_barrier_s(const ith_machine *machine, int threads);

/* Does the file say how fast such products, such attention are? */
bool ith_machine_knows_product(const ith_machine *machine, ith_layout layout);
bool ith_machine_knows_attention(const ith_machine *machine, ith_kv_layout kv);

#endif

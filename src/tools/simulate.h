/* simulate.h - the time of a run on machines that are not there, by simulation of its schedule.
 *
 * Pure functions of a model's shape, a machine (machine.h) and how ranks share the work. Nothing is
 * opened, measured or remembered, so plans, comparisons and tests call them as often as they like.
 *
 * A run is its passes one after another: the chunks of the prompt, then one token at a time. A pass
 * is the sum of what the engine does in it:
 *
 *   products    each matrix with the tokens that go through it. By tokens (Ulysses) every rank of a
 *               node multiplies whole matrices with its tokens; by rows its rows, in units of 32,
 *               with all tokens. The ranks of a node share its rates. Of experts, each is as likely
 *               as any other, and those that no token chooses are not read
 *   attention   each layer's queries with the keys that they see, a tile of rows at a time, and
 *               half a tile and half a block of keys more, which are masked
 *   states      recurrent states: each token's operations on those of the rank that has the most
 *               heads, or reading and writing them once, whichever takes longer
 *   memory      activations that kernels hand on to each other through memory
 *   barriers    ITH_SIM_BARRIERS for each block, of the threads of a rank
 *   network     what ranks send. The bytes are those of model/traffic.h, the messages:
 *                 by rows    two all-gathers for each block. Inside a node by a board in shared
 *                            memory; between nodes of several ranks one message for each pair of
 *                            nodes, at the same time; between nodes of one rank as Open MPI does
 *                            (ith_simulate_gather_messages)
 *                 by tokens  three all-to-alls for each block with keys, two for each with
 *                            recurrent states, pairwise. Between nodes, half of the bytes of
 *                            heads that are cut into slices travel behind attention: the least
 *                            that was measured (bench/notes/exchange.md)
 *                 a token    ITH_SIM_AGREEMENTS small all-reduces and ITH_SIM_BROADCASTS small
 *                            broadcasts, each log2(ranks) messages deep, and the logits' way to
 *                            rank 0
 *   waiting     for weights that other nodes or the disk hold, as far as the pass is over sooner:
 *               they are fetched beside it, over the link that carries what ranks exchange too
 *
 * Not simulated: nodes that are unlike or shared with others, ranks that wait for each other
 * because their speed varies, tiles that do not divide evenly among threads, congestion of the
 * network, other exchanges than the usual one (--exchange), the first touch of memory,
 * speculation, and sampling. So figures are those of a quiet cluster.
 */
#ifndef ITH_TOOLS_SIMULATE_H
#define ITH_TOOLS_SIMULATE_H

#include "model/blocks/block.h"
#include "tools/machine.h"

/* Of the rates at which products run alone, what they reach in a pass of many tokens, where gate
 * and up begin with cold weights every 32 rows; and of the bandwidth, what norms, quantization and
 * heads reach on activations (the profile of bench/notes/prefill.md: 475 ms for
 * 440, and 65 ms for 700 MB at 34 GB/s). */
#define ITH_SIM_PRODUCTS    0.93
#define ITH_SIM_ACTIVATIONS 0.32

/* Of the float rate, what recurrent states reach (bench/notes/models.md). */
#define ITH_SIM_STATES 0.42

enum {
    /* Passes of more tokens of a rank count as passes of many. */
    ITH_SIM_FEW_TOKENS = 16,

    /* Barriers of a block with one rank, and with several (counted in passes of the needle model:
     * 32 of 36 to 41, and 64 of 69 to 74 by rows, are in its 8 blocks). */
    ITH_SIM_BARRIERS = 4,
    ITH_SIM_BARRIERS_RANKS = 8,

    /* Of a token that is decoded: engine/generate.c tells the choice and what is to be computed;
     * engine/pass_check.c agrees on the pass. */
    ITH_SIM_AGREEMENTS = 1,
    ITH_SIM_BROADCASTS = 1
};

/* Matrices that are alike. */
typedef struct ith_sim_product {
    ith_layout layout;
    int64_t rows, cols, count;
    double share; /* of the tokens, those that go through each (ith_use) */
    double bytes; /* of each */
} ith_sim_product;

/* Layers that are alike in attention. */
typedef struct ith_sim_keys {
    int64_t layers, window;  /* 0: tokens see all keys */
    int64_t head_dim, group; /* query heads of a KV head; 0: those of the model's tile */
    double ops;              /* of a token and a key, in each layer */
    double bytes;            /* of a token and a KV head in the cache */
} ith_sim_keys;

/* Layers that are alike in recurrent states. */
typedef struct ith_sim_states {
    int64_t layers, heads;
    double ops;   /* of a token, over all heads of a layer */
    double bytes; /* of these, read and written */
} ith_sim_states;

/* What a run needs to know of a model; sim_model.h makes it of one. */
typedef struct ith_sim_model {
    const ith_hparams *hp;
    ith_kv_layout kv;
    bool quantized;
    ith_sim_product *products; /* [n_products] of the layers */
    int n_products;
    ith_sim_product output; /* the vocabulary's, one */
    ith_sim_keys *keys;     /* [n_keys] */
    int n_keys;
    ith_sim_states *states; /* [n_states] */
    int n_states;
    int64_t blocks;          /* of all layers */
    int64_t exchanges;       /* all-to-alls of a pass by tokens */
    double activation_bytes; /* of a token in all layers */
} ith_sim_model;

/* How ranks share the work. Every node has as many ranks, every rank as many threads. */
typedef struct ith_sim_layout {
    int nodes, ranks_per_node, threads;
    const ith_mesh *mesh;
    int64_t ctx, chunk;
    int64_t rows_tokens; /* passes of up to so many tokens run by rows (ith_session_limits) */
    int head_slices;     /* wanted; 0: as many as pay */

    /* Bytes of weights that a node fetches: in a pass of a prompt from other nodes, from its disk,
     * and from its disk for a token of the answer. */
    double gathered, read, read_token;
} ith_sim_layout;

/* Seconds of a pass, or of several, by what they are spent on; and the bytes that rank mesh->rank
 * sends in the layers, as model/traffic.h counts them. */
typedef struct ith_sim_time {
    double products, attention, states, memory, barriers, network, waiting;
    double sent;
} ith_sim_time;

double ith_sim_seconds(const ith_sim_time *time);

/* n tokens after `depth` others, as a chunk of a prompt: by rows up to rows_tokens, else by
 * tokens. */
ith_sim_time ith_simulate_pass(const ith_sim_model *model, const ith_machine *machine,
                               const ith_sim_layout *layout, int64_t depth, int64_t n);

/* Tokens [from, to) of a prompt, in chunks that begin at `from`, without logits. Most of what
 * passes take grows in proportion to their depth, or stays: of more than ITH_SIM_CHUNKS chunks
 * those are summed in closed form whose first, middle and last one lie on a line, within 1/10,000
 * of the mean pass. */
enum { ITH_SIM_CHUNKS = 16 };
ith_sim_time ith_simulate_prompt(const ith_sim_model *model, const ith_machine *machine,
                                 const ith_sim_layout *layout, int64_t from, int64_t to);

/* The logits after a pass: the vocabulary's product, and their way to rank 0. */
ith_sim_time ith_simulate_logits(const ith_sim_model *model, const ith_machine *machine,
                                 const ith_sim_layout *layout);

/* A token of the answer after `depth` others, its logits and all that ranks tell each other. */
ith_sim_time ith_simulate_token(const ith_sim_model *model, const ith_machine *machine,
                                const ith_sim_layout *layout, int64_t depth);

/* Messages, one after another, of an all-gather of `bytes` from each of n ranks, as Open MPI 4.1
 * and later do it: n of 2 or more. Some of its algorithms send the whole twice: *twice. */
double ith_simulate_gather_messages(int n, double bytes, bool *twice);

/* All-gathers of a token of the answer, and all small collectives. */
int64_t ith_simulate_gathers(const ith_sim_model *model);
int64_t ith_simulate_collectives(const ith_sim_model *model);

#endif

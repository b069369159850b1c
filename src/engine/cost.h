/* cost.h - what a pass costs, counted from the model's shapes. Benchmarks and estimates use it. */
#ifndef ITH_ENGINE_COST_H
#define ITH_ENGINE_COST_H

#include "base/forecast.h"
#include "engine/engine.h"

/* The cost of a pass, over all ranks. A multiplication and an addition are two operations. */
typedef struct ith_cost {
    double linear_ops; /* in the products with matrices */
    double key_ops;    /* in attention */
    double state_ops;  /* in recurrent states, in floats */
    double bytes;      /* of weights and KV cache that are read; of experts, the expected number; of
                          recurrent states that are read and written */
} ith_cost;

/* Pure. Keys that n tokens after `depth` attend to, themselves included: all (window 0), or
 * `window` at most. */
double ith_keys_seen(int64_t window, int64_t depth, int64_t n);

/* Pure. Bytes of a token that the kernels of all layers hand on through memory. For each block, the
 * residual stream is read and written, what is added to it is read, and the result of the norm is
 * written. The projected heads are read once, and so are the inputs and results of recurrent heads.
 */
double ith_activation_bytes(const ith_model *model);

/* Local. A pass of n tokens after `depth` tokens, with the logits of its last token. */
ith_cost ith_pass_cost(const ith_engine *engine, int64_t depth, int64_t n);

/* Local. Operations of attention for one token and one key, in all layers. */
double ith_key_ops(const ith_engine *engine);

/* Local. What attention costs at this rate, of all ranks together. Layers with a window cost every
 * token of a prompt of the whole context the same, on average. */
ith_depth_cost ith_keys_cost(const ith_engine *engine, double key_rate);

/* Local. What a prompt costs at these rates: operations per second in the products with matrices,
 * in attention and in recurrent states, of all ranks together. */
ith_depth_cost ith_prompt_cost(const ith_engine *engine, double linear_rate, double key_rate,
                               double state_rate);

/* Bytes that rank 0 sends per token of the prompt and layer, on average. */
typedef struct ith_token_traffic {
    /* Prefill: the heads of its tokens, and the results of attention. */
    double ulysses;

    /* Decode: its rows of attention, of the hidden state twice, and of the intermediate, each sent
     * to all others. */
    double rows;

    /* For comparison: two ring all-reduces of the hidden state in bfloat16, as in Megatron-LM
     * (arXiv:1909.08053): 2 * 2 * hidden * 2 bytes * (P - 1) / P. */
    double tensor_parallel;
} ith_token_traffic;

/* Local. By the formulas of model/traffic.h, for chunks of the engine's size and a prompt of its
 * whole context. */
ith_token_traffic ith_pass_traffic(const ith_engine *engine);

#endif

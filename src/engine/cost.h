/* cost.h - what a pass costs, counted from the model's shapes: for benchmarks and plans. */
#ifndef ITH_ENGINE_COST_H
#define ITH_ENGINE_COST_H

#include "base/forecast.h"
#include "engine/engine.h"

typedef struct ith_cost {             /* over all ranks */
    double linear_ops, key_ops; /* in matrices; with keys before: two for each multiplication and addition */
    double bytes; /* of weights and cache that are read; of experts, those that some token may be expected to go to */
} ith_cost;

/* Of one pass of n tokens after `depth`. The vocabulary is computed for the last token. */
ith_cost ith_pass_cost(const ith_engine *engine, int64_t depth, int64_t n);

/* What prompts cost that all ranks work on, at so many operations per second in matrices and in attention, all ranks together. */
ith_depth_cost ith_prompt_cost(const ith_engine *engine, double linear_rate, double key_rate);

typedef struct ith_token_traffic { /* bytes that rank 0 sends for one token of the prompt and layer */
    double ulysses;                /* prefill: heads of its tokens out, attention's result back */
    double rows; /* decode: its rows of attention, hidden state (twice) and intermediate, to all others */
    double
        tensor_parallel; /* for comparison: two ring all-reduces of the hidden state as bfloat16 (Megatron-LM, arXiv 1909.08053) */
} ith_token_traffic;

/* By the formulas of model/traffic.h, for chunks of the engine's size over its whole context. All-reduce: 2 * 2 * hidden * 2 bytes * (P - 1) / P. */
ith_token_traffic ith_pass_traffic(const ith_engine *engine);

#endif

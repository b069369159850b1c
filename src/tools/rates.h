/* rates.h - what an engine's kernels reach, each measured alone, and the cost of a prompt that follows from it: what prefill would take if a
 * pass were nothing but its kernels, one after another.
 *
 * Linear part, the same for every token: the matrices of all layers with a chunk's tokens, the element-wise kernels around them on operands
 * in cache, and the activations' way through memory from one to the next. Attention part, for every token before it: the attention kernel
 * with a tile of queries, over as many segments as a layer's cache has. What a pass has besides is not in it: threads that wait for each other,
 * exchanges between ranks, weights that are fetched, the vocabulary's product for the last token.
 */
#ifndef ITH_TOOLS_RATES_H
#define ITH_TOOLS_RATES_H

#include "base/forecast.h"
#include "engine/engine.h"

typedef struct ith_rates ith_rates;

/* Local. For prompts that the engine cuts into chunks of up to `tokens` tokens, by token slices where there are several ranks. *rates is NULL where
 * nothing can be said: weights in plain rows for OpenBLAS, whose products are no kernels of the table. */
ith_status ith_rates_open(ith_engine *engine, int64_t tokens, ith_rates **rates, ith_error *err);
void ith_rates_close(ith_rates *rates); /* accepts NULL */

/* Collective: all ranks measure at the same time, in about a third of a second, and the slowest counts. keys: in the cache at the end;
 * read_bytes: a second, of all ranks (ith_ceilings). Means, not the best of the runs: a pass meets the
 * machine's slow moments too. */
ith_depth_cost ith_rates_measure(ith_rates *rates, int64_t keys, double read_bytes);

#endif

/* rates.h - the rates of an engine's own kernels, and the cost of a prompt that follows from them.
 *
 * Each kernel is measured alone. The cost is the time that a prefill would take if a pass were
 * nothing but its kernels, one after another. It has two terms:
 *
 *   linear      the same for every token: the matrices of all layers with a chunk's tokens,
 *               recurrent states, and the activations that pass through memory from one kernel to
 *               the next
 *   attention   for every earlier token: the attention kernel with a tile of queries, over as many
 *               segments as the cache of a layer has
 *
 * It leaves out what else a pass does: threads that wait for each other, exchanges between ranks,
 * streamed weights, the element-wise kernels, and the vocabulary's product for the last token.
 */
#ifndef ITH_TOOLS_RATES_H
#define ITH_TOOLS_RATES_H

#include "base/forecast.h"
#include "engine/engine.h"

typedef struct ith_rates ith_rates;

/* Local. For prompts that the engine cuts into chunks of up to `tokens` tokens; several ranks share
 * the tokens of a chunk. *rates is NULL where nothing can be predicted: with weights in plain rows
 * for OpenBLAS, whose products are not kernels of the table. */
ith_status ith_rates_open(ith_engine *engine, int64_t tokens, ith_rates **rates, ith_error *err);

void ith_rates_close(ith_rates *rates); /* accepts NULL */

/* Collective. All ranks measure at the same time, for about a third of a second, and the slowest
 * counts. The rates are means, not those of the fastest run: a pass meets the machine's slow
 * moments too.
 *   keys         tokens in the cache at the end of the prompt
 *   read_bytes   bytes per second that all ranks together read from memory (ith_ceilings)
 *   state_rate   operations per second of all ranks together in recurrent states */
ith_depth_cost ith_rates_measure(ith_rates *rates, int64_t keys, double read_bytes,
                                 double state_rate);

#endif

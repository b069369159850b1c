/* sampler.h - chooses the next token from logits. A seed gives the same choices on every machine.
 *
 * The filters run in this order, as in Transformers (llama.cpp applies the temperature last):
 *   1. Repetition penalty, once for each token among the last repeat_window accepted ones
 *      (ITH_REPEAT_ALL: all): a positive logit is divided by it, another multiplied (Keskar et al.
 *      2019, arXiv:1909.05858).
 *   2. Temperature: logits are divided by it. Temperature 0 chooses the largest logit; nothing is
 *      random then, and the filters below have no effect.
 *   3. Top-k: keeps the k largest logits, exactly k.
 *   4. Top-p: of these, keeps the smallest set of most probable tokens whose probabilities sum to p
 *      or more (Holtzman et al. 2019, arXiv:1904.09751).
 *   5. Min-p: keeps tokens with at least min_p times the largest probability (Nguyen et al. 2024,
 *      arXiv:2407.01082).
 *   6. Draws one of the remaining tokens by its probability.
 * A mask removes tokens between steps 1 and 2: their logits become minus infinity.
 * Of equal logits, the one with the lowest id counts as larger. NaN counts as minus infinity.
 *
 * The generator is xoshiro256++ 1.0 (Blackman and Vigna, https://prng.di.unimi.it), seeded through
 * splitmix64. With temperature > 0 each choice draws one number.
 *
 * No math library can change a choice: probabilities use ith_exp2 of simd/kernels.h, sums have a
 * fixed order, and tokens are drawn from the most probable down (in the order of ids without top-k
 * and top-p).
 */
#ifndef ITH_TEXT_SAMPLER_H
#define ITH_TEXT_SAMPLER_H

#include "base/error.h"

typedef struct ith_sampler ith_sampler;

/* Allocates all memory. ITH_E_ARGUMENT, naming the parameter: temperature < 0, top_k < 0, top_p or
 * min_p outside [0, 1], repeat_penalty <= 0, repeat_window < ITH_REPEAT_ALL, n_vocab < 1, or NaN.
 * top_p 0 keeps one token. */
ith_status ith_sampler_open(const ith_sampling *params, int64_t n_vocab, ith_sampler **sampler,
                            ith_error *err);
void ith_sampler_close(ith_sampler *sampler); /* accepts NULL */

/* Adds a token to the window of the repetition penalty. Call it for the tokens of the prompt in
 * order, then for every chosen token. Ids outside the vocabulary are ignored. */
void ith_sampler_accept(ith_sampler *sampler, int32_t id);

/* Chooses a token but does not accept it. logits: [n_vocab], not changed. Allocates nothing. */
int32_t ith_sampler_choose(ith_sampler *sampler, const float *logits);

/* The same among some tokens: token id < n_ids is bit id % 64 of mask[id / 64]; at least one of
 * them is in the vocabulary. */
int32_t ith_sampler_choose_among(ith_sampler *sampler, const float *logits, const uint64_t *mask,
                                 int32_t n_ids);

/* How many numbers the generator has drawn. */
int64_t ith_sampler_draws(const ith_sampler *sampler);

/* Draws this many numbers and discards them, so that a new sampler continues where another one
 * stopped. */
void ith_sampler_skip(ith_sampler *sampler, int64_t draws);

#endif

/* sampler.h - chooses the next token from logits. One seed gives one sequence of choices on every machine.
 *
 * Order of the filters, as in Transformers (llama.cpp applies the temperature last):
 *   1. repetition penalty, once for each token among the last repeat_window accepted ones: a positive logit is divided
 *      by it, another multiplied (Keskar et al. 2019, arXiv:1909.05858);
 *   2. temperature 0: the largest logit, no randomness, the filters below do nothing; else logits are divided by it;
 *   3. top-k: the k largest (exactly k);
 *   4. top-p: of what is left, the fewest largest whose probabilities sum to p or more (Holtzman et al. 2019,
 *      arXiv:1904.09751);
 *   5. min-p: those with at least min_p times the largest probability (Nguyen et al. 2024, arXiv:2407.01082);
 *   6. one of what is left, by its probability.
 * Equal logits: the lowest id counts as larger. NaN counts as minus infinity.
 *
 * The generator is xoshiro256++ 1.0 (Blackman and Vigna, https://prng.di.unimi.it), seeded through splitmix64; one
 * number is drawn per choice with temperature > 0. Probabilities use ith_exp2 of simd/kernels.h and sums in a fixed order, tokens are drawn from the largest down (in order of ids without top-k and
 * top-p),
 * so that no math library can change a choice.
 */
#ifndef ITH_TEXT_SAMPLER_H
#define ITH_TEXT_SAMPLER_H

#include "base/error.h"

typedef struct ith_sampler ith_sampler;

/* All memory is allocated here. ITH_E_ARGUMENT, naming the parameter, for: temperature < 0, top_k < 0, top_p or min_p outside
 * [0, 1], repeat_penalty <= 0, repeat_window < 0, n_vocab < 1, or NaN. top_p 0 keeps one token. */
ith_status ith_sampler_open(const ith_sampling *params, int64_t n_vocab, ith_sampler **sampler, ith_error *err);
void ith_sampler_close(ith_sampler *sampler); /* accepts NULL */

/* Tells the penalty that a token is part of the timeline: prompt tokens in order, then every chosen token. Ids outside the
 * vocabulary are ignored. */
void ith_sampler_accept(ith_sampler *sampler, int32_t id);

/* The choice; `logits` are n_vocab floats, unchanged. Does not accept it. Allocates nothing. */
int32_t ith_sampler_choose(ith_sampler *sampler, const float *logits);

/* How many numbers the generator has given; and lets it give that many, as if they had been used: a sequence of choices goes on elsewhere. */
int64_t ith_sampler_draws(const ith_sampler *sampler);
void ith_sampler_skip(ith_sampler *sampler, int64_t draws);

#endif

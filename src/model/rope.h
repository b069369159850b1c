/* rope.h - rotary positions (RoFormer, arXiv:2104.09864): frequencies, scaling for long contexts,
 * angles. All functions are local.
 *
 * Frequencies are computed in the float32 steps of Transformers' modeling_rope_utils: with other
 * steps, an angle at position 100,000 would differ by hundredths of a radian. YaRN is from
 * arXiv:2309.00071, LongRoPE from arXiv:2402.13753, llama3 from Llama 3.1's config.json, dynamic
 * with an alpha from HunYuan's.
 * Proportional (Gemma 4) has frequencies of the whole head, of which only the first turn: the
 * others are 0.
 * Dynamic without one is plain within the trained context, and serves no longer one: its
 * frequencies would change with every token.
 */
#ifndef ITH_MODEL_ROPE_H
#define ITH_MODEL_ROPE_H

#include "formats/source.h"

enum { ITH_ROPE_FASTEST = 1000 }; /* radians per token */

typedef struct ith_rope {
    int64_t half;           /* of the channels that are rotated */
    float *inv_freq;        /* [half] radians per token */
    float attention_factor; /* multiplies cos and sin (YaRN, LongRoPE) */
} ith_rope;

/* ctx_train: tokens that the model was trained for, used if params do not say what scaling extends.
 * freq_factors: [head_dim / 2] divisors of the frequencies (GGUF's rope_freqs.weight), or NULL.
 * Frequencies have the same bits on every machine (base/precise.h). ITH_E_UNSUPPORTED: head_dim is
 * odd. ITH_E_FORMAT: params contradict each other, or a frequency is not finite, not positive, or
 * above ITH_ROPE_FASTEST. ITH_E_MEMORY. *rope must be closed even after a failure. */
ith_status ith_rope_open(const ith_rope_params *params, int64_t head_dim, int64_t ctx_train,
                         const float *freq_factors, ith_rope *rope, ith_error *err);
void ith_rope_close(ith_rope *rope);

/* LongRoPE has two sets of frequencies: ith_rope_open gives those of timelines of up to
 * original_context tokens, and this those of longer ones, for all their tokens. */
ith_status ith_rope_open_long(const ith_rope_params *params, int64_t head_dim, ith_rope *rope,
                              ith_error *err);

/* Replaces the scaling in *rope by `text` (ith_engine_params.rope_scaling, ithaca.h), and
 * *ctx_train by the context that the model then has. ITH_E_UNSUPPORTED: *rope is proportional.
 * ITH_E_ARGUMENT: `text` has none of the allowed forms, or the context is more than
 * ITH_MAX_CONTEXT. */
ith_status ith_rope_scale(const char *text, ith_rope_params *rope, int64_t *ctx_train,
                          ith_error *err);

/* cos [half] and sin [half] of position pos >= 0. They have the same bits on every machine: the
 * angle is the float product pos * inv_freq, and its sine and cosine come from plain double
 * arithmetic, not from libm. */
void ith_rope_angles(const ith_rope *rope, int64_t pos, float *cos, float *sin);

#endif

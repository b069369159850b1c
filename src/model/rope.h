/* rope.h - rotary positions (RoFormer, arXiv 2104.09864): frequencies, scaling for long contexts, angles.
 *
 * Frequencies follow Transformers' modeling_rope_utils in its float32 steps: at position 100,000 an angle computed otherwise
 * would differ by hundredths of a radian. YaRN: arXiv 2309.00071; llama3: Llama 3.1's config.json.
 */
#ifndef ITH_MODEL_ROPE_H
#define ITH_MODEL_ROPE_H

#include "formats/source.h"

typedef struct ith_rope {
    int64_t half;           /* head_dim / 2 */
    float *inv_freq;        /* [half] radians per token */
    float attention_factor; /* multiplies cos and sin (YaRN) */
} ith_rope;

/* freq_factors: [head_dim / 2] divisors of the frequencies, or NULL (GGUF's rope_freqs.weight). */
ith_status ith_rope_open(const ith_rope_params *params, int64_t head_dim, int64_t ctx_train, const float *freq_factors,
                         ith_rope *rope, ith_error *err);
void ith_rope_close(ith_rope *rope);

/* Replaces the model's own scaling by `text` (ithaca.h: ith_engine_params.rope_scaling) and *ctx_train by the tokens that it then reaches.
 * ITH_E_ARGUMENT for a text of another form. Pure. */
ith_status ith_rope_scale(const char *text, ith_rope_params *rope, int64_t *ctx_train, ith_error *err);

/* cos and sin, [half] each, of position pos >= 0. The same bits on every machine: the angle is the float product
 * pos * inv_freq, its sine and cosine come from plain double arithmetic, not from libm. */
void ith_rope_angles(const ith_rope *rope, int64_t pos, float *cos, float *sin);

#endif

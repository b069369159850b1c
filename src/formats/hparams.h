/* hparams.h - what both kinds of source do to hyperparameters. */
#ifndef ITH_FORMATS_HPARAMS_H
#define ITH_FORMATS_HPARAMS_H

#include "formats/source.h"

/* Everything zero but what zero would not be neutral for: no bos, plain RoPE of base 10000, epsilon 1e-6, YaRN's and the
 * sampling's own defaults. */
ith_hparams ith_hparams_default(void);

/* Copies text of unknown origin to out[size], NUL-terminated: cut between characters, what is not printable UTF-8 as '?'. */
void ith_clean_text(const char *text, size_t len, char *out, size_t size);

/* A YaRN-scaled model is good for factor * original_context positions, whatever its context length says. */
void ith_hparams_extend_context(ith_hparams *hp);

/* Are the numbers possible together (positive, heads divisible, an even head_dim ...)? ITH_E_FORMAT names `where`. */
ith_status ith_hparams_check(const ith_hparams *hp, const char *where, ith_error *err);

/* The same for the sampling: temperature, top_p, min_p, repetition_penalty. */
ith_status ith_hparams_check_sampling(const ith_hparams *hp, const char *where, ith_error *err);

/* Appends a token that ends answers; one that is there already, negative or too many is left out. */
void ith_hparams_add_eos(ith_hparams *hp, int64_t id);

#endif

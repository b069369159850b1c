/* hf_config.h - config.json and generation_config.json of a Hugging Face folder.
 *
 * Both spellings are read: that of Transformers 4 (rope_theta, rope_scaling with rope_type or type)
 * and that of Transformers 5 (rope_parameters with everything). What a file leaves out has the
 * default of the family's class in Transformers (arch.h). Settings that change the arithmetic and
 * that the family does not support are refused by name, never ignored.
 *
 * YaRN's factor is taken as written. Only where it is missing is it max_position_embeddings /
 * original_max_position_embeddings. (Transformers 4.51 always took the quotient; later versions and
 * vLLM take the factor.) The context of a scaled model is at least factor *
 * original_max_position_embeddings, even where max_position_embeddings still has its old value.
 */
#ifndef ITH_FORMATS_HF_CONFIG_H
#define ITH_FORMATS_HF_CONFIG_H

#include "formats/arch.h"

/* Fills *hp except for the sampling. config: the parsed file; where: its path, for messages. */
ith_status ith_hf_config_parse(const json_t *config, const char *where, ith_hparams *hp,
                               ith_error *err);

/* The same for an object whose family is known. */
ith_status ith_hf_config_read(const ith_arch *arch, const json_t *config, const char *where,
                              ith_hparams *hp, ith_error *err);

/* Only bos and eos, from config.json or generation_config.json. What the file does not say stays
 * as it is. */
ith_status ith_hf_special_tokens(const json_t *config, const char *where, ith_hparams *hp,
                                 ith_error *err);

/* Sampling, bos and eos; the latter two replace those of config.json. */
ith_status ith_hf_generation_parse(const json_t *generation, const char *where, ith_hparams *hp,
                                   ith_error *err);

/* hf_pooling.c: 1_Pooling/config.json and modules.json of sentence-transformers set hp->pooling. */
ith_status ith_hf_pooling_parse(const json_t *config, const char *where, ith_hparams *hp,
                                ith_error *err);
ith_status ith_hf_modules_parse(const json_t *modules, const char *where, ith_hparams *hp,
                                ith_error *err);

/* Lists the settings of generation_config.json that would change answers and that Ithaca does not
 * do, with commas between; "" if there are none. 800 bytes hold them all. */
void ith_hf_generation_not_done(const json_t *generation, char *list, size_t size);

/* ---- For families (arch.h) ---- */

/* A whole number from 0 to ITH_SIZE_LIMIT. ITH_E_FORMAT if the key is missing. */
ith_status ith_hf_need_int(const json_t *config, const char *where, const char *key, int64_t *out,
                           ith_error *err);

/* The name of an activation; several name one function. ITH_E_UNSUPPORTED: it is not known. *out
 * keeps its value if the key is absent. */
ith_status ith_hf_activation(const json_t *config, const char *where, const char *key,
                             ith_activation *out, ith_error *err);

/* Rotates a share of a head's channels, as Transformers' int(share * size). ITH_E_UNSUPPORTED,
 * naming the key: the share is not above 0 and at most 1, or no channel would rotate. */
ith_status ith_hf_rotate_share(const char *where, const char *key, double share, ith_hparams *hp,
                               ith_error *err);

/* The object with the parameters of rotary positions, in either spelling; NULL or null: none. */
const json_t *ith_hf_rope_params(const json_t *config);

/* ITH_E_UNSUPPORTED: Ithaca does not support `key` with this value. */
ith_status ith_hf_refuse(const char *where, const char *key, const char *value, ith_error *err);

#endif

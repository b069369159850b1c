/* hf_config.h - config.json and generation_config.json of a Hugging Face folder.
 *
 * Both spellings are read: Transformers 4 (rope_theta, rope_scaling with rope_type or type) and Transformers 5 (rope_parameters with
 * everything). What a file leaves out has the default of the family's class in Transformers. Settings that change the arithmetic
 * and that Ithaca does not do are refused by name rather than ignored.
 *
 * YaRN's factor is taken as written; only without one is it max_position_embeddings / original_max_position_embeddings.
 * (Transformers 4.51 always took the quotient, later ones and vLLM take the factor.) A scaled model's context is at least
 * factor * original_max_position_embeddings, also where max_position_embeddings was left at its old value.
 */
#ifndef ITH_FORMATS_HF_CONFIG_H
#define ITH_FORMATS_HF_CONFIG_H

#include "base/json.h"
#include "formats/source.h"

/* config: the parsed file; where: its path, for messages. Fills all of *hp but the sampling. */
ith_status ith_hf_config_parse(const json_t *config, const char *where, ith_hparams *hp, ith_error *err);

/* Only bos and eos, of config.json or generation_config.json; what the file does not say stays. */
ith_status ith_hf_special_tokens(const json_t *config, const char *where, ith_hparams *hp, ith_error *err);

/* bos, eos (which replace config.json's) and the sampling. */
ith_status ith_hf_generation_parse(const json_t *generation, const char *where, ith_hparams *hp, ith_error *err);

#endif

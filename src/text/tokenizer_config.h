/* tokenizer_config.h - the files beside a tokenizer. Used inside src/text only.
 *
 * They may name tokens that the tokenizer lacks. As in Transformers these are added: first those of
 * added_tokens_decoder, in the order of their ids, then the special tokens named by their text.
 */
#ifndef ITH_TEXT_TOKENIZER_CONFIG_H
#define ITH_TEXT_TOKENIZER_CONFIG_H

#include "text/json_reader.h"

/* Adds the tokens of added_tokens.json, an object of texts and ids. They are special if the other
 * files, which may be NULL, name them. */
ith_status ith_json_added_file(ith_json_reader *r, json_t *added, const json_t *config,
                               const json_t *special, ith_error *err);

/* Takes from tokenizer_config.json and special_tokens_map.json: tokens, bos_token, eos_token,
 * add_bos_token and add_eos_token. `special` names tokens that `config` does not. Either may be
 * NULL. */
ith_status ith_json_config(ith_json_reader *r, const json_t *config, const json_t *special,
                           ith_error *err);

#endif

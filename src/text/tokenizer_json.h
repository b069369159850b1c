/* tokenizer_json.h - the forms of a vocabulary in a Hugging Face folder that are JSON. Used inside
 * src/text only. */
#ifndef ITH_TEXT_TOKENIZER_JSON_H
#define ITH_TEXT_TOKENIZER_JSON_H

#include "text/json_reader.h"

/* tokenizer.json, between ith_builder_begin and ith_builder_finish. */
ith_status ith_json_tokenizer(ith_json_reader *r, const json_t *root, ith_error *err);

/* The same of vocab.json and merges.txt. `config`, tokenizer_config.json, names the class. */
ith_status ith_json_vocab_and_merges(ith_json_reader *r, json_t *vocab, ith_bytes merges,
                                     const json_t *config, ith_error *err);

#endif

/* json_steps.h - what tokenizer.json does around its model: normalizer, pre_tokenizer, decoder and
 * post_processor. Used inside src/text only. */
#ifndef ITH_TEXT_JSON_STEPS_H
#define ITH_TEXT_JSON_STEPS_H

#include "text/json_reader.h"

/* depth: 0. What is not supported is refused by name. */
ith_status ith_json_normalizer(ith_json_reader *r, const json_t *component, int depth,
                               ith_error *err);
ith_status ith_json_pre_tokenizer(ith_json_reader *r, const json_t *component, int depth,
                                  ith_error *err);

/* After the pre_tokenizer. */
ith_status ith_json_decoder(ith_json_reader *r, const json_t *component, int depth, ith_error *err);

/* After the tokens. */
ith_status ith_json_post_processor(ith_json_reader *r, const json_t *component, int depth,
                                   ith_error *err);

#endif

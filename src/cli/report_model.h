/* report_model.h - which models of benchmark documents are the same, and what they are called. */
#ifndef ITH_CLI_REPORT_MODEL_H
#define ITH_CLI_REPORT_MODEL_H

#include "base/json.h"

/* `model` and the like are entries of a document's table of models, `run` and `key` of its runs and
 * the model's name there. */

/* Have both the same shape? Equal are, as far as a configuration in Hugging Face's words says them:
 *
 *     layers, hidden size, heads, KV heads, head size, vocabulary,
 *     the width of the MLP, or of experts: their number, how many are chosen, their width, and the
 *     width of those that all tokens go to
 *
 * A size that a configuration leaves out is its default: head_dim is hidden_size over heads, KV
 * heads are the heads, experts are as wide as the MLP. What only some documents say, the
 * architecture (model_type), the number of parameters, and heads of layers without a window, must
 * be equal where both do. A model without a shape has none in common with any. */
bool ith_model_same_shape(const json_t *a, const json_t *b);

/* Its configuration; NULL: none. Multimodal models keep the language model's one level further
 * down. */
const json_t *ith_model_shape(const json_t *model);

/* The run's detail.name, else `key` without the types that documents append to it: "qwen3-8b" of
 * "qwen3-8b w4, q8 cache", of "synthetic shapes/qwen3-8b.json" and of "qwen3-8b.gguf". Whole
 * characters that fit. Returns text. */
const char *ith_model_name(const json_t *run, const char *key, const json_t *model, char *text,
                           size_t size);

#endif

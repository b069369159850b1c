/* chat.h - formats a conversation as the text that a chat model was trained on.
 *
 * There is no Jinja engine here. A model's template is recognised as one of a few kinds, and each
 * kind is written out in C. The result equals, byte for byte, that of Transformers'
 * apply_chat_template(messages, tokenize=False, add_generation_prompt=True).
 */
#ifndef ITH_TEXT_CHAT_H
#define ITH_TEXT_CHAT_H

#include "base/error.h"

typedef enum ith_chat_kind {
    ITH_CHAT_UNKNOWN,
    /* <|im_start|>role\n content <|im_end|>\n and nothing else */
    ITH_CHAT_CHATML,
    /* ChatML; adds SmolLM2's system prompt if the conversation has none */
    ITH_CHAT_SMOLLM2,
    /* ChatML with thinking; drops the thoughts of earlier turns */
    ITH_CHAT_QWEN3,
    /* Llama 3.0: <|start_header_id|>role<|end_header_id|>\n\n content <|eot_id|> */
    ITH_CHAT_LLAMA3
} ith_chat_kind;

/* Recognises a template by its Jinja source. Returns ITH_CHAT_CHATML only if the template provably
 * writes plain ChatML. A template that is merely similar is ITH_CHAT_UNKNOWN: a model that is
 * prompted in the wrong format gives bad answers, and nobody notices why. */
ith_chat_kind ith_chat_detect(const char *source, size_t len);

/* "qwen3", "chatml", "smollm2", "llama3" or "unknown". */
const char *ith_chat_kind_name(ith_chat_kind kind);

/* The markers that this kind writes around messages, each of them one token of a vocabulary that
 * fits it. NULL ends the list. */
const char *const *ith_chat_markers(ith_chat_kind kind);

/* Formats a conversation up to the point where the assistant speaks. *text is malloc'd. Encode it
 * with ITH_TOKENIZE_SPECIAL and without ITH_TOKENIZE_BOS.
 *
 * `thinking` has an effect on Qwen3 only: OFF is enable_thinking=False and puts an empty thought
 * before the answer; ON and DEFAULT leave the choice to the model. Roles are system, user and
 * assistant; Qwen3 also has tool.
 *
 * ITH_E_ARGUMENT: no messages, a NULL field, or another role. ITH_E_UNSUPPORTED: the kind is
 * ITH_CHAT_UNKNOWN. */
ith_status ith_chat_format(ith_chat_kind kind, const ith_message *messages, size_t n,
                           ith_thinking thinking, char **text, ith_error *err);

/* Reads the chat template of a Hugging Face folder: chat_template.jinja, or else "chat_template" in
 * tokenizer_config.json (the one named "default" if there are several). *source is malloc'd and
 * NUL-terminated. If the folder has no template, *source is NULL and the result is ITH_OK. */
ith_status ith_chat_template_read(const char *folder, char **source, size_t *len, ith_error *err);

/* The same from the text of a tokenizer_config.json. Errors name `where`. */
ith_status ith_chat_template_in(const char *where, const char *config, size_t config_len,
                                char **source, size_t *len, ith_error *err);

#endif

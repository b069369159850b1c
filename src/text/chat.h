/* chat.h - conversations as the text that a chat model was trained on.
 *
 * There is no Jinja engine here: a model's template is recognised as one of a few kinds, and each kind is written out in C,
 * equal byte for byte to Transformers' apply_chat_template(messages, tokenize=False, add_generation_prompt=True).
 */
#ifndef ITH_TEXT_CHAT_H
#define ITH_TEXT_CHAT_H

#include "base/error.h"

typedef enum ith_chat_kind {
    ITH_CHAT_UNKNOWN,
    ITH_CHAT_CHATML,  /* <|im_start|>role\n content <|im_end|>\n and nothing else */
    ITH_CHAT_SMOLLM2, /* ChatML with SmolLM2's system prompt where the conversation brings none */
    ITH_CHAT_QWEN3,   /* ChatML with thinking; the thoughts of earlier turns are dropped */
    ITH_CHAT_LLAMA3   /* Llama 3.0: <|start_header_id|>role<|end_header_id|>\n\n content <|eot_id|> */
} ith_chat_kind;

/* Recognises a template by its Jinja source. ITH_CHAT_CHATML is only the answer when the template provably writes plain
 * ChatML; a template that is merely similar is ITH_CHAT_UNKNOWN, because a model asked in the wrong form answers badly
 * without saying so. */
ith_chat_kind ith_chat_detect(const char *source, size_t len);

const char *ith_chat_kind_name(ith_chat_kind kind); /* "qwen3", "chatml", "smollm2", "llama3", "unknown" */

/* The conversation as text, malloc'd in *text, ending where the assistant speaks; to be encoded with
 * ITH_TOKENIZE_SPECIAL and without ITH_TOKENIZE_BOS. `thinking` counts for Qwen3 only: OFF is enable_thinking=False
 * (an empty thought is put before the answer), ON and DEFAULT leave it to the model. Roles: system, user, assistant; Qwen3 also
 * tool. No message, a NULL field or another role: ITH_E_ARGUMENT. ITH_CHAT_UNKNOWN: ITH_E_UNSUPPORTED. */
ith_status ith_chat_format(ith_chat_kind kind, const ith_message *messages, size_t n, ith_thinking thinking,
                           char **text, ith_error *err);

/* The chat template of a Hugging Face folder: chat_template.jinja, else "chat_template" of tokenizer_config.json (the one named
 * "default" where there are several). Malloc'd in *source with a NUL; NULL and ITH_OK if the folder has none. */
ith_status ith_chat_template_read(const char *folder, char **source, size_t *len, ith_error *err);

/* The same from the text of a tokenizer_config.json; `where` is named in errors. */
ith_status ith_chat_template_in(const char *where, const char *config, size_t config_len, char **source, size_t *len,
                                ith_error *err);

#endif

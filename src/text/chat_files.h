/* chat_files.h - what a model's files say about conversations: chat templates by name, and the
 * texts of bos_token and its like, which templates write. */
#ifndef ITH_TEXT_CHAT_FILES_H
#define ITH_TEXT_CHAT_FILES_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/json.h"

typedef struct ith_chat_template {
    char *name;  /* "default", "tool_use" ... */
    char *where; /* for messages: "chat_template.jinja" */
    char *source;
    size_t len;
} ith_chat_template;

/* Start with zeros. Free it also after a failure. */
typedef struct ith_chat_files {
    ith_chat_template *templates; /* [n] */
    size_t n;
    json_t *tokens;  /* texts by name: bos_token, eos_token ...; NULL: none */
    bool standalone; /* templates are files of their own, so that tokenizer_config.json has none */
} ith_chat_files;

/* Takes what is of use from a file of a Hugging Face folder, whose name is relative to it. Call it
 * for tokenizer_config.json first. As in Transformers, chat_template.jinja and
 * additional_chat_templates/NAME.jinja replace the template or list of templates in
 * tokenizer_config.json; chat_template.json counts if there is no other. Other files are ignored.
 * ITH_E_FORMAT: the file is damaged, or "chat_template" is none. */
ith_status ith_chat_files_take(ith_chat_files *files, const char *name, ith_bytes text,
                               ith_error *err);

/* Adds a template, or replaces the one of this name. */
ith_status ith_chat_files_add(ith_chat_files *files, ith_bytes name, const char *where,
                              ith_bytes source, ith_error *err);

/* Names a token by the bytes that it stands for, unless one has the name. */
ith_status ith_chat_files_name(ith_chat_files *files, const char *name, const char *text,
                               size_t len, ith_error *err);

/* NULL: there is none of this name. */
const ith_chat_template *ith_chat_files_find(const ith_chat_files *files, const char *name);

void ith_chat_files_free(ith_chat_files *files); /* the contents, not the struct */

#endif

/* conversation.h - the messages of a chat, on rank 0. */
#ifndef ITH_CLI_CONVERSATION_H
#define ITH_CLI_CONVERSATION_H

#include "base/json.h"
#include "cli/chat_options.h"

/* Do not move it. */
typedef struct ith_conversation {
    json_t *messages;       /* list of {role, content, ...}, as --messages reads and /save writes */
    ith_chat_inputs inputs; /* the template and what it gets besides */
} ith_conversation;

/* What the options say: --messages, or --system, or nothing. Close it also after a failure. */
ith_status ith_conversation_open(const ith_chat_args *args, ith_conversation *c, ith_error *err);
void ith_conversation_close(ith_conversation *c);

size_t ith_conversation_length(const ith_conversation *c);

/* "" for an empty conversation. */
const char *ith_conversation_last_role(const ith_conversation *c);

/* ITH_E_MEMORY. */
ith_status ith_conversation_add(ith_conversation *c, const char *role, const char *text, size_t len,
                                ith_error *err);

/* Removes the last message, which is the caller's then (NULL: there is none), and puts one back,
 * which is taken over. ITH_E_MEMORY. */
json_t *ith_conversation_take(ith_conversation *c);
ith_status ith_conversation_put(ith_conversation *c, json_t *message, ith_error *err);

/* Removes all messages after the first `length`. */
void ith_conversation_cut(ith_conversation *c, size_t length);

/* The system message, NULL if there is none; a new one, none for "". ITH_E_MEMORY. */
const char *ith_conversation_system(const ith_conversation *c);
ith_status ith_conversation_set_system(ith_conversation *c, const char *text, ith_error *err);

/* The tokens of the conversation; answer: up to where the assistant speaks next. Errors and
 * *plain_markers (unless NULL) as in ith_chat_tokenize. */
ith_status ith_conversation_ids(const ith_conversation *c, const ith_vocab *vocab, bool answer,
                                ith_ids *ids, bool *plain_markers, ith_error *err);

/* Writes the messages as a file for --messages, for its owner alone. It may replace another
 * conversation, and nothing else: not the model, nor a text that was loaded. ITH_E_ARGUMENT,
 * ITH_E_IO, ITH_E_MEMORY. */
ith_status ith_conversation_save(const ith_conversation *c, const char *path, ith_error *err);

#endif

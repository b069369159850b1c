/* chat.h - writes a conversation in a chat template, as Transformers' apply_chat_template does.
 *
 * The template is rendered (jinja/jinja.h) with the variables messages, tools, documents and
 * add_generation_prompt, the texts of bos_token and its like, and the arguments of the caller.
 * Messages are prepared as Transformers 5 does it: members that are null are left out, and what a
 * message thought is found as `reasoning_content` and as `thinking`, whichever name it has.
 */
#ifndef ITH_TEXT_CHAT_H
#define ITH_TEXT_CHAT_H

#include "text/chat_files.h"
#include "text/jinja/jinja.h"

typedef struct ith_chat_text {
    ith_jinja_text rendered;
    const char *source; /* the template's, which lives in `files` or `params` */
    size_t source_len;
} ith_chat_text;

/* Errors: those of ith_chat_render in ithaca.h. *out is freed by ith_jinja_text_free, also after a
 * failure. */
ith_status ith_chat_write(const ith_chat_files *files, const ith_chat_params *params,
                          ith_chat_text *out, ith_error *err);

/* Finds where the template ends an answer: *out is a conversation with one, and *end the byte that
 * follows the answer's text. ITH_E_UNSUPPORTED: the template does not show it. */
ith_status ith_chat_write_answer(const ith_chat_files *files, ith_chat_text *out, size_t *end,
                                 ith_error *err);

#endif

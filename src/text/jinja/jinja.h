/* jinja.h - renders chat templates: the part of the Jinja2 language that they use.
 *
 * A model comes with a template that turns a conversation into the text that the model was trained
 * on. Here it is parsed once and rendered as Transformers' apply_chat_template renders it: Jinja2
 * 3.1 in its immutable sandbox, with trim_blocks, lstrip_blocks, break and continue, {% generation
 * %}, raise_exception, strftime_now and Transformers' own tojson. Values behave as Python's: truth,
 * equality, printing, slices, methods. Integers have 64 bits, and overflow is an error.
 *
 *     ith_jinja *template = NULL;
 *     ith_jinja_text text = {0};
 *     ith_status status = ith_jinja_parse(source, len, "chat_template.jinja", &template, &err);
 *
 *     if (status == ITH_OK)
 *         status = ith_jinja_render(template,
 *                                   &(ith_jinja_input){.conversation = vars, .own = bos_and_eos},
 *                                   NULL, &text, &err);
 *     ...
 *     ith_jinja_text_free(&text);
 *     ith_jinja_free(template);
 *
 * Neither template nor conversation is trusted. Steps, memory and depth are bounded, so that a
 * template that does not end becomes an error. A template reads nothing but its variables and the
 * clock. Everything that the language has and this interpreter has not is refused by name. So is
 * what depends on how Python keeps its objects: "is sameas" of two equal texts or large numbers.
 *
 * Who wrote what: the result says of each byte whether the template or the conversation wrote it,
 * so that the text of a user cannot pose as a marker. Slices and changes of case, strip, split,
 * replace, join, escapes and formats keep this per byte. What replaces text of the conversation
 * counts as the conversation's.
 *
 * Errors are one line: WHERE, the line in the template, and what is wrong. Any thread may call;
 * one template may be rendered by several threads at once.
 */
#ifndef ITH_TEXT_JINJA_JINJA_H
#define ITH_TEXT_JINJA_JINJA_H

#include "base/error.h"
#include "base/json.h"
#include "text/authors.h"

#include <time.h>

typedef struct ith_jinja ith_jinja;

/* Parses len bytes of UTF-8, which need not outlive the call. `where` names them in errors.
 * ITH_E_FORMAT: not UTF-8, or not Jinja. ITH_E_UNSUPPORTED: Jinja that chat templates cannot use or
 * do not use: blocks, includes, imports. ITH_E_MEMORY. */
ith_status ith_jinja_parse(const char *source, size_t len, const char *where, ith_jinja **out,
                           ith_error *err);
void ith_jinja_free(ith_jinja *template); /* accepts NULL */

/* Does the template read a variable of this name anywhere? True also for one that it sets. */
bool ith_jinja_reads(const ith_jinja *template, const char *name);

/* Is there a string in the template's code that is just this text? */
bool ith_jinja_quotes(const ith_jinja *template, const char *text);

/* What a rendering starts from. Objects are only read, and are the caller's. */
typedef struct ith_jinja_input {
    /* variables that the user wrote: messages, tools, template arguments */
    const json_t *conversation;
    /* variables whose text counts as the template's: bos_token, add_generation_prompt. May be NULL.
     * They yield to those of the conversation where names are equal. */
    const json_t *own;
    /* "role" of a message made only of letters, digits, '_' and '-' counts as the template's,
     * because templates make markers of it: '<|' + message.role + '|>' */
    bool own_roles;
} ith_jinja_input;

typedef struct ith_jinja_limits {
    uint64_t steps;      /* what they are says jrun.h; 0: 5 million */
    size_t memory_bytes; /* 0: 256 MiB */
    uint64_t more_steps; /* beyond that, for long conversations */
    size_t more_bytes;
    time_t now; /* for strftime_now; 0: the clock */
} ith_jinja_limits;

typedef struct ith_jinja_text {
    char *text; /* len bytes and a NUL */
    size_t len;
    ith_passage *passages; /* [n_passages] */
    size_t n_passages;
} ith_jinja_text;

/* Renders the template. *out is freed by ith_jinja_text_free. limits may be NULL.
 * ITH_E_ARGUMENT: the template refuses the conversation (raise_exception), or what it does with its
 * values is an error in Python too. ITH_E_UNSUPPORTED: a method or filter that is not implemented.
 * ITH_E_FORMAT: more than `steps`, or nested too deeply. ITH_E_MEMORY: more than `memory_bytes`. */
ith_status ith_jinja_render(const ith_jinja *template, const ith_jinja_input *input,
                            const ith_jinja_limits *limits, ith_jinja_text *out, ith_error *err);
void ith_jinja_text_free(ith_jinja_text *text);

#endif

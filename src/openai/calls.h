/* calls.h - finds thoughts and calls of tools in the text of an answer, as it grows.
 *
 * Models write calls in the form that their chat template has taught them (forms/forms.inc):
 *
 *   Hermes, Qwen   <tool_call>{"name": "f", "arguments": {...}}</tool_call>, any number of them
 *   Llama 3        {"name": "f", "parameters": {...}}, at the beginning of the answer or behind
 *                  <|python_tag|>; others follow it, behind a semicolon or not
 *   Mistral        [TOOL_CALLS][{"name": "f", "arguments": {...}}, ...], until 2024; since then
 *                  [TOOL_CALLS]f[ARGS]{...}
 *   DeepSeek       a function's name and its arguments between markers; so does Kimi-K2, which
 *                  names the call, too
 *   Qwen3-Coder    <tool_call><function=f><parameter=a>1</parameter></function></tool_call>: each
 *                  argument by itself; so do GLM and MiniMax, with other tags
 *   harmony        messages with a header: <|channel|>commentary to=functions.f ... <|message|>
 *                  {...}<|call|>; those of the channel `analysis` are thoughts
 *
 * A call is one of a function that is known, with an object of arguments. What is none stays text:
 * another name, broken JSON, an end that is missing. White space beside a call, up to 64 bytes of
 * it, is no text. A call whose name stands first is told with its name, then its arguments as they
 * come, byte by byte as the model writes them; it can no longer become text then, so its arguments
 * may be cut or broken. Arguments that stand by themselves become JSON by the types that the
 * function's parameters have: texts as they come, others when they are complete.
 *
 * Thoughts stand between marks, such as <think> and </think>, at the beginning of an answer; the
 * marks and white space beside them are told as nothing. Thoughts are searched for no calls.
 *
 * What is told does not depend on how the text is cut into chunks, but for how texts and arguments
 * are cut.
 */
#ifndef ITH_OPENAI_CALLS_H
#define ITH_OPENAI_CALLS_H

#include "base/json.h"

/* A form of calls: forms/form.h */
typedef struct ith_form ith_form;

typedef enum ith_said_kind {
    ITH_SAID_TEXT,
    ITH_SAID_THOUGHT,
    ITH_SAID_CALL,     /* its name */
    ITH_SAID_ARGUMENTS /* a part of them */
} ith_said_kind;

typedef struct ith_said {
    ith_said_kind kind;
    size_t call; /* of calls and arguments: which, from 0 */
    const char *text;
    size_t len;
    const char *id; /* of a call: its id, if the model writes one; else NULL */
} ith_said;

/* False: no memory. */
typedef bool (*ith_said_fn)(void *user, const ith_said *said);

/* What stands around thoughts. */
typedef struct ith_marks {
    const char *open, *close;
} ith_marks;

typedef struct ith_calls_params {
    const ith_form *form;    /* NULL: there are no calls */
    const json_t *functions; /* an object: the parameters of each, by its name; may be NULL. It must
                              * outlive the parser */
    bool only_one;           /* calls after the first are left out */
    const ith_marks *marks;  /* NULL: there are no thoughts, or the form has them */
    bool thinks;             /* the answer begins between the marks */
    ith_said_fn said;
    void *user; /* first argument of `said` */
} ith_calls_params;

typedef struct ith_calls ith_calls;

/* NULL: no memory. */
ith_calls *ith_calls_open(const ith_calls_params *params);
void ith_calls_close(ith_calls *calls); /* accepts NULL */

/* More of the answer; `last`: nothing comes after it. False: no memory, now or before. */
bool ith_calls_push(ith_calls *calls, const char *text, size_t len, bool last);

/* How many calls have been told, and whether the last of them lacks the end of its arguments. */
size_t ith_calls_count(const ith_calls *calls);
bool ith_calls_is_cut(const ith_calls *calls);

/* Is what comes next a thought, as far as is known? */
bool ith_calls_is_thinking(const ith_calls *calls);

/* The form in which a template has written a call of `name`, with the id `id`, somewhere in a text.
 * NULL: none of those that are known. */
const ith_form *ith_calls_form_of(const char *text, const char *name, const char *id);

#endif

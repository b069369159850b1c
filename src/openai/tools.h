/* tools.h - the functions that a model may call, in a request: tools, tool_choice and
 * parallel_tool_calls.
 *
 * They go to the chat template. Where the model must call, the prompt ends with the beginning of a
 * call, and a grammar keeps the answer to one: of a function that is allowed, with arguments that
 * are valid by its parameters.
 */
#ifndef ITH_OPENAI_TOOLS_H
#define ITH_OPENAI_TOOLS_H

#include "openai/speech.h"

enum {
    ITH_TOOLS_MOST = 128,
    ITH_TOOL_NAME = 64,    /* bytes */
    ITH_TOOL_OPENING = 320 /* bytes of the beginning of a call */
};

typedef enum ith_tool_choice {
    ITH_TOOLS_AUTO, /* as the model likes */
    ITH_TOOLS_NONE,
    ITH_TOOLS_REQUIRED,
    ITH_TOOLS_NAMED
} ith_tool_choice;

typedef struct ith_tools {
    json_t *list;      /* as it was sent; NULL: no function may be called */
    json_t *functions; /* an object with their parameters by their names; NULL as the list */
    size_t n_earlier;  /* calls in the messages */
    ith_tool_choice choice;
    bool chosen;                   /* the request has a choice */
    char named[ITH_TOOL_NAME + 1]; /* the function that must be called */
    bool only_one;                 /* no calls beside each other */

    char opening[ITH_TOOL_OPENING]; /* the beginning of a call, with which the prompt ends; "" */
} ith_tools;

/* Reads a field. NULL: it is fine; else what was expected. */
const char *ith_tools_take(ith_tools *tools, const json_t *value);
const char *ith_tools_take_choice(ith_tools *tools, const json_t *value);

/* When all fields are read: what is wrong with the choice; NULL: nothing. Without functions, or if
 * none may be called, the list is dropped. */
const char *ith_tools_settle(ith_tools *tools);

void ith_tools_free(ith_tools *tools);

bool ith_tools_must_call(const ith_tools *tools);

/* Sets the opening, if the model must call.
 * ITH_E_UNSUPPORTED: the choice cannot be kept in the form. */
ith_status ith_tools_open(ith_tools *tools, const ith_form *form, ith_error *err);

/* The grammar of what follows the opening, if the model must call. Errors as of
 * ith_grammar_from_frames. */
ith_status ith_tools_grammar(const ith_tools *tools, const ith_form *form, const ith_vocab *vocab,
                             ith_grammar **grammar, ith_error *err);

#endif

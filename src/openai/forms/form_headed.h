/* form_headed.h - calls with a function's name between words, then a JSON object. */
#ifndef ITH_OPENAI_FORMS_FORM_HEADED_H
#define ITH_OPENAI_FORMS_FORM_HEADED_H

#include "openai/calls_impl.h"

/* How a form spells it: its `spelling`. White space may stand before each word. Lists end with
 * NULL. */
typedef struct ith_headed {
    const char *before[4]; /* words behind the marker; the first stands before each other call */
    const char *prefix;    /* "functions.": name and ":" and a number make the call's id; or NULL */
    const char *behind[3]; /* words between the name and the arguments */
    const char *after[4];  /* any of these may stand behind the arguments, in any order */
} ith_headed;

/* Places. */
enum { ITH_AT_HEAD = ITH_IN_FORM, ITH_AT_HEADED_END };

/* The step of such a form, and its `is`. */
bool ith_headed_step(ith_calls *calls);
bool ith_headed_is(const ith_form *form, const char *text, size_t at, const char *behind);

#endif

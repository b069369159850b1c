/* form_tagged.h - calls with a function's name, then each argument by itself between tags.
 *
 * An argument that is a text by the function's parameters is written as it is, any other as JSON.
 */
#ifndef ITH_OPENAI_FORMS_FORM_TAGGED_H
#define ITH_OPENAI_FORMS_FORM_TAGGED_H

#include "openai/calls_impl.h"

/* How a form spells it: its `spelling`. */
typedef struct ith_tagged {
    const char *name_open, *name_close;   /* "": the name ends by itself */
    const char *key_open, *key_close;     /* of an argument */
    const char *value_open, *value_close; /* value_open "": the value follows its key */
    const char *call_close;
    const char *close; /* of all calls, and the marker's; "": none */
    bool lines;        /* a value has lines of its own */
} ith_tagged;

/* Places. */
enum { ITH_AT_TAG = ITH_IN_FORM, ITH_AT_FIELDS, ITH_AT_KEY, ITH_AT_VALUE, ITH_AT_TAG_END };

/* The step of such a form, and its `is`. */
bool ith_tagged_step(ith_calls *calls);
bool ith_tagged_is(const ith_form *form, const char *text, size_t at, const char *behind);

#endif

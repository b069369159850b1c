/* form.h - what a form of calls is: how it is recognized and read, and how a call begins that must
 * be made. Each form has a file and a line in forms.inc.
 */
#ifndef ITH_OPENAI_FORMS_FORM_H
#define ITH_OPENAI_FORMS_FORM_H

#include "openai/calls.h"

struct ith_form {
    const char *models; /* that write it, for people */

    /* Has a template written a call so? At the name of its function, or at its id, which is byte
     * `at` of the text; `behind` is the text behind it. */
    bool (*is)(const ith_form *form, const char *text, size_t at, const char *behind);

    /* ---- Reading ---- */

    int first;                      /* place at the beginning of an answer; 0: text */
    const char *markers[3];         /* calls stand behind one of them in a text; ends with NULL */
    const char *kept;               /* one that is a part of the call itself; or NULL */
    bool bare;                      /* a call may also be the whole answer, without a marker */
    int at_marker;                  /* place behind one */
    int after_arguments;            /* place behind those that are passed through */
    int thinks_at;                  /* place of thoughts; 0: the form has none */
    bool (*step)(ith_calls *calls); /* in a place of the form's own */
    const void *spelling;           /* for the machine that several forms share */

    /* ---- A call that must be made ----
     *
     * The prompt ends with the opening; a grammar keeps what follows to begin, one call or, with
     * `between`, several, and end. A call is before, the arguments, after. In all of them "{name}"
     * stands for the function's name, in the opening "{index}" for the number of earlier calls.
     * Markers are in the opening, because they may be tokens that no grammar allows. */

    const char *opening;
    const char *begin, *before, *after, *end;
    const char *between; /* NULL: one call */

    /* Arguments that stand by themselves; all NULL: they are a JSON object. "{key}" */
    const char *field_before, *field_after;
};

#define FORM(name) extern const ith_form ith_form_##name;
#include "openai/forms/forms.inc"
#undef FORM

/* Number i of them; NULL: there are not so many. */
const ith_form *ith_form_at(size_t i);

/* Has the opening the function's name? */
bool ith_form_names_one(const ith_form *form);

#endif

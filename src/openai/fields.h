/* fields.h - the arguments of a function one by one, for forms of calls in which each stands by
 * itself: what a grammar needs to keep them to their schemas.
 */
#ifndef ITH_OPENAI_FIELDS_H
#define ITH_OPENAI_FIELDS_H

#include "openai/forms/form.h"

/* A list of fields, as in ith_grammar_from_frames, of a function's parameters in their order; NULL:
 * it has none. *fields is the caller's; NULL after a failure. `name`: of the function, for errors.
 * ITH_E_UNSUPPORTED: what the parameters say cannot be kept in the form. ITH_E_FORMAT: they are no
 * schema of an object. */
ith_status ith_fields_of(const json_t *parameters, const char *name, const ith_form *form,
                         json_t **fields, ith_error *err);

#endif

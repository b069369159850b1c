/* form_objects.h - calls that are JSON objects with a name and arguments. */
#ifndef ITH_OPENAI_FORMS_FORM_OBJECTS_H
#define ITH_OPENAI_FORMS_FORM_OBJECTS_H

#include "openai/calls_impl.h"

/* What is special in a form: its `spelling`. */
typedef struct ith_objects {
    bool list; /* a bracket may stand behind the marker */

    /* Behind an object, at something else than white space. Changes the place. */
    bool (*close)(ith_calls *calls);
} ith_objects;

/* Places. */
enum { ITH_AT_OBJECT = ITH_IN_FORM, ITH_AT_OBJECT_REST, ITH_AT_OBJECT_END };

/* The step of such a form. */
bool ith_objects_step(ith_calls *calls);

/* Another object follows, with nothing before it. */
void ith_objects_next(ith_calls *calls);

/* Is what stands around a name the beginning of such an object, behind the word `before`? NULL: any
 * word. */
bool ith_objects_at(const char *text, size_t at, const char *behind, const char *before);

#endif

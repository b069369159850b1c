/* schema_frames.h - texts in which values that are valid by schemas stand: calls of functions.
 *
 *     {"begin": "[", "between": ", ", "end": "]", "frames": [
 *         {"name": "f", "before": "call f with ", "after": ".", "schema": {...}}]}
 *
 * A text is begin, one of the frames (before, a value, after), and end. With `between`, which is
 * not empty, it has one frame or more, with `between` between them. Names are for errors.
 *
 * A frame may have fields instead of a schema, whose values stand one after another, those that are
 * not required perhaps. A field has `words` or `text` instead of a schema if its value is written
 * as it is: one of some texts, or any in which `after` is not.
 *
 *     {"name": "f", "before": "call f ", "after": ".", "fields": [
 *         {"name": "f.a", "before": "a=", "after": ";", "required": true, "text": true},
 *         {"name": "f.b", "before": "b=", "after": ";", "words": ["x", "y"]}]}
 */
#ifndef ITH_GRAMMAR_SCHEMA_FRAMES_H
#define ITH_GRAMMAR_SCHEMA_FRAMES_H

#include "base/json.h"
#include "grammar/rules.h"

/* *rules is the caller's, freed by ith_rules_free, also after a failure.
 * ITH_E_FORMAT: not of this form; else as ith_schema_compile. */
ith_status ith_frames_compile(const json_t *frames, ith_rules *rules, ith_error *err);

#endif

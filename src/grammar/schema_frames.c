/* schema_frames.c - rules of texts around schemas. */
#include "grammar/schema_frames.h"

#include "grammar/json_schema.h"

/* A member that is a text, NULL if it is none. */
static const json_t *text_of(const json_t *object, const char *key)
{
    const json_t *text = json_object_get(object, key);
    return json_is_string(text) ? text : NULL;
}

/* The state behind the text. */
static int32_t add_text(ith_rules *g, int32_t from, const json_t *text)
{
    return ith_rules_text(g, from, json_string_value(text), json_string_length(text), 0);
}

static void add_frame(ith_rules *g, int32_t root, int32_t from, int32_t to, const json_t *frame)
{
    const json_t *name = text_of(frame, "name"), *before = text_of(frame, "before"),
                 *after = text_of(frame, "after"), *schema = json_object_get(frame, "schema");
    int32_t value, behind;

    if (name == NULL || before == NULL || after == NULL || schema == NULL) {
        ith_rules_fail(g, ITH_E_FORMAT, "a frame needs a name, before, a schema, after");
        return;
    }
    value = ith_schema_add(schema, json_string_value(name), g);
    if (ith_rules_failed(g))
        return;
    behind = ith_rules_state(g, root);
    ith_rules_call(g, add_text(g, from, before), behind, value, 0);
    ith_rules_empty(g, add_text(g, behind, after), to);
}

ith_status ith_frames_compile(const json_t *frames, ith_rules *g, ith_error *err)
{
    const json_t *list = json_object_get(frames, "frames"), *begin = text_of(frames, "begin"),
                 *between = text_of(frames, "between"), *end = text_of(frames, "end"), *frame;
    int32_t root, from, to;
    size_t i;

    ith_rules_init(g);
    if (!json_is_array(list) || begin == NULL || end == NULL ||
        (between != NULL && json_string_length(between) == 0))
        ith_rules_fail(g, ITH_E_FORMAT, "frames need a list, begin, end");
    root = ith_rules_add(g, "frames");
    from = ith_rules_state(g, root);
    to = ith_rules_state(g, root);
    ith_rules_empty(g, add_text(g, ith_rules_start(g, root), begin), from);
    json_array_foreach (list, i, frame)
        add_frame(g, root, from, to, frame);
    if (between != NULL)
        ith_rules_empty(g, add_text(g, to, between), from);
    ith_rules_end(g, add_text(g, to, end), false);
    return ith_rules_finish(g, root, err);
}

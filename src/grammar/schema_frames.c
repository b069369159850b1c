/* schema_frames.c - rules of texts around schemas. */
#include "grammar/schema_frames.h"

#include "grammar/json_schema.h"

#include <string.h>

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

/* ---- Any text up to a word ---- */

enum { WORD_MOST = 100 /* bytes */ };

/* How many of the word's first bytes a text ends with that ended with n of them before byte b. */
static size_t matched(const char *word, size_t n, char b)
{
    for (size_t k = n + 1; k > 0; k--)
        if (word[k - 1] == b && memcmp(word, word + n + 1 - k, k - 1) == 0)
            return k;
    return 0;
}

static bool is_plain(int b)
{
    return b >= 0x20 || b == '\t' || b == '\n' || b == '\r';
}

/* ASCII behind n bytes of the word; states[k]: behind k of them. */
static void add_ascii(ith_rules *g, const int32_t *states, const char *word, size_t n)
{
    for (int b = 0, end; b < 0x80; b = end) {
        size_t k = matched(word, n, (char)b);
        for (end = b + 1;
             end < 0x80 && is_plain(end) == is_plain(b) && matched(word, n, (char)end) == k;)
            end++;
        if (is_plain(b))
            ith_rules_bytes(g, states[n], states[k], (uint8_t)b, (uint8_t)(end - 1), 0);
    }
}

static void add_others(ith_rules *g, int32_t from, int32_t to)
{
    ith_codeset set = {0};
    ith_error err = {0};

    if (ith_codeset_add(&set, 0x80, ITH_MAX_CODE, &err) != ITH_OK)
        ith_rules_fail(g, err.status, "%s", err.text);
    ith_codeset_settle(&set);
    ith_rules_chars(g, from, to, &set, 0);
    ith_codeset_free(&set);
}

/* A text in which the word, which is ASCII, is not, and then the word. Of control characters it has
 * tabs and line ends. */
static void add_text_up_to(ith_rules *g, int32_t root, int32_t from, int32_t to, const json_t *text)
{
    const char *word = json_string_value(text);
    size_t len = json_string_length(text);
    int32_t states[WORD_MOST + 1];

    if (len == 0 || len > WORD_MOST || strlen(word) != len) {
        ith_rules_fail(g, ITH_E_FORMAT, "a text needs a short word behind it");
        return;
    }
    for (size_t n = 0; n < len; n++)
        states[n] = ith_rules_state(g, root);
    states[len] = to;
    ith_rules_empty(g, from, states[0]);
    for (size_t n = 0; n < len && !ith_rules_failed(g); n++) {
        add_ascii(g, states, word, n);
        add_others(g, states[n], states[0]);
    }
}

/* ---- Frames ---- */

/* From a state one of the words, then `after`, to another. */
static void add_words(ith_rules *g, int32_t root, int32_t from, int32_t to, const json_t *words,
                      const json_t *after)
{
    const json_t *word;
    size_t i;

    json_array_foreach (words, i, word) {
        int32_t state = ith_rules_state(g, root);
        if (!json_is_string(word)) {
            ith_rules_fail(g, ITH_E_FORMAT, "words are texts");
            return;
        }
        ith_rules_empty(g, from, state);
        ith_rules_empty(g, add_text(g, add_text(g, state, word), after), to);
    }
}

/* From a state a value that is valid by a schema, then `after`, to another. */
static void add_value(ith_rules *g, int32_t root, int32_t from, int32_t to, const json_t *schema,
                      const json_t *name, const json_t *after)
{
    int32_t value = ith_schema_add(schema, json_string_value(name), g), behind;

    if (ith_rules_failed(g))
        return;
    behind = ith_rules_state(g, root);
    ith_rules_call(g, from, behind, value, 0);
    ith_rules_empty(g, add_text(g, behind, after), to);
}

/* A value between `before` and `after`: of a frame, or of one of its fields. */
static void add_entry(ith_rules *g, int32_t root, int32_t from, int32_t to, const json_t *entry)
{
    const json_t *name = text_of(entry, "name"), *before = text_of(entry, "before"),
                 *after = text_of(entry, "after"), *schema = json_object_get(entry, "schema"),
                 *words = json_object_get(entry, "words");
    int32_t state;

    if (name == NULL || before == NULL || after == NULL) {
        ith_rules_fail(g, ITH_E_FORMAT, "a frame needs a name, before, a schema, after");
        return;
    }
    state = add_text(g, from, before);
    if (schema != NULL)
        add_value(g, root, state, to, schema, name, after);
    else if (json_array_size(words) > 0)
        add_words(g, root, state, to, words, after);
    else if (json_is_true(json_object_get(entry, "text")))
        add_text_up_to(g, root, state, to, after);
    else
        ith_rules_fail(g, ITH_E_FORMAT, "a frame needs a name, before, a schema, after");
}

/* Fields, those that are not required perhaps. */
static void add_fields(ith_rules *g, int32_t root, int32_t from, int32_t to, const json_t *frame,
                       const json_t *fields)
{
    const json_t *before = text_of(frame, "before"), *after = text_of(frame, "after"), *field;
    int32_t state, next;
    size_t i;

    if (before == NULL || after == NULL || !json_is_array(fields)) {
        ith_rules_fail(g, ITH_E_FORMAT, "a frame with fields needs before and after");
        return;
    }
    state = ith_rules_state(g, root);
    ith_rules_empty(g, add_text(g, from, before), state);
    json_array_foreach (fields, i, field) {
        next = ith_rules_state(g, root);
        add_entry(g, root, state, next, field);
        if (!json_is_true(json_object_get(field, "required")))
            ith_rules_empty(g, state, next);
        state = next;
    }
    ith_rules_empty(g, add_text(g, state, after), to);
}

static void add_frame(ith_rules *g, int32_t root, int32_t from, int32_t to, const json_t *frame)
{
    const json_t *fields = json_object_get(frame, "fields");
    int32_t own = ith_rules_state(g, root);

    ith_rules_empty(g, from, own);
    if (fields != NULL)
        add_fields(g, root, own, to, frame, fields);
    else
        add_entry(g, root, own, to, frame);
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

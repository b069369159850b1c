/* form_tagged.c - reads calls whose arguments stand by themselves, and makes JSON of them. */
#include "openai/forms/form_tagged.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEY_MOST = 256 /* bytes */ };

static const ith_tagged *spelling(const ith_calls *c)
{
    return c->p.form->spelling;
}

static void tell(ith_calls *c, const char *text, size_t len)
{
    ith_calls_tell(c, ITH_SAID_ARGUMENTS, text, len);
}

/* ---- The name ---- */

/* A name that nothing ends is one if an argument, or the end of the call, is next. */
static ith_verdict check_end(ith_ahead k, const ith_tagged *t)
{
    ith_ahead other = k;
    ith_verdict v = ith_ahead_take(&k, t->key_open), w = ith_ahead_take(&other, t->call_close);

    return v > w ? v : w;
}

static ith_verdict take_head(ith_ahead *k, const ith_tagged *t, char name[ITH_FUNCTION_NAME + 1])
{
    ith_verdict v = ith_ahead_take(k, t->name_open);

    if (v == ITH_YES)
        v = ith_ahead_take(k, "");
    if (v == ITH_YES)
        v = ith_ahead_name(k, name);
    if (v == ITH_YES)
        v = t->name_close[0] != 0 ? ith_ahead_take(k, t->name_close) : check_end(*k, t);
    return v;
}

static bool step_tag(ith_calls *c)
{
    const char *text = ith_calls_rest(c) + c->head;
    size_t n = ith_calls_left(c) - c->head;
    ith_ahead k = {text, n < ITH_HEAD_MOST ? n : ITH_HEAD_MOST, 0};
    ith_verdict v = take_head(&k, spelling(c), c->name);

    if (v == ITH_MORE && n < ITH_HEAD_MOST && !c->last)
        return false;
    if (v != ITH_YES || !ith_calls_knows(c, c->name))
        return ith_calls_no_call(c);
    ith_calls_begin(c, c->name, NULL);
    c->at += c->head + k.at;
    c->place = ITH_AT_FIELDS;
    return true;
}

/* ---- Arguments ---- */

static bool end_call(ith_calls *c)
{
    const char *text = c->n_fields > 0 ? "}" : "{}";

    tell(c, text, strlen(text));
    ith_calls_end(c);
    c->place = ITH_AT_TAG_END;
    return true;
}

/* What is none of the form's says nothing. */
static bool step_fields(ith_calls *c)
{
    const ith_tagged *t = spelling(c);
    ith_verdict key, end, all;

    if (!ith_calls_skip_space(c))
        return false;
    key = ith_calls_take(c, t->key_open);
    if (key == ITH_YES) {
        c->place = ITH_AT_KEY;
        return true;
    }
    end = ith_calls_take(c, t->call_close);
    if (end == ITH_YES)
        return end_call(c);
    all =
        t->close[0] != 0 ? ith_begins_with(ith_calls_rest(c), ith_calls_left(c), t->close) : ITH_NO;
    if (all == ITH_YES) /* models forget the end of the call */
        return end_call(c);
    if (key == ITH_MORE || end == ITH_MORE || (all == ITH_MORE && !c->last))
        return false;
    c->at++;
    return true;
}

/* The schema of an argument; NULL: the function says nothing of it. */
static const json_t *schema_of(const ith_calls *c, const char *key)
{
    const json_t *parameters = json_object_get(c->p.functions, c->name);

    return json_object_get(json_object_get(parameters, "properties"), key);
}

/* Is it a text by its schema? */
static bool is_text(const json_t *schema)
{
    const json_t *type = json_object_get(schema, "type"), *words = json_object_get(schema, "enum"),
                 *only = json_object_get(schema, "const"), *word;
    size_t i;

    if (json_is_string(type))
        return strcmp(json_string_value(type), "string") == 0;
    json_array_foreach (words, i, word)
        if (!json_is_string(word))
            return false;
    return type == NULL && (json_array_size(words) > 0 || json_is_string(only));
}

/* Bytes of a text inside of a JSON string. */
static void tell_escaped(ith_calls *c, const char *text, size_t n)
{
    size_t from = 0;
    char code[8];

    for (size_t i = 0; i < n; i++) {
        unsigned char b = (unsigned char)text[i];
        if (b >= 0x20 && b != '"' && b != '\\')
            continue;
        tell(c, text + from, i - from);
        if (b == '\n')
            snprintf(code, sizeof code, "\\n");
        else if (b < 0x20)
            snprintf(code, sizeof code, "\\u%04x", b);
        else
            snprintf(code, sizeof code, "\\%c", b);
        tell(c, code, strlen(code));
        from = i + 1;
    }
    tell(c, text + from, n - from);
}

/* The key is known; its value is next. */
static void begin_value(ith_calls *c, const char *key)
{
    c->value_schema = schema_of(c, key);
    c->quotes = is_text(c->value_schema);
    tell(c, c->n_fields > 0 ? ", \"" : "{\"", c->n_fields > 0 ? 3 : 2);
    c->n_fields++;
    tell_escaped(c, key, strlen(key));
    tell(c, "\": ", 3);
    if (c->quotes)
        tell(c, "\"", 1);
    c->scanned = 0;
    c->place = ITH_AT_VALUE;
}

/* Up to the value. A key that does not end is passed over. */
static bool step_key(ith_calls *c)
{
    const ith_tagged *t = spelling(c);
    size_t n = ith_calls_left(c), most = n < KEY_MOST ? n : KEY_MOST;
    const char *text = ith_calls_rest(c),
               *end = memmem(text, most, t->key_close, strlen(t->key_close));
    char key[KEY_MOST + 1];
    ith_ahead k = {text, n, 0};
    ith_verdict v = ITH_YES;

    if (end == NULL) {
        if (n >= KEY_MOST)
            c->place = ITH_AT_FIELDS;
        return n >= KEY_MOST;
    }
    k.at = (size_t)(end - text) + strlen(t->key_close);
    if (t->value_open[0] != 0)
        v = ith_ahead_take(&k, t->value_open);
    if (v == ITH_MORE || (t->lines && k.at == n))
        return false;
    memcpy(key, text, (size_t)(end - text));
    key[end - text] = 0;
    if (t->lines && text[k.at] == '\n')
        k.at++;
    c->at += k.at;
    if (v == ITH_YES)
        begin_value(c, key);
    else
        c->place = ITH_AT_FIELDS;
    return true;
}

/* ---- Values ---- */

/* Python's words for JSON's: templates write them, and so do models. */
static const char *json_word(const char *text, size_t n)
{
    static const char *const words[][2] = {{"True", "true"}, {"False", "false"}, {"None", "null"}};

    for (int i = 0; i < 3; i++)
        if (strlen(words[i][0]) == n && memcmp(text, words[i][0], n) == 0)
            return words[i][1];
    return NULL;
}

/* Is `type` among those of a schema, or the only one? */
static bool has_type(const json_t *types, const char *type)
{
    const json_t *one;
    size_t i;

    if (json_is_string(types))
        return strcmp(json_string_value(types), type) == 0;
    json_array_foreach (types, i, one)
        if (json_is_string(one) && strcmp(json_string_value(one), type) == 0)
            return true;
    return false;
}

static bool allows(const json_t *schema, const char *type);

static bool one_allows(const json_t *list, const char *type)
{
    const json_t *one;
    size_t i;

    json_array_foreach (list, i, one)
        if (allows(one, type))
            return true;
    return false;
}

/* May a value by the schema be of the type? Schemas are as flat as requests are. */
static bool allows(const json_t *schema, const char *type)
{
    const json_t *types = json_object_get(schema, "type"), *any = json_object_get(schema, "anyOf"),
                 *one = json_object_get(schema, "oneOf");

    if (types != NULL)
        return has_type(types, type);
    if (any != NULL || one != NULL)
        return one_allows(any, type) || one_allows(one, type);
    return true;
}

static bool allows_value(const json_t *schema, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return allows(schema, "object");
    case JSON_ARRAY:
        return allows(schema, "array");
    case JSON_STRING:
        return false; /* a text would have no quotes */
    case JSON_INTEGER:
        return allows(schema, "integer") || allows(schema, "number");
    case JSON_REAL:
        return allows(schema, "number");
    case JSON_NULL:
        return allows(schema, "null");
    case JSON_TRUE:
    case JSON_FALSE:
        break;
    }
    return allows(schema, "boolean");
}

/* The value as JSON, malloc'd; NULL: it is a text, or there is no memory. */
static char *json_of(const ith_calls *c, const char *text, size_t n)
{
    const char *word = json_word(text, n);
    json_error_t why;
    json_t *value = json_loadb(word != NULL ? word : text, word != NULL ? strlen(word) : n,
                               JSON_DECODE_ANY, &why);
    char *json = NULL;

    if (value != NULL &&
        (allows_value(c->value_schema, value) || !allows(c->value_schema, "string")))
        json = ith_json_exact_text(value, false);
    json_decref(value);
    return json;
}

/* A value that is whole, n bytes. */
static void tell_value(ith_calls *c, const char *text, size_t n)
{
    size_t from = 0, end = n;
    char *json;

    while (from < end && ith_is_space(text[from]))
        from++;
    while (end > from && ith_is_space(text[end - 1]))
        end--;
    json = json_of(c, text + from, end - from);
    if (json != NULL) {
        tell(c, json, strlen(json));
    } else {
        tell(c, "\"", 1);
        tell_escaped(c, text, n);
        tell(c, "\"", 1);
    }
    free(json);
}

/* Bytes before the end of a value that are none of it. */
static size_t line_end(const ith_tagged *t, const char *text, size_t n)
{
    return t->lines && n > 0 && text[n - 1] == '\n';
}

/* How many bytes are before the end of the value; *which NULL: as far as there is text. */
static size_t find_close(ith_calls *c, const char **which)
{
    const char *const words[] = {spelling(c)->value_close, NULL};
    size_t known = c->quotes ? 0 : c->scanned, n;

    c->at += known;
    n = known + ith_calls_find(c, words, which);
    c->at -= known;
    c->scanned = n;
    return n;
}

static bool step_value(ith_calls *c)
{
    const ith_tagged *t = spelling(c);
    const char *text = ith_calls_rest(c), *which;
    size_t n = find_close(c, &which), kept = line_end(t, text, n);

    if (which == NULL && c->last)
        kept = 0; /* cut */
    if (c->quotes) {
        tell_escaped(c, text, n - kept);
        c->at += n - kept;
    }
    if (which == NULL)
        return false;
    if (c->quotes)
        tell(c, "\"", 1);
    else
        tell_value(c, text, n - kept);
    c->at += (c->quotes ? kept : n) + strlen(which);
    c->place = ITH_AT_FIELDS;
    return true;
}

/* ---- All of it ---- */

static bool step_end(ith_calls *c)
{
    const ith_tagged *t = spelling(c);
    ith_verdict v, next;

    if (!ith_calls_skip_space(c))
        return false;
    v = t->close[0] != 0 ? ith_calls_take(c, t->close) : ITH_NO;
    next = t->name_open[0] != 0
               ? ith_begins_with(ith_calls_rest(c), ith_calls_left(c), t->name_open)
               : ITH_NO;
    if (v == ITH_YES)
        return ith_calls_go_on(c);
    if (v == ITH_MORE || (next == ITH_MORE && !c->last))
        return false;
    if (next != ITH_YES)
        return ith_calls_go_on(c);
    c->mark = c->head = 0;
    c->place = ITH_AT_TAG;
    return true;
}

bool ith_tagged_step(ith_calls *c)
{
    switch (c->place) {
    case ITH_AT_TAG:
        return step_tag(c);
    case ITH_AT_FIELDS:
        return step_fields(c);
    case ITH_AT_KEY:
        return step_key(c);
    case ITH_AT_VALUE:
        return step_value(c);
    default:
        return step_end(c);
    }
}

bool ith_tagged_is(const ith_form *form, const char *text, size_t at, const char *behind)
{
    const ith_tagged *t = form->spelling;
    ith_ahead k = {behind, strlen(behind), 0};

    return ith_ahead_take(&k, t->name_close) == ITH_YES &&
           ith_ahead_take(&k, t->key_open) == ITH_YES && ith_strip(text, &at, t->name_open) &&
           ith_strip(text, &at, form->markers[0]);
}

/* form_objects.c - reads calls that are JSON objects. */
#include "openai/forms/form_objects.h"

#include <stdlib.h>

/* What stands before a quote, without escapes. */
static ith_verdict take_name(ith_ahead *k, char name[ITH_FUNCTION_NAME + 1])
{
    size_t len = 0;

    for (; k->at < k->n; k->at++) {
        char b = k->text[k->at];
        if (b == '"') {
            name[len] = 0;
            k->at++;
            return ITH_YES;
        }
        if (b == '\\' || b == 0 || len == ITH_FUNCTION_NAME)
            return ITH_NO;
        name[len++] = b;
    }
    return ITH_MORE;
}

/* {"name": "f", "arguments": { or "parameters"; *at: the last brace. */
static ith_verdict take_head(const char *text, size_t n, char name[ITH_FUNCTION_NAME + 1],
                             size_t *at)
{
    static const char *const before[] = {"{", "\"name\"", ":", "\"", NULL},
                             *const arguments[] = {",", "\"arguments\"", ":", "{", NULL},
                             *const parameters[] = {",", "\"parameters\"", ":", "{", NULL};
    ith_ahead k = {text, n < ITH_HEAD_MOST ? n : ITH_HEAD_MOST, 0}, other;
    ith_verdict v = ith_ahead_take_all(&k, before), w;

    if (v == ITH_YES)
        v = take_name(&k, name);
    other = k;
    if (v == ITH_YES) {
        v = ith_ahead_take_all(&k, arguments);
        w = v != ITH_YES ? ith_ahead_take_all(&other, parameters) : ITH_NO;
        if (w > v) {
            v = w;
            k = other;
        }
    }
    *at = k.at - (k.at > 0);
    return v == ITH_MORE && n >= ITH_HEAD_MOST ? ITH_NO : v;
}

/* The arguments of a call that is whole, as JSON, malloc'd; NULL: it is none, or no memory. */
static char *whole_arguments(const ith_calls *c, const char *text, size_t n, json_t **call)
{
    const char *name;
    const json_t *arguments;
    ith_error err;

    *call = NULL;
    if (ith_json_parse(text, n, "a call", call, &err) != ITH_OK)
        return NULL;
    name = json_string_value(json_object_get(*call, "name"));
    arguments = json_object_get(*call, "arguments");
    if (arguments == NULL)
        arguments = json_object_get(*call, "parameters");
    if (name == NULL || !ith_calls_knows(c, name))
        return NULL;
    if (arguments == NULL)
        return strdup("{}");
    return json_is_object(arguments) ? ith_json_exact_text(arguments, false) : NULL;
}

/* An object of n bytes behind `before`, which is not told before it is whole. */
static bool tell_whole(ith_calls *c, size_t before, size_t n)
{
    json_t *call;
    char *arguments = whole_arguments(c, ith_calls_rest(c) + before, n, &call);

    if (arguments == NULL) {
        json_decref(call);
        return ith_calls_no_call(c);
    }
    ith_calls_begin(c, json_string_value(json_object_get(call, "name")), NULL);
    ith_calls_tell(c, ITH_SAID_ARGUMENTS, arguments, strlen(arguments));
    ith_calls_end(c);
    c->at += before + n;
    c->place = ITH_AT_OBJECT_END;
    free(arguments);
    json_decref(call);
    return true;
}

static const ith_objects *spelling(const ith_calls *c)
{
    return c->p.form->spelling;
}

/* Passes over white space and the bracket of a list. Returns where the object is to begin. */
static size_t object_at(const ith_calls *c)
{
    bool list = spelling(c)->list && c->mark > 0;
    const char *text = ith_calls_rest(c);
    size_t at = c->mark, n = ith_calls_left(c);

    while (at < n && at < c->mark + ITH_SPACE_MOST &&
           (ith_is_space(text[at]) || (text[at] == '[' && list)))
        at++;
    return at;
}

static bool step_object(ith_calls *c)
{
    size_t before = object_at(c), n = ith_calls_left(c) - before, at;
    const char *text = ith_calls_rest(c) + before;
    char name[ITH_FUNCTION_NAME + 1];
    ith_verdict head;
    bool ended;

    if (n == 0 && !c->last)
        return false;
    if (n == 0 || text[0] != '{')
        return ith_calls_no_call(c);
    head = take_head(text, n, name, &at);
    if (head == ITH_MORE && !c->last)
        return false;
    if (head == ITH_YES && ith_calls_knows(c, name)) {
        ith_calls_begin_object(c, name, NULL);
        c->at += before + at;
        return true;
    }
    c->scanned += ith_scan(&c->scan, text + c->scanned, n - c->scanned, &ended);
    if (ended)
        return tell_whole(c, before, c->scanned);
    return c->last ? ith_calls_no_call(c) : false;
}

/* What else the object has, which says nothing. A marker before its end is accepted: models forget
 * the last brace. */
static bool step_rest(ith_calls *c)
{
    bool ended = false;

    while (!ended && c->at < c->len) {
        if (!c->scan.quoted && c->held[c->at] == '<')
            ended = true;
        else
            c->at += ith_scan(&c->scan, ith_calls_rest(c), 1, &ended);
    }
    if (ended)
        c->place = ITH_AT_OBJECT_END;
    return ended;
}

bool ith_objects_step(ith_calls *c)
{
    if (c->place == ITH_AT_OBJECT)
        return step_object(c);
    if (c->place == ITH_AT_OBJECT_REST)
        return step_rest(c);
    return ith_calls_skip_space(c) && spelling(c)->close(c);
}

void ith_objects_next(ith_calls *c)
{
    c->mark = 0;
    c->scanned = 0;
    c->scan = (ith_scanner){0};
    c->place = ITH_AT_OBJECT;
}

bool ith_objects_at(const char *text, size_t at, const char *behind, const char *before)
{
    static const char *const parameters[] = {"\"", ",", "\"parameters\"", NULL}, *const name[] = {
                                                                                     "{",
                                                                                     "\"name\"",
                                                                                     ":", "\"",
                                                                                     NULL};
    ith_ahead k = {behind, strlen(behind), 0};

    return ith_strip_all(text, &at, name) &&
           (before == NULL ? ith_ahead_take_all(&k, parameters) == ITH_YES
                           : ith_strip(text, &at, before));
}

/* form_headed.c - reads calls whose name stands between words. */
#include "openai/forms/form_headed.h"

#include <stdio.h>

static const ith_headed *spelling(const ith_form *form)
{
    return form->spelling;
}

/* ":7", and the id that it ends. */
static ith_verdict take_number(ith_ahead *k, const char *prefix, const char *name,
                               char id[ITH_CALL_ID])
{
    size_t first = k->at + 1, len = 0;

    if (k->at == k->n)
        return ITH_MORE;
    if (k->text[k->at] != ':')
        return ITH_NO;
    while (first + len < k->n && k->text[first + len] >= '0' && k->text[first + len] <= '9')
        len++;
    if (first + len == k->n)
        return ITH_MORE;
    if (len == 0 || len > 9)
        return ITH_NO;
    k->at = first + len;
    snprintf(id, ITH_CALL_ID, "%s%s:%.*s", prefix, name, (int)len, k->text + first);
    return ITH_YES;
}

/* Up to the arguments' brace, which the cursor is at then. */
static ith_verdict take_head(ith_ahead *k, const ith_headed *h, char name[ITH_FUNCTION_NAME + 1],
                             char id[ITH_CALL_ID])
{
    ith_verdict v = ith_ahead_take_all(k, h->before);

    id[0] = 0;
    if (v == ITH_YES)
        v = ith_ahead_take(k, h->prefix != NULL ? h->prefix : "");
    if (v == ITH_YES)
        v = ith_ahead_name(k, name);
    if (v == ITH_YES && h->prefix != NULL)
        v = take_number(k, h->prefix, name, id);
    if (v == ITH_YES)
        v = ith_ahead_take_all(k, h->behind);
    if (v == ITH_YES)
        v = ith_ahead_take(k, "{");
    k->at -= v == ITH_YES;
    return v;
}

static bool step_head(ith_calls *c)
{
    const char *text = ith_calls_rest(c) + c->head;
    size_t n = ith_calls_left(c) - c->head;
    ith_ahead k = {text, n < ITH_HEAD_MOST ? n : ITH_HEAD_MOST, 0};
    char name[ITH_FUNCTION_NAME + 1], id[ITH_CALL_ID];
    ith_verdict v = take_head(&k, spelling(c->p.form), name, id);

    if (v == ITH_MORE && n < ITH_HEAD_MOST && !c->last)
        return false;
    if (v != ITH_YES || !ith_calls_knows(c, name))
        return ith_calls_no_call(c);
    ith_calls_begin_object(c, name, id[0] != 0 ? id : NULL);
    c->at += c->head + k.at;
    return true;
}

/* What stands behind the arguments, then another call or text. */
static bool step_end(ith_calls *c)
{
    const ith_headed *h = spelling(c->p.form);
    const char *const *words = h->after;

    if (!ith_calls_skip_space(c))
        return false;
    for (; *words != NULL; words++) {
        ith_verdict v = ith_calls_take(c, *words);
        if (v != ITH_NO)
            return v == ITH_YES;
    }
    if (h->before[0] == NULL)
        return ith_calls_go_on(c);
    switch (ith_begins_with(ith_calls_rest(c), ith_calls_left(c), h->before[0])) {
    case ITH_YES:
        c->mark = c->head = 0;
        c->place = ITH_AT_HEAD;
        return true;
    case ITH_MORE:
        return c->last && ith_calls_go_on(c);
    case ITH_NO:
        break;
    }
    return ith_calls_go_on(c);
}

bool ith_headed_step(ith_calls *c)
{
    return c->place == ITH_AT_HEAD ? step_head(c) : step_end(c);
}

bool ith_headed_is(const ith_form *form, const char *text, size_t at, const char *behind)
{
    const ith_headed *h = spelling(form);
    ith_ahead k = {behind, strlen(behind), 0};

    return ith_ahead_take_all(&k, h->behind) == ITH_YES && ith_strip_all(text, &at, h->before) &&
           (h->before[0] != NULL || ith_strip(text, &at, form->markers[0]));
}

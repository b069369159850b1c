/* calls.c - thoughts and calls in text: a machine that consumes what it is certain of. */
#include "openai/calls_impl.h"

#include <stdlib.h>

ith_calls *ith_calls_open(const ith_calls_params *params)
{
    ith_calls *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->p = *params;
    c->fresh = true;
    if (params->form != NULL)
        c->place = params->form->first;
    if (c->place == ITH_IN_TEXT && params->thinks)
        c->place = ITH_IN_THOUGHT_BEGIN;
    return c;
}

void ith_calls_close(ith_calls *c)
{
    if (c == NULL)
        return;
    free(c->held);
    free(c);
}

size_t ith_calls_count(const ith_calls *c)
{
    return c->p.only_one && c->n > 1 ? 1 : c->n;
}

bool ith_calls_is_cut(const ith_calls *c)
{
    return c->in_call && c->n == ith_calls_count(c);
}

/* ---- What is held ---- */

static void tell(ith_calls *c, const ith_said *said)
{
    bool of_call = said->kind == ITH_SAID_CALL || said->kind == ITH_SAID_ARGUMENTS;

    if (said->len == 0 || (of_call && c->p.only_one && c->n > 1))
        return;
    c->failed = c->failed || !c->p.said(c->p.user, said);
}

void ith_calls_tell(ith_calls *c, ith_said_kind kind, const char *text, size_t len)
{
    const ith_said said = {.kind = kind, .call = c->n > 0 ? c->n - 1 : 0, .text = text, .len = len};

    tell(c, &said);
}

void ith_calls_pass(ith_calls *c, ith_said_kind kind, size_t n)
{
    for (size_t i = 0; i < n && c->fresh && kind == ITH_SAID_TEXT; i++)
        c->fresh = ith_is_space(ith_calls_rest(c)[i]);
    ith_calls_tell(c, kind, ith_calls_rest(c), n);
    c->at += n;
}

bool ith_calls_skip_space(ith_calls *c)
{
    while (c->at < c->len && ith_is_space(c->held[c->at]))
        c->at++;
    return c->at < c->len;
}

ith_verdict ith_calls_take(ith_calls *c, const char *word)
{
    ith_verdict v = ith_begins_with(ith_calls_rest(c), ith_calls_left(c), word);

    if (v == ITH_YES)
        c->at += strlen(word);
    return v == ITH_MORE && c->last ? ITH_NO : v;
}

size_t ith_space_before(const char *text, size_t n)
{
    size_t space = 0;

    while (space < n && space < ITH_SPACE_MOST && ith_is_space(text[n - 1 - space]))
        space++;
    return space;
}

size_t ith_calls_find(const ith_calls *c, const char *const *words, const char **which)
{
    const char *text = ith_calls_rest(c);
    size_t n = ith_calls_left(c);

    *which = NULL;
    for (size_t i = 0; i < n; i++)
        for (const char *const *w = words; *w != NULL; w++) {
            ith_verdict v = ith_begins_with(text + i, n - i, *w);
            if (v == ITH_YES)
                *which = *w;
            if (v == ITH_YES || (v == ITH_MORE && !c->last))
                return i;
        }
    return n;
}

/* ---- Looking ahead ---- */

size_t ith_scan(ith_scanner *s, const char *text, size_t n, bool *ended)
{
    size_t i = 0;

    *ended = false;
    while (i < n && !*ended) {
        char b = text[i++];
        if (s->escaped)
            s->escaped = false;
        else if (s->quoted && b == '\\')
            s->escaped = true;
        else if (b == '"')
            s->quoted = !s->quoted;
        else if (!s->quoted) {
            s->depth += (b == '{' || b == '[') - (b == '}' || b == ']');
            *ended = s->depth <= 0;
        }
    }
    return i;
}

ith_verdict ith_ahead_take(ith_ahead *k, const char *word)
{
    ith_verdict v;

    while (k->at < k->n && ith_is_space(k->text[k->at]))
        k->at++;
    v = ith_begins_with(k->text + k->at, k->n - k->at, word);
    if (v == ITH_YES)
        k->at += strlen(word);
    return v;
}

ith_verdict ith_ahead_take_all(ith_ahead *k, const char *const *words)
{
    ith_verdict v = ITH_YES;

    for (; v == ITH_YES && *words != NULL; words++)
        v = ith_ahead_take(k, *words);
    return v;
}

ith_verdict ith_ahead_name(ith_ahead *k, char name[ITH_FUNCTION_NAME + 1])
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    size_t len = 0;

    for (; k->at < k->n; k->at++) {
        char b = k->text[k->at];
        if (b == 0 || strchr(allowed, b) == NULL) {
            name[len] = 0;
            return len > 0 ? ITH_YES : ITH_NO;
        }
        if (len == ITH_FUNCTION_NAME)
            return ITH_NO;
        name[len++] = b;
    }
    return ITH_MORE;
}

bool ith_strip(const char *text, size_t *n, const char *word)
{
    size_t len = strlen(word), at = *n;

    while (at > 0 && ith_is_space(text[at - 1]))
        at--;
    if (at < len || memcmp(text + at - len, word, len) != 0)
        return false;
    *n = at - len;
    return true;
}

bool ith_strip_all(const char *text, size_t *n, const char *const *words)
{
    size_t count = 0;

    while (words[count] != NULL)
        count++;
    while (count > 0)
        if (!ith_strip(text, n, words[--count]))
            return false;
    return true;
}

/* ---- Calls ---- */

bool ith_calls_knows(const ith_calls *c, const char *name)
{
    return json_object_get(c->p.functions, name) != NULL;
}

bool ith_calls_no_call(ith_calls *c)
{
    c->place = ITH_IN_TEXT;
    ith_calls_pass(c, ITH_SAID_TEXT, c->mark);
    c->fresh = false;
    return true;
}

void ith_calls_begin(ith_calls *c, const char *name, const char *id)
{
    const ith_said said = {
        .kind = ITH_SAID_CALL, .call = c->n++, .text = name, .len = strlen(name), .id = id};

    c->fresh = false;
    c->in_call = true;
    c->n_fields = 0;
    tell(c, &said);
}

void ith_calls_begin_object(ith_calls *c, const char *name, const char *id)
{
    ith_calls_begin(c, name, id);
    c->scan = (ith_scanner){0};
    c->place = ITH_IN_ARGUMENTS;
}

void ith_calls_end(ith_calls *c)
{
    c->in_call = false;
}

bool ith_calls_go_on(ith_calls *c)
{
    c->place = ITH_IN_TEXT;
    return true;
}

static bool step_arguments(ith_calls *c)
{
    bool ended;
    size_t n = ith_scan(&c->scan, ith_calls_rest(c), ith_calls_left(c), &ended);

    ith_calls_pass(c, ITH_SAID_ARGUMENTS, n);
    if (!ended)
        return false;
    ith_calls_end(c);
    c->scan = (ith_scanner){.depth = 1};
    c->place = c->p.form->after_arguments;
    return true;
}

/* ---- Text ---- */

/* A call may begin behind `head` bytes; if none does, `mark` bytes are text. */
static void try_call(ith_calls *c, size_t mark, size_t head)
{
    c->mark = mark;
    c->head = head;
    c->scanned = 0;
    c->scan = (ith_scanner){0};
    c->place = c->p.form->at_marker;
}

/* Is a call without a marker next, behind white space? */
static bool begins_bare(ith_calls *c)
{
    size_t space = 0, kept;

    if (c->p.form == NULL || !c->p.form->bare || !c->fresh)
        return false;
    while (space < ith_calls_left(c) && ith_is_space(ith_calls_rest(c)[space]))
        space++;
    if (space == ith_calls_left(c) || ith_calls_rest(c)[space] != '{')
        return false;
    kept = space < ITH_SPACE_MOST ? space : ITH_SPACE_MOST;
    ith_calls_pass(c, ITH_SAID_TEXT, space - kept);
    try_call(c, kept, kept);
    return true;
}

static bool may_think(const ith_calls *c)
{
    return c->p.marks != NULL && c->fresh && !c->thought;
}

/* What is looked for in a text; ends with NULL. */
static void list_words(const ith_calls *c, const char *words[4])
{
    size_t n = 0;

    for (size_t i = 0; c->p.form != NULL && c->p.form->markers[i] != NULL; i++)
        words[n++] = c->p.form->markers[i];
    if (may_think(c))
        words[n++] = c->p.marks->open;
    words[n] = NULL;
}

/* Nothing is found in the next n bytes; they may end with white space before what comes. */
static bool pass_text(ith_calls *c, size_t n, size_t space)
{
    bool ends = c->last && n == ith_calls_left(c);

    if (ends && c->n == 0)
        space = 0;
    ith_calls_pass(c, ITH_SAID_TEXT, n - space);
    if (ends)
        c->at = c->len;
    return false;
}

/* The mark is next, behind white space. It says nothing behind a text. */
static bool open_thought(ith_calls *c, size_t space)
{
    size_t n = space + strlen(c->p.marks->open);

    if (c->fresh) {
        c->at += n;
        c->place = ITH_IN_THOUGHT_BEGIN;
    } else {
        ith_calls_pass(c, ITH_SAID_TEXT, n);
    }
    return true;
}

static bool step_text(ith_calls *c)
{
    const char *words[4], *which;
    size_t n, space;

    if (ith_calls_left(c) == 0 || begins_bare(c))
        return ith_calls_left(c) > 0;
    list_words(c, words);
    n = ith_calls_find(c, words, &which);
    space = words[0] != NULL ? ith_space_before(ith_calls_rest(c), n) : 0;
    if (which == NULL)
        return pass_text(c, n, space);
    ith_calls_pass(c, ITH_SAID_TEXT, n - space);
    if (c->p.marks != NULL && which == c->p.marks->open)
        return open_thought(c, space);
    n = space + strlen(which);
    try_call(c, n, which == c->p.form->kept ? space : n);
    return true;
}

/* ---- Thoughts ---- */

/* Models write the mark again that the prompt ends with. */
static bool step_thought_begin(ith_calls *c)
{
    ith_verdict v;

    if (!ith_calls_skip_space(c))
        return false;
    v = ith_calls_take(c, c->p.marks->open);
    if (v == ITH_NO)
        c->place = ITH_IN_THOUGHT;
    return v != ITH_MORE;
}

static bool step_thought(ith_calls *c)
{
    const char *const words[] = {c->p.marks->close, NULL};
    const char *which;
    size_t n = ith_calls_find(c, words, &which), space = ith_space_before(ith_calls_rest(c), n);

    ith_calls_pass(c, ITH_SAID_THOUGHT, n - space);
    if (which == NULL)
        return false;
    c->at += space + strlen(which);
    c->fresh = c->thought = true;
    c->place = ITH_IN_THOUGHT_END;
    return true;
}

static bool step_thought_end(ith_calls *c)
{
    if (!ith_calls_skip_space(c))
        return false;
    c->place = ITH_IN_TEXT;
    return true;
}

/* ---- All of it ---- */

/* False: there is nothing to do without more text. */
static bool step(ith_calls *c)
{
    switch (c->place) {
    case ITH_IN_TEXT:
        return step_text(c);
    case ITH_IN_THOUGHT_BEGIN:
        return step_thought_begin(c);
    case ITH_IN_THOUGHT:
        return step_thought(c);
    case ITH_IN_THOUGHT_END:
        return step_thought_end(c);
    case ITH_IN_ARGUMENTS:
        return step_arguments(c);
    default:
        return c->p.form->step(c);
    }
}

static bool hold(ith_calls *c, const char *text, size_t len)
{
    char *grown;

    if (c->at > 0) {
        memmove(c->held, c->held + c->at, ith_calls_left(c));
        c->len -= c->at;
        c->at = 0;
    }
    if (c->len + len + 1 > c->room) {
        grown = realloc(c->held, 2 * (c->len + len + 1));
        if (grown == NULL)
            return false;
        c->held = grown;
        c->room = 2 * (c->len + len + 1);
    }
    if (len > 0)
        memcpy(c->held + c->len, text, len);
    c->len += len;
    return true;
}

bool ith_calls_push(ith_calls *c, const char *text, size_t len, bool last)
{
    c->failed = c->failed || !hold(c, text, len);
    c->last = last;
    while (!c->failed && step(c))
        continue;
    return !c->failed;
}

bool ith_calls_is_thinking(const ith_calls *c)
{
    return c->place == ITH_IN_THOUGHT_BEGIN || c->place == ITH_IN_THOUGHT ||
           (c->p.form != NULL && c->p.form->thinks_at != 0 && c->place == c->p.form->thinks_at);
}

/* ---- The form of a template ---- */

const ith_form *ith_form_at(size_t i)
{
#define FORM(name) &ith_form_##name,
    static const ith_form *const forms[] = {
#include "openai/forms/forms.inc"
    };
#undef FORM
    return i < sizeof forms / sizeof *forms ? forms[i] : NULL;
}

bool ith_form_names_one(const ith_form *form)
{
    return form->opening != NULL && strstr(form->opening, "{name}") != NULL;
}

/* The first form that has written what is at a word of the text. */
static const ith_form *form_at_word(const char *text, const char *word)
{
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
        for (size_t i = 0; ith_form_at(i) != NULL; i++) {
            const ith_form *form = ith_form_at(i);
            if (form->is(form, text, (size_t)(at - text), at + strlen(word)))
                return form;
        }
    return NULL;
}

const ith_form *ith_calls_form_of(const char *text, const char *name, const char *id)
{
    const ith_form *form = form_at_word(text, name);

    return form != NULL ? form : form_at_word(text, id);
}

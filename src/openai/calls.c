/* calls.c - finds calls in text: a machine that consumes what it is certain of. */
#include "openai/calls.h"

#include <stdlib.h>
#include <string.h>

enum {
    SPACE_MOST = 64,   /* bytes of white space beside a call */
    HEAD_MOST = 512,   /* bytes before the arguments of a call that is told early */
    HEADER_MOST = 512, /* of a harmony message */
    NAME_MOST = 64
};

typedef enum place {
    TEXT,
    THOUGHT, /* in <think> */
    OBJECT,  /* at a marker, or where a call may begin */
    ARGUMENTS,
    REST, /* between the arguments and the end of their object */
    CLOSE,
    HEADER, /* the rest is harmony's */
    OPENING,
    BODY,
    REASONS
} place;

/* Where the bytes of a JSON value are. */
typedef struct scanner {
    int64_t depth;
    bool quoted, escaped;
} scanner;

struct ith_calls {
    ith_calls_params p;
    place place;
    char *held; /* [len]; what is not consumed begins at `at` */
    size_t at, len, room;
    size_t mark;    /* OBJECT: bytes that are text if no call follows */
    size_t scanned; /* OBJECT: bytes behind them that the scanner has seen */
    bool fresh;     /* nothing but white space since the beginning, or since thinking ended */
    bool thought;   /* it has ended */
    bool last, failed;
    scanner scan;
    size_t n;
    char name[NAME_MOST + 1]; /* OPENING: of the function */
};

ith_calls *ith_calls_open(const ith_calls_params *params)
{
    ith_calls *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->p = *params;
    c->fresh = true;
    if (params->form == ITH_CALLS_HARMONY)
        c->place = HEADER;
    else if (params->thinks)
        c->place = THOUGHT;
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
    return c->place == ARGUMENTS && c->n == ith_calls_count(c);
}

/* ---- What is held ---- */

static const char *rest(const ith_calls *c)
{
    return c->held + c->at;
}

static size_t left(const ith_calls *c)
{
    return c->len - c->at;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void tell(ith_calls *c, ith_said_kind kind, const char *text, size_t len)
{
    bool of_call = kind == ITH_SAID_CALL || kind == ITH_SAID_ARGUMENTS;
    const ith_said said = {kind, of_call ? c->n - 1 : 0, text, len};

    if (len == 0 || (of_call && c->p.only_one && c->n > 1))
        return;
    c->failed = c->failed || !c->p.said(c->p.user, &said);
}

/* Tells the next n bytes, which are consumed. */
static void pass(ith_calls *c, ith_said_kind kind, size_t n)
{
    for (size_t i = 0; i < n && c->fresh && kind == ITH_SAID_TEXT; i++)
        c->fresh = is_space(rest(c)[i]);
    tell(c, kind, rest(c), n);
    c->at += n;
}

/* Consumes white space. Is there something behind it? */
static bool skip_space(ith_calls *c)
{
    while (c->at < c->len && is_space(c->held[c->at]))
        c->at++;
    return c->at < c->len;
}

/* How much white space there is at the end of n bytes, up to SPACE_MOST. */
static size_t space_before(const char *text, size_t n)
{
    size_t space = 0;

    while (space < n && space < SPACE_MOST && is_space(text[n - 1 - space]))
        space++;
    return space;
}

/* Is the word next? MORE: as far as there is text. */
typedef enum verdict { NO, MORE, YES } verdict;

static verdict begins_with(const char *text, size_t n, const char *word)
{
    size_t len = strlen(word);

    if (memcmp(text, word, n < len ? n : len) != 0)
        return NO;
    return n < len ? MORE : YES;
}

/* The first place of one of the words, which ends with NULL, or of what may become one: *which is
 * the word, or NULL. n: there is none. */
static size_t find_word(const ith_calls *c, const char *const *words, const char **which)
{
    const char *text = rest(c);
    size_t n = left(c);

    *which = NULL;
    for (size_t i = 0; i < n; i++)
        for (const char *const *w = words; *w != NULL; w++) {
            verdict v = begins_with(text + i, n - i, *w);
            if (v == YES)
                *which = *w;
            if (v == YES || (v == MORE && !c->last))
                return i;
        }
    return n;
}

/* ---- JSON ---- */

/* Passes over bytes up to the end of the value, or to n; returns how many. *ended: depth 0. */
static size_t scan(scanner *s, const char *text, size_t n, bool *ended)
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

typedef struct cursor {
    const char *text;
    size_t n, at;
} cursor;

/* The word behind white space; the cursor is behind it then. */
static verdict take(cursor *k, const char *word)
{
    verdict v;

    while (k->at < k->n && is_space(k->text[k->at]))
        k->at++;
    v = begins_with(k->text + k->at, k->n - k->at, word);
    if (v == YES)
        k->at += strlen(word);
    return v;
}

/* Words one after another, up to NULL. */
static verdict take_all(cursor *k, const char *const *words)
{
    verdict v = YES;

    for (; v == YES && *words != NULL; words++)
        v = take(k, *words);
    return v;
}

/* What stands before a quote, without escapes. */
static verdict take_name(cursor *k, char name[NAME_MOST + 1])
{
    size_t len = 0;

    for (; k->at < k->n; k->at++) {
        char b = k->text[k->at];
        if (b == '"') {
            name[len] = 0;
            k->at++;
            return YES;
        }
        if (b == '\\' || b == 0 || len == NAME_MOST)
            return NO;
        name[len++] = b;
    }
    return MORE;
}

/* {"name": "f", "arguments": { or "parameters"; *at: the last brace. */
static verdict take_head(const char *text, size_t n, char name[NAME_MOST + 1], size_t *at)
{
    static const char *const before[] = {"{", "\"name\"", ":", "\"", NULL},
                             *const arguments[] = {",", "\"arguments\"", ":", "{", NULL},
                             *const parameters[] = {",", "\"parameters\"", ":", "{", NULL};
    cursor k = {text, n < HEAD_MOST ? n : HEAD_MOST, 0}, other;
    verdict v = take_all(&k, before), w;

    if (v == YES)
        v = take_name(&k, name);
    other = k;
    if (v == YES) {
        v = take_all(&k, arguments);
        w = v != YES ? take_all(&other, parameters) : NO;
        if (w > v) {
            v = w;
            k = other;
        }
    }
    *at = k.at - (k.at > 0);
    return v == MORE && n >= HEAD_MOST ? NO : v;
}

/* ---- Text ---- */

static bool knows(const ith_calls *c, const char *name)
{
    return json_object_get(c->p.names, name) != NULL;
}

/* A call may begin behind `mark` bytes. */
static void try_object(ith_calls *c, size_t mark)
{
    c->mark = mark;
    c->scanned = 0;
    c->scan = (scanner){0};
    c->place = OBJECT;
}

/* Llama's calls have no marker: is one next, behind white space? */
static bool begins_bare(ith_calls *c)
{
    size_t space = 0, kept;

    if (c->p.form != ITH_CALLS_LLAMA || !c->fresh)
        return false;
    while (space < left(c) && is_space(rest(c)[space]))
        space++;
    if (space == left(c) || rest(c)[space] != '{')
        return false;
    kept = space < SPACE_MOST ? space : SPACE_MOST;
    pass(c, ITH_SAID_TEXT, space - kept);
    try_object(c, kept);
    return true;
}

static const char *marker_of(ith_call_form form)
{
    return form == ITH_CALLS_HERMES  ? "<tool_call>"
           : form == ITH_CALLS_LLAMA ? "<|python_tag|>"
                                     : "[TOOL_CALLS]";
}

static bool step_text(ith_calls *c)
{
    static const char think[] = "<think>";
    const char *words[] = {marker_of(c->p.form), think, NULL}, *which;
    size_t n, space;

    if (left(c) == 0 || begins_bare(c))
        return left(c) > 0;
    n = find_word(c, words, &which);
    space = space_before(rest(c), n);
    if (which == words[0]) {
        pass(c, ITH_SAID_TEXT, n - space);
        try_object(c, space + strlen(which));
        return true;
    }
    if (which == NULL && n == left(c) && c->last && c->n > 0) {
        pass(c, ITH_SAID_TEXT, n - space);
        c->at = c->len;
        return false;
    }
    if (which == NULL && !c->last) {
        pass(c, ITH_SAID_TEXT, n - space);
        return false;
    }
    pass(c, ITH_SAID_TEXT, n);
    if (which == NULL)
        return false;
    if (c->fresh && !c->thought)
        c->place = THOUGHT;
    pass(c, ITH_SAID_TEXT, strlen(think));
    return true;
}

/* Thoughts between these markers are a part of the text. */
static bool step_thought(ith_calls *c)
{
    static const char *const words[] = {"</think>", NULL};
    const char *which;
    size_t n = find_word(c, words, &which);

    pass(c, ITH_SAID_TEXT, n);
    if (which == NULL)
        return false;
    pass(c, ITH_SAID_TEXT, strlen(which));
    c->fresh = c->thought = true;
    c->place = TEXT;
    return true;
}

/* ---- Calls as objects ---- */

/* What was taken for the beginning of a call is text. */
static bool no_call(ith_calls *c)
{
    c->place = TEXT;
    pass(c, ITH_SAID_TEXT, c->mark);
    c->fresh = false;
    return true;
}

/* A call is certain; its arguments are next. */
static void begin_call(ith_calls *c, const char *name)
{
    c->n++;
    c->fresh = false;
    tell(c, ITH_SAID_CALL, name, strlen(name));
    c->scan = (scanner){0};
    c->place = ARGUMENTS;
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
    if (name == NULL || !knows(c, name))
        return NULL;
    if (arguments == NULL)
        return strdup("{}");
    return json_is_object(arguments) ? ith_json_exact_text(arguments, false) : NULL;
}

/* An object of n bytes behind `before`, which is not told before it is whole. */
static bool tell_whole(ith_calls *c, size_t before, size_t n)
{
    json_t *call;
    char *arguments = whole_arguments(c, rest(c) + before, n, &call);

    if (arguments == NULL) {
        json_decref(call);
        return no_call(c);
    }
    begin_call(c, json_string_value(json_object_get(call, "name")));
    tell(c, ITH_SAID_ARGUMENTS, arguments, strlen(arguments));
    c->at += before + n;
    c->place = CLOSE;
    free(arguments);
    json_decref(call);
    return true;
}

/* Passes over white space and, in Mistral's form, the bracket of the list. Returns where the object
 * is to begin. */
static size_t object_at(const ith_calls *c)
{
    const char *text = rest(c);
    size_t at = c->mark, n = left(c);

    while (
        at < n && at < c->mark + SPACE_MOST &&
        (is_space(text[at]) || (text[at] == '[' && c->p.form == ITH_CALLS_MISTRAL && c->mark > 0)))
        at++;
    return at;
}

static bool step_object(ith_calls *c)
{
    size_t before = object_at(c), n = left(c) - before, at;
    const char *text = rest(c) + before;
    char name[NAME_MOST + 1];
    verdict head;
    bool ended;

    if (n == 0 && !c->last)
        return false;
    if (n == 0 || text[0] != '{')
        return no_call(c);
    head = take_head(text, n, name, &at);
    if (head == MORE && !c->last)
        return false;
    if (head == YES && knows(c, name)) {
        begin_call(c, name);
        c->at += before + at;
        return true;
    }
    c->scanned += scan(&c->scan, text + c->scanned, n - c->scanned, &ended);
    if (ended)
        return tell_whole(c, before, c->scanned);
    return c->last ? no_call(c) : false;
}

static bool step_arguments(ith_calls *c)
{
    bool ended;
    size_t n = scan(&c->scan, rest(c), left(c), &ended);

    pass(c, ITH_SAID_ARGUMENTS, n);
    if (!ended)
        return false;
    c->scan = (scanner){.depth = 1};
    c->place = c->p.form == ITH_CALLS_HARMONY ? CLOSE : REST;
    return true;
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
            c->at += scan(&c->scan, rest(c), 1, &ended);
    }
    if (ended)
        c->place = CLOSE;
    return ended;
}

/* ---- Between calls ---- */

/* Consumes the word if it is next. MORE: it may come. */
static verdict close_with(ith_calls *c, const char *word)
{
    verdict v = begins_with(rest(c), left(c), word);

    if (v == YES)
        c->at += strlen(word);
    return v == MORE && c->last ? NO : v;
}

static bool close_hermes(ith_calls *c)
{
    if (close_with(c, "</tool_call>") == MORE)
        return false;
    c->place = TEXT;
    return true;
}

/* ", {" goes on with the list. */
static bool close_mistral(ith_calls *c)
{
    char b = *rest(c);

    c->place = TEXT;
    if (b == ',' || b == ']')
        c->at++;
    if (b == ',')
        try_object(c, 0);
    return true;
}

static bool close_llama(ith_calls *c)
{
    if (*rest(c) == ';') {
        c->at++;
        return true;
    }
    c->place = TEXT;
    if (*rest(c) == '{')
        try_object(c, 0);
    return true;
}

static bool step_close(ith_calls *c)
{
    if (!skip_space(c))
        return false;
    switch (c->p.form) {
    case ITH_CALLS_HERMES:
        return close_hermes(c);
    case ITH_CALLS_MISTRAL:
        return close_mistral(c);
    case ITH_CALLS_LLAMA:
        return close_llama(c);
    case ITH_CALLS_HARMONY:
    case ITH_CALLS_UNKNOWN:
        break;
    }
    c->place = BODY;
    return true;
}

/* ---- harmony ---- */

/* The word behind `key` in a header of n bytes, up to white space or a marker. Returns its length;
 * 0: there is none. */
static size_t header_word(const char *header, size_t n, const char *key, const char **word)
{
    const char *found = memmem(header, n, key, strlen(key));
    size_t len = 0;

    if (found == NULL)
        return 0;
    *word = found + strlen(key);
    while (*word + len < header + n && !is_space((*word)[len]) && (*word)[len] != '<')
        len++;
    return len;
}

/* Who a message of such a header is for decides what its body is. */
static place place_of(ith_calls *c, const char *header, size_t n)
{
    static const char functions[] = "functions.", analysis[] = "analysis";
    const char *word = NULL;
    size_t len = header_word(header, n, "to=", &word), skip = sizeof functions - 1;

    if (len > skip && len - skip <= NAME_MOST && memcmp(word, functions, skip) == 0) {
        memcpy(c->name, word + skip, len - skip);
        c->name[len - skip] = 0;
        if (knows(c, c->name))
            return OPENING;
    }
    len = header_word(header, n, "<|channel|>", &word);
    return len == sizeof analysis - 1 && memcmp(word, analysis, len) == 0 ? REASONS : BODY;
}

static bool step_header(ith_calls *c)
{
    static const char message[] = "<|message|>";
    size_t most = left(c) < HEADER_MOST ? left(c) : HEADER_MOST;
    const char *found = memmem(rest(c), most, message, sizeof message - 1);

    if (found != NULL) {
        c->place = place_of(c, rest(c), (size_t)(found - rest(c)));
        c->at += (size_t)(found - rest(c)) + sizeof message - 1;
        return true;
    }
    if (left(c) == 0 || (left(c) < HEADER_MOST && !c->last))
        return false;
    if (left(c) < HEADER_MOST && begins_with(rest(c), left(c), "<|") == YES) {
        c->at = c->len; /* a header without its end */
        return false;
    }
    pass(c, ITH_SAID_TEXT, most); /* it is none */
    c->place = BODY;
    return true;
}

/* A call's body is an object. */
static bool step_opening(ith_calls *c)
{
    if (!skip_space(c))
        return false;
    c->place = BODY;
    if (*rest(c) == '{')
        begin_call(c, c->name);
    return true;
}

static bool step_body(ith_calls *c)
{
    static const char *const words[] = {"<|end|>",   "<|call|>",    "<|return|>",
                                        "<|start|>", "<|channel|>", NULL};
    const char *which;
    size_t n = find_word(c, words, &which);

    pass(c, c->place == REASONS ? ITH_SAID_THOUGHT : ITH_SAID_TEXT, n);
    if (which == NULL)
        return false;
    if (which != words[3] && which != words[4]) /* these are of the next header */
        c->at += strlen(which);
    c->place = HEADER;
    return true;
}

/* ---- All of it ---- */

/* False: there is nothing to do without more text. */
static bool step(ith_calls *c)
{
    switch (c->place) {
    case TEXT:
        return step_text(c);
    case THOUGHT:
        return step_thought(c);
    case OBJECT:
        return step_object(c);
    case ARGUMENTS:
        return step_arguments(c);
    case REST:
        return step_rest(c);
    case CLOSE:
        return step_close(c);
    case HEADER:
        return step_header(c);
    case OPENING:
        return step_opening(c);
    case BODY:
    case REASONS:
        break;
    }
    return step_body(c);
}

static bool hold(ith_calls *c, const char *text, size_t len)
{
    char *grown;

    if (c->at > 0) {
        memmove(c->held, c->held + c->at, left(c));
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

/* ---- The form of a template ---- */

/* Removes white space and then the word from the end of n bytes. */
static bool strip(const char *text, size_t *n, const char *word)
{
    size_t len = strlen(word), at = *n;

    while (at > 0 && is_space(text[at - 1]))
        at--;
    if (at < len || memcmp(text + at - len, word, len) != 0)
        return false;
    *n = at - len;
    return true;
}

/* The form of what stands around a name, whose place is given. */
static ith_call_form form_at(const char *text, size_t at, const char *behind)
{
    static const char *const parameters[] = {"\"", ",", "\"parameters\"", NULL};
    cursor k = {behind, strlen(behind), 0};
    size_t n = at;

    if (strip(text, &n, "to=functions."))
        return ITH_CALLS_HARMONY;
    if (!strip(text, &n, "\"") || !strip(text, &n, ":") || !strip(text, &n, "\"name\"") ||
        !strip(text, &n, "{"))
        return ITH_CALLS_UNKNOWN;
    if (take_all(&k, parameters) == YES)
        return ITH_CALLS_LLAMA;
    if (strip(text, &n, "<tool_call>"))
        return ITH_CALLS_HERMES;
    return strip(text, &n, "[") && strip(text, &n, "[TOOL_CALLS]") ? ITH_CALLS_MISTRAL
                                                                   : ITH_CALLS_UNKNOWN;
}

ith_call_form ith_calls_form_of(const char *text, const char *name)
{
    ith_call_form form = ITH_CALLS_UNKNOWN;

    for (const char *at = strstr(text, name); at != NULL && form == ITH_CALLS_UNKNOWN;
         at = strstr(at + 1, name))
        form = form_at(text, (size_t)(at - text), at + strlen(name));
    return form;
}

/* gbnf.c - reads GBNF by recursive descent, and adds states as it goes. */
#include "grammar/gbnf.h"

#include "base/character.h"
#include "base/grow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TEXT = 4 << 20, MOST_DEPTH = 200, MOST_NAME = 200 };

typedef struct name {
    const char *text;
    size_t len;
    int32_t rule;
    bool defined;
} name;

typedef struct parser {
    const char *at, *end;
    int line, depth;
    ith_rules *g;
    name *names;
    size_t n_names, cap_names;
    int32_t *slots; /* hash table of names; -1: empty */
    size_t n_slots;
    ith_error *err;
    ith_status status;
} parser;

/* What a repetition repeats. */
typedef struct element {
    enum { TEXT, SET, CALL } kind;
    char *text; /* malloc'd */
    size_t len;
    ith_codeset set;
    int32_t callee;
} element;

static void wrong(parser *p, ith_status status, const char *what)
{
    if (p->status == ITH_OK)
        p->status = ith_fail(p->err, status, "the grammar, line %d: %s", p->line, what);
}

static bool going(const parser *p)
{
    return p->status == ITH_OK && !ith_rules_failed(p->g);
}

/* ---- Characters ---- */

static int peek(const parser *p)
{
    return p->at < p->end && p->status == ITH_OK ? (unsigned char)*p->at : -1;
}

static bool is_word(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* White space and comments; over line ends only if `lines`. */
static void skip_space(parser *p, bool lines)
{
    for (;;) {
        int c = peek(p);
        if (c == '#') {
            while (peek(p) >= 0 && peek(p) != '\n')
                p->at++;
        } else if (c == ' ' || c == '\t' || c == '\r' || (c == '\n' && lines)) {
            p->line += c == '\n';
            p->at++;
        } else {
            return;
        }
    }
}

static bool take(parser *p, const char *text)
{
    size_t n = strlen(text);

    if ((size_t)(p->end - p->at) < n || memcmp(p->at, text, n) != 0)
        return false;
    p->at += n;
    return true;
}

static uint32_t take_hex(parser *p, int digits)
{
    uint32_t code = 0;

    for (; digits > 0; digits--, p->at++) {
        int c = peek(p), lower = c | 0x20;
        if (!((c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'f'))) {
            wrong(p, ITH_E_FORMAT, "a hexadecimal digit is missing");
            return 0;
        }
        code = code << 4 | (uint32_t)(c <= '9' ? c - '0' : lower - 'a' + 10);
    }
    if (code > ITH_MAX_CODE || (code >= 0xd800 && code <= 0xdfff))
        wrong(p, ITH_E_FORMAT, "there is no such character");
    return code;
}

static uint32_t take_escape(parser *p)
{
    int c = peek(p);

    p->at += c >= 0;
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'x':
        return take_hex(p, 2);
    case 'u':
        return take_hex(p, 4);
    case 'U':
        return take_hex(p, 8);
    case '\\':
    case '"':
    case '[':
    case ']':
    case '-':
    case '^':
        return (uint32_t)c;
    default:
        wrong(p, ITH_E_FORMAT, "there is no such escape after \\");
        return 0;
    }
}

/* One character of a literal or a set. */
static uint32_t take_char(parser *p)
{
    size_t n;
    uint32_t code;

    if (peek(p) < 0) {
        wrong(p, ITH_E_FORMAT, "a literal or set is not closed");
        return 0;
    }
    p->line += peek(p) == '\n';
    if (take(p, "\\"))
        return take_escape(p);
    n = ith_utf8_bytes(p->at, (size_t)(p->end - p->at));
    if (n == 0) {
        wrong(p, ITH_E_FORMAT, "the text is not UTF-8");
        return 0;
    }
    code = (unsigned char)p->at[0] & (n == 1 ? 0x7f : 0xff >> (n + 1));
    for (size_t i = 1; i < n; i++)
        code = code << 6 | ((unsigned char)p->at[i] & 0x3f);
    p->at += n;
    return code;
}

static size_t put_utf8(uint32_t c, char *out)
{
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(leads[n] | c);
    return n;
}

static void take_literal(parser *p, element *e)
{
    size_t cap = 0;

    while (p->status == ITH_OK && !take(p, "\"")) {
        uint32_t code = take_char(p);
        if (!ith_grow((void **)&e->text, &cap, e->len + 4, 1)) {
            wrong(p, ITH_E_MEMORY, "no memory for a literal");
            return;
        }
        e->len += put_utf8(code, e->text + e->len);
    }
}

static void add_range(parser *p, ith_codeset *set, uint32_t first, uint32_t last)
{
    if (first > last)
        wrong(p, ITH_E_FORMAT, "a range of a set is upside down");
    if (p->status == ITH_OK)
        p->status = ith_codeset_add(set, first, last, p->err);
}

static void take_set(parser *p, element *e)
{
    bool negated = take(p, "^");

    while (p->status == ITH_OK && !take(p, "]")) {
        uint32_t first = take_char(p), last = first;
        if (peek(p) == '-' && p->at + 1 < p->end && p->at[1] != ']') {
            p->at++;
            last = take_char(p);
        }
        add_range(p, &e->set, first, last);
    }
    ith_codeset_settle(&e->set);
    if (negated && p->status == ITH_OK)
        p->status = ith_codeset_complement(&e->set, p->err);
}

/* ---- Names ---- */

static size_t hash_name(const char *text, size_t len)
{
    size_t h = 5381;

    for (size_t i = 0; i < len; i++)
        h = h * 33 + (unsigned char)text[i];
    return h ^ h >> 15;
}

static bool make_slots(parser *p)
{
    size_t more = p->n_slots > 0 ? 4 * p->n_slots : 256;
    int32_t *slots = malloc(more * sizeof *slots);

    if (slots == NULL) {
        wrong(p, ITH_E_MEMORY, "no memory for names");
        return false;
    }
    memset(slots, -1, more * sizeof *slots);
    for (size_t i = 0; i < p->n_names; i++) {
        size_t at = hash_name(p->names[i].text, p->names[i].len) & (more - 1);
        while (slots[at] >= 0)
            at = (at + 1) & (more - 1);
        slots[at] = (int32_t)i;
    }
    free(p->slots);
    p->slots = slots;
    p->n_slots = more;
    return true;
}

static name *add_name(parser *p, const char *text, size_t len)
{
    char copy[MOST_NAME + 1] = {0};

    if (!ith_grow((void **)&p->names, &p->cap_names, p->n_names + 1, sizeof *p->names)) {
        wrong(p, ITH_E_MEMORY, "no memory for names");
        return NULL;
    }
    memcpy(copy, text, len);
    p->names[p->n_names] = (name){text, len, ith_rules_add(p->g, copy), false};
    return &p->names[p->n_names++];
}

/* The name that the text goes on with, added if it is new; NULL: a failure. */
static name *take_name(parser *p)
{
    const char *text = p->at;
    size_t len, at;

    while (is_word(peek(p)))
        p->at++;
    len = (size_t)(p->at - text);
    if (len > MOST_NAME)
        wrong(p, ITH_E_FORMAT, "a name is too long");
    if (!going(p) || (p->n_slots <= 2 * p->n_names && !make_slots(p)))
        return NULL;
    at = hash_name(text, len) & (p->n_slots - 1);
    for (; p->slots[at] >= 0; at = (at + 1) & (p->n_slots - 1)) {
        name *n = &p->names[p->slots[at]];
        if (!ith_rules_spend(p->g, 8))
            return NULL;
        if (n->len == len && memcmp(n->text, text, len) == 0)
            return n;
    }
    p->slots[at] = (int32_t)p->n_names;
    return add_name(p, text, len);
}

/* ---- Elements ---- */

static void emit(parser *p, const element *e, int32_t from, int32_t to, unsigned flags)
{
    if (e->kind == SET)
        ith_rules_chars(p->g, from, to, &e->set, flags);
    else if (e->kind == CALL)
        ith_rules_call(p->g, from, to, e->callee, flags);
    else if (e->len == 0)
        ith_rules_empty(p->g, from, to);
    else if (e->len > 1)
        ith_rules_bytes(p->g, ith_rules_text(p->g, from, e->text, e->len - 1, flags), to,
                        (uint8_t)e->text[e->len - 1], (uint8_t)e->text[e->len - 1], 0);
    else
        ith_rules_bytes(p->g, from, to, (uint8_t)e->text[0], (uint8_t)e->text[0], flags);
}

/* The element min to max times, as a rule that counts. */
static int32_t counted(parser *p, const element *e, int64_t min, int64_t max)
{
    int32_t rule = ith_rules_add(p->g, "a repetition"), state = ith_rules_start(p->g, rule);

    if (e->kind == TEXT && e->len == 0)
        min = 0, max = 0;
    ith_rules_count(p->g, rule, min, max);
    ith_rules_end(p->g, state, true);
    if (max > 0)
        emit(p, e, state, state, ITH_EDGE_COUNTS);
    return rule;
}

/* Adds a repeated element behind a state; returns the state behind it. */
static int32_t repeat(parser *p, const element *e, int32_t from, int64_t min, int64_t max)
{
    ith_rules *g = p->g;
    int32_t rule = g->states[from].rule, loop, to = ith_rules_state(g, rule);

    if (min <= 1 && max == 1) {
        emit(p, e, from, to, 0);
        if (min == 0)
            ith_rules_empty(g, from, to);
        return to;
    }
    if (min > 1 || max != ITH_COUNT_ANY) {
        ith_rules_call(g, from, to, counted(p, e, min, max), 0);
        return to;
    }
    loop = ith_rules_state(g, rule);
    if (min == 1)
        emit(p, e, from, loop, 0);
    else
        ith_rules_empty(g, from, loop);
    emit(p, e, loop, loop, 0);
    ith_rules_empty(g, loop, to);
    return to;
}

static int64_t take_number(parser *p)
{
    int64_t n = 0;

    if (peek(p) < '0' || peek(p) > '9')
        wrong(p, ITH_E_FORMAT, "a number is missing in {}");
    for (; peek(p) >= '0' && peek(p) <= '9'; p->at++)
        n = n > ITH_COUNT_MOST ? n : 10 * n + (*p->at - '0');
    skip_space(p, true);
    return n;
}

/* The bounds behind an element; 1 and 1 if there are none. */
static void take_bounds(parser *p, int64_t *min, int64_t *max)
{
    *min = *max = 1;
    if (take(p, "*"))
        *min = 0, *max = ITH_COUNT_ANY;
    else if (take(p, "+"))
        *max = ITH_COUNT_ANY;
    else if (take(p, "?"))
        *min = 0;
    else if (take(p, "{")) {
        skip_space(p, true);
        *min = peek(p) == ',' ? 0 : take_number(p);
        *max = *min;
        if (take(p, ",")) {
            skip_space(p, true);
            *max = peek(p) == '}' ? ITH_COUNT_ANY : take_number(p);
        }
        if (!take(p, "}"))
            wrong(p, ITH_E_FORMAT, "{ is not closed");
        if (*min > *max)
            wrong(p, ITH_E_FORMAT, "a repetition has bounds that nothing fits");
    }
}

static void take_alternatives(parser *p, int32_t rule, bool lines);

static void take_group(parser *p, element *e)
{
    e->kind = CALL;
    e->callee = ith_rules_add(p->g, "a group");
    if (++p->depth > MOST_DEPTH)
        wrong(p, ITH_E_UNSUPPORTED, "groups are nested too deeply");
    skip_space(p, true);
    if (going(p))
        take_alternatives(p, e->callee, true);
    p->depth--;
    if (!take(p, ")"))
        wrong(p, ITH_E_FORMAT, ") is missing");
}

/* False: what follows is no element. */
static bool take_element(parser *p, element *e)
{
    const name *n;

    if (take(p, "\"")) {
        take_literal(p, e);
    } else if (take(p, "[")) {
        e->kind = SET;
        take_set(p, e);
    } else if (take(p, ".")) {
        e->kind = SET;
        add_range(p, &e->set, 0, ITH_MAX_CODE);
        ith_codeset_settle(&e->set);
    } else if (take(p, "(")) {
        take_group(p, e);
    } else if (is_word(peek(p))) {
        n = take_name(p);
        e->kind = CALL;
        e->callee = n == NULL ? 0 : n->rule;
    } else {
        return false;
    }
    return true;
}

static void take_sequence(parser *p, int32_t rule, bool lines)
{
    int32_t at = ith_rules_state(p->g, rule);
    int64_t min, max;
    bool more = true;

    ith_rules_empty(p->g, ith_rules_start(p->g, rule), at);
    while (more && going(p)) {
        element e = {0};
        more = take_element(p, &e);
        if (more && going(p)) {
            take_bounds(p, &min, &max);
            if (going(p))
                at = repeat(p, &e, at, min, max);
            skip_space(p, lines);
        }
        free(e.text);
        ith_codeset_free(&e.set);
    }
    ith_rules_end(p->g, at, false);
}

static void take_alternatives(parser *p, int32_t rule, bool lines)
{
    take_sequence(p, rule, lines);
    while (going(p) && take(p, "|")) {
        skip_space(p, true);
        take_sequence(p, rule, lines);
    }
}

/* ---- Rules ---- */

static void take_rule(parser *p)
{
    name *n = take_name(p);
    int32_t rule;

    if (n == NULL)
        return;
    if (n->len == 0)
        wrong(p, ITH_E_FORMAT, "the name of a rule is missing");
    else if (n->defined)
        wrong(p, ITH_E_FORMAT, "the rule was defined before");
    n->defined = true;
    rule = n->rule;
    skip_space(p, false);
    if (!take(p, "::="))
        wrong(p, ITH_E_FORMAT, "::= is missing");
    skip_space(p, true);
    if (going(p))
        take_alternatives(p, rule, false);
    if (going(p) && peek(p) >= 0 && peek(p) != '\n')
        wrong(p, peek(p) == '<' ? ITH_E_UNSUPPORTED : ITH_E_FORMAT,
              peek(p) == '<' ? "tokens (<...>) are not supported"
                             : "something that is no element follows");
    skip_space(p, true);
}

/* The rule `root`, after a check that all names are defined. */
static int32_t find_root(parser *p)
{
    int32_t root = -1;

    for (size_t i = 0; i < p->n_names && going(p); i++) {
        const name *n = &p->names[i];
        if (!n->defined)
            p->status = ith_fail(p->err, ITH_E_FORMAT, "the grammar: no rule is called %.*s",
                                 (int)(n->len < 60 ? n->len : 60), n->text);
        if (n->len == 4 && memcmp(n->text, "root", 4) == 0)
            root = n->rule;
    }
    if (root < 0 && going(p))
        p->status = ith_fail(p->err, ITH_E_FORMAT, "the grammar has no rule called root");
    return root;
}

ith_status ith_gbnf_compile(const char *text, size_t len, ith_rules *rules, ith_error *err)
{
    parser p = {.at = text, .end = text + len, .line = 1, .g = rules, .err = err};
    int32_t root;

    ith_rules_init(rules);
    if (len > MOST_TEXT)
        return ith_fail(err, ITH_E_UNSUPPORTED, "the grammar has more than %d MiB",
                        MOST_TEXT >> 20);
    skip_space(&p, true);
    while (going(&p) && p.at < p.end)
        take_rule(&p);
    root = find_root(&p);
    free(p.names);
    free(p.slots);
    ITH_TRY(p.status);
    return ith_rules_finish(rules, root, err);
}

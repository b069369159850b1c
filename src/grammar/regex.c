/* regex.c - a pattern becomes a tree, and the tree becomes states. */
#include "grammar/regex.h"
#include "base/character.h"
#include "grammar/json_text.h"
#include "text/unicode.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_NODES = 20000, MOST_DEPTH = 100, MOST_REPEAT = 100000, MOST_PATTERN = 1 << 16 };

/* Steps for a pattern, for a range of a set, with its share of sorting, and for a property. */
enum { PATTERN = 1 << 12, RANGE = 32, PROPERTY = 1 << 15 };

typedef enum node_kind { NOTHING, CHARS, SEQUENCE, CHOICE, REPEAT, BEGIN, END } node_kind;

typedef struct node {
    node_kind kind;
    int32_t child, next; /* the first child; the next sibling; -1: none */
    int64_t min, max;
    ith_codeset set;
} node;

typedef struct parser {
    ith_rules *g;
    const char *at, *end;
    node *nodes; /* [MOST_NODES] */
    int32_t n, depth;
    unsigned flags;
} parser;

static void wrong(parser *p, ith_status status, const char *what)
{
    ith_rules_fail(p->g, status, "pattern: %s", what);
}

static bool going(const parser *p)
{
    return !ith_rules_failed(p->g);
}

/* Node 0 stands for what could not be added. */
static int32_t add(parser *p, node_kind kind)
{
    if (p->n >= MOST_NODES)
        wrong(p, ITH_E_UNSUPPORTED, "it is too large");
    if (!going(p))
        return 0;
    p->nodes[p->n] = (node){.kind = kind, .child = -1, .next = -1};
    return p->n++;
}

static void append(parser *p, int32_t parent, int32_t *last, int32_t child)
{
    if (*last < 0)
        p->nodes[parent].child = child;
    else
        p->nodes[*last].next = child;
    *last = child;
}

/* ---- Sets ---- */

/* The set is not settled then. */
static void add_range(parser *p, ith_codeset *set, uint32_t first, uint32_t last)
{
    if (ith_rules_spend(p->g, RANGE))
        ith_codeset_add(set, first, last, &p->g->failure);
}

/* Adds a settled set; what it comes to is settled. */
static void unite(parser *p, ith_codeset *set, const ith_codeset *other)
{
    if (ith_rules_spend(p->g, RANGE * (int64_t)(set->n + other->n)))
        ith_codeset_unite(set, other, &p->g->failure);
}

static void negate(parser *p, ith_codeset *set)
{
    if (going(p))
        ith_codeset_complement(set, &p->g->failure);
}

static void add_property(parser *p, ith_codeset *set, const char *name, size_t len)
{
    bool known = true;

    if (ith_rules_spend(p->g, PROPERTY))
        ith_unicode_property(name, len, set, &known, &p->g->failure);
    if (!known)
        wrong(p, ITH_E_UNSUPPORTED, "there is no such property (\\p{...})");
}

/* \d, \w or \s, as small as ECMA 262 has it, or as large as any language does. */
static void add_class(parser *p, ith_codeset *set, int name, bool large)
{
    static const ith_code_range spaces[] = {
        {0x1c, 0x1f},     {0x85, 0x85},     {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
        {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};

    if (name == 's') {
        add_range(p, set, '\t', '\r');
        add_range(p, set, ' ', ' ');
        for (size_t i = 0; large && i < sizeof spaces / sizeof *spaces; i++)
            add_range(p, set, spaces[i].first, spaces[i].last);
        return;
    }
    add_range(p, set, '0', '9');
    if (name == 'w') {
        add_range(p, set, 'a', 'z');
        add_range(p, set, 'A', 'Z');
        add_range(p, set, '_', '_');
    }
    for (const char *c = large ? (name == 'w' ? "LNM" : "N") : ""; *c != 0; c++)
        add_property(p, set, c, 1);
}

/* The same, or for a capital letter what is not in it. */
static void add_any_class(parser *p, ith_codeset *set, int name, bool large)
{
    bool negated = name < 'a';
    ith_codeset one = {0};

    add_class(p, &one, name | 0x20, negated ? !large : large);
    ith_codeset_settle(&one);
    if (negated)
        negate(p, &one);
    unite(p, set, &one);
    ith_codeset_free(&one);
}

static int peek(const parser *p)
{
    return p->at < p->end && going(p) ? (unsigned char)*p->at : -1;
}

static bool take(parser *p, const char *text)
{
    size_t n = strlen(text);

    if ((size_t)(p->end - p->at) < n || memcmp(p->at, text, n) != 0)
        return false;
    p->at += n;
    return true;
}

static uint32_t take_char(parser *p)
{
    size_t n = p->at < p->end ? ith_utf8_bytes(p->at, (size_t)(p->end - p->at)) : 0;
    uint32_t code;

    if (n == 0) {
        wrong(p, ITH_E_FORMAT, "it ends too early");
        return 0;
    }
    code = (unsigned char)p->at[0] & (n == 1 ? 0x7f : 0xff >> (n + 1));
    for (size_t i = 1; i < n; i++)
        code = code << 6 | ((unsigned char)p->at[i] & 0x3f);
    p->at += n;
    return code;
}

static uint32_t take_hex(parser *p, int most, bool exactly)
{
    uint32_t code = 0;
    int n = 0;

    for (; n < most; n++, p->at++) {
        int c = peek(p), lower = c | 0x20;
        if (!((c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'f')))
            break;
        code = code << 4 | (uint32_t)(c <= '9' ? c - '0' : lower - 'a' + 10);
    }
    if (n == 0 || (exactly && n < most) || code > ITH_MAX_CODE)
        wrong(p, ITH_E_FORMAT, "hexadecimal digits are missing or too many");
    return code;
}

/* \p{...} behind the letter. */
static void take_property(parser *p, ith_codeset *set, bool negated)
{
    const char *name, *end;
    ith_codeset one = {0};

    if (!take(p, "{") || (end = memchr(p->at, '}', (size_t)(p->end - p->at))) == NULL) {
        wrong(p, ITH_E_FORMAT, "\\p is not followed by {...}");
        return;
    }
    name = p->at;
    p->at = end + 1;
    add_property(p, &one, name, (size_t)(end - name));
    if (negated)
        negate(p, &one);
    unite(p, set, &one);
    ith_codeset_free(&one);
}

/* A character behind a backslash. */
static uint32_t take_escape(parser *p)
{
    static const char letters[] = "nrtfv0", codes[] = "\n\r\t\f\v";
    uint32_t c = take_char(p);
    const char *at = c > 0 && c < 0x80 ? strchr(letters, (int)c) : NULL;

    if (c == '0' && peek(p) >= '0' && peek(p) <= '9')
        wrong(p, ITH_E_UNSUPPORTED, "\\0 before a digit is not the same in all languages");
    if (at != NULL)
        return (unsigned char)codes[at - letters];
    if (c == 'x')
        return take_hex(p, 2, true);
    if (c == 'u' && take(p, "{")) {
        c = take_hex(p, 6, false);
        if (!take(p, "}"))
            wrong(p, ITH_E_FORMAT, "\\u{ is not closed");
        return c;
    }
    if (c == 'u')
        return take_hex(p, 4, true);
    if ((c >= '0' && c <= '9') || c == 'k')
        wrong(p, ITH_E_UNSUPPORTED, "references to groups are not supported");
    else if (c == 'b' || c == 'B')
        wrong(p, ITH_E_UNSUPPORTED, "\\b and \\B are not supported");
    else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        wrong(p, ITH_E_UNSUPPORTED, "there is no such escape");
    return c;
}

/* \d and its like, and \p. False: another character follows the backslash. */
static bool take_class(parser *p, ith_codeset *set, bool large)
{
    int c = peek(p);

    if (c >= 0 && strchr("dwsDWS", c) != NULL && c != 0) {
        p->at++;
        add_any_class(p, set, c, large);
        return true;
    }
    if (c != 'p' && c != 'P')
        return false;
    p->at++;
    take_property(p, set, c == 'P');
    return true;
}

static uint32_t take_member(parser *p)
{
    if (!take(p, "\\"))
        return take_char(p);
    return take(p, "b") ? '\b' : take_escape(p);
}

/* A class in a set, at its backslash; once is enough. False: another member follows. */
static bool take_class_once(parser *p, ith_codeset *set, bool large, bool seen[128])
{
    int c = p->end - p->at > 1 && p->at[0] == '\\' ? (unsigned char)p->at[1] : 0;

    if (c == 0 || strchr("dwsDWSpP", c) == NULL)
        return false;
    p->at++;
    if (seen[c] && c != 'p' && c != 'P')
        p->at++;
    else
        take_class(p, set, large);
    seen[c] = true;
    return true;
}

/* A set, behind its [. */
static void take_set(parser *p, ith_codeset *set)
{
    bool negated = take(p, "^"), empty = true, seen[128] = {false};

    for (; going(p) && !take(p, "]"); empty = false) {
        uint32_t first, last;
        if (take_class_once(p, set, negated, seen))
            continue;
        first = last = take_member(p);
        if (peek(p) == '-' && p->at + 1 < p->end && p->at[1] != ']') {
            p->at++;
            last = take_member(p);
        }
        if (first > last)
            wrong(p, ITH_E_FORMAT, "a range of a set is upside down");
        add_range(p, set, first, last);
    }
    if (empty)
        wrong(p, ITH_E_UNSUPPORTED, "[] and [^] are not supported");
    ith_codeset_settle(set);
    if (negated)
        negate(p, set);
}

/* Everything but line ends. */
static void add_dot(parser *p, ith_codeset *set)
{
    add_range(p, set, 0, '\t');
    add_range(p, set, '\v', '\f');
    add_range(p, set, 0xe, 0x2027);
    add_range(p, set, 0x202a, ITH_MAX_CODE);
}

/* ---- The tree ---- */

static int32_t take_choice(parser *p);

static int32_t take_group(parser *p)
{
    int32_t group;

    if (take(p, "?") && !take(p, ":")) {
        if (!take(p, "<") || peek(p) == '=' || peek(p) == '!') {
            wrong(p, ITH_E_UNSUPPORTED, "look-around and flags, (?...), are not supported");
            return 0;
        }
        while (going(p) && !take(p, ">"))
            take_char(p);
    }
    if (++p->depth > MOST_DEPTH)
        wrong(p, ITH_E_UNSUPPORTED, "groups are nested too deeply");
    group = going(p) ? take_choice(p) : 0;
    p->depth--;
    if (!take(p, ")"))
        wrong(p, ITH_E_FORMAT, ") is missing");
    return group;
}

static void take_plain(parser *p, ith_codeset *set)
{
    uint32_t c = take_char(p);

    add_range(p, set, c, c);
}

static void take_escaped(parser *p, ith_codeset *set)
{
    uint32_t c;

    if (take_class(p, set, false))
        return;
    c = take_escape(p);
    add_range(p, set, c, c);
}

/* Is { a character here, but the beginning of a repetition elsewhere? {,3} is in Python. */
static bool is_odd_brace(const parser *p)
{
    const char *at = p->at + 1;

    if (peek(p) != '{')
        return false;
    while (at < p->end && (*at == ',' || (*at >= '0' && *at <= '9')))
        at++;
    return at > p->at + 1 && at < p->end && *at == '}';
}

static int32_t take_atom(parser *p)
{
    int32_t chars;

    if (take(p, "^"))
        return add(p, BEGIN);
    if (take(p, "$"))
        return add(p, END);
    if (take(p, "("))
        return take_group(p);
    if (peek(p) == '*' || peek(p) == '+' || peek(p) == '?' || peek(p) == ')')
        wrong(p, ITH_E_FORMAT, "* + ? or ) stands where nothing precedes it");
    if (is_odd_brace(p))
        wrong(p, ITH_E_UNSUPPORTED, "{...} is a repetition in some languages, and text in others");
    chars = add(p, CHARS);
    if (!going(p))
        return 0;
    if (take(p, "."))
        add_dot(p, &p->nodes[chars].set);
    else if (take(p, "["))
        take_set(p, &p->nodes[chars].set);
    else if (take(p, "\\"))
        take_escaped(p, &p->nodes[chars].set);
    else
        take_plain(p, &p->nodes[chars].set);
    return chars;
}

/* A number of {}; -1: there is none. */
static int64_t take_number(parser *p)
{
    int64_t n = peek(p) >= '0' && peek(p) <= '9' ? 0 : -1;

    for (; peek(p) >= '0' && peek(p) <= '9'; p->at++)
        n = n > MOST_REPEAT ? n : 10 * n + (*p->at - '0');
    if (n > MOST_REPEAT)
        wrong(p, ITH_E_UNSUPPORTED, "a number in {} is too large");
    return n;
}

/* {n}, {n,} or {n,m}; otherwise { is a character, and nothing is taken. */
static bool take_braces(parser *p, int64_t *min, int64_t *max)
{
    const char *begin = p->at++;

    *min = *max = take_number(p);
    if (*min >= 0 && take(p, ",")) {
        *max = take_number(p);
        *max = *max < 0 ? ITH_COUNT_ANY : *max;
    }
    if (*min >= 0 && take(p, "}")) {
        if (*min > *max)
            wrong(p, ITH_E_FORMAT, "a repetition has bounds that nothing fits");
        return true;
    }
    p->at = begin;
    return false;
}

static bool take_bounds(parser *p, int64_t *min, int64_t *max)
{
    *min = 0;
    *max = ITH_COUNT_ANY;
    if (take(p, "*"))
        return true;
    if (take(p, "?")) {
        *max = 1;
        return true;
    }
    *min = 1;
    if (take(p, "+"))
        return true;
    return peek(p) == '{' && take_braces(p, min, max);
}

static int32_t take_repeated(parser *p)
{
    int32_t atom = take_atom(p), repeat;
    int64_t min, max;

    while (going(p) && take_bounds(p, &min, &max)) {
        if (p->nodes[atom].kind == BEGIN || p->nodes[atom].kind == END)
            wrong(p, ITH_E_UNSUPPORTED, "a repeated anchor is not supported");
        if (p->nodes[atom].kind == REPEAT)
            wrong(p, ITH_E_FORMAT, "a repetition is repeated");
        take(p, "?");
        repeat = add(p, REPEAT);
        if (!going(p))
            return 0;
        p->nodes[repeat].child = atom;
        p->nodes[repeat].min = min;
        p->nodes[repeat].max = max;
        atom = repeat;
    }
    return atom;
}

static int32_t take_sequence(parser *p)
{
    int32_t sequence = add(p, SEQUENCE), last = -1;

    while (going(p) && peek(p) >= 0 && peek(p) != '|' && peek(p) != ')') {
        int32_t one = take_repeated(p);
        if (going(p))
            append(p, sequence, &last, one);
    }
    return sequence;
}

static int32_t take_choice(parser *p)
{
    int32_t choice = add(p, CHOICE), last = -1;

    do {
        int32_t one = take_sequence(p);
        if (going(p))
            append(p, choice, &last, one);
    } while (going(p) && take(p, "|"));
    return choice;
}

/* ---- States ---- */

static int32_t new_state(parser *p, int32_t like)
{
    return ith_rules_state(p->g, p->g->states[like].rule);
}

static void emit(parser *p, int32_t n, int32_t from, int32_t to);

static void emit_sequence(parser *p, int32_t n, int32_t from, int32_t to)
{
    for (int32_t c = p->nodes[n].child; c >= 0 && going(p); c = p->nodes[c].next) {
        int32_t next = new_state(p, from);
        emit(p, c, from, next);
        from = next;
    }
    if (going(p))
        ith_rules_empty(p->g, from, to);
}

static void emit_repeat(parser *p, int32_t n, int32_t from, int32_t to)
{
    int64_t min = p->nodes[n].min, max = p->nodes[n].max;
    int32_t child = p->nodes[n].child;

    for (int64_t i = 0; i < min && going(p); i++) {
        int32_t next = new_state(p, from);
        emit(p, child, from, next);
        from = next;
    }
    if (max == ITH_COUNT_ANY) {
        int32_t loop = new_state(p, from);
        ith_rules_empty(p->g, from, loop);
        emit(p, child, loop, loop);
        from = loop;
    }
    for (int64_t i = min; max != ITH_COUNT_ANY && i < max && going(p); i++) {
        int32_t next = new_state(p, from);
        ith_rules_empty(p->g, from, to);
        emit(p, child, from, next);
        from = next;
    }
    if (going(p))
        ith_rules_empty(p->g, from, to);
}

static void emit(parser *p, int32_t n, int32_t from, int32_t to)
{
    if (!going(p))
        return;
    switch (p->nodes[n].kind) {
    case CHARS:
        ith_json_chars(p->g, from, to, &p->nodes[n].set, p->flags);
        return;
    case SEQUENCE:
        emit_sequence(p, n, from, to);
        return;
    case CHOICE:
        for (int32_t c = p->nodes[n].child; c >= 0 && going(p); c = p->nodes[c].next)
            emit(p, c, from, to);
        return;
    case REPEAT:
        emit_repeat(p, n, from, to);
        return;
    case BEGIN:
    case END:
        wrong(p, ITH_E_UNSUPPORTED, "^ and $ are supported at the ends of alternatives only");
        return;
    case NOTHING:
        return;
    }
}

/* A loop over any characters; returns its state. */
static int32_t emit_anything(parser *p, int32_t like)
{
    static const ith_code_range all[] = {{0, ITH_MAX_CODE}};
    static const ith_codeset any = {(ith_code_range *)all, 1, 1};
    int32_t loop = new_state(p, like);

    if (going(p))
        ith_json_chars(p->g, loop, loop, &any, p->flags);
    return loop;
}

/* Does the sequence begin or end with an anchor? It is taken away. */
static bool take_anchor(parser *p, int32_t sequence, node_kind kind)
{
    int32_t *at = &p->nodes[sequence].child;

    while (kind == END && *at >= 0 && p->nodes[*at].next >= 0)
        at = &p->nodes[*at].next;
    if (*at < 0 || p->nodes[*at].kind != kind)
        return false;
    *at = p->nodes[*at].next;
    return true;
}

static void emit_top(parser *p, int32_t n, int32_t from, int32_t to);

static void emit_alternative(parser *p, int32_t sequence, int32_t from, int32_t to)
{
    int32_t only = p->nodes[sequence].child, loop;

    if (only >= 0 && p->nodes[only].next < 0 && p->nodes[only].kind == CHOICE) {
        emit_top(p, only, from, to);
        return;
    }
    if (!take_anchor(p, sequence, BEGIN)) {
        loop = emit_anything(p, from);
        ith_rules_empty(p->g, from, loop);
        from = loop;
    }
    if (!take_anchor(p, sequence, END)) {
        loop = emit_anything(p, from);
        ith_rules_empty(p->g, loop, to);
        to = loop;
    }
    emit(p, sequence, from, to);
}

/* A choice that is the whole pattern. */
static void emit_top(parser *p, int32_t n, int32_t from, int32_t to)
{
    for (int32_t c = p->nodes[n].child; c >= 0 && going(p); c = p->nodes[c].next)
        emit_alternative(p, c, from, to);
}

void ith_regex_add(ith_rules *g, int32_t from, int32_t to, const char *pattern, size_t len,
                   unsigned flags)
{
    parser p = {.g = g, .at = pattern, .end = pattern + len, .flags = flags};
    int32_t root;

    if (len > MOST_PATTERN)
        wrong(&p, ITH_E_UNSUPPORTED, "it is too large");
    if (!ith_rules_spend(g, PATTERN))
        return;
    p.nodes = calloc(MOST_NODES, sizeof *p.nodes);
    if (p.nodes == NULL)
        ith_rules_fail(g, ITH_E_MEMORY, "no memory for a pattern");
    add(&p, NOTHING);
    root = going(&p) ? take_choice(&p) : 0;
    if (going(&p) && p.at < p.end)
        wrong(&p, ITH_E_FORMAT, ") stands where nothing is open");
    if (going(&p))
        emit_top(&p, root, from, to);
    for (int32_t i = 0; i < p.n; i++)
        ith_codeset_free(&p.nodes[i].set);
    free(p.nodes);
}

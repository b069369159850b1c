/* json_text.c - characters of JSON strings, with their escapes. */
#include "grammar/json_text.h"

#include <string.h>

static const ith_code_range plain_ranges[] = {{0x20, 0x21}, {0x23, 0x5b}, {0x5d, ITH_MAX_CODE}};
static const ith_codeset plain = {(ith_code_range *)plain_ranges, 3, 3};

static bool has(const ith_codeset *set, uint32_t c)
{
    for (size_t i = 0; i < set->n && set->ranges[i].first <= c; i++)
        if (c <= set->ranges[i].last)
            return true;
    return false;
}

static void byte(ith_rules *g, int32_t from, int32_t to, char c)
{
    ith_rules_bytes(g, from, to, (uint8_t)c, (uint8_t)c, 0);
}

/* Behind \u: the control characters of a set that have no shorter escape. */
static void add_controls(ith_rules *g, int32_t from, int32_t to, const ith_codeset *set)
{
    int32_t high[2] = {-1, -1};

    from = ith_rules_text(g, from, "00", 2, 0);
    for (uint32_t c = 0; c < 0x20; c++) {
        if (!has(set, c) || strchr("\b\f\n\r\t", (int)c + (c == 0)) != NULL)
            continue;
        if (high[c / 16] < 0)
            high[c / 16] = ith_rules_text(g, from, c < 16 ? "0" : "1", 1, 0);
        byte(g, high[c / 16], to, "0123456789ABCDEF"[c % 16]);
    }
}

void ith_json_chars(ith_rules *g, int32_t from, int32_t to, const ith_codeset *set, unsigned flags)
{
    static const char escapes[][2] = {{'"', '"'},  {'\\', '\\'}, {'\b', 'b'}, {'\f', 'f'},
                                      {'\n', 'n'}, {'\r', 'r'},  {'\t', 't'}};
    ith_codeset inner = {0};
    int32_t slash;

    if (ith_codeset_unite(&inner, set, &g->failure) == ITH_OK &&
        ith_codeset_intersect(&inner, &plain, &g->failure) == ITH_OK)
        ith_rules_chars(g, from, to, &inner, flags);
    ith_codeset_free(&inner);
    if (ith_rules_failed(g) ||
        (!has(set, '"') && !has(set, '\\') && set->n > 0 && set->ranges[0].first >= 0x20) ||
        set->n == 0)
        return;
    slash = ith_rules_text(g, from, "\\", 1, flags);
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
        if (has(set, (uint32_t)escapes[i][0]))
            byte(g, slash, to, escapes[i][1]);
    add_controls(g, ith_rules_text(g, slash, "u", 1, 0), to, set);
}

/* One hexadecimal digit of a set of them. */
static void add_hex(ith_rules *g, int32_t from, int32_t to, const char *digits)
{
    for (; *digits != 0; digits++) {
        byte(g, from, to, *digits);
        if (*digits >= 'a')
            byte(g, from, to, (char)(*digits - 'a' + 'A'));
    }
}

static int32_t hex(ith_rules *g, int32_t from, const char *digits)
{
    int32_t to = ith_rules_state(g, g->states[from].rule);

    add_hex(g, from, to, digits);
    return to;
}

#define ANY_HEX "0123456789abcdef"

static void any_hex(ith_rules *g, int32_t from, int32_t to, int n)
{
    for (; n > 1; n--)
        from = hex(g, from, ANY_HEX);
    add_hex(g, from, to, ANY_HEX);
}

/* Behind \u: four digits that are no surrogate, or a pair of surrogates. */
static void add_escaped(ith_rules *g, int32_t from, int32_t to)
{
    int32_t d = hex(g, from, "d"), low;

    any_hex(g, hex(g, from, "0123456789abcef"), to, 3);
    any_hex(g, hex(g, d, "01234567"), to, 2);
    low = hex(g, hex(g, hex(g, d, "89ab"), ANY_HEX), ANY_HEX);
    low = ith_rules_text(g, low, "\\u", 2, 0);
    any_hex(g, hex(g, hex(g, low, "d"), "cdef"), to, 2);
}

void ith_json_any_char(ith_rules *g, int32_t from, int32_t to, unsigned flags)
{
    int32_t slash = ith_rules_text(g, from, "\\", 1, flags);

    ith_rules_chars(g, from, to, &plain, flags);
    for (const char *c = "\"\\/bfnrt"; *c != 0; c++)
        byte(g, slash, to, *c);
    add_escaped(g, ith_rules_text(g, slash, "u", 1, 0), to);
}

int32_t ith_json_space(ith_rules *g, int32_t from)
{
    int32_t to = ith_rules_state(g, g->states[from].rule);

    byte(g, from, to, ' ');
    ith_rules_empty(g, from, to);
    return to;
}

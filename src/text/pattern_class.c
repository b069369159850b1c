/* pattern_class.c - escapes, properties and classes of Oniguruma's dialect as sets. */
#include "text/pattern_class.h"
#include "text/unicode.h"
#include "text/utf8.h"

#include <string.h>

enum { MAX_DEPTH = 8, MAX_NAME = 64 };

ith_status ith_pattern_refuse(const ith_pattern_reader *in, const char *what, ith_error *err)
{
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: the tokenizer's pattern uses %s at byte %zu, which is not supported",
                    in->where, what, in->at);
}

bool ith_pattern_sees(const ith_pattern_reader *in, const char *text)
{
    size_t n = strlen(text);
    return in->len - in->at >= n && memcmp(in->pattern + in->at, text, n) == 0;
}

bool ith_pattern_take(ith_pattern_reader *in, const char *text)
{
    bool seen = ith_pattern_sees(in, text);

    in->at += seen ? strlen(text) : 0;
    return seen;
}

/* ---- Escapes ---- */

static ith_status add_property(const char *name, ith_codeset *set, ith_error *err)
{
    bool known;
    return ith_unicode_property(name, strlen(name), set, &known, err);
}

ith_status ith_pattern_word(ith_codeset *set, ith_error *err)
{
    static const char text[] = "[" ITH_PATTERN_WORD "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}]";
    ith_pattern_reader in = {.pattern = text, .where = "\\w", .len = sizeof text - 1};

    return ith_pattern_class(&in, false, set, err);
}

/* \p{Name}, \p{^Name} and \P{Name}. */
static ith_status read_property(ith_pattern_reader *in, ith_codeset *set, ith_error *err)
{
    const char *begin = in->pattern + in->at, *end = memchr(begin, '}', in->len - in->at);
    size_t len = end == NULL ? 0 : (size_t)(end - begin);
    bool negated = begin[1] == 'P', hat, known;
    char what[MAX_NAME + 16];

    if (len < 4 || begin[2] != '{' || len > MAX_NAME)
        return ith_pattern_refuse(in, "\\p without a name in braces", err);
    hat = begin[3] == '^';
    ITH_TRY(ith_unicode_property(begin + 3 + hat, len - 3 - hat, set, &known, err));
    if (!known) {
        memcpy(what, begin, len + 1);
        what[len + 1] = '\0';
        return ith_pattern_refuse(in, what, err);
    }
    in->at += len + 1;
    return negated != hat ? ith_codeset_complement(set, err) : ITH_OK;
}

/* \uHHHH, \xHH and \x{H...}. */
static ith_status read_code(ith_pattern_reader *in, ith_codeset *set, ith_error *err)
{
    bool braces = ith_pattern_sees(in, "\\x{");
    size_t at = in->at + 2 + braces, most = braces ? 8 : in->pattern[in->at + 1] == 'u' ? 4 : 2, n;
    uint32_t code = 0;

    for (n = 0; n < most && at < in->len && ith_hex_digit(in->pattern[at]) >= 0; n++)
        code = code << 4 | (uint32_t)ith_hex_digit(in->pattern[at++]);
    if (n == 0 || (!braces && n < most) || code > ITH_MAX_CODE ||
        (braces && (at == in->len || in->pattern[at++] != '}')) ||
        (!braces && most == 2 && code > 0x7f))
        return ith_pattern_refuse(in, "a code of this form", err);
    in->at = at;
    return ith_codeset_add(set, code, code, err);
}

/* The escaped letters that stand for sets; in capitals for all other characters. */
static ith_status read_set(ith_pattern_reader *in, char c, ith_codeset *set, ith_error *err)
{
    char lower = (char)(c | 0x20);

    if (lower == 'w') {
        ITH_TRY(ith_pattern_word(set, err));
    } else if (lower == 'h') {
        ITH_TRY(ith_codeset_add(set, '0', '9', err));
        ITH_TRY(ith_codeset_add(set, 'A', 'F', err));
        ITH_TRY(ith_codeset_add(set, 'a', 'f', err));
    } else {
        ITH_TRY(add_property(lower == 'd' ? "Nd" : "White_Space", set, err));
    }
    ith_codeset_settle(set);
    in->at += 2;
    return c == lower ? ITH_OK : ith_codeset_complement(set, err);
}

ith_status ith_pattern_escape(ith_pattern_reader *in, ith_codeset *set, bool *single,
                              ith_error *err)
{
    static const char controls[] = "t\tn\nr\rf\fv\va\ae\x1b";
    char c = in->at + 1 < in->len ? in->pattern[in->at + 1] : '\0', text[3] = {'\\', c, '\0'};
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

    *single = false;
    if (c == '\0' || (unsigned char)c >= 0x80)
        return ith_pattern_refuse(in, c == '\0' ? "a lone backslash" : "an escaped letter", err);
    if (c == 'p' || c == 'P')
        return read_property(in, set, err);
    if (strchr("dDsSwWhH", c) != NULL)
        return read_set(in, c, set, err);
    *single = true;
    if (c == 'u' || c == 'x')
        return read_code(in, set, err);
    for (const char *known = controls; letter && *known != '\0'; known += 2)
        if (*known == c) {
            c = known[1];
            letter = false;
        }
    if (letter)
        return ith_pattern_refuse(in, text, err);
    in->at += 2;
    return ith_codeset_add(set, (unsigned char)c, (unsigned char)c, err);
}

/* ---- Classes ---- */

static ith_status add_case(ith_codeset *set, uint32_t code, ith_error *err)
{
    uint32_t other = code ^ 0x20;

    ITH_TRY(ith_codeset_add(set, other, other, err));
    if ((code | 0x20) == 's')
        ITH_TRY(ith_codeset_add(set, 0x17f, 0x17f, err));
    if ((code | 0x20) == 'k')
        ITH_TRY(ith_codeset_add(set, 0x212a, 0x212a, err));
    return ITH_OK;
}

ith_status ith_pattern_fold(const ith_pattern_reader *in, ith_codeset *set, ith_error *err)
{
    size_t n = set->n;

    if (n > 0 && set->ranges[n - 1].last >= 0x80)
        return ith_pattern_refuse(in, "characters beyond ASCII inside (?i:", err);
    for (size_t i = 0; i < n; i++)
        for (uint32_t code = set->ranges[i].first, last = set->ranges[i].last; code <= last; code++)
            if ((code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z'))
                ITH_TRY(add_case(set, code, err));
    ith_codeset_settle(set);
    return ITH_OK;
}

/* One item of a class: a character, or what an escape or an inner class stands for. */
static ith_status read_item(ith_pattern_reader *in, int depth, ith_codeset *set, bool *single,
                            ith_error *err);

/* The next item and, if it begins one, the whole range. */
static ith_status read_range(ith_pattern_reader *in, int depth, ith_codeset *set, ith_error *err)
{
    ith_codeset first = {0}, last = {0};
    bool single, single_last = false;
    ith_status status;

    ITH_CHECK(read_item(in, depth, &first, &single, err));
    if (single && ith_pattern_sees(in, "-") && !ith_pattern_sees(in, "-]") &&
        in->at + 1 < in->len) {
        in->at++;
        ITH_CHECK(read_item(in, depth, &last, &single_last, err));
        if (!single_last || last.ranges[0].first < first.ranges[0].first) {
            status = ith_fail(err, ITH_E_FORMAT,
                              "%s: the tokenizer's pattern is not valid: a range in a class at "
                              "byte %zu",
                              in->where, in->at);
            goto done;
        }
        first.ranges[0].last = last.ranges[0].first;
    }
    ITH_CHECK(ith_codeset_unite(set, &first, err));
done:
    ith_codeset_free(&first);
    ith_codeset_free(&last);
    return status;
}

/* What stands between two &&, or up to the closing bracket. */
static ith_status read_members(ith_pattern_reader *in, int depth, ith_codeset *set, ith_error *err)
{
    while (!ith_pattern_sees(in, "]") && !ith_pattern_sees(in, "&&")) {
        if (in->at == in->len)
            return ith_fail(err, ITH_E_FORMAT,
                            "%s: the tokenizer's pattern is not valid: a class does not end",
                            in->where);
        ITH_TRY(read_range(in, depth, set, err));
    }
    return ITH_OK;
}

static ith_status read_class(ith_pattern_reader *in, bool caseless, int depth, ith_codeset *set,
                             ith_error *err)
{
    ith_codeset other = {0};
    bool negated;
    ith_status status = ITH_OK;

    if (depth == MAX_DEPTH)
        return ith_pattern_refuse(in, "classes nested too deep", err);
    in->at++;
    negated = ith_pattern_take(in, "^");
    if (ith_pattern_sees(in, "]"))
        return ith_pattern_refuse(in, "an empty class", err);
    ITH_CHECK(read_members(in, depth, set, err));
    while (ith_pattern_take(in, "&&")) {
        ith_codeset_free(&other);
        ITH_CHECK(read_members(in, depth, &other, err));
        ITH_CHECK(ith_codeset_intersect(set, &other, err));
    }
    in->at++;
    if (caseless)
        ITH_CHECK(ith_pattern_fold(in, set, err));
    if (negated)
        ITH_CHECK(ith_codeset_complement(set, err));
done:
    ith_codeset_free(&other);
    return status;
}

static ith_status read_item(ith_pattern_reader *in, int depth, ith_codeset *set, bool *single,
                            ith_error *err)
{
    size_t width;
    uint32_t code;

    *single = false;
    if (ith_pattern_sees(in, "[:"))
        return ith_pattern_refuse(in, "a class by its POSIX name", err);
    if (ith_pattern_sees(in, "["))
        return read_class(in, false, depth + 1, set, err);
    if (ith_pattern_sees(in, "\\")) {
        if (ith_pattern_sees(in, "\\b") || ith_pattern_sees(in, "\\B"))
            return ith_pattern_refuse(in, "\\b in a class", err);
        return ith_pattern_escape(in, set, single, err);
    }
    *single = true;
    code = ith_utf8_decode(in->pattern + in->at, &width);
    in->at += width;
    return ith_codeset_add(set, code, code, err);
}

ith_status ith_pattern_class(ith_pattern_reader *in, bool caseless, ith_codeset *set,
                             ith_error *err)
{
    return read_class(in, caseless, 0, set, err);
}

/* pattern.c - reads Oniguruma's dialect, and writes it anew for PCRE2 over kinds of characters. */
#include "text/pattern.h"
#include "text/charkinds.h"
#include "text/pattern_class.h"
#include "text/unicode.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PATTERN = 16384, MAX_DEPTH = 64 };

struct ith_pattern {
    pcre2_code *code, *anchored;
    ith_kinds kinds;
};

/* A set that stands in the translated pattern after so many bytes of it. */
typedef struct hole {
    size_t at, set;
} hole;

typedef struct translation {
    ith_pattern_reader in;
    ith_codesets sets;
    ith_buffer out;  /* the translated pattern, without its sets */
    ith_buffer list; /* of holes, ascending */
    bool caseless[MAX_DEPTH];
    size_t depth; /* of groups */
} translation;

static ith_status put(translation *t, const char *text, ith_error *err)
{
    return ith_buffer_append(&t->out, text, strlen(text), err);
}

/* Puts a set, which is taken over, also after a failure. */
static ith_status put_set(translation *t, ith_codeset *set, ith_error *err)
{
    hole next = {.at = t->out.len};

    if (!ith_codesets_put(&t->sets, set, &next.set))
        return ith_pattern_refuse(&t->in, "too many sets of characters", err);
    return ith_buffer_append(&t->list, (const char *)&next, sizeof next, err);
}

/* ---- Groups and quantifiers ---- */

/* The groups that mean the same in both dialects. */
static ith_status put_group(translation *t, ith_error *err)
{
    static const char *const known[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"};
    ith_pattern_reader *in = &t->in;
    bool caseless = t->caseless[t->depth];

    if (t->depth + 1 == MAX_DEPTH)
        return ith_pattern_refuse(in, "groups nested too deep", err);
    t->caseless[++t->depth] = caseless;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (ith_pattern_take(in, known[i]))
            return put(t, known[i], err);
    if (ith_pattern_take(in, "(?i:")) {
        t->caseless[t->depth] = true;
        return put(t, "(?:", err);
    }
    if (ith_pattern_sees(in, "(?") || ith_pattern_sees(in, "(*"))
        return ith_pattern_refuse(in, "a group of this kind", err);
    in->at++;
    return put(t, "(", err);
}

/* {n}, {n,}, {,m}, {n,m}. *is_interval false: another brace, which is a literal. */
static ith_status put_interval(translation *t, bool *is_interval, ith_error *err)
{
    ith_pattern_reader *in = &t->in;
    unsigned long low = 0, high = 0;
    int n = 0, len = (int)(in->len - in->at < 24 ? in->len - in->at : 24);
    char text[25] = "", interval[64];
    bool exact = false;

    memcpy(text, in->pattern + in->at, (size_t)len);
    if (sscanf(text, "{%5lu}%n", &low, &n) == 1 && n > 0) {
        exact = true;
        snprintf(interval, sizeof interval, "{%lu}", low);
    } else if (sscanf(text, "{%5lu,}%n", &low, &n) == 1 && n > 0) {
        snprintf(interval, sizeof interval, "{%lu,}", low);
    } else if ((sscanf(text, "{%5lu,%5lu}%n", &low, &high, &n) == 2 && n > 0) ||
               (sscanf(text, "{,%5lu}%n", &high, &n) == 1 && n > 0)) {
        snprintf(interval, sizeof interval, "{%lu,%lu}", low, high);
    }
    *is_interval = n > 0 && text[1] != '+' && text[1] != '-' && text[1] != ' ';
    if (!*is_interval)
        return ITH_OK;
    in->at += (size_t)n;
    if (ith_pattern_sees(in, "+"))
        return ith_pattern_refuse(in, "a possessive interval", err);
    if (exact && ith_pattern_sees(in, "?"))
        return ith_pattern_refuse(in, "a lazy interval of one number", err);
    return put(t, interval, err);
}

/* ---- Characters ---- */

/* \b and \B, by what stands on either side. */
static ith_status put_boundary(translation *t, bool negated, ith_error *err)
{
    static const char *const around[2][5] = {{"(?:(?<=", ")(?!", ")|(?<!", ")(?=", "))"},
                                             {"(?:(?<=", ")(?=", ")|(?<!", ")(?!", "))"}};

    for (int i = 0; i < 5; i++) {
        ith_codeset word = {0};
        ITH_TRY(put(t, around[negated][i], err));
        if (i == 4)
            break;
        ITH_TRY(ith_pattern_word(&word, err));
        ITH_TRY(put_set(t, &word, err));
    }
    return ITH_OK;
}

static ith_status put_escape(translation *t, ith_error *err)
{
    ith_codeset set = {0};
    ith_status status;
    bool single;

    if (ith_pattern_sees(&t->in, "\\b") || ith_pattern_sees(&t->in, "\\B")) {
        bool negated = t->in.pattern[t->in.at + 1] == 'B';
        t->in.at += 2;
        return put_boundary(t, negated, err);
    }
    ITH_CHECK(ith_pattern_escape(&t->in, &set, &single, err));
    if (single && t->caseless[t->depth])
        ITH_CHECK(ith_pattern_fold(&t->in, &set, err));
    return put_set(t, &set, err);
done:
    ith_codeset_free(&set);
    return status;
}

static ith_status put_class(translation *t, ith_error *err)
{
    ith_codeset set = {0};
    ith_status status = ith_pattern_class(&t->in, t->caseless[t->depth], &set, err);

    if (status == ITH_OK)
        return put_set(t, &set, err);
    ith_codeset_free(&set);
    return status;
}

static ith_status put_literal(translation *t, ith_error *err)
{
    ith_codeset set = {0};
    size_t width;
    uint32_t code = ith_utf8_decode(t->in.pattern + t->in.at, &width);
    ith_status status;

    ITH_CHECK(ith_codeset_add(&set, code, code, err));
    if (t->caseless[t->depth])
        ITH_CHECK(ith_pattern_fold(&t->in, &set, err));
    t->in.at += width;
    return put_set(t, &set, err);
done:
    ith_codeset_free(&set);
    return status;
}

static ith_status put_any(translation *t, ith_error *err)
{
    ith_codeset set = {0};
    ith_status status;

    t->in.at++;
    ITH_CHECK(ith_codeset_add(&set, '\n', '\n', err));
    ITH_CHECK(ith_codeset_complement(&set, err));
    return put_set(t, &set, err);
done:
    ith_codeset_free(&set);
    return status;
}

static ith_status translate_next(translation *t, ith_error *err)
{
    ith_pattern_reader *in = &t->in;
    char c = in->pattern[in->at], text[2] = {c, '\0'};
    bool is_interval = false;

    switch (c) {
    case '\\':
        return put_escape(t, err);
    case '[':
        return put_class(t, err);
    case '.':
        return put_any(t, err);
    case '(':
        return put_group(t, err);
    case ')':
        t->depth -= t->depth > 0;
        break;
    case '{':
        ITH_TRY(put_interval(t, &is_interval, err));
        return is_interval ? ITH_OK : put_literal(t, err);
    case '|':
    case '*':
    case '+':
    case '?':
    case '^':
    case '$':
        break;
    default:
        return put_literal(t, err);
    }
    in->at++;
    return put(t, text, err);
}

static ith_status translate(translation *t, bool literal, ith_error *err)
{
    while (t->in.at < t->in.len) {
        if (!literal)
            ITH_TRY(translate_next(t, err));
        else
            ITH_TRY(put_literal(t, err));
    }
    return ITH_OK;
}

/* ---- Writing it down with kinds ---- */

static bool has_kind(const ith_kinds *kinds, int kind, size_t set)
{
    return kinds->used[kind] && kinds->members[kind][set / 64] >> set % 64 & 1;
}

/* A set as a class of kinds. */
static ith_status write_set(const ith_kinds *kinds, size_t set, ith_buffer *out, ith_error *err)
{
    char text[16];
    bool none = true;

    ITH_TRY(ith_buffer_append(out, "[", 1, err));
    for (int first = 0, last; first < ITH_MAX_KINDS; first = last + 1) {
        for (last = first; last < ITH_MAX_KINDS && has_kind(kinds, last, set); last++)
            ;
        if (last == first)
            continue;
        snprintf(text, sizeof text, "\\x%02x-\\x%02x", (unsigned)first, (unsigned)last - 1);
        ITH_TRY(ith_buffer_append(out, text, strlen(text), err));
        none = false;
    }
    if (none) /* what no character is */
        ITH_TRY(ith_buffer_append(out, "^\\x00-\\xff", 10, err));
    return ith_buffer_append(out, "]", 1, err);
}

static ith_status write_all(const translation *t, const ith_kinds *kinds, ith_buffer *out,
                            ith_error *err)
{
    size_t done = 0;

    for (size_t at = 0; at < t->list.len; at += sizeof(hole)) {
        hole next;
        memcpy(&next, t->list.data + at, sizeof next);
        ITH_TRY(ith_buffer_append(out, t->out.data + done, next.at - done, err));
        ITH_TRY(write_set(kinds, next.set, out, err));
        done = next.at;
    }
    return ith_buffer_append(out, t->out.data + done, t->out.len - done, err);
}

static ith_status compile(const ith_buffer *text, const char *where, uint32_t more,
                          pcre2_code **code, ith_error *err)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    uint32_t options =
        PCRE2_MULTILINE | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C | more;
    PCRE2_SIZE at;
    char reason[160] = "";
    int why;

    if (context == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for a pattern", where);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    *code = pcre2_compile((PCRE2_SPTR)text->data, text->len, options, &why, &at, context);
    pcre2_compile_context_free(context);
    if (*code == NULL) {
        pcre2_get_error_message(why, (PCRE2_UCHAR *)reason, sizeof reason);
        return ith_fail(err, ITH_E_FORMAT, "%s: the tokenizer's pattern is not valid: %s", where,
                        reason);
    }
    pcre2_jit_compile(*code, PCRE2_JIT_COMPLETE); /* without JIT, matching is only slower */
    return ITH_OK;
}

static ith_status build(translation *t, ith_pattern *pattern, ith_error *err)
{
    ith_buffer text = {0};
    bool many = false;
    ith_status status;

    ITH_CHECK(ith_kinds_make(&t->sets, &pattern->kinds, &many, err));
    if (many)
        ITH_CHECK(ith_pattern_refuse(&t->in, "too many kinds of characters", err));
    ITH_CHECK(write_all(t, &pattern->kinds, &text, err));
    ITH_CHECK(compile(&text, t->in.where, 0, &pattern->code, err));
    ITH_CHECK(compile(&text, t->in.where, PCRE2_ANCHORED, &pattern->anchored, err));
done:
    ith_buffer_free(&text);
    return status;
}

ith_status ith_pattern_compile(const char *pattern, size_t len, bool literal, const char *where,
                               ith_pattern **out, ith_error *err)
{
    translation *t;
    ith_status status;

    *out = NULL;
    if (len == 0 || len > MAX_PATTERN || ith_utf8_valid_prefix(pattern, len) < len)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: the tokenizer's pattern has %zu bytes; expected 1 to %d of UTF-8",
                        where, len, MAX_PATTERN);
    t = calloc(1, sizeof *t);
    *out = calloc(1, sizeof **out);
    if (t == NULL || *out == NULL) {
        status = ith_fail(err, ITH_E_MEMORY, "%s: no memory for a pattern", where);
        goto done;
    }
    t->in = (ith_pattern_reader){.pattern = pattern, .where = where, .len = len};
    ITH_CHECK(ith_buffer_reserve(&t->out, 1, err));
    ITH_CHECK(translate(t, literal, err));
    ITH_CHECK(build(t, *out, err));
done:
    if (status != ITH_OK) {
        ith_pattern_free(*out);
        *out = NULL;
    }
    if (t != NULL) {
        ith_codesets_free(&t->sets);
        ith_buffer_free(&t->out);
        ith_buffer_free(&t->list);
    }
    free(t);
    return status;
}

void ith_pattern_free(ith_pattern *pattern)
{
    if (pattern == NULL)
        return;
    pcre2_code_free(pattern->code);
    pcre2_code_free(pattern->anchored);
    ith_kinds_free(&pattern->kinds);
    free(pattern);
}

struct pcre2_real_code_8 *ith_pattern_code(const ith_pattern *pattern, bool anchored)
{
    return anchored ? pattern->anchored : pattern->code;
}

size_t ith_pattern_kinds(const ith_pattern *pattern, const char *text, size_t len, char *kinds)
{
    const ith_kinds *k = &pattern->kinds;
    size_t n = 0;

    for (size_t at = 0, width; at < len; at += width) {
        uint32_t code = (unsigned char)text[at];
        width = 1;
        if (code >= 0x80)
            code = ith_utf8_decode(text + at, &width);
        kinds[n++] = (char)k->pages[(size_t)k->page_of[code >> 8] << 8 | (code & 0xff)];
    }
    return n;
}

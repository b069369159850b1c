#include "text/pattern.h"
#include "text/utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

enum { MAX_PATTERN = 16384 };

typedef struct translation {
    const char *pattern, *where;
    size_t len, at;
    bool in_class;
    ith_buffer out;
} translation;

static ith_status refuse(const translation *t, const char *what, ith_error *err)
{
    return ith_fail(err, ITH_E_UNSUPPORTED, "%s: pre_tokenizer pattern uses %s at byte %zu, which is not supported",
                    t->where, what, t->at);
}

static ith_status put(translation *t, const char *text, size_t len, ith_error *err)
{
    return ith_buffer_append(&t->out, text, len, err);
}

/* \p{Name} and \P{Name}, whole. */
static ith_status put_property(translation *t, ith_error *err)
{
    const char *begin = t->pattern + t->at, *end = memchr(begin, '}', t->len - t->at);

    if (end == NULL || begin[2] != '{')
        return refuse(t, "\\p without braces", err);
    t->at += (size_t)(end + 1 - begin);
    return put(t, begin, (size_t)(end + 1 - begin), err);
}

/* \uHHHH, which PCRE2 writes \x{HHHH}. */
static ith_status put_code(translation *t, ith_error *err)
{
    if (t->len - t->at < 6)
        return refuse(t, "a short \\u", err);
    ITH_TRY(put(t, "\\x{", 3, err));
    ITH_TRY(put(t, t->pattern + t->at + 2, 4, err));
    t->at += 6;
    return put(t, "}", 1, err);
}

/* Escapes of punctuation, and those of letters that both know. \s of PCRE2 has U+180E more than White_Space; \v is a
 * class there and one character here. */
static ith_status put_escape(translation *t, ith_error *err)
{
    char c = t->at + 1 < t->len ? t->pattern[t->at + 1] : '\0', text[3] = {'\\', c, '\0'};
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

    if (c == 'p' || c == 'P')
        return put_property(t, err);
    if (c == 'u')
        return put_code(t, err);
    if (c == '\0' || (unsigned char)c >= 0x80 || (letter && strchr("sSdDrntfv", c) == NULL))
        return refuse(t, c == '\0' ? "a lone backslash" : text, err);
    t->at += 2;
    if (c == 's')
        return put(t, "\\p{White_Space}", 15, err);
    if (c == 'S')
        return put(t, "\\P{White_Space}", 15, err);
    return c == 'v' ? put(t, "\\x{0b}", 6, err) : put(t, text, 2, err);
}

static bool looking_at(const translation *t, const char *text)
{
    size_t n = strlen(text);
    return t->len - t->at >= n && memcmp(t->pattern + t->at, text, n) == 0;
}

/* Groups that mean the same in both: plain, (?:, lookahead, lookbehind, (?i: and (?>. */
static ith_status check_group(const translation *t, ith_error *err)
{
    static const char *const known[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?i:", "(?>"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (looking_at(t, known[i]))
            return ITH_OK;
    return looking_at(t, "(?") || looking_at(t, "(*") ? refuse(t, "a group of this kind", err) : ITH_OK;
}

static ith_status put_plain(translation *t, ith_error *err)
{
    char c = t->pattern[t->at];

    if (c == '(' && !t->in_class)
        ITH_TRY(check_group(t, err));
    if (t->in_class && c == '[')
        return refuse(t, "a class inside a class", err);
    if (t->in_class && looking_at(t, "&&"))
        return refuse(t, "an intersection of classes", err);
    if (!t->in_class && looking_at(t, "}+"))
        return refuse(t, "a possessive interval", err);
    if (c == '[' && !t->in_class) {
        t->in_class = true;
        if (looking_at(t, "[]") || looking_at(t, "[^]"))
            return refuse(t, "an empty class", err);
    } else if (c == ']') {
        t->in_class = false;
    }
    t->at++;
    return put(t, &c, 1, err);
}

static ith_status compile(const char *pattern, size_t len, uint32_t options, const char *where, pcre2_code **code,
                          ith_error *err)
{
    int why;
    PCRE2_SIZE at;
    char text[160] = "";

    *code = pcre2_compile((PCRE2_SPTR)pattern, len, options, &why, &at, NULL);
    if (*code == NULL) {
        pcre2_get_error_message(why, (PCRE2_UCHAR *)text, sizeof text);
        return ith_fail(err, ITH_E_FORMAT, "%s: pre_tokenizer pattern: %s", where, text);
    }
    pcre2_jit_compile(*code, PCRE2_JIT_COMPLETE); /* where it fails, matching is slower and the same */
    return ITH_OK;
}

ith_status ith_pattern_compile(const char *pattern, size_t len, bool literal, const char *where,
                               struct pcre2_real_code_8 **code, ith_error *err)
{
    translation t = {.pattern = pattern, .where = where, .len = len};
    ith_status status = ITH_OK;

    *code = NULL;
    if (len == 0 || len > MAX_PATTERN)
        return ith_fail(err, ITH_E_FORMAT, "%s: a pre_tokenizer pattern of %zu bytes, expected 1 to %d", where, len,
                        MAX_PATTERN);
    if (literal)
        return compile(pattern, len, PCRE2_UTF | PCRE2_LITERAL, where, code, err);
    while (t.at < len)
        ITH_CHECK(pattern[t.at] == '\\' ? put_escape(&t, err) : put_plain(&t, err));
    ITH_CHECK(compile(t.out.data, t.out.len, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, where,
                      code, err));
done:
    ith_buffer_free(&t.out);
    return status;
}

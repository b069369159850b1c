/* pattern.c - translates regular expressions from Oniguruma's dialect to PCRE2's. */
#include "text/pattern.h"
#include "text/utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
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
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: the pre_tokenizer pattern uses %s at byte %zu, which is not supported",
                    t->where, what, t->at);
}

static ith_status put(translation *t, const char *text, size_t len, ith_error *err)
{
    return ith_buffer_append(&t->out, text, len, err);
}

/* Letters and numbers added in Unicode 15.0 to 16.0 (DerivedGeneralCategory.txt). Hugging Face's
 * tokenizers know them, PCRE2 before 10.45 does not. They are listed here so that tokens do not
 * depend on the installed PCRE2. */
static const char NEW_LETTERS[] =
    "\\x{1c89}-\\x{1c8a}\\x{a7cb}-\\x{a7cd}\\x{a7da}-\\x{a7dc}\\x{105c0}-\\x{105f3}"
    "\\x{10d4a}-\\x{10d65}\\x{10d6f}-\\x{10d85}\\x{10ec2}-\\x{10ec4}\\x{1123f}-\\x{11240}"
    "\\x{11380}-\\x{11389}\\x{1138b}\\x{1138e}\\x{11390}-\\x{113b5}\\x{113b7}\\x{113d1}"
    "\\x{113d3}\\x{11bc0}-\\x{11be0}\\x{11f02}\\x{11f04}-\\x{11f10}\\x{11f12}-\\x{11f33}"
    "\\x{1342f}\\x{13441}-\\x{13446}\\x{13460}-\\x{143fa}\\x{16100}-\\x{1611d}"
    "\\x{16d40}-\\x{16d6c}\\x{18cff}\\x{1b132}\\x{1b155}\\x{1df25}-\\x{1df2a}"
    "\\x{1e030}-\\x{1e06d}\\x{1e4d0}-\\x{1e4eb}\\x{1e5d0}-\\x{1e5ed}\\x{1e5f0}\\x{2b739}"
    "\\x{2ebf0}-\\x{2ee5d}\\x{31350}-\\x{323af}";
static const char NEW_NUMBERS[] =
    "\\x{10d40}-\\x{10d49}\\x{116d0}-\\x{116e3}\\x{11bf0}-\\x{11bf9}\\x{11f50}-\\x{11f59}"
    "\\x{16130}-\\x{16139}\\x{16d70}-\\x{16d79}\\x{1ccf0}-\\x{1ccf9}\\x{1d2c0}-\\x{1d2d3}"
    "\\x{1e4f0}-\\x{1e4f9}\\x{1e5f1}-\\x{1e5fa}";

/* Is Name, with its closing brace, a script? In Oniguruma \p{Han} is a script. In PCRE2 since 10.40
 * it is the script with its extensions, and \p{sc:Han} the script alone. */
static bool is_script(const char *name, size_t len)
{
    char pattern[64];
    int why, n = snprintf(pattern, sizeof pattern, "\\p{sc:%.*s", (int)len, name);
    PCRE2_SIZE at;
    pcre2_code *code;

    if (n < 0 || n >= (int)sizeof pattern)
        return false;
    code = pcre2_compile((PCRE2_SPTR)pattern, (PCRE2_SIZE)n, PCRE2_UTF, &why, &at, NULL);
    pcre2_code_free(code);
    return code != NULL;
}

/* \p{Name}, \p{^Name} and \P{Name} of a script. */
static ith_status put_script(translation *t, const char *name, size_t len, bool negated,
                             ith_error *err)
{
    ITH_TRY(put(t, negated ? "\\P{sc:" : "\\p{sc:", 6, err));
    return put(t, name, len, err);
}

/* \p{Name} and \P{Name}. */
static ith_status put_property(translation *t, ith_error *err)
{
    const char *begin = t->pattern + t->at, *end = memchr(begin, '}', t->len - t->at), *more = "";
    size_t len = end == NULL ? 0 : (size_t)(end + 1 - begin);
    bool negated = begin[1] == 'P';

    if (len < 4 || begin[2] != '{')
        return refuse(t, "\\p without braces", err);
    t->at += len;
    if (is_script(begin + 3 + (begin[3] == '^'), len - 3 - (begin[3] == '^')))
        return put_script(t, begin + 3 + (begin[3] == '^'), len - 3 - (begin[3] == '^'),
                          negated != (begin[3] == '^'), err);
    if (len == 5 && !(negated && t->in_class))
        more = begin[3] == 'L' ? NEW_LETTERS : begin[3] == 'N' ? NEW_NUMBERS : "";
    if (more[0] == '\0' || t->in_class) {
        ITH_TRY(put(t, begin, len, err));
        return put(t, more, strlen(more), err);
    }
    ITH_TRY(put(t, negated ? "[^\\p" : "[\\p", negated ? 4 : 3, err));
    ITH_TRY(put(t, begin + 2, len - 2, err));
    ITH_TRY(put(t, more, strlen(more), err));
    return put(t, "]", 1, err);
}

/* \uHHHH, which is \x{HHHH} in PCRE2. */
static ith_status put_code(translation *t, ith_error *err)
{
    if (t->len - t->at < 6)
        return refuse(t, "a short \\u", err);
    ITH_TRY(put(t, "\\x{", 3, err));
    ITH_TRY(put(t, t->pattern + t->at + 2, 4, err));
    t->at += 6;
    return put(t, "}", 1, err);
}

/* Escaped punctuation, and the escaped letters that mean the same in both dialects. Two are
 * rewritten: PCRE2's \s matches U+180E besides White_Space, and its \v is a class of characters. */
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

/* Accepts the groups that mean the same in both dialects: plain, (?:, lookahead, lookbehind, (?i:
 * and (?>. */
static ith_status check_group(const translation *t, ith_error *err)
{
    static const char *const known[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?i:", "(?>"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (looking_at(t, known[i]))
            return ITH_OK;
    return looking_at(t, "(?") || looking_at(t, "(*") ? refuse(t, "a group of this kind", err)
                                                      : ITH_OK;
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

static ith_status compile(const char *pattern, size_t len, uint32_t options, const char *where,
                          pcre2_code **code, ith_error *err)
{
    int why;
    PCRE2_SIZE at;
    char text[160] = "";

    *code = pcre2_compile((PCRE2_SPTR)pattern, len, options, &why, &at, NULL);
    if (*code == NULL) {
        pcre2_get_error_message(why, (PCRE2_UCHAR *)text, sizeof text);
        return ith_fail(err, ITH_E_FORMAT, "%s: the pre_tokenizer pattern is not valid: %s", where,
                        text);
    }
    pcre2_jit_compile(*code, PCRE2_JIT_COMPLETE); /* without JIT, matching is only slower */
    return ITH_OK;
}

ith_status ith_pattern_compile(const char *pattern, size_t len, bool literal, const char *where,
                               struct pcre2_real_code_8 **code, ith_error *err)
{
    translation t = {.pattern = pattern, .where = where, .len = len};
    ith_status status = ITH_OK;

    *code = NULL;
    if (len == 0 || len > MAX_PATTERN)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: the pre_tokenizer pattern has %zu bytes; expected 1 to %d", where, len,
                        MAX_PATTERN);
    if (literal)
        return compile(pattern, len, PCRE2_UTF | PCRE2_LITERAL, where, code, err);
    while (t.at < len)
        ITH_CHECK(pattern[t.at] == '\\' ? put_escape(&t, err) : put_plain(&t, err));
    ITH_CHECK(compile(t.out.data, t.out.len,
                      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, where,
                      code, err));
done:
    ith_buffer_free(&t.out);
    return status;
}

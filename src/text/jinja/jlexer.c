/* jlexer.c - cuts a template into tokens.
 *
 * Whitespace, as Jinja2 with trim_blocks and lstrip_blocks has it: "-" inside a tag strips all
 * white space on its side; a block or comment that begins a line loses the blanks before it, and
 * one that ends a line loses the line end, unless "+" stands in the tag. */
#include "text/jinja/jlexer.h"
#include "text/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct lexer {
    ith_jrun *run;
    ith_jtokens out;
    const char *s;
    size_t len, at;
    bool line_start; /* what was read last ended with a line end */
    char open[256];  /* brackets that are open inside a tag */
    size_t n_open;
} lexer;

static _Noreturn void fail(lexer *lex, const char *text)
{
    ith_jrun_fail(lex->run, ITH_E_FORMAT, "%s", text);
}

static void add(lexer *lex, ith_jtoken token)
{
    if (lex->out.n == lex->out.cap) {
        size_t cap = lex->out.cap == 0 ? 64 : 2 * lex->out.cap;
        ith_jtoken *data = ith_jrun_alloc(lex->run, cap, sizeof *data);
        if (lex->out.n > 0)
            memcpy(data, lex->out.data, lex->out.n * sizeof *data);
        lex->out.data = data;
        lex->out.cap = cap;
    }
    token.line = lex->run->line;
    lex->out.data[lex->out.n++] = token;
}

static void add_text(lexer *lex, ith_jtoken_kind kind, size_t begin, size_t end)
{
    add(lex,
        (ith_jtoken){.kind = kind,
                     .text = ith_jstr_new(lex->run, lex->s + begin, end - begin, ITH_JTEMPLATE)});
}

static bool has(const lexer *lex, size_t at, const char *text)
{
    size_t n = strlen(text);

    return lex->len - at >= n && memcmp(lex->s + at, text, n) == 0;
}

/* Bytes of white space at `at`; 0: there is none. */
static size_t space_at(const lexer *lex, size_t at)
{
    ith_jstr s = {.data = lex->s, .len = lex->len};
    size_t width;

    return at < lex->len && ith_jcode_is_space(ith_jstr_code(&s, at, &width)) ? width : 0;
}

static size_t skip_space(const lexer *lex, size_t at)
{
    size_t width;

    while ((width = space_at(lex, at)) > 0)
        at += width;
    return at;
}

/* Moves on, counting lines. */
static void advance(lexer *lex, size_t to)
{
    if (to > lex->at)
        lex->line_start = lex->s[to - 1] == '\n';
    for (; lex->at < to; lex->at++)
        lex->run->line += lex->s[lex->at] == '\n';
}

static size_t rstrip(const lexer *lex, size_t begin, size_t end)
{
    while (end > begin) {
        size_t back = ith_utf8_before(lex->s, end);
        if (space_at(lex, back) == 0)
            break;
        end = back;
    }
    return end;
}

/* Where the text before a tag ends. `sign` is the character after the tag's opening. */
static size_t text_end(const lexer *lex, size_t begin, size_t tag, char sign, bool print)
{
    size_t line = tag;

    if (sign == '-')
        return rstrip(lex, begin, tag);
    if (sign == '+' || print)
        return tag;
    while (line > begin && lex->s[line - 1] != '\n')
        line--;
    if (line == begin && !lex->line_start)
        return tag;
    return skip_space(lex, line) >= tag ? line : tag;
}

/* If a tag ends here with `close`: where what follows begins. 0: it does not. */
static size_t tag_end(const lexer *lex, size_t at, const char *close)
{
    bool print = strcmp(close, "}}") == 0;

    if (has(lex, at, "-") && has(lex, at + 1, close))
        return skip_space(lex, at + 3);
    if (!print && has(lex, at, "+") && has(lex, at + 1, close))
        return at + 3;
    if (!has(lex, at, close))
        return 0;
    return !print && has(lex, at + 2, "\n") ? at + 3 : at + 2;
}

static bool is_sign(const lexer *lex, size_t at)
{
    return at < lex->len && (lex->s[at] == '-' || lex->s[at] == '+');
}

/* If {% NAME %} begins at `at`: where the closing part stands. 0: it does not. */
static size_t keyword_tag(const lexer *lex, size_t at, const char *name)
{
    if (!has(lex, at, "{%"))
        return 0;
    at += 2;
    at = skip_space(lex, at + is_sign(lex, at));
    if (!has(lex, at, name))
        return 0;
    return skip_space(lex, at + strlen(name));
}

static void lex_comment(lexer *lex)
{
    size_t at = lex->at + 2, end = 0;

    while (at < lex->len && (end = tag_end(lex, at, "#}")) == 0)
        at++;
    if (end == 0)
        fail(lex, "a comment has no end");
    advance(lex, end);
}

static void lex_raw(lexer *lex, size_t body)
{
    size_t at = body, close, end = 0;

    for (; at < lex->len; at++) {
        close = keyword_tag(lex, at, "endraw");
        if (close != 0 && (end = tag_end(lex, close, "%}")) != 0)
            break;
    }
    if (end == 0)
        fail(lex, "{% raw %} has no end");
    advance(lex, body);
    add_text(lex, ITH_JT_DATA, body, text_end(lex, body, at, lex->s[at + 2], false));
    advance(lex, end);
}

/* ---- Inside tags ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* \xHH, \uHHHH, \UHHHHHHHH: `n` digits at s->at. */
static void lex_hex(lexer *lex, ith_jbuild *text, int n)
{
    uint32_t code = 0;

    for (int i = 0; i < n; i++) {
        int digit = lex->at < lex->len ? ith_hex_digit(lex->s[lex->at++]) : -1;
        if (digit < 0)
            fail(lex, "an escape in a string lacks digits");
        code = code << 4 | (uint32_t)digit;
    }
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        fail(lex, "an escape in a string is no character");
    ith_jbuild_code(text, code, ITH_JTEMPLATE);
}

static void lex_octal(lexer *lex, ith_jbuild *text)
{
    uint32_t code = 0;

    for (int i = 0; i < 3 && lex->at < lex->len && lex->s[lex->at] >= '0' && lex->s[lex->at] <= '7';
         i++)
        code = code * 8 + (uint32_t)(lex->s[lex->at++] - '0');
    ith_jbuild_code(text, code, ITH_JTEMPLATE);
}

static void lex_escape(lexer *lex, ith_jbuild *text)
{
    static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
    char c = lex->s[lex->at];
    const char *known = strchr(from, c);

    if (c >= '0' && c <= '7') {
        lex_octal(lex, text);
        return;
    }
    lex->at++;
    if (c == '\n') {
        lex->run->line++;
    } else if (known != NULL && c != '\0') {
        ith_jbuild_bytes(text, &to[known - from], 1, ITH_JTEMPLATE);
    } else if (c == 'x' || c == 'u' || c == 'U') {
        lex_hex(lex, text, c == 'x' ? 2 : c == 'u' ? 4 : 8);
    } else if (c == 'N') {
        fail(lex, "\\N{...} in strings is not supported");
    } else {
        ith_jbuild_text(text, "\\", ITH_JTEMPLATE);
        ith_jbuild_bytes(text, &c, 1, ITH_JTEMPLATE);
    }
}

static void lex_string(lexer *lex)
{
    char quote = lex->s[lex->at++];
    ith_jbuild text = {.run = lex->run};

    while (lex->at < lex->len && lex->s[lex->at] != quote) {
        if (lex->s[lex->at] == '\\' && lex->at + 1 < lex->len) {
            lex->at++;
            lex_escape(lex, &text);
            continue;
        }
        lex->run->line += lex->s[lex->at] == '\n';
        ith_jbuild_bytes(&text, lex->s + lex->at++, 1, ITH_JTEMPLATE);
    }
    if (lex->at >= lex->len)
        fail(lex, "a string has no end");
    lex->at++;
    add(lex, (ith_jtoken){.kind = ITH_JT_STRING, .text = ith_jbuild_end(&text)});
}

/* Digits with single underscores between them. */
static size_t digits(const lexer *lex, size_t at, char *copy, size_t *n, int base)
{
    while (at < lex->len) {
        int digit = ith_hex_digit(lex->s[at]);
        bool between = lex->s[at] == '_' && at + 1 < lex->len &&
                       ith_hex_digit(lex->s[at + 1]) >= 0 && ith_hex_digit(lex->s[at + 1]) < base;
        if (!between && (digit < 0 || digit >= base))
            break;
        if (!between && *n < 60)
            copy[(*n)++] = lex->s[at];
        at++;
    }
    return at;
}

static int base_at(const lexer *lex, size_t at)
{
    char c = lex->s[at] == '0' && at + 1 < lex->len ? (char)(lex->s[at + 1] | 0x20) : '0';

    return c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 10;
}

static void lex_number(lexer *lex)
{
    char copy[130];
    size_t n = 0, at = lex->at, digit;
    int base = base_at(lex, at);
    bool real = false;
    ith_jval number;

    at = digits(lex, base == 10 ? at : at + 2, copy, &n, base);
    if (base == 10 && at + 1 < lex->len && lex->s[at] == '.' && is_digit(lex->s[at + 1])) {
        real = true;
        copy[n++] = '.';
        at = digits(lex, at + 1, copy, &n, 10);
    }
    digit = at + 1 + is_sign(lex, at + 1);
    if (base == 10 && at < lex->len && (lex->s[at] | 0x20) == 'e' && digit < lex->len &&
        is_digit(lex->s[digit])) {
        real = true;
        copy[n++] = 'e';
        if (digit > at + 1)
            copy[n++] = lex->s[at + 1];
        at = digits(lex, digit, copy, &n, 10);
    }
    copy[n] = '\0';
    errno = 0;
    number = real ? ith_jfloat(strtod(copy, NULL)) : ith_jint(strtoll(copy, NULL, base));
    if (n == 0 || n > 58 || (!real && errno != 0))
        fail(lex, "a number has more than 64 bits");
    lex->at = at;
    add(lex, (ith_jtoken){.kind = ITH_JT_NUMBER, .number = number});
}

static void balance(lexer *lex, char c)
{
    static const char opening[] = "([{", closing[] = ")]}";
    const char *which = strchr(closing, c);

    if (strchr(opening, c) != NULL) {
        if (lex->n_open == sizeof lex->open)
            fail(lex, "too many open brackets");
        lex->open[lex->n_open++] = c;
    } else if (which != NULL) {
        if (lex->n_open == 0 || lex->open[lex->n_open - 1] != opening[which - closing])
            fail(lex, "a bracket closes what is not open");
        lex->n_open--;
    }
}

static void lex_operator(lexer *lex)
{
    static const char *const operators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                            "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                            ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};

    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (has(lex, lex->at, operators[i])) {
            size_t n = strlen(operators[i]);
            balance(lex, operators[i][0]);
            add_text(lex, ITH_JT_OPERATOR, lex->at, lex->at + n);
            lex->at += n;
            return;
        }
    ith_jrun_fail(lex->run, ITH_E_FORMAT, "unexpected character \"%.1s\"", lex->s + lex->at);
}

static void lex_tag(lexer *lex, bool print)
{
    const char *close = print ? "}}" : "%}";

    add(lex, (ith_jtoken){.kind = print ? ITH_JT_PRINT_BEGIN : ITH_JT_BLOCK_BEGIN});
    advance(lex, lex->at + 2 + is_sign(lex, lex->at + 2));
    lex->n_open = 0;
    for (;;) {
        size_t end = lex->n_open == 0 ? tag_end(lex, lex->at, close) : 0, begin = lex->at;
        if (end != 0) {
            add(lex, (ith_jtoken){.kind = print ? ITH_JT_PRINT_END : ITH_JT_BLOCK_END});
            advance(lex, end);
            return;
        }
        if (lex->at >= lex->len)
            fail(lex, "a tag has no end");
        if (space_at(lex, lex->at) > 0) {
            advance(lex, skip_space(lex, lex->at));
        } else if (is_digit(lex->s[lex->at])) {
            lex_number(lex);
        } else if (is_name(lex->s[lex->at])) {
            while (lex->at < lex->len && is_name(lex->s[lex->at]) && space_at(lex, lex->at) == 0)
                lex->at++;
            add_text(lex, ITH_JT_NAME, begin, lex->at);
        } else if (lex->s[lex->at] == '"' || lex->s[lex->at] == '\'') {
            lex_string(lex);
        } else {
            lex_operator(lex);
        }
    }
}

static void lex_root(lexer *lex)
{
    size_t tag = lex->at, close, body = 0;
    bool print;

    while (tag < lex->len && !has(lex, tag, "{{") && !has(lex, tag, "{%") && !has(lex, tag, "{#"))
        tag++;
    if (tag >= lex->len) {
        add_text(lex, ITH_JT_DATA, lex->at, lex->len);
        lex->at = lex->len;
        return;
    }
    print = lex->s[tag + 1] == '{';
    close = text_end(lex, lex->at, tag, tag + 2 < lex->len ? lex->s[tag + 2] : ' ', print);
    if (close > lex->at)
        add_text(lex, ITH_JT_DATA, lex->at, close);
    advance(lex, tag);
    close = keyword_tag(lex, tag, "raw");
    if (close != 0 && has(lex, close, "-%}"))
        body = skip_space(lex, close + 3);
    else if (close != 0 && has(lex, close, "%}"))
        body = close + 2;
    if (lex->s[tag + 1] == '#')
        lex_comment(lex);
    else if (body != 0)
        lex_raw(lex, body);
    else
        lex_tag(lex, print);
}

/* Line ends become \n, and one at the very end goes. */
static size_t normalize_lines(char *to, const char *source, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (source[i] == '\r' && i + 1 < len && source[i + 1] == '\n')
            continue;
        to[n++] = source[i] == '\r' ? '\n' : source[i];
    }
    return n > 0 && to[n - 1] == '\n' ? n - 1 : n;
}

ith_jtokens ith_jlex(ith_jrun *run, const char *source, size_t len)
{
    char *copy = ith_jrun_alloc(run, len + 1, 1);
    lexer lex = {.run = run, .s = copy, .line_start = true};

    lex.len = normalize_lines(copy, source, len);
    run->line = 1;
    while (lex.at < lex.len)
        lex_root(&lex);
    add(&lex, (ith_jtoken){.kind = ITH_JT_EOF});
    return lex.out;
}

/* json_numbers.c - numbers that Python's json module writes and jansson does not read. */
#include "base/json_numbers.h"

#include <stdlib.h>
#include <string.h>

/* A number takes at least three characters and grows by at most six; text that stays as it is
 * grows by none. */
enum { GROWTH = 3, MAX_DECIMALS = 308 };

typedef struct copier {
    const char *at, *end;
    char *out;
    size_t n;
    bool changed;
} copier;

static void put(copier *c, const char *text, size_t len)
{
    memcpy(c->out + c->n, text, len);
    c->n += len;
}

static void replace(copier *c, size_t taken, const char *text)
{
    put(c, text, strlen(text));
    c->at += taken;
    c->changed = true;
}

static void copy_string(copier *c)
{
    const char *begin = c->at++;

    while (c->at < c->end && *c->at != '"')
        c->at += *c->at == '\\' && c->at + 1 < c->end ? 2 : 1;
    c->at += c->at < c->end;
    put(c, begin, (size_t)(c->at - begin));
}

static bool ahead(const copier *c, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(c->end - c->at) >= n && memcmp(c->at, word, n) == 0;
}

static size_t digits_at(const char *at, const char *end)
{
    size_t n = 0;

    while (at + n < end && at[n] >= '0' && at[n] <= '9')
        n++;
    return n;
}

/* Is a whole number of n digits beyond int64? */
static bool too_big(const char *digits, size_t n, bool negative)
{
    return n > 19 ||
           (n == 19 &&
            memcmp(digits, negative ? "9223372036854775808" : "9223372036854775807", 19) > 0);
}

/* The exponent of a number whose rest after its n digits is `rest`; saturates. */
static long exponent_of(const char *rest, const char *end)
{
    long exponent = 0;
    bool negative;

    if (rest < end && *rest == '.')
        rest += 1 + digits_at(rest + 1, end);
    if (rest == end || (*rest != 'e' && *rest != 'E'))
        return 0;
    rest++;
    negative = rest < end && *rest == '-';
    rest += rest < end && (*rest == '-' || *rest == '+');
    for (; rest < end && *rest >= '0' && *rest <= '9'; rest++)
        exponent = exponent < 100000 ? 10 * exponent + (*rest - '0') : exponent;
    return negative ? -exponent : exponent;
}

static void copy_number(copier *c)
{
    bool negative = *c->at == '-';
    const char *begin = c->at, *digits = begin + negative, *end = digits;
    size_t n = digits_at(digits, c->end);
    bool zero = n > 0 && *digits == '0';

    while (end < c->end && memchr("0123456789+-.eE", *end, 15) != NULL)
        end++;
    if (n > 0 && !zero &&
        (long)(n < 100000 ? n : 100000) - 1 + exponent_of(digits + n, end) > MAX_DECIMALS) {
        replace(c, (size_t)(end - begin), negative ? "\"-Infinity\"" : "\"Infinity\"");
        return;
    }
    put(c, begin, (size_t)(end - begin));
    c->at = end;
    if (digits + n == end && too_big(digits, n, negative))
        replace(c, 0, "e0"); /* the same number, as a real */
}

static void copy_next(copier *c)
{
    if (*c->at == '"')
        copy_string(c);
    else if (ahead(c, "NaN"))
        replace(c, 3, "\"NaN\"");
    else if (ahead(c, "Infinity"))
        replace(c, 8, "\"Infinity\"");
    else if (ahead(c, "-Infinity"))
        replace(c, 9, "\"-Infinity\"");
    else if (*c->at == '-' || (*c->at >= '0' && *c->at <= '9'))
        copy_number(c);
    else
        put(c, c->at++, 1);
}

ith_status ith_json_plain_numbers(const char *text, size_t len, char **out, size_t *out_len,
                                  ith_error *err)
{
    copier c = {.at = text, .end = text + len};

    *out = NULL;
    *out_len = 0;
    c.out = len < SIZE_MAX / GROWTH ? malloc(GROWTH * len + 1) : NULL;
    if (c.out == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for %zu bytes of JSON", len);
    while (c.at < c.end)
        copy_next(&c);
    if (!c.changed) {
        free(c.out);
        return ITH_OK;
    }
    *out = c.out;
    *out_len = c.n;
    return ITH_OK;
}

/* number_range.c - digits beside the digits of a lower and an upper bound: as long as a number
 * equals a bound digit by digit, the bound limits its next digit. */
#include "grammar/number_range.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 64, MOST_DIGITS = 60, WHOLE_DIGITS = 18, DOUBLE_DIGITS = 15 };

/* A bound as decimal digits: those before the point, without leading zeros, and those behind it. */
typedef struct decimal {
    char whole[DIGITS + 2], fraction[DIGITS + 2];
    int n_whole, n_fraction;
    bool negative, exclusive, given;
} decimal;

/* ---- Bounds ---- */

/* Digits of %e, "-1.2345e+02", around the point. */
static bool place_digits(const char *text, decimal *d)
{
    char digits[40];
    int n = 0, exponent = 0, point;
    const char *e = strchr(text, 'e');

    d->negative = text[0] == '-';
    for (const char *c = text; c < e && n < 39; c++)
        if (*c >= '0' && *c <= '9')
            digits[n++] = *c;
    for (const char *c = e + 2; *c != 0; c++)
        exponent = 10 * exponent + (*c - '0');
    point = e[1] == '-' ? 1 - exponent : 1 + exponent;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    if (point > MOST_DIGITS || n - point > MOST_DIGITS)
        return false;
    for (int i = 0; i < point || i < n; i++) {
        char digit = i < n ? digits[i] : '0';
        if (i < point)
            d->whole[d->n_whole++] = digit;
        else
            d->fraction[d->n_fraction++] = digit;
    }
    if (point < 0) {
        memmove(d->fraction - point, d->fraction, (size_t)d->n_fraction);
        memset(d->fraction, '0', (size_t)-point);
        d->n_fraction -= point;
    }
    return true;
}

/* The shortest digits that read back as the same double: "%.17e" and its like, in any locale. */
static void shortest(double x, char text[40])
{
    for (int digits = 14; digits <= 16; digits++) {
        snprintf(text, 40, "%.*e", digits, x);
        if (!(strtod(text, NULL) < x) && !(strtod(text, NULL) > x))
            return;
    }
}

static void trim(decimal *d)
{
    while (d->n_fraction > 0 && d->fraction[d->n_fraction - 1] == '0')
        d->n_fraction--;
    if (d->n_whole == 0)
        d->whole[d->n_whole++] = '0';
    d->negative = d->negative && !(d->n_whole == 1 && d->whole[0] == '0' && d->n_fraction == 0);
}

static decimal read_bound(ith_rules *g, const json_t *value, bool exclusive)
{
    decimal d = {.given = value != NULL, .exclusive = exclusive};
    char text[40] = "0e+0";

    if (value == NULL)
        return d;
    if (json_is_integer(value)) {
        long long x = (long long)json_integer_value(value);
        snprintf(text, sizeof text, "%lld", x);
        d.negative = x < 0;
        d.n_whole = (int)strlen(text + d.negative);
        memcpy(d.whole, text + d.negative, (size_t)d.n_whole);
    } else {
        shortest(json_real_value(value), text);
        if (!place_digits(text, &d))
            ith_rules_fail(g, ITH_E_UNSUPPORTED, "a bound of more than %d digits", MOST_DIGITS);
        if (exclusive && d.n_whole + d.n_fraction > DOUBLE_DIGITS + 1)
            ith_rules_fail(g, ITH_E_UNSUPPORTED, "an exclusive bound of more than %d digits",
                           DOUBLE_DIGITS);
    }
    if (d.n_whole == 1 && d.whole[0] == '0')
        d.n_whole = 0;
    while (d.n_whole > 1 && d.whole[0] == '0')
        memmove(d.whole, d.whole + 1, (size_t)--d.n_whole);
    trim(&d);
    return d;
}

/* -1, 0 or 1: the order of two magnitudes. */
static int compare_magnitude(const decimal *a, const decimal *b)
{
    int order;

    if (a->n_whole != b->n_whole)
        return a->n_whole < b->n_whole ? -1 : 1;
    order = memcmp(a->whole, b->whole, (size_t)a->n_whole);
    for (int i = 0; order == 0 && (i < a->n_fraction || i < b->n_fraction); i++)
        order =
            (i < a->n_fraction ? a->fraction[i] : '0') - (i < b->n_fraction ? b->fraction[i] : '0');
    return order < 0 ? -1 : order > 0;
}

static int compare(const decimal *a, const decimal *b)
{
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    return a->negative ? compare_magnitude(b, a) : compare_magnitude(a, b);
}

/* Of two lower bounds the one that counts; sign -1: of two upper bounds. */
static decimal stricter(const decimal *a, const decimal *b, int sign)
{
    int order;

    if (!a->given || !b->given)
        return a->given ? *a : *b;
    order = sign * compare(a, b);
    return order > 0 || (order == 0 && a->exclusive) ? *a : *b;
}

/* The magnitude + 1, of whole digits. */
static void increment(decimal *d)
{
    int i = d->n_whole - 1;

    for (; i >= 0 && d->whole[i] == '9'; i--)
        d->whole[i] = '0';
    if (i >= 0) {
        d->whole[i]++;
        return;
    }
    memmove(d->whole + 1, d->whole, (size_t)d->n_whole++);
    d->whole[0] = '1';
}

/* The magnitude - 1, which was not 0. */
static void decrement(decimal *d)
{
    int i = d->n_whole - 1;

    for (; d->whole[i] == '0'; i--)
        d->whole[i] = '9';
    d->whole[i]--;
    if (d->n_whole > 1 && d->whole[0] == '0')
        memmove(d->whole, d->whole + 1, (size_t)--d->n_whole);
}

/* The nearest whole number that a lower bound (sign 1) or an upper one (-1) allows. */
static void make_whole(decimal *d, int sign)
{
    bool away = d->negative != (sign > 0); /* from zero */
    bool moves = d->n_fraction > 0 ? away : d->exclusive;

    d->n_fraction = 0;
    d->exclusive = false;
    if (!moves)
        goto done;
    if (away) {
        increment(d);
    } else if (d->n_whole == 1 && d->whole[0] == '0') {
        d->whole[0] = '1'; /* from 0 to the other side */
        d->negative = sign < 0;
    } else {
        decrement(d);
    }
done:
    trim(d);
}

/* ---- Digits ---- */

typedef struct range {
    ith_rules *g;
    int32_t to;
    const decimal *low, *high; /* NULL: none */
    int n_whole, most_fraction;
    bool is_whole;
    int32_t states[2 * DIGITS + 4][2][2]; /* by digits so far, and equal to low, to high; -1 */
} range;

static void add_digits(range *r, int32_t from, int at, bool low, bool high);

static int32_t new_state(const range *r, int32_t like)
{
    return ith_rules_state(r->g, r->g->states[like].rule);
}

/* The state after `at` digits. */
static int32_t state_at(range *r, int32_t like, int at, bool low, bool high)
{
    int32_t *state = &r->states[at][low][high];

    if (*state < 0 && !ith_rules_failed(r->g)) {
        *state = new_state(r, like);
        add_digits(r, *state, at, low, high);
    }
    return *state < 0 ? 0 : *state;
}

static bool zeros(const decimal *d, int from)
{
    for (int i = from; i < d->n_fraction; i++)
        if (d->fraction[i] != '0')
            return false;
    return true;
}

/* May the number end behind `n` digits of its fraction? */
static bool may_end(const range *r, int n, bool low, bool high)
{
    if (low && !(zeros(r->low, n) && !r->low->exclusive))
        return false;
    return !high || !zeros(r->high, n) || !r->high->exclusive;
}

static char digit_of(const decimal *d, const range *r, int at)
{
    if (at < r->n_whole)
        return d->whole[at];
    return at - r->n_whole < d->n_fraction ? d->fraction[at - r->n_whole] : '0';
}

/* Behind the whole part, or inside the fraction. */
static void add_end(range *r, int32_t from, int at, bool low, bool high)
{
    if (at >= r->n_whole && may_end(r, at - r->n_whole, low, high))
        ith_rules_empty(r->g, from, r->to);
}

static void add_digits(range *r, int32_t from, int at, bool low, bool high)
{
    char first = low ? digit_of(r->low, r, at) : '0', last = high ? digit_of(r->high, r, at) : '9';
    int32_t like = from;

    add_end(r, from, at, low, high);
    if (at >= r->n_whole + (r->is_whole ? 0 : r->most_fraction))
        return;
    if (at == 0 && r->n_whole > 1 && first == '0')
        first = '1';
    if (at == r->n_whole)
        from = ith_rules_text(r->g, from, ".", 1, 0);
    for (char c = first; c <= last && !ith_rules_failed(r->g); c++)
        ith_rules_bytes(r->g, from,
                        state_at(r, like, at + 1, low && c == digit_of(r->low, r, at),
                                 high && c == digit_of(r->high, r, at)),
                        (uint8_t)c, (uint8_t)c, 0);
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* Numbers of n digits before the point. */
static void add_length(range *r, int32_t from, int n)
{
    bool low = r->low != NULL && r->low->n_whole == n,
         high = r->high != NULL && r->high->n_whole == n;
    int32_t begin = new_state(r, from);

    r->n_whole = n;
    r->most_fraction = larger(
        larger(r->low != NULL ? r->low->n_fraction : 0, r->high != NULL ? r->high->n_fraction : 0),
        larger(DOUBLE_DIGITS - n, 1));
    memset(r->states, -1, sizeof r->states);
    ith_rules_empty(r->g, from, begin);
    add_digits(r, begin, 0, low, high);
}

/* Magnitudes from low to high. */
static void add_magnitudes(ith_rules *g, int32_t from, int32_t to, const decimal *low,
                           const decimal *high, bool is_whole)
{
    range *r = malloc(sizeof *r);
    int first = low != NULL ? low->n_whole : 1,
        last = high != NULL ? high->n_whole
                            : larger(first + 1, is_whole ? WHOLE_DIGITS : DOUBLE_DIGITS);

    if (r == NULL)
        ith_rules_fail(g, ITH_E_MEMORY, "no memory for a range of numbers");
    if (r != NULL)
        *r = (range){.g = g, .to = to, .low = low, .high = high, .is_whole = is_whole};
    for (int n = first; r != NULL && n <= last && !ith_rules_failed(g); n++)
        add_length(r, from, n);
    free(r);
}

/* From low to high; a bound that is not given is none. */
static void add_range(ith_rules *g, int32_t from, int32_t to, const decimal *low,
                      const decimal *high, bool is_whole)
{
    static const decimal zero = {.whole = "0", .n_whole = 1, .given = true},
                         above = {.whole = "0", .n_whole = 1, .given = true, .exclusive = true};
    decimal least = {.whole = "1", .n_whole = 1, .given = true};
    int order = low->given && high->given ? compare(low, high) : -1;

    if (order > 0 || (order == 0 && (low->exclusive || high->exclusive))) {
        ith_rules_nothing(g, "no number is within its bounds");
        return;
    }
    if (!high->given || !high->negative)
        add_magnitudes(g, from, to, low->given && !low->negative ? low : &zero,
                       high->given ? high : NULL, is_whole);
    if (!low->given || low->negative) {
        const decimal *smallest = high->given && high->negative ? high : is_whole ? &least : &above;
        add_magnitudes(g, ith_rules_text(g, from, "-", 1, 0), to, smallest, low->given ? low : NULL,
                       is_whole);
    }
}

static void read_bounds(ith_rules *g, const ith_bounds *b, decimal *low, decimal *high)
{
    decimal min = read_bound(g, b->min, false), above = read_bound(g, b->exclusive_min, true),
            max = read_bound(g, b->max, false), below = read_bound(g, b->exclusive_max, true);

    *low = stricter(&min, &above, 1);
    *high = stricter(&max, &below, -1);
}

void ith_integer_range(ith_rules *g, int32_t from, int32_t to, const ith_bounds *bounds)
{
    decimal low, high;

    read_bounds(g, bounds, &low, &high);
    if (ith_rules_failed(g))
        return;
    if (low.given)
        make_whole(&low, 1);
    if (high.given)
        make_whole(&high, -1);
    add_range(g, from, to, &low, &high, true);
}

void ith_decimal_range(ith_rules *g, int32_t from, int32_t to, const ith_bounds *bounds)
{
    decimal low, high;

    read_bounds(g, bounds, &low, &high);
    if (!ith_rules_failed(g))
        add_range(g, from, to, &low, &high, false);
}

/* precise.c - logarithm and power in pairs of doubles. */
#include "base/precise.h"

#include <math.h>

/* The unevaluated sum high + low, with |low| at most half a unit in the last place of high. */
typedef struct pair {
    double high, low;
} pair;

enum {
    LN_TERMS = 24, /* (3 - 2 sqrt 2)^(2 * 24) / 49 < 2^-127 */
    EXP_TERMS = 26 /* (ln 2 / 2)^27 / 27! < 2^-134 */
};

static const pair LN_2 = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};

/* |a| >= |b| */
static pair renormalize(double a, double b)
{
    double sum = a + b;
    return (pair){sum, b - (sum - a)};
}

static pair sum_of(double a, double b)
{
    double sum = a + b, of_b = sum - a;
    return (pair){sum, (a - (sum - of_b)) + (b - of_b)};
}

/* x as a sum of two numbers of 26 bits. */
static pair halves(double x)
{
    double scaled = 134217729.0 * x, high = scaled - (scaled - x); /* 2^27 + 1 */
    return (pair){high, x - high};
}

static pair product_of(double a, double b)
{
    double product = a * b;
    pair x = halves(a), y = halves(b);

    return (pair){product,
                  ((x.high * y.high - product) + x.high * y.low + x.low * y.high) + x.low * y.low};
}

static pair add(pair a, pair b)
{
    pair high = sum_of(a.high, b.high), low = sum_of(a.low, b.low);

    high = renormalize(high.high, high.low + low.high);
    return renormalize(high.high, high.low + low.low);
}

static pair multiply(pair a, pair b)
{
    pair product = product_of(a.high, b.high);
    return renormalize(product.high, product.low + (a.high * b.low + a.low * b.high));
}

static pair negative(pair a)
{
    return (pair){-a.high, -a.low};
}

static pair divide(pair a, pair b)
{
    double first = a.high / b.high, second, third;
    pair rest = add(a, negative(multiply((pair){first, 0}, b)));

    second = rest.high / b.high;
    rest = add(rest, negative(multiply((pair){second, 0}, b)));
    third = rest.high / b.high;
    return add(renormalize(first, second), (pair){third, 0});
}

static pair number(double x)
{
    return (pair){x, 0};
}

/* With x = m 2^e and s = (m - 1) / (m + 1): e ln 2 + 2 (s + s^3 / 3 + s^5 / 5 + ...). m lies
 * between 1 / sqrt 2 and sqrt 2, and m - 1 is exact. */
static pair ln(double x)
{
    int e;
    double m = frexp(x, &e);
    pair s, square, sum;

    if (m < 0.70710678118654752) {
        m *= 2;
        e--;
    }
    s = divide(number(m - 1), sum_of(m, 1));
    square = multiply(s, s);
    sum = divide(number(1), number(2 * LN_TERMS + 1));
    for (int i = LN_TERMS - 1; i >= 0; i--)
        sum = add(multiply(sum, square), divide(number(1), number(2 * i + 1)));
    sum = multiply(sum, (pair){2 * s.high, 2 * s.low});
    return add(multiply(number(e), LN_2), sum);
}

/* 2^n times the Taylor series of the rest, between -ln 2 / 2 and ln 2 / 2. */
static double exponential(pair x)
{
    double n = floor(x.high / LN_2.high + 0.5);
    pair rest = add(x, negative(multiply(number(n), LN_2))), sum = number(1);

    for (int i = EXP_TERMS; i > 0; i--)
        sum = add(number(1), divide(multiply(sum, rest), number(i)));
    return ldexp(sum.high, (int)n);
}

double ith_ln(double x)
{
    return ln(x).high;
}

double ith_power(double base, double exponent)
{
    return exponential(multiply(number(exponent), ln(base)));
}

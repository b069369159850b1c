/* joperator.c - arithmetic and comparison. */
#include "text/jinja/jaccess.h"

#include <math.h>
#include <string.h>

static _Noreturn void refuse(ith_jrun *run, const ith_jstr *op, ith_jval a, ith_jval b)
{
    if (a.kind == ITH_J_UNDEFINED || b.kind == ITH_J_UNDEFINED)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "%s",
                      a.kind == ITH_J_UNDEFINED ? a.as.missing : b.as.missing);
    ith_jrun_fail(run, ITH_E_ARGUMENT, "%s %.*s %s cannot be computed", ith_jkind_name(a),
                  (int)op->len, op->data, ith_jkind_name(b));
}

static void refuse_zero(ith_jrun *run, bool zero)
{
    if (zero)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "division by zero");
}

/* The last bit of such a power would depend on the machine's math library. */
static _Noreturn void refuse_float_power(ith_jrun *run)
{
    ith_jrun_fail(run, ITH_E_UNSUPPORTED, "powers that are no integers are not supported");
}

static int64_t power(ith_jrun *run, int64_t base, int64_t exponent)
{
    int64_t out = 1;
    bool over = false;

    if (base == 0 || base == 1)
        return exponent == 0 ? 1 : base;
    if (base == -1)
        return exponent % 2 == 0 ? 1 : -1;
    for (int64_t i = 0; i < exponent && !over; i++)
        over = __builtin_mul_overflow(out, base, &out);
    if (over)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "an integer has more than 64 bits");
    return out;
}

static ith_jval integers(ith_jrun *run, char op, bool twice, int64_t a, int64_t b)
{
    int64_t out = 0;
    bool over = false;

    if (op == '+')
        over = __builtin_add_overflow(a, b, &out);
    else if (op == '-')
        over = __builtin_sub_overflow(a, b, &out);
    else if (op == '*' && !twice)
        over = __builtin_mul_overflow(a, b, &out);
    else if (op == '*' && b >= 0)
        out = power(run, a, b);
    else if (op == '*')
        refuse_float_power(run);
    else {
        refuse_zero(run, b == 0);
        if (op == '/' && !twice)
            return ith_jfloat((double)((long double)a / (long double)b));
        over = b == -1 && a == INT64_MIN && op == '/';
        if (!over && op == '/')
            out = a / b - (a % b != 0 && (a < 0) != (b < 0));
        else if (!over && b != -1) /* whose remainder is 0, and of INT64_MIN not computed in C */
            out = a % b + (a % b != 0 && (a < 0) != (b < 0) ? b : 0);
    }
    if (over)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "an integer has more than 64 bits");
    return ith_jint(out);
}

static double float_modulo(double a, double b)
{
    double m = fmod(a, b);

    if (m == 0)
        return copysign(0, b);
    return (m < 0) != (b < 0) ? m + b : m;
}

static double float_floor(double a, double b)
{
    double m = fmod(a, b), d = (a - m) / b, whole;

    if (m != 0 && (m < 0) != (b < 0))
        d -= 1;
    if (d == 0)
        return copysign(0, a / b);
    whole = floor(d);
    return d - whole > 0.5 ? whole + 1 : whole;
}

static ith_jval floats(ith_jrun *run, char op, bool twice, double a, double b)
{
    if (op == '+')
        return ith_jfloat(a + b);
    if (op == '-')
        return ith_jfloat(a - b);
    if (op == '*' && !twice)
        return ith_jfloat(a * b);
    if (op == '*')
        refuse_float_power(run);
    refuse_zero(run, b == 0);
    if (op == '%')
        return ith_jfloat(float_modulo(a, b));
    return ith_jfloat(twice ? float_floor(a, b) : a / b);
}

static ith_jval repeat(ith_jrun *run, ith_jval v, int64_t times)
{
    ith_jbuild build = {.run = run};
    ith_jlist *out;

    if (v.kind == ITH_J_STRING) {
        for (int64_t i = 0; i < times && v.as.str->len > 0; i++) {
            ith_jrun_step(run, 1);
            ith_jbuild_str(&build, v.as.str);
        }
        return ith_jstring(ith_jbuild_end(&build));
    }
    out = ith_jlist_new(run, 0, v.as.list->origin);
    for (int64_t i = 0; i < times && v.as.list->n > 0; i++)
        for (size_t k = 0; k < v.as.list->n; k++)
            ith_jlist_add(run, out, v.as.list->items[k]);
    return ith_jlist_value(out, v.kind);
}

static bool is_sequence(ith_jval v)
{
    return v.kind == ITH_J_STRING || v.kind == ITH_J_LIST || v.kind == ITH_J_TUPLE;
}

static ith_jval join(ith_jrun *run, ith_jval a, ith_jval b)
{
    ith_jlist *out;

    if (a.kind == ITH_J_STRING) {
        ith_jstr *x = a.as.str, *y = b.as.str, *s;
        bool safe = x->safe || y->safe;
        if (safe) {
            x = ith_jstr_escape(run, x);
            y = ith_jstr_escape(run, y);
        }
        s = ith_jstr_concat(run, x, y);
        s->safe = safe;
        return ith_jstring(s);
    }
    out = ith_jlist_new(run, a.as.list->n + b.as.list->n, a.as.list->origin | b.as.list->origin);
    for (size_t i = 0; i < a.as.list->n; i++)
        ith_jlist_add(run, out, a.as.list->items[i]);
    for (size_t i = 0; i < b.as.list->n; i++)
        ith_jlist_add(run, out, b.as.list->items[i]);
    return ith_jlist_value(out, a.kind);
}

ith_jval ith_jbinary(ith_jrun *run, const ith_jstr *op, ith_jval a, ith_jval b)
{
    char c = op->data[0];
    bool twice = op->len == 2;
    ith_jval out;

    if (ith_jis_number(a) && ith_jis_number(b)) {
        if (a.kind != ITH_J_FLOAT && b.kind != ITH_J_FLOAT)
            out = integers(run, c, twice, ith_jintegral(a), ith_jintegral(b));
        else
            out = floats(run, c, twice, ith_jreal(a), ith_jreal(b));
        out.origin = a.origin | b.origin;
        return out;
    }
    if (c == '+' && a.kind == b.kind && is_sequence(a))
        return join(run, a, b);
    if (c == '*' && !twice && is_sequence(a) && ith_jis_integral(b))
        return repeat(run, a, ith_jintegral(b));
    if (c == '*' && !twice && is_sequence(b) && ith_jis_integral(a))
        return repeat(run, b, ith_jintegral(a));
    if (c == '%' && a.kind == ITH_J_STRING)
        return ith_jpercent(run, a.as.str, b);
    refuse(run, op, a, b);
}

ith_jval ith_jnegate(ith_jrun *run, ith_jval v)
{
    ith_jstr minus = {.data = "-", .len = 1};

    if (v.kind == ITH_J_FLOAT)
        return ith_jfloat(-v.as.f);
    if (!ith_jis_integral(v))
        refuse(run, &minus, v, v);
    return integers(run, '-', false, 0, ith_jintegral(v));
}

bool ith_jholds(ith_jrun *run, const ith_jstr *op, ith_jval a, ith_jval b)
{
    int order;

    if (ith_jstr_is(op, "in"))
        return ith_jcontains(run, b, a);
    if (ith_jstr_is(op, "not in"))
        return !ith_jcontains(run, b, a);
    if (ith_jstr_is(op, "=="))
        return ith_jequal(run, a, b);
    if (ith_jstr_is(op, "!="))
        return !ith_jequal(run, a, b);
    order = ith_jcompare(run, a, b);
    if (order == 2 && ith_jis_number(a))
        return false;
    if (op->data[0] == '<')
        return op->len == 2 ? order <= 0 : order < 0;
    return op->len == 2 ? order >= 0 : order > 0;
}

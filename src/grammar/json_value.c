/* json_value.c - when values are the same by JSON Schema, and the order of numbers. */
#include "grammar/json_value.h"

#include <string.h>

static int order(bool less, bool more)
{
    return more - less;
}

/* A double below 2^63 has a whole part that int64 holds. */
static int compare_mixed(int64_t whole, double real)
{
    const double beyond = 9223372036854775808.0;
    int64_t integral;
    double rest;

    if (real >= beyond || real < -beyond)
        return real > 0 ? -1 : 1;
    integral = (int64_t)real;
    rest = real - (double)integral;
    if (whole != integral)
        return whole < integral ? -1 : 1;
    return order(rest > 0, rest < 0);
}

int ith_json_compare_numbers(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b))
        return order(json_integer_value(a) < json_integer_value(b),
                     json_integer_value(a) > json_integer_value(b));
    if (json_is_integer(a))
        return compare_mixed(json_integer_value(a), json_real_value(b));
    if (json_is_integer(b))
        return -compare_mixed(json_integer_value(b), json_real_value(a));
    return order(json_real_value(a) < json_real_value(b), json_real_value(a) > json_real_value(b));
}

static bool same_texts(const json_t *a, const json_t *b, int64_t *work)
{
    size_t n = json_string_length(a);

    if (n != json_string_length(b))
        return false;
    *work -= (int64_t)(n / 16);
    return memcmp(json_string_value(a), json_string_value(b), n) == 0;
}

static bool same_lists(const json_t *a, const json_t *b, int64_t *work)
{
    if (json_array_size(a) != json_array_size(b))
        return false;
    for (size_t i = 0; i < json_array_size(a); i++)
        if (!ith_json_same(json_array_get(a, i), json_array_get(b, i), work))
            return false;
    return true;
}

static bool same_objects(const json_t *a, const json_t *b, int64_t *work)
{
    const char *key;
    json_t *value;

    if (json_object_size(a) != json_object_size(b))
        return false;
    json_object_foreach ((json_t *)a, key, value) {
        const json_t *other = json_object_get(b, key);
        *work -= 16 + (int64_t)(strlen(key) / 4);
        if (other == NULL || !ith_json_same(value, other, work))
            return false;
    }
    return true;
}

bool ith_json_same(const json_t *a, const json_t *b, int64_t *work)
{
    *work -= 4;
    if (*work < 0)
        return false;
    if (json_is_number(a) && json_is_number(b))
        return ith_json_compare_numbers(a, b) == 0;
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_string(a))
        return same_texts(a, b, work);
    if (json_is_array(a))
        return same_lists(a, b, work);
    return !json_is_object(a) || same_objects(a, b, work);
}

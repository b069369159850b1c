/* schema_scalars.c - strings and numbers by the keywords of JSON Schema. */
#include "grammar/json_text.h"
#include "grammar/json_value.h"
#include "grammar/number_range.h"
#include "grammar/pattern_length.h"
#include "grammar/regex.h"
#include "grammar/schema_compiler.h"
#include "grammar/schema_formats.h"

#include <string.h>

typedef ith_schema_compiler compiler;

/* ---- Strings ---- */

int64_t ith_schema_count(const json_t *schema, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(schema, key);
    double x = json_number_value(value);

    if (value == NULL)
        return otherwise;
    return x > 1e15 ? (int64_t)1e15 : (int64_t)x;
}

static const char *pattern_of(compiler *c, const json_t *schema)
{
    const char *format = json_string_value(json_object_get(schema, "format")),
               *pattern = json_string_value(json_object_get(schema, "pattern"));

    if (format == NULL)
        return pattern;
    if (pattern != NULL)
        ith_schema_fail(c, ITH_E_UNSUPPORTED, "format", "is not supported beside pattern");
    pattern = ith_schema_format(format);
    if (pattern == NULL)
        ith_schema_fail(c, ITH_E_UNSUPPORTED, format, "is no format of strings that is supported");
    return pattern;
}

/* The text inside a string, in a rule that counts if there are bounds and no pattern; returns the
 * state behind. */
static int32_t add_text(compiler *c, int32_t rule, int32_t inside, const char *pattern, int64_t min,
                        int64_t max)
{
    int32_t end = inside;

    if (pattern == NULL) {
        ith_rules_count(c->g, rule, min, max);
        ith_json_any_char(c->g, inside, inside, ITH_EDGE_COUNTS);
        return inside;
    }
    end = ith_schema_state(c, inside);
    if (min == 0 && max == ITH_COUNT_ANY)
        ith_regex_add(c->g, inside, end, pattern, strlen(pattern), 0);
    else
        ith_pattern_length_add(c->g, inside, end, pattern, min, max);
    return end;
}

/* Strings with a pattern, or a length, or both, are a rule of their own. */
void ith_schema_add_string(compiler *c, int32_t from, int32_t to, const json_t *schema)
{
    int64_t min = ith_schema_count(schema, "minLength", 0),
            max = ith_schema_count(schema, "maxLength", ITH_COUNT_ANY);
    const char *pattern = pattern_of(c, schema);
    bool went = ith_schema_going(c);
    int32_t rule, end;

    if (min == 0 && max >= ITH_COUNT_ANY && pattern == NULL) {
        ith_rules_call(c->g, from, to, ith_schema_any_string(c), 0);
        return;
    }
    rule = ith_rules_add(c->g, c->path);
    if (!ith_schema_going(c))
        return;
    end = ith_schema_text(c, ith_rules_start(c->g, rule), "\"");
    end = add_text(c, rule, end, pattern, min, max > ITH_COUNT_ANY ? ITH_COUNT_ANY : max);
    ith_schema_locate(c, "a text", went);
    if (!ith_schema_going(c))
        return;
    c->g->rules[rule].counts_characters = pattern == NULL;
    end = ith_rules_text(c->g, end, "\"", 1, pattern == NULL ? ITH_EDGE_ENOUGH : 0);
    ith_rules_end(c->g, end, false);
    ith_rules_call(c->g, from, to, rule, 0);
}

/* ---- Numbers ---- */

/* Of the bound of a keyword and that of a format, the one that holds; the caller's. NULL: none. */
static json_t *bound_of(const json_t *schema, const char *key, const int64_t *formats)
{
    json_t *given = json_incref(json_object_get(schema, key)), *made;
    int sign = key[1] == 'i' ? 1 : -1; /* minimum or maximum */

    if (formats == NULL)
        return given;
    made = json_integer(*formats);
    if (given != NULL && made != NULL && sign * ith_json_compare_numbers(given, made) > 0) {
        json_decref(made);
        return given;
    }
    json_decref(given);
    return made;
}

static bool has_bounds(const ith_bounds *b)
{
    return b->min != NULL || b->max != NULL || b->exclusive_min != NULL || b->exclusive_max != NULL;
}

static void add_range(compiler *c, int32_t from, int32_t to, const ith_bounds *b, bool whole)
{
    bool went = ith_schema_going(c);
    int32_t rule = ith_rules_add(c->g, c->path), end = ith_rules_state(c->g, rule);

    ith_rules_end(c->g, end, false);
    (whole ? ith_integer_range : ith_decimal_range)(c->g, ith_rules_start(c->g, rule), end, b);
    ith_schema_locate(c, "minimum and maximum", went);
    ith_rules_call(c->g, from, to, rule, 0);
}

void ith_schema_add_number(compiler *c, int32_t from, int32_t to, const json_t *schema, bool whole)
{
    const char *format = json_string_value(json_object_get(schema, "format"));
    ith_format_range range = {0};
    bool ranged = format != NULL && ith_schema_number_format(format, &range) && range.bounded;
    json_t *min = bound_of(schema, "minimum", ranged ? &range.min : NULL),
           *max = bound_of(schema, "maximum", ranged ? &range.max : NULL);
    ith_bounds b = {min, max, json_object_get(schema, "exclusiveMinimum"),
                    json_object_get(schema, "exclusiveMaximum")};

    if (ranged && (min == NULL || max == NULL))
        ith_schema_no_memory(c);
    else if (has_bounds(&b))
        add_range(c, from, to, &b, whole);
    else
        ith_rules_call(c->g, from, to, whole ? ith_schema_any_integer(c) : ith_schema_any_number(c),
                       0);
    json_decref(min);
    json_decref(max);
}

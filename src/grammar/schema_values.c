/* schema_values.c - values of any kind, and those that enum and const list. */
#include "grammar/json_text.h"
#include "grammar/json_value.h"
#include "grammar/number_range.h"
#include "grammar/schema_compiler.h"
#include "grammar/schema_keywords.h"

#include <stdlib.h>
#include <string.h>

typedef ith_schema_compiler compiler;

int32_t ith_schema_any_string(compiler *c)
{
    int32_t start, inside;

    if (c->string >= 0)
        return c->string;
    c->string = ith_rules_add(c->g, "a string");
    start = ith_rules_start(c->g, c->string);
    inside = ith_schema_text(c, start, "\"");
    ith_json_any_char(c->g, inside, inside, 0);
    ith_rules_end(c->g, ith_schema_text(c, inside, "\""), false);
    return c->string;
}

/* One to `most` digits, or none if `none`. */
static int32_t digits(compiler *c, int32_t from, int most, bool none)
{
    int32_t to = ith_schema_state(c, from);

    if (none)
        ith_rules_empty(c->g, from, to);
    for (int i = 0; i < most; i++) {
        int32_t next = ith_schema_state(c, from);
        ith_rules_bytes(c->g, from, next, '0', '9', 0);
        ith_rules_empty(c->g, next, to);
        from = next;
    }
    return to;
}

int32_t ith_schema_any_number(compiler *c)
{
    int32_t start, whole, first, decimals, end, sign;

    if (c->number >= 0)
        return c->number;
    c->number = ith_rules_add(c->g, "a number");
    start = ith_rules_start(c->g, c->number);
    first = ith_schema_state(c, start);
    whole = ith_schema_state(c, start);
    ith_rules_empty(c->g, start, first);
    ith_rules_bytes(c->g, start, first, '-', '-', 0);
    ith_rules_bytes(c->g, first, whole, '0', '0', 0);
    sign = ith_schema_state(c, start);
    ith_rules_bytes(c->g, first, sign, '1', '9', 0);
    ith_rules_empty(c->g, digits(c, sign, 14, true), whole);
    decimals = digits(c, ith_schema_text(c, whole, "."), 15, false);
    ith_rules_empty(c->g, whole, decimals);
    end = ith_schema_state(c, start);
    ith_rules_empty(c->g, decimals, end);
    sign = ith_schema_state(c, start);
    ith_rules_bytes(c->g, decimals, sign, 'e', 'e', 0);
    ith_rules_bytes(c->g, decimals, sign, 'E', 'E', 0);
    first = ith_schema_state(c, start);
    ith_rules_empty(c->g, sign, first);
    ith_rules_bytes(c->g, sign, first, '+', '+', 0);
    ith_rules_bytes(c->g, sign, first, '-', '-', 0);
    ith_rules_empty(c->g, digits(c, first, 2, false), end);
    ith_rules_end(c->g, end, false);
    return c->number;
}

int32_t ith_schema_any_integer(compiler *c)
{
    ith_bounds none = {0};
    int32_t end;

    if (c->integer >= 0)
        return c->integer;
    c->integer = ith_rules_add(c->g, "an integer");
    end = ith_rules_state(c->g, c->integer);
    ith_rules_end(c->g, end, false);
    ith_integer_range(c->g, ith_rules_start(c->g, c->integer), end, &none);
    return c->integer;
}

/* A list in brackets of what `add` adds, separated by commas; none or more. */
static void add_list(compiler *c, int32_t from, int32_t to, const char *brackets,
                     void (*add)(compiler *c, int32_t from, int32_t to))
{
    int32_t open = ith_rules_text(c->g, from, brackets, 1, 0), next = ith_schema_state(c, from),
            behind = ith_schema_state(c, from);

    ith_rules_empty(c->g, open, next);
    add(c, next, behind);
    ith_rules_empty(c->g, ith_json_space(c->g, ith_schema_text(c, behind, ",")), next);
    ith_rules_bytes(c->g, open, to, (uint8_t)brackets[1], (uint8_t)brackets[1], 0);
    ith_rules_bytes(c->g, behind, to, (uint8_t)brackets[1], (uint8_t)brackets[1], 0);
}

static void add_any(compiler *c, int32_t from, int32_t to)
{
    ith_rules_call(c->g, from, to, ith_schema_any(c), 0);
}

static void add_any_property(compiler *c, int32_t from, int32_t to)
{
    int32_t key = ith_schema_state(c, from);

    ith_rules_call(c->g, from, key, ith_schema_any_string(c), 0);
    add_any(c, ith_json_space(c->g, ith_schema_text(c, key, ":")), to);
}

void ith_schema_add_words(compiler *c, int32_t from, int32_t to, unsigned types)
{
    if ((types & ITH_TYPE_BOOLEAN) != 0) {
        ith_schema_text_to(c, from, to, "true");
        ith_schema_text_to(c, from, to, "false");
    }
    if ((types & ITH_TYPE_NULL) != 0)
        ith_schema_text_to(c, from, to, "null");
}

int32_t ith_schema_any(compiler *c)
{
    int32_t start, end;

    if (c->any >= 0)
        return c->any;
    c->any = ith_rules_add(c->g, "a value");
    start = ith_rules_start(c->g, c->any);
    end = ith_rules_state(c->g, c->any);
    ith_rules_end(c->g, end, false);
    add_list(c, start, end, "{}", add_any_property);
    add_list(c, start, end, "[]", add_any);
    ith_rules_call(c->g, start, end, ith_schema_any_string(c), 0);
    ith_rules_call(c->g, start, end, ith_schema_any_number(c), 0);
    ith_schema_add_words(c, start, end, ITH_TYPE_ANY);
    return c->any;
}

/* ---- Values that are listed ---- */

int32_t ith_schema_literal(compiler *c, int32_t from, const json_t *value)
{
    char *written = ith_json_exact_text(value, false);

    if (written == NULL) {
        ith_schema_no_memory(c);
        return from;
    }
    from = ith_schema_text(c, from, written);
    free(written);
    return from;
}

static unsigned type_of(const json_t *value)
{
    unsigned type = ith_schema_type_of(value);

    return type == ITH_TYPE_INTEGER ? (unsigned)ITH_TYPE_NUMBER : type;
}

/* Is one of the listed values of these types? */
static bool lists_type(const json_t *schema, unsigned types)
{
    const json_t *list = json_object_get(schema, "enum"), *only = json_object_get(schema, "const");

    if (only != NULL)
        return (type_of(only) & types) != 0;
    for (size_t i = 0; i < json_array_size(list); i++)
        if ((type_of(json_array_get(list, i)) & types) != 0)
            return true;
    return false;
}

/* Keywords that would have to be checked for each listed value, but for those that holds() knows
 * and those that speak of other types. */
static void check_beside_values(compiler *c, const json_t *schema)
{
    static const char *const known[] = {"type",      "enum",      "const",
                                        "minimum",   "maximum",   "exclusiveMinimum",
                                        "minLength", "maxLength", "exclusiveMaximum",
                                        "minItems",  "maxItems",  "required"};
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)schema, key, value) {
        unsigned types = ith_schema_keyword_types(key);
        bool fine = ith_schema_is_annotation(key) || (types != 0 && !lists_type(schema, types)) ||
                    strcmp(key, "uniqueItems") == 0;
        for (size_t i = 0; i < sizeof known / sizeof *known && !fine; i++)
            fine = strcmp(key, known[i]) == 0;
        if (!fine)
            ith_schema_fail(c, ITH_E_UNSUPPORTED, key, "is not supported beside enum and const");
    }
}

/* sign 1: a lower bound, -1: an upper one; exclusive: the bound itself is beyond it. */
static bool is_within(const json_t *schema, const char *key, const json_t *value, int sign,
                      bool exclusive)
{
    const json_t *bound = json_object_get(schema, key);

    return bound == NULL || sign * ith_json_compare_numbers(value, bound) >= (exclusive ? 1 : 0);
}

static bool is_count_within(const json_t *schema, const char *min, const char *max, size_t n)
{
    return (int64_t)n >= ith_schema_count(schema, min, 0) &&
           (int64_t)n <= ith_schema_count(schema, max, INT64_MAX);
}

static size_t count_characters(const json_t *text)
{
    size_t n = 0;

    for (size_t i = 0; i < json_string_length(text); i++)
        n += ((unsigned char)json_string_value(text)[i] & 0xc0) != 0x80;
    return n;
}

static bool has_required(const json_t *schema, const json_t *object)
{
    const json_t *required = json_object_get(schema, "required");

    for (size_t i = 0; i < json_array_size(required); i++)
        if (json_object_get(object, json_string_value(json_array_get(required, i))) == NULL)
            return false;
    return true;
}

/* Bounds, lengths and required properties. */
static bool holds(const json_t *schema, const json_t *value)
{
    if (json_is_number(value))
        return is_within(schema, "minimum", value, 1, false) &&
               is_within(schema, "maximum", value, -1, false) &&
               is_within(schema, "exclusiveMinimum", value, 1, true) &&
               is_within(schema, "exclusiveMaximum", value, -1, true);
    if (json_is_string(value))
        return is_count_within(schema, "minLength", "maxLength", count_characters(value));
    if (json_is_array(value))
        return is_count_within(schema, "minItems", "maxItems", json_array_size(value));
    return !json_is_object(value) || has_required(schema, value);
}

/* Is a value of `enum` or `const` valid by the other and by what stands beside them, too? */
static bool is_listed(compiler *c, const json_t *schema, const json_t *value)
{
    const json_t *list = json_object_get(schema, "enum"), *type = json_object_get(schema, "type");
    bool found = list == NULL || json_object_get(schema, "const") == NULL;
    unsigned types = type == NULL ? (unsigned)ITH_TYPE_ANY : ith_schema_listed_types(type);

    for (size_t i = 0; i < json_array_size(list) && !found; i++)
        found = ith_json_same(json_array_get(list, i), value, &c->g->work);
    types |= (types & ITH_TYPE_NUMBER) != 0 ? ITH_TYPE_INTEGER : 0;
    return found && (types & ith_schema_type_of(value)) != 0 && holds(schema, value);
}

/* In a rule of their own, as a tree of texts. */
void ith_schema_add_values(compiler *c, int32_t from, int32_t to, const json_t *schema)
{
    const json_t *list = json_object_get(schema, "enum"), *only = json_object_get(schema, "const");
    int32_t rule = ith_rules_add(c->g, c->path), start = ith_rules_start(c->g, rule);
    size_t n = only != NULL ? 1 : json_array_size(list);

    check_beside_values(c, schema);
    for (size_t i = 0; i < n && ith_schema_going(c); i++) {
        const json_t *value = only != NULL ? only : json_array_get(list, i);
        char *written = ith_json_exact_text(value, false);
        if (written == NULL)
            ith_schema_no_memory(c);
        else if (is_listed(c, schema, value))
            ith_rules_end(c->g, ith_rules_branch(c->g, start, written, strlen(written)), false);
        free(written);
    }
    ith_rules_call(c->g, from, to, rule, 0);
}

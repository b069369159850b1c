/* json_schema.c - a rule for each schema, and what each keyword adds to it. */
#include "grammar/json_schema.h"

#include "base/character.h"
#include "grammar/json_text.h"
#include "grammar/number_range.h"
#include "grammar/pattern_length.h"
#include "grammar/regex.h"
#include "grammar/schema_formats.h"
#include "grammar/schema_merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 150, MOST_MADE = 20000, PATH = 200 };

/* A schema that has a rule. */
typedef struct known_schema {
    const json_t *schema;
    int32_t rule;
} known_schema;

typedef struct compiler {
    ith_rules *g;
    const json_t *root;
    known_schema *known; /* hash table by address, [n_slots] */
    size_t n_known, n_slots;
    json_t *made;    /* a list of schemas that were merged, which stay while it runs */
    json_t *by_text; /* their rules, by their text */
    char path[PATH]; /* where it is in the schema, for errors */
    int depth;
    int32_t any, string, number, integer; /* rules; -1: not made yet */
} compiler;

static bool going(const compiler *c)
{
    return !ith_rules_failed(c->g);
}

static void fail(compiler *c, ith_status status, const char *what, const char *why)
{
    char clean[100];

    ith_clean_text(what, strlen(what), clean, sizeof clean);
    ith_rules_fail(c->g, status, "the schema, %s: %s %s", c->path, clean, why);
}

/* Puts the place before a failure of what was added for a keyword. */
static void locate(compiler *c, const char *keyword, bool went)
{
    char text[sizeof c->g->failure.text];

    if (!went || going(c) || strncmp(c->g->failure.text, "the schema", 10) == 0)
        return;
    snprintf(text, sizeof text, "%s", c->g->failure.text);
    snprintf(c->g->failure.text, sizeof c->g->failure.text, "the schema, %s: %s: %.600s", c->path,
             keyword, text);
}

/* Longer paths are cut. Returns the length before. */
static size_t enter(compiler *c, const char *step, const char *name)
{
    size_t len = strlen(c->path);
    char clean[60];

    ith_clean_text(name, strlen(name), clean, sizeof clean);
    snprintf(c->path + len, PATH - len, "/%s%s%s", step, *clean != 0 ? "/" : "", clean);
    ith_clean_line(c->path);
    return len;
}

static void leave(compiler *c, size_t len)
{
    c->path[len] = 0;
}

static int32_t state(compiler *c, int32_t like)
{
    return ith_rules_state(c->g, c->g->states[like].rule);
}

static int32_t text(compiler *c, int32_t from, const char *t)
{
    return ith_rules_text(c->g, from, t, strlen(t), 0);
}

static void text_to(compiler *c, int32_t from, int32_t to, const char *t)
{
    ith_rules_empty(c->g, text(c, from, t), to);
}

/* ---- Values of any kind ---- */

static int32_t any_rule(compiler *c);

static int32_t string_rule(compiler *c)
{
    int32_t start, inside;

    if (c->string >= 0)
        return c->string;
    c->string = ith_rules_add(c->g, "a string");
    start = ith_rules_start(c->g, c->string);
    inside = text(c, start, "\"");
    ith_json_any_char(c->g, inside, inside, 0);
    ith_rules_end(c->g, text(c, inside, "\""), false);
    return c->string;
}

/* One to `most` digits, or none if `none`. */
static int32_t digits(compiler *c, int32_t from, int most, bool none)
{
    int32_t to = state(c, from);

    if (none)
        ith_rules_empty(c->g, from, to);
    for (int i = 0; i < most; i++) {
        int32_t next = state(c, from);
        ith_rules_bytes(c->g, from, next, '0', '9', 0);
        ith_rules_empty(c->g, next, to);
        from = next;
    }
    return to;
}

static int32_t number_rule(compiler *c)
{
    int32_t start, whole, first, decimals, end, sign;

    if (c->number >= 0)
        return c->number;
    c->number = ith_rules_add(c->g, "a number");
    start = ith_rules_start(c->g, c->number);
    first = state(c, start);
    whole = state(c, start);
    ith_rules_empty(c->g, start, first);
    ith_rules_bytes(c->g, start, first, '-', '-', 0);
    ith_rules_bytes(c->g, first, whole, '0', '0', 0);
    sign = state(c, start);
    ith_rules_bytes(c->g, first, sign, '1', '9', 0);
    ith_rules_empty(c->g, digits(c, sign, 14, true), whole);
    decimals = digits(c, text(c, whole, "."), 15, false);
    ith_rules_empty(c->g, whole, decimals);
    end = state(c, start);
    ith_rules_empty(c->g, decimals, end);
    sign = state(c, start);
    ith_rules_bytes(c->g, decimals, sign, 'e', 'e', 0);
    ith_rules_bytes(c->g, decimals, sign, 'E', 'E', 0);
    first = state(c, start);
    ith_rules_empty(c->g, sign, first);
    ith_rules_bytes(c->g, sign, first, '+', '+', 0);
    ith_rules_bytes(c->g, sign, first, '-', '-', 0);
    ith_rules_empty(c->g, digits(c, first, 2, false), end);
    ith_rules_end(c->g, end, false);
    return c->number;
}

static int32_t integer_rule(compiler *c)
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
    int32_t open = ith_rules_text(c->g, from, brackets, 1, 0), next = state(c, from),
            behind = state(c, from);

    ith_rules_empty(c->g, open, next);
    add(c, next, behind);
    ith_rules_empty(c->g, ith_json_space(c->g, text(c, behind, ",")), next);
    ith_rules_bytes(c->g, open, to, (uint8_t)brackets[1], (uint8_t)brackets[1], 0);
    ith_rules_bytes(c->g, behind, to, (uint8_t)brackets[1], (uint8_t)brackets[1], 0);
}

static void add_any(compiler *c, int32_t from, int32_t to)
{
    ith_rules_call(c->g, from, to, any_rule(c), 0);
}

static void add_any_property(compiler *c, int32_t from, int32_t to)
{
    int32_t key = state(c, from);

    ith_rules_call(c->g, from, key, string_rule(c), 0);
    add_any(c, ith_json_space(c->g, text(c, key, ":")), to);
}

static void add_words(compiler *c, int32_t from, int32_t to, unsigned types)
{
    if ((types & ITH_TYPE_BOOLEAN) != 0) {
        text_to(c, from, to, "true");
        text_to(c, from, to, "false");
    }
    if ((types & ITH_TYPE_NULL) != 0)
        text_to(c, from, to, "null");
}

static int32_t any_rule(compiler *c)
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
    ith_rules_call(c->g, start, end, string_rule(c), 0);
    ith_rules_call(c->g, start, end, number_rule(c), 0);
    add_words(c, start, end, ITH_TYPE_ANY);
    return c->any;
}

/* ---- Strings and numbers ---- */

/* A whole number from 0 on; `otherwise` if the keyword is missing. */
static int64_t count_of(compiler *c, const json_t *schema, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(schema, key);
    double x = json_number_value(value);

    if (value == NULL)
        return otherwise;
    if (!json_is_number(value) || x < 0 ||
        (json_is_real(value) && x < 1e15 && x > (double)(int64_t)x)) {
        fail(c, ITH_E_FORMAT, key, "is not a whole number from 0 on");
        return otherwise;
    }
    return x > 1e15 ? (int64_t)1e15 : (int64_t)x;
}

/* The text of a keyword; NULL: it is missing, or wrong. */
static const char *text_of(compiler *c, const json_t *schema, const char *key)
{
    const json_t *value = json_object_get(schema, key);

    if (value != NULL &&
        (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value)))
        fail(c, ITH_E_FORMAT, key, "is not a text");
    return json_string_value(value);
}

static const char *pattern_of(compiler *c, const json_t *schema)
{
    const char *format = text_of(c, schema, "format"), *pattern = text_of(c, schema, "pattern");

    if (format == NULL)
        return pattern;
    if (pattern != NULL)
        fail(c, ITH_E_UNSUPPORTED, "format", "is not supported beside pattern");
    pattern = ith_schema_format(format);
    if (pattern == NULL) {
        size_t len = enter(c, "format", "");
        fail(c, ITH_E_UNSUPPORTED, format, "is no format that is supported");
        leave(c, len);
    }
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
    end = state(c, inside);
    if (min == 0 && max == ITH_COUNT_ANY)
        ith_regex_add(c->g, inside, end, pattern, strlen(pattern), 0);
    else
        ith_pattern_length_add(c->g, inside, end, pattern, min, max);
    return end;
}

/* Strings with a pattern, or a length, or both, are a rule of their own. */
static void add_string(compiler *c, int32_t from, int32_t to, const json_t *schema)
{
    int64_t min = count_of(c, schema, "minLength", 0),
            max = count_of(c, schema, "maxLength", ITH_COUNT_ANY);
    const char *pattern = pattern_of(c, schema);
    bool went = going(c);
    int32_t rule, end;

    if (min == 0 && max >= ITH_COUNT_ANY && pattern == NULL) {
        ith_rules_call(c->g, from, to, string_rule(c), 0);
        return;
    }
    rule = ith_rules_add(c->g, c->path);
    if (!going(c))
        return;
    end = text(c, ith_rules_start(c->g, rule), "\"");
    end = add_text(c, rule, end, pattern, min, max > ITH_COUNT_ANY ? ITH_COUNT_ANY : max);
    locate(c, "a text", went);
    if (!going(c))
        return;
    c->g->rules[rule].counts_characters = pattern == NULL;
    end = ith_rules_text(c->g, end, "\"", 1, pattern == NULL ? ITH_EDGE_ENOUGH : 0);
    ith_rules_end(c->g, end, false);
    ith_rules_call(c->g, from, to, rule, 0);
}

/* The bound of a keyword; NULL: none. */
static const json_t *bound_of(compiler *c, const json_t *schema, const char *key)
{
    const json_t *value = json_object_get(schema, key);

    if (value != NULL && !json_is_number(value)) {
        fail(c, ITH_E_FORMAT, key, "is not a number");
        return NULL;
    }
    return value;
}

static void add_number(compiler *c, int32_t from, int32_t to, const json_t *schema, bool whole)
{
    ith_bounds b = {bound_of(c, schema, "minimum"), bound_of(c, schema, "maximum"),
                    bound_of(c, schema, "exclusiveMinimum"),
                    bound_of(c, schema, "exclusiveMaximum")};
    bool went = going(c);
    int32_t rule, end;

    if (b.min == NULL && b.max == NULL && b.exclusive_min == NULL && b.exclusive_max == NULL) {
        ith_rules_call(c->g, from, to, whole ? integer_rule(c) : number_rule(c), 0);
        return;
    }
    rule = ith_rules_add(c->g, c->path);
    end = ith_rules_state(c->g, rule);
    ith_rules_end(c->g, end, false);
    (whole ? ith_integer_range : ith_decimal_range)(c->g, ith_rules_start(c->g, rule), end, &b);
    locate(c, "minimum and maximum", went);
    ith_rules_call(c->g, from, to, rule, 0);
}

/* ---- Lists ---- */

static int32_t rule_of(compiler *c, const json_t *schema);

static int32_t rule_at(compiler *c, const json_t *schema, const char *step, const char *name)
{
    size_t len = enter(c, step, name);
    int32_t rule = rule_of(c, schema);

    leave(c, len);
    return rule;
}

/* A comma and an item: as a rule, which may be counted. */
static int32_t further_item(compiler *c, int32_t item)
{
    int32_t rule = ith_rules_add(c->g, "a further item"), end = ith_rules_state(c->g, rule);

    ith_rules_end(c->g, end, false);
    ith_rules_call(c->g, ith_json_space(c->g, text(c, ith_rules_start(c->g, rule), ",")), end, item,
                   0);
    return rule;
}

/* min to max items, each behind a comma; returns the state behind. */
static int32_t add_further(compiler *c, int32_t from, int32_t item, int64_t min, int64_t max)
{
    int32_t further = further_item(c, item), rule, start, to = state(c, from);

    if (min <= 0 && max >= ITH_COUNT_ANY) {
        ith_rules_empty(c->g, from, to);
        ith_rules_call(c->g, to, to, further, 0);
        return to;
    }
    rule = ith_rules_add(c->g, "items");
    start = ith_rules_start(c->g, rule);
    ith_rules_count(c->g, rule, min > 0 ? min : 0, max);
    ith_rules_end(c->g, start, true);
    ith_rules_call(c->g, start, start, further, ITH_EDGE_COUNTS);
    ith_rules_call(c->g, from, to, rule, 0);
    return to;
}

static void add_items(compiler *c, int32_t from, int32_t to, const json_t *items, int64_t written,
                      int64_t min, int64_t max)
{
    int32_t item, first;

    if (written >= min)
        text_to(c, from, to, "]");
    if (written >= max || json_is_false(items))
        return;
    item = items == NULL ? any_rule(c) : rule_at(c, items, "items", "");
    if (written == 0) {
        first = state(c, from);
        ith_rules_call(c->g, from, first, item, 0);
        from = first;
        written++;
    }
    text_to(c, add_further(c, from, item, min - written, max - written), to, "]");
}

static void add_array(compiler *c, int32_t from, int32_t to, const json_t *schema)
{
    const json_t *items = json_object_get(schema, "items"),
                 *prefix = json_object_get(schema, "prefixItems");
    int64_t n = (int64_t)json_array_size(prefix), min = count_of(c, schema, "minItems", 0),
            max = count_of(c, schema, "maxItems", INT64_MAX / 2);
    bool went = going(c);
    char index[24];

    if (json_is_array(items))
        fail(c, ITH_E_UNSUPPORTED, "items", "is a list: since 2020-12 that is prefixItems");
    if (prefix != NULL && !json_is_array(prefix))
        fail(c, ITH_E_FORMAT, "prefixItems", "is not a list");
    from = text(c, from, "[");
    for (int64_t i = 0; i < n && i < max && going(c); i++) {
        int32_t next = state(c, from);
        if (i >= min)
            text_to(c, from, to, "]");
        if (i > 0)
            from = ith_json_space(c->g, text(c, from, ","));
        snprintf(index, sizeof index, "%lld", (long long)i);
        ith_rules_call(c->g, from, next,
                       rule_at(c, json_array_get(prefix, (size_t)i), "prefixItems", index), 0);
        from = next;
    }
    if (going(c))
        add_items(c, from, to, items, n < max ? n : max, min, max);
    locate(c, "minItems and maxItems", went);
}

/* ---- Objects ---- */

/* The names of a list as an object, which finds them at once; the caller's. */
static json_t *set_of_names(const json_t *list)
{
    json_t *set = json_object();

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name != NULL)
            json_object_set_new(set, name, json_true());
    }
    return set;
}

/* A value as it is written. */
static int32_t add_literal(compiler *c, int32_t from, const json_t *value)
{
    char *written = ith_json_exact_text(value, false);

    if (written == NULL) {
        ith_rules_fail(c->g, ITH_E_MEMORY, "no memory for a schema");
        return from;
    }
    from = text(c, from, written);
    free(written);
    return from;
}

/* Declared names as a tree of characters, of objects: {"a": {"b": {"": true}}}. An additional name
 * must not be one of them. */
static void add_name(json_t *tree, const char *name)
{
    for (size_t n; *name != 0; name += n) {
        char one[5] = {0};
        json_t *child;
        n = ith_utf8_bytes(name, strlen(name));
        n = n == 0 ? 1 : n;
        memcpy(one, name, n);
        child = json_object_get(tree, one);
        if (child == NULL) {
            child = json_object();
            if (json_object_set_new(tree, one, child) != 0)
                return;
        }
        tree = child;
    }
    json_object_set_new(tree, "", json_true());
}

static uint32_t decode(const char *utf8)
{
    const unsigned char *c = (const unsigned char *)utf8;
    size_t n = strlen(utf8);
    uint32_t code = n == 1 ? c[0] : c[0] & (0xffu >> (n + 1));

    for (size_t i = 1; i < n; i++)
        code = code << 6 | (c[i] & 0x3f);
    return code;
}

/* From a place in the tree: a quote where no name ends; a character that leads out of the tree to
 * `free_name`, or further inside. */
static void add_other_names(compiler *c, int32_t from, int32_t free_name, int32_t to, json_t *tree)
{
    ith_codeset others = {0};
    const char *one;
    json_t *child;

    if (json_object_get(tree, "") == NULL)
        text_to(c, from, to, "\"");
    json_object_foreach (tree, one, child) {
        ith_codeset single = {0};
        int32_t inner;
        if (*one == 0 || !going(c))
            continue;
        ith_codeset_add(&single, decode(one), decode(one), &c->g->failure);
        ith_codeset_add(&others, decode(one), decode(one), &c->g->failure);
        inner = state(c, from);
        if (going(c))
            ith_json_chars(c->g, from, inner, &single, 0);
        ith_codeset_free(&single);
        if (++c->depth > 1000)
            fail(c, ITH_E_UNSUPPORTED, "properties", "has a name that is too long");
        if (going(c))
            add_other_names(c, inner, free_name, to, child);
        c->depth--;
    }
    ith_codeset_settle(&others);
    if (going(c) && ith_codeset_complement(&others, &c->g->failure) == ITH_OK)
        ith_json_chars(c->g, from, free_name, &others, 0);
    ith_codeset_free(&others);
}

/* A name that is none of the declared ones, and its value. */
static int32_t other_property(compiler *c, const json_t *properties, int32_t value)
{
    static const ith_code_range all[] = {{0, ITH_MAX_CODE}};
    static const ith_codeset any = {(ith_code_range *)all, 1, 1};
    int32_t rule = ith_rules_add(c->g, "an additional property"),
            start = ith_rules_start(c->g, rule), end = ith_rules_state(c->g, rule),
            free_name = ith_rules_state(c->g, rule), behind = ith_rules_state(c->g, rule);
    json_t *tree = json_object(), *unused;
    const char *name;

    json_object_foreach ((json_t *)properties, name, unused)
        add_name(tree, name);
    ith_rules_end(c->g, end, false);
    if (going(c))
        add_other_names(c, text(c, start, "\""), free_name, behind, tree);
    ith_json_chars(c->g, free_name, free_name, &any, 0);
    text_to(c, free_name, behind, "\"");
    ith_rules_call(c->g, ith_json_space(c->g, text(c, behind, ":")), end, value, 0);
    json_decref(tree);
    return rule;
}

/* Where an object is: before any property, and behind one. */
typedef struct place {
    int32_t none, some;
} place;

/* Joins both: what follows is a property, behind a comma if it is not the first. */
static int32_t next_property(compiler *c, place at)
{
    int32_t next = state(c, at.none);

    ith_rules_empty(c->g, at.none, next);
    ith_rules_empty(c->g, ith_json_space(c->g, text(c, at.some, ",")), next);
    return next;
}

static place add_property(compiler *c, place at, const char *name, const json_t *schema,
                          bool required)
{
    place after = {state(c, at.none), state(c, at.none)};
    json_t *key = json_string(name);
    int32_t value = rule_at(c, schema, "properties", name), behind;

    if (!going(c) || key == NULL) {
        json_decref(key);
        return at;
    }
    behind = text(c, add_literal(c, next_property(c, at), key), ":");
    ith_rules_call(c->g, ith_json_space(c->g, behind), after.some, value, 0);
    if (!required) {
        ith_rules_empty(c->g, at.none, after.none);
        ith_rules_empty(c->g, at.some, after.some);
    }
    json_decref(key);
    return after;
}

static void check_object(compiler *c, const json_t *properties, const json_t *required)
{
    if (properties != NULL && !json_is_object(properties))
        fail(c, ITH_E_FORMAT, "properties", "is not an object");
    if (required != NULL && !json_is_array(required))
        fail(c, ITH_E_FORMAT, "required", "is not a list");
    for (size_t i = 0; i < json_array_size(required); i++)
        if (json_string_value(json_array_get(required, i)) == NULL)
            fail(c, ITH_E_FORMAT, "required", "lists what is no name");
}

/* Required properties that are not declared: their values are those of additional ones. */
static place add_undeclared(compiler *c, place at, const json_t *schema, const json_t *others,
                            json_t *declared)
{
    const json_t *required = json_object_get(schema, "required");
    json_t *anything = json_true();

    for (size_t i = 0; i < json_array_size(required) && going(c); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (json_object_get(declared, name) != NULL)
            continue;
        if (json_is_false(others))
            fail(c, ITH_E_ARGUMENT, name, "is required, but no property");
        at = add_property(c, at, name, others == NULL ? anything : others, true);
        json_object_set(declared, name, anything);
    }
    return at;
}

static void add_object(compiler *c, int32_t from, int32_t to, const json_t *schema)
{
    const json_t *properties = json_object_get(schema, "properties"),
                 *required = json_object_get(schema, "required"),
                 *others = json_object_get(schema, "additionalProperties");
    json_t *declared = properties == NULL ? json_object() : json_copy((json_t *)properties), *value,
           *needed = set_of_names(required);
    bool open = others == NULL ? properties == NULL : !json_is_false(others);
    const char *name;
    place at = {text(c, from, "{"), state(c, from)};

    check_object(c, properties, required);
    json_object_foreach ((json_t *)properties, name, value)
        if (going(c))
            at = add_property(c, at, name, value, json_object_get(needed, name) != NULL);
    if (going(c))
        at = add_undeclared(c, at, schema, others, declared);
    if (open && going(c)) {
        int32_t rule =
            others == NULL ? any_rule(c) : rule_at(c, others, "additionalProperties", "");
        ith_rules_call(c->g, next_property(c, at), at.some, other_property(c, declared, rule), 0);
    }
    if (going(c)) {
        text_to(c, at.none, to, "}");
        text_to(c, at.some, to, "}");
    }
    json_decref(declared);
    json_decref(needed);
}

/* ---- Schemas ---- */

static const char *const understood[] = {
    "type",    "enum",        "const",    "properties", "required",         "additionalProperties",
    "items",   "prefixItems", "minItems", "maxItems",   "minLength",        "maxLength",
    "pattern", "format",      "minimum",  "maximum",    "exclusiveMinimum", "exclusiveMaximum",
    "anyOf",   "oneOf",       "allOf",    "$ref"};

static void check_keywords(compiler *c, const json_t *schema)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)schema, key, value) {
        bool known = ith_schema_is_annotation(key) ||
                     (strcmp(key, "uniqueItems") == 0 && json_is_false(value));
        for (size_t i = 0; i < sizeof understood / sizeof *understood && !known; i++)
            known = strcmp(key, understood[i]) == 0;
        if (!known)
            fail(c, ITH_E_UNSUPPORTED, key, "is not supported");
    }
}

static void add_types(compiler *c, int32_t from, int32_t to, const json_t *schema)
{
    bool known;
    unsigned types = ith_schema_types(schema, &known);

    if (!known)
        fail(c, ITH_E_FORMAT, "type", "is not a type, or a list of types");
    if (going(c) && (types & ITH_TYPE_OBJECT) != 0)
        add_object(c, from, to, schema);
    if (going(c) && (types & ITH_TYPE_ARRAY) != 0)
        add_array(c, from, to, schema);
    if (going(c) && (types & ITH_TYPE_STRING) != 0)
        add_string(c, from, to, schema);
    if (going(c) && (types & (ITH_TYPE_NUMBER | ITH_TYPE_INTEGER)) != 0)
        add_number(c, from, to, schema, (types & ITH_TYPE_NUMBER) == 0);
    add_words(c, from, to, types);
}

/* Keywords that would have to be checked for each listed value. */
static void check_beside_values(compiler *c, const json_t *schema)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)schema, key, value)
        if (!ith_schema_is_annotation(key) && strcmp(key, "type") != 0 &&
            strcmp(key, "enum") != 0 && strcmp(key, "const") != 0)
            fail(c, ITH_E_UNSUPPORTED, key, "is not supported beside enum and const");
}

/* Is a value of `enum` or `const` one by the other and by `type`, too? */
static bool is_listed(const json_t *schema, const json_t *value)
{
    const json_t *list = json_object_get(schema, "enum");
    bool known, found = list == NULL || json_object_get(schema, "const") == NULL;
    unsigned types = json_object_get(schema, "type") == NULL ? (unsigned)ITH_TYPE_ANY
                                                             : ith_schema_types(schema, &known);

    for (size_t i = 0; i < json_array_size(list) && !found; i++)
        found = json_equal(json_array_get(list, i), value);
    types |= (types & ITH_TYPE_NUMBER) != 0 ? ITH_TYPE_INTEGER : 0;
    return found && (types & ith_schema_type_of(value)) != 0;
}

/* `enum` and `const`, in a rule of their own, as a tree of texts. */
static void add_values(compiler *c, int32_t from, int32_t to, const json_t *schema)
{
    const json_t *list = json_object_get(schema, "enum"), *only = json_object_get(schema, "const");
    int32_t rule = ith_rules_add(c->g, c->path), start = ith_rules_start(c->g, rule);
    size_t n = only != NULL ? 1 : json_array_size(list);

    if (list != NULL && !json_is_array(list))
        fail(c, ITH_E_FORMAT, "enum", "is not a list");
    check_beside_values(c, schema);
    for (size_t i = 0; i < n && going(c); i++) {
        const json_t *value = only != NULL ? only : json_array_get(list, i);
        char *written = ith_json_exact_text(value, false);
        if (written == NULL)
            ith_rules_fail(c->g, ITH_E_MEMORY, "no memory for a schema");
        else if (is_listed(schema, value))
            ith_rules_end(c->g, ith_rules_branch(c->g, start, written, strlen(written)), false);
        free(written);
    }
    ith_rules_call(c->g, from, to, rule, 0);
}

static bool says_something(const json_t *schema)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)schema, key, value)
        if (!ith_schema_is_annotation(key))
            return true;
    return false;
}

static void define(compiler *c, int32_t rule, const json_t *schema);

/* The rule of a schema that was made of others, which is taken over. Its text finds it again, so
 * that recursion ends. */
static int32_t rule_of_made(compiler *c, json_t *schema)
{
    char *written = schema == NULL ? NULL : ith_json_exact_text(schema, false);
    const json_t *known;
    int32_t rule;

    if (written == NULL || json_array_append_new(c->made, schema) != 0) {
        free(written);
        ith_rules_fail(c->g, ITH_E_MEMORY, "no memory for a schema");
        return 0;
    }
    if (json_array_size(c->made) > MOST_MADE)
        fail(c, ITH_E_UNSUPPORTED, "allOf", "leads to too many combinations");
    if (!json_is_object(schema) || !says_something(schema)) {
        free(written);
        return rule_of(c, schema);
    }
    known = json_object_get(c->by_text, written);
    rule = known != NULL ? (int32_t)json_integer_value(known) : ith_rules_add(c->g, c->path);
    if (known == NULL && going(c)) {
        json_object_set_new(c->by_text, written, json_integer(rule));
        define(c, rule, schema);
    }
    free(written);
    return rule;
}

/* A copy that lacks a keyword. */
static json_t *without(const json_t *schema, const char *key)
{
    json_t *copy = json_copy((json_t *)schema);

    json_object_del(copy, key);
    return copy;
}

/* Both schemas, which are released; NULL: a failure. */
static json_t *merge(compiler *c, json_t *a, json_t *b)
{
    const char *why = NULL;
    json_t *merged = a == NULL || b == NULL ? NULL : ith_schema_merge(a, b, &why);

    if (merged == NULL && why != NULL)
        fail(c, ITH_E_UNSUPPORTED, why,
             "differs in schemas that hold together, in a way that cannot be merged");
    json_decref(a);
    json_decref(b);
    return merged;
}

static const json_t *target_of(compiler *c, const json_t *schema)
{
    const char *ref = text_of(c, schema, "$ref");
    const json_t *target = ith_schema_find(c->root, ref);

    if (target != NULL)
        target = ith_schema_resolve(c->root, target);
    if (target == NULL && going(c))
        fail(c, ITH_E_UNSUPPORTED, ref == NULL ? "$ref" : ref,
             "leads nowhere in this schema, or in a circle");
    return target;
}

/* The schema with what its $ref leads to in place of it; the caller's. NULL: a failure. */
static json_t *expand(compiler *c, const json_t *schema)
{
    json_t *at = json_incref((json_t *)schema);

    for (int i = 0; at != NULL && json_object_get(at, "$ref") != NULL; i++) {
        const json_t *target = target_of(c, at);
        json_t *rest = without(at, "$ref");
        json_decref(at);
        if (i > MOST_DEPTH)
            fail(c, ITH_E_UNSUPPORTED, "$ref", "leads to too many others");
        if (target == NULL || !going(c)) {
            json_decref(rest);
            return NULL;
        }
        at = merge(c, json_incref((json_t *)target), rest);
    }
    return at;
}

static void add_ref(compiler *c, int32_t from, int32_t to, const json_t *schema)
{
    const json_t *target = target_of(c, schema);
    json_t *rest = without(schema, "$ref");

    if (target != NULL && going(c))
        ith_rules_call(
            c->g, from, to,
            says_something(rest) ? rule_of_made(c, expand(c, schema)) : rule_of(c, target), 0);
    json_decref(rest);
}

static void add_all(compiler *c, int32_t from, int32_t to, const json_t *schema)
{
    const json_t *list = json_object_get(schema, "allOf");
    json_t *all = without(schema, "allOf");

    if (!json_is_array(list))
        fail(c, ITH_E_FORMAT, "allOf", "is not a list");
    for (size_t i = 0; i < json_array_size(list) && all != NULL && going(c); i++)
        all = merge(c, all, expand(c, json_array_get(list, i)));
    if (all != NULL && going(c))
        ith_rules_call(c->g, from, to, rule_of_made(c, all), 0);
    else
        json_decref(all);
}

/* Alternatives of oneOf must exclude each other: what is written by one must not be valid by
 * another. */
static void check_exclusive(compiler *c, const json_t *list)
{
    char why[80];

    for (size_t i = 0; i < json_array_size(list) && going(c); i++)
        for (size_t k = 0; k < json_array_size(list) && going(c); k++) {
            const json_t *a = json_array_get(list, i), *b = json_array_get(list, k);
            if (i == k || ith_schema_excludes(c->root, a, b))
                continue;
            snprintf(why, sizeof why, "%zu and %zu may hold both", (i < k ? i : k) + 1,
                     (i < k ? k : i) + 1);
            fail(c, ITH_E_UNSUPPORTED, "oneOf: alternatives", why);
        }
}

/* The alternatives, each together with what stands beside them; the caller's. */
static json_t *alternatives(compiler *c, const json_t *schema, const char *key, bool expanded)
{
    const json_t *list = json_object_get(schema, key);
    json_t *rest = without(schema, key), *result = json_array();
    bool alone = !says_something(rest);

    if (!json_is_array(list) || json_array_size(list) == 0)
        fail(c, ITH_E_FORMAT, key, "is not a list of schemas");
    for (size_t i = 0; i < json_array_size(list) && going(c); i++) {
        json_t *one = json_array_get(list, i);
        one = expanded ? expand(c, one) : json_incref(one);
        if (!alone)
            one = merge(c, json_incref(rest), one);
        if (one != NULL)
            json_array_append_new(result, one);
    }
    json_decref(rest);
    return result;
}

static void add_choice(compiler *c, int32_t from, int32_t to, const json_t *schema, const char *key)
{
    enum { MOST_EXCLUSIVE = 64 };
    bool one_of = strcmp(key, "oneOf") == 0;
    json_t *list = alternatives(c, schema, key, false), *expanded = NULL;
    char index[24];

    if (one_of && json_array_size(list) > MOST_EXCLUSIVE)
        fail(c, ITH_E_UNSUPPORTED, key, "has too many alternatives");
    if (one_of && going(c)) {
        expanded = alternatives(c, schema, key, true);
        check_exclusive(c, expanded);
        json_decref(expanded);
    }
    for (size_t i = 0; i < json_array_size(list) && going(c); i++) {
        json_t *one = json_array_get(list, i);
        size_t len;
        bool given = false;
        snprintf(index, sizeof index, "%zu", i);
        len = enter(c, key, index);
        given = one == json_array_get(json_object_get(schema, key), i);
        ith_rules_call(c->g, from, to, given ? rule_of(c, one) : rule_of_made(c, json_incref(one)),
                       0);
        leave(c, len);
    }
    json_decref(list);
}

static void define(compiler *c, int32_t rule, const json_t *schema)
{
    int32_t start = ith_rules_start(c->g, rule), end = ith_rules_state(c->g, rule);

    ith_rules_end(c->g, end, false);
    if (++c->depth > MOST_DEPTH)
        fail(c, ITH_E_UNSUPPORTED, "schemas", "are nested too deeply");
    check_keywords(c, schema);
    if (!going(c))
        return;
    if (json_object_get(schema, "$ref") != NULL)
        add_ref(c, start, end, schema);
    else if (json_object_get(schema, "allOf") != NULL)
        add_all(c, start, end, schema);
    else if (json_object_get(schema, "anyOf") != NULL)
        add_choice(c, start, end, schema, "anyOf");
    else if (json_object_get(schema, "oneOf") != NULL)
        add_choice(c, start, end, schema, "oneOf");
    else if (json_object_get(schema, "enum") != NULL || json_object_get(schema, "const") != NULL)
        add_values(c, start, end, schema);
    else
        add_types(c, start, end, schema);
    c->depth--;
}

/* ---- Rules by schema ---- */

static size_t slot_of(const compiler *c, const json_t *schema)
{
    size_t at = ((uintptr_t)schema >> 4) * 0x9e3779b97f4a7c15u >> 20 & (c->n_slots - 1);

    while (c->known[at].schema != NULL && c->known[at].schema != schema)
        at = (at + 1) & (c->n_slots - 1);
    return at;
}

static bool grow_known(compiler *c)
{
    known_schema *old = c->known;
    size_t n_old = c->n_slots;

    if (2 * c->n_known < c->n_slots)
        return true;
    c->n_slots = n_old > 0 ? 4 * n_old : 256;
    c->known = calloc(c->n_slots, sizeof *c->known);
    if (c->known == NULL) {
        c->known = old;
        c->n_slots = n_old;
        ith_rules_fail(c->g, ITH_E_MEMORY, "no memory for a schema");
        return false;
    }
    for (size_t i = 0; i < n_old; i++)
        if (old[i].schema != NULL)
            c->known[slot_of(c, old[i].schema)] = old[i];
    free(old);
    return true;
}

static int32_t rule_of(compiler *c, const json_t *schema)
{
    size_t at;
    int32_t rule;

    if (!going(c) || json_is_false(schema))
        return 0;
    if (json_is_true(schema) || (json_is_object(schema) && !says_something(schema)))
        return any_rule(c);
    if (!json_is_object(schema)) {
        fail(c, ITH_E_FORMAT, "a schema", "is neither an object nor true or false");
        return 0;
    }
    if (!grow_known(c))
        return 0;
    at = slot_of(c, schema);
    if (c->known[at].schema != NULL)
        return c->known[at].rule;
    rule = ith_rules_add(c->g, c->path);
    c->known[at] = (known_schema){schema, rule};
    c->n_known++;
    if (going(c))
        define(c, rule, schema);
    return rule;
}

int32_t ith_schema_add(const json_t *schema, const char *name, ith_rules *rules)
{
    compiler c = {.g = rules,
                  .root = schema,
                  .made = json_array(),
                  .by_text = json_object(),
                  .any = -1,
                  .string = -1,
                  .number = -1,
                  .integer = -1};
    int32_t root;

    snprintf(c.path, sizeof c.path, "%s#", name);
    if (c.made == NULL || c.by_text == NULL)
        ith_rules_fail(rules, ITH_E_MEMORY, "no memory for a schema");
    root = rule_of(&c, schema);
    json_decref(c.made);
    json_decref(c.by_text);
    free(c.known);
    return root;
}

ith_status ith_schema_compile(const json_t *schema, ith_rules *rules, ith_error *err)
{
    ith_rules_init(rules);
    return ith_rules_finish(rules, ith_schema_add(schema, "", rules), err);
}

/* schema.c - JSON Schema, as much of it as bench/schema uses. */
#include "cli/schema.h"

#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PATH_MAX_BYTES = 300, REFERENCES_MAX = 32 };

typedef struct checker {
    const json_t *root;
    char path[PATH_MAX_BYTES]; /* of the value that is looked at: "results/3/seconds" */
    char fault[500];           /* the first one; "" so far none */
    int silent;                /* above 0: faults are not recorded */
    int references;            /* that are being followed */
} checker;

static bool holds(checker *c, const json_t *schema, const json_t *value);

/* ---- Faults ---- */

/* False, with the first fault recorded. */
__attribute__((format(printf, 2, 3))) static bool fault(checker *c, const char *format, ...)
{
    va_list args;
    int used;

    if (c->silent > 0 || c->fault[0] != '\0')
        return false;
    used =
        snprintf(c->fault, sizeof c->fault, "%s: ", c->path[0] != '\0' ? c->path : "the document");
    va_start(args, format);
    vsnprintf(c->fault + used, sizeof c->fault - (size_t)used, format, args);
    va_end(args);
    return false;
}

static bool holds_silently(checker *c, const json_t *schema, const json_t *value)
{
    bool good;

    c->silent++;
    good = holds(c, schema, value);
    c->silent--;
    return good;
}

/* A member or an item of the value: its name is added to the path meanwhile. */
static bool holds_within(checker *c, const json_t *schema, const json_t *value, const char *name)
{
    size_t len = strlen(c->path);
    bool good;

    snprintf(c->path + len, sizeof c->path - len, "%s%.80s", len > 0 ? "/" : "", name);
    good = holds(c, schema, value);
    c->path[len] = '\0';
    return good;
}

/* ---- Keywords ---- */

static bool has_type(const json_t *value, const char *name)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return strcmp(name, "object") == 0;
    case JSON_ARRAY:
        return strcmp(name, "array") == 0;
    case JSON_STRING:
        return strcmp(name, "string") == 0;
    case JSON_INTEGER:
        return strcmp(name, "integer") == 0 || strcmp(name, "number") == 0;
    case JSON_REAL:
        return strcmp(name, "number") == 0;
    case JSON_TRUE:
    case JSON_FALSE:
        return strcmp(name, "boolean") == 0;
    case JSON_NULL:
        return strcmp(name, "null") == 0;
    }
    return false;
}

/* One type, or several. */
static bool check_type(checker *c, const json_t *schema, const json_t *rule, const json_t *value)
{
    const json_t *name;
    size_t i;

    (void)schema;
    if (json_is_string(rule))
        return has_type(value, json_string_value(rule)) ||
               fault(c, "expected %s", json_string_value(rule));
    json_array_foreach (rule, i, name)
        if (has_type(value, json_string_value(name)))
            return true;
    return fault(c, "expected another type");
}

static bool check_const(checker *c, const json_t *schema, const json_t *rule, const json_t *value)
{
    (void)schema;
    return json_equal(rule, value) != 0 ||
           fault(c, "expected %s%s%s", json_is_string(rule) ? "\"" : "",
                 json_is_string(rule) ? json_string_value(rule) : "another value",
                 json_is_string(rule) ? "\"" : "");
}

static bool check_enum(checker *c, const json_t *schema, const json_t *rule, const json_t *value)
{
    const json_t *choice;
    size_t i;

    (void)schema;
    json_array_foreach (rule, i, choice)
        if (json_equal(choice, value))
            return true;
    return fault(c, "none of the values that it may have");
}

static bool check_required(checker *c, const json_t *schema, const json_t *rule,
                           const json_t *value)
{
    const json_t *name;
    size_t i;

    (void)schema;
    if (!json_is_object(value))
        return true;
    json_array_foreach (rule, i, name)
        if (json_object_get(value, json_string_value(name)) == NULL)
            return fault(c, "\"%s\" is missing", json_string_value(name));
    return true;
}

static bool check_properties(checker *c, const json_t *schema, const json_t *rule,
                             const json_t *value)
{
    const char *name;
    json_t *of_member;

    (void)schema;
    json_object_foreach ((json_t *)rule, name, of_member) {
        const json_t *member = json_object_get(value, name);
        if (member != NULL && !holds_within(c, of_member, member, name))
            return false;
    }
    return true;
}

/* Of members that `properties` does not name. false: there are none. */
static bool check_additional(checker *c, const json_t *schema, const json_t *rule,
                             const json_t *value)
{
    const json_t *named = json_object_get(schema, "properties");
    const char *name;
    json_t *member;

    if (!json_is_object(value))
        return true;
    json_object_foreach ((json_t *)value, name, member) {
        if (json_object_get(named, name) != NULL)
            continue;
        if (json_is_false(rule))
            return fault(c, "\"%.80s\" is no member of it", name);
        if (!holds_within(c, rule, member, name))
            return false;
    }
    return true;
}

static bool check_items(checker *c, const json_t *schema, const json_t *rule, const json_t *value)
{
    const json_t *item;
    char name[24];
    size_t i;

    (void)schema;
    json_array_foreach (value, i, item) {
        snprintf(name, sizeof name, "%zu", i);
        if (!holds_within(c, rule, item, name))
            return false;
    }
    return true;
}

static bool check_min_items(checker *c, const json_t *schema, const json_t *rule,
                            const json_t *value)
{
    json_int_t least = json_integer_value(rule);

    (void)schema;
    return !json_is_array(value) || (json_int_t)json_array_size(value) >= least ||
           fault(c, "fewer than %lld items", (long long)least);
}

/* Below 0, 0 or above it, as a is below b, equal or above. Integers are not compared as doubles,
 * which hold no more than 53 bits of them. */
static int order(const json_t *a, const json_t *b)
{
    double x = json_number_value(a), y = json_number_value(b);

    if (json_is_integer(a) && json_is_integer(b))
        return (json_integer_value(a) > json_integer_value(b)) -
               (json_integer_value(a) < json_integer_value(b));
    return (x > y) - (x < y);
}

static bool check_minimum(checker *c, const json_t *schema, const json_t *rule, const json_t *value)
{
    (void)schema;
    return !json_is_number(value) || order(value, rule) >= 0 ||
           fault(c, "%.17g is below %.17g", json_number_value(value), json_number_value(rule));
}

static bool check_above(checker *c, const json_t *schema, const json_t *rule, const json_t *value)
{
    (void)schema;
    return !json_is_number(value) || order(value, rule) > 0 ||
           fault(c, "%.17g is not above %.17g", json_number_value(value), json_number_value(rule));
}

static bool check_min_length(checker *c, const json_t *schema, const json_t *rule,
                             const json_t *value)
{
    const char *text = json_string_value(value);
    json_int_t characters = 0;

    (void)schema;
    for (size_t i = 0; i < json_string_length(value); i++)
        characters += (text[i] & 0xc0) != 0x80;
    if (text == NULL)
        return true;
    return characters >= json_integer_value(rule) || fault(c, "the text is too short");
}

static bool check_pattern(checker *c, const json_t *schema, const json_t *rule, const json_t *value)
{
    regex_t pattern;
    bool good;

    (void)schema;
    if (!json_is_string(value))
        return true;
    if (regcomp(&pattern, json_string_value(rule), REG_EXTENDED | REG_NOSUB) != 0)
        return fault(c, "no memory for a pattern");
    good = strlen(json_string_value(value)) == json_string_length(value) &&
           regexec(&pattern, json_string_value(value), 0, NULL, 0) == 0;
    regfree(&pattern);
    return good || fault(c, "\"%.60s\" has another form than %s", json_string_value(value),
                         json_string_value(rule));
}

/* What "#/$defs/NAME" refers to; NULL: nothing. */
static const json_t *find(const checker *c, const json_t *rule)
{
    static const char prefix[] = "#/$defs/";
    const char *name = json_string_value(rule);

    if (name == NULL || strncmp(name, prefix, sizeof prefix - 1) != 0)
        return NULL;
    return json_object_get(json_object_get(c->root, "$defs"), name + sizeof prefix - 1);
}

static bool check_reference(checker *c, const json_t *schema, const json_t *rule,
                            const json_t *value)
{
    const json_t *target = find(c, rule);
    bool good;

    (void)schema;
    if (c->references == REFERENCES_MAX)
        return fault(c, "more than %d references of its schema lead to it", REFERENCES_MAX);
    c->references++;
    good = holds(c, target, value);
    c->references--;
    return good;
}

static bool check_all(checker *c, const json_t *schema, const json_t *rule, const json_t *value)
{
    const json_t *sub;
    size_t i;

    (void)schema;
    json_array_foreach (rule, i, sub)
        if (!holds(c, sub, value))
            return false;
    return true;
}

/* Of two forms that are told apart by type, the fault within the one of the value's type says more
 * than that neither holds. */
static bool check_one(checker *c, const json_t *schema, const json_t *rule, const json_t *value)
{
    const json_t *sub, *type;
    int good = 0;
    size_t i;

    (void)schema;
    json_array_foreach (rule, i, sub)
        good += holds_silently(c, sub, value);
    if (good == 1)
        return true;
    json_array_foreach (rule, i, sub) {
        type = json_object_get(sub, "type");
        if (good == 0 && json_is_string(type) && has_type(value, json_string_value(type)))
            return holds(c, sub, value);
    }
    return fault(c, "%s of the forms that it may have", good == 0 ? "none" : "more than one");
}

static bool check_not(checker *c, const json_t *schema, const json_t *rule, const json_t *value)
{
    const json_t *required = json_object_get(rule, "required");
    const char *name = json_string_value(json_array_get(required, 0));

    (void)schema;
    return !holds_silently(c, rule, value) ||
           fault(c, name != NULL ? "\"%s\" contradicts its other members" : "not allowed%s",
                 name != NULL ? name : "");
}

static bool check_if(checker *c, const json_t *schema, const json_t *rule, const json_t *value)
{
    const json_t *then = json_object_get(schema, holds_silently(c, rule, value) ? "then" : "else");
    return then == NULL || holds(c, then, value);
}

static bool check_nothing(checker *c, const json_t *schema, const json_t *rule, const json_t *value)
{
    (void)c, (void)schema, (void)rule, (void)value;
    return true;
}

/* ---- Keywords of a schema ---- */

static bool is_sound(checker *c, const json_t *schema);

static bool is_sound_within(checker *c, const json_t *schema, const char *name)
{
    size_t len = strlen(c->path);
    bool good;

    snprintf(c->path + len, sizeof c->path - len, "/%.80s", name);
    good = is_sound(c, schema);
    c->path[len] = '\0';
    return good;
}

static bool sound_any(checker *c, const json_t *rule)
{
    (void)c, (void)rule;
    return true;
}

static bool sound_text(checker *c, const json_t *rule)
{
    return json_is_string(rule) || fault(c, "expected a text");
}

static bool sound_count(checker *c, const json_t *rule)
{
    return (json_is_integer(rule) && json_integer_value(rule) >= 0) ||
           fault(c, "expected a number of things");
}

static bool sound_number(checker *c, const json_t *rule)
{
    return json_is_number(rule) || fault(c, "expected a number");
}

static bool is_type(const json_t *name)
{
    static const char *const types[] = {"object", "array",   "string", "integer",
                                        "number", "boolean", "null"};

    for (size_t i = 0; json_is_string(name) && i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i], json_string_value(name)) == 0)
            return true;
    return false;
}

static bool sound_type(checker *c, const json_t *rule)
{
    const json_t *name;
    size_t i;

    json_array_foreach (rule, i, name)
        if (!is_type(name))
            return fault(c, "expected names of types");
    return is_type(rule) || json_array_size(rule) > 0 || fault(c, "expected a type, or a list");
}

static bool sound_values(checker *c, const json_t *rule)
{
    return json_array_size(rule) > 0 || fault(c, "expected a list of values");
}

static bool sound_names(checker *c, const json_t *rule)
{
    const json_t *name;
    size_t i;

    json_array_foreach (rule, i, name)
        if (!json_is_string(name))
            return fault(c, "expected names");
    return json_is_array(rule) || fault(c, "expected a list of names");
}

static bool sound_schema(checker *c, const json_t *rule)
{
    return is_sound(c, rule);
}

static bool sound_members(checker *c, const json_t *rule)
{
    const char *name;
    json_t *schema;

    json_object_foreach ((json_t *)rule, name, schema)
        if (!is_sound_within(c, schema, name))
            return false;
    return json_is_object(rule) || fault(c, "expected schemas by name");
}

static bool sound_list(checker *c, const json_t *rule)
{
    const json_t *schema;
    char name[24];
    size_t i;

    json_array_foreach (rule, i, schema) {
        snprintf(name, sizeof name, "%zu", i);
        if (!is_sound_within(c, schema, name))
            return false;
    }
    return json_array_size(rule) > 0 || fault(c, "expected a list of schemas");
}

static bool sound_pattern(checker *c, const json_t *rule)
{
    regex_t pattern;

    if (!json_is_string(rule) || strlen(json_string_value(rule)) != json_string_length(rule) ||
        regcomp(&pattern, json_string_value(rule), REG_EXTENDED | REG_NOSUB) != 0)
        return fault(c, "the pattern cannot be read");
    regfree(&pattern);
    return true;
}

static bool sound_reference(checker *c, const json_t *rule)
{
    return find(c, rule) != NULL || fault(c, "it refers to what is not there");
}

/* ---- Schemas ---- */

/* type stands first, so that a fault is named by the coarsest thing that is wrong. */
static const struct {
    const char *name;
    bool (*check)(checker *c, const json_t *schema, const json_t *rule, const json_t *value);
    bool (*is_sound)(checker *c, const json_t *rule); /* what stands there in a schema */
} keywords[] = {
    {"type", check_type, sound_type},
    {"const", check_const, sound_any},
    {"enum", check_enum, sound_values},
    {"required", check_required, sound_names},
    {"properties", check_properties, sound_members},
    {"additionalProperties", check_additional, sound_schema},
    {"items", check_items, sound_schema},
    {"minItems", check_min_items, sound_count},
    {"minimum", check_minimum, sound_number},
    {"exclusiveMinimum", check_above, sound_number},
    {"minLength", check_min_length, sound_count},
    {"pattern", check_pattern, sound_pattern},
    {"$ref", check_reference, sound_reference},
    {"allOf", check_all, sound_list},
    {"oneOf", check_one, sound_list},
    {"not", check_not, sound_schema},
    {"if", check_if, sound_schema},
    {"then", check_nothing, sound_schema},
    {"else", check_nothing, sound_schema},
    {"$schema", check_nothing, sound_text},
    {"$id", check_nothing, sound_text},
    {"$defs", check_nothing, sound_members},
    {"title", check_nothing, sound_text},
    {"description", check_nothing, sound_text},
};

enum { KEYWORDS = sizeof keywords / sizeof *keywords };

static bool is_sound_keyword(checker *c, const char *name, const json_t *rule)
{
    size_t len = strlen(c->path);
    bool good = false;

    for (size_t i = 0; i < KEYWORDS; i++) {
        if (strcmp(keywords[i].name, name) != 0)
            continue;
        snprintf(c->path + len, sizeof c->path - len, "/%s", name);
        good = keywords[i].is_sound(c, rule);
        c->path[len] = '\0';
        return good;
    }
    return fault(c, "the keyword \"%.80s\" is unknown", name);
}

/* Is every keyword known, and is what stands there what it may be? */
static bool is_sound(checker *c, const json_t *schema)
{
    const char *name;
    json_t *rule;

    if (json_is_boolean(schema))
        return true;
    if (!json_is_object(schema))
        return fault(c, "expected a schema");
    json_object_foreach ((json_t *)schema, name, rule)
        if (!is_sound_keyword(c, name, rule))
            return false;
    if (json_object_get(schema, "if") == NULL &&
        (json_object_get(schema, "then") != NULL || json_object_get(schema, "else") != NULL))
        return fault(c, "there is no \"if\"");
    return true;
}

static bool holds(checker *c, const json_t *schema, const json_t *value)
{
    if (json_is_boolean(schema))
        return json_is_true(schema) || fault(c, "nothing may stand here");
    for (size_t i = 0; i < KEYWORDS; i++) {
        const json_t *rule = json_object_get(schema, keywords[i].name);
        if (rule != NULL && !keywords[i].check(c, schema, rule, value))
            return false;
    }
    return true;
}

ith_status ith_schema_check(const json_t *schema, const json_t *value, const char *where,
                            ith_error *err)
{
    checker c = {.root = schema, .path = "the schema"};
    bool good = is_sound(&c, schema);

    c.path[0] = '\0';
    if (good && holds(&c, schema, value))
        return ITH_OK;
    return ith_fail(err, ITH_E_FORMAT, "%s: %s", where, c.fault);
}

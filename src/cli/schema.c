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

static bool check_minimum(checker *c, const json_t *schema, const json_t *rule, const json_t *value)
{
    double least = json_number_value(rule);

    (void)schema;
    return !json_is_number(value) || json_number_value(value) >= least ||
           fault(c, "%g is below %g", json_number_value(value), least);
}

static bool check_above(checker *c, const json_t *schema, const json_t *rule, const json_t *value)
{
    double bound = json_number_value(rule);

    (void)schema;
    return !json_is_number(value) || json_number_value(value) > bound ||
           fault(c, "%g is not above %g", json_number_value(value), bound);
}

static bool check_min_length(checker *c, const json_t *schema, const json_t *rule,
                             const json_t *value)
{
    const char *text = json_string_value(value);
    json_int_t characters = 0;

    (void)schema;
    if (text == NULL)
        return true;
    for (; *text != '\0'; text++)
        characters += (*text & 0xc0) != 0x80;
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
        return fault(c, "its schema has a pattern that cannot be read");
    good = regexec(&pattern, json_string_value(value), 0, NULL, 0) == 0;
    regfree(&pattern);
    return good || fault(c, "\"%.60s\" has another form than %s", json_string_value(value),
                         json_string_value(rule));
}

/* "#/$defs/NAME" */
static bool check_reference(checker *c, const json_t *schema, const json_t *rule,
                            const json_t *value)
{
    static const char prefix[] = "#/$defs/";
    const char *name = json_string_value(rule);
    const json_t *target = NULL;
    bool good;

    (void)schema;
    if (name != NULL && strncmp(name, prefix, sizeof prefix - 1) == 0)
        target = json_object_get(json_object_get(c->root, "$defs"), name + sizeof prefix - 1);
    if (target == NULL || c->references == REFERENCES_MAX)
        return fault(c, "its schema refers to what is not there");
    c->references++;
    good = holds(c, target, value);
    c->references--;
    return good;
}

static bool check_all(checker *c, const json_t *schema, const json_t *rule, const json_t *value)
{
    const json_t *part;
    size_t i;

    (void)schema;
    json_array_foreach (rule, i, part)
        if (!holds(c, part, value))
            return false;
    return true;
}

/* Of two forms that are told apart by type, the fault within the one of the value's type says more
 * than that neither holds. */
static bool check_one(checker *c, const json_t *schema, const json_t *rule, const json_t *value)
{
    const json_t *part, *type;
    int good = 0;
    size_t i;

    (void)schema;
    json_array_foreach (rule, i, part)
        good += holds_silently(c, part, value);
    if (good == 1)
        return true;
    json_array_foreach (rule, i, part) {
        type = json_object_get(part, "type");
        if (good == 0 && json_is_string(type) && has_type(value, json_string_value(type)))
            return holds(c, part, value);
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

/* ---- Schemas ---- */

/* type stands first, so that a fault is named by the coarsest thing that is wrong. */
static const struct {
    const char *name;
    bool (*check)(checker *c, const json_t *schema, const json_t *rule, const json_t *value);
} keywords[] = {
    {"type", check_type},
    {"const", check_const},
    {"enum", check_enum},
    {"required", check_required},
    {"properties", check_properties},
    {"additionalProperties", check_additional},
    {"items", check_items},
    {"minItems", check_min_items},
    {"minimum", check_minimum},
    {"exclusiveMinimum", check_above},
    {"minLength", check_min_length},
    {"pattern", check_pattern},
    {"$ref", check_reference},
    {"allOf", check_all},
    {"oneOf", check_one},
    {"not", check_not},
    {"if", check_if},
    {"then", check_nothing},
    {"else", check_nothing},
    {"$schema", check_nothing},
    {"$id", check_nothing},
    {"$defs", check_nothing},
    {"title", check_nothing},
    {"description", check_nothing},
};

enum { KEYWORDS = sizeof keywords / sizeof *keywords };

static bool is_keyword(const char *name)
{
    for (size_t i = 0; i < KEYWORDS; i++)
        if (strcmp(keywords[i].name, name) == 0)
            return true;
    return false;
}

static bool holds(checker *c, const json_t *schema, const json_t *value)
{
    const char *name;
    json_t *rule;

    json_object_foreach ((json_t *)schema, name, rule)
        if (!is_keyword(name))
            return fault(c, "its schema has the unknown keyword \"%s\"", name);
    for (size_t i = 0; i < KEYWORDS; i++) {
        rule = json_object_get(schema, keywords[i].name);
        if (rule != NULL && !keywords[i].check(c, schema, rule, value))
            return false;
    }
    return true;
}

ith_status ith_schema_check(const json_t *schema, const json_t *value, const char *where,
                            ith_error *err)
{
    checker c = {.root = schema};

    if (holds(&c, schema, value))
        return ITH_OK;
    return ith_fail(err, ITH_E_FORMAT, "%s: %s", where, c.fault);
}

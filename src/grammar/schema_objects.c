/* schema_objects.c - objects by the keywords of JSON Schema. */
#include "base/character.h"
#include "grammar/json_text.h"
#include "grammar/schema_compiler.h"

#include <string.h>

typedef ith_schema_compiler compiler;

/* Steps for a name that is kept, and for a character of a tree of names: they bound the memory. */
enum { NAME = 64, CHARACTER = 512 };

/* Adds a name to a set of them, an object, which finds them at once. */
static void add_to_set(compiler *c, json_t *set, const char *name)
{
    if (ith_rules_spend(c->g, NAME) && json_object_set_new(set, name, json_true()) != 0)
        ith_schema_no_memory(c);
}

/* The names of a list, and of an object; either may be NULL. The caller's. */
static json_t *set_of_names(compiler *c, const json_t *list, const json_t *object)
{
    json_t *set = json_object(), *unused;
    const char *name;

    for (size_t i = 0; i < json_array_size(list); i++)
        add_to_set(c, set, json_string_value(json_array_get(list, i)));
    json_object_foreach ((json_t *)object, name, unused)
        add_to_set(c, set, name);
    return set;
}

/* Declared names as a tree of characters, of objects: {"a": {"b": {"": true}}}. An additional name
 * must not be one of them. */
static void add_name(compiler *c, json_t *tree, const char *name)
{
    for (size_t n; *name != 0 && ith_rules_spend(c->g, CHARACTER); name += n) {
        char one[5] = {0};
        json_t *child;
        n = ith_utf8_bytes(name, strlen(name));
        n = n == 0 ? 1 : n;
        memcpy(one, name, n);
        child = json_object_get(tree, one);
        if (child == NULL) {
            child = json_object();
            if (json_object_set_new(tree, one, child) != 0) {
                ith_schema_no_memory(c);
                return;
            }
        }
        tree = child;
    }
    if (json_object_set_new(tree, "", json_true()) != 0)
        ith_schema_no_memory(c);
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
        ith_schema_text_to(c, from, to, "\"");
    json_object_foreach (tree, one, child) {
        ith_codeset single = {0};
        int32_t inner;
        if (*one == 0 || !ith_schema_going(c))
            continue;
        ith_codeset_add(&single, decode(one), decode(one), &c->g->failure);
        ith_codeset_add(&others, decode(one), decode(one), &c->g->failure);
        inner = ith_schema_state(c, from);
        if (ith_schema_going(c))
            ith_json_chars(c->g, from, inner, &single, 0);
        ith_codeset_free(&single);
        if (++c->depth > 1000)
            ith_schema_fail(c, ITH_E_UNSUPPORTED, "properties", "has a name that is too long");
        if (ith_schema_going(c))
            add_other_names(c, inner, free_name, to, child);
        c->depth--;
    }
    ith_codeset_settle(&others);
    if (ith_schema_going(c) && ith_codeset_complement(&others, &c->g->failure) == ITH_OK)
        ith_json_chars(c->g, from, free_name, &others, 0);
    ith_codeset_free(&others);
}

/* A name that is none of the declared ones, and its value. */
static int32_t other_property(compiler *c, const json_t *declared, int32_t value)
{
    static const ith_code_range all[] = {{0, ITH_MAX_CODE}};
    static const ith_codeset any = {(ith_code_range *)all, 1, 1};
    int32_t rule = ith_rules_add(c->g, "an additional property"),
            start = ith_rules_start(c->g, rule), end = ith_rules_state(c->g, rule),
            free_name = ith_rules_state(c->g, rule), behind = ith_rules_state(c->g, rule);
    json_t *tree = json_object(), *unused;
    const char *name;

    json_object_foreach ((json_t *)declared, name, unused)
        add_name(c, tree, name);
    ith_rules_end(c->g, end, false);
    if (ith_schema_going(c))
        add_other_names(c, ith_schema_text(c, start, "\""), free_name, behind, tree);
    ith_json_chars(c->g, free_name, free_name, &any, 0);
    ith_schema_text_to(c, free_name, behind, "\"");
    ith_rules_call(c->g, ith_json_space(c->g, ith_schema_text(c, behind, ":")), end, value, 0);
    json_decref(tree);
    return rule;
}

/* Where an object is: before any property, and behind one. */
typedef struct ends {
    int32_t none, some;
} ends;

/* Joins both: what follows is a property, behind a comma if it is not the first. */
static int32_t next_property(compiler *c, ends at)
{
    int32_t next = ith_schema_state(c, at.none);

    ith_rules_empty(c->g, at.none, next);
    ith_rules_empty(c->g, ith_json_space(c->g, ith_schema_text(c, at.some, ",")), next);
    return next;
}

static ends add_property(compiler *c, ends at, const char *name, const json_t *schema,
                         bool required)
{
    ends after = {ith_schema_state(c, at.none), ith_schema_state(c, at.none)};
    json_t *key = json_string(name);
    int32_t value = ith_schema_rule_at(c, schema, "properties", name), behind;

    if (key == NULL)
        ith_schema_no_memory(c);
    if (!ith_schema_going(c)) {
        json_decref(key);
        return at;
    }
    behind = ith_schema_text(c, ith_schema_literal(c, next_property(c, at), key), ":");
    ith_rules_call(c->g, ith_json_space(c->g, behind), after.some, value, 0);
    if (!required) {
        ith_rules_empty(c->g, at.none, after.none);
        ith_rules_empty(c->g, at.some, after.some);
    }
    json_decref(key);
    return after;
}

/* Required properties that are not declared: their values are those of additional ones. */
static ends add_undeclared(compiler *c, ends at, const json_t *schema, json_t *declared)
{
    const json_t *required = json_object_get(schema, "required"),
                 *others = json_object_get(schema, "additionalProperties");
    json_t *anything = json_true();

    for (size_t i = 0; i < json_array_size(required) && ith_schema_going(c); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (json_object_get(declared, name) != NULL)
            continue;
        if (json_is_false(others))
            ith_schema_nothing(c, name, "is required, but no property");
        at = add_property(c, at, name, others == NULL ? anything : others, true);
        add_to_set(c, declared, name);
    }
    return at;
}

/* Properties that are neither declared nor required. */
static void add_others(compiler *c, ends at, const json_t *others, const json_t *declared)
{
    int32_t rule = others == NULL ? ith_schema_any(c)
                                  : ith_schema_rule_at(c, others, "additionalProperties", "");

    ith_rules_call(c->g, next_property(c, at), at.some, other_property(c, declared, rule), 0);
}

void ith_schema_add_object(compiler *c, int32_t from, int32_t to, const json_t *schema)
{
    const json_t *properties = json_object_get(schema, "properties"),
                 *others = json_object_get(schema, "additionalProperties");
    json_t *declared = set_of_names(c, NULL, properties), *value,
           *needed = set_of_names(c, json_object_get(schema, "required"), NULL);
    bool open = others == NULL ? properties == NULL : !json_is_false(others);
    const char *name;
    ends at = {ith_schema_text(c, from, "{"), ith_schema_state(c, from)};

    json_object_foreach ((json_t *)properties, name, value)
        if (ith_schema_going(c))
            at = add_property(c, at, name, value, json_object_get(needed, name) != NULL);
    at = add_undeclared(c, at, schema, declared);
    if (open && ith_schema_going(c))
        add_others(c, at, others, declared);
    if (ith_schema_going(c)) {
        ith_schema_text_to(c, at.none, to, "}");
        ith_schema_text_to(c, at.some, to, "}");
    }
    json_decref(declared);
    json_decref(needed);
}

/* json_schema.c - compiles JSON Schema: a rule for each schema. */
#include "grammar/json_schema.h"

#include "base/character.h"
#include "grammar/schema_compiler.h"
#include "grammar/schema_formats.h"
#include "grammar/schema_keywords.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef ith_schema_compiler compiler;

/* ---- Failures, and where the compiler is ---- */

bool ith_schema_going(const compiler *c)
{
    return ith_rules_spend(c->g, 0);
}

void ith_schema_fail(compiler *c, ith_status status, const char *what, const char *why)
{
    char clean[100];

    ith_clean_text(what, strlen(what), clean, sizeof clean);
    ith_rules_fail(c->g, status, "the schema, %s: %s %s", c->path, clean, why);
}

void ith_schema_no_memory(compiler *c)
{
    ith_rules_fail(c->g, ITH_E_MEMORY, "no memory for a schema");
}

void ith_schema_nothing(compiler *c, const char *what, const char *why)
{
    char clean[100];

    ith_clean_text(what, strlen(what), clean, sizeof clean);
    ith_rules_nothing(c->g, "the schema, %s: %s %s", c->path, clean, why);
}

static void locate(const compiler *c, ith_error *error, const char *keyword)
{
    char text[sizeof error->text];

    if (error->status == ITH_OK || strncmp(error->text, "the schema", 10) == 0)
        return;
    snprintf(text, sizeof text, "%s", error->text);
    snprintf(error->text, sizeof error->text, "the schema, %s: %s: %.600s", c->path, keyword, text);
}

void ith_schema_locate(compiler *c, const char *keyword, bool went)
{
    locate(c, &c->g->nothing_fits, keyword);
    if (went)
        locate(c, &c->g->failure, keyword);
}

size_t ith_schema_enter(compiler *c, const char *step, const char *name)
{
    size_t len = strlen(c->path);
    char clean[60];

    ith_clean_text(name, strlen(name), clean, sizeof clean);
    snprintf(c->path + len, ITH_SCHEMA_PATH - len, "/%s%s%s", step, *clean != 0 ? "/" : "", clean);
    ith_clean_line(c->path);
    return len;
}

void ith_schema_leave(compiler *c, size_t len)
{
    c->path[len] = 0;
}

/* ---- States ---- */

int32_t ith_schema_state(compiler *c, int32_t like)
{
    return ith_rules_state(c->g, c->g->states[like].rule);
}

int32_t ith_schema_text(compiler *c, int32_t from, const char *text)
{
    return ith_rules_text(c->g, from, text, strlen(text), 0);
}

void ith_schema_text_to(compiler *c, int32_t from, int32_t to, const char *text)
{
    ith_rules_empty(c->g, ith_schema_text(c, from, text), to);
}

/* ---- One schema ---- */

/* `format` has an influence on values of one type only, but what is not known must not pass. */
static void check_format(compiler *c, const json_t *schema)
{
    const char *format = json_string_value(json_object_get(schema, "format"));
    ith_format_range range;
    size_t len;

    if (format == NULL || ith_schema_format(format) != NULL ||
        ith_schema_number_format(format, &range))
        return;
    len = ith_schema_enter(c, "format", "");
    ith_schema_fail(c, ITH_E_UNSUPPORTED, format, "is no format that is supported");
    ith_schema_leave(c, len);
}

bool ith_schema_is_understood(compiler *c, const json_t *schema)
{
    enum { KEYWORD = 64 };
    ith_error err;

    if (!ith_rules_spend(c->g, KEYWORD * (1 + (int64_t)json_object_size(schema))))
        return false;
    if (ith_schema_check_keywords(schema, &err) != ITH_OK)
        ith_rules_fail(c->g, err.status, "the schema, %s: %s", c->path, err.text);
    if (schema != c->root && json_object_get(schema, "$id") != NULL)
        ith_schema_fail(c, ITH_E_UNSUPPORTED, "$id", "is supported at the root only");
    check_format(c, schema);
    return ith_schema_going(c);
}

static void add_types(compiler *c, int32_t from, int32_t to, const json_t *schema)
{
    unsigned types = ith_schema_types(schema);

    if ((types & ITH_TYPE_OBJECT) != 0)
        ith_schema_add_object(c, from, to, schema);
    if (ith_schema_going(c) && (types & ITH_TYPE_ARRAY) != 0)
        ith_schema_add_array(c, from, to, schema);
    if (ith_schema_going(c) && (types & ITH_TYPE_STRING) != 0)
        ith_schema_add_string(c, from, to, schema);
    if (ith_schema_going(c) && (types & (ITH_TYPE_NUMBER | ITH_TYPE_INTEGER)) != 0)
        ith_schema_add_number(c, from, to, schema, (types & ITH_TYPE_NUMBER) == 0);
    ith_schema_add_words(c, from, to, types);
}

void ith_schema_define(compiler *c, int32_t rule, const json_t *schema)
{
    int32_t start = ith_rules_start(c->g, rule), end = ith_rules_state(c->g, rule);

    ith_rules_end(c->g, end, false);
    if (++c->depth > ITH_SCHEMA_DEPTH)
        ith_schema_fail(c, ITH_E_UNSUPPORTED, "schemas", "are nested too deeply");
    if (!ith_schema_going(c))
        return;
    if (json_object_get(schema, "$ref") != NULL)
        ith_schema_add_ref(c, start, end, schema);
    else if (json_object_get(schema, "allOf") != NULL)
        ith_schema_add_all(c, start, end, schema);
    else if (json_object_get(schema, "anyOf") != NULL)
        ith_schema_add_choice(c, start, end, schema, "anyOf");
    else if (json_object_get(schema, "oneOf") != NULL)
        ith_schema_add_choice(c, start, end, schema, "oneOf");
    else if (json_object_get(schema, "enum") != NULL || json_object_get(schema, "const") != NULL)
        ith_schema_add_values(c, start, end, schema);
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
    ith_known_schema *old = c->known;
    size_t n_old = c->n_slots;

    if (2 * c->n_known < c->n_slots)
        return true;
    c->n_slots = n_old > 0 ? 4 * n_old : 256;
    c->known = calloc(c->n_slots, sizeof *c->known);
    if (c->known == NULL) {
        c->known = old;
        c->n_slots = n_old;
        ith_schema_no_memory(c);
        return false;
    }
    for (size_t i = 0; i < n_old; i++)
        if (old[i].schema != NULL)
            c->known[slot_of(c, old[i].schema)] = old[i];
    free(old);
    return true;
}

int32_t ith_schema_rule(compiler *c, const json_t *schema)
{
    size_t at;
    int32_t rule;

    if (!ith_schema_going(c) || json_is_false(schema))
        return 0;
    if (json_is_true(schema))
        return ith_schema_any(c);
    if (!json_is_object(schema)) {
        ith_schema_fail(c, ITH_E_FORMAT, "a schema", "is neither an object nor true or false");
        return 0;
    }
    if (!grow_known(c))
        return 0;
    at = slot_of(c, schema);
    if (c->known[at].schema != NULL)
        return c->known[at].rule;
    if (!ith_schema_is_understood(c, schema))
        return 0;
    if (!ith_schema_says_something(schema))
        return ith_schema_any(c);
    rule = ith_rules_add(c->g, c->path);
    c->known[at] = (ith_known_schema){schema, rule};
    c->n_known++;
    if (ith_schema_going(c))
        ith_schema_define(c, rule, schema);
    return rule;
}

int32_t ith_schema_rule_at(compiler *c, const json_t *schema, const char *step, const char *name)
{
    size_t len = ith_schema_enter(c, step, name);
    int32_t rule = ith_schema_rule(c, schema);

    ith_schema_leave(c, len);
    return rule;
}

int32_t ith_schema_add(const json_t *schema, const char *name, ith_rules *rules)
{
    compiler c = {.g = rules,
                  .root = schema,
                  .made = json_array(),
                  .by_digest = json_object(),
                  .any = -1,
                  .string = -1,
                  .number = -1,
                  .integer = -1};
    int32_t root;

    snprintf(c.path, sizeof c.path, "%s#", name);
    if (c.made == NULL || c.by_digest == NULL)
        ith_schema_no_memory(&c);
    root = ith_schema_rule(&c, schema);
    json_decref(c.made);
    json_decref(c.by_digest);
    free(c.known);
    return root;
}

ith_status ith_schema_compile(const json_t *schema, ith_rules *rules, ith_error *err)
{
    ith_rules_init(rules);
    return ith_rules_finish(rules, ith_schema_add(schema, "", rules), err);
}

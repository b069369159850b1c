/* schema_arrays.c - arrays by the keywords of JSON Schema. */
#include "grammar/json_text.h"
#include "grammar/schema_compiler.h"

#include <stdio.h>

typedef ith_schema_compiler compiler;

/* A comma and an item: as a rule, which may be counted. */
static int32_t further_item(compiler *c, int32_t item)
{
    int32_t rule = ith_rules_add(c->g, "a further item"), end = ith_rules_state(c->g, rule);

    ith_rules_end(c->g, end, false);
    ith_rules_call(c->g, ith_json_space(c->g, ith_schema_text(c, ith_rules_start(c->g, rule), ",")),
                   end, item, 0);
    return rule;
}

/* min to max items, each behind a comma; returns the state behind. */
static int32_t add_further(compiler *c, int32_t from, int32_t item, int64_t min, int64_t max)
{
    int32_t further = further_item(c, item), rule, start, to = ith_schema_state(c, from);

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
        ith_schema_text_to(c, from, to, "]");
    if (written >= max || json_is_false(items))
        return;
    item = items == NULL ? ith_schema_any(c) : ith_schema_rule_at(c, items, "items", "");
    if (written == 0) {
        first = ith_schema_state(c, from);
        ith_rules_call(c->g, from, first, item, 0);
        from = first;
        written++;
    }
    ith_schema_text_to(c, add_further(c, from, item, min - written, max - written), to, "]");
}

void ith_schema_add_array(compiler *c, int32_t from, int32_t to, const json_t *schema)
{
    const json_t *items = json_object_get(schema, "items"),
                 *prefix = json_object_get(schema, "prefixItems");
    int64_t n = (int64_t)json_array_size(prefix), min = ith_schema_count(schema, "minItems", 0),
            max = ith_schema_count(schema, "maxItems", INT64_MAX / 2);
    bool went = ith_schema_going(c);
    char index[24];

    from = ith_schema_text(c, from, "[");
    for (int64_t i = 0; i < n && i < max && ith_schema_going(c); i++) {
        int32_t next = ith_schema_state(c, from);
        if (i >= min)
            ith_schema_text_to(c, from, to, "]");
        if (i > 0)
            from = ith_json_space(c->g, ith_schema_text(c, from, ","));
        snprintf(index, sizeof index, "%lld", (long long)i);
        ith_rules_call(
            c->g, from, next,
            ith_schema_rule_at(c, json_array_get(prefix, (size_t)i), "prefixItems", index), 0);
        from = next;
    }
    if (ith_schema_going(c))
        add_items(c, from, to, items, n < max ? n : max, min, max);
    ith_schema_locate(c, "minItems and maxItems", went);
}

/* jvalue.c - making values, lists and dicts. */
#include "text/jinja/jvalue.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

ith_jval ith_jnone(void)
{
    return (ith_jval){.kind = ITH_J_NONE};
}

ith_jval ith_jbool(bool truth)
{
    return (ith_jval){.kind = ITH_J_BOOL, .as.truth = truth};
}

ith_jval ith_jint(int64_t i)
{
    return (ith_jval){.kind = ITH_J_INT, .as.i = i};
}

ith_jval ith_jfloat(double f)
{
    return (ith_jval){.kind = ITH_J_FLOAT, .as.f = f};
}

ith_jval ith_jstring(ith_jstr *s)
{
    return (ith_jval){.kind = ITH_J_STRING, .as.str = s};
}

ith_jval ith_jbound(ith_jrun *run, ith_jval self, const struct ith_jbuiltin *function)
{
    ith_jmethod *method = ith_jrun_alloc(run, 1, sizeof *method);

    *method = (ith_jmethod){self, function};
    return (ith_jval){.kind = ITH_J_METHOD, .as.method = method};
}

ith_jval ith_jundefined(const char *missing)
{
    return (ith_jval){.kind = ITH_J_UNDEFINED, .as.missing = missing};
}

ith_jval ith_jundefined_name(ith_jrun *run, const ith_jstr *name)
{
    char *text = ith_jrun_alloc(run, 100, 1);

    snprintf(text, 100, "'%.*s' is undefined", (int)(name->len < 80 ? name->len : 80), name->data);
    return ith_jundefined(text);
}

ith_jval ith_jmissing(ith_jrun *run, ith_jval owner, ith_jval name)
{
    char *text = ith_jrun_alloc(run, 160, 1);

    if (name.kind == ITH_J_STRING)
        snprintf(text, 160, "'%s object' has no attribute '%.*s'", ith_jkind_name(owner),
                 (int)(name.as.str->len < 80 ? name.as.str->len : 80), name.as.str->data);
    else
        snprintf(text, 160, "%s object has no such element", ith_jkind_name(owner));
    return ith_jundefined(text);
}

ith_jlist *ith_jlist_new(ith_jrun *run, size_t cap, ith_jorigin origin)
{
    ith_jlist *list = ith_jrun_alloc(run, 1, sizeof *list);

    list->cap = cap;
    list->items = ith_jrun_alloc(run, cap, sizeof *list->items);
    list->origin = (unsigned char)origin;
    return list;
}

void ith_jlist_add(ith_jrun *run, ith_jlist *list, ith_jval item)
{
    ith_jrun_step(run, 1);
    if (list->n == list->cap) {
        size_t cap = list->cap < 4 ? 8 : 2 * list->cap;
        ith_jval *items = ith_jrun_alloc(run, cap, sizeof *items);
        if (list->n > 0)
            memcpy(items, list->items, list->n * sizeof *items);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->n++] = item;
}

ith_jval ith_jlist_value(ith_jlist *list, ith_jkind kind)
{
    return (ith_jval){.kind = (unsigned char)kind, .as.list = list};
}

ith_jval ith_jpair(ith_jrun *run, ith_jval a, ith_jval b, ith_jorigin origin)
{
    ith_jlist *pair = ith_jlist_new(run, 2, origin);

    ith_jlist_add(run, pair, a);
    ith_jlist_add(run, pair, b);
    return ith_jlist_value(pair, ITH_J_TUPLE);
}

bool ith_jis_list(ith_jval v)
{
    return v.kind >= ITH_J_LIST && v.kind <= ITH_J_ITERATOR;
}

/* ---- Dicts ---- */

enum { SMALL = 8 };

ith_jdict *ith_jdict_new(ith_jrun *run, ith_jorigin origin)
{
    ith_jdict *dict = ith_jrun_alloc(run, 1, sizeof *dict);

    dict->origin = (unsigned char)origin;
    return dict;
}

ith_jval ith_jdict_value(ith_jdict *dict)
{
    return (ith_jval){.kind = ITH_J_DICT, .as.dict = dict};
}

bool ith_jhashable(ith_jrun *run, ith_jval v)
{
    bool all = v.kind != ITH_J_LIST && v.kind != ITH_J_DICT && v.kind != ITH_J_VIEW;

    ith_jrun_step(run, 1);
    if (v.kind != ITH_J_TUPLE)
        return all;
    ith_jrun_enter(run);
    for (size_t i = 0; i < v.as.list->n && all; i++)
        all = ith_jhashable(run, v.as.list->items[i]);
    ith_jrun_exit(run);
    return all;
}

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return h ^ h >> 32;
}

/* Equal numbers have equal hashes whatever their type. */
static uint64_t hash(ith_jrun *run, ith_jval v)
{
    uint64_t h = 1469598103934665603u;

    if (v.kind == ITH_J_STRING) {
        ith_jrun_step(run, v.as.str->len / 16);
        for (size_t i = 0; i < v.as.str->len; i++)
            h = (h ^ (unsigned char)v.as.str->data[i]) * 1099511628211u;
        return mix(h);
    }
    if (v.kind == ITH_J_TUPLE) {
        for (size_t i = 0; i < v.as.list->n; i++)
            h = h * 31 + hash(run, v.as.list->items[i]);
        return mix(h);
    }
    if (ith_jis_number(v)) {
        double f = ith_jreal(v);
        if (f == 0)
            f = 0; /* no negative zero */
        memcpy(&h, &f, sizeof h);
        return mix(h);
    }
    return v.kind;
}

static void put_index(ith_jdict *dict, size_t entry)
{
    size_t at = dict->entries[entry].hash & (dict->n_index - 1);

    while (dict->index[at] != 0)
        at = (at + 1) & (dict->n_index - 1);
    dict->index[at] = (uint32_t)entry + 1;
}

static void grow(ith_jrun *run, ith_jdict *dict)
{
    size_t cap = dict->cap < 4 ? 4 : 2 * dict->cap;
    ith_jentry *entries = ith_jrun_alloc(run, cap, sizeof *entries);

    if (cap > UINT32_MAX / 4)
        ith_jrun_fail(run, ITH_E_MEMORY, "a dict has too many entries");
    if (dict->n > 0)
        memcpy(entries, dict->entries, dict->n * sizeof *entries);
    dict->entries = entries;
    dict->cap = cap;
    if (cap <= SMALL)
        return;
    dict->n_index = 2 * cap;
    dict->index = ith_jrun_alloc(run, dict->n_index, sizeof *dict->index);
    for (size_t i = 0; i < dict->n; i++)
        put_index(dict, i);
}

static ith_jentry *find(ith_jrun *run, const ith_jdict *dict, ith_jval key, uint64_t h)
{
    if (dict->index == NULL) {
        for (size_t i = 0; i < dict->n; i++)
            if (dict->entries[i].hash == h && ith_jequal(run, dict->entries[i].key, key))
                return &dict->entries[i];
        return NULL;
    }
    for (size_t at = h & (dict->n_index - 1); dict->index[at] != 0;
         at = (at + 1) & (dict->n_index - 1)) {
        ith_jentry *entry = &dict->entries[dict->index[at] - 1];
        ith_jrun_step(run, 1);
        if (entry->hash == h && ith_jequal(run, entry->key, key))
            return entry;
    }
    return NULL;
}

static uint64_t hash_of_key(ith_jrun *run, ith_jval key)
{
    if (!ith_jhashable(run, key))
        ith_jrun_fail(run, ITH_E_ARGUMENT, "a %s cannot be the key of a dict", ith_jkind_name(key));
    return hash(run, key);
}

void ith_jdict_set(ith_jrun *run, ith_jdict *dict, ith_jval key, ith_jval value)
{
    uint64_t h = hash_of_key(run, key);
    ith_jentry *entry = find(run, dict, key, h);

    ith_jrun_step(run, 1);
    if (entry != NULL) {
        entry->value = value;
        return;
    }
    if (dict->n == dict->cap)
        grow(run, dict);
    dict->entries[dict->n++] = (ith_jentry){key, value, h};
    if (dict->index != NULL)
        put_index(dict, dict->n - 1);
}

ith_jval *ith_jdict_get(ith_jrun *run, const ith_jdict *dict, ith_jval key)
{
    ith_jentry *entry = find(run, dict, key, hash_of_key(run, key));

    return entry != NULL ? &entry->value : NULL;
}

ith_jlist *ith_jdict_view(ith_jrun *run, const ith_jdict *dict, const char *view)
{
    ith_jlist *list = ith_jlist_new(run, dict->n, dict->origin);

    list->view = view;
    for (size_t i = 0; i < dict->n; i++) {
        const ith_jentry *entry = &dict->entries[i];
        ith_jlist_add(run, list,
                      strcmp(view, "dict_keys") == 0 ? entry->key
                      : strcmp(view, "dict_values") == 0
                          ? entry->value
                          : ith_jpair(run, entry->key, entry->value, dict->origin));
    }
    return list;
}

/* ---- From JSON ---- */

ith_jval ith_jfrom_json(ith_jrun *run, const json_t *json, ith_jorigin origin)
{
    ith_jval v = ith_jnone();

    ith_jrun_enter(run);
    ith_jrun_step(run, 1);
    switch (json_typeof(json)) {
    case JSON_OBJECT: {
        const char *name;
        json_t *member;
        ith_jdict *dict = ith_jdict_new(run, origin);
        json_object_foreach ((json_t *)json, name, member) {
            ith_jval key = ith_jstring(ith_jstr_new(run, name, strlen(name), origin));
            ith_jdict_set(run, dict, key, ith_jfrom_json(run, member, origin));
        }
        v = ith_jdict_value(dict);
        break;
    }
    case JSON_ARRAY: {
        ith_jlist *list = ith_jlist_new(run, json_array_size(json), origin);
        for (size_t i = 0; i < json_array_size(json); i++)
            ith_jlist_add(run, list, ith_jfrom_json(run, json_array_get(json, i), origin));
        v = ith_jlist_value(list, ITH_J_LIST);
        break;
    }
    case JSON_STRING:
        v = ith_jstring(
            ith_jstr_new(run, json_string_value(json), json_string_length(json), origin));
        break;
    case JSON_INTEGER:
        v = ith_jint(json_integer_value(json));
        break;
    case JSON_REAL:
        v = ith_jfloat(json_real_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        v = ith_jbool(json_is_true(json));
        break;
    default:
        break;
    }
    v.origin = (unsigned char)origin;
    ith_jrun_exit(run);
    return v;
}

static bool is_plain_word(const ith_jstr *s)
{
    for (size_t i = 0; i < s->len; i++) {
        char c = s->data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-'))
            return false;
    }
    return true;
}

ith_jval ith_jfrom_messages(ith_jrun *run, const json_t *json)
{
    ith_jval messages = ith_jfrom_json(run, json, ITH_JINPUT);
    ith_jval name = ith_jstring(ith_jstr_text(run, "role"));

    for (size_t i = 0; messages.kind == ITH_J_LIST && i < messages.as.list->n; i++) {
        ith_jval message = messages.as.list->items[i], *role = NULL;
        if (message.kind == ITH_J_DICT)
            role = ith_jdict_get(run, message.as.dict, name);
        if (role != NULL && role->kind == ITH_J_STRING && is_plain_word(role->as.str))
            role->as.str->origin = ITH_JTEMPLATE;
    }
    return messages;
}

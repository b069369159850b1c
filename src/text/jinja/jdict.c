/* jdict.c - dicts, and the equality by which they find their keys, as Python has both. */
#include "text/jinja/jvalue.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Equality ---- */

/* Exactly, though a double cannot hold every integer. nan compares as 2. */
static int compare_int_float(int64_t i, double f)
{
    double whole;

    if (isnan(f))
        return 2;
    if (f >= 0x1p63)
        return -1;
    if (f < -0x1p63)
        return 1;
    whole = floor(f);
    if (i != (int64_t)whole)
        return i < (int64_t)whole ? -1 : 1;
    return f > whole ? -1 : 0;
}

int ith_jcompare_numbers(ith_jval a, ith_jval b)
{
    int order;

    if (ith_jis_integral(a) && ith_jis_integral(b))
        return (ith_jintegral(a) > ith_jintegral(b)) - (ith_jintegral(a) < ith_jintegral(b));
    if (a.kind == ITH_J_FLOAT && b.kind == ITH_J_FLOAT)
        return isnan(a.as.f) || isnan(b.as.f) ? 2 : (a.as.f > b.as.f) - (a.as.f < b.as.f);
    if (b.kind == ITH_J_FLOAT)
        return compare_int_float(ith_jintegral(a), b.as.f);
    order = compare_int_float(ith_jintegral(b), a.as.f);
    return order == 2 ? 2 : -order;
}

static bool equal_lists(ith_jrun *run, const ith_jlist *a, const ith_jlist *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!ith_jequal(run, a->items[i], b->items[i]))
            return false;
    return true;
}

static bool equal_dicts(ith_jrun *run, const ith_jdict *a, const ith_jdict *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        ith_jval *other = ith_jdict_get(run, b, a->entries[i].key);
        if (other == NULL || !ith_jequal(run, a->entries[i].value, *other))
            return false;
    }
    return true;
}

bool ith_jequal(ith_jrun *run, ith_jval a, ith_jval b)
{
    bool equal;

    ith_jrun_step(run, 1);
    if (ith_jis_number(a) && ith_jis_number(b))
        return ith_jcompare_numbers(a, b) == 0;
    if (a.kind != b.kind)
        return false;
    ith_jrun_enter(run);
    switch (a.kind) {
    case ITH_J_UNDEFINED:
    case ITH_J_NONE:
        equal = true;
        break;
    case ITH_J_STRING:
        ith_jrun_step(run, a.as.str->len / 64);
        equal = ith_jstr_equal(a.as.str, b.as.str);
        break;
    case ITH_J_VIEW:
    case ITH_J_LIST:
    case ITH_J_TUPLE:
    case ITH_J_RANGE:
        equal = equal_lists(run, a.as.list, b.as.list);
        break;
    case ITH_J_DICT:
        equal = equal_dicts(run, a.as.dict, b.as.dict);
        break;
    default:
        equal = a.as.dict == b.as.dict;
    }
    ith_jrun_exit(run);
    return equal;
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

/* machine_file.c - reads machine files, which anybody may have written. */
#include "tools/machine_file.h"
#include "base/character.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Ranges of what a file may say, in its units. */
static const double RATE_LEAST = 1e-6, RATE_MOST = 1e9, TIME_MOST = 1e9;
enum { CORES_MOST = 1 << 16, TOKENS_MOST = 1 << 20, PATH = 80 };
static const int64_t BYTES_MOST = INT64_C(1) << 50;

/* An object of the file, and its place there: "rates[2]", "" for the file itself. */
typedef struct scope {
    const json_t *object;
    const char *where;
    char path[PATH];
    ith_error *err;
} scope;

static const char *dot(const scope *p)
{
    return p->path[0] != 0 ? "." : "";
}

static ith_status wrong(const scope *p, const char *key, const char *expected)
{
    return ith_fail(p->err, ITH_E_FORMAT, "%s: %s%s%s should be %s", p->where, p->path, dot(p), key,
                    expected);
}

/* An object whose keys are all among `keys`, words with a space after each. */
static ith_status check_keys(const scope *p, const char *keys)
{
    const char *key;
    json_t *value;

    if (!json_is_object(p->object))
        return ith_fail(p->err, ITH_E_FORMAT, "%s: %s should be an object", p->where,
                        p->path[0] != 0 ? p->path : "the machine");
    json_object_foreach ((json_t *)p->object, key, value) {
        const char *at = keys;
        size_t len = strlen(key);
        while (*at != 0 && !(strncmp(at, key, len) == 0 && at[len] == ' '))
            at = strchr(at, ' ') + 1;
        if (*at == 0 || len == 0 || strchr(key, ' ') != NULL)
            return ith_fail(p->err, ITH_E_FORMAT, "%s: %s%s%.40s is not known; expected %s",
                            p->where, p->path, dot(p), key, keys);
    }
    return ITH_OK;
}

static ith_status real(const scope *p, const char *key, double least, double most, double *out)
{
    const json_t *value = json_object_get(p->object, key);
    double x = json_number_value(value);
    char expected[80];

    if (json_is_number(value) && x >= least && x <= most) {
        *out = x;
        return ITH_OK;
    }
    snprintf(expected, sizeof expected, "a number from %g to %g", least, most);
    return wrong(p, key, expected);
}

static ith_status whole(const scope *p, const char *key, int64_t least, int64_t most, int64_t *out)
{
    const json_t *value = json_object_get(p->object, key);
    int64_t x = json_integer_value(value);
    char expected[80];

    if (json_is_integer(value) && x >= least && x <= most) {
        *out = x;
        return ITH_OK;
    }
    snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)least,
             (long long)most);
    return wrong(p, key, expected);
}

static ith_status count(const scope *p, const char *key, int most, int *out)
{
    int64_t x;
    ITH_TRY(whole(p, key, 1, most, &x));
    *out = (int)x;
    return ITH_OK;
}

/* One line, because texts go to terminals and into scripts; nothing that would have to be cut. */
static ith_status text(const scope *p, const char *key, const char **out)
{
    const json_t *value = json_object_get(p->object, key);
    char clean[ITH_MACHINE_TEXT];

    *out = json_string_value(value);
    if (*out == NULL || **out == 0 || strlen(*out) != json_string_length(value))
        return wrong(p, key, "a text");
    ith_clean_text(*out, strlen(*out), clean, sizeof clean);
    return strcmp(clean, *out) == 0 ? ITH_OK
                                    : wrong(p, key, "a short text without control characters");
}

/* Is the key absent or null? */
static bool lacks(const scope *p, const char *key)
{
    const json_t *value = json_object_get(p->object, key);
    return value == NULL || json_is_null(value);
}

static scope member(const scope *p, const char *key)
{
    scope m = {.object = json_object_get(p->object, key), .where = p->where, .err = p->err};
    snprintf(m.path, sizeof m.path, "%.30s%s%.30s", p->path, dot(p), key);
    return m;
}

/* The list `key`, of `least` to ITH_MACHINE_LIST items. */
static ith_status list(const scope *p, const char *key, int least, const json_t **out, int *n)
{
    const json_t *value = json_object_get(p->object, key);
    char expected[80];

    *out = value;
    *n = (int)json_array_size(value);
    if (json_is_array(value) && *n >= least && *n <= ITH_MACHINE_LIST)
        return ITH_OK;
    snprintf(expected, sizeof expected, "a list of %d to %d", least, ITH_MACHINE_LIST);
    return wrong(p, key, expected);
}

static scope item(const scope *p, const char *key, const json_t *items, int i)
{
    scope m = {.object = json_array_get(items, (size_t)i), .where = p->where, .err = p->err};
    snprintf(m.path, sizeof m.path, "%.30s%s%.30s[%d]", p->path, dot(p), key, i);
    return m;
}

/* ---- Fields ---- */

static ith_status read_cpu(const scope *root, ith_machine *m)
{
    scope cpu = member(root, "cpu");
    const json_t *caches;
    const char *name;
    int64_t *const to[] = {&m->caches.l1, &m->caches.l2, &m->caches.l3};
    int n, threads;

    ITH_TRY(check_keys(&cpu, "name cores threads_per_core simd caches "));
    ITH_TRY(count(&cpu, "cores", CORES_MOST, &m->cores));
    if (!lacks(&cpu, "threads_per_core"))
        ITH_TRY(count(&cpu, "threads_per_core", CORES_MOST, &threads));
    if (!lacks(&cpu, "name"))
        ITH_TRY(text(&cpu, "name", &name));
    if (!lacks(&cpu, "simd"))
        ITH_TRY(text(&cpu, "simd", &name));
    m->caches = ith_caches_default();
    if (lacks(&cpu, "caches"))
        return ITH_OK;
    ITH_TRY(list(&cpu, "caches", 3, &caches, &n));
    for (int i = 0; i < 3; i++) {
        int64_t bytes = json_integer_value(json_array_get(caches, (size_t)i));
        if (n != 3 || bytes < 1024 || bytes > 1 << 30)
            return wrong(&cpu, "caches", "the bytes of three caches, 1 KiB to 1 GiB each");
        *to[i] = bytes;
    }
    return ITH_OK;
}

static ith_status read_memory(const scope *root, ith_machine *m)
{
    scope memory = member(root, "memory");
    const json_t *nodes;
    double rate;
    int cores;

    m->memory_nodes = 1;
    if (lacks(root, "memory"))
        return ITH_OK;
    ITH_TRY(check_keys(&memory, "bytes nodes "));
    if (!lacks(&memory, "bytes"))
        ITH_TRY(whole(&memory, "bytes", 1, BYTES_MOST, &m->memory));
    if (lacks(&memory, "nodes"))
        return ITH_OK;
    ITH_TRY(list(&memory, "nodes", 1, &nodes, &m->memory_nodes));
    for (int i = 0; i < m->memory_nodes; i++) {
        scope node = item(&memory, "nodes", nodes, i);
        ITH_TRY(check_keys(&node, "cores read_gbps "));
        ITH_TRY(count(&node, "cores", CORES_MOST, &cores));
        ITH_TRY(real(&node, "read_gbps", RATE_LEAST, RATE_MOST, &rate));
    }
    return ITH_OK;
}

static ith_status read_rates(const scope *root, ith_machine *m)
{
    const json_t *rates;

    ITH_TRY(list(root, "rates", 1, &rates, &m->n_rates));
    for (int i = 0; i < m->n_rates; i++) {
        scope p = item(root, "rates", rates, i);
        ith_machine_rate *r = &m->rates[i];

        ITH_TRY(check_keys(&p, "threads read_gbps integer_gops f32_gflops decode_gbps "));
        ITH_TRY(count(&p, "threads", CORES_MOST, &r->threads));
        ITH_TRY(real(&p, "read_gbps", RATE_LEAST, RATE_MOST, &r->read_bytes));
        ITH_TRY(real(&p, "integer_gops", RATE_LEAST, RATE_MOST, &r->integer_ops));
        ITH_TRY(real(&p, "f32_gflops", RATE_LEAST, RATE_MOST, &r->float_ops));
        if (!lacks(&p, "decode_gbps"))
            ITH_TRY(real(&p, "decode_gbps", RATE_LEAST, RATE_MOST, &r->few_bytes));
        if (i > 0 && (r->few_bytes > 0) != (m->rates[i - 1].few_bytes > 0))
            return wrong(&p, "decode_gbps", "in all items or in none");
        if (i > 0 && r->threads <= m->rates[i - 1].threads)
            return wrong(&p, "threads", "more than in the item before");
        r->read_bytes *= 1e9;
        r->integer_ops *= 1e9;
        r->float_ops *= 1e9;
        r->few_bytes *= 1e9;
    }
    if (m->rates[m->n_rates - 1].threads != m->cores)
        return wrong(root, "rates", "a list whose last item has as many threads as cpu.cores");
    return ITH_OK;
}

/* Rates by instruction set, which only people read. */
static ith_status read_levels(const scope *root)
{
    scope levels = member(root, "integer_gops");
    const char *level;
    json_t *value;
    double rate;

    if (lacks(root, "integer_gops"))
        return ITH_OK;
    if (!json_is_object(levels.object))
        return wrong(root, "integer_gops", "an object");
    json_object_foreach ((json_t *)levels.object, level, value)
        ITH_TRY(real(&levels, level, RATE_LEAST, RATE_MOST, &rate));
    return ITH_OK;
}

/* Entry `name` of a list of n names. */
static bool named(const char *name, const char *(*name_of)(int), int n, int *out)
{
    for (*out = 0; *out < n; ++*out)
        if (strcmp(name, name_of(*out)) == 0)
            return true;
    return false;
}

static const char *layout_name(int i)
{
    return ith_layout_name((ith_layout)i);
}

static const char *kv_name(int i)
{
    return ith_kv_layout_name((ith_kv_layout)i);
}

static ith_status read_products(const scope *root, ith_machine *m)
{
    const json_t *products;
    const char *name;
    int n, layout;

    if (lacks(root, "products"))
        return ITH_OK;
    ITH_TRY(list(root, "products", 0, &products, &n));
    for (; m->n_products < n; m->n_products++) {
        scope p = item(root, "products", products, m->n_products);
        ith_machine_product *out = &m->products[m->n_products];

        ITH_TRY(check_keys(&p, "layout tokens gops "));
        ITH_TRY(text(&p, "layout", &name));
        if (!named(name, layout_name, ITH_LAYOUTS, &layout))
            return wrong(&p, "layout", "the name of a layout, such as \"w4\"");
        ITH_TRY(whole(&p, "tokens", 1, TOKENS_MOST, &out->tokens));
        ITH_TRY(real(&p, "gops", RATE_LEAST, RATE_MOST, &out->ops));
        out->layout = (ith_layout)layout;
        out->ops *= 1e9;
        for (int i = 0; i < m->n_products; i++)
            if (m->products[i].layout == out->layout && m->products[i].tokens >= out->tokens)
                return wrong(&p, "tokens", "more than in items before with this layout");
    }
    return ITH_OK;
}

static ith_status read_attention(const scope *root, ith_machine *m)
{
    const json_t *attention;
    const char *name;
    int n, kv;

    if (lacks(root, "attention"))
        return ITH_OK;
    ITH_TRY(list(root, "attention", 0, &attention, &n));
    for (; m->n_attention < n; m->n_attention++) {
        scope p = item(root, "attention", attention, m->n_attention);
        ith_machine_attention *out = &m->attention[m->n_attention];

        ITH_TRY(check_keys(&p, "kv head_dim rows gops "));
        ITH_TRY(text(&p, "kv", &name));
        if (!named(name, kv_name, ITH_KV_LAYOUTS, &kv))
            return wrong(&p, "kv", "a form of the cache, such as \"q8\"");
        ITH_TRY(whole(&p, "head_dim", 1, TOKENS_MOST, &out->head_dim));
        ITH_TRY(whole(&p, "rows", 1, TOKENS_MOST, &out->rows));
        ITH_TRY(real(&p, "gops", RATE_LEAST, RATE_MOST, &out->ops));
        out->kv = (ith_kv_layout)kv;
        out->ops *= 1e9;
        for (int i = 0; i < m->n_attention; i++)
            if (m->attention[i].kv == out->kv && m->attention[i].head_dim == out->head_dim &&
                m->attention[i].rows >= out->rows)
                return wrong(&p, "rows", "more than in items before with this head size");
    }
    return ITH_OK;
}

static ith_status read_barriers(const scope *root, ith_machine *m)
{
    const json_t *barriers;

    if (lacks(root, "barriers"))
        return ITH_OK;
    ITH_TRY(list(root, "barriers", 0, &barriers, &m->n_barriers));
    for (int i = 0; i < m->n_barriers; i++) {
        scope p = item(root, "barriers", barriers, i);

        ITH_TRY(check_keys(&p, "threads us "));
        ITH_TRY(count(&p, "threads", CORES_MOST, &m->barriers[i].threads));
        ITH_TRY(real(&p, "us", 0, TIME_MOST, &m->barriers[i].s));
        if (m->barriers[i].threads <= (i == 0 ? 1 : m->barriers[i - 1].threads))
            return wrong(&p, "threads", "more than 1, and than in the item before");
        m->barriers[i].s *= 1e-6;
    }
    return ITH_OK;
}

static ith_status read_link(const scope *links, const char *key, ith_machine_link *out)
{
    scope link = member(links, key);

    if (lacks(links, key))
        return ITH_OK;
    ITH_TRY(check_keys(&link, "alpha_us gap_us gbps "));
    ITH_TRY(real(&link, "alpha_us", 0, TIME_MOST, &out->alpha_s));
    ITH_TRY(real(&link, "gap_us", 0, TIME_MOST, &out->gap_s));
    ITH_TRY(real(&link, "gbps", RATE_LEAST, RATE_MOST, &out->bytes));
    *out = (ith_machine_link){out->alpha_s * 1e-6, out->gap_s * 1e-6, out->bytes * 1e9};
    return ITH_OK;
}

static ith_status read_links(const scope *root, ith_machine *m)
{
    scope links = member(root, "links"), disk = member(root, "disk");

    if (!lacks(root, "links")) {
        ITH_TRY(check_keys(&links, "inside between "));
        ITH_TRY(read_link(&links, "inside", &m->inside));
        ITH_TRY(read_link(&links, "between", &m->between));
    }
    if (lacks(root, "disk"))
        return ITH_OK;
    ITH_TRY(check_keys(&disk, "read_gbps "));
    ITH_TRY(real(&disk, "read_gbps", RATE_LEAST, RATE_MOST, &m->disk_bytes));
    m->disk_bytes *= 1e9;
    return ITH_OK;
}

/* A list of texts that only people read. */
static ith_status check_texts(const scope *root, const char *key)
{
    const json_t *texts;
    int n;

    if (lacks(root, key))
        return ITH_OK;
    ITH_TRY(list(root, key, 0, &texts, &n));
    for (int i = 0; i < n; i++)
        if (!json_is_string(json_array_get(texts, (size_t)i)))
            return wrong(root, key, "a list of texts");
    return ITH_OK;
}

ith_status ith_machine_of_json(const json_t *json, const char *where, ith_machine *m,
                               ith_error *err)
{
    scope root = {.object = json, .where = where, .err = err};
    const char *name, *date, *schema = json_string_value(json_object_get(json, "schema"));

    *m = (ith_machine){0};
    if (schema == NULL || strcmp(schema, ITH_MACHINE_SCHEMA) != 0)
        return wrong(&root, "schema",
                     "\"" ITH_MACHINE_SCHEMA "\": no machine file of this version");
    ITH_TRY(check_keys(&root,
                       "schema name date notes derived cpu memory rates integer_gops products "
                       "attention barriers links disk "));
    ITH_TRY(text(&root, "name", &name));
    snprintf(m->name, sizeof m->name, "%s", name);
    if (!lacks(&root, "date"))
        ITH_TRY(text(&root, "date", &date));
    ITH_TRY(check_texts(&root, "notes"));
    ITH_TRY(check_texts(&root, "derived"));
    ITH_TRY(read_cpu(&root, m));
    ITH_TRY(read_memory(&root, m));
    ITH_TRY(read_rates(&root, m));
    ITH_TRY(read_levels(&root));
    ITH_TRY(read_products(&root, m));
    ITH_TRY(read_attention(&root, m));
    ITH_TRY(read_barriers(&root, m));
    return read_links(&root, m);
}

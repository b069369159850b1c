/* manifest.c - reading and writing the descriptions of segments. */
#include "keep/manifest.h"

#include "base/character.h"
#include "base/newfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, FILE_MAX = 1 << 16 };

/* No model that Ithaca reads has more: formats/hparams.c. What is allocated follows from these. */
enum { LAYERS_MAX = 10000, HEADS_MAX = 1 << 14, HEAD_DIM_MAX = 1 << 12 };

/* The first two are ITH_STATE_KV (state/state.h). */
#define KV_FORM        "kv"
#define LATENT_FORM    "latents"
#define RECURRENT_FORM "recurrent"

static ith_status get_int(const json_t *o, const char *where, const char *key, int64_t min,
                          int64_t max, int64_t *out, ith_error *err)
{
    *out = -1;
    ITH_TRY(ith_json_int(o, where, key, min, max, out, err));
    return *out >= 0 ? ITH_OK : ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" is missing", where, key);
}

static ith_status get_text(const json_t *o, const char *where, const char *key, const char **out,
                           ith_error *err)
{
    *out = NULL;
    ITH_TRY(ith_json_string(o, where, key, out, err));
    return *out != NULL ? ITH_OK : ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" is missing", where, key);
}

static ith_status get_key(const json_t *o, const char *where, const char *key, ith_key *out,
                          ith_error *err)
{
    const char *text;

    ITH_TRY(get_text(o, where, key, &text, err));
    if (strlen(text) != ITH_KEY_HEX - 1 || !ith_key_parse(text, out))
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should be %d hexadecimal digits", where, key,
                        ITH_KEY_HEX - 1);
    return ITH_OK;
}

static ith_status get_shape(const json_t *o, const char *where, ith_kv_shape *shape, ith_error *err)
{
    const char *layout;
    int64_t layers, heads, head_dim;
    int i = 0;

    ITH_TRY(get_text(o, where, "layout", &layout, err));
    while (i < ITH_KV_LAYOUTS && strcmp(layout, ith_kv_layout_name((ith_kv_layout)i)) != 0)
        i++;
    if (i == ITH_KV_LAYOUTS)
        return ith_fail(err, ITH_E_FORMAT, "%s: layout \"%s\" is not one of q8, bf16, f32", where,
                        layout);
    ITH_TRY(get_int(o, where, "layers", 0, LAYERS_MAX, &layers, err));
    ITH_TRY(get_int(o, where, "kv_heads", layers > 0, HEADS_MAX, &heads, err));
    ITH_TRY(get_int(o, where, "head_dim", layers > 0, HEAD_DIM_MAX, &head_dim, err));
    *shape = (ith_kv_shape){.layout = (ith_kv_layout)i,
                            .n_layers = (int)layers,
                            .n_heads = layers > 0 ? (int)heads : 0,
                            .head_dim = (int)head_dim};
    return ITH_OK;
}

static ith_status get_recurrent(const json_t *o, const char *where, ith_kv_shape *shape,
                                ith_error *err)
{
    int64_t layers, heads, floats;

    ITH_TRY(get_int(o, where, "layers", 1, LAYERS_MAX, &layers, err));
    ITH_TRY(get_int(o, where, "heads", 1, HEADS_MAX, &heads, err));
    ITH_TRY(get_int(o, where, "floats", 1, ITH_STATE_FLOATS_MAX, &floats, err));
    shape->state_layers = (int)layers;
    shape->state_heads = (int)heads;
    shape->state_floats = (int)floats;
    return ITH_OK;
}

/* The list has a form of keys and values, recurrent states, or one after the other. Manifests
 * written before there was a second form lack it. */
static ith_status get_states(const json_t *o, const char *where, ith_kv_shape *shape,
                             ith_error *err)
{
    const json_t *states = json_object_get(o, "states");
    bool known = true, kv = states == NULL;

    for (size_t i = 0; known && i < json_array_size(states); i++) {
        const json_t *entry = json_array_get(states, i);
        const char *form;
        int64_t layers;
        ITH_TRY(get_text(entry, where, "form", &form, err));
        ITH_TRY(get_int(entry, where, "layers", 1, LAYERS_MAX, &layers, err));
        if (strcmp(form, RECURRENT_FORM) == 0) {
            known = shape->state_layers == 0;
            ITH_TRY(get_recurrent(entry, where, shape, err));
            continue;
        }
        shape->latent = strcmp(form, LATENT_FORM) == 0;
        known =
            i == 0 && (shape->latent || strcmp(form, KV_FORM) == 0) && layers == shape->n_layers;
        kv = true;
    }
    if (!known || kv != (shape->n_layers > 0) || (!kv && shape->state_layers == 0))
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: \"states\" of other forms than \"" KV_FORM "\" or \"" LATENT_FORM
                        "\" and \"" RECURRENT_FORM "\" are not supported",
                        where);
    return ITH_OK;
}

static ith_status get_ids(const json_t *o, const char *where, ith_manifest *m, ith_error *err)
{
    const json_t *ids = json_object_get(o, "ids");
    size_t n = json_array_size(ids);

    if (n < 1 || n > ITH_KV_SEGMENT)
        return ith_fail(err, ITH_E_FORMAT, "%s: \"ids\" should be 1 to %d tokens", where,
                        ITH_KV_SEGMENT);
    m->n = (int)n;
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_array_get(ids, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) > INT32_MAX)
            return ith_fail(err, ITH_E_FORMAT, "%s: entry %zu of \"ids\" is not a token", where, i);
        m->ids[i] = (int32_t)json_integer_value(id);
    }
    return ITH_OK;
}

static ith_status from_json(const json_t *o, const char *where, ith_manifest *m, ith_error *err)
{
    const char *kind, *model;
    int64_t version;
    ith_key key;

    ITH_TRY(get_text(o, where, "ithaca", &kind, err));
    ITH_TRY(get_int(o, where, "version", 0, INT32_MAX, &version, err));
    if (strcmp(kind, "kv") != 0 || version != VERSION)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: \"%s\" of version %lld, expected \"kv\" of version %d", where, kind,
                        (long long)version, VERSION);
    ITH_TRY(get_key(o, where, "parent", &m->parent, err));
    ITH_TRY(get_key(o, where, "key", &m->key, err));
    ITH_TRY(get_int(o, where, "start", 0, INT64_MAX / 2, &m->start, err));
    ITH_TRY(get_text(o, where, "model", &model, err));
    ith_clean_text(model, strlen(model), m->model, sizeof m->model);
    ITH_TRY(get_shape(o, where, &m->shape, err));
    ITH_TRY(get_states(o, where, &m->shape, err));
    ITH_TRY(get_ids(o, where, m, err));
    key = ith_key_next(&m->parent, m->ids, m->n);
    if (m->start % ITH_KV_SEGMENT != 0 || !ith_key_equal(&key, &m->key))
        return ith_fail(err, ITH_E_FORMAT, "%s: damaged: the key does not match the tokens", where);
    return ITH_OK;
}

ith_status ith_manifest_parse(const char *text, size_t len, const char *where, ith_manifest *m,
                              ith_error *err)
{
    json_t *root;
    ith_status status;

    *m = (ith_manifest){0};
    ITH_TRY(ith_json_parse(text, len, where, &root, err));
    status = from_json(root, where, m, err);
    json_decref(root);
    return status;
}

ith_status ith_manifest_read(int folder, const char *path, ith_manifest *m, ith_error *err)
{
    json_t *root;
    ith_status status;

    *m = (ith_manifest){0};
    ITH_TRY(ith_json_read_in(folder, path, FILE_MAX, &root, err));
    status = from_json(root, path, m, err);
    json_decref(root);
    return status;
}

static json_t *states_to_json(const ith_kv_shape *s)
{
    json_t *states = json_array();

    if (s->n_layers > 0)
        json_array_append_new(states,
                              json_pack("{s:s, s:i}", "form", s->latent ? LATENT_FORM : KV_FORM,
                                        "layers", s->n_layers));
    if (s->state_layers > 0)
        json_array_append_new(states, json_pack("{s:s, s:i, s:i, s:i}", "form", RECURRENT_FORM,
                                                "layers", s->state_layers, "heads", s->state_heads,
                                                "floats", s->state_floats));
    return states;
}

static json_t *to_json(const ith_manifest *m)
{
    char parent[ITH_KEY_HEX], key[ITH_KEY_HEX];
    json_t *ids = json_array();

    for (int i = 0; i < m->n; i++)
        json_array_append_new(ids, json_integer(m->ids[i]));
    ith_key_hex(&m->parent, parent);
    ith_key_hex(&m->key, key);
    return json_pack("{s:s, s:i, s:s, s:s, s:I, s:s, s:i, s:i, s:i, s:o, s:s, s:o}", "ithaca", "kv",
                     "version", VERSION, "parent", parent, "key", key, "start",
                     (json_int_t)m->start, "layout", ith_kv_layout_name(m->shape.layout), "layers",
                     m->shape.n_layers, "kv_heads", m->shape.n_heads, "head_dim", m->shape.head_dim,
                     "states", states_to_json(&m->shape), "model", m->model, "ids", ids);
}

ith_status ith_manifest_write(int folder, const char *path, const ith_manifest *m, bool durable,
                              ith_error *err)
{
    json_t *root = to_json(m);
    char *text = root == NULL ? NULL : ith_json_text(root, false);
    ith_status status = text == NULL
                            ? ith_fail(err, ITH_E_MEMORY, "%s: no memory for its text", path)
                            : ith_newfile_text(folder, path, text, durable, err);
    json_decref(root);
    free(text);
    return status;
}

/* report_model.c - shapes and names of models. */
#include "cli/report_model.h"

#include "cli/report_text.h"

#include <stdio.h>
#include <string.h>

enum { NAMES = 3 };

/* ---- Shapes ---- */

const json_t *ith_model_shape(const json_t *model)
{
    const json_t *shape = json_object_get(model, "shape"),
                 *text = json_object_get(shape, "text_config");
    return json_is_object(text) ? text : shape;
}

/* The first of the names that is there; else `otherwise`. */
static json_int_t size_of(const json_t *shape, const char *const names[NAMES], json_int_t otherwise)
{
    for (int i = 0; i < NAMES && names[i] != NULL; i++) {
        const json_t *value = json_object_get(shape, names[i]);
        if (json_is_integer(value))
            return json_integer_value(value);
    }
    return otherwise;
}

/* What two shapes must have alike; 0: it has none of that. */
typedef struct sizes {
    json_int_t layers, hidden, heads, kv_heads, head_dim, vocabulary;
    json_int_t width; /* of the MLP; 0 beside experts, whose layers without any may be few */
    json_int_t experts, chosen, expert_width, shared_width;
} sizes;

static json_int_t size(const json_t *shape, const char *name)
{
    return size_of(shape, (const char *const[NAMES]){name}, 0);
}

static sizes sizes_of(const json_t *shape)
{
    static const char *const experts[NAMES] = {"num_experts", "num_local_experts",
                                               "n_routed_experts"},
                             *const chosen[NAMES] = {"num_experts_per_tok",
                                                     "num_experts_per_token"},
                             *const shared[NAMES] = {"n_shared_experts", "num_shared_experts"};
    sizes s = {.layers = size(shape, "num_hidden_layers"),
               .hidden = size(shape, "hidden_size"),
               .heads = size(shape, "num_attention_heads"),
               .vocabulary = size(shape, "vocab_size"),
               .width = size(shape, "intermediate_size"),
               .experts = size_of(shape, experts, 0)};

    s.kv_heads = size_of(shape, (const char *const[NAMES]){"num_key_value_heads"}, s.heads);
    s.head_dim = size_of(shape, (const char *const[NAMES]){"head_dim"},
                         s.heads > 0 ? s.hidden / s.heads : 0);
    if (s.experts <= 0)
        return s;
    s.chosen = size_of(shape, chosen, 0);
    s.expert_width = size_of(shape, (const char *const[NAMES]){"moe_intermediate_size"}, s.width);
    s.shared_width = size(shape, "shared_expert_intermediate_size");
    if (s.shared_width == 0 && size_of(shape, shared, 0) < 1 << 16 && s.expert_width < 1 << 30)
        s.shared_width = size_of(shape, shared, 0) * s.expert_width;
    s.width = 0;
    return s;
}

static bool are_equal(const sizes *a, const sizes *b)
{
    return a->layers == b->layers && a->hidden == b->hidden && a->heads == b->heads &&
           a->kv_heads == b->kv_heads && a->head_dim == b->head_dim &&
           a->vocabulary == b->vocabulary && a->width == b->width && a->experts == b->experts &&
           a->chosen == b->chosen && a->expert_width == b->expert_width &&
           a->shared_width == b->shared_width;
}

bool ith_model_same_shape(const json_t *a, const json_t *b)
{
    static const char *const keys[] = {"model_type", "num_parameters", "num_global_key_value_heads",
                                       "global_head_dim"};
    const json_t *x = ith_model_shape(a), *y = ith_model_shape(b);
    sizes of_x = sizes_of(x), of_y = sizes_of(y);

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *one = json_object_get(x, keys[i]), *other = json_object_get(y, keys[i]);
        if (one != NULL && other != NULL && !json_equal(one, other))
            return false;
    }
    return of_x.layers > 0 && of_x.hidden > 0 && of_x.heads > 0 && are_equal(&of_x, &of_y);
}

/* ---- Names ---- */

/* Without `end`, if the name ends so and has more. */
static size_t without(const char *name, size_t len, const char *end)
{
    size_t n = strlen(end);
    return len > n && memcmp(name + len - n, end, n) == 0 ? len - n : len;
}

/* Of a file its name alone, and not that its weights are random. */
static const char *shorten(const char *name)
{
    static const char synthetic[] = "synthetic ";
    const char *slash;

    if (strncmp(name, synthetic, sizeof synthetic - 1) == 0)
        name += sizeof synthetic - 1;
    slash = strrchr(name, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : name;
}

const char *ith_model_name(const json_t *run, const char *key, const json_t *model, char *text,
                           size_t size)
{
    static const char *const files[] = {".json", ".gguf", ".ith"};
    const char *own = json_string_value(json_object_get(json_object_get(run, "detail"), "name")),
               *name = own != NULL && *own != '\0' ? shorten(own) : key;
    size_t len = strlen(name);
    char end[100];

    snprintf(end, sizeof end, ", %s cache", ith_report_member(model, "kv_type"));
    len = without(name, len, end);
    snprintf(end, sizeof end, " %s", ith_report_member(model, "weight_type"));
    len = without(name, len, end);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        len = without(name, len, files[i]);
    ith_report_cut(name, text, size);
    if (len < strlen(text))
        text[len] = '\0';
    return text;
}

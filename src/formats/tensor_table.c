/* tensor_table.c - a growing list of tensors, and a sorted index over it. */
#include "formats/tensor_table.h"

#include "base/range.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ith_status ith_tensor_set_shape(ith_tensor *t, ith_error *err)
{
    const ith_dtype_info *type;
    size_t elements = 1, bytes, most = 1; /* most: as if no dimension were 0 */

    for (int i = 0; i < t->n_dims; i++)
        if (t->dims[i] < 0 || !ith_mul_size(elements, (size_t)t->dims[i], &elements) ||
            !ith_mul_size(most, t->dims[i] > 0 ? (size_t)t->dims[i] : 1, &most) || most > INT64_MAX)
            return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s: its dimensions overflow", t->file,
                            t->name);
    if (t->dtype == ITH_DT_UNREAD)
        return ITH_OK;
    type = ith_dtype_get(t->dtype);
    if (t->dims[t->n_dims - 1] % type->block != 0)
        return ith_fail(
            err, ITH_E_FORMAT,
            "%s: tensor %s: a row of %lld elements is not a whole number of %s blocks of %d",
            t->file, t->name, (long long)t->dims[t->n_dims - 1], type->name, type->block);
    if (!ith_mul_size(elements / (size_t)type->block, (size_t)type->block_bytes, &bytes) ||
        bytes > INT64_MAX)
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s: its dimensions overflow", t->file,
                        t->name);
    t->bytes = bytes;
    return ITH_OK;
}

int64_t ith_tensor_elements(const ith_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->n_dims; i++)
        n *= t->dims[i];
    return n;
}

bool ith_tensor_is_integers(const ith_tensor *t)
{
    const char *type = t->unread;
    return strcmp(type, "BOOL") == 0 ||
           ((type[0] == 'I' || type[0] == 'U') && type[1] >= '0' && type[1] <= '9');
}

ith_status ith_tensor_check_read(const ith_tensor *t, ith_error *err)
{
    if (t->dtype != ITH_DT_UNREAD)
        return ITH_OK;
    if (strncmp(t->unread, "IQ", 2) == 0)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: tensor %s has type %s, which no layout of Ithaca holds without loss; "
                        "take the model in IQ3_S, IQ4_XS or a K-quant such as Q4_K_M",
                        t->file, t->name, t->unread);
    return ith_fail(
        err, ITH_E_UNSUPPORTED,
        "%s: tensor %s has type %s; Ithaca reads F32, F16 and BF16, of GGUF files Q8_0, "
        "Q4_0, Q4_1, Q5_0, Q5_1, Q2_K to Q6_K, IQ3_S, IQ4_NL, IQ4_XS and MXFP4, and of "
        "Hugging Face folders what \"quantization_config\" can say",
        t->file, t->name, t->unread);
}

static bool grow(ith_tensor_table *table)
{
    size_t capacity = table->capacity == 0 ? 64 : table->capacity * 2;
    ith_tensor *items;

    if (table->n < table->capacity)
        return true;
    items = reallocarray(table->items, capacity, sizeof *items);
    if (items == NULL)
        return false;
    table->items = items;
    table->capacity = capacity;
    return true;
}

ith_status ith_tensor_table_add(ith_tensor_table *table, const ith_tensor *t, ith_error *err)
{
    char *name = strdup(t->name);

    if (name == NULL || !grow(table)) {
        free(name);
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the list of tensors", t->file);
    }
    table->items[table->n] = *t;
    table->items[table->n++].name = name;
    return ITH_OK;
}

static int compare_data(const void *a, const void *b)
{
    const ith_tensor *x = a, *y = b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    if (x->bytes != y->bytes) /* an empty tensor before its neighbour */
        return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

ith_status ith_tensor_table_order(ith_tensor_table *table, size_t first, ith_error *err)
{
    if (table->n <= first)
        return ITH_OK;
    qsort(table->items + first, table->n - first, sizeof *table->items, compare_data);
    for (size_t i = first + 1; i < table->n; i++) {
        const ith_tensor *before = &table->items[i - 1], *t = &table->items[i];
        if (t->data < before->data + before->bytes)
            return ith_fail(err, ITH_E_FORMAT, "%s: tensors %s and %s overlap", t->file,
                            before->name, t->name);
    }
    return ITH_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const ith_tensor *const *)a)->name, (*(const ith_tensor *const *)b)->name);
}

ith_status ith_tensor_table_index(ith_tensor_table *table, ith_error *err)
{
    free(table->by_name);
    table->by_name = reallocarray(NULL, table->n + 1, sizeof *table->by_name);
    if (table->by_name == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for an index of %zu tensors", table->n);
    for (size_t i = 0; i < table->n; i++)
        table->by_name[i] = &table->items[i];
    qsort(table->by_name, table->n, sizeof *table->by_name, compare_names);
    for (size_t i = 1; i < table->n; i++)
        if (compare_names(&table->by_name[i - 1], &table->by_name[i]) == 0)
            return ith_fail(err, ITH_E_FORMAT, "tensor %s occurs twice: in %s and in %s",
                            table->by_name[i]->name, table->by_name[i - 1]->file,
                            table->by_name[i]->file);
    return ITH_OK;
}

const ith_tensor *ith_tensor_table_find(const ith_tensor_table *table, const char *name)
{
    ith_tensor key = {.name = name};
    const ith_tensor *key_pointer = &key, **hit = NULL;

    if (table->by_name != NULL)
        hit =
            bsearch(&key_pointer, table->by_name, table->n, sizeof *table->by_name, compare_names);
    return hit == NULL ? NULL : *hit;
}

ith_status ith_tensor_table_prefix(ith_tensor_table *table, const char *prefix, const char *except,
                                   ith_error *err)
{
    for (size_t i = 0; i < table->n; i++) {
        ith_tensor *t = &table->items[i];
        char *name;
        if (strncmp(t->name, prefix, strlen(prefix)) == 0 || strcmp(t->name, except) == 0)
            continue;
        if (asprintf(&name, "%s%s", prefix, t->name) < 0)
            return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the list of tensors", t->file);
        free((char *)(uintptr_t)t->name);
        t->name = name;
    }
    return ITH_OK;
}

/* What is left of the name behind one of n prefixes, number *which; NULL: it begins with none. */
static const char *behind(const char *name, const char *const *prefixes, size_t n, size_t *which)
{
    for (size_t i = 0; i < n; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
            *which = i;
            return name + strlen(prefixes[i]);
        }
    return NULL;
}

/* Renames the tensor if it is the text's. */
static ith_status unwrap_name(ith_tensor *t, ith_error *err)
{
    static const char *const wrapped[] = {"language_model.model.", "language_model.lm_head.",
                                          "model.language_model.", "model.text_model."},
                             *const plain[] = {"model.", "lm_head.", "model.", "model."};
    size_t which;
    const char *rest = behind(t->name, wrapped, sizeof wrapped / sizeof *wrapped, &which);
    char *name;

    if (rest == NULL)
        return ITH_OK;
    if (asprintf(&name, "%s%s", plain[which], rest) < 0)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the list of tensors", t->file);
    free((char *)(uintptr_t)t->name);
    t->name = name;
    return ITH_OK;
}

ith_status ith_tensor_table_unwrap(ith_tensor_table *table, size_t *removed, ith_error *err)
{
    static const char *const others[] = {"vision_tower.",
                                         "multi_modal_projector.",
                                         "model.vision_tower.",
                                         "model.multi_modal_projector.",
                                         "model.embed_vision.",
                                         "model.audio_tower.",
                                         "model.embed_audio.",
                                         "model.vision_model.",
                                         "model.connector.",
                                         "model.image_newline",
                                         "image_newline",
                                         "model.visual.",
                                         "visual.",
                                         "mtp."};
    size_t kept = 0, which;

    for (size_t i = 0; i < table->n; i++)
        ITH_TRY(unwrap_name(&table->items[i], err));
    for (size_t i = 0; i < table->n; i++) {
        const char *name = table->items[i].name;
        if (behind(name, others, sizeof others / sizeof *others, &which) != NULL)
            free((char *)(uintptr_t)name);
        else
            table->items[kept++] = table->items[i];
    }
    *removed = table->n - kept;
    table->n = kept;
    return ITH_OK;
}

/* The layer in a name; -1: none. */
static int64_t layer_of(const char *name)
{
    static const char *const prefixes[] = {"model.layers.", "layers.", "blk."};
    size_t which;
    const char *rest = behind(name, prefixes, sizeof prefixes / sizeof *prefixes, &which);
    char *end;
    long long layer;

    if (rest == NULL || *rest < '0' || *rest > '9')
        return -1;
    layer = strtoll(rest, &end, 10);
    return *end == '.' ? layer : -1;
}

void ith_tensor_table_drop_layers(ith_tensor_table *table, int64_t first, int64_t n,
                                  size_t *removed)
{
    size_t kept = 0;

    for (size_t i = 0; i < table->n; i++) {
        int64_t layer = layer_of(table->items[i].name);
        if (layer >= first && layer < first + n)
            free((char *)(uintptr_t)table->items[i].name);
        else
            table->items[kept++] = table->items[i];
    }
    *removed = table->n - kept;
    table->n = kept;
}

void ith_tensor_table_free(ith_tensor_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->n; i++)
        free((char *)(uintptr_t)table->items[i].name);
    free(table->items);
    free(table->by_name);
    *table = (ith_tensor_table){0};
}

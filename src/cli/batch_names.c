/* batch_names.c - digests of the names, which are sorted to find those that are there twice. */
#include "cli/batch_names.h"

#include "base/checksum.h"
#include "base/grow.h"
#include "openai/request.h"

#include <stdlib.h>

/* The digest of a line's custom_id; *has false: it has none. */
static ith_status read_name(const char *text, size_t len, uint64_t *digest, bool *has,
                            ith_error *err)
{
    json_t *root = NULL;
    const json_t *id;

    *has = false;
    if (!ith_request_is_flat(text, len))
        return ITH_OK;
    if (ith_json_parse(text, len, "a line", &root, err) != ITH_OK)
        return err->status == ITH_E_MEMORY ? err->status : ITH_OK;
    id = json_object_get(root, "custom_id");
    *has = json_string_length(id) > 0;
    if (*has)
        *digest = ith_checksum(json_string_value(id), json_string_length(id));
    json_decref(root);
    return ITH_OK;
}

ith_status ith_batch_names_add(ith_batch_names *names, const char *text, size_t len, int64_t line,
                               ith_error *err)
{
    uint64_t digest;
    bool has;

    ITH_TRY(read_name(text, len, &digest, &has, err));
    if (!has)
        return ITH_OK;
    if (!ith_grow((void **)&names->list, &names->room, names->n + 1, sizeof *names->list))
        return ith_fail(err, ITH_E_MEMORY, "no memory for the names of %zu lines", names->n + 1);
    names->list[names->n++] = (ith_batch_name){digest, line};
    return ITH_OK;
}

static int by_digest(const void *a, const void *b)
{
    const ith_batch_name *x = a, *y = b;

    if (x->digest != y->digest)
        return x->digest < y->digest ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

ith_status ith_batch_names_check(ith_batch_names *names, const char *path, ith_error *err)
{
    const ith_batch_name *first = NULL;

    if (names->n > 0)
        qsort(names->list, names->n, sizeof *names->list, by_digest);
    for (size_t i = 1; i < names->n; i++)
        if (names->list[i - 1].digest == names->list[i].digest &&
            (first == NULL || names->list[i].line < first[1].line))
            first = &names->list[i - 1];
    if (first == NULL)
        return ITH_OK;
    return ith_fail(err, ITH_E_ARGUMENT,
                    "%s: lines %lld and %lld have the same custom_id: their answers could not be "
                    "told apart",
                    path, (long long)first->line, (long long)first[1].line);
}

void ith_batch_names_free(ith_batch_names *names)
{
    free(names->list);
    *names = (ith_batch_names){0};
}

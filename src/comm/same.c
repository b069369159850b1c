/* same.c - checks that all ranks were told the same. */
#include "comm/same.h"

#include "base/checksum.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The list ---- */

void ith_same_text(ith_same *same, const char *name, const char *value)
{
    const char *shown = value != NULL ? value : "not given";
    size_t room = sizeof same->items - (size_t)same->used, n = strlen(name) + 1,
           len = strnlen(shown, ITH_SAME_VALUE);

    same->digest = ith_checksum_more(same->digest, name, n);
    same->digest = ith_checksum_more(same->digest, shown, strlen(shown) + 1);
    if (n + len + 1 > room)
        return;
    memcpy(same->items + same->used, name, n);
    memcpy(same->items + same->used + n, shown, len);
    same->items[(size_t)same->used + n + len] = 0;
    same->used += (int32_t)(n + len + 1);
}

void ith_same_int(ith_same *same, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    ith_same_text(same, name, text);
}

void ith_same_data(ith_same *same, const char *name, const void *data, size_t bytes)
{
    char text[24];
    snprintf(text, sizeof text, "%016" PRIx64, ith_checksum(data, bytes));
    ith_same_text(same, name, text);
}

/* ---- The comparison ---- */

typedef struct item {
    const char *name, *value;
} item;

/* Item at *at; one without a name behind the last. */
static item next_item(const ith_same *same, int32_t *at)
{
    item x = {NULL, "not given"};

    if (*at >= same->used)
        return x;
    x.name = same->items + *at;
    x.value = x.name + strlen(x.name) + 1;
    *at = (int32_t)(x.value - same->items) + (int32_t)strlen(x.value) + 1;
    return x;
}

static ith_status compare(const ith_same *mine, const ith_same *first, ith_error *err)
{
    int32_t i = 0, k = 0;

    while (i < mine->used || k < first->used) {
        item my = next_item(mine, &i), their = next_item(first, &k);
        bool named_alike =
            my.name == NULL || their.name == NULL || strcmp(my.name, their.name) == 0;
        if (!named_alike)
            break;
        if (my.name == NULL || their.name == NULL || strcmp(my.value, their.value) != 0)
            return ith_fail(err, ITH_E_COMM, "%s is %s, and %s on rank 0",
                            my.name != NULL ? my.name : their.name, my.value, their.value);
    }
    if (mine->digest != first->digest)
        return ith_fail(err, ITH_E_COMM, "was told something else than rank 0");
    return ITH_OK;
}

/* Collective: one number, the same on all ranks? */
static bool is_same(ith_comm *comm, uint64_t digest)
{
    int64_t d = (int64_t)(digest >> 1), most = comm->ops->max(comm, d);
    return most == -comm->ops->max(comm, -d);
}

ith_status ith_comm_same(ith_comm *comm, const ith_same *mine, ith_error *err)
{
    ith_same first = *mine;

    if (comm->size == 1 || is_same(comm, mine->digest))
        return ITH_OK;
    comm->ops->bcast(comm, &first, sizeof first, 0);
    return ith_comm_agree(comm, compare(mine, &first, err), err);
}

static ith_status compare_digests(const uint64_t *mine, const uint64_t *first, int64_t n,
                                  ith_same_name name, const void *user, ith_error *err)
{
    for (int64_t i = 0; i < n; i++)
        if (mine[i] != first[i])
            return ith_fail(err, ITH_E_COMM, "%s differs from rank 0's", name(user, i));
    return ITH_OK;
}

ith_status ith_comm_same_digests(ith_comm *comm, const uint64_t *digests, int64_t n,
                                 ith_same_name name, const void *user, ith_error *err)
{
    size_t bytes = (size_t)n * sizeof *digests;
    uint64_t *first;
    ith_status status;

    if (comm->size == 1 || is_same(comm, ith_checksum(digests, bytes)))
        return ITH_OK;
    first = malloc(bytes);
    status = ith_comm_agree_memory(comm, first, "digests to compare", err);
    if (status == ITH_OK) {
        memcpy(first, digests, bytes);
        comm->ops->bcast(comm, first, (int64_t)bytes, 0);
        status = ith_comm_agree(comm, compare_digests(digests, first, n, name, user, err), err);
    }
    free(first);
    return status;
}

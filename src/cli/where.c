/* where.c - prints where pages lie. */
#include "cli/where.h"

#include <stdio.h>
#include <stdlib.h>

#define MIB 1048576.0

ith_status ith_cli_where(const ith_session *session, json_t **where, ith_error *err)
{
    char *text;

    *where = NULL;
    ITH_TRY(ith_session_page_report(session, &text, err));
    if (text != NULL)
        *where = json_loads(text, 0, NULL);
    free(text);
    return ITH_OK;
}

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static double mib(const json_t *node, const char *kind, const char *key)
{
    return number(json_object_get(node, kind), key) / MIB;
}

/* Of the bytes that are in memory. */
static double percent(const json_t *rank, const char *kind, const char *key)
{
    const json_t *sums = json_object_get(rank, kind);
    double bytes = number(sums, "bytes") - number(sums, "absent");
    return bytes > 0 ? 100 * number(sums, key) / bytes : 100;
}

void ith_cli_print_where(const json_t *where)
{
    const json_t *ranks = json_object_get(where, "ranks"), *rank, *node;
    size_t i, j;

    fprintf(stderr, "%4s %4s %7s  %23s  %23s\n%4s %4s %7s  %11s %11s  %11s %11s\n", "", "", "",
            "weights, MiB", "KV cache, MiB", "rank", "node", "threads", "wanted", "found", "wanted",
            "found");
    json_array_foreach (ranks, i, rank) {
        json_array_foreach (json_object_get(rank, "nodes"), j, node)
            fprintf(stderr, "%4.0f %4.0f %7.0f  %11.1f %11.1f  %11.1f %11.1f\n",
                    number(rank, "rank"), number(node, "node"), number(node, "threads"),
                    mib(node, "weights", "wanted"), mib(node, "weights", "found"),
                    mib(node, "kv", "wanted"), mib(node, "kv", "found"));
    }
    json_array_foreach (ranks, i, rank) {
        if (!json_is_true(json_object_get(rank, "known")))
            fprintf(stderr, "rank %zu: the system does not say where pages lie\n", i);
        else
            fprintf(stderr,
                    "rank %zu: weights %.1f%% where wanted, %.1f%% in huge pages; cache %.1f%%, "
                    "%.1f%%\n",
                    i, percent(rank, "weights", "right"), percent(rank, "weights", "huge"),
                    percent(rank, "kv", "right"), percent(rank, "kv", "huge"));
    }
}

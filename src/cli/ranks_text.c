/* ranks_text.c - prints the table of ranks. */
#include "cli/ranks_text.h"

#include <stdio.h>
#include <string.h>

#define GIB 1073741824.0

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL ? value : "";
}

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* "0,1 of 4": the memory nodes beside the rank, and how many the machine has. */
static const char *nodes(const json_t *rank, char to[40])
{
    const json_t *list = json_object_get(rank, "memory_nodes"), *node;
    size_t i, used = 0;

    to[0] = 0;
    json_array_foreach (list, i, node)
        if (used < 24)
            used += (size_t)snprintf(to + used, 40 - used, "%s%d", i > 0 ? "," : "",
                                     (int)json_integer_value(node));
    snprintf(to + used, 40 - used, " of %zu",
             json_array_size(json_object_get(rank, "machine_memory_nodes")));
    return to;
}

/* "eth0, 10 Gbit/s, 9.4 measured" */
static const char *network(const json_t *rank, char to[80])
{
    const json_t *used = json_object_get(rank, "interface");
    double mbps = number(used, "mbps"), measured = number(rank, "measured_mbps");
    int n = snprintf(to, 80, "%.16s", json_is_object(used) ? text(used, "name") : "-");

    if (mbps > 0)
        n += snprintf(to + n, 80 - (size_t)n, ", %.3g Gbit/s", mbps / 1e3);
    if (measured > 0)
        snprintf(to + n, 80 - (size_t)n, ", %.3g Gbit/s measured", measured / 1e3);
    return to;
}

void ith_cli_print_ranks(const json_t *table)
{
    const json_t *ranks = json_object_get(table, "ranks"), *rank;
    char where[40], wire[80];
    size_t i;

    fprintf(stderr, "%4s  %-16s  %7s  %5s  %7s  %8s  %-12s  %8s  %8s  %-17s  %-7s  %s\n", "rank",
            "host", "threads", "cores", "of them", "hardware", "core numbers", "memory", "plan",
            "limited by", "huge", "network");
    fprintf(stderr, "%4s  %-16s  %7s  %5s  %7s  %8s  %-12s  %8s  %8s  %-17s  %-7s  %s\n", "", "",
            "", "", "in all", "threads", "", "GiB", "GiB", "", "pages", "");
    json_array_foreach (ranks, i, rank) {
        fprintf(stderr,
                "%4.0f  %-16s  %7.0f  %5.0f  %7.0f  %8.0f  %-12s  %8.2f  %8.2f  %-17s  %-7s  %s\n",
                number(rank, "rank"), text(rank, "host"), number(rank, "threads"),
                number(rank, "cores"), number(rank, "machine_cores"),
                number(rank, "hardware_threads"), text(rank, "core_list"),
                number(rank, "memory_bytes") / GIB, number(rank, "plan_bytes") / GIB,
                text(rank, "memory_limit"), text(rank, "huge_pages"), network(rank, wire));
        if (json_array_size(json_object_get(rank, "machine_memory_nodes")) > 1)
            fprintf(stderr, "%4s  beside memory node %s\n", "", nodes(rank, where));
    }
}

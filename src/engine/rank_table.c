/* rank_table.c - gathers the table of ranks. */
#include "engine/rank_table.h"

#include "base/json.h"
#include "base/progress.h"
#include "comm/comm_open.h"
#include "comm/network_watch.h"
#include "engine/distribution.h"
#include "engine/sizes.h"

#include <stdio.h>
#include <stdlib.h>

/* The first message opens the connection; the second exceeds what switches and limits of rate pass
 * on at once. */
static const int64_t FIRST = 64 << 10, SECOND = 16 << 20;

/* ---- Network ---- */

/* Everybody's `mine` [bytes] in all [size][bytes]. */
static void gather(ith_comm *comm, void *all, size_t bytes, int64_t *counts)
{
    int64_t *displs = counts + comm->size;

    for (int r = 0; r < comm->size; r++) {
        counts[r] = (int64_t)bytes;
        displs[r] = (int64_t)bytes * r;
    }
    comm->ops->allgatherv(comm, (char *)all + displs[comm->rank], all, counts, displs);
}

static int leader_of(const ith_comm *comm, int node)
{
    int r = 0;

    while (comm->node_of[r] != node)
        r++;
    return r;
}

/* Collective. Sends `bytes` from a rank of each node to one of the next; seconds. */
static double send_round(ith_comm *comm, void *send, void *recv, int64_t *lists, int64_t bytes)
{
    size_t n = (size_t)comm->size;
    ith_alltoall x = {.send = send,
                      .send_counts = lists,
                      .send_displs = lists + n,
                      .recv = recv,
                      .recv_counts = lists + 2 * n,
                      .recv_displs = lists + 3 * n,
                      .most = bytes};
    double start_s;

    for (size_t i = 0; i < 4 * n; i++)
        lists[i] = 0;
    if (comm->node_rank == 0) {
        lists[leader_of(comm, (comm->node + 1) % comm->n_nodes)] = bytes;
        lists[2 * n + (size_t)leader_of(comm, (comm->node + comm->n_nodes - 1) % comm->n_nodes)] =
            bytes;
    }
    comm->ops->barrier(comm);
    start_s = ith_now_s();
    ith_comm_alltoall(comm, &x);
    return ith_now_s() - start_s;
}

/* Collective. Megabits per second; 0 where this rank sends nothing. What is sent does not count as
 * the run's. */
static ith_status measure(ith_comm *comm, double *mbps, ith_error *err)
{
    ith_comm_stats before = comm->stats;
    int64_t *lists = calloc(4 * (size_t)comm->size, sizeof *lists);
    char *buffers = calloc(2, (size_t)SECOND);
    ith_status status = ith_comm_agree_memory(comm, lists != NULL ? (void *)buffers : NULL,
                                              "messages that measure the network", err);
    double seconds;

    if (status == ITH_OK) {
        send_round(comm, buffers, buffers + SECOND, lists, FIRST);
        seconds = send_round(comm, buffers, buffers + SECOND, lists, SECOND);
        *mbps = comm->node_rank == 0 && seconds > 0 ? 8e-6 * (double)SECOND / seconds : 0;
    }
    comm->stats = before;
    free(lists);
    free(buffers);
    return status;
}

/* Collective. Which interface leads to the other machines. */
static ith_status look_at_network(ith_comm *comm, ith_rank_row *row, int64_t *counts,
                                  ith_error *err)
{
    ith_host *hosts = calloc((size_t)comm->size, sizeof *hosts);
    uint8_t address[16];

    ITH_TRY(ith_comm_agree_memory(comm, hosts, "a table of machines", err));
    ith_host_here(&hosts[comm->rank]);
    gather(comm, hosts, sizeof *hosts, counts);
    if (ith_host_connection(hosts, comm->size, address) && ith_interface_with(address, &row->used))
        ith_interface_fastest(&row->fastest);
    free(hosts);
    return ITH_OK;
}

/* ---- Rows ---- */

static void fill_row(const ith_engine *e, const ith_engine_params *p, const ith_store_params *store,
                     ith_rank_row *row)
{
    const ith_comm *comm = e->world->comm;
    ith_store_params all = *store;
    int64_t weights =
        store->cut ? (all.budget = 0, (int64_t)ith_store_needs(e->store, &all)) / comm->node_size
                   : e->info.weight_bytes / comm->domain_size;

    ith_rank_row_here(row, e->topology);
    row->rank = comm->rank;
    row->node = comm->node;
    row->threads = e->info.threads;
    row->memory = ith_engine_memory(e, p);
    row->plan = weights + ith_session_bytes(e);
    row->streamed = store->budget > 0;
    row->streaming = p->distribution == ITH_DISTRIBUTION_STREAMED || p->memory > 0;
    if (p->memory > 0)
        snprintf(row->limit, sizeof row->limit, "--mem");
}

static json_t *interface_json(const ith_interface *i)
{
    return i->name[0] != 0 ? json_pack("{s:s, s:i}", "name", i->name, "mbps", (int)i->mbps)
                           : json_null();
}

static json_t *nodes_json(uint64_t nodes)
{
    json_t *list = json_array();

    for (int i = 0; i < 64; i++)
        if (nodes >> i & 1)
            json_array_append_new(list, json_integer(i));
    return list;
}

static json_t *row_json(const ith_rank_row *r)
{
    char cores[200];

    ith_bits_text(r->core_bits, sizeof r->core_bits, cores, sizeof cores);
    return json_pack(
        "{s:i, s:o, s:i, s:i, s:i, s:i, s:i, s:s, s:o, s:o, s:I, s:I, s:s, s:s, s:o, s:o, s:f}",
        "rank", (int)r->rank, "host", ith_json_c_string(r->host), "machine", (int)r->node,
        "threads", (int)r->threads, "cores", (int)r->cores, "hardware_threads", (int)r->cpus,
        "machine_cores", (int)r->machine_cores, "core_list", cores, "memory_nodes",
        nodes_json(r->near), "machine_memory_nodes", nodes_json(r->all), "memory_bytes",
        (json_int_t)(r->memory > 0 ? r->memory : 0), "plan_bytes", (json_int_t)r->plan,
        "memory_limit", r->limit, "huge_pages", r->huge, "interface", interface_json(&r->used),
        "fastest_interface", interface_json(&r->fastest), "measured_mbps", r->measured_mbps);
}

static void add_line(void *user, const char *line)
{
    json_array_append_new(user, ith_json_c_string(line));
}

static ith_status hand_over(const ith_rank_row *rows, int n, const ith_engine_params *p,
                            ith_error *err)
{
    json_t *ranks = json_array(), *warnings = json_array(), *root;
    char *text;

    for (int i = 0; i < n; i++)
        json_array_append_new(ranks, row_json(&rows[i]));
    ith_rank_check(rows, n, ith_comm_is_started_by_srun(), add_line, warnings);
    root = json_pack("{s:o, s:o}", "ranks", ranks, "warnings", warnings);
    text = root == NULL ? NULL : ith_json_text(root, false);
    json_decref(root);
    if (text == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the table of ranks");
    p->ranks(p->progress_user, text);
    free(text);
    return ITH_OK;
}

static ith_status report(const ith_engine *e, const ith_engine_params *p,
                         const ith_store_params *store, ith_rank_row *rows, int64_t *counts,
                         ith_error *err)
{
    ith_comm *comm = e->world->comm;
    ith_rank_row *mine = &rows[comm->rank];

    fill_row(e, p, store, mine);
    if (comm->n_nodes > 1) {
        if (p->measure_network)
            ITH_TRY(measure(comm, &mine->measured_mbps, err));
        ITH_TRY(look_at_network(comm, mine, counts, err));
    }
    gather(comm, rows, sizeof *rows, counts);
    return ith_comm_agree(comm, comm->rank == 0 ? hand_over(rows, comm->size, p, err) : ITH_OK,
                          err);
}

ith_status ith_rank_table_report(const ith_engine *e, const ith_engine_params *p,
                                 const ith_store_params *store, ith_error *err)
{
    ith_comm *comm = e->world->comm;
    ith_rank_row *rows;
    int64_t *counts;
    ith_status status;

    if (p->ranks == NULL)
        return ITH_OK;
    rows = calloc((size_t)comm->size, sizeof *rows);
    counts = calloc(2 * (size_t)comm->size, sizeof *counts);
    status = ith_comm_agree_memory(comm, counts != NULL ? (void *)rows : NULL, "the table of ranks",
                                   err);
    if (status == ITH_OK)
        status = report(e, p, store, rows, counts, err);
    free(rows);
    free(counts);
    return status;
}

/* page_report.c - reports on which memory nodes the pages of weights and KV cache lie.
 *
 * Each rank asks the kernel where a sample of its pages lies and compares the answer with where
 * the page should be. Rank 0 gathers the results.
 */
#include "base/fpenv.h"
#include "base/grow.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine/session.h"
#include "ithaca_tools.h"

#include <stdlib.h>

enum { SAMPLE_BYTES = 64 << 10, WEIGHTS = 0, KV = 1, KINDS = 2 };

/* A range of memory whose pages belong on one node. */
typedef struct region {
    uintptr_t begin, end;
    int node; /* of the topology; -1: interleaved over all nodes (weights), or any node (cache) */
    int kind;
} region;

/* Bytes of one kind of data: on each memory node, and in all. */
typedef struct tally {
    int64_t wanted[ITH_MAX_MEMORY_NODES], found[ITH_MAX_MEMORY_NODES];
    int64_t bytes;
    int64_t right;  /* on the node where they should be */
    int64_t absent; /* the kernel names no node for them */
    int64_t huge;   /* in huge pages */
} tally;

/* What each rank sends to rank 0. */
typedef struct rank_report {
    int32_t known, n_nodes;
    int32_t os_index[ITH_MAX_MEMORY_NODES], threads[ITH_MAX_MEMORY_NODES];
    tally kinds[KINDS];
} rank_report;

typedef struct survey {
    const ith_topology *topology;
    region *regions;
    size_t n, room;
    int kind; /* of the regions being added */
    bool full;
    rank_report *report;
} survey;

/* ---- On each rank ---- */

static void add_region(void *user, const void *at, size_t bytes, int node)
{
    survey *s = user;
    if (!ith_grow((void **)&s->regions, &s->room, s->n + 1, sizeof *s->regions)) {
        s->full = true;
        return;
    }
    s->regions[s->n++] = (region){(uintptr_t)at, (uintptr_t)at + bytes, node, s->kind};
}

/* Counts where the bytes of a region should be. */
static void want(const survey *s, const region *r, tally *t)
{
    int64_t bytes = (int64_t)(r->end - r->begin);
    int nodes = ith_topology_machine_nodes(s->topology);

    t->bytes += bytes;
    if (r->node >= 0)
        t->wanted[r->node] += bytes;
    for (int i = 0; r->node < 0 && r->kind == WEIGHTS && i < nodes; i++)
        t->wanted[i] += bytes / nodes;
}

/* Asks where the page at `at` lies, and counts `bytes` there. */
static void look(const survey *s, const region *r, uintptr_t at, int64_t bytes, tally *t)
{
    int os_index = ith_topology_locate(s->topology, (const void *)at);
    int node = ith_topology_find(s->topology, os_index);

    if (os_index < 0)
        t->absent += bytes;
    if (node >= 0)
        t->found[node] += bytes;
    if (r->node < 0 ? node >= 0 : node == r->node)
        t->right += bytes;
}

static void look_through(const survey *s, const region *r)
{
    tally *t = &s->report->kinds[r->kind];

    want(s, r, t);
    for (uintptr_t at = r->begin; at < r->end; at += SAMPLE_BYTES)
        look(s, r, at, r->end - at < SAMPLE_BYTES ? (int64_t)(r->end - at) : SAMPLE_BYTES, t);
}

/* Counts the `huge` bytes of a mapping, as far as regions overlap it. Which bytes are in huge pages
 * is unknown, so the first regions count first. */
static void count_huge(void *user, uintptr_t begin, uintptr_t end, size_t huge)
{
    const survey *s = user;

    for (size_t i = 0; huge > 0 && i < s->n; i++) {
        const region *r = &s->regions[i];
        uintptr_t from = r->begin > begin ? r->begin : begin, to = r->end < end ? r->end : end;
        size_t here = from < to ? to - from : 0;
        here = here < huge ? here : huge;
        s->report->kinds[r->kind].huge += (int64_t)here;
        huge -= here;
    }
}

static ith_status survey_rank(const ith_session *session, rank_report *report, ith_error *err)
{
    const ith_engine *e = session->engine;
    survey s = {.topology = e->topology, .report = report};

    ith_store_regions(e->store, add_region, &s);
    s.kind = KV;
    for (int i = 0; i < session->state->n_pools; i++)
        ith_kv_regions(session->state->pools[i], add_region, &s);
    report->n_nodes = ith_topology_machine_nodes(e->topology);
    report->known = ith_topology_locate(e->topology, session->ids) >= 0;
    for (int i = 0; i < report->n_nodes; i++) {
        report->os_index[i] = ith_topology_node(e->topology, i)->os_index;
        if (i < ith_topology_nodes(e->topology))
            report->threads[i] = (int32_t)ith_range_size(
                ith_topology_node_threads(e->topology, ith_team_size(e->team), i));
    }
    for (size_t i = 0; i < s.n; i++)
        look_through(&s, &s.regions[i]);
    ith_mem_each_mapping(count_huge, &s);
    free(s.regions);
    return s.full ? ith_fail(err, ITH_E_MEMORY, "no memory to look up where pages lie") : ITH_OK;
}

/* ---- On rank 0 ---- */

static json_t *pair(const tally *t, int node)
{
    return json_pack("{s:I, s:I}", "wanted", (json_int_t)t->wanted[node], "found",
                     (json_int_t)t->found[node]);
}

static json_t *sums(const tally *t)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "bytes", (json_int_t)t->bytes, "right",
                     (json_int_t)t->right, "absent", (json_int_t)t->absent, "huge",
                     (json_int_t)t->huge);
}

/* Does the rank have threads or memory on that node? */
static bool concerns(const rank_report *r, int node)
{
    bool memory = false;

    for (int kind = 0; kind < KINDS; kind++)
        memory |= r->kinds[kind].wanted[node] > 0 || r->kinds[kind].found[node] > 0;
    return memory || r->threads[node] > 0;
}

static json_t *rank_json(const rank_report *r, int rank)
{
    json_t *nodes = json_array();

    for (int i = 0; i < r->n_nodes; i++)
        if (concerns(r, i))
            json_array_append_new(nodes, json_pack("{s:i, s:i, s:o, s:o}", "node", r->os_index[i],
                                                   "threads", r->threads[i], "weights",
                                                   pair(&r->kinds[WEIGHTS], i), "kv",
                                                   pair(&r->kinds[KV], i)));
    return json_pack("{s:i, s:b, s:o, s:o, s:o}", "rank", rank, "known", r->known, "nodes", nodes,
                     "weights", sums(&r->kinds[WEIGHTS]), "kv", sums(&r->kinds[KV]));
}

static ith_status write_json(const rank_report *reports, int n, char **json, ith_error *err)
{
    json_t *ranks = json_array(), *root;

    for (int i = 0; i < n; i++)
        json_array_append_new(ranks, rank_json(&reports[i], i));
    root = json_pack("{s:o}", "ranks", ranks);
    *json = root == NULL ? NULL : ith_json_text(root, false);
    json_decref(root);
    return *json != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for the page report");
}

ith_status ith_session_page_report(const ith_session *session, char **json, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ith_comm *comm = session->engine->world->comm;
    size_t n = (size_t)comm->size;
    rank_report *reports = calloc(n, sizeof *reports);
    int64_t *counts = calloc(2 * n, sizeof *counts), *displs;
    ith_status status = reports != NULL && counts != NULL
                            ? survey_rank(session, &reports[comm->rank], err)
                            : ith_fail(err, ITH_E_MEMORY, "no memory for the page report");
    *json = NULL;
    status = ith_comm_agree(comm, status, err);
    if (status == ITH_OK) {
        displs = counts + n;
        for (size_t i = 0; i < n; i++) {
            counts[i] = sizeof *reports;
            displs[i] = (int64_t)(i * sizeof *reports);
        }
        comm->ops->allgatherv(comm, &reports[comm->rank], reports, counts, displs);
        if (comm->rank == 0)
            status = write_json(reports, comm->size, json, err);
        status = ith_comm_agree(comm, status, err);
    }
    free(reports);
    free(counts);
    return status;
}

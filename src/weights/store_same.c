/* store_same.c - do all nodes load the same weights? */
#include "comm/same.h"
#include "weights/store_load.h"

#include <stdlib.h>
#include <string.h>

/* Numbers of each rank, gathered. */
typedef struct table {
    size_t n;        /* of a rank */
    uint64_t *all;   /* [ranks][n] */
    uint64_t *node;  /* [n] sums over the ranks of this node */
    int64_t *counts; /* [ranks] bytes, */
    int64_t *displs; /* [ranks] and where they lie */
} table;

static void table_close(table *t)
{
    free(t->all);
    free(t->node);
    free(t->counts);
    free(t->displs);
}

static ith_status table_open(const ith_comm *comm, size_t n, table *t, ith_error *err)
{
    size_t ranks = (size_t)comm->size;

    *t = (table){.n = n,
                 .all = calloc(ranks * n, sizeof *t->all),
                 .node = calloc(n, sizeof *t->node),
                 .counts = calloc(ranks, sizeof *t->counts),
                 .displs = calloc(ranks, sizeof *t->displs)};
    if (t->all == NULL || t->node == NULL || t->counts == NULL || t->displs == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory to compare the weights of %zu ranks", ranks);
    return ITH_OK;
}

/* Collective. */
static void sum_over_node(ith_comm *comm, const uint64_t *mine, table *t)
{
    for (int r = 0; r < comm->size; r++) {
        t->counts[r] = (int64_t)(t->n * sizeof *mine);
        t->displs[r] = r * t->counts[r];
    }
    comm->ops->allgatherv(comm, mine, t->all, t->counts, t->displs);
    for (int r = 0; r < comm->size; r++)
        for (size_t i = 0; comm->node_of[r] == comm->node && i < t->n; i++)
            t->node[i] += t->all[(size_t)r * t->n + i];
}

static const char *entry_name(const void *user, int64_t i)
{
    const ith_store *store = user;
    return store->plan.entries[i].name;
}

static const char *all_weights(const void *user, int64_t i)
{
    (void)user, (void)i;
    return "the sum of all weights";
}

/* Collective: n numbers of each rank, whose sums are equal on all nodes. */
static ith_status compare(const ith_store *store, const uint64_t *mine, size_t n,
                          ith_same_name name, ith_error *err)
{
    table t;
    ith_status status = ith_comm_agree(store->comm, table_open(store->comm, n, &t, err), err);

    if (status == ITH_OK) {
        sum_over_node(store->comm, mine, &t);
        status = ith_comm_same_digests(store->comm, t.node, (int64_t)n, name, store, err);
    }
    table_close(&t);
    return status;
}

/* Collective. Do all nodes make all units equally often? A node with several memory domains makes
 * a copy for each. */
static bool is_comparable(const ith_store *store, const ith_store_params *params)
{
    ith_comm *comm = store->comm;
    int64_t copies = comm->node_size / comm->domain_size;

    if (comm->n_nodes == 1 || params->cut || !ith_store_by_domains(store))
        return false;
    return comm->ops->max(comm, copies) == -comm->ops->max(comm, -copies);
}

ith_status ith_store_load_same(ith_store *store, const ith_store_params *params, ith_team *team,
                               ith_error *err)
{
    size_t n = store->plan.n_entries;
    uint64_t *sums = calloc(n + 1, sizeof *sums), total = 0;
    bool compared = is_comparable(store, params);
    ith_status status = ITH_OK;

    if (sums == NULL)
        status = ith_fail(err, ITH_E_MEMORY, "no memory for the digests of %zu tensors", n);
    else
        status = ith_store_load_share(store, params, team, compared ? sums : NULL, err);
    status = ith_comm_agree(store->comm, status, err);
    for (size_t i = 0; status == ITH_OK && i < n; i++)
        total += sums[i];
    if (status == ITH_OK && compared && compare(store, &total, 1, all_weights, err) != ITH_OK)
        status = compare(store, sums, n, entry_name, err);
    free(sums);
    return status;
}

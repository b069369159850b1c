/* feed_gather.c - the rows of a step that other nodes hold.
 *
 * Extent j of a node's list is sent by the rank that fetched it, number j % (its node's size), to
 * rank number j % (the other node's size) of every other node: all ranks send and receive, and both
 * ends know all messages of a step from its number. Between two ranks extents go in rising order,
 * small ones several in a message: a layer of many experts has many.
 */
#include "weights/feed_gather.h"

#include <stdlib.h>

/* Extents share messages of up to this size. Collecting takes a copy, which does not pay for large
 * ones. */
enum { MESSAGE_BYTES = 256 << 10 };

static int node_size(const ith_node_ranks *n, int node)
{
    return n->first[node + 1] - n->first[node];
}

/* The rank of `node` that fetches extent j of its own list, or receives extent j of another
 * node's. */
static int rank_for(const ith_node_ranks *n, int node, int64_t j)
{
    return n->ranks[n->first[node] + j % node_size(n, node)];
}

/* Counts the extents of a node that its rank `from` sends to rank `to` of another node, and lists
 * them as parcels if out is not NULL. `range`: where the step lies. */
static int64_t list_pair(const ith_feed *f, const ith_extents *extents, int from_node, int from,
                         int to_node, int to, bool send, uint8_t *range, ith_parcel *out)
{
    const ith_node_ranks *nodes = &f->gather.nodes;
    int64_t n = 0;

    for (int64_t j = 0; j < extents->n; j++) {
        const ith_extent *p = &extents->items[j];
        if (rank_for(nodes, from_node, j) != from || rank_for(nodes, to_node, j) != to)
            continue;
        if (out != NULL)
            out[n] =
                (ith_parcel){send ? to : from, range + p->at, p->n * (int64_t)p->entry->unit_bytes};
        n++;
    }
    return n;
}

/* The same for all parcels of a step to (send) or from the nodes at distances 1, 2, ... */
static int64_t list_parcels(const ith_feed *f, int64_t step, bool send, uint8_t *range,
                            ith_parcel *out)
{
    const ith_shards *s = &f->params.shards;
    int me = f->params.comm->rank;
    int64_t n = 0;

    for (int d = 1; d < s->n_nodes; d++) {
        int other = (send ? s->node + d : s->node + s->n_nodes - d) % s->n_nodes;
        for (int i = 0; i < node_size(&f->gather.nodes, other); i++) {
            int rank = f->gather.nodes.ranks[f->gather.nodes.first[other] + i];
            ith_parcel *at = out == NULL ? NULL : out + n;
            n += send ? list_pair(f, ith_feed_extents(f, step, s->node), s->node, me, other, rank,
                                  true, range, at)
                      : list_pair(f, ith_feed_extents(f, step, other), other, rank, s->node, me,
                                  false, range, at);
        }
    }
    return n;
}

int64_t ith_gather_step(ith_feed *f, int64_t step)
{
    ith_gather *g = &f->gather;
    uint8_t *range = ith_feed_address(f, step);
    int64_t n_sends = list_parcels(f, step, true, range, g->sends),
            n_recvs = list_parcels(f, step, false, range, g->recvs), bytes = 0;

    ith_comm_messages(g->side, g->sends, n_sends, g->recvs, n_recvs);
    for (int64_t i = 0; i < n_recvs; i++)
        bytes += g->recvs[i].bytes;
    return bytes;
}

/* ---- Opening ---- */

static ith_status list_nodes(const ith_comm *comm, ith_node_ranks *n, ith_error *err)
{
    int at = 0;

    n->ranks = calloc((size_t)comm->size, sizeof *n->ranks);
    n->first = calloc((size_t)comm->n_nodes + 1, sizeof *n->first);
    if (n->ranks == NULL || n->first == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %d ranks", comm->size);
    for (int node = 0; node < comm->n_nodes; node++) {
        for (int r = 0; r < comm->size; r++)
            if (comm->node_of[r] == node)
                n->ranks[at++] = r;
        n->first[node + 1] = at;
    }
    return ITH_OK;
}

static ith_status make_lists(ith_feed *f, int64_t *longest, ith_error *err)
{
    int64_t sends = 0, recvs = 0;

    *longest = 0;
    ITH_TRY(list_nodes(f->params.comm, &f->gather.nodes, err));
    for (int64_t i = 0; i < f->n_steps; i++) {
        int64_t s = list_parcels(f, i, true, NULL, NULL), r = list_parcels(f, i, false, NULL, NULL);
        sends = s > sends ? s : sends;
        recvs = r > recvs ? r : recvs;
    }
    *longest = sends + recvs;
    f->gather.sends = calloc((size_t)sends + 1, sizeof *f->gather.sends);
    f->gather.recvs = calloc((size_t)recvs + 1, sizeof *f->gather.recvs);
    if (f->gather.sends == NULL || f->gather.recvs == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %lld messages",
                        (long long)(sends + recvs));
    return ITH_OK;
}

ith_status ith_gather_open(ith_feed *f, ith_error *err)
{
    ith_comm *comm = f->params.comm, *side;
    int64_t longest;

    if (!ith_shards_cut(&f->params.shards))
        return ITH_OK;
    ITH_TRY(ith_comm_agree(comm, make_lists(f, &longest, err), err));
    ITH_TRY(comm->ops->side(comm, &f->gather.side, err));
    side = f->gather.side;
    side->joined = MESSAGE_BYTES;
    /* A step's range goes to every other node, or arrives. */
    return ith_comm_agree_memory(
        comm,
        side->ops->messages_open(side, longest, (int64_t)f->params.transit * comm->n_nodes) ? side
                                                                                            : NULL,
        "the messages that gather weights", err);
}

void ith_gather_close(ith_gather *g)
{
    ith_comm_close(g->side);
    free(g->sends);
    free(g->recvs);
    free(g->nodes.ranks);
    free(g->nodes.first);
    *g = (ith_gather){0};
}

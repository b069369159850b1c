/* probe_links.c - measures messages between ranks, by the functions that passes use.
 *
 * alpha and gap: pairs of ranks send each other 1 message, and 17, of 64 bytes, in turns, all pairs
 * at once; between nodes of one rank alpha is a part of the mean time of an all-gather, if that is
 * more. bytes: every rank sends 4 MiB to another one while it receives as much.
 */
#include "tools/probe_links.h"

#include "base/mem.h"
#include "base/progress.h"
#include "tools/simulate.h"

enum { SMALL = 64, FEW = 1, MANY = 17, LARGE = 4 << 20, SMALL_RUNS = 100, LARGE_RUNS = 8 };

typedef struct probe {
    ith_comm *comm;
    uint8_t *out, *in; /* [LARGE] */
    ith_parcel sends[MANY], recvs[MANY];
    int64_t *counts; /* [2 size] of all-gathers */
} probe;

/* Which rank of a node: the one with this node_rank; -1: it has none. */
static int rank_at(const ith_comm *comm, int node, int node_rank)
{
    for (int r = 0; r < comm->size; r++)
        if (comm->node_of[r] == node && node_rank-- == 0)
            return r;
    return -1;
}

static int ranks_of(const ith_comm *comm, int node)
{
    int n = 0;
    for (int r = 0; r < comm->size; r++)
        n += comm->node_of[r] == node;
    return n;
}

/* Of the node that has the fewest. */
static int least_ranks(const ith_comm *comm)
{
    int least = comm->size;
    for (int node = 0; node < comm->n_nodes; node++)
        least = ranks_of(comm, node) < least ? ranks_of(comm, node) : least;
    return least;
}

/* Lists of n messages of `bytes` to and from one rank; -1: none. */
static void list(ith_parcel *parcels, uint8_t *buffer, int rank, int n, int64_t bytes)
{
    for (int i = 0; i < n && rank >= 0; i++)
        parcels[i] = (ith_parcel){rank, buffer + i * SMALL, bytes};
}

static void exchange(probe *p, int to, int from, int n, int64_t bytes)
{
    list(p->sends, p->out, to, n, bytes);
    list(p->recvs, p->in, from, n, bytes);
    ith_comm_messages(p->comm, p->sends, to >= 0 ? n : 0, p->recvs, from >= 0 ? n : 0);
}

/* Seconds until n messages have arrived; 0 where `other` is -1. One of the two ranks sends first,
 * and the other answers. */
static double round_s(probe *p, int other, int n)
{
    double best_s = 1e30;

    if (other < 0)
        return 0;
    for (int i = 0; i < SMALL_RUNS; i++) {
        double start_s = ith_now_s(), s;
        bool first = p->comm->rank < other;
        exchange(p, first ? other : -1, first ? -1 : other, n, SMALL);
        exchange(p, first ? -1 : other, first ? other : -1, n, SMALL);
        s = (ith_now_s() - start_s) / 2;
        best_s = s < best_s ? s : best_s;
    }
    return best_s;
}

/* Bytes per second that this rank sends while it receives as much; 0 where it has no one. All
 * messages but the first count together: a network may let a short burst pass. */
static double stream(probe *p, int to, int from)
{
    double start_s = 0;

    if (to < 0 || from < 0 || to == p->comm->rank)
        return 0;
    for (int i = 0; i < LARGE_RUNS; i++) {
        if (i == 1)
            start_s = ith_now_s();
        exchange(p, to, from, 1, LARGE);
    }
    return LARGE * (LARGE_RUNS - 1.0) / (ith_now_s() - start_s);
}

/* The largest and the smallest value of all ranks, in billionths of 1. */
static double largest(ith_comm *comm, double x)
{
    return (double)comm->ops->max(comm, (int64_t)(x * 1e9)) * 1e-9;
}

static double smallest(ith_comm *comm, double x)
{
    return -(double)comm->ops->max(comm, -(int64_t)x);
}

static ith_machine_link link_of(probe *p, int pair, int to, int from, bool has)
{
    ith_machine_link link = {0};
    double few, many, bytes;

    p->comm->ops->barrier(p->comm);
    few = largest(p->comm, round_s(p, pair, FEW));
    many = largest(p->comm, round_s(p, pair, MANY));
    p->comm->ops->barrier(p->comm);
    bytes = stream(p, to, from);
    bytes = smallest(p->comm, bytes > 0 ? bytes : 1e18);
    if (!has)
        return link;
    link.alpha_s = few;
    link.gap_s = many > few ? (many - few) / (MANY - FEW) : 0;
    link.bytes = bytes;
    return link;
}

/* Mean seconds of an all-gather of few bytes. */
static double gather_s(probe *p)
{
    ith_comm *comm = p->comm;
    double start_s = 0;

    for (int r = 0; r < comm->size; r++) {
        p->counts[r] = SMALL;
        p->counts[comm->size + r] = (int64_t)r * SMALL;
    }
    for (int i = 0; i <= SMALL_RUNS; i++) {
        if (i == 1)
            start_s = ith_now_s();
        comm->ops->allgatherv(comm, p->out, p->in, p->counts, p->counts + comm->size);
    }
    return largest(comm, (ith_now_s() - start_s) / SMALL_RUNS);
}

/* Between nodes of one rank decode waits for all-gathers, which cost more than the messages that
 * they consist of, one after another. */
static double gather_alpha_s(probe *p)
{
    bool twice;
    return gather_s(p) / ith_simulate_gather_messages(p->comm->n_nodes, SMALL, &twice);
}

/* Pairs of neighbours in the node; streams around it. */
static ith_machine_link inside(probe *p)
{
    const ith_comm *c = p->comm;
    int n = c->node_size, i = c->node_rank;
    bool has = false;

    for (int node = 0; node < c->n_nodes; node++)
        has |= ranks_of(c, node) > 1;
    return link_of(p, rank_at(c, c->node, i ^ 1), rank_at(c, c->node, (i + 1) % n),
                   rank_at(c, c->node, (i + n - 1) % n), has);
}

/* The first ranks of neighbouring nodes; streams from all ranks of a node to those of the next. */
static ith_machine_link between(probe *p)
{
    const ith_comm *c = p->comm;
    int n = c->n_nodes, next = (c->node + 1) % n, last = (c->node + n - 1) % n,
        pair = c->node_rank == 0 && (c->node ^ 1) < n ? rank_at(c, c->node ^ 1, 0) : -1;
    bool alike = n > 1 && c->node_rank < least_ranks(c); /* do all nodes have such a rank? */
    ith_machine_link link =
        link_of(p, n > 1 ? pair : -1, alike ? rank_at(c, next, c->node_rank) : -1,
                alike ? rank_at(c, last, c->node_rank) : -1, n > 1);

    if (n > 1 && n == c->size) {
        double alpha_s = gather_alpha_s(p);
        link.alpha_s = alpha_s > link.alpha_s ? alpha_s : link.alpha_s;
    }
    link.bytes *= least_ranks(c);
    return link;
}

ith_status ith_probe_links(ith_comm *comm, ith_probed_links *links, ith_error *err)
{
    probe p = {.comm = comm};
    void *buffer = NULL;
    ith_status status;

    *links = (ith_probed_links){0};
    if (comm->size == 1)
        return ITH_OK;
    status = ith_mem_alloc(ITH_MEM_OTHER,
                           2 * LARGE + (size_t)comm->size * (SMALL + 2 * sizeof *p.counts),
                           "messages to measure", &buffer, err);
    if (status == ITH_OK && !comm->ops->messages_open(comm, 2 * MANY, 2 * LARGE))
        status = ith_fail(err, ITH_E_MEMORY, "no memory for messages");
    status = ith_comm_agree(comm, status, err);
    if (status == ITH_OK) {
        p.counts = buffer;
        p.out = (uint8_t *)buffer + 2 * (size_t)comm->size * sizeof *p.counts;
        p.in = p.out + LARGE; /* and the last block of an all-gather of very many ranks */
        links->inside = inside(&p);
        links->between = between(&p);
    }
    ith_mem_free(buffer);
    return status;
}

/* simulate.c - the schedule of a run: products, attention, barriers and messages, added up. */
#include "tools/simulate.h"

#include "engine/cost.h"
#include "model/traffic.h"

#include <limits.h>
#include <math.h>

/* Of an exchange of slices between nodes, what travels behind attention. */
static const double HIDDEN = 0.5;

/* Chunks lie on a line if they are off by no more than this, of the mean pass. */
static const double STRAIGHT = 1e-4;

enum { GATHERS = 2 }; /* of a block */

static double most(double a, double b)
{
    return a > b ? a : b;
}

double ith_sim_seconds(const ith_sim_time *t)
{
    return t->products + t->attention + t->states + t->memory + t->barriers + t->network +
           t->waiting;
}

static void add(ith_sim_time *sum, const ith_sim_time *t, double times)
{
    sum->products += times * t->products;
    sum->attention += times * t->attention;
    sum->states += times * t->states;
    sum->memory += times * t->memory;
    sum->barriers += times * t->barriers;
    sum->network += times * t->network;
    sum->waiting += times * t->waiting;
    sum->sent += times * t->sent;
}

static int ranks_of(const ith_sim_layout *l)
{
    return l->nodes * l->ranks_per_node;
}

static double threads_of_node(const ith_sim_layout *l)
{
    return (double)l->threads * l->ranks_per_node;
}

/* Steps of a tree, or of doubling, over n. */
static int steps(int n)
{
    int k = 0;
    while (1 << k < n)
        k++;
    return k;
}

/* A pass, and how it runs. */
typedef struct run {
    const ith_sim_model *model;
    const ith_machine *machine;
    const ith_sim_layout *layout;
    int64_t depth, n;
    bool by_rows;
    double tokens; /* of the busiest rank */
} run;

static run run_of(const ith_sim_model *m, const ith_machine *machine, const ith_sim_layout *l,
                  int64_t depth, int64_t n)
{
    run r = {.model = m, .machine = machine, .layout = l, .depth = depth, .n = n};
    r.by_rows = ranks_of(l) > 1 && n <= l->rows_tokens;
    r.tokens = (double)(r.by_rows ? n : ith_mesh_most_slots(l->mesh, n));
    return r;
}

/* ---- Products ---- */

/* Rows of the busiest rank: with equal shares that of rank 0. */
static double rows_of(const run *r, int64_t rows)
{
    const ith_mesh *mesh = r->layout->mesh;
    int64_t largest = 0;

    if (!r->by_rows)
        return (double)rows;
    for (int i = 0; i < (mesh->sums == NULL ? 1 : mesh->ranks); i++)
        largest = ith_max(largest, ith_range_size(ith_mesh_rows(mesh, rows, i)));
    return (double)largest;
}

/* Seconds of matrices that are alike. The ranks of a node work side by side, on its rates. */
static double products_s(const run *r, const ith_sim_product *p)
{
    double used = p->share >= 1 ? 1 : 1 - pow(1 - p->share, r->tokens), tokens;

    if (r->tokens <= 0)
        return 0;
    tokens = most(1, p->share * r->tokens / used);
    return (r->tokens > ITH_SIM_FEW_TOKENS ? 1 / ITH_SIM_PRODUCTS : 1) * r->layout->ranks_per_node *
           (double)p->count * used *
           ith_machine_product_s(r->machine, p->layout, rows_of(r, p->rows), (double)p->cols,
                                 tokens, threads_of_node(r->layout));
}

static double all_products_s(const run *r)
{
    double s = 0;
    for (int i = 0; i < r->model->n_products; i++)
        s += products_s(r, &r->model->products[i]);
    return s;
}

/* ---- Attention ---- */

/* The share of a pass's attention that falls to the busiest rank. By rows the ranks of a group have
 * whole segments of heads; by tokens all have equal shares. */
static double attention_share(const run *r, double keys)
{
    const ith_mesh *mesh = r->layout->mesh;
    double pairs = ceil(keys / ITH_KV_SEGMENT) * mesh->heads;

    if (!r->by_rows || mesh->context == 1)
        return 1.0 / mesh->ranks;
    return ceil(pairs / mesh->context) / pairs / mesh->ulysses;
}

static double attention_s(const run *r)
{
    const ith_sim_model *m = r->model;
    double s = 0;
    ith_key_tile tile;

    if (m->n_keys == 0)
        return 0;
    tile = ith_blocks_key_tile(m->hp, &r->machine->caches, m->kv, (int64_t)r->tokens,
                               r->layout->threads);
    for (int i = 0; i < m->n_keys; i++) {
        const ith_sim_keys *k = &m->keys[i];
        double at_once = (double)ith_min(tile.tokens, r->n),
               unseen = (double)r->n * (at_once - 1 + (r->n > 1 ? ITH_KV_BLOCK : 0)) / 2,
               reach = k->window == 0 ? (double)(r->depth + r->n) : (double)k->window,
               rows = most(1, (double)(k->group > 0 ? k->group : tile.group) * at_once),
               ops =
                   (double)k->layers * k->ops * (ith_keys_seen(k->window, r->depth, r->n) + unseen);

        s += ith_machine_attention_s(r->machine, m->kv,
                                     k->head_dim > 0 ? k->head_dim : tile.head_dim, k->bytes, rows,
                                     ops, threads_of_node(r->layout)) *
             r->layout->ranks_per_node * attention_share(r, reach);
    }
    return s;
}

/* Whole heads are shared among the ranks: some may have none. */
static double states_s(const run *r)
{
    const ith_sim_model *m = r->model;
    ith_machine_rate rate = ith_machine_rates(r->machine, threads_of_node(r->layout));
    double s = 0;

    for (int i = 0; i < m->n_states; i++) {
        const ith_sim_states *of = &m->states[i];
        double heads = (double)of->heads, share = ceil(heads / ranks_of(r->layout)) / heads,
               computing = of->ops * (double)r->n / (ITH_SIM_STATES * rate.float_ops),
               moving = of->bytes / rate.read_bytes;
        s += (double)of->layers * most(computing, moving) * share * r->layout->ranks_per_node;
    }
    return s;
}

/* ---- Messages ---- */

/* One after another, between ranks that are as far apart as any. */
static double message_s(const run *r, double bytes)
{
    const ith_machine_link *link =
        r->layout->nodes > 1 ? &r->machine->between : &r->machine->inside;
    return link->alpha_s + (link->bytes > 0 ? bytes / link->bytes : 0);
}

/* log2(ranks) messages deep: first inside the nodes, then between them. */
static double tree_s(const run *r, double bytes)
{
    const ith_machine_link *in = &r->machine->inside;
    double inside =
        steps(r->layout->ranks_per_node) * (in->alpha_s + (in->bytes > 0 ? bytes / in->bytes : 0));
    return inside + (r->layout->nodes > 1 ? steps(r->layout->nodes) * message_s(r, bytes) : 0);
}

/* The algorithms of Open MPI's MPI_Allgatherv, by the number of ranks and the bytes of each, both
 * below these (ompi/mca/coll/tuned/coll_tuned_decision_fixed.c of Open MPI 4.1). */
typedef enum gathering {
    TOLD,      /* rank 0 gathers, and tells all */
    BRUCK,     /* doubling */
    RING,      /* from neighbour to neighbour */
    NEIGHBOURS /* two by two, in half as many steps; of an odd number as in a ring */
} gathering;

static const struct {
    int ranks;
    double bytes;
    gathering how;
} gatherings[] = {
    {8, 256, TOLD},
    {8, 4096, NEIGHBOURS},
    {8, 8192, RING},
    {8, 16384, NEIGHBOURS},
    {8, 262144, BRUCK},
    {8, INFINITY, NEIGHBOURS},
    {16, 1024, TOLD},
    {16, INFINITY, BRUCK},
    {32, 128, TOLD},
    {32, 262144, BRUCK},
    {32, INFINITY, RING},
    {64, 256, TOLD},
    {64, 8192, BRUCK},
    {64, INFINITY, RING},
    {128, 256, TOLD},
    {128, 4096, BRUCK},
    {128, INFINITY, RING},
    {256, 1024, BRUCK},
    {256, 65536, NEIGHBOURS},
    {256, INFINITY, RING},
    {512, 1024, BRUCK},
    {512, INFINITY, RING},
    {1024, 512, BRUCK},
    {1024, 1024, TOLD},
    {1024, 4096, BRUCK},
    {1024, 1 << 20, NEIGHBOURS},
    {1024, INFINITY, RING},
    {INT_MAX, 4096, BRUCK},
    {INT_MAX, INFINITY, NEIGHBOURS},
};

static gathering gathering_of(int n, double bytes)
{
    size_t i = 0;
    while (n >= gatherings[i].ranks || bytes >= gatherings[i].bytes)
        i++;
    return gatherings[i].how;
}

double ith_simulate_gather_messages(int n, double bytes, bool *twice)
{
    gathering how = gathering_of(n, bytes);

    *twice = n > 2 && how == TOLD;
    if (n == 2)
        return 1;
    switch (how) {
    case TOLD:
        return 1 + steps(n);
    case BRUCK:
        return steps(n);
    case RING:
        break;
    case NEIGHBOURS:
        return n % 2 == 0 ? n / 2 : n - 1;
    }
    return n - 1;
}

/* An all-gather of `bytes` in all. */
static double gather_s(const run *r, double bytes)
{
    const ith_sim_layout *l = r->layout;
    const ith_machine_link *in = &r->machine->inside, *out = &r->machine->between;
    double others = bytes * (l->nodes - 1) / l->nodes, /* that a node receives */
        board = l->ranks_per_node > 1 ? in->alpha_s + (in->bytes > 0 ? bytes / in->bytes : 0) : 0,
           wire = out->bytes > 0 ? others / out->bytes : 0, messages;
    bool twice;

    if (l->nodes == 1)
        return board;
    if (l->ranks_per_node > 1) {
        messages = ceil((double)(l->nodes - 1) / l->ranks_per_node);
        return 2 * board + out->alpha_s + (messages - 1) * out->gap_s + wire;
    }
    messages = ith_simulate_gather_messages(l->nodes, bytes / l->nodes, &twice);
    return messages * out->alpha_s + (twice ? 2 : 1) * wire;
}

static ith_wire wire_of(const run *r)
{
    return (ith_wire){.hp = r->model->hp,
                      .kv = r->model->kv,
                      .quantized = r->model->quantized,
                      .mesh = r->layout->mesh};
}

/* Bytes that all ranks send to one that gathers all of them, itself included. */
static double gathered_bytes(const run *r)
{
    ith_wire wire = wire_of(r);
    ith_mesh mesh = *r->layout->mesh;
    double sent = 0;

    wire.mesh = &mesh;
    for (mesh.rank = 0; mesh.rank < mesh.ranks; mesh.rank++) {
        mesh.u = ith_mesh_u(&mesh, mesh.rank);
        mesh.c = ith_mesh_c(&mesh, mesh.rank);
        sent += (double)ith_traffic_rows(&wire, r->n);
    }
    return sent / (mesh.ranks - 1);
}

/* Two all-gathers a block. Where several ranks share heads, two lists of messages within the group
 * in each layer besides. */
static double rows_network_s(const run *r)
{
    const ith_mesh *mesh = r->layout->mesh;
    double gathers = GATHERS * (double)r->model->blocks, layers = 0, group;

    for (int i = 0; i < r->model->n_keys; i++)
        layers += (double)r->model->keys[i].layers;
    group = mesh->context == 1
                ? 0
                : 2 * layers * (message_s(r, 0) + (mesh->context - 2) * r->machine->between.gap_s);
    return gathers * gather_s(r, gathered_bytes(r) / gathers) + group;
}

/* Of what a rank sends in an all-to-all, what leaves its node. */
static double outside_of(const ith_sim_layout *l)
{
    double ranks = ranks_of(l);
    return (ranks - l->ranks_per_node) / (ranks - 1);
}

static double tokens_network_s(const run *r, double sent)
{
    ith_wire wire = wire_of(r);
    const ith_sim_layout *l = r->layout;
    const ith_machine_link *in = &r->machine->inside, *out = &r->machine->between;
    double outside = outside_of(l), exchanges = (double)r->model->exchanges, s = 0;

    if (l->nodes > 1) {
        double sliced = (double)ith_traffic_sliced(&wire, l->head_slices, r->depth, r->n);
        s += exchanges * (out->alpha_s + (ranks_of(l) - l->ranks_per_node - 1) * out->gap_s);
        s += (sent - HIDDEN * sliced) * outside * l->ranks_per_node /
             (out->bytes > 0 ? out->bytes : INFINITY);
    }
    if (l->ranks_per_node > 1) {
        s += exchanges * (in->alpha_s + (l->ranks_per_node - 2) * in->gap_s);
        s += sent * (1 - outside) / (in->bytes > 0 ? in->bytes : INFINITY);
    }
    return s;
}

/* ---- Passes ---- */

static double barriers_s(const run *r)
{
    int64_t each = ranks_of(r->layout) > 1 ? ITH_SIM_BARRIERS_RANKS : ITH_SIM_BARRIERS;
    return (double)(each * r->model->blocks) *
           ith_machine_barrier_s(r->machine, r->layout->threads);
}

/* What fetching takes longer than the rest of the pass. A node's link carries what its ranks send
 * too. */
static double waiting_s(const run *r, const ith_sim_time *t, double gathered, double read)
{
    const ith_machine *m = r->machine;
    const ith_sim_layout *l = r->layout;
    double carried = gathered > 0 ? gathered + t->sent * outside_of(l) * l->ranks_per_node : 0,
           network = carried > 0 && m->between.bytes > 0 ? carried / m->between.bytes : 0,
           disk = read > 0 && m->disk_bytes > 0 ? read / m->disk_bytes : 0;
    return most(0, most(network, disk) - ith_sim_seconds(t));
}

static ith_sim_time pass_time(const run *r)
{
    double read = ith_machine_rates(r->machine, threads_of_node(r->layout)).read_bytes;
    ith_sim_time t = {.products = all_products_s(r),
                      .attention = attention_s(r),
                      .states = states_s(r),
                      .memory = r->layout->ranks_per_node * r->tokens * r->model->activation_bytes /
                                (ITH_SIM_ACTIVATIONS * read),
                      .barriers = barriers_s(r)};

    if (ranks_of(r->layout) > 1) {
        ith_wire wire = wire_of(r);
        t.sent = (double)(r->by_rows ? ith_traffic_rows(&wire, r->n)
                                     : ith_traffic_ulysses(&wire, r->depth, r->n));
        t.network = r->by_rows ? rows_network_s(r) : tokens_network_s(r, t.sent);
    }
    return t;
}

ith_sim_time ith_simulate_pass(const ith_sim_model *model, const ith_machine *machine,
                               const ith_sim_layout *layout, int64_t depth, int64_t n)
{
    run r = run_of(model, machine, layout, depth, n);
    ith_sim_time t = pass_time(&r);

    /* By rows a node reads the rows that it holds. */
    t.waiting = waiting_s(&r, &t, r.by_rows ? 0 : layout->gathered, layout->read);
    return t;
}

/* A prompt's whole chunks. */
typedef struct prompt {
    const ith_sim_model *model;
    const ith_machine *machine;
    const ith_sim_layout *layout;
    int64_t from;
    double off; /* seconds that a chunk on a line may be off */
} prompt;

static ith_sim_time chunk_of(const prompt *p, int64_t i)
{
    int64_t n = p->layout->chunk;
    return ith_simulate_pass(p->model, p->machine, p->layout, p->from + i * n, n);
}

/* Chunks [first, first + n): all of them, or if they lie on a line as many of the first as of the
 * last. Else each half by itself. */
static void add_chunks(const prompt *p, int64_t first, int64_t n, ith_sim_time *sum)
{
    ith_sim_time begin, middle, end;
    double line;

    if (n <= ITH_SIM_CHUNKS) {
        for (int64_t i = first; i < first + n; i++) {
            begin = chunk_of(p, i);
            add(sum, &begin, 1);
        }
        return;
    }
    begin = chunk_of(p, first);
    middle = chunk_of(p, first + n / 2);
    end = chunk_of(p, first + n - 1);
    line = ith_sim_seconds(&begin) +
           (ith_sim_seconds(&end) - ith_sim_seconds(&begin)) * (double)(n / 2) / (double)(n - 1);
    if (fabs(ith_sim_seconds(&middle) - line) <= p->off) {
        add(sum, &begin, (double)n / 2);
        add(sum, &end, (double)n / 2);
    } else {
        add_chunks(p, first, n / 2, sum);
        add_chunks(p, first + n / 2, n - n / 2, sum);
    }
}

ith_sim_time ith_simulate_prompt(const ith_sim_model *model, const ith_machine *machine,
                                 const ith_sim_layout *layout, int64_t from, int64_t to)
{
    prompt p = {.model = model, .machine = machine, .layout = layout, .from = from};
    int64_t chunks = (to - from) / layout->chunk, rest = (to - from) % layout->chunk;
    ith_sim_time sum = {0}, t;

    if (chunks > ITH_SIM_CHUNKS) {
        ith_sim_time first = chunk_of(&p, 0), last = chunk_of(&p, chunks - 1);
        p.off = STRAIGHT * (ith_sim_seconds(&first) + ith_sim_seconds(&last)) / 2;
    }
    add_chunks(&p, 0, chunks, &sum);
    if (rest > 0) {
        t = ith_simulate_pass(model, machine, layout, to - rest, rest);
        add(&sum, &t, 1);
    }
    return sum;
}

ith_sim_time ith_simulate_logits(const ith_sim_model *model, const ith_machine *machine,
                                 const ith_sim_layout *layout)
{
    run r = run_of(model, machine, layout, 0, 1);
    const ith_machine_link *link = layout->nodes > 1 ? &machine->between : &machine->inside;
    double bytes = 4 * (double)model->hp->n_vocab, ranks = ranks_of(layout);
    ith_sim_time t = {0};

    r.by_rows = ranks > 1;
    t.products = products_s(&r, &model->output);
    if (ranks > 1)
        t.network = link->alpha_s + (ranks - 2) * link->gap_s +
                    bytes * (ranks - 1) / ranks / (link->bytes > 0 ? link->bytes : INFINITY);
    return t;
}

ith_sim_time ith_simulate_token(const ith_sim_model *model, const ith_machine *machine,
                                const ith_sim_layout *layout, int64_t depth)
{
    run r = run_of(model, machine, layout, depth, 1);
    ith_sim_time t = pass_time(&r), logits = ith_simulate_logits(model, machine, layout);

    add(&t, &logits, 1);
    if (ranks_of(layout) > 1)
        t.network += ITH_SIM_AGREEMENTS * tree_s(&r, 8) + ITH_SIM_BROADCASTS * tree_s(&r, 8);
    t.waiting = waiting_s(&r, &t, 0, layout->read_token);
    return t;
}

/* ---- Counts ---- */

int64_t ith_simulate_gathers(const ith_sim_model *model)
{
    return GATHERS * model->blocks;
}

int64_t ith_simulate_collectives(const ith_sim_model *model)
{
    return ith_simulate_gathers(model) + ITH_SIM_AGREEMENTS + ITH_SIM_BROADCASTS + 1;
}

/* simulate.c - the schedule of a run: products, attention, barriers and messages, added up. */
#include "tools/simulate.h"

#include "engine/cost.h"
#include "model/traffic.h"

#include <math.h>

/* In bytes: below, Open MPI gathers by Bruck's algorithm, above in a ring
 * (ompi/mca/coll/tuned/coll_tuned_decision_fixed.c of Open MPI 4.0). */
static const double BRUCK_MOST = 50000;

/* Of an exchange between nodes, what travels behind attention. */
static const double HIDDEN = 0.5;

enum { EXCHANGES = 3, GATHERS = 2 }; /* of a block */

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
 * whole segments of heads; by tokens all have equal parts. */
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
    double s = 0, sum = 0;
    ith_key_tile tile;

    if (m->n_keys == 0)
        return 0;
    tile = ith_blocks_key_tile(m->hp, &r->machine->caches, m->kv, (int64_t)r->tokens,
                               r->layout->threads);
    for (int i = 0; i < m->n_keys; i++) {
        const ith_sim_keys *k = &m->keys[i];
        double unseen = (double)r->n *
                        ((double)(tile.tokens < r->n ? tile.tokens : r->n) - 1 +
                         (r->n > 1 ? ITH_KV_BLOCK : 0)) /
                        2,
               last = (double)(r->depth + r->n), reach = k->window == 0 ? last : (double)k->window,
               rows =
                   most(1, (double)tile.group * (double)(tile.tokens < r->n ? tile.tokens : r->n)),
               ops =
                   (double)k->layers * k->ops * (ith_keys_seen(k->window, r->depth, r->n) + unseen);

        sum = ith_machine_attention_s(r->machine, m->kv, tile.head_dim,
                                      k->bytes / (double)m->hp->n_kv_heads, rows, ops,
                                      threads_of_node(r->layout));
        s += sum * r->layout->ranks_per_node * attention_share(r, reach);
    }
    return s;
}

static double states_s(const run *r)
{
    const ith_sim_model *m = r->model;
    ith_machine_rate rate = ith_machine_rates(r->machine, threads_of_node(r->layout));
    double computing = m->state_ops * (double)r->n / (ITH_SIM_STATES * rate.float_ops),
           moving = m->state_bytes / rate.read_bytes;
    return most(computing, moving) / r->layout->nodes;
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

/* An all-gather of `bytes` in all. */
static double gather_s(const run *r, double bytes)
{
    const ith_sim_layout *l = r->layout;
    const ith_machine_link *in = &r->machine->inside, *out = &r->machine->between;
    double others = bytes * (l->nodes - 1) / l->nodes, /* that a node receives */
        board = l->ranks_per_node > 1 ? in->alpha_s + (in->bytes > 0 ? bytes / in->bytes : 0) : 0,
           wire = out->bytes > 0 ? others / out->bytes : 0;
    int messages;

    if (l->nodes == 1)
        return board;
    if (l->ranks_per_node > 1) {
        messages = (l->nodes - 1 + l->ranks_per_node - 1) / l->ranks_per_node;
        return 2 * board + out->alpha_s + (messages - 1) * out->gap_s + wire;
    }
    messages = bytes < BRUCK_MOST || l->nodes == 2 ? steps(l->nodes) : l->nodes - 1;
    return messages * out->alpha_s + wire;
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

/* Blocks that send by tokens: those with keys, and those with states, which send likewise. */
static double tokens_network_s(const run *r)
{
    ith_wire wire = wire_of(r);
    const ith_sim_layout *l = r->layout;
    const ith_machine_link *in = &r->machine->inside, *out = &r->machine->between;
    double ranks = ranks_of(l), sent = (double)ith_traffic_ulysses(&wire, r->depth, r->n),
           outside = (ranks - l->ranks_per_node) / (ranks - 1),
           exchanges = EXCHANGES * (double)r->model->hp->n_layers, s = 0;
    bool hides = l->mesh->heads >= 2 && l->mesh->context == 1;

    if (l->nodes > 1) {
        s += exchanges * (out->alpha_s + (ranks - l->ranks_per_node - 1) * out->gap_s);
        s += (hides ? 1 - HIDDEN : 1) * sent * outside * l->ranks_per_node /
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

/* What fetching takes longer than the rest of the pass. */
static double waiting_s(const run *r, double seconds, double gathered, double read)
{
    const ith_machine *m = r->machine;
    double network = gathered > 0 && m->between.bytes > 0 ? gathered / m->between.bytes : 0,
           disk = read > 0 && m->disk_bytes > 0 ? read / m->disk_bytes : 0;
    return most(0, most(network, disk) - seconds);
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

    if (ranks_of(r->layout) > 1)
        t.network = r->by_rows ? rows_network_s(r) : tokens_network_s(r);
    return t;
}

ith_sim_time ith_simulate_pass(const ith_sim_model *model, const ith_machine *machine,
                               const ith_sim_layout *layout, int64_t depth, int64_t n)
{
    run r = run_of(model, machine, layout, depth, n);
    ith_sim_time t = pass_time(&r);

    /* By rows a node reads the rows that it holds. */
    t.waiting = waiting_s(&r, ith_sim_seconds(&t), r.by_rows ? 0 : layout->gathered, layout->read);
    return t;
}

ith_sim_time ith_simulate_prompt(const ith_sim_model *model, const ith_machine *machine,
                                 const ith_sim_layout *layout, int64_t from, int64_t to)
{
    int64_t chunks = (to - from) / layout->chunk, rest = (to - from) % layout->chunk,
            shown = chunks < ITH_SIM_CHUNKS ? chunks : ITH_SIM_CHUNKS;
    ith_sim_time sum = {0};

    for (int64_t i = 0; i < shown; i++) {
        /* The middle of a part of the chunks, less half a chunk. */
        int64_t depth = from + ((2 * i + 1) * chunks - shown) * layout->chunk / (2 * shown);
        ith_sim_time t = ith_simulate_pass(model, machine, layout, depth, layout->chunk);
        add(&sum, &t, (double)chunks / (double)shown);
    }
    if (rest > 0) {
        ith_sim_time t = ith_simulate_pass(model, machine, layout, to - rest, rest);
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
    t.waiting = waiting_s(&r, ith_sim_seconds(&t), 0, layout->read_token);
    return t;
}

/* ---- Counts ---- */

int64_t ith_simulate_sent(const ith_sim_model *model, const ith_sim_layout *layout, int64_t from,
                          int64_t to)
{
    ith_wire wire = {
        .hp = model->hp, .kv = model->kv, .quantized = model->quantized, .mesh = layout->mesh};
    int64_t sent = 0;

    for (int64_t n; from < to; from += n) {
        n = ith_min(to - from, layout->chunk);
        sent += n <= layout->rows_tokens ? ith_traffic_rows(&wire, n)
                                         : ith_traffic_ulysses(&wire, from, n);
    }
    return sent;
}

int64_t ith_simulate_gathers(const ith_sim_model *model)
{
    return GATHERS * model->blocks;
}

int64_t ith_simulate_collectives(const ith_sim_model *model)
{
    return ith_simulate_gathers(model) + ITH_SIM_AGREEMENTS + ITH_SIM_BROADCASTS + 1;
}

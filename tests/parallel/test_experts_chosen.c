/* RANKS: 1 3, long: 2 4
 *
 * test_experts_chosen.c - streamed experts are read only when they are chosen.
 *
 * The bits are those of replicated weights. A token reads no more than the experts it is routed to,
 * a pass of the prompt reads what the plan says, and a pack that is damaged meanwhile is an error
 * on all ranks. On one node, and with the ranks on nodes of 1 and 2.
 */
#include "tests/needle.h"

#include "engine/session.h"
#include "weights/produce.h"
#include "weights/store_impl.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYNTHETIC "synthetic:tests/models/experts/config.json:q8_0"

enum { PROMPT = 130, DECODED = 12, WARM = 2, CTX = 256, CHUNK = 60, TEXT = 100, PASSES = 5 };

static ith_engine_params params_of(const char *model, ith_distribution distribution, int64_t memory)
{
    ith_engine_params params = ith_engine_params_default();
    params.model = model;
    params.threads = 2;
    params.ctx = CTX;
    params.chunk = CHUNK;
    params.distribution = distribution;
    params.memory = memory;
    return params;
}

static bool is_streamed(const ith_engine *engine)
{
    return strncmp(engine->info.distribution, "streamed", 8) == 0 &&
           engine->store->residence.steps.transit > 0;
}

/* Streamed: with the least memory that works, and up to `more`. What the process already takes
 * counts against the limit and changes from one opening to the next, so less is given until some
 * weights are streamed. */
static ith_engine *open_engine(const char *model, ith_distribution distribution, int64_t more)
{
    const int64_t mib = 1 << 20, step = mib / 4;
    bool streamed = distribution == ITH_DISTRIBUTION_STREAMED, found = false;
    int64_t memory = streamed ? 8 * mib : 0;
    ith_engine *engine;
    ith_error err;

    for (;;) {
        ith_engine_params params = params_of(model, distribution, found ? memory + more : memory);
        ith_status status = ith_engine_open(world, &params, &engine, &err);
        must(status == ITH_OK || (status == ITH_E_MEMORY && memory > 0 && memory < 1 << 30),
             "open the engine", &err);
        if (status == ITH_OK && (!streamed || more == 0))
            return engine;
        if (status == ITH_OK && found && is_streamed(engine))
            return engine;
        if (status == ITH_OK)
            ith_engine_close(engine);
        if (status == ITH_OK && found)
            more -= step;
        else if (status != ITH_OK)
            memory += mib;
        found |= status == ITH_OK;
    }
}

/* By all ranks of this node so far. */
static int64_t read_by_node(const ith_engine *e)
{
    ith_comm *comm = world->comm;
    int64_t mine = ith_store_count(e->store, ITH_NO_LAYER).read, sum = 0;

    for (int layer = 0; layer < e->info.n_layers; layer++)
        mine += ith_store_count(e->store, layer).read;
    for (int r = 0; r < comm->size; r++) {
        int64_t theirs = mine;
        comm->ops->bcast(comm, &theirs, sizeof theirs, r);
        sum += comm->node_of[r] == comm->node ? theirs : 0;
    }
    return sum;
}

/* Bytes that this node reads, on average. */
typedef struct readings {
    int64_t pass;  /* in a second pass of the prompt */
    int64_t token; /* per token of the answer */
} readings;

/* Prefills two passes, the second several times, and a rest, decodes; the digest is rank 0's. */
static readings answer(ith_engine *e, char sha[65])
{
    ith_session *session;
    ith_error err;
    int64_t before;
    readings r;

    must(ith_session_open(e, &session, &err) == ITH_OK, "open a session", &err);
    must(ith_session_prefill(session, ids, CHUNK, &err) == ITH_OK, "prefill", &err);
    before = read_by_node(e);
    for (int i = 0; i < PASSES; i++) {
        must(ith_session_truncate(session, CHUNK, &err) == ITH_OK, "truncate", &err);
        must(ith_session_prefill(session, ids + CHUNK, CHUNK, &err) == ITH_OK, "prefill", &err);
    }
    r.pass = (read_by_node(e) - before) / PASSES;
    must(ith_session_prefill(session, ids + 2 * CHUNK, PROMPT - 2 * CHUNK, &err) == ITH_OK,
         "prefill", &err);
    for (int i = 0; i < DECODED; i++) {
        if (i == WARM)
            before = read_by_node(e);
        must(ith_session_decode(session, ids[PROMPT + i], &err) == ITH_OK, "decode", &err);
    }
    r.token = (read_by_node(e) - before) / (DECODED - WARM);
    if (ith_world_rank(world) == 0)
        ith_session_logits_sha256(session, sha);
    ith_session_close(session);
    return r;
}

/* Whenever bytes are counted, the feed may have read ahead, or not yet: up to what the transit
 * holds. */
static double ahead(const ith_engine *e)
{
    return (double)e->store->residence.steps.transit;
}

/* Bytes, as stored, that this node reads if nothing is on a shelf: of all streamed experts, or of
 * all other streamed weights. */
static double streamed(const ith_engine *e, bool experts)
{
    const ith_load_plan *plan = ith_store_load_plan(e->store);
    ith_shards shards = ith_shards_of(world->comm, &e->mesh, true);
    double bytes = 0;
    bool packed;

    for (size_t i = 0; i < plan->n_entries; i++) {
        const ith_entry *x = &plan->entries[i];
        if (x->streamed && (x->expert != ITH_NO_EXPERT) == experts && x->matrix != e->model->embed)
            bytes += (double)ith_stored_bytes(x, 0, x->n_units, &packed) *
                     (double)ith_shard_bytes(&shards, x, shards.node) / (double)ith_entry_bytes(x);
    }
    return bytes;
}

static void check_readings(const ith_engine *e, readings r)
{
    const ith_experts_params *x = &e->model->hp.experts;
    double all = streamed(e, true), others = streamed(e, false),
           most = 1.02 * (others + all * (double)x->used / (double)x->n);
    char text[TEXT];

    snprintf(text, sizeof text, "a token reads %lld bytes, a pass %lld; of %.0f and %.0f",
             (long long)r.token, (long long)r.pass, all, others);
    must((double)r.token <= most + ahead(e) / (DECODED - WARM), text, NULL);

    /* The plan's figure is that of the node that holds most. */
    if (world->comm->n_nodes == 1)
        must(e->streamed.read_chosen <= most, "so does a token of the plan", NULL);

    /* A pass by ulysses gathers all weights, also those that stay on other nodes. */
    if (world->comm->n_nodes == 1) {
        must((double)r.pass <= 1.02 * e->streamed.read + ahead(e) / PASSES,
             "a pass reads no more than the plan says", NULL);
        must((double)r.pass >= 0.7 * e->streamed.read - ahead(e) / PASSES, "nor much less", NULL);
    }
}

static void check_streamed(const char *model, int64_t more, const char *nodes, const char *want)
{
    ith_engine *e = open_engine(model, ITH_DISTRIBUTION_STREAMED, more / world->comm->node_size);
    char got[65] = "", text[TEXT];
    readings r = answer(e, got);

    must(is_streamed(e), "it is streamed", NULL);
    check_readings(e, r);
    ith_engine_close(e);
    snprintf(text, sizeof text, "experts chosen: %lld KiB more than the least, node: %s",
             (long long)more >> 10, nodes);
    if (ith_world_rank(world) != 0)
        return;
    must(strcmp(got, want) == 0, text, NULL);
    printf("ok %s\n", text);
}

static void check_sharded(const char *model, const char *nodes, const char *want)
{
    ith_engine *e = open_engine(model, ITH_DISTRIBUTION_SHARDED, 0);
    char got[65] = "";

    answer(e, got);
    ith_engine_close(e);
    must(ith_world_rank(world) != 0 || strcmp(got, want) == 0, "sharded", NULL);
    if (ith_world_rank(world) == 0)
        printf("ok experts chosen: sharded, node: %s\n", nodes);
}

/* Runs with the ranks on nodes of `ranks_per_node`; NULL: as they are. The first world stays open
 * and keeps MPI running. */
static void on_nodes(const char *ranks_per_node, const char *model, const char *want)
{
    const char *nodes = ranks_per_node == NULL ? "a machine" : ranks_per_node;
    ith_world *first = world;
    ith_error err;

    if (ranks_per_node != NULL)
        setenv("ITHACA_RANKS_PER_NODE", ranks_per_node, 1);
    must(ith_world_open(&world, &err) == ITH_OK, "open a world", &err);
    check_streamed(model, 0, nodes, want);
    check_streamed(model, 3 << 19, nodes, want);
    check_sharded(model, nodes, want);
    ith_world_close(world);
    unsetenv("ITHACA_RANKS_PER_NODE");
    world = first;
}

static void make_pack(const char *path)
{
    ith_pack_params params = ith_pack_params_default();
    ith_error err;

    params.model = SYNTHETIC;
    params.output = path;
    params.force = true;
    must(ith_world_rank(world) != 0 || ith_pack(&params, NULL, &err) == ITH_OK, "make a pack",
         &err);
}

/* Zeros where the first half of the tiles were. */
static void damage(const char *pack)
{
    static const uint8_t zeros[4096];
    int fd = open(pack, O_WRONLY);
    off_t half = lseek(fd, 0, SEEK_END) / 2;

    must(fd >= 0, "open the pack", NULL);
    for (off_t at = sizeof zeros; at < half; at += sizeof zeros)
        must(pwrite(fd, zeros, sizeof zeros, at) == sizeof zeros, "damage the pack", NULL);
    close(fd);
}

/* Between two tokens. */
static void damaged_meanwhile(const char *pack)
{
    ith_engine *e = open_engine(pack, ITH_DISTRIBUTION_STREAMED, 0);
    ith_session *session;
    ith_status status = ITH_OK;
    ith_error err;

    must(ith_session_open(e, &session, &err) == ITH_OK, "open a session", &err);
    must(ith_session_prefill(session, ids, 3, &err) == ITH_OK, "prefill", &err);
    world->comm->ops->barrier(world->comm);
    if (ith_world_rank(world) == 0)
        damage(pack);
    world->comm->ops->barrier(world->comm);
    for (int i = 0; i < DECODED && status == ITH_OK; i++)
        status = ith_session_decode(session, ids[i], &err);
    must(status == ITH_E_FORMAT, "a pack that is damaged is an error", NULL);
    must(strstr(err.text, pack) != NULL && strstr(err.text, "damaged: tensor") != NULL &&
             strchr(err.text, '\n') == NULL,
         "of one line that names it", &err);
    ith_session_close(session);
    ith_engine_close(e);
    if (ith_world_rank(world) == 0)
        printf("ok experts chosen: a pack that is damaged between two tokens\n");
}

int main(void)
{
    char want[65] = "", pack[64];
    ith_engine *e;

    if (!open_needle())
        return 1;
    snprintf(pack, sizeof pack, "build/tmp/experts-chosen-%d.ith", ith_world_size(world));
    make_pack(pack);
    e = open_engine(SYNTHETIC, ITH_DISTRIBUTION_REPLICATED, 0); /* waits for rank 0 */
    answer(e, want);
    ith_engine_close(e);
    on_nodes(NULL, pack, want);
    if (ith_world_size(world) > 1)
        on_nodes("1", pack, want);
    if (ith_world_size(world) > 2)
        on_nodes("2", pack, want);
    damaged_meanwhile(pack);
    if (ith_world_rank(world) == 0)
        unlink(pack);
    ith_world_close(world);
    return 0;
}

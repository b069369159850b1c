/* RANKS: 1 2 3 4
 *
 * Wherever the weights are, the bits are those of weights that stay: the needle model sharded, and streamed under tight budgets from the files and
 * from frames in memory, on one node and with the ranks on nodes of 1 and 2 ranks, prefilled, decoded and scored.
 */
#include "tests/needle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DECODED = 3, CTX = 1100, CHUNK = 400 };

static ith_engine_params params_of(ith_placement placement, int64_t memory, ith_offload offload)
{
    ith_engine_params params = ith_engine_params_default();
    params.model = NEEDLE_MODEL;
    params.threads = 2;
    params.ctx = CTX;
    params.chunk = CHUNK;
    params.memory = memory;
    params.placement = placement;
    params.offload = offload;
    return params;
}

/* Digests after a prefill and some decoding, and after scoring; on rank 0. */
static void digests(ith_engine *engine, char decoded[65], char scored[65])
{
    static float nll[MAX_IDS];
    ith_session *session;
    ith_error err;

    must(ith_session_open(engine, &session, &err) == ITH_OK, "open a session", &err);
    must(ith_session_prefill(session, ids, n_ids - DECODED, &err) == ITH_OK, "prefill", &err);
    for (size_t i = n_ids - DECODED; i < n_ids; i++)
        must(ith_session_decode(session, ids[i], &err) == ITH_OK, "decode", &err);
    if (ith_world_rank(world) == 0)
        ith_session_logits_sha256(session, decoded);
    ith_session_close(session);
    must(ith_session_open(engine, &session, &err) == ITH_OK, "open a session", &err);
    must(ith_session_score(session, ids, 40, nll, &err) == ITH_OK, "score", &err);
    if (ith_world_rank(world) == 0)
        ith_session_logits_sha256(session, scored);
    ith_session_close(session);
}

/* Opens it with the least budget that works, found by asking for more and more: what the process itself takes by now counts. */
static ith_engine *open_tight(ith_offload offload, int64_t *memory)
{
    for (*memory = 8 << 20;; *memory += 1 << 20) {
        ith_engine_params params = params_of(ITH_PLACE_STREAMED, *memory, offload);
        ith_engine *engine;
        ith_error err;
        ith_status status = ith_engine_open(world, &params, &engine, &err);
        if (status == ITH_OK)
            return engine;
        must(status == ITH_E_MEMORY && strstr(err.text, "--mem") != NULL, "too little memory is an error of its own",
             &err);
        must(*memory < (int64_t)1 << 30, "some budget works", NULL);
    }
}

typedef struct expected {
    char decoded[65], scored[65];
} expected;

/* Closes the engine. */
static void compare(ith_engine *engine, const char *placement, const char *what, const expected *want)
{
    char decoded[65] = "", scored[65] = "";

    must(strncmp(ith_engine_get_info(engine)->placement, placement, strlen(placement)) == 0, "it is placed so", NULL);
    digests(engine, decoded, scored);
    ith_engine_close(engine);
    if (ith_world_rank(world) != 0)
        return;
    must(strcmp(decoded, want->decoded) == 0 && strcmp(scored, want->scored) == 0, what, NULL);
    printf("ok placement: %s\n", what);
}

static ith_engine *open_engine(ith_placement placement)
{
    ith_engine_params params = params_of(placement, 0, ITH_OFFLOAD_DISK);
    ith_engine *engine;
    ith_error err;

    must(ith_engine_open(world, &params, &engine, &err) == ITH_OK, "open the engine", &err);
    return engine;
}

/* The ranks as nodes of so many; 0: as they are. The world that was opened first keeps MPI running. */
static void check_on_nodes(const char *ranks_per_node, const expected *want)
{
    ith_world *first = world;
    char what[100];
    int64_t memory;
    ith_error err;

    if (ranks_per_node != NULL)
        setenv("ITHACA_RANKS_PER_NODE", ranks_per_node, 1);
    must(ith_world_open(&world, &err) == ITH_OK, "open a world", &err);
    const char *nodes = ranks_per_node == NULL ? "a machine" : ranks_per_node;
    snprintf(what, sizeof what, "sharded, node: %s", nodes);
    compare(open_engine(ITH_PLACE_SHARDED), "sharded", what, want);
    snprintf(what, sizeof what, "streamed from the files, node: %s", nodes);
    compare(open_tight(ITH_OFFLOAD_DISK, &memory), "streamed", what, want);
    snprintf(what, sizeof what, "streamed from the files past the page cache, node: %s", nodes);
    compare(open_tight(ITH_OFFLOAD_DIRECT, &memory), "streamed", what, want);
    snprintf(what, sizeof what, "streamed from frames in memory, node: %s", nodes);
    compare(open_tight(ITH_OFFLOAD_RAM, &memory), "streamed", what, want);
    ith_world_close(world);
    unsetenv("ITHACA_RANKS_PER_NODE");
    world = first;
}

int main(void)
{
    expected want = {"", ""};
    ith_engine *engine;

    if (!open_needle())
        return 1;
    engine = open_engine(ITH_PLACE_REPLICATED);
    digests(engine, want.decoded, want.scored);
    ith_engine_close(engine);
    check_on_nodes(NULL, &want);
    if (ith_world_size(world) > 1)
        check_on_nodes("1", &want);
    if (ith_world_size(world) > 2)
        check_on_nodes("2", &want);
    ith_world_close(world);
    return 0;
}

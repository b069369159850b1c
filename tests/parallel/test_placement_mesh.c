/* RANKS: 3 5 6 7
 *
 * Weights cut among nodes of 1, 2 and 3 ranks, on rank counts that divide neither rows nor heads, under meshes with R > 1: of the needle
 * model's 4 KV heads 3, 5 and 7 ranks share 1 group and 6 ranks 2 (1 if asked). The prompt has several segments, so that the ranks of a group
 * hold some each. The bits are those of weights that stay.
 */
#include "tests/needle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COPIES = 2, DECODED = 3, CTX = COPIES * MAX_IDS, CHUNK = 700 };

static ith_engine *open_engine(ith_placement placement, const char *mesh)
{
    ith_engine_params params = ith_engine_params_default();
    ith_engine *engine;
    ith_error err;

    params.model = NEEDLE_MODEL;
    params.threads = 1;
    params.ctx = CTX;
    params.chunk = CHUNK;
    params.placement = placement;
    params.mesh = mesh;
    must(ith_engine_open(world, &params, &engine, &err) == ITH_OK, "open the engine", &err);
    return engine;
}

/* Of the logits after a prompt and some tokens decoded; on rank 0. Closes the engine. */
static void digest(ith_engine *engine, char sha[65])
{
    static int32_t all[COPIES * MAX_IDS];
    const size_t n = COPIES * n_ids;
    ith_session *session;
    ith_error err;

    for (size_t i = 0; i < n; i++)
        all[i] = ids[i % n_ids];
    must(ith_session_open(engine, &session, &err) == ITH_OK, "open a session", &err);
    must(ith_session_prefill(session, all, n - DECODED, &err) == ITH_OK, "prefill", &err);
    for (size_t i = n - DECODED; i < n; i++)
        must(ith_session_decode(session, all[i], &err) == ITH_OK, "decode", &err);
    if (ith_world_rank(world) == 0)
        ith_session_logits_sha256(session, sha);
    ith_session_close(session);
    ith_engine_close(engine);
}

/* The world that was opened first keeps MPI running. */
static void check(const char *ranks_per_node, const char *mesh, const char *want)
{
    ith_world *first = world;
    char got[65] = "", what[100];
    ith_engine *engine;
    ith_error err;

    setenv("ITHACA_RANKS_PER_NODE", ranks_per_node, 1);
    must(ith_world_open(&world, &err) == ITH_OK, "open a world", &err);
    engine = open_engine(ITH_PLACE_SHARDED, mesh);
    must(strncmp(ith_engine_get_info(engine)->placement, "sharded over", 12) == 0, "it is cut among nodes", NULL);
    snprintf(what, sizeof what, "sharded, nodes of %s, mesh %s", ranks_per_node, mesh != NULL ? mesh : "by default");
    digest(engine, got);
    ith_world_close(world);
    unsetenv("ITHACA_RANKS_PER_NODE");
    world = first;
    if (ith_world_rank(world) != 0)
        return;
    must(strcmp(got, want) == 0, what, NULL);
    printf("ok placement_mesh: %s\n", what);
}

int main(void)
{
    static const char *const ranks_per_node[] = {"1", "2", "3"};
    char want[65] = "";
    int ranks;

    if (!open_needle())
        return 1;
    ranks = ith_world_size(world);
    digest(open_engine(ITH_PLACE_REPLICATED, NULL), want);
    for (int i = 0; i < 3; i++)
        if (i + 1 < ranks) { /* more than one node */
            check(ranks_per_node[i], NULL, want);
            if (ranks == 6)
                check(ranks_per_node[i], "1x6", want);
        }
    ith_world_close(world);
    return 0;
}

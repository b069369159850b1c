/* RANKS: 3 5 6, long: 7
 *
 * test_distribution_mesh.c - sharded weights on nodes of 1, 2 and 3 ranks give the bits of
 * replicated weights, under meshes with R > 1.
 *
 * The rank counts divide neither rows nor heads: of the needle model's 4 KV heads, 3, 5 and 7 ranks
 * share 1 group, and 6 ranks share 2 (1 if asked). The prompt has several segments, so each rank of
 * a group holds some.
 */
#include "tests/needle.h"

enum { COPIES = 2, DECODED = 3, CTX = COPIES * MAX_IDS, CHUNK = 700 };

static ith_engine *open_engine(ith_distribution distribution, const char *mesh)
{
    ith_engine_params params = ith_engine_params_default();

    params.model = NEEDLE_MODEL;
    params.threads = 1;
    params.ctx = CTX;
    params.chunk = CHUNK;
    params.distribution = distribution;
    params.mesh = mesh;
    return must_open(&params);
}

/* Of the logits after a prompt and some tokens decoded; on rank 0. Closes the engine. */
static void digest(ith_engine *engine, char sha[65])
{
    size_t n;
    const int32_t *all = copies_of_ids(COPIES, &n);

    sha_after(engine, all, n, DECODED, sha);
    ith_engine_close(engine);
}

static void check(const char *ranks_per_node, const char *mesh, const char *want)
{
    ith_world *first = begin_nodes(ranks_per_node);
    char got[65] = "", what[100];
    ith_engine *engine = open_engine(ITH_DISTRIBUTION_SHARDED, mesh);

    must(strncmp(ith_engine_get_info(engine)->distribution, "sharded over", 12) == 0,
         "it is cut among nodes", NULL);
    snprintf(what, sizeof what, "sharded, nodes of %s, mesh %s", ranks_per_node,
             mesh != NULL ? mesh : "by default");
    digest(engine, got);
    end_nodes(first);
    if (ith_world_rank(world) != 0)
        return;
    must(strcmp(got, want) == 0, what, NULL);
    printf("ok distribution_mesh: %s\n", what);
}

int main(void)
{
    static const char *const ranks_per_node[] = {"1", "2", "3"};
    char want[65] = "";
    int ranks;

    if (!open_needle())
        return 1;
    ranks = ith_world_size(world);
    digest(open_engine(ITH_DISTRIBUTION_REPLICATED, NULL), want);
    for (int i = 0; i < 3; i++)
        if (i + 1 < ranks) {
            check(ranks_per_node[i], NULL, want);
            if (ranks == 6)
                check(ranks_per_node[i], "1x6", want);
        }
    ith_world_close(world);
    return 0;
}

/* RANKS: 1 3, long: 2 4
 *
 * test_distribution.c - every weight distribution gives the bits of replicated weights.
 *
 * The needle model is sharded, and streamed under tight budgets from the files and from frames in
 * memory, on one node and with the ranks on nodes of 1 and 2 ranks. It is prefilled, decoded and
 * scored.
 */
#include "tests/needle.h"

enum { DECODED = 3, CTX = 1100, CHUNK = 400 };

static ith_engine_params params_of(ith_distribution distribution, ith_offload offload)
{
    ith_engine_params params = ith_engine_params_default();
    params.model = NEEDLE_MODEL;
    params.threads = 2;
    params.ctx = CTX;
    params.chunk = CHUNK;
    params.distribution = distribution;
    params.offload = offload;
    return params;
}

/* Digests after a prefill and some decoding, and after scoring; on rank 0. */
static void digests(ith_engine *engine, char decoded[65], char scored[65])
{
    static float nll[MAX_IDS];
    ith_session *session;
    ith_error err;

    sha_after(engine, ids, n_ids, DECODED, decoded);
    session = must_open_session(engine);
    must(ith_session_score(session, ids, 40, nll, &err) == ITH_OK, "score", &err);
    sha_of(session, scored);
    ith_session_close(session);
}

typedef struct expected {
    char decoded[65], scored[65];
} expected;

/* Closes the engine. */
static void compare(ith_engine *engine, const char *distribution, const char *what,
                    const expected *want)
{
    char decoded[65] = "", scored[65] = "";

    must(strncmp(ith_engine_get_info(engine)->distribution, distribution, strlen(distribution)) ==
             0,
         "the weights are distributed so", NULL);
    digests(engine, decoded, scored);
    ith_engine_close(engine);
    if (ith_world_rank(world) != 0)
        return;
    must(strcmp(decoded, want->decoded) == 0 && strcmp(scored, want->scored) == 0, what, NULL);
    printf("ok distribution: %s\n", what);
}

static ith_engine *open_engine(ith_distribution distribution)
{
    ith_engine_params params = params_of(distribution, ITH_OFFLOAD_DISK);
    return must_open(&params);
}

static ith_engine *open_tight(ith_offload offload)
{
    static int64_t least[ITH_OFFLOAD_RAM + 1];
    return must_open_tight(params_of(ITH_DISTRIBUTION_STREAMED, offload), &least[offload]);
}

/* The ranks as nodes of so many; NULL: as they are. */
static void check_on_nodes(const char *ranks_per_node, const expected *want)
{
    const char *nodes = ranks_per_node == NULL ? "a machine" : ranks_per_node;
    ith_world *first = begin_nodes(ranks_per_node);
    char what[100];

    snprintf(what, sizeof what, "sharded, node: %s", nodes);
    compare(open_engine(ITH_DISTRIBUTION_SHARDED), "sharded", what, want);
    snprintf(what, sizeof what, "streamed from the files, node: %s", nodes);
    compare(open_tight(ITH_OFFLOAD_DISK), "streamed", what, want);
    snprintf(what, sizeof what, "streamed from the files past the page cache, node: %s", nodes);
    compare(open_tight(ITH_OFFLOAD_DIRECT), "streamed", what, want);
    snprintf(what, sizeof what, "streamed from frames in memory, node: %s", nodes);
    compare(open_tight(ITH_OFFLOAD_RAM), "streamed", what, want);
    end_nodes(first);
}

int main(void)
{
    expected want = {"", ""};
    ith_engine *engine;

    if (!open_needle())
        return 1;
    engine = open_engine(ITH_DISTRIBUTION_REPLICATED);
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

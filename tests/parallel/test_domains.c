/* RANKS: 1 2 4
 *
 * test_domains.c - memory nodes change where things lie and which thread takes which segment, never
 * a bit.
 *
 * The needle model runs on recorded machines with several memory nodes, with ranks that may run
 * anywhere and with ranks bound to one node each. Bound ranks share a copy of the weights on their
 * node if memory allows.
 */
#include "base/json.h"
#include "tests/needle.h"

/* Five segments of the cache, more than there are nodes, so that dealing them in turn wraps. */
enum { COPIES = 5, DECODED = 4, CTX = 5100 };

static ith_engine *open_placed(const char *machine, const char *cpus, int threads, int64_t memory,
                               ith_distribution distribution)
{
    ith_engine_params params = ith_engine_params_default();

    setenv("ITHACA_TOPOLOGY", machine, 1);
    setenv("ITHACA_CPUS", cpus, 1);
    params.model = NEEDLE_MODEL;
    params.threads = threads;
    params.ctx = CTX;
    params.memory = memory;
    params.distribution = distribution;
    return must_open(&params);
}

static ith_engine *open_on(const char *machine, const char *cpus, int threads, int64_t memory)
{
    return open_placed(machine, cpus, threads, memory, ITH_DISTRIBUTION_REPLICATED);
}

/* Digest on rank 0 after COPIES of the prompt, the last DECODED tokens one by one. */
static void digest(ith_engine *engine, char sha[65])
{
    ith_session *session = must_open_session(engine);

    for (int i = 0; i < COPIES; i++)
        must_prefill(session, ids, i + 1 < COPIES ? n_ids : n_ids - DECODED);
    for (size_t i = n_ids - DECODED; i < n_ids; i++)
        must_decode(session, ids[i]);
    sha_of(session, sha);
    ith_session_close(session);
}

/* `distribution`: what the engine says of it holds this. */
static void check(const char *what, const char *expected, const char *distribution,
                  ith_engine *engine)
{
    char sha[65] = "";

    digest(engine, sha);
    must(strstr(ith_engine_get_info(engine)->distribution, distribution) != NULL, distribution,
         NULL);
    ith_engine_close(engine);
    if (ith_world_rank(world) != 0)
        return;
    must(strcmp(sha, expected) == 0, what, NULL);
    printf("ok domains: %s\n", what);
}

/* Half of the ranks beside each of two nodes. */
static void ranks_bound_to_nodes(const char *expected)
{
    static const char two[] = "numa:2 core:2 pu:1";
    const char *cpus = ith_world_rank(world) < ith_world_size(world) / 2 ? "0-1" : "2-3";

    check("a copy of the weights for each node", expected, "per memory node",
          open_on(two, cpus, 1, 0));
    check("one for the machine if memory is short", expected, "per machine",
          open_on(two, cpus, 1, 1));
}

/* Bytes that should lie on each of two nodes; the first rank of a machine counts them for both. */
static void wanted(ith_engine *engine, int64_t on[2])
{
    ith_session *session = must_open_session(engine);
    ith_error err;
    char *text;

    must(ith_session_page_report(session, &text, &err) == ITH_OK, "ask where weights lie", &err);
    json_t *root = text == NULL ? NULL : json_loads(text, 0, NULL), *node;
    size_t i;
    json_array_foreach (json_object_get(json_array_get(json_object_get(root, "ranks"), 0), "nodes"),
                        i, node) {
        int64_t number = json_integer_value(json_object_get(node, "node"));
        on[number] =
            json_integer_value(json_object_get(json_object_get(node, "weights"), "wanted"));
    }
    json_decref(root);
    free(text);
    ith_session_close(session);
}

/* Four ranks on two machines, each bound to one memory node. Of the shard that the machine holds
 * and of the layer being fetched, each node has the rows of its rank. Of the rows that come from
 * the other machine, each has half. */
static void sharded_over_machines(const char *expected)
{
    static const char two[] = "numa:2 core:2 pu:1";
    const char *cpus = ith_world_rank(world) % 2 == 0 ? "0-1" : "2-3";
    ith_world *first = begin_nodes("2");
    int64_t on[2] = {0, 0};
    ith_engine *engine = open_placed(two, cpus, 1, 0, ITH_DISTRIBUTION_SHARDED);
    wanted(engine, on);
    if (ith_world_rank(world) == 0) {
        must(on[0] > 0 && on[1] > on[0] / 100 * 95 && on[0] > on[1] / 100 * 95,
             "each node has its rank's rows", NULL);
        printf("ok domains: each node has its rank's rows\n");
    }
    check("sharded over machines of two nodes", expected, "sharded", engine);
    end_nodes(first);
}

int main(void)
{
    char expected[65] = "";
    ith_engine *engine;

    if (!open_needle())
        return 1;
    engine = open_on("core:2 pu:1", "0-1", 2, 0);
    digest(engine, expected);
    ith_engine_close(engine);
    check("threads beside two nodes", expected, "per machine",
          open_on("numa:2 core:2 pu:1", "0-3", 4, 0));
    check("beside four, not as many threads as cores", expected, "per machine",
          open_on("numa:4 core:2 pu:1", "0-7", 5, 0));
    check("beside eight, fewer threads than nodes", expected, "per machine",
          open_on("numa:8 core:1 pu:1", "0-7", 3, 0));
    if (ith_world_size(world) > 1)
        ranks_bound_to_nodes(expected);
    if (ith_world_size(world) == 4)
        sharded_over_machines(expected);
    ith_world_close(world);
    return 0;
}

/* RANKS: 1 2 3 4
 *
 * test_plan.c - a plan says what the engine takes: mesh, and weights, workspace and cache of the
 * needle model within 5%, and so with what ranks send; what they tell each other for a token.
 */
#include "tests/needle.h"

#include "base/json.h"
#include "base/mem.h"
#include "engine/session.h"
#include "tools/ranks.h"
#include "tools/simulate.h"

#include <stdlib.h>
#include <string.h>

enum { CTX = 2048, THREADS = 2 };

static double of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static void near(const char *what, double planned, double taken)
{
    if (planned < 0.95 * taken || planned > 1.05 * taken)
        printf("# %s: planned %.0f, taken %.0f bytes\n", what, planned, taken);
    must(planned >= 0.95 * taken && planned <= 1.05 * taken, what, NULL);
}

/* What the store holds, once for all ranks of the machine. */
static void near_stored(const ith_session *session, double planned)
{
    ith_error err;
    char *text;
    double stored = 0;
    size_t i;
    json_t *root, *rank;

    must(ith_session_page_report(session, &text, &err) == ITH_OK, "look where weights lie", &err);
    if (text == NULL)
        return;
    root = json_loads(text, 0, NULL);
    free(text);
    json_array_foreach (json_object_get(root, "ranks"), i, rank) {
        stored += of(json_object_get(rank, "weights"), "bytes");
    }
    json_decref(root);
    near("weights that are stored", planned, stored);
}

static json_t *plan(const ith_engine_params *engine)
{
    ith_estimate_params params = {.engine = *engine,
                                  .nodes = 1,
                                  .ranks_per_node = ith_world_size(world),
                                  .read_gbps = 10,
                                  .integer_gops = 1000};
    ith_error err;
    char *text;
    json_t *root;

    must(ith_estimate(&params, &text, &err) == ITH_OK, "plan", &err);
    root = json_loads(text, 0, NULL);
    free(text);
    return root;
}

static int64_t n_reductions;
static const ith_comm_ops *real_ops;

static int64_t counted_max(ith_comm *comm, int64_t value)
{
    n_reductions++;
    return real_ops->max(comm, value);
}

/* A prompt of the whole context. */
static void prefilled(ith_session *session, const json_t *prefill)
{
    const ith_comm *comm = world->comm;
    int32_t prompt[CTX];
    int64_t before;
    ith_error err;

    for (int i = 0; i < CTX; i++)
        prompt[i] = ids[(size_t)i % n_ids];
    must(ith_session_truncate(session, 0, &err) == ITH_OK, "truncate", &err);
    before = ith_bench_ranks_sent(comm);
    must_prefill(session, prompt, CTX);
    if (comm->size > 1 && comm->rank == 0 && session->engine->mesh.context == 1)
        near("bytes of a prompt", of(prefill, "sent_bytes"),
             (double)(ith_bench_ranks_sent(comm) - before));
}

/* A token that is decoded: all-gathers and bytes of rank 0 as planned. */
static void decoded(ith_session *session, const json_t *decode)
{
    ith_comm *comm = world->comm;
    ith_comm_ops counting = *comm->ops;
    ith_comm_stats before = comm->stats;
    ith_error err;
    int64_t sent;

    must(ith_session_truncate(session, CTX - 1, &err) == ITH_OK, "truncate", &err);
    real_ops = comm->ops;
    counting.max = counted_max;
    comm->ops = &counting;
    must(ith_session_decode(session, 7, &err) == ITH_OK, "decode", &err);
    comm->ops = real_ops;
    sent = comm->stats.allgather_sent - before.allgather_sent + comm->stats.message_sent -
           before.message_sent;
    if (comm->size == 1)
        return;
    must(comm->stats.allgather_calls - before.allgather_calls == (int64_t)of(decode, "gathers"),
         "all-gathers of a token", NULL);
    /* Here it tells the ids, and in ith_generate the choice with them. */
    must(comm->stats.bcast_calls - before.bcast_calls == ITH_SIM_BROADCASTS,
         "broadcasts of a token", NULL);
    must(n_reductions == ITH_SIM_AGREEMENTS, "agreements of a token", NULL);
    if (ith_world_rank(world) == 0 && session->engine->mesh.context == 1)
        must(sent == (int64_t)of(decode, "sent_bytes"), "bytes of a token", NULL);
}

int main(void)
{
    ith_engine_params params = ith_engine_params_default();
    ith_engine *engine;
    ith_session *session;
    json_t *planned;
    const json_t *memory;

    if (!open_needle())
        return 1;
    params.model = NEEDLE_MODEL;
    params.ctx = CTX;
    params.threads = THREADS;
    planned = plan(&params);
    memory = json_object_get(planned, "memory");
    engine = must_open(&params);
    session = must_open_session(engine);
    for (int i = 0; i < 2; i++) /* into the last segment */
        must_prefill(session, ids, n_ids);
    must_prefill(session, ids, CTX - 2 * n_ids);

    near("workspace", of(memory, "rank_workspace_bytes"),
         (double)ith_mem_in_use(ITH_MEM_ACTIVATIONS));
    if (CTX % (1024 * ith_world_size(world)) == 0) /* else some ranks hold a segment more */
        near("cache", of(memory, "rank_kv_bytes"), (double)ith_mem_in_use(ITH_MEM_KV));
    near("weights", of(memory, "node_weights_bytes"),
         (double)ith_engine_get_info(engine)->weight_bytes);
    near_stored(session, of(memory, "node_weights_bytes"));
    must(strcmp(json_string_value(json_object_get(planned, "mesh")),
                ith_engine_get_info(engine)->mesh) == 0,
         "mesh", NULL);
    must(strncmp(json_string_value(json_object_get(planned, "distribution")),
                 ith_engine_get_info(engine)->distribution, 8) == 0,
         "distribution", NULL);
    prefilled(session, json_object_get(planned, "prefill"));
    decoded(session, json_object_get(planned, "decode"));
    must(of(planned, "prefill_s") > 0 && of(planned, "decode_tps") > 0, "times", NULL);
    if (ith_world_rank(world) == 0)
        printf("ok plan: what the engine takes\n");
    json_decref(planned);
    ith_session_close(session);
    ith_engine_close(engine);
    ith_world_close(world);
    return 0;
}

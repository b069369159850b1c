/* RANKS: 2 3 5
 *
 * test_same.c - a rank whose arguments differ from rank 0's is named, on all ranks, and none waits.
 */
#include "tests/needle.h"

#include "comm/same.h"
#include "engine/world.h"
#include "ithaca_tools.h"

static int last(void)
{
    return ith_world_size(world) - 1;
}

static bool is_last(void)
{
    return ith_world_rank(world) == last();
}

/* Collective: the call failed on every rank, and the text has the rank that differs and `what`. */
static void must_differ(ith_status status, const ith_error *err, const char *what)
{
    char rank[24];

    snprintf(rank, sizeof rank, "rank %d: ", last());
    must(status == ITH_E_COMM, what, NULL);
    must(strncmp(err->text, rank, strlen(rank)) == 0 && strstr(err->text, what) != NULL, what, err);
    world->comm->ops->barrier(world->comm);
    if (ith_world_rank(world) == 0)
        printf("ok the ranks differ in %s\n", what);
}

/* ---- Lists ---- */

static void lists_of_other_lengths(void)
{
    static const char *const names[] = {"one", "two"}, *const values[] = {"a", "b"};
    ith_error err = {0};

    must_differ(ith_world_same(world, names, values, is_last() ? 1 : 2, &err), &err,
                "two is not given, and b on rank 0");
    must_differ(ith_world_same(world, names, values, is_last() ? 2 : 1, &err), &err,
                "two is b, and not given on rank 0");
    must(ith_world_same(world, names, values, 2, &err) == ITH_OK, "the same", &err);
}

/* The difference is behind what an error shows, and behind what a list holds. */
static void long_values(void)
{
    static char text[2 * ITH_SAME_BYTES];
    const char *name = "a long value", *value = text;
    ith_error err = {0};

    memset(text, 'x', sizeof text - 1);
    must(ith_world_same(world, &name, &value, 1, &err) == ITH_OK, "long, the same", &err);
    text[sizeof text - 2] = is_last() ? 'y' : 'x';
    must_differ(ith_world_same(world, &name, &value, 1, &err), &err, "something else than rank 0");
}

/* ---- Parameters of a probe: each would have ranks wait for each other at different places ---- */

static void probes(void)
{
    const ith_machine_probe_params other = {
        .threads = 1, .seconds = is_last() ? 0.01 : 0, .buffer = 1 << 20};
    const ith_machine_probe_params larger = {.threads = 1, .buffer = is_last() ? 2 << 20 : 1 << 20};
    const ith_machine_probe_params disk = {
        .threads = 1, .buffer = 1 << 20, .disk = is_last() ? "here" : NULL};
    ith_error err = {0};
    char *json;

    must_differ(ith_machine_probe(world, &other, &json, &err), &err,
                "the time of each figure is 0.01, and 0 on rank 0");
    must_differ(ith_machine_probe(world, &larger, &json, &err), &err,
                "the buffer is 2097152, and 1048576 on rank 0");
    must_differ(ith_machine_probe(world, &disk, &json, &err), &err,
                "the disk is measured, and not measured on rank 0");
}

/* ---- Parameters of an engine ---- */

typedef void (*change_fn)(ith_engine_params *params);

static bool go_on(void *user, const char *what, int64_t done, int64_t total)
{
    (void)user, (void)what, (void)done, (void)total;
    return true;
}

#define CHANGE(name, statement)                                                                    \
    static void name(ith_engine_params *params)                                                    \
    {                                                                                              \
        statement;                                                                                 \
    }
CHANGE(other_model, params->model = "tests/models/needle-qwen3/")
CHANGE(other_quant, params->quant = ITH_QUANT_W4)
CHANGE(other_kv, params->kv = ITH_KV_BF16)
CHANGE(other_stats, params->stats = "none")
CHANGE(is_exact, params->exact = true)
CHANGE(other_ctx, params->ctx = 100)
CHANGE(other_chunk, params->chunk = 16)
CHANGE(is_streamed, params->distribution = ITH_DISTRIBUTION_STREAMED)
CHANGE(other_offload, params->offload = ITH_OFFLOAD_RAM)
CHANGE(other_rope, params->rope_scaling = "linear:2")
CHANGE(other_mesh, params->mesh = "1x1")
CHANGE(other_shares, params->shares = "1,2")
CHANGE(by_rows, params->prefill = ITH_PREFILL_ROWS)
CHANGE(pairwise, params->exchange = ITH_EXCHANGE_PAIRWISE)
CHANGE(other_slices, params->head_slices = 2)
CHANGE(shows, params->progress = go_on)

static const struct {
    change_fn change;
    const char *what;
} changes[] = {
    {other_model, "the model is"},
    {other_quant, "the quantization is 1, and 5"},
    {other_kv, "the type of the KV cache is"},
    {other_stats, "the file of statistics is none, and not given"},
    {is_exact, "exact is 1, and 0"},
    {other_ctx, "the context is 100, and 256"},
    {other_chunk, "the chunk is 16, and 64"},
    {is_streamed, "the weight distribution is"},
    {other_offload, "the offload is"},
    {other_rope, "the scaling of rotary positions is linear:2"},
    {other_mesh, "the mesh is 1x1"},
    {other_shares, "the list of shares is 1,2"},
    {by_rows, "the way of prefill is"},
    {pairwise, "the exchange is"},
    {other_slices, "the number of head slices is"},
    {shows, "the progress function is given"},
};

static ith_engine_params small_params(void)
{
    ith_engine_params params = ith_engine_params_default();

    params.model = NEEDLE_MODEL;
    params.threads = 1;
    params.ctx = 256;
    params.chunk = 64;
    return params;
}

static void parameters(void)
{
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        ith_engine_params params = small_params();
        ith_engine *engine;
        ith_error err = {0};

        if (is_last())
            changes[i].change(&params);
        must_differ(ith_engine_open(world, &params, &engine, &err), &err, changes[i].what);
        must(engine == NULL, "no engine", NULL);
    }
}

/* Threads are each rank's own, and one rank may leave their number open. */
static void threads(void)
{
    ith_engine_params params = small_params();

    params.threads = is_last() ? 0 : 2;
    ith_engine_close(must_open(&params));
    if (ith_world_rank(world) == 0)
        printf("ok one rank chooses its threads\n");
}

/* ---- Sessions and answers ---- */

static void generation(ith_engine *e, ith_session *s)
{
    ith_generate_params params = ith_generate_params_default(e), other;
    ith_generation out;
    ith_error err = {0};

    params.max_tokens = 3;
    other = params;
    other.max_tokens = 0;
    must_differ(ith_generate(s, is_last() ? &other : &params, &out, &err), &err,
                "the longest answer in tokens is 0, and 3");
    ith_generation_free(&out);
    other = params;
    other.max_draft = 4;
    must_differ(ith_generate(s, is_last() ? &other : &params, &out, &err), &err,
                "max_draft is 4, and 0");
    ith_generation_free(&out);
    must(ith_generate(s, &params, &out, &err) == ITH_OK, "the session still answers", &err);
    ith_generation_free(&out);
}

static void truncation(ith_session *s)
{
    ith_error err = {0};

    must_differ(ith_session_truncate(s, is_last() ? 4 : 5, &err), &err,
                "the length to truncate to is 4, and 5");
}

static void keeping(ith_session *s)
{
    ith_keep_params keep = {.cache = is_last() ? "build/tmp/a" : "build/tmp/b"};
    ith_error err = {0};

    must_differ(ith_session_keep(s, &keep, &err), &err, "the folder of the prompt cache is");
}

int main(void)
{
    ith_engine_params params = small_params();
    ith_engine *engine;
    ith_session *session;

    if (!open_needle())
        return 1;
    lists_of_other_lengths();
    long_values();
    probes();
    parameters();
    threads();
    engine = must_open(&params);
    session = must_open_session(engine);
    keeping(session);
    must_prefill(session, ids, 10);
    generation(engine, session);
    truncation(session);
    ith_session_close(session);
    ith_engine_close(engine);
    ith_world_close(world);
    return 0;
}

/* RANKS: 1 2 3
 *
 * test_latents.c - a cache of latents over several segments: the logits after 2,100 tokens have one
 * digest for any number of ranks and threads, any chunk, prefilled or decoded, and read from a
 * prompt cache that another number of ranks may have written. In int8 and in bf16.
 */
#include "tests/parallel/golden_model.h"

#include <ftw.h>

enum { TOKENS = 2100, VOCABULARY = 256, CONTEXT = 4096 };

static const char sha_q8[] = "469757c1ab863e8551fc1565ab9557f60be25631469ff1066137cb59465c82f1",
                  sha_bf16[] = "3c930f755769e2d9b039ed9170311108539d787f84eda1677ed9f550ab33adba";

static char model[300];
static int32_t tokens[TOKENS];

static ith_engine *open_model(ith_kv_type kv, int threads, int64_t chunk)
{
    ith_engine_params params = ith_engine_params_default();

    params.model = model;
    params.quant = ITH_QUANT_W8;
    params.kv = kv;
    params.threads = threads;
    params.chunk = chunk;
    params.ctx = CONTEXT;
    return must_open(&params);
}

static void run(ith_kv_type kv, const char *sha, int threads, int64_t chunk, size_t decoded,
                const char *what)
{
    ith_engine *engine = open_model(kv, threads, chunk);
    ith_session *session = session_after(engine, tokens, TOKENS, decoded);

    must_have_sha(session, sha, kv == ITH_KV_Q8 ? "int8" : "bf16", what);
    ith_session_close(session);
    ith_engine_close(engine);
}

static int delete_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about, (void)kind, (void)where;
    return remove(path);
}

/* Written, then read: the second session computes the last segment's tokens at most. */
static void run_kept(void)
{
    char folder[400];

    snprintf(folder, sizeof folder, "%s.cache", model);
    for (int again = 0; again < 2; again++) {
        ith_engine *engine = open_model(ITH_KV_Q8, 1, 700);
        ith_session *session = must_open_session(engine);
        const ith_keep_params keep = {.cache = folder};
        ith_error err;

        must(ith_session_keep(session, &keep, &err) == ITH_OK, "keep", &err);
        must_prefill(session, tokens, TOKENS);
        must(again == 0 || ith_session_restored(session) >= 2048, "tokens are restored", NULL);
        must_have_sha(session, sha_q8, "int8", again ? "restored" : "saved");
        ith_session_close(session);
        ith_engine_close(engine);
    }
    if (ith_world_rank(world) == 0)
        nftw(folder, delete_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    ith_error err;
    uint64_t state = 7;
    json_t *golden;

    if (ith_world_open(&world, &err) != ITH_OK) {
        printf("not ok world: %s\n", err.text);
        return 1;
    }
    for (int i = 0; i < TOKENS; i++)
        tokens[i] = (int32_t)((weights_draw(&state) + 1) / 2 * VOCABULARY);
    golden = must_read_golden("deepseek-v3");
    must_write_model(golden, "latents", NULL, model);
    json_decref(golden);
    run(ITH_KV_Q8, sha_q8, 1, 1000, 0, "one thread");
    run(ITH_KV_Q8, sha_q8, 3, 300, 5, "three threads, the last tokens decoded");
    run(ITH_KV_BF16, sha_bf16, 2, 900, 2, "two threads");
    run_kept();
    if (ith_world_rank(world) == 0)
        printf("ok latents: one digest\n");
    ith_world_close(world);
    return 0;
}

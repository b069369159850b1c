/* RANKS: 1 3 4, long: 2 6
 *
 * test_spans.c - a pass over the next tokens of several timelines gives the bits of separate
 * passes: the logits after every token, and what the caches hold afterwards.
 *
 * It runs by rows where there are several ranks, and also in tiles where there is one.
 */
#include "tests/needle.h"

#include "base/digest.h"
#include "engine/session.h"

enum { TIMELINES = 3, MOST = 512 };

/* Within a block, within a segment, in the second segment: where the next tokens come. */
static const size_t lengths[TIMELINES] = {5, 700, 1500};

typedef struct timelines {
    ith_engine *engine;
    ith_session *of[TIMELINES];

    /* On rank 0: of the logits after each next token, timeline after timeline. */
    char digests[MOST][65];
} timelines;

/* Token i of those that come next: another one in each timeline. */
static int32_t next_id(int timeline, int64_t i)
{
    return ids[300 + 40 * timeline + i];
}

static void open_timelines(timelines *t, const ith_engine_params *params)
{
    size_t n;
    const int32_t *text = copies_of_ids(2, &n);

    t->engine = must_open(params);
    for (int i = 0; i < TIMELINES; i++) {
        t->of[i] = must_open_session(t->engine);
        must_prefill(t->of[i], text, lengths[i]);
    }
}

static void close_timelines(timelines *t)
{
    for (int i = 0; i < TIMELINES; i++)
        ith_session_close(t->of[i]);
    ith_engine_close(t->engine);
}

static void cut_back(timelines *t)
{
    ith_error err;
    for (int i = 0; i < TIMELINES; i++)
        must(ith_session_truncate(t->of[i], (int64_t)lengths[i], &err) == ITH_OK, "truncate", &err);
}

/* counts[i] tokens of each timeline, one by one. */
static void decode_alone(timelines *t, const int64_t counts[TIMELINES])
{
    ith_error err;
    int row = 0;

    for (int i = 0; i < TIMELINES; i++)
        for (int64_t k = 0; k < counts[i]; k++) {
            must(ith_session_decode(t->of[i], next_id(i, k), &err) == ITH_OK, "decode", &err);
            ith_session_logits_sha256(t->of[i], t->digests[row++]);
        }
}

static void run_together(timelines *t, const int64_t counts[TIMELINES], int64_t n_logits,
                         float *logits)
{
    ith_pass_env env = ith_engine_env(t->engine);
    ith_span spans[TIMELINES];
    int32_t next[MOST];
    ith_error err;
    int64_t n = 0;

    for (int i = 0; i < TIMELINES; i++) {
        ith_status status =
            ith_state_reserve(t->of[i]->state, (int64_t)lengths[i] + counts[i], &err);
        must(status == ITH_OK, "room for the next tokens", &err);
        spans[i] = (ith_span){t->of[i]->state, (int64_t)lengths[i], counts[i], false};
        for (int64_t k = 0; k < counts[i]; k++)
            next[n++] = next_id(i, k);
    }
    ith_pass pass = ith_pass_make(&env, env.comm->size > 1, spans, TIMELINES, next);
    pass.n_logits = n_logits;
    pass.logits = logits;
    ith_team_run(t->engine->team, ith_pass_run, &pass);
}

/* The last n_logits rows are those of the tokens alone. */
static void same_logits(const timelines *t, int64_t n, int64_t n_logits, const float *logits,
                        const char *what)
{
    int64_t ld = ith_logits_ld(t->engine->model), n_vocab = t->engine->model->hp.n_vocab;
    char hex[65];

    for (int64_t i = 0; ith_world_rank(world) == 0 && i < n_logits; i++) {
        ith_sha256_hex(logits + i * ld, (size_t)n_vocab * sizeof *logits, hex);
        must(strcmp(hex, t->digests[n - n_logits + i]) == 0, what, NULL);
    }
}

/* One more token in each timeline sees the same keys and values as it did alone. */
static void same_caches(timelines *t, const int64_t counts[TIMELINES], char after[TIMELINES][65],
                        bool first)
{
    ith_error err;

    for (int i = 0; i < TIMELINES; i++) {
        char hex[65];
        t->of[i]->length = (int64_t)lengths[i] + counts[i];
        must(ith_session_decode(t->of[i], next_id(i, 63), &err) == ITH_OK, "decode", &err);
        ith_session_logits_sha256(t->of[i], first ? after[i] : hex);
        must(first || ith_world_rank(world) != 0 || strcmp(hex, after[i]) == 0,
             "the caches hold the same", NULL);
    }
}

static void together_as_alone(ith_engine_params params, const int64_t counts[TIMELINES],
                              const char *name)
{
    timelines t;
    char after[TIMELINES][65];
    int64_t n = counts[0] + counts[1] + counts[2], n_logits = n <= ITH_DECODE_TOKENS ? n : 1;
    float *logits;

    open_timelines(&t, &params);

    /* This happens where a group shares heads. */
    if (ith_world_size(world) > 1 && n > t.of[0]->rows_tokens) {
        close_timelines(&t);
        return;
    }
    logits = calloc((size_t)(ITH_DECODE_TOKENS * ith_logits_ld(t.engine->model)), sizeof *logits);
    must(logits != NULL, "memory for logits", NULL);
    decode_alone(&t, counts);
    same_caches(&t, counts, after, true);
    cut_back(&t);
    run_together(&t, counts, n_logits, logits);
    same_logits(&t, n, n_logits, logits, name);
    same_caches(&t, counts, after, false);
    free(logits);
    close_timelines(&t);
    if (ith_world_rank(world) == 0)
        printf("ok spans: %s\n", name);
}

static ith_session *must_open_sized(ith_engine *engine, int64_t ctx, int64_t chunk,
                                    bool all_by_rows)
{
    ith_session *session;
    ith_error err;
    const ith_session_sizes sizes = {.ctx = ctx, .chunk = chunk, .all_by_rows = all_by_rows};
    ith_status status = ith_session_open_sized(engine, &sizes, &session, &err);

    must(status == ITH_OK, "open a session of its own size", &err);
    return session;
}

/* The sessions of an engine share a workspace, which grows when a larger session is opened.
 * Sessions opened before continue with the same bits. */
static void sessions_of_several_sizes(ith_engine_params params)
{
    ith_engine *engine = must_open(&params);
    ith_session *small = must_open_sized(engine, 256, 64, false), *wide, *deep;
    enum { WIDE = 600 }; /* tokens of a pass on a rank: more than the engine's chunk gives */
    char expected[65] = "", of_wide[65] = "", sha[65] = "";

    must_prefill(small, ids, 201);
    ith_session_logits_sha256(small, expected);
    must_prefill(small, ids + 201, 3);
    must(ith_session_truncate(small, 200, NULL) == ITH_OK, "truncate", NULL);
    wide = must_open_sized(engine, WIDE, WIDE, true);
    must_decode(small, ids[200]);
    ith_session_logits_sha256(small, sha);
    must(strcmp(sha, expected) == 0, "the same beside a wide session", NULL);
    deep = must_open_session(engine); /* a longer timeline, fewer tokens on a rank */
    must(engine->ws->limits.max_tokens >= WIDE && engine->ws->limits.ctx == params.ctx,
         "the workspace has room for each of the sessions", NULL);
    must_prefill(deep, ids, n_ids);
    must(ith_session_truncate(deep, WIDE - 1, NULL) == ITH_OK, "truncate", NULL);
    must_decode(deep, ids[WIDE - 1]);
    ith_session_logits_sha256(deep, of_wide);
    must_prefill(wide, ids, WIDE);
    ith_session_logits_sha256(wide, sha);
    must(strcmp(sha, of_wide) == 0, "the same in a wide session", NULL);
    ith_session_close(deep);
    ith_session_close(wide);
    must(ith_session_truncate(small, 0, NULL) == ITH_OK, "truncate", NULL);
    must_prefill(small, ids, 201);
    ith_session_logits_sha256(small, sha);
    must(strcmp(sha, expected) == 0, "the same when the others are closed", NULL);
    ith_session_close(small);
    must(engine->ws == NULL, "the last session closes the workspace", NULL);
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0)
        printf("ok sessions of several sizes\n");
}

int main(void)
{
    ith_engine_params params = ith_engine_params_default();
    const int64_t one_each[] = {1, 1, 1}, some[] = {3, 1, 7}, over_a_block[] = {20, 9, 30},
                  chunk_between[] = {1, 400, 1};

    if (!open_needle())
        return 1;
    params.model = NEEDLE_MODEL;
    params.threads = 2;
    params.ctx = 2048;
    together_as_alone(params, one_each, "a token of each of three timelines");
    together_as_alone(params, some, "several tokens of each");
    together_as_alone(params, over_a_block, "more than decoding takes, over blocks' ends");
    if (ith_world_size(world) == 1)
        together_as_alone(params, chunk_between, "a chunk over several tiles and segments");
    sessions_of_several_sizes(params);
    params.kv = ITH_KV_F32;
    together_as_alone(params, some, "with a float cache");
    ith_world_close(world);
    return 0;
}

/* RANKS: 1 3, long: 2 5
 *
 * test_recurrent.c - the timelines of recurrent models can be cut back where their states allow it,
 * and go on with the same bits: after single tokens, after wrong guesses, in company of others.
 * What cannot be cut is refused by name.
 */
#include "tests/parallel/golden_model.h"

#include "engine/cost.h"
#include "engine/session.h"
#include "state/recurrent.h"
#include "tools/rates.h"

#include <math.h>

enum { ANSWER = 60, PREFIX = 100 };

/* With the floats of their states, in all layers, and a token's operations on each. */
static const struct recurrent_model {
    const char *name;
    double cells, ops;
} models[] = {{"qwen3_5", 3 * 6 * 20 * 32, 7}, /* 24 columns take up 32 */
              {"bamba", 2 * 8 * 24 * 16, 5},      {"lfm2", 0, 0},
              {"falcon_h1", 2 * 6 * 24 * 16, 5},  {"nemotron_h", 1 * 8 * 24 * 16, 5},
              {"kimi_linear", 3 * 3 * 24 * 32, 7}};

/* The folder of a golden file's weights; the digest after its ids to `want`. */
static void write_model(const char *name, char folder[300], char want[65])
{
    json_t *golden = must_read_golden(name);
    char own[100];

    must(n_ids > PREFIX + 80, "the number of ids", NULL);
    snprintf(own, sizeof own, "recurrent-%s", name);
    must_write_model(golden, own, NULL, folder);
    snprintf(want, 65, "%s", json_string_value(json_object_get(golden, "sha256")));
    json_decref(golden);
}

static void must_truncate(ith_session *session, size_t length)
{
    ith_error err;
    must(ith_session_truncate(session, (int64_t)length, &err) == ITH_OK, "truncate", &err);
}

/* After every seventh token so many others, which are cut off again. */
static void decode_with_detours(ith_engine *engine, const char *want, const char *name)
{
    size_t first = n_ids - 84; /* more than the log holds */
    ith_session *session = session_after(engine, ids, first, 0);

    for (size_t i = first; i < n_ids; i++) {
        must_decode(session, ids[i]);
        if (i % 21 != 0)
            continue;
        for (size_t wrong = 0; wrong < 1 + i % ITH_RECURRENT_BACK; wrong++)
            must_decode(session, ids[wrong]);
        must_truncate(session, i + 1);
        if (i % 2 == 0) { /* the last token again */
            must_truncate(session, i);
            must_decode(session, ids[i]);
        }
    }
    must_have_sha(session, want, name, "decoded with detours");
    ith_session_close(session);
}

/* The same right after a prompt: its last tokens can be taken back. */
static void cut_prompt(ith_engine *engine, const char *want, const char *name)
{
    ith_session *session = session_after(engine, ids, n_ids, 0);
    size_t back = ITH_RECURRENT_BACK;
    ith_error err;

    must_truncate(session, n_ids - back);
    must_prefill(session, ids + n_ids - back, back);
    must_have_sha(session, want, name, "a prompt's last tokens taken back");
    must(ith_session_truncate(session, 1, &err) == ITH_E_UNSUPPORTED &&
             strstr(err.text, "recurrent") != NULL,
         "truncating further is refused", &err);
    must_have_sha(session, want, name, "after a refusal");
    must_truncate(session, 0);
    must_prefill(session, ids, n_ids);
    must_have_sha(session, want, name, "from the beginning");
    ith_session_close(session);
}

/* Greedy answers without and with guesses, most of which are wrong. */
static void guess(ith_engine *engine, const char *name)
{
    ith_generate_params params = {
        .max_tokens = ANSWER, .ignore_eos = true, .sampling = {.top_p = 1, .repeat_penalty = 1}};
    ith_generation answers[2];
    int32_t text[PREFIX];
    ith_error err;

    for (int i = 0; i < PREFIX; i++) /* that repeats itself, so that there are guesses */
        text[i] = ids[i % 9];
    for (int i = 0; i < 2; i++) {
        ith_session *session = session_after(engine, text, PREFIX, 0);
        params.max_draft = i == 0 ? 0 : ITH_DRAFT_MAX;
        must(ith_generate(session, &params, &answers[i], &err) == ITH_OK, "generate", &err);
        ith_session_close(session);
    }
    if (ith_world_rank(world) == 0)
        must(answers[1].n_drafted > answers[1].n_accepted && answers[0].n_ids == ANSWER &&
                 answers[1].n_ids == ANSWER &&
                 memcmp(answers[0].ids, answers[1].ids, ANSWER * sizeof(int32_t)) == 0,
             name, NULL);
    for (int i = 0; i < 2; i++)
        ith_generation_free(&answers[i]);
}

/* Two timelines, whose next tokens are of one pass. */
static void in_company(ith_engine *engine, const char *want, const char *name)
{
    ith_session *a = session_after(engine, ids, n_ids - 3, 0),
                *b = session_after(engine, ids + 20, 50, 0);
    ith_pass_env env = ith_engine_env(engine);
    ith_error err;

    for (int i = 0; i < 3; i++) {
        ith_span spans[2] = {{b->state, b->length, 2, false}, {a->state, a->length, 1, false}};
        int32_t next[3] = {ids[70 + 2 * i], ids[71 + 2 * i], ids[n_ids - 3 + (size_t)i]};
        ith_pass pass = ith_pass_make(&env, ith_world_size(world) > 1, spans, 2, next);
        must(ith_state_reserve(a->state, a->length + 1, &err) == ITH_OK &&
                 ith_state_reserve(b->state, b->length + 2, &err) == ITH_OK,
             "reserve", &err);
        pass.n_logits = 1;
        pass.logits = a->logits;
        ith_team_run(engine->team, ith_pass_run, &pass);
        a->length += 1;
        b->length += 2;
    }
    a->n_logits = 1;
    a->logits_from = a->length;
    must_have_sha(a, want, name, "in company");
    ith_session_close(a);
    ith_session_close(b);
}

static ith_session *keeping(ith_engine *engine, const char *folder)
{
    const ith_keep_params params = {.cache = folder};
    ith_session *session = must_open_session(engine);
    ith_error err;

    must(ith_session_keep(session, &params, &err) == ITH_OK, "a prompt cache", &err);
    return session;
}

/* States come back from disk: all but the last token, and where another text parts from it. */
static void save(ith_engine *engine, const char *want, const char *name)
{
    size_t parted = n_ids - 1 - ITH_RECURRENT_BACK / 2;
    char folder[300], other[65];
    int32_t text[MAX_IDS];
    ith_session *session;
    ith_error err;

    snprintf(folder, sizeof folder, "%s/recurrent-cache-%s-%d", build_folder(), name,
             ith_world_size(world));
    memcpy(text, ids, n_ids * sizeof *ids);
    text[parted] = ids[parted] == 7 ? 8 : 7;
    sha_after(engine, text, n_ids, 0, other);
    if (ith_world_rank(world) == 0)
        ith_cache_remove(folder, NULL, NULL, &err);
    for (int i = 0; i < 2; i++) {
        session = keeping(engine, folder);
        must_prefill(session, ids, n_ids);
        must_have_sha(session, want, name, i == 0 ? "saved" : "from disk");
        must(ith_session_restored(session) == (i == 0 ? 0 : (int64_t)n_ids - 1), "restored", NULL);
        must_truncate(session, n_ids - 5);
        must_prefill(session, ids + n_ids - 5, 5);
        must_have_sha(session, want, name, "saved, the last tokens taken back");
        ith_session_close(session);
    }
    session = keeping(engine, folder);
    must_prefill(session, text, n_ids);
    must_have_sha(session, other, name, "from where another text parts");
    must(ith_session_restored(session) == (int64_t)parted, "restored up to there", NULL);
    ith_session_close(session);
    if (ith_world_rank(world) == 0) {
        ith_cache_remove(folder, NULL, NULL, &err);
        rmdir(folder);
    }
}

/* At one operation a second, the states take nearly all of what the kernels predict. */
static void rates(ith_engine *engine, const struct recurrent_model *m)
{
    ith_rates *rates;
    ith_error err;
    double slow, fast;

    must(ith_rates_open(engine, 64, &rates, &err) == ITH_OK, "rates", &err);
    slow = ith_rates_measure(rates, 200, 1e12, 1).token_s;
    fast = ith_rates_measure(rates, 200, 1e12, 1e15).token_s;
    ith_rates_close(rates);
    must(slow >= m->cells * m->ops && fast > 0 && fast < 1, "predicted states", NULL);
}

/* What states cost does not grow with the depth, and does with the tokens: of operations each costs
 * the same, of memory a pass. */
static void costs(const ith_engine *engine, const struct recurrent_model *m)
{
    const ith_cost one = ith_pass_cost(engine, 0, 1), deep = ith_pass_cost(engine, 500, 1);
    const ith_cost many = ith_pass_cost(engine, 0, 10);
    double rest = ith_prompt_cost(engine, 1, 1, INFINITY).token_s;

    must(one.state_ops == m->cells * m->ops && deep.state_ops == one.state_ops &&
             many.state_ops == 10 * one.state_ops,
         "operations of states", NULL);
    must(one.bytes >= 2 * 4 * m->cells, "bytes of states", NULL);
    must(fabs(ith_prompt_cost(engine, 1, 1, 2).token_s - rest - one.state_ops / 2) < 1e-6 * rest,
         "a prompt's operations of states", NULL);
}

static void run(const struct recurrent_model *m)
{
    const char *name = m->name;
    ith_engine_params params = ith_engine_params_default();
    char folder[300], want[65];
    ith_session *session;
    ith_engine *engine;

    write_model(name, folder, want);
    params.model = folder;
    params.threads = ith_world_size(world) == 1 ? 2 : 1;
    params.chunk = 64;
    params.quant = ITH_QUANT_W8;
    engine = must_open(&params);
    costs(engine, m);
    rates(engine, m);
    session = session_after(engine, ids, n_ids, 0);
    must_have_sha(session, want, name, "in chunks");
    ith_session_close(session);
    decode_with_detours(engine, want, name);
    cut_prompt(engine, want, name);
    guess(engine, name);
    in_company(engine, want, name);
    save(engine, want, name);
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0)
        printf("ok recurrent %s\n", name);
}

int main(void)
{
    ith_error err;

    if (ith_world_open(&world, &err) != ITH_OK) {
        printf("not ok world: %s\n", err.text);
        return 1;
    }
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        run(&models[i]);
    ith_world_close(world);
    return 0;
}

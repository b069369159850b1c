/* test_null_error.c - each public function that takes `err` fails with NULL as it fails with an
 * error to write to, and what succeeds after a warning does so too. */
#include <ithaca.h>
#include <ithaca_tools.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MODEL   "tests/models/needle-qwen3"
#define MISSING "build/tmp/there-is-no-such-file"

enum { CTX = 128, N_IDS = 100 };

static ith_world *world;
static ith_engine *engine;
static ith_session *session;
static int32_t ids[N_IDS];

static int open_all(void **state)
{
    ith_engine_params params = ith_engine_params_default();
    (void)state;

    for (int i = 0; i < N_IDS; i++)
        ids[i] = (i * 37 + 11) % 256;
    params.model = MODEL;
    params.threads = 2;
    params.ctx = CTX;
    mkdir("build/tmp", 0777);
    return ith_world_open(&world, NULL) || ith_engine_open(world, &params, &engine, NULL) ||
           ith_session_open(engine, &session, NULL) ||
           ith_session_prefill(session, ids, N_IDS, NULL);
}

static int close_all(void **state)
{
    (void)state;
    ith_session_close(session);
    ith_engine_close(engine);
    ith_world_close(world);
    return 0;
}

static void engines_and_texts(void **state)
{
    ith_engine_params params = ith_engine_params_default();
    const ith_chat_params chat = {.messages_json = "[{}, 1]"};
    ith_engine *other;
    ith_vocab *vocab;
    ith_stream *stream;
    int32_t *out, bad = -1;
    size_t n;
    char *text;
    (void)state;

    assert_int_equal(ith_engine_open(world, &params, &other, NULL), ITH_E_ARGUMENT);
    params.model = MISSING;
    assert_int_equal(ith_engine_open(world, &params, &other, NULL), ITH_E_IO);
    assert_int_equal(ith_vocab_open(MISSING, &vocab, NULL), ITH_E_IO);
    assert_int_equal(ith_vocab_tokenize(NULL, "x", 1, 0, &out, &n, NULL), ITH_E_ARGUMENT);
    assert_int_equal(ith_chat_tokenize(NULL, &chat, &out, &n, NULL, NULL), ITH_E_ARGUMENT);
    assert_int_equal(ith_vocab_detokenize(NULL, ids, 1, &text, &n, NULL), ITH_E_ARGUMENT);
    assert_int_not_equal(ith_vocab_detokenize(ith_engine_vocab(engine), &bad, 1, &text, &n, NULL),
                         ITH_OK);
    assert_int_equal(ith_chat_render(ith_engine_vocab(engine), &chat, &text, NULL), ITH_E_ARGUMENT);
    assert_int_equal(ith_stream_open(NULL, &stream, NULL), ITH_E_ARGUMENT);
}

static void sessions(void **state)
{
    ith_generate_params params = {.max_tokens = 1, .max_draft = -1};
    ith_keep_params keep = {.cache = MODEL "/config.json/folder"};
    ith_generation answer;
    int32_t bad = -1;
    float nll[N_IDS];
    char *json;
    (void)state;

    assert_int_equal(ith_session_prefill(session, &bad, 1, NULL), ITH_E_ARGUMENT);
    assert_int_equal(ith_session_decode(session, -1, NULL), ITH_E_ARGUMENT);
    assert_int_equal(ith_session_score(session, ids, 0, nll, NULL), ITH_E_ARGUMENT);
    assert_int_equal(ith_session_embed(session, ids, 0, nll, NULL), ITH_E_ARGUMENT);
    assert_int_equal(ith_session_truncate(session, CTX, NULL), ITH_E_ARGUMENT);
    assert_int_equal(ith_session_reserve(session, CTX + 1, NULL), ITH_E_ARGUMENT);
    assert_int_equal(ith_engine_step(engine, &(ith_step_item){.session = session}, 1, NULL),
                     ITH_E_ARGUMENT);
    assert_int_equal(ith_generate_many(engine, &(ith_many_params){0}, &(ith_many_counts){0}, NULL),
                     ITH_E_ARGUMENT);
    assert_int_equal(ith_generate(session, &params, &answer, NULL), ITH_E_ARGUMENT);
    ith_generation_free(&answer);
    assert_int_not_equal(ith_session_keep(session, &keep, NULL), ITH_OK);
    assert_int_not_equal(ith_session_save(session, NULL), ITH_OK);
    assert_int_not_equal(ith_session_remove_checkpoint(session, NULL), ITH_OK);
    assert_int_equal(ith_session_profile(session, &json, NULL), ITH_E_ARGUMENT);
    assert_int_equal(ith_session_profile_start(session, NULL), ITH_OK);
    assert_int_equal(ith_session_trace(session, &json, NULL), ITH_E_ARGUMENT);
    assert_int_equal(ith_session_trace_start(session, NULL), ITH_OK);
    assert_int_equal(ith_session_page_report(session, &json, NULL), ITH_OK);
    free(json);
}

static void worlds(void **state)
{
    const char *const names[] = {"a", "b"}, *const values[] = {"1", NULL};
    ith_world *alone;
    (void)state;

    assert_int_equal(ith_world_open_alone(&alone, NULL), ITH_OK);
    assert_int_equal(ith_world_same(alone, names, values, 2, NULL), ITH_OK);
    ith_world_close(alone);
}

static void grammars(void **state)
{
    static const char not_json[] = "{", left[] = "root ::= root \"a\" | \"b\"", none[] = "{}",
                      digits[] = "root ::= [0-9]*", deep[] = "root ::= ((\"a\"*)*)* \"b\"";
    const ith_vocab *vocab = ith_engine_vocab(engine);
    ith_grammar *g;
    bool matches = true;
    (void)state;

    assert_int_equal(ith_grammar_from_schema(vocab, not_json, sizeof not_json - 1, &g, NULL),
                     ITH_E_FORMAT);
    assert_int_equal(ith_grammar_from_gbnf(vocab, left, sizeof left - 1, &g, NULL),
                     ITH_E_UNSUPPORTED);
    assert_int_equal(ith_grammar_from_frames(vocab, none, sizeof none - 1, &g, NULL), ITH_E_FORMAT);
    assert_int_equal(ith_grammar_json_object(NULL, &g, NULL), ITH_E_ARGUMENT);
    assert_int_equal(ith_grammar_from_gbnf(vocab, digits, sizeof digits - 1, &g, NULL), ITH_OK);
    assert_int_equal(ith_grammar_matches(g, "12x", 3, &matches, NULL), ITH_OK);
    assert_false(matches);
    ith_grammar_close(g);
    assert_int_equal(ith_grammar_from_gbnf(vocab, deep, sizeof deep - 1, &g, NULL), ITH_OK);
    assert_int_equal(ith_grammar_matches(g, "aaab", 4, &matches, NULL), ITH_OK);
    assert_true(matches);
    ith_grammar_close(g);
}

static void tools(void **state)
{
    ith_pack_params pack = ith_pack_params_default();
    ith_calibrate_params calibrate = {.output = MISSING "/stats", .ids = ids, .n_ids = N_IDS};
    ith_machine_probe_params probe = {.threads = -1};
    ith_estimate_params estimate = {.engine = ith_engine_params_default()};
    ith_bench_roofline_params roofline = {.threads = 1, .buffer = INT64_C(1) << 60};
    ith_bench_kernels_params kernels = {.shapes = "none"};
    ith_bench_model_params model = {.repetitions = -1};
    char *json;
    ith_pull_params pull = ith_pull_params_default();
    (void)state;

    assert_int_equal(ith_inspect(MISSING, &json, NULL), ITH_E_IO);
    assert_int_equal(ith_build_info(&json, NULL), ITH_OK);
    free(json);
    assert_int_equal(ith_pack(&pack, &json, NULL), ITH_E_ARGUMENT);
    pack.model = MISSING;
    pack.output = "build/tmp/null-error.ith";
    assert_int_equal(ith_pack(&pack, &json, NULL), ITH_E_IO);
    assert_int_equal(ith_pack_verify(MISSING, 1, NULL, NULL, NULL), ITH_E_IO);
    assert_int_equal(ith_pack_verify(MODEL, 1, NULL, NULL, NULL), ITH_E_ARGUMENT);
    assert_int_not_equal(ith_calibrate(engine, &calibrate, NULL), ITH_OK);
    assert_int_equal(ith_machine_read(MISSING, &json, NULL), ITH_E_IO);
    assert_int_equal(ith_machine_probe(world, &probe, &json, NULL), ITH_E_ARGUMENT);
    assert_int_equal(ith_estimate(&estimate, &json, NULL), ITH_E_ARGUMENT);
    estimate.nodes = estimate.ranks_per_node = 1;
    assert_int_equal(ith_estimate(&estimate, &json, NULL), ITH_E_ARGUMENT);
    assert_int_equal(ith_cache_list(MISSING, &json, NULL), ITH_E_IO);
    assert_int_equal(ith_cache_remove(MISSING, NULL, &json, NULL), ITH_E_IO);
    assert_int_equal(ith_cache_remove(MISSING, "00", NULL, NULL), ITH_E_IO);
    pull.model = "no name";
    assert_int_equal(ith_pull(&pull, &json, NULL), ITH_E_ARGUMENT);
    assert_null(json);
    assert_int_equal(ith_cache_verify(MISSING, NULL, NULL, &json, NULL), ITH_E_IO);
    assert_int_equal(ith_bench_roofline(world, &roofline, &json, NULL), ITH_E_MEMORY);
    assert_int_equal(ith_bench_kernels(&kernels, &json, NULL), ITH_E_ARGUMENT);
    assert_int_equal(ith_bench_model(engine, &model, &json, NULL), ITH_E_ARGUMENT);
}

static void count_warning(void *user, const char *text)
{
    assert_true(text[0] != '\0');
    ++*(int *)user;
}

/* The folder of the cache vanishes: reading and writing warn, and the prompt is computed. */
static void a_cache_that_vanishes(void **state)
{
    char folder[] = "build/tmp/null-error-XXXXXX";
    ith_session *own;
    int warnings = 0;
    (void)state;

    assert_non_null(mkdtemp(folder));
    ith_keep_params keep = {.cache = folder, .warn = count_warning, .user = &warnings};
    assert_int_equal(ith_session_open(engine, &own, NULL), ITH_OK);
    assert_int_equal(ith_session_keep(own, &keep, NULL), ITH_OK);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(ith_session_prefill(own, ids, N_IDS, NULL), ITH_OK);
    assert_int_equal(ith_session_length(own), N_IDS);
    ith_session_close(own);
    assert_true(warnings > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engines_and_texts),
        cmocka_unit_test(sessions),
        cmocka_unit_test(worlds),
        cmocka_unit_test(grammars),
        cmocka_unit_test(tools),
        cmocka_unit_test(a_cache_that_vanishes),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}

/* test_embed.c - uses Ithaca as a library through <ithaca.h> alone, as an embedding program does.
 *
 * tests/api/install.sh also compiles it against an installed copy through pkg-config.
 */
#include <ithaca.h>

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

#define MODEL "tests/models/needle-qwen3"

/* Made by tests/models/needle-qwen3/make_haystack.py --tokens 300 --depth 0.5 --seed 3, in the
 * words that the model was trained on. */
static const char haystack[] = "Read the notes and remember the passkeys. The passkey of Fiona is "
                               "121539. The price of the salt was 834 shillings "
                               "on Tuesday. "
                               "Bernard lives 93 steps south of the harbour. The passkey of Elsa "
                               "is 58184. The sky over the chapel was pale all "
                               "night. "
                               "The passkey of Wilfred is 751810. The passkey of Joan is 80478. "
                               "The cabin number of Susan is 80300.\n\n"
                               "What is the passkey of Wilfred?";

typedef struct fixture {
    ith_world *world;
    ith_engine *engine;
    int64_t stop_after; /* tokens of prefill after which the progress function says no; -1: never */
    int64_t shown;      /* tokens that it was told of last */
    double expected;    /* tokens that the chunk function may tell of next, at least */
    int chunks;         /* that it told of in full */
} fixture;

static bool progress(void *user, const char *what, int64_t done, int64_t total)
{
    fixture *f = user;
    assert_true(done >= 0 && done <= total);
    f->shown = done;
    f->expected = (double)done;
    return strcmp(what, "prefill") != 0 || f->stop_after < 0 || done < f->stop_after;
}

/* Inside a chunk the tokens computed rise from those of the chunks before. */
static void chunk_progress(void *user, int64_t tokens, double share)
{
    fixture *f = user;
    double done = (double)f->shown + share * (double)tokens;

    assert_true(tokens > 0 && share >= 0 && share <= 1 && done >= f->expected);
    f->expected = done;
    f->chunks += share == 1;
}

static int open_engine(void **state)
{
    static fixture f;
    ith_engine_params params = ith_engine_params_default();
    ith_error err;

    f.stop_after = -1;
    params.model = MODEL;
    params.threads = 2;
    params.chunk = 32;
    params.ctx = 512;
    params.progress = progress;
    params.chunk_progress = chunk_progress;
    params.progress_user = &f;
    assert_int_equal(ith_world_open(&f.world, &err), ITH_OK);
    if (ith_engine_open(f.world, &params, &f.engine, &err) != ITH_OK)
        fail_msg("%s", err.text);
    *state = &f;
    return 0;
}

static int close_engine(void **state)
{
    fixture *f = *state;
    ith_engine_close(f->engine);
    ith_world_close(f->world);
    return 0;
}

/* The haystack as a chat turn, tokenized. */
static int32_t *prompt_ids(const fixture *f, size_t *n)
{
    const ith_message turn = {"user", haystack};
    const ith_chat_params chat = {.messages = &turn, .n_messages = 1};
    int32_t *ids;
    ith_error err;

    assert_int_equal(ith_chat_tokenize(ith_engine_vocab(f->engine), &chat, &ids, n, NULL, &err),
                     ITH_OK);
    return ids;
}

static void answers_a_question(void **state)
{
    fixture *f = *state;
    ith_generate_params params = ith_generate_params_default(f->engine);
    ith_generation answer;
    ith_session *session;
    ith_error err;
    size_t n;
    int32_t *ids = prompt_ids(f, &n);

    assert_int_equal(ith_session_open(f->engine, &session, &err), ITH_OK);
    assert_null(ith_session_logits(session));
    assert_int_equal(ith_session_prefill(session, ids, n, &err), ITH_OK);
    assert_int_equal(ith_session_length(session), (int64_t)n);
    assert_int_equal(ith_generate(session, &params, &answer, &err), ITH_OK);
    assert_int_equal(answer.finish, ITH_FINISH_STOP);
    assert_string_equal(answer.text, "The passkey of Wilfred is 751810.");
    ith_generation_free(&answer);
    ith_session_close(session);
    free(ids);
}

/* Two sessions of one engine do not disturb each other. */
static void sessions_are_independent(void **state)
{
    fixture *f = *state;
    ith_session *a, *b;
    ith_error err;
    char sha_a[65], sha_b[65];
    size_t n;
    int32_t *ids = prompt_ids(f, &n);

    assert_int_equal(ith_session_open(f->engine, &a, &err), ITH_OK);
    assert_int_equal(ith_session_open(f->engine, &b, &err), ITH_OK);
    assert_int_equal(ith_session_prefill(a, ids, n / 2, &err), ITH_OK);
    assert_int_equal(ith_session_prefill(b, ids, n, &err), ITH_OK);
    assert_int_equal(ith_session_prefill(a, ids + n / 2, n - n / 2, &err), ITH_OK);
    ith_session_logits_sha256(a, sha_a);
    ith_session_logits_sha256(b, sha_b);
    assert_string_equal(sha_a, sha_b);
    ith_session_close(a);
    ith_session_close(b);
    free(ids);
}

static void wrong_arguments_change_nothing(void **state)
{
    fixture *f = *state;
    static int32_t many[600];
    const int32_t bad[] = {5, 2048};
    const int32_t good[] = {5, 6};
    ith_session *session;
    ith_error err;

    assert_int_equal(ith_session_open(f->engine, &session, &err), ITH_OK);
    assert_int_equal(ith_session_prefill(session, bad, 2, &err), ITH_E_ARGUMENT);
    assert_non_null(strstr(err.text, "2048"));
    assert_int_equal(ith_session_prefill(session, many, 513, &err), ITH_E_ARGUMENT);
    assert_non_null(strstr(err.text, "512"));
    assert_int_equal(ith_session_prefill(session, good, 0, &err), ITH_E_ARGUMENT);
    assert_int_equal(ith_session_length(session), 0);
    assert_int_equal(ith_session_prefill(session, good, 2, NULL), ITH_OK);
    assert_int_equal(ith_session_length(session), 2);

    /* Full to the last token. */
    assert_int_equal(ith_session_prefill(session, many, 510, &err), ITH_OK);
    assert_int_equal(ith_session_decode(session, 1, &err), ITH_E_ARGUMENT);
    ith_session_close(session);
}

static void stops_when_asked(void **state)
{
    fixture *f = *state;
    static int32_t many[200];
    ith_session *session;
    ith_error err;

    f->stop_after = 64;
    f->chunks = 0;
    assert_int_equal(ith_session_open(f->engine, &session, &err), ITH_OK);
    assert_int_equal(ith_session_prefill(session, many, 200, &err), ITH_E_CANCELLED);
    assert_int_equal(ith_session_length(session), 64); /* whole chunks stay */
    f->stop_after = -1;
    assert_int_equal(ith_session_prefill(session, many, 136, &err), ITH_OK);
    assert_int_equal(f->chunks, 2 + 5);
    assert_int_equal(ith_session_decode(session, 1, &err), ITH_OK);
    assert_int_equal(f->chunks, 2 + 5); /* an answer has no chunks */
    ith_session_close(session);
}

static bool first_piece_only(void *user, const char *text, size_t len)
{
    (void)text;
    *(size_t *)user += len;
    return len == 0;
}

static void text_function_ends_generation(void **state)
{
    fixture *f = *state;
    size_t shown = 0, n;
    ith_generate_params params = {.max_tokens = 30,
                                  .sampling = {.top_p = 1, .repeat_penalty = 1},
                                  .on_text = first_piece_only,
                                  .user = &shown};
    ith_generation answer;
    ith_session *session;
    ith_error err;
    int32_t *ids = prompt_ids(f, &n);

    assert_int_equal(ith_session_open(f->engine, &session, &err), ITH_OK);
    assert_int_equal(ith_session_prefill(session, ids, n, &err), ITH_OK);
    assert_int_equal(ith_generate(session, &params, &answer, &err), ITH_OK);
    assert_int_equal(answer.finish, ITH_FINISH_CANCELLED);
    assert_int_equal(answer.n_ids, 1);
    assert_int_equal(answer.text_len, shown);
    ith_generation_free(&answer);
    ith_session_close(session);
    free(ids);
}

/* Whoever asks for more tokens than fit gets those that do: the last one follows a full context.
 * Guesses do not change where it ends. */
static void an_answer_ends_with_the_context(void **state)
{
    fixture *f = *state;
    ith_generate_params params = {
        .ignore_eos = true, .max_tokens = 1000, .sampling = {.top_p = 1, .repeat_penalty = 1}};
    ith_generation answer[3];
    ith_error err;
    size_t n;
    int32_t *ids = prompt_ids(f, &n);
    const int64_t ctx = 512;

    for (int i = 0; i < 3; i++) {
        ith_session *session;
        params.max_draft = i == 1 ? ITH_DRAFT_MAX : 0;
        assert_int_equal(ith_session_open(f->engine, &session, &err), ITH_OK);
        assert_int_equal(ith_session_prefill(session, ids, n, &err), ITH_OK);
        while (i == 2 && ith_session_length(session) < ctx) /* nothing fits but the last */
            assert_int_equal(ith_session_decode(session, ids[0], &err), ITH_OK);
        if (ith_generate(session, &params, &answer[i], &err) != ITH_OK)
            fail_msg("%s", err.text);
        assert_int_equal(answer[i].finish, ITH_FINISH_LENGTH);
        assert_int_equal(answer[i].n_ids, i == 2 ? 1 : (size_t)ctx - n + 1);
        assert_int_equal(ith_session_length(session), ctx);
        assert_non_null(ith_session_logits(session));
        ith_session_close(session);
    }
    assert_memory_equal(answer[0].ids, answer[1].ids, answer[0].n_ids * sizeof(int32_t));
    for (int i = 0; i < 3; i++)
        ith_generation_free(&answer[i]);
    free(ids);
}

/* A finished answer in a checkpoint, one of max_tokens and one that filled the context, is shown
 * again as it was. */
static void a_finished_answer_is_shown_again(void **state)
{
    fixture *f = *state;
    size_t n;
    int32_t *ids = prompt_ids(f, &n);
    ith_error err;

    for (int full = 0; full < 2; full++) {
        char folder[] = "build/tmp/finished-XXXXXX", sha[2][65];
        ith_generation answer[2];
        ith_generate_params params = {.ignore_eos = true,
                                      .max_tokens = full ? 1000 : 5,
                                      .sampling = {.top_p = 1, .repeat_penalty = 1}};
        mkdir("build/tmp", 0777);
        assert_non_null(mkdtemp(folder));
        for (int again = 0; again < 2; again++) {
            ith_session *session;
            ith_keep_params keep = {
                .checkpoint = folder, .ids = ids, .n_ids = n, .generate = &params};
            assert_int_equal(ith_session_open(f->engine, &session, &err), ITH_OK);
            assert_int_equal(ith_session_keep(session, &keep, &err), ITH_OK);
            assert_int_equal(ith_session_prefill(session, ids, n, &err), ITH_OK);
            if (ith_generate(session, &params, &answer[again], &err) != ITH_OK)
                fail_msg("%s", err.text);
            assert_int_equal(answer[again].finish, ITH_FINISH_LENGTH);
            assert_int_equal(ith_session_length(session), (int64_t)(n + answer[again].n_ids) - 1);
            ith_session_logits_sha256(session, sha[again]);
            assert_int_equal(again ? ith_session_remove_checkpoint(session, &err)
                                   : ith_session_save(session, &err),
                             ITH_OK);
            ith_session_close(session);
        }
        assert_int_equal(answer[0].n_ids, answer[1].n_ids);
        assert_memory_equal(answer[0].ids, answer[1].ids, answer[0].n_ids * sizeof(int32_t));
        assert_string_equal(sha[0], sha[1]);
        for (int again = 0; again < 2; again++)
            ith_generation_free(&answer[again]);
        rmdir(folder);
    }
    free(ids);
}

static void one_seed_gives_one_text(void **state)
{
    fixture *f = *state;
    ith_generate_params params = {
        .max_tokens = 24,
        .ignore_eos = true,
        .sampling = {.temperature = 3, .top_p = 1, .repeat_penalty = 1, .seed = 7}};
    ith_generation answer[3];
    ith_error err;
    size_t n;
    int32_t *ids = prompt_ids(f, &n);

    for (int i = 0; i < 3; i++) {
        ith_session *session;
        params.sampling.seed = i < 2 ? 7 : 8;
        assert_int_equal(ith_session_open(f->engine, &session, &err), ITH_OK);
        assert_int_equal(ith_session_prefill(session, ids, n, &err), ITH_OK);
        assert_int_equal(ith_generate(session, &params, &answer[i], &err), ITH_OK);
        assert_int_equal(answer[i].finish, ITH_FINISH_LENGTH);
        assert_int_equal(answer[i].n_ids, 24);
        ith_session_close(session);
    }
    assert_memory_equal(answer[0].ids, answer[1].ids, 24 * sizeof(int32_t));
    assert_memory_not_equal(answer[0].ids, answer[2].ids, 24 * sizeof(int32_t));
    for (int i = 0; i < 3; i++)
        ith_generation_free(&answer[i]);
    free(ids);
}

static void describes_itself(void **state)
{
    fixture *f = *state;
    const ith_engine_info *info = ith_engine_get_info(f->engine);

    assert_string_equal(info->architecture, "qwen3");
    assert_string_equal(info->mesh, "1x1");
    assert_int_equal(info->n_layers, 4);
    assert_int_equal(info->n_params, 2164672);
    assert_int_equal(info->ctx, 512);
    assert_int_equal(info->ctx_train, 131072);
    assert_int_equal(info->kv_bytes_per_token, 4 * 4 * (2 * 32 + 4));
    assert_int_equal(info->threads, 2);
}

/* The text and the numbers of the version agree, and the library's with the header's. */
static void has_one_version(void **state)
{
    char text[40];

    (void)state;
    snprintf(text, sizeof text, "%d.%d.%d", ITH_VERSION_MAJOR, ITH_VERSION_MINOR,
             ITH_VERSION_PATCH);
    assert_string_equal(text, ITH_VERSION);
    assert_string_equal(text, ith_version());
    assert_int_equal(ITH_VERSION_NUMBER,
                     10000 * ITH_VERSION_MAJOR + 100 * ITH_VERSION_MINOR + ITH_VERSION_PATCH);
}

static void text_needs_a_tokenizer(void **state)
{
    const ith_message turn = {"user", "hello"};
    const ith_chat_params chat = {.messages = &turn, .n_messages = 1};
    ith_stream *stream;
    int32_t *ids;
    char *text;
    ith_error err;
    size_t n;

    (void)state;
    assert_int_equal(ith_vocab_tokenize(NULL, "hello", 5, 0, &ids, &n, &err), ITH_E_ARGUMENT);
    assert_null(ids);
    assert_int_equal(ith_vocab_detokenize(NULL, NULL, 0, &text, &n, &err), ITH_E_ARGUMENT);
    assert_null(text);
    assert_int_equal(ith_chat_render(NULL, &chat, &text, &err), ITH_E_ARGUMENT);
    assert_null(text);
    assert_int_equal(ith_stream_open(NULL, &stream, &err), ITH_E_ARGUMENT);
    assert_null(stream);
}

static void refuses_what_is_no_model(void **state)
{
    fixture *f = *state;
    ith_engine_params params = ith_engine_params_default();
    ith_engine *engine;
    ith_error err;

    assert_int_equal(ith_engine_open(f->world, &params, &engine, &err), ITH_E_ARGUMENT);
    params.model = "tests/models/no-such-model";
    assert_int_equal(ith_engine_open(f->world, &params, &engine, &err), ITH_E_IO);
    assert_non_null(strstr(err.text, "no-such-model"));
    assert_null(engine);
    params.model = MODEL;
    params.mesh = "2x1";
    assert_int_equal(ith_engine_open(f->world, &params, &engine, &err), ITH_E_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_a_question),
        cmocka_unit_test(sessions_are_independent),
        cmocka_unit_test(wrong_arguments_change_nothing),
        cmocka_unit_test(stops_when_asked),
        cmocka_unit_test(text_function_ends_generation),
        cmocka_unit_test(an_answer_ends_with_the_context),
        cmocka_unit_test(a_finished_answer_is_shown_again),
        cmocka_unit_test(one_seed_gives_one_text),
        cmocka_unit_test(describes_itself),
        cmocka_unit_test(has_one_version),
        cmocka_unit_test(text_needs_a_tokenizer),
        cmocka_unit_test(refuses_what_is_no_model),
    };
    return cmocka_run_group_tests(tests, open_engine, close_engine);
}

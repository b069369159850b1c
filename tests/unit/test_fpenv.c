/* test_fpenv.c - the caller's floating-point environment changes no result, and the library leaves
 * it as it was. */
#include "base/digest.h"
#include "base/threads.h"
#include "ithaca.h"
#include "ithaca_tools.h"

#include <fenv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined __x86_64__
#include <xmmintrin.h>
#endif

#include <cmocka.h>

#define MODEL "tests/models/needle-qwen3"

enum { PROMPT = 90, ANSWER = 6 };

static void must(ith_status status, const ith_error *err)
{
    if (status != ITH_OK)
        fail_msg("%s", err->text);
}

/* ---- Environments ---- */

static void as_it_is(void) {}
static void upward(void)
{
    fesetround(FE_UPWARD);
}
static void downward(void)
{
    fesetround(FE_DOWNWARD);
}
static void toward_zero(void)
{
    fesetround(FE_TOWARDZERO);
}
/* Where the machine cannot trap, nothing is to be seen. */
static void trapping(void)
{
    feclearexcept(FE_ALL_EXCEPT);
    feenableexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW | FE_INEXACT);
}
static void flushing(void)
{
#if defined __x86_64__
    _mm_setcsr(_mm_getcsr() | 0x8040u); /* subnormals are 0, as results and as operands */
#endif
}

static void (*const environments[])(void) = {as_it_is,    upward,   downward,
                                             toward_zero, trapping, flushing};
enum { ENVIRONMENTS = sizeof environments / sizeof *environments };

/* Rounding, traps, and flushing: not the flags, which the test's own arithmetic sets. */
static uint64_t control(void)
{
    uint64_t c = (uint64_t)fegetround() << 32 | (uint64_t)fegetexcept() << 16;
#if defined __x86_64__
    c |= _mm_getcsr() & 0x8040u;
#endif
    return c;
}

/* ---- What the library computes ---- */

typedef struct results {
    char logits[65];
    int32_t answer[ANSWER];
    size_t n_answer;
    char pack[65]; /* of the file's bytes */
} results;

static void compute(const ith_engine_params *params, results *out)
{
    uint64_t before = control();
    ith_world *world;
    ith_engine *engine;
    ith_session *session;
    ith_generation answer;
    int32_t ids[PROMPT];
    ith_error err = {0};

    for (int i = 0; i < PROMPT; i++)
        ids[i] = i % 7 + 1;
    must(ith_world_open(&world, &err), &err);
    must(ith_engine_open(world, params, &engine, &err), &err);
    must(ith_session_open(engine, &session, &err), &err);
    must(ith_session_prefill(session, ids, PROMPT, &err), &err);
    ith_session_logits_sha256(session, out->logits);
    ith_generate_params how = ith_generate_params_default(engine);
    how.sampling = (ith_sampling){.temperature = 2, .top_p = 0.9f, .repeat_penalty = 1.1f};
    how.sampling.repeat_window = 20;
    how.sampling.seed = 5;
    how.max_tokens = ANSWER;
    how.ignore_eos = true;
    must(ith_generate(session, &how, &answer, &err), &err);
    out->n_answer = answer.n_ids;
    memcpy(out->answer, answer.ids, answer.n_ids * sizeof *answer.ids);
    ith_generation_free(&answer);
    ith_session_close(session);
    ith_engine_close(engine);
    ith_world_close(world);
    assert_true(control() == before);
}

/* Quantizes on all threads, and measures the key means. */
static void make_pack(const char *path, results *out)
{
    uint64_t before = control();
    ith_pack_params params = ith_pack_params_default();
    ith_error err = {0};

    params.model = MODEL;
    params.output = path;
    params.quant = ITH_QUANT_W4;
    params.threads = 2;
    params.force = true;
    must(ith_pack(&params, NULL, &err), &err);
    assert_true(control() == before);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long n = ftell(f);
    char *bytes = malloc((size_t)n);
    assert_non_null(bytes);
    rewind(f);
    assert_int_equal(fread(bytes, 1, (size_t)n, f), n);
    fclose(f);
    ith_sha256_hex(bytes, (size_t)n, out->pack);
    free(bytes);
}

static void in_each_environment(void (*fill)(results *out))
{
    results want = {0};

    for (int i = 0; i < ENVIRONMENTS; i++) {
        results got = {0};
        fenv_t host;
        fegetenv(&host);
        environments[i]();
        fill(&got);
        fesetenv(&host);
        if (i == 0)
            want = got;
        assert_string_equal(got.logits, want.logits);
        assert_string_equal(got.pack, want.pack);
        assert_int_equal(got.n_answer, want.n_answer);
        assert_memory_equal(got.answer, want.answer, sizeof want.answer);
    }
}

static ith_engine_params params_of(int threads, ith_quant quant)
{
    ith_engine_params params = ith_engine_params_default();
    params.model = MODEL;
    params.threads = threads;
    params.quant = quant;
    params.ctx = 256;
    return params;
}

static void run_w8(results *out)
{
    ith_engine_params params = params_of(2, ITH_QUANT_W8);
    compute(&params, out);
}
static void run_w4_alone(results *out)
{
    ith_engine_params params = params_of(1, ITH_QUANT_W4);
    compute(&params, out);
}
static void run_bf16(results *out)
{
    ith_engine_params params = params_of(2, ITH_QUANT_BF16);
    params.kv = ITH_KV_BF16;
    compute(&params, out);
}
/* Threads of their own make and fetch the weights. */
static void run_streamed(results *out)
{
    ith_engine_params params = params_of(2, ITH_QUANT_W8);
    params.distribution = ITH_DISTRIBUTION_STREAMED;
    compute(&params, out);
}
static void pack(results *out)
{
    char path[] = "/tmp/ithaca_fpenv_XXXXXX.ith";
    int fd = mkstemps(path, 4);
    assert_true(fd >= 0);
    close(fd);
    make_pack(path, out);
    unlink(path);
}

static void logits_and_answers_are_the_same(void **state)
{
    (void)state;
    in_each_environment(run_w8);
    in_each_environment(run_w4_alone);
    in_each_environment(run_bf16);
    in_each_environment(run_streamed);
}

static void packs_are_the_same(void **state)
{
    (void)state;
    in_each_environment(pack);
}

/* A team that was opened in one environment runs in the default one, whoever calls. */
static void look(void *arg, ith_member *me)
{
    uint64_t *seen = arg;
    seen[me->tid] = control();
}

static void teams_run_in_the_default(void **state)
{
    (void)state;
    uint64_t seen[3], standard = control();
    for (int threads = 1; threads <= 3; threads += 2)
        for (int i = 0; i < ENVIRONMENTS; i++) {
            ith_team *team;
            fenv_t host;
            fegetenv(&host);
            environments[i]();
            uint64_t before = control();
            assert_int_equal(ith_team_open(threads, &team, NULL), ITH_OK);
            ith_team_run(team, look, seen);
            assert_true(control() == before);
            ith_team_close(team);
            fesetenv(&host);
            for (int t = 0; t < threads; t++)
                assert_true(seen[t] == standard);
        }
}

/* Exceptions that the library raises do not show in the caller's flags. */
static void flags_stay(void **state)
{
    (void)state;
    results got;
    feclearexcept(FE_ALL_EXCEPT);
    run_w8(&got);
    assert_int_equal(fetestexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_and_answers_are_the_same),
        cmocka_unit_test(packs_are_the_same),
        cmocka_unit_test(teams_run_in_the_default),
        cmocka_unit_test(flags_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_sampler.c - the sampler: its generator against published numbers, its filters against a
 * plain sort, its penalty and its errors. */
#include "prng.h"
#include "unit/text_data.h"

#include "text/sampler.h"

#include <math.h>

static const ith_sampling plain = {.temperature = 1, .top_p = 1, .repeat_penalty = 1};

static ith_sampler *open_sampler(ith_sampling params, int64_t n_vocab)
{
    ith_sampler *sampler;
    ith_error err;

    if (ith_sampler_open(&params, n_vocab, &sampler, &err) != ITH_OK)
        fail_msg("%s", err.text);
    return sampler;
}

static void test_greedy(void **state)
{
    const float logits[] = {-1, 3, 2, 3, NAN}, low[] = {-INFINITY, NAN, -INFINITY},
                high[] = {1, INFINITY, 2};
    ith_sampling params = plain;
    ith_sampler *sampler, *warm = open_sampler(plain, 3);

    (void)state;
    params.temperature = 0;
    params.top_k = 2;
    sampler = open_sampler(params, 5);
    assert_int_equal(ith_sampler_choose(sampler, logits), 1); /* of equals the lowest id */
    ith_sampler_close(sampler);
    assert_int_equal(ith_sampler_choose(warm, low), 0);
    assert_int_equal(ith_sampler_choose(warm, high), 1);
    ith_sampler_close(warm);
}

/* With equal logits over 2^16 tokens the choice is the upper 16 bits of the generator's number. The
 * expected numbers are the first ones of xoshiro256++ seeded with 0 through splitmix64, as the
 * reference code gives them (the tests of Rust's rand_xoshiro have them too). */
static void test_generator(void **state)
{
    static const uint64_t published[] = {
        5987356902031041503u, 7051070477665621255u, 6633766593972829180u,  211316841551650330u,
        9136120204379184874u, 379361710973160858u,  15813423377499357806u, 15596884590815070553u,
        5439680534584881407u, 1369371744833522710u};
    float *logits = calloc(65536, sizeof *logits);
    ith_sampler *sampler = open_sampler(plain, 65536);

    (void)state;
    for (size_t i = 0; i < sizeof published / sizeof *published; i++)
        assert_int_equal(ith_sampler_choose(sampler, logits), (int)(published[i] >> 48));
    ith_sampler_close(sampler);
    free(logits);
}

/* ---- Filters against a sort ---- */

enum { N = 2600 }; /* more than 10 of the blocks that top-k looks at first */

typedef struct ranked {
    float x;
    int id;
} ranked;

static int by_rank(const void *a, const void *b)
{
    const ranked *p = a, *q = b;
    return p->x != q->x ? (p->x < q->x ? 1 : -1) : p->id - q->id;
}

/* Marks in `kept` the tokens that may be chosen, and returns their number. Where rounding decides,
 * `slack` includes (1) or excludes (-1) a token. */
static int allowed(const float *logits, const ith_sampling *p, double slack, bool *kept)
{
    ranked list[N];
    double sum = 0, seen = 0;
    int n = p->top_k > 0 && p->top_k < N ? p->top_k : N, count = 0;

    for (int i = 0; i < N; i++)
        list[i] = (ranked){logits[i], i};
    qsort(list, N, sizeof *list, by_rank);
    memset(kept, 0, N * sizeof *kept);
    for (int i = 0; i < n; i++)
        sum += exp((double)(list[i].x - list[0].x) / (double)p->temperature);
    for (int i = 0; i < n && (i == 0 || seen < (double)p->top_p * sum + slack * 1e-5 * sum); i++) {
        double weight = exp((double)(list[i].x - list[0].x) / (double)p->temperature);
        seen += weight;
        if (weight >= (double)p->min_p * (1 - slack * 1e-5)) {
            kept[list[i].id] = true;
            count++;
        }
    }
    return count;
}

/* Of many choices each is allowed, and every allowed token that is not too rare is chosen. */
static void expect_allowed(ith_sampling params, uint64_t seed, bool equals)
{
    float logits[N];
    bool wide[N], narrow[N], chosen[N] = {false};
    double sum = 0;
    int choices = 3000;
    prng random = {seed};
    ith_sampler *sampler = open_sampler(params, N);

    for (int i = 0; i < N; i++)
        logits[i] = equals ? (float)prng_int(&random, 0, 63) / 8 : prng_float(&random, 0, 8);
    allowed(logits, &params, 1, wide);
    allowed(logits, &params, -1, narrow);
    for (int i = 0; i < choices; i++) {
        int32_t id = ith_sampler_choose(sampler, logits);
        assert_in_range(id, 0, N - 1);
        assert_true(wide[id]);
        chosen[id] = true;
    }
    for (int i = 0; i < N; i++)
        sum += wide[i] ? exp((double)logits[i] / (double)params.temperature) : 0;
    for (int i = 0; i < N; i++)
        if (narrow[i] && exp((double)logits[i] / (double)params.temperature) / sum > 20.0 / choices)
            assert_true(chosen[i]);
    ith_sampler_close(sampler);
}

static void test_filters(void **state)
{
    static const struct {
        float temperature;
        int top_k;
        float top_p, min_p;
    } cases[] = {
        {1, 0, 1, 0},          {0.6f, 20, 0.95f, 0}, {1, 1, 1, 0},          {1, 7, 1, 0},
        {1, 10, 1, 0},         {2, 11, 1, 0},        {1, 12, 1, 0},         {1, 0, 0.5f, 0},
        {1, 0, 0.05f, 0},      {1, 0, 0, 0},         {1.5f, 0, 0.99f, 0},   {1, 0, 1, 0.1f},
        {1, 0, 1, 1},          {0.7f, 0, 1, 0.5f},   {1, 50, 1, 0.3f},      {2, 100, 0.8f, 0.2f},
        {0.3f, 0, 0.9f, 0.2f}, {1, 10000, 0.7f, 0},  {10, 0, 0.999f, 0.01f}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ith_sampling p = plain;
        p.temperature = cases[i].temperature;
        p.top_k = cases[i].top_k;
        p.top_p = cases[i].top_p;
        p.min_p = cases[i].min_p;
        p.seed = i;
        expect_allowed(p, i, true);
        expect_allowed(p, i, false);
    }
}

/* How often each of four tokens is chosen follows its probability. */
static void test_frequencies(void **state)
{
    const float logits[] = {0, 1, 2, -1};
    double expected[4], sum = 0, count[4] = {0};
    int choices = 200000;
    ith_sampling params = plain;
    ith_sampler *sampler;

    (void)state;
    params.temperature = 2;
    params.seed = 7;
    sampler = open_sampler(params, 4);
    for (int i = 0; i < 4; i++)
        sum += expected[i] = exp((double)logits[i] / 2);
    for (int i = 0; i < choices; i++)
        count[ith_sampler_choose(sampler, logits)]++;
    for (int i = 0; i < 4; i++) {
        double p = expected[i] / sum;
        assert_true(fabs(count[i] / choices - p) < 5 * sqrt(p * (1 - p) / choices));
    }
    ith_sampler_close(sampler);
}

static void test_seeds(void **state)
{
    float logits[N];
    prng random = {5};
    ith_sampling params = plain;
    ith_sampler *a, *b, *c;
    int differ = 0;

    (void)state;
    for (int i = 0; i < N; i++)
        logits[i] = prng_float(&random, 0, 3);
    params.seed = 1;
    a = open_sampler(params, N);
    b = open_sampler(params, N);
    params.seed = 2;
    c = open_sampler(params, N);
    for (int i = 0; i < 200; i++) {
        int32_t id = ith_sampler_choose(a, logits);
        assert_int_equal(id, ith_sampler_choose(b, logits));
        differ += id != ith_sampler_choose(c, logits);
    }
    assert_true(differ > 150);
    ith_sampler_close(a);
    ith_sampler_close(b);
    ith_sampler_close(c);
}

static void test_penalty(void **state)
{
    const float logits[] = {4, 3, -2, -3}, negative[] = {-1, -1.5f, -9, -9};
    ith_sampling params = plain;
    ith_sampler *sampler;

    (void)state;
    params.temperature = 0;
    params.repeat_penalty = 2;
    params.repeat_window = 2;
    sampler = open_sampler(params, 4);
    assert_int_equal(ith_sampler_choose(sampler, logits), 0);
    ith_sampler_accept(sampler, 0);
    assert_int_equal(ith_sampler_choose(sampler, logits), 1);   /* 4 / 2 < 3 */
    assert_int_equal(ith_sampler_choose(sampler, negative), 1); /* -1 * 2 < -1.5 */

    /* Twice in the window, but penalized once. */
    ith_sampler_accept(sampler, 0);
    ith_sampler_accept(sampler, 1);
    assert_int_equal(ith_sampler_choose(sampler, logits), 0);
    ith_sampler_accept(sampler, 2); /* 0 has left the window of two */
    ith_sampler_accept(sampler, -1);
    ith_sampler_accept(sampler, 4);
    assert_int_equal(ith_sampler_choose(sampler, logits), 0);
    ith_sampler_accept(sampler, 0);
    assert_int_equal(ith_sampler_choose(sampler, logits), 1);
    assert_true(logits[0] == 4);
    ith_sampler_close(sampler);
}

static void expect_refused(ith_sampling params, int64_t n_vocab, const char *part)
{
    ith_error err = {0};
    ith_sampler *sampler;

    assert_int_equal(ith_sampler_open(&params, n_vocab, &sampler, &err), ITH_E_ARGUMENT);
    assert_null(sampler);
    assert_non_null(strstr(err.text, part));
}

static void test_errors(void **state)
{
    ith_sampling p;

    (void)state;
    expect_refused(plain, 0, "vocabulary");
    expect_refused(plain, (int64_t)1 << 31, "vocabulary");
    p = plain, p.temperature = -0.1f;
    expect_refused(p, 9, "temperature");
    p = plain, p.temperature = NAN;
    expect_refused(p, 9, "temperature");
    p = plain, p.top_k = -1;
    expect_refused(p, 9, "top_k");
    p = plain, p.top_p = 1.01f;
    expect_refused(p, 9, "top_p");
    p = plain, p.min_p = NAN;
    expect_refused(p, 9, "min_p");
    p = plain, p.repeat_penalty = 0;
    expect_refused(p, 9, "repeat_penalty");
    p = plain, p.repeat_window = -2;
    expect_refused(p, 9, "repeat_window");
    ith_sampler_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greedy),  cmocka_unit_test(test_generator),
        cmocka_unit_test(test_filters), cmocka_unit_test(test_frequencies),
        cmocka_unit_test(test_seeds),   cmocka_unit_test(test_penalty),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

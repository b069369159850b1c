/* test_experts.c - the experts of each token, the token lists, and which thread computes what. */
#include "model/blocks/experts.h"
#include "tests/prng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 24, USED = 4, TOKENS = 50 };

static const ith_experts_params plain = {.n = N, .used = USED, .ffn = 96, .step = 1};

static void route(const ith_experts_params *experts, const float *logits, int32_t *chosen,
                  float *weights)
{
    ith_route_token(ith_kernels_get(), experts, logits, chosen, weights);
}

/* ---- One token ---- */

static void the_largest_are_chosen_ascending(void **state)
{
    float logits[N], weights[USED];
    int32_t chosen[USED];
    (void)state;
    for (int i = 0; i < N; i++)
        logits[i] = (float)-i;
    logits[17] = 5;
    logits[3] = 7;
    route(&plain, logits, chosen, weights);
    assert_memory_equal(chosen, ((int32_t[]){0, 1, 3, 17}), sizeof chosen);
    assert_true(weights[2] > weights[3] && weights[3] > weights[0] && weights[0] > weights[1]);
}

static void of_equal_ones_the_lower_is_chosen(void **state)
{
    float logits[N] = {0}, weights[USED];
    int32_t chosen[USED];
    (void)state;
    route(&plain, logits, chosen, weights);
    assert_memory_equal(chosen, ((int32_t[]){0, 1, 2, 3}), sizeof chosen);
    logits[20] = logits[22] = 1;
    logits[5] = -0.0f;
    logits[0] = logits[1] = -1;
    route(&plain, logits, chosen, weights);
    assert_memory_equal(chosen, ((int32_t[]){2, 3, 20, 22}), sizeof chosen);
    for (int i = 0; i < N; i++)
        logits[i] = i < 12 ? 1 : 2;
    route(&plain, logits, chosen, weights);
    assert_memory_equal(chosen, ((int32_t[]){12, 13, 14, 15}), sizeof chosen);
}

/* Weights are softmax's, whatever is added to all logits; normalized they sum to 1. */
static void weights_are_those_of_softmax(void **state)
{
    ith_experts_params normalized = plain;
    prng p = {7};
    float logits[N], weights[USED];
    int32_t chosen[USED];
    (void)state;
    normalized.normalized = true;
    for (int k = 0; k < 200; k++) {
        double all = 0, some = 0;
        for (int i = 0; i < N; i++)
            logits[i] = prng_float(&p, 0, 8);
        route(&plain, logits, chosen, weights);
        for (int i = 0; i < N; i++)
            all += exp((double)logits[i]);
        for (int i = 0; i < USED; i++) {
            double expected = exp((double)logits[chosen[i]]) / all;
            assert_true(fabs((double)weights[i] - expected) < 1e-6 * expected + 1e-12);
            some += exp((double)logits[chosen[i]]);
        }
        route(&normalized, logits, chosen, weights);
        for (int i = 0; i < USED; i++) {
            double expected = exp((double)logits[chosen[i]]) / some;
            assert_true(fabs((double)weights[i] - expected) < 1e-6 * expected + 1e-12);
        }
    }
}

/* The same as sorting all. */
static void any_choice_is_right(void **state)
{
    prng p = {11};
    float logits[N], weights[N];
    int32_t chosen[N];
    (void)state;
    for (int k = 0; k < 500; k++) {
        ith_experts_params experts = plain;
        experts.used = 1 + k % N;
        for (int i = 0; i < N; i++)
            logits[i] = (float)prng_int(&p, 0, 5);
        route(&experts, logits, chosen, weights);
        for (int64_t i = 0, at = 0; i < N; i++) {
            int better = 0;
            for (int j = 0; j < N; j++)
                better += logits[j] > logits[i] || (logits[j] == logits[i] && j < i);
            if (better < experts.used)
                assert_int_equal(chosen[at++], i);
        }
    }
}

/* Whatever comes out of a damaged model: experts that exist, each once. */
static void no_number_is_no_fault(void **state)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY, 0};
    prng p = {13};
    float logits[N], weights[USED];
    int32_t chosen[USED];
    (void)state;
    for (int k = 0; k < 300; k++) {
        for (int i = 0; i < N; i++)
            logits[i] = odd[k < 3 ? k : (int)prng_int(&p, 0, 3)];
        route(&plain, logits, chosen, weights);
        for (int i = 0; i < USED; i++)
            assert_true(chosen[i] >= 0 && chosen[i] < N && (i == 0 || chosen[i] > chosen[i - 1]));
    }
    for (int i = 0; i < N; i++)
        logits[i] = i % 2 ? NAN : -1;
    route(&plain, logits, chosen, weights);
    assert_memory_equal(chosen, ((int32_t[]){0, 2, 4, 6}), sizeof chosen);
}

/* ---- Lists ---- */

typedef struct lists {
    ith_routes routes;
    int32_t chosen[TOKENS * USED], token[TOKENS * USED];
    float weights[TOKENS * USED], weight[TOKENS * USED];
    int64_t first[N + 1], costs[N + 1];
} lists;

/* n tokens, all of which go to experts below `most`. */
static void make(lists *l, int64_t n, int most)
{
    prng p = {17};
    l->routes = (ith_routes){.chosen = l->chosen,
                             .weights = l->weights,
                             .first = l->first,
                             .costs = l->costs,
                             .token = l->token,
                             .weight = l->weight};
    for (int64_t t = 0; t < n; t++) {
        float logits[N];
        for (int i = 0; i < N; i++)
            logits[i] = i < most ? prng_float(&p, 0, 1) : -9;
        route(&plain, logits, l->chosen + t * USED, l->weights + t * USED);
    }
    ith_route_list(&plain, n, &l->routes);
}

static void lists_hold_every_assignment_in_order(void **state)
{
    static lists l;
    (void)state;
    for (int64_t n = 0; n <= TOKENS; n += n < 3 ? 1 : 47) {
        make(&l, n, N);
        assert_int_equal(l.first[0], 0);
        assert_int_equal(l.first[N], n * USED);
        for (int e = 0; e < N; e++)
            for (int64_t a = l.first[e]; a < l.first[e + 1]; a++) {
                const int32_t *of_token = l.chosen + l.token[a] * USED;
                int k = 0;
                while (k < USED && of_token[k] != e)
                    k++;
                assert_true(k < USED && l.weight[a] == l.weights[l.token[a] * USED + k]);
                assert_true(a == l.first[e] || l.token[a] > l.token[a - 1]);
            }
    }
}

/* Every group of an expert with tokens belongs to one member, in the order of members, and no
 * member has more than one group above its share. */
static void check_shares(const lists *l, ith_deal deal, int groups, int members)
{
    int64_t end[N] = {0}, largest = 0;

    for (int e = 0; e < N; e++)
        largest = l->costs[e + 1] - l->costs[e] > largest ? l->costs[e + 1] - l->costs[e] : largest;
    for (int part = 0; part < members; part++) {
        int64_t cost = 0;
        for (int e = 0; e < N; e++) {
            ith_range r = ith_experts_share(&l->routes, N, e, groups, deal, members, part);
            if (ith_range_size(r) == 0)
                continue;
            assert_int_equal(r.begin, end[e]);
            end[e] = r.end;
            cost += ith_range_size(r) * (l->costs[e + 1] - l->costs[e]);
            if (deal == ITH_BY_ROWS) /* about where the member's part of any matrix is */
                assert_true(r.begin * members >= (int64_t)groups * part - members &&
                            r.end * members <= (int64_t)groups * (part + 1) + members);
        }
        assert_true(cost <= l->costs[N] * groups / members + 1 + largest);
    }
    for (int e = 0; e < N; e++)
        assert_int_equal(end[e], l->first[e + 1] > l->first[e] ? groups : 0);
}

static void shares_cover_all_and_are_even(void **state)
{
    static lists l;
    static const int members[] = {1, 2, 3, 7, 64, 500};
    (void)state;
    for (int most = USED; most <= N; most += 10) {
        make(&l, TOKENS, most);
        for (size_t m = 0; m < sizeof members / sizeof *members; m++)
            for (int groups = 1; groups <= 25; groups += 8) {
                check_shares(&l, ITH_BY_EXPERTS, groups, members[m]);
                check_shares(&l, ITH_BY_ROWS, groups, members[m]);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_are_chosen_ascending),
        cmocka_unit_test(of_equal_ones_the_lower_is_chosen),
        cmocka_unit_test(weights_are_those_of_softmax),
        cmocka_unit_test(any_choice_is_right),
        cmocka_unit_test(no_number_is_no_fault),
        cmocka_unit_test(lists_hold_every_assignment_in_order),
        cmocka_unit_test(shares_cover_all_and_are_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

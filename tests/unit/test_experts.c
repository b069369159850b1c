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

static const ith_experts_params plain = {
    .n = N, .used = USED, .ffn = 96, .step = 1, .router = {.factor = 1}};

static void route_biased(const ith_experts_params *experts, const float *logits, const float *bias,
                         int32_t *chosen, float *weights)
{
    float scratch[N];
    ith_route_token(ith_kernels_get(), experts, logits, bias, scratch, chosen, weights);
}

static void route(const ith_experts_params *experts, const float *logits, int32_t *chosen,
                  float *weights)
{
    route_biased(experts, logits, NULL, chosen, weights);
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
    normalized.router.normalized = true;
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
        ith_experts_params e = plain;
        if (k % 2)
            e.router = (ith_router_params){.score = ITH_ROUTER_SIGMOID,
                                           .groups = 4,
                                           .top_groups = 1,
                                           .group_best = 2,
                                           .factor = 1};
        for (int i = 0; i < N; i++)
            logits[i] = odd[k < 6 ? k / 2 : (int)prng_int(&p, 0, 3)];
        route(&e, logits, chosen, weights);
        for (int i = 0; i < USED; i++)
            assert_true(chosen[i] >= 0 && chosen[i] < N && (i == 0 || chosen[i] > chosen[i - 1]));
    }
    for (int i = 0; i < N; i++)
        logits[i] = i % 2 ? NAN : -1;
    route(&plain, logits, chosen, weights);
    assert_memory_equal(chosen, ((int32_t[]){0, 2, 4, 6}), sizeof chosen);
}

/* ---- Every router ---- */

/* The same as sorting all: the numbers of the n best of `from`, ascending. */
static void best_of(const double *from, int n, int best, bool *is_best)
{
    for (int i = 0; i < n; i++) {
        int better = 0;
        for (int j = 0; j < n; j++)
            better += from[j] > from[i] || (from[j] == from[i] && j < i);
        is_best[i] = better < best;
    }
}

static double two_best(const double *c, int n)
{
    bool best[N];
    double sum = 0;
    best_of(c, n, 2, best);
    for (int i = 0; i < n; i++)
        sum += best[i] ? c[i] : 0;
    return sum;
}

/* In double, as the header has it. */
static void expect(const ith_experts_params *e, const float *logits, const float *bias,
                   bool *chosen, double *weights)
{
    const ith_router_params *r = &e->router;
    double s[N], c[N], groups[N], max = -INFINITY, all = 0, sum = 0;
    bool part[N];

    for (int i = 0; i < N; i++)
        max = fmax(max, (double)logits[i]);
    for (int i = 0; i < N; i++)
        all += exp((double)logits[i] - max);
    for (int i = 0; i < N; i++) {
        s[i] = r->score == ITH_ROUTER_SIGMOID ? 1 / (1 + exp(-(double)logits[i]))
                                              : exp((double)logits[i] - max) / all;
        c[i] = s[i] + (bias != NULL ? (double)bias[i] : 0);
    }
    int n_groups = r->groups > 1 ? (int)r->groups : 1, each = N / n_groups;
    for (int g = 0; g < n_groups; g++) {
        groups[g] = -INFINITY;
        for (int i = 0; i < each; i++)
            groups[g] = fmax(groups[g], c[g * each + i]);
        if (r->group_best == 2)
            groups[g] = two_best(c + g * each, each);
    }
    best_of(groups, n_groups, r->groups > 1 ? (int)r->top_groups : 1, part);
    for (int i = 0; i < N; i++)
        c[i] = part[i / each] ? c[i] : -INFINITY;
    best_of(c, N, (int)e->used, chosen);
    for (int i = 0; i < N; i++)
        sum += chosen[i] ? s[i] : 0;
    sum = r->normalized ? fmax(sum + r->norm_add, r->norm_least) : 1;
    for (int i = 0; i < N; i++)
        weights[i] = s[i] / sum * r->factor;
}

/* Scores, biases and groups in all combinations. */
static void every_router_is_as_specified(void **state)
{
    prng p = {19};
    float logits[N], bias[N], weights[N];
    int32_t chosen[N];
    (void)state;
    for (int k = 0; k < 3000; k++) {
        ith_experts_params e = plain;
        bool expected[N], biased = k % 2;
        double wanted[N];
        e.router = (ith_router_params){.score = (ith_router_score)(k / 2 % 2),
                                       .normalized = k / 4 % 2,
                                       .norm_add = k / 8 % 3 == 1 ? 0.3 : 0,
                                       .norm_least = k / 8 % 3 == 2 ? 0.4 : 0,
                                       .factor = k / 24 % 2 ? 2.5 : 1,
                                       .groups = (int[]){0, 1, 4, 6}[k / 48 % 4],
                                       .top_groups = 2 + k / 192 % 2,
                                       .group_best = 1 + k / 384 % 2};
        e.used = 1 + k % 8;
        for (int i = 0; i < N; i++) {
            logits[i] = prng_float(&p, -4, 4);
            bias[i] = prng_float(&p, -0.5f, 0.5f);
        }
        expect(&e, logits, biased ? bias : NULL, expected, wanted);
        route_biased(&e, logits, biased ? bias : NULL, chosen, weights);
        for (int i = 0, at = 0; i < N; i++)
            if (expected[i]) {
                assert_true(at < e.used && chosen[at] == i);
                assert_true(fabs((double)weights[at] - wanted[i]) < 3e-6 * wanted[i]);
                at++;
            }
    }
}

/* Equal groups and equal experts: those of lower number. Groups that do not take part are not
 * chosen, however good their experts. */
/* The weight of `best` among those near it, `taken` left out. */
static double mixed_weight(const float *logits, int best, int taken, double jitter)
{
    double most = (double)logits[best], sum = 0;

    for (int i = 0; i < N; i++) {
        double by = fmax(fabs((double)logits[i]), most), far = (most - (double)logits[i]) / by;
        if (i != taken && !(far > 2 * jitter))
            sum += exp((double)logits[i] - most);
    }
    return 1 / sum;
}

static void sparse_mixers_are_as_specified(void **state)
{
    prng p = {23};
    ith_experts_params e = plain;
    float logits[N], weights[2];
    int32_t chosen[2];
    bool swapped = false, alone = false, among = false;
    (void)state;

    e.used = 2;
    e.router = (ith_router_params){.score = ITH_ROUTER_MIXER, .jitter = 0.2, .factor = 1};
    for (int k = 0; k < 1000; k++) {
        int best[2] = {-1, -1};
        for (int i = 0; i < N; i++)
            logits[i] = prng_float(&p, -4, 4) - (float)(k % 2 * 8); /* or all negative */
        for (int j = 0; j < 2; j++)
            for (int i = 0; i < N; i++)
                if (i != best[0] && (best[j] < 0 || logits[i] > logits[best[j]]))
                    best[j] = i;
        route(&e, logits, chosen, weights);
        int at = best[0] < best[1] ? 0 : 1;
        assert_true(chosen[at] == best[0] && chosen[1 - at] == best[1]);
        double first = mixed_weight(logits, best[0], -1, 0.2),
               second = mixed_weight(logits, best[1], best[0], 0.2);
        assert_true(fabs((double)weights[at] - first) < 1e-6);
        assert_true(fabs((double)weights[1 - at] - second) < 1e-6);
        swapped |= at == 1;
        alone |= first == 1;
        among |= first < 0.7 && second < 0.7;
    }
    assert_true(swapped && alone && among);
    for (int i = 0; i < N; i++)
        logits[i] = NAN;
    route(&e, logits, chosen, weights);
    assert_true(chosen[0] == 0 && chosen[1] == 1);
    for (int i = 0; i < N; i++) /* what is far from the best counts nothing, however large it is */
        logits[i] = i == 2 ? 1e12f : i == 1 ? 1e11f : 0;
    route(&e, logits, chosen, weights);
    assert_true(chosen[0] == 1 && chosen[1] == 2 && weights[0] == 1 && weights[1] == 1);
}

static void of_equal_groups_the_lower_takes_part(void **state)
{
    ith_experts_params e = plain;
    float logits[N] = {0}, weights[USED];
    int32_t chosen[USED];
    (void)state;
    e.router = (ith_router_params){.score = ITH_ROUTER_SIGMOID,
                                   .groups = 6,
                                   .top_groups = 2,
                                   .group_best = 2,
                                   .normalized = true,
                                   .factor = 1};
    route(&e, logits, chosen, weights);
    assert_memory_equal(chosen, ((int32_t[]){0, 1, 2, 3}), sizeof chosen);
    assert_true(weights[0] == 0.25f);
    logits[11] = 2; /* the best of all, in the weakest group of three */
    logits[8] = logits[9] = logits[10] = -20;
    logits[20] = logits[21] = logits[22] = logits[16] = logits[17] = 1;
    route(&e, logits, chosen, weights);
    assert_memory_equal(chosen, ((int32_t[]){16, 17, 20, 21}), sizeof chosen);
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
        cmocka_unit_test(every_router_is_as_specified),
        cmocka_unit_test(sparse_mixers_are_as_specified),
        cmocka_unit_test(of_equal_groups_the_lower_takes_part),
        cmocka_unit_test(lists_hold_every_assignment_in_order),
        cmocka_unit_test(shares_cover_all_and_are_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

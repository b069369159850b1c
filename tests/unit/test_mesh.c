/* test_mesh.c - the mesh: there is one for any number of ranks, errors say what is expected, and
 * shares cover the whole. */
#include "comm/mesh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void any_number_of_ranks_makes_a_mesh(void **state)
{
    static const int kv_heads[] = {1, 2, 3, 4, 8, 12};
    (void)state;
    for (size_t i = 0; i < sizeof kv_heads / sizeof *kv_heads; i++)
        for (int ranks = 1; ranks <= 16; ranks++)
            for (int rank = 0; rank < ranks; rank++) {
                ith_mesh m;
                assert_int_equal(ith_mesh_make(NULL, ranks, rank, kv_heads[i], &m, NULL), ITH_OK);
                assert_int_equal(m.ranks, ranks);
                assert_int_equal(m.ulysses * m.context, ranks);
                assert_int_equal(kv_heads[i] % m.ulysses, 0);
                for (int u = m.ulysses + 1; u <= ranks; u++) /* the largest that can be */
                    assert_false(ranks % u == 0 && kv_heads[i] % u == 0);
                assert_int_equal(ith_mesh_rank(&m, m.u, m.c), rank);
            }
}

/* Layers with other numbers of KV heads: the mesh that these would have by themselves, where both
 * have as many groups. */
static void layers_have_heads_of_their_own(void **state)
{
    static const int heads[] = {2, 4, 6, 12};
    (void)state;

    for (int ranks = 1; ranks <= 12; ranks++)
        for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
            ith_mesh shared, own, m;
            int u = (int)ith_gcd(ranks, 2);
            char spec[32];
            snprintf(spec, sizeof spec, "%dx%d", u, ranks / u);
            assert_int_equal(ith_mesh_make(NULL, ranks, ranks - 1, 2, &shared, NULL), ITH_OK);
            assert_int_equal(ith_mesh_make(spec, ranks, ranks - 1, heads[i], &own, NULL), ITH_OK);
            m = ith_mesh_for_heads(&shared, heads[i]);
            assert_true(m.ulysses == own.ulysses && m.context == own.context && m.u == own.u &&
                        m.c == own.c && m.heads == own.heads && m.turn == own.turn);
        }
}

static void assert_refused(const char *spec, int ranks, int kv_heads, ith_status status,
                           const char *text)
{
    ith_mesh m;
    ith_error err = {0};
    assert_int_equal(ith_mesh_make(spec, ranks, 0, kv_heads, &m, &err), status);
    assert_non_null(strstr(err.text, text));
}

static void a_spec_is_taken_or_refused(void **state)
{
    ith_mesh m;
    (void)state;
    assert_int_equal(ith_mesh_make("4x1", 4, 3, 8, &m, NULL), ITH_OK);
    assert_int_equal(m.ulysses, 4);
    assert_int_equal(m.u, 3);
    assert_refused("2x1", 4, 8, ITH_E_ARGUMENT,
                   "'2x1' is a mesh of 2 ranks, but 4 run: 4x1 would work");
    assert_refused("3x1", 3, 8, ITH_E_ARGUMENT,
                   "cannot share 8 KV heads evenly among 3 ranks: 1x3 would work");
    assert_int_equal(ith_mesh_make("2x4", 8, 5, 8, &m, NULL), ITH_OK);
    assert_int_equal(m.context, 4);
    assert_int_equal(m.u, 1);
    assert_int_equal(m.c, 2);
    assert_refused("4x4", 3, 3, ITH_E_ARGUMENT, "3x1 would work");
}

static void a_spec_is_two_numbers(void **state)
{
    static const char *const bad[] = {
        "",     "4",    "x",   "4x",  "x1",  "4x1x1",         "4x1 ",         " 4x1",
        "-4x1", "4x-1", "0x4", "4x0", "4*1", "99999999999x1", "1x99999999999"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(bad[i], 4, 8, ITH_E_ARGUMENT, "expected UxR");
}

static void nonsense_is_refused(void **state)
{
    ith_mesh m;
    (void)state;
    assert_int_equal(ith_mesh_make(NULL, 0, 0, 8, &m, NULL), ITH_E_ARGUMENT);
    assert_int_equal(ith_mesh_make(NULL, 2, 2, 8, &m, NULL), ITH_E_ARGUMENT);
    assert_int_equal(ith_mesh_make(NULL, 2, -1, 8, &m, NULL), ITH_E_ARGUMENT);
    assert_int_equal(ith_mesh_make(NULL, 2, 0, 0, &m, NULL), ITH_E_ARGUMENT);
}

typedef ith_range (*part_fn)(const ith_mesh *mesh, int64_t n, int r);

static ith_range kv_part(const ith_mesh *mesh, int64_t n, int r)
{
    return ith_mesh_kv_heads(mesh, (int)n, r);
}

/* Shares follow each other from 0 to n, begin at multiples of unit, and differ by at most one
 * unit. */
static void assert_cover(part_fn part, const ith_mesh *mesh, int64_t n, int64_t unit)
{
    int64_t at = 0, least = INT64_MAX, most = 0;
    for (int r = 0; r < mesh->ranks; r++) {
        ith_range p = part(mesh, n, r);
        assert_int_equal(p.begin, at);
        assert_true(p.end >= p.begin);
        assert_true(p.begin % unit == 0 || p.begin == n);
        int64_t units = (ith_range_size(p) + unit - 1) / unit;
        least = units < least ? units : least;
        most = units > most ? units : most;
        at = p.end;
    }
    assert_int_equal(at, n);
    assert_true(most - least <= 1);
}

static void parts_cover_the_whole(void **state)
{
    (void)state;
    for (int ranks = 1; ranks <= 8; ranks *= 2) {
        ith_mesh m;
        assert_int_equal(ith_mesh_make(NULL, ranks, 0, 8, &m, NULL), ITH_OK);
        assert_cover(kv_part, &m, 8, 8 / ranks);
        for (int64_t n = 0; n < 300; n++) {
            assert_cover(ith_mesh_slots, &m, n, 1);
            assert_cover(ith_mesh_rows, &m, n, 32);
        }
        assert_cover(ith_mesh_rows, &m, 151936, 32);
        assert_cover(ith_mesh_slots, &m, (int64_t)1 << 40, 1);
    }
}

/* Every head is made once, every (head, segment) is held once, and every slot is attended to by one
 * context index. */
static void groups_share_their_heads(void **state)
{
    (void)state;
    for (int ranks = 1; ranks <= 16; ranks++) {
        int made[32] = {0};
        ith_mesh m;
        assert_int_equal(ith_mesh_make(NULL, ranks, 0, 8, &m, NULL), ITH_OK);
        for (int r = 0; r < ranks; r++) {
            ith_range own = ith_mesh_own_heads(&m, 32, r),
                      group = ith_mesh_kv_heads(&m, 8, ith_mesh_u(&m, r));
            assert_true(ith_range_size(own) == 0 ||
                        (own.begin >= 4 * group.begin && own.end <= 4 * group.end));
            for (int64_t h = own.begin; h < own.end; h++)
                made[h]++;
        }
        for (int h = 0; h < 32; h++)
            assert_int_equal(made[h], 1);
        for (int64_t n = 0; n < 100; n++) {
            int64_t at = 0;
            for (int c = 0; c < m.context; c++) {
                ith_range places = ith_mesh_attended(&m, n, c);
                assert_int_equal(places.begin, at);
                at = places.end;
            }
            assert_int_equal(at, n);
        }
    }
}

static void segments_go_round(void **state)
{
    (void)state;
    for (int ranks = 1; ranks <= 16; ranks++) {
        int64_t most = 0, all = 0, first, n_segments = 32; /* a context of 32,768 tokens */
        ith_mesh m;
        assert_int_equal(ith_mesh_make(NULL, ranks, 0, 8, &m, NULL), ITH_OK);
        int64_t heads = 8 / m.ulysses;
        for (int c = 0; c < m.context; c++) {
            int64_t held = 0;
            for (int64_t s = 0; s < n_segments; s++) {
                int64_t n = ith_mesh_held_heads(&m, s, (ith_range){0, heads}, c, &first), count = 0;
                for (int64_t h = 0; h < heads; h++)
                    if (ith_mesh_holder(&m, h, s) == c) {
                        assert_int_equal(h, first + count * m.context);
                        count++;
                    }
                assert_int_equal(n, count);
                held += n;
            }
            all += held;
            most = held > most ? held : most;
        }
        assert_int_equal(all, heads * n_segments);
        assert_int_equal(most, (all + m.context - 1) / m.context); /* memory falls as 1 / ranks */
    }
}

/* Keys that the tokens of context index c see, in a chunk of n tokens after `depth`. Counts every
 * token that is dealt in `seen`. */
static int64_t keys_of(const ith_mesh *m, int64_t depth, int64_t n, int c, uint8_t *seen)
{
    ith_range places = ith_mesh_attended(m, n, c);
    int64_t keys = 0, last = -1;
    int stretches = 0;

    for (; places.begin < places.end; stretches++) {
        ith_range tokens = ith_mesh_tokens(m, n, places);
        assert_true(tokens.begin > last && tokens.begin < tokens.end && tokens.end <= n);
        for (int64_t t = tokens.begin; t < tokens.end; t++) {
            assert_int_equal(ith_mesh_slot(m, n, t), places.begin + t - tokens.begin);
            keys += depth + t + 1;
            seen[t]++;
        }
        last = tokens.end - 1;
        places.begin += ith_range_size(tokens);
    }
    assert_true(stretches <= 2);
    return keys;
}

/* The most that a context index has to do, less what each would have if all had the same. */
static double excess_keys(const ith_mesh *m, int64_t depth, int64_t n, double *mean)
{
    static uint8_t seen[32768];
    int64_t all = 0, most = 0;

    memset(seen, 0, sizeof seen);
    for (int c = 0; c < m->context; c++) {
        int64_t keys = keys_of(m, depth, n, c, seen);
        all += keys;
        most = keys > most ? keys : most;
    }
    for (int64_t t = 0; t < n; t++)
        assert_int_equal(seen[t], 1);
    *mean = (double)all / m->context;
    return (double)most - *mean;
}

/* Every token is dealt once. No context index exceeds the mean by more than one token for each of
 * its ranks. */
static void work_is_dealt_evenly(void **state)
{
    (void)state;
    for (int ranks = 1; ranks <= 16; ranks++)
        for (int64_t n = 0; n < 200; n++) {
            ith_mesh m;
            double mean;
            assert_int_equal(ith_mesh_make(NULL, ranks, 0, 8, &m, NULL), ITH_OK);
            assert_true(excess_keys(&m, 0, n, &mean) <= (double)(m.ulysses * n));
            assert_true(excess_keys(&m, 5000, n, &mean) <= (double)(m.ulysses * (5000 + n)));
        }
}

/* With contiguous shares, L tokens in chunks of n would take (R - 1) / R * n / L longer: 12.5% at
 * 8x2 and 37.5% at 8x4, with L = 32,768 and chunks of 512 tokens per rank. */
static void long_chunks_are_balanced(void **state)
{
    static const char *const specs[] = {"1x2", "1x3", "1x7", "2x3", "8x2", "8x4", "4x8"};
    static const int ranks[] = {2, 3, 7, 6, 16, 32, 32};
    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        ith_mesh m;
        double mean;
        assert_int_equal(ith_mesh_make(specs[i], ranks[i], 0, 8, &m, NULL), ITH_OK);
        assert_true(excess_keys(&m, 0, 32768, &mean) <= 0.001 * mean);
        assert_true(excess_keys(&m, 24576, 8192, &mean) <= 0.001 * mean);
    }
}

/* Parts in proportion, to a unit; a weight of 0 gets nothing; the holder is who has it. */
static void weights_cut(void **state)
{
    static const int64_t weights[][5] = {
        {1, 2, 3, 4, 5}, {0, 1, 0, 0, 1}, {0, 0, 7, 0, 0}, {100000, 1, 0, 3, 100000}};
    (void)state;
    for (size_t w = 0; w < sizeof weights / sizeof *weights; w++) {
        int64_t sums[6];
        ith_mesh m;
        assert_int_equal(ith_mesh_make(NULL, 5, 0, 8, &m, NULL), ITH_OK);
        ith_mesh_weigh(&m, weights[w], sums);
        for (int64_t n = 0; n < 300; n += 1 + n / 40) {
            int64_t at = 0;
            for (int r = 0; r < 5; r++) {
                ith_range places = ith_mesh_slots(&m, n, r), rows = ith_mesh_rows(&m, n, r);
                double exact = (double)(n * weights[w][r]) / (double)sums[5];
                assert_int_equal(places.begin, at);
                assert_true((double)ith_range_size(places) > exact - 1 &&
                            (double)ith_range_size(places) < exact + 1);
                assert_true(weights[w][r] > 0 ||
                            (ith_range_size(places) == 0 && ith_range_size(rows) == 0));
                assert_true(ith_range_size(places) <= ith_mesh_most_slots(&m, n));
                assert_true(rows.begin % 32 == 0 || rows.begin == n);
                for (int64_t i = places.begin; i < places.end; i++)
                    assert_int_equal(ith_split_by_holder(n, 1, sums, 5, i), r);
                at = places.end;
            }
            assert_int_equal(at, n);
            assert_int_equal(ith_mesh_rows(&m, n, 4).end, n);
        }
    }
}

/* Whatever their weights, context indices see equally many keys for each of their tokens. */
static void weighed_tokens_are_balanced(void **state)
{
    static const int64_t weights[6] = {5, 1, 0, 3, 2, 2};
    static uint8_t seen[4096];
    const int64_t n = 4096;
    int64_t sums[7];
    ith_mesh m;
    (void)state;
    memset(seen, 0, sizeof seen);
    assert_int_equal(ith_mesh_make("2x3", 6, 0, 8, &m, NULL), ITH_OK);
    ith_mesh_weigh(&m, weights, sums);
    for (int c = 0; c < m.context; c++) {
        int64_t tokens = ith_range_size(ith_mesh_attended(&m, n, c));
        double keys = (double)keys_of(&m, 1000, n, c, seen) / (double)tokens,
               mean = 1000 + (double)(n + 1) / 2;
        assert_true(tokens > 0 && keys < 1.001 * mean && keys > 0.999 * mean);
    }
    for (int64_t t = 0; t < n; t++)
        assert_int_equal(seen[t], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_ranks_makes_a_mesh),
        cmocka_unit_test(layers_have_heads_of_their_own),
        cmocka_unit_test(groups_share_their_heads),
        cmocka_unit_test(segments_go_round),
        cmocka_unit_test(work_is_dealt_evenly),
        cmocka_unit_test(long_chunks_are_balanced),
        cmocka_unit_test(weights_cut),
        cmocka_unit_test(weighed_tokens_are_balanced),
        cmocka_unit_test(a_spec_is_taken_or_refused),
        cmocka_unit_test(a_spec_is_two_numbers),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(parts_cover_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

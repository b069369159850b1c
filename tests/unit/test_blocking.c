/* test_blocking.c - block sizes for small, usual and huge caches, and sizes in writing. */
#include "base/size.h"
#include "model/blocking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const ith_caches cases[] = {
    {1 << 10, 1 << 10, 1 << 10},          {16 << 10, 256 << 10, 256 << 10},
    {32 << 10, 512 << 10, 1 << 20},       {48 << 10, 2 << 20, 128 << 20},
    {64 << 10, 1 << 20, 4 << 20},         {128 << 10, 12 << 20, 12 << 20},
    {1 << 30, 1 << 30, (int64_t)1 << 30},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static void blocks_fit_their_caches(void **state)
{
    static const int64_t token_bytes[] = {32, 576, 1024, 4096, 12288, 28672 * 4};
    (void)state;
    for (int c = 0; c < CASES; c++)
        for (int b = 0; b < 6; b++) {
            int64_t tokens = ith_block_tokens(&cases[c], token_bytes[b]);
            assert_in_range(tokens, ITH_BLOCK_LEAST, ITH_PANEL_TOKENS);
            if (tokens == ITH_BLOCK_LEAST)
                continue;
            assert_true(ITH_PANEL_WEIGHTS + tokens * (token_bytes[b] + ITH_PANEL_TOKEN) <=
                        cases[c].l2 / 2);
        }
}

static void usual_sizes(void **state)
{
    const ith_caches *server = &cases[3];
    (void)state;
    assert_int_equal(ith_block_tokens(server, 1024), 192);
    assert_int_equal(ith_block_tokens(server, 4096), 192);
    assert_int_equal(ith_block_tokens(server, 12288), 82);
    assert_int_equal(ith_block_rows(server, 128), 64);
    assert_int_equal(ith_block_tokens(&cases[2], 1024), 192);
    assert_int_equal(ith_block_tokens(&cases[2], 3072), 74);
    assert_int_equal(ith_tile_rows(server, 272 << 10, 1168), 256);
    assert_int_equal(ith_tile_rows(&cases[4], 272 << 10, 1168), 210);

    /* The segment alone is too large. */
    assert_int_equal(ith_tile_rows(&cases[2], 272 << 10, 1168), 16);
}

/* What scratch memory is laid out for is never exceeded, and never nothing. */
static void rows_of_gate_and_up(void **state)
{
    (void)state;
    for (int c = 0; c < CASES; c++)
        for (int64_t tokens = 1; tokens <= ITH_PANEL_TOKENS; tokens++) {
            int64_t rows = ith_block_rows(&cases[c], tokens);
            assert_true(rows >= ITH_GROUP && rows % ITH_GROUP == 0);
            assert_true(rows * tokens <= ith_block_floats(&cases[c]));
        }
}

static void tiles_of_attention(void **state)
{
    (void)state;
    for (int c = 0; c < CASES; c++) {
        int64_t rows = ith_tile_rows(&cases[c], 270336, 1168);
        assert_in_range(rows, ITH_TILE_LEAST, ITH_TILE_MOST);
        if (rows > ITH_TILE_LEAST)
            assert_true(270336 + rows * 1168 <= cases[c].l2 / 2);
    }
    for (int threads = 1; threads <= 300; threads++)
        for (int64_t n = 1; n < 100000; n = 3 * n + 1) {
            int64_t rows = ith_tile_share(n, threads);
            assert_true(rows >= ITH_TILE_LEAST && rows % ITH_TILE_LEAST == 0);
            assert_true(rows == ITH_TILE_LEAST || rows * threads * ITH_TILES_PER_THREAD <= n);
        }
}

static void next_blocks_are_few_and_even(void **state)
{
    (void)state;
    for (int64_t most = 1; most < 60; most++)
        for (int64_t n = 1; n < 200; n++) {
            int64_t blocks = 0, least = n, largest = 0;
            for (int64_t left = n, size; left > 0; left -= size, blocks++) {
                size = ith_next_block(left, most);
                assert_in_range(size, 1, most < left ? most : left);
                least = size < least ? size : least;
                largest = size > largest ? size : largest;
            }
            assert_int_equal(blocks, (n + most - 1) / most);
            assert_true(largest - least <= 1);
        }
}

static void sizes_are_read(void **state)
{
    static const struct {
        const char *text, *rest;
        int64_t bytes;
    } right[] = {
        {"4096", "", 4096},    {"48KiB,", ",", 48 << 10},
        {"1.5m", "", 3 << 19}, {"2GB rest", " rest", (int64_t)2 << 30},
        {"0x10k", "", 16384},  {"3TIB", "", (int64_t)3 << 40},
        {"7q", "q", 7},
    };
    static const char *const wrong[] = {"", "KiB", "-1", "nan", "inf", "1e40", "9000000T"};
    const char *end;
    int64_t bytes;
    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        assert_true(ith_size_read(right[i].text, &end, &bytes));
        assert_true(bytes == right[i].bytes);
        assert_string_equal(end, right[i].rest);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(ith_size_read(wrong[i], &end, &bytes));
}

static void counts_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t count;
        const char *rest;
    } right[] = {
        {"4096", 4096, ""},  {"128k", 131072, ""}, {"128K", 131072, ""},
        {"2m", 2097152, ""}, {"0,4k", 0, ",4k"},   {"4k,16k", 4096, ",16k"},
        {"3g", 3, "g"},      {"1.5k", 1, ".5k"},   {"4398046511104m", INT64_C(1) << 62, ""}};
    static const char *const wrong[] = {"", "k", "-1", "4398046511105m", "99999999999999999999"};
    const char *end;
    int64_t count;
    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        assert_true(ith_count_read(right[i].text, &end, &count));
        assert_true(count == right[i].count);
        assert_string_equal(end, right[i].rest);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(ith_count_read(wrong[i], &end, &count));
}

static void caches_are_read(void **state)
{
    static const char *const wrong[] = {"",
                                        "48KiB",
                                        "48KiB,2MiB",
                                        "48KiB,2MiB,16MiB,",
                                        "48KiB,2MiB,2GiB",
                                        "12,2M,4M",
                                        "48KiB;2MiB;16MiB",
                                        "48KiB,2MiB,16MiB "};
    ith_caches caches = {0};
    ith_error err;
    (void)state;
    assert_int_equal(ith_caches_read("C", "48KiB,2MiB,16MiB", &caches, &err), ITH_OK);
    assert_true(caches.l1 == 48 << 10 && caches.l2 == 2 << 20 && caches.l3 == 16 << 20);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(ith_caches_read("C", wrong[i], &caches, &err), ITH_E_ARGUMENT);
        assert_non_null(strstr(err.text, "C='"));
    }
    assert_true(caches.l1 == 48 << 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_fit_their_caches),
        cmocka_unit_test(usual_sizes),
        cmocka_unit_test(rows_of_gate_and_up),
        cmocka_unit_test(tiles_of_attention),
        cmocka_unit_test(next_blocks_are_few_and_even),
        cmocka_unit_test(sizes_are_read),
        cmocka_unit_test(counts_are_read),
        cmocka_unit_test(caches_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_kv.c - the KV cache: growth, addresses, and where float layouts store keys and values. */
#include "base/mem.h"
#include "base/range.h"
#include "state/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void grows_by_segments(void **state)
{
    (void)state;
    size_t before = ith_mem_in_use(ITH_MEM_KV), segment = 16 * ith_kv_block_bytes(ITH_KVL_Q8, 64);
    ith_kv *kv;
    ith_error err;

    assert_int_equal(ith_kv_open(ITH_KVL_Q8, 3, 2, 64, 5000, 0, 1, &kv, &err), ITH_OK);
    assert_int_equal(ith_mem_in_use(ITH_MEM_KV), before); /* nothing before it is needed */
    assert_int_equal(ith_kv_reserve(kv, 1, &err), ITH_OK);
    assert_int_equal(ith_mem_in_use(ITH_MEM_KV) - before, 3 * 2 * segment);
    assert_int_equal(ith_kv_reserve(kv, 1024, &err), ITH_OK);
    assert_int_equal(ith_mem_in_use(ITH_MEM_KV) - before, 3 * 2 * segment);
    void *first = ith_kv_segment(kv, 2, 1, 0);
    assert_int_equal(ith_kv_reserve(kv, 5000, &err), ITH_OK);
    assert_int_equal(ith_mem_in_use(ITH_MEM_KV) - before, 5 * 3 * 2 * segment);
    assert_ptr_equal(ith_kv_segment(kv, 2, 1, 0), first); /* what was there stays where it was */
    ith_kv_close(kv);
    assert_int_equal(ith_mem_in_use(ITH_MEM_KV), before);
}

/* Whole segments of a timeline are in memory once, until the last of its caches is closed; the rest
 * is copied. */
static void segments_are_shared(void **state)
{
    (void)state;
    size_t before = ith_mem_in_use(ITH_MEM_KV), block = ith_kv_block_bytes(ITH_KVL_Q8, 64),
           segment = 3 * 2 * 16 * block;
    ith_kv *a, *b, *c;
    ith_error err;

    assert_int_equal(ith_kv_open(ITH_KVL_Q8, 3, 2, 64, 5000, 0, 1, &a, &err), ITH_OK);
    assert_int_equal(ith_kv_open(ITH_KVL_Q8, 3, 2, 64, 2600, 0, 1, &b, &err), ITH_OK);
    assert_int_equal(ith_kv_open(ITH_KVL_Q8, 3, 2, 64, 1000, 0, 1, &c, &err), ITH_OK);
    assert_int_equal(ith_kv_reserve(a, 4000, &err), ITH_OK);
    ith_team *team;
    assert_int_equal(ith_team_open(1, &team, &err), ITH_OK);
    assert_int_equal(ith_kv_populate(a, team, &err), ITH_OK);
    ith_kv_enter(a, 0, 4000);
    for (int64_t s = 0; s < 4; s++)
        for (int i = 0; i < 6; i++)
            memset(ith_kv_segment(a, i % 3, i / 3, s), 1 + (int)s + 10 * i, 16 * block);

    assert_int_equal(ith_kv_share(b, a, 2148, &err), ITH_OK);
    assert_int_equal(ith_mem_in_use(ITH_MEM_KV) - before, 4 * segment);
    assert_int_equal(ith_kv_reserve(b, 2600, &err), ITH_OK);
    assert_int_equal(ith_mem_in_use(ITH_MEM_KV) - before, 5 * segment);
    assert_int_equal(ith_kv_populate(b, team, &err), ITH_OK);
    assert_true(ith_kv_has_room(b, 2600));
    ith_kv_copy(b, a, 2148);
    assert_int_equal(ith_kv_share(c, b, 1000, &err), ITH_OK); /* of less than a segment, nothing */
    assert_int_equal(ith_kv_reserve(c, 1000, &err), ITH_OK);
    ith_kv_copy(c, b, 1000);
    for (int i = 0; i < 6; i++) {
        const uint8_t *tail = ith_kv_segment(b, i % 3, i / 3, 2), *own;
        assert_ptr_equal(ith_kv_segment(b, i % 3, i / 3, 1), ith_kv_segment(a, i % 3, i / 3, 1));
        assert_ptr_not_equal(tail, ith_kv_segment(a, i % 3, i / 3, 2));
        /* 100 tokens of the segment: two blocks */
        assert_true(tail[0] == 3 + 10 * i && tail[2 * block - 1] == tail[0] &&
                    tail[2 * block] == 0);
        own = ith_kv_segment(c, i % 3, i / 3, 0);
        assert_true(own[0] == 1 + 10 * i && own[16 * block - 1] == own[0]);
    }
    ith_kv_close(a); /* b has its first two segments still */
    assert_int_equal(ith_mem_in_use(ITH_MEM_KV) - before, 4 * segment);
    assert_int_equal(*(uint8_t *)ith_kv_segment(b, 2, 1, 1), 2 + 50);
    ith_kv_trim(b, 1024);
    assert_int_equal(ith_mem_in_use(ITH_MEM_KV) - before, 2 * segment);
    ith_kv_close(b);
    ith_kv_close(c);
    ith_team_close(team);
    assert_int_equal(ith_mem_in_use(ITH_MEM_KV), before);
}

static void short_timelines_take_little(void **state)
{
    (void)state;
    size_t before = ith_mem_in_use(ITH_MEM_KV);
    ith_kv *kv;
    ith_error err;

    assert_int_equal(ith_kv_open(ITH_KVL_Q8, 1, 1, 128, 65, 0, 1, &kv, &err), ITH_OK);
    assert_int_equal(ith_kv_reserve(kv, 65, &err), ITH_OK);
    assert_int_equal(ith_mem_in_use(ITH_MEM_KV) - before, 2 * ith_kv_block_bytes(ITH_KVL_Q8, 128));
    ith_kv_close(kv);
}

static void blocks_are_apart(void **state)
{
    (void)state;
    size_t block = ith_kv_block_bytes(ITH_KVL_Q8, 80);
    ith_kv *kv;
    ith_error err;

    assert_int_equal(ith_kv_open(ITH_KVL_Q8, 2, 3, 80, 3000, 0, 1, &kv, &err), ITH_OK);
    assert_int_equal(ith_kv_reserve(kv, 3000, &err), ITH_OK);
    for (int layer = 0; layer < 2; layer++) {
        for (int head = 0; head < 3; head++) {
            for (int64_t pos = 0; pos < 2944; pos += 64) {
                assert_ptr_equal(ith_kv_block(kv, layer, head, pos),
                                 ith_kv_block(kv, layer, head, pos + 63));
                assert_int_equal((uintptr_t)ith_kv_block(kv, layer, head, pos) % 64, 0);
                memset(ith_kv_block(kv, layer, head, pos), (int)(pos / 64 + 50 * head + 7 * layer),
                       block);
            }
        }
    }
    for (int layer = 0; layer < 2; layer++)
        for (int head = 0; head < 3; head++)
            for (int64_t pos = 0; pos < 2944; pos += 64) {
                const uint8_t *at = ith_kv_block(kv, layer, head, pos),
                              want = (uint8_t)(pos / 64 + 50 * head + 7 * layer);
                assert_true(at[0] == want && at[block - 1] == want);
            }
    ith_kv_close(kv);
}

/* Three caches hold the segments of a head in turn: each segment once, and memory as even as whole
 * segments allow. */
static void ranks_of_a_group_hold_segments_in_turn(void **state)
{
    (void)state;
    enum { GROUP = 3, HEADS = 4, LAYERS = 2, SEGMENTS = 5 };
    size_t before = ith_mem_in_use(ITH_MEM_KV), segment = 16 * ith_kv_block_bytes(ITH_KVL_Q8, 64);
    ith_kv *kv[GROUP];
    ith_error err;

    for (int rank = 0; rank < GROUP; rank++) {
        assert_int_equal(ith_kv_open(ITH_KVL_Q8, LAYERS, HEADS, 64, SEGMENTS * 1024, rank, GROUP,
                                     &kv[rank], &err),
                         ITH_OK);
        assert_int_equal(ith_kv_reserve(kv[rank], SEGMENTS * 1024, &err), ITH_OK);
    }
    assert_int_equal(ith_mem_in_use(ITH_MEM_KV) - before, LAYERS * HEADS * SEGMENTS * segment);
    for (int write = 1; write >= 0; write--)
        for (int layer = 0; layer < LAYERS; layer++)
            for (int head = 0; head < HEADS; head++)
                for (int64_t s = 0; s < SEGMENTS; s++) {
                    int rank = (int)((s * HEADS + head) % GROUP),
                        mark = (int)(1 + s + SEGMENTS * (head + HEADS * layer));
                    for (int i = 0; i < GROUP; i++)
                        assert_int_equal(ith_kv_holds(kv[i], head, s), i == rank);
                    uint8_t *at = ith_kv_segment(kv[rank], layer, head, s);
                    if (write)
                        memset(at, mark, segment);
                    assert_true(at[0] == mark && at[segment - 1] == mark);
                }
    for (int rank = 0; rank < GROUP; rank++)
        ith_kv_close(kv[rank]);
}

static void floats_land_where_kernels_look(void **state)
{
    (void)state;
    enum { D = 20, DP = 32 };
    float k[D], v[D];
    const float *block;
    ith_kv *kv;
    ith_error err;

    assert_int_equal(ith_kv_open(ITH_KVL_F32, 1, 1, D, 100, 0, 1, &kv, &err), ITH_OK);
    assert_int_equal(ith_kv_reserve(kv, 100, &err), ITH_OK);
    for (int c = 0; c < D; c++) {
        k[c] = (float)c + 1;
        v[c] = -(float)c - 1;
    }
    ith_kv_put_float(kv, 0, 0, 70, k, v);
    block = ith_kv_block(kv, 0, 0, 70);
    for (int c = 0; c < DP; c++)
        for (int slot = 0; slot < 64; slot++) {
            assert_true(block[c * 64 + slot] == (slot == 6 && c < D ? k[c] : 0));
            assert_true(block[DP * 64 + slot * DP + c] == (slot == 6 && c < D ? v[c] : 0));
        }
    ith_kv_close(kv);
}

/* Whatever the position, a pass and its window fit. */
static void enough_is_kept(void **state)
{
    static const int64_t windows[] = {1, 2, 63, 1000, 1023, 1024, 1025, 2048, 2049, 4096};
    static const int64_t reaches[] = {16, 300, 1024, 1025, 2000, 3000};

    (void)state;
    for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
        for (size_t r = 0; r < sizeof reaches / sizeof *reaches; r++) {
            int64_t most = 0, kept = ith_kv_kept(1 << 20, windows[w], reaches[r], 1);
            for (int64_t pos = 5000; pos < 5000 + 1024; pos++)
                most = ith_max(most, (pos + reaches[r] - 1) / ITH_KV_SEGMENT -
                                         (pos + 1 - windows[w]) / ITH_KV_SEGMENT + 1);
            assert_int_equal(kept, most);
        }
    assert_int_equal(ith_kv_kept(1 << 20, 1000, 300, 3), 3);
    assert_int_equal(ith_kv_kept(1 << 20, 4096, 300, 4), 8);
    assert_int_equal(ith_kv_kept(3000, 4096, 300, 4), 3); /* the whole timeline */
}

/* Ranks of a group hold segments in turn; those that are kept are the last. */
static void windows_move_on(void **state)
{
    enum { GROUP = 3, HEADS = 2, LAYERS = 2, SEGMENTS = 10, KEPT = 3 };
    ith_error err;

    (void)state;
    for (int rank = 0; rank < GROUP; rank++) {
        size_t before = ith_mem_in_use(ITH_MEM_KV);
        ith_kv *kv;
        assert_int_equal(
            ith_kv_open(ITH_KVL_Q8, LAYERS, HEADS, 64, SEGMENTS * 1024, rank, GROUP, &kv, &err),
            ITH_OK);
        ith_kv_keep(kv, 1000, KEPT);
        assert_int_equal(ith_kv_reserve(kv, SEGMENTS * 1024, &err), ITH_OK);
        assert_int_equal(ith_mem_in_use(ITH_MEM_KV) - before,
                         KEPT * HEADS / GROUP * LAYERS * ith_kv_segment_bytes(kv));
        for (int64_t s = 0; s < SEGMENTS; s++) {
            ith_kv_enter(kv, s * 1024, 1024);
            for (int at = 0; at < LAYERS * HEADS; at++)
                if (ith_kv_holds(kv, at % HEADS, s))
                    memset(ith_kv_segment(kv, at / HEADS, at % HEADS, s), (int)s * 16 + at,
                           ith_kv_segment_bytes(kv));
            assert_int_equal(ith_kv_first(kv), ith_max(0, s + 1 - KEPT));
            for (int64_t old = ith_kv_first(kv); old <= s; old++)
                for (int at = 0; at < LAYERS * HEADS; at++)
                    if (ith_kv_holds(kv, at % HEADS, old)) {
                        uint8_t *bytes = ith_kv_segment(kv, at / HEADS, at % HEADS, old);
                        assert_int_equal(bytes[0], old * 16 + at);
                        assert_int_equal(bytes[ith_kv_segment_bytes(kv) - 1], old * 16 + at);
                    }
        }
        ith_kv_close(kv);
    }
}

static void qwen3_8b_at_128k_is_as_the_design_says(void **state)
{
    const ith_layer_state layer = {.form = ITH_STATE_KV, .heads = 8, .head_dim = 128};
    int64_t token = 36 * ith_state_token_bytes(&layer, 1, ITH_KVL_Q8);
    (void)state;
    assert_int_equal(token * 131072, 9814671360); /* 9.8 GB */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_by_segments),
        cmocka_unit_test(segments_are_shared),
        cmocka_unit_test(short_timelines_take_little),
        cmocka_unit_test(blocks_are_apart),
        cmocka_unit_test(ranks_of_a_group_hold_segments_in_turn),
        cmocka_unit_test(floats_land_where_kernels_look),
        cmocka_unit_test(enough_is_kept),
        cmocka_unit_test(windows_move_on),
        cmocka_unit_test(qwen3_8b_at_128k_is_as_the_design_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_state.c - layers that are alike share a pool of the state, others do not. */
#include "base/mem.h"
#include "state/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define KV(h, d, w)                                                                                \
    {                                                                                              \
        .form = ITH_STATE_KV, .heads = h, .head_dim = d, .window = w                               \
    }

static const ith_layer_state layers[] = {KV(4, 64, 0), KV(4, 64, 512), {.form = ITH_STATE_NONE},
                                         KV(4, 64, 0), KV(2, 128, 0),  KV(4, 64, 512)};

enum { LAYERS = sizeof layers / sizeof *layers, CTX = 5000 };

static const ith_state_params params = {.layers = layers,
                                        .n_layers = LAYERS,
                                        .kv = ITH_KVL_Q8,
                                        .ctx = CTX,
                                        .reach = CTX,
                                        .ulysses = 2,
                                        .group_size = 1};

static void test_places(void **unused)
{
    static const ith_layer_pool expected[] = {{0, 0}, {1, 0}, {-1, 0}, {0, 1}, {2, 0}, {1, 1}};
    ith_error err;
    ith_state *state;

    (void)unused;
    assert_int_equal(ith_state_open(&params, &state, &err), ITH_OK);
    assert_int_equal(state->n_pools, 3);
    for (int i = 0; i < LAYERS; i++) {
        assert_int_equal(state->layer_pools[i].pool, expected[i].pool);
        assert_int_equal(state->layer_pools[i].layer, expected[i].layer);
    }
    ith_state_close(state);
}

/* Each pool has its own segments, of its own size. */
static void test_memory(void **unused)
{
    ith_error err;
    ith_state *state;
    int64_t before = (int64_t)ith_mem_in_use(ITH_MEM_KV), all;
    int number;

    (void)unused;
    assert_int_equal(ith_state_open(&params, &state, &err), ITH_OK);
    assert_false(ith_state_has_room(state, 1));
    assert_int_equal(ith_state_reserve(state, CTX, &err), ITH_OK);
    all = (int64_t)ith_mem_in_use(ITH_MEM_KV) - before;
    assert_int_equal(all, ith_state_bytes(&params) / 2);
    for (int i = 0; i < LAYERS; i++)
        if (layers[i].form == ITH_STATE_KV) {
            ith_kv *kv = ith_state_kv(state, i, &number);
            for (int head = 0; head < layers[i].heads / 2; head++)
                memset(ith_kv_segment(kv, number, head, 4), i + 8 * head, ith_kv_segment_bytes(kv));
        }
    for (int i = 0; i < LAYERS; i++)
        if (layers[i].form == ITH_STATE_KV) {
            ith_kv *kv = ith_state_kv(state, i, &number);
            for (int head = 0; head < layers[i].heads / 2; head++)
                assert_int_equal(*(uint8_t *)ith_kv_segment(kv, number, head, 4), i + 8 * head);
        }
    ith_state_trim(state, 1024);
    assert_int_equal((int64_t)ith_mem_in_use(ITH_MEM_KV) - before, all / 5);
    ith_state_close(state);
    assert_int_equal(ith_mem_in_use(ITH_MEM_KV), before);
}

/* Layers with a window keep 2 of 5 segments, and what lay before them is gone. */
static void test_windows(void **unused)
{
    ith_state_params few = params;
    ith_error err;
    ith_state *state;
    int64_t before = (int64_t)ith_mem_in_use(ITH_MEM_KV);

    (void)unused;
    few.reach = 300;
    assert_int_equal(ith_state_open(&few, &state, &err), ITH_OK);
    assert_int_equal(ith_state_reserve(state, CTX, &err), ITH_OK);
    assert_int_equal((int64_t)ith_mem_in_use(ITH_MEM_KV) - before, ith_state_bytes(&few) / 2);
    assert_int_equal(ith_state_bytes(&params) - ith_state_bytes(&few),
                     2 * 3 * ITH_KV_SEGMENT * ith_state_token_bytes(&layers[1], 1, ITH_KVL_Q8));
    ith_state_enter(state, 0, 2048);
    assert_true(ith_state_reaches(state, 0) && ith_state_reaches(state, 100));
    ith_state_enter(state, 2048, 300);
    assert_true(ith_state_reaches(state, 1024 + 511));
    assert_false(ith_state_reaches(state, 1024 + 510));
    assert_true(ith_state_reaches(state, 0));
    assert_int_equal(ith_state_first_after(state, 0), 1);
    assert_int_equal(ith_state_first_after(state, 4097), 3);
    ith_state_enter(state, 0, 1);
    assert_int_equal(ith_state_first_after(state, 0), 0);
    ith_state_close(state);
}

static void test_heads_that_cannot_be_cut(void **unused)
{
    ith_state_params four = params;
    ith_error err;
    ith_state *state;

    (void)unused;
    four.ulysses = 4;
    assert_int_equal(ith_state_open(&four, &state, &err), ITH_E_UNSUPPORTED);
    assert_null(state);
    assert_non_null(strstr(err.text, "the 2 KV heads of layer 4 cannot be cut among 4 groups"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_heads_that_cannot_be_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

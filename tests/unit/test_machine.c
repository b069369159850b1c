/* test_machine.c - machine files: what they say comes through, what is wrong with them is named;
 * rates of any number of threads, tokens and rows. */
#include "tools/machine_file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CPU   "\"schema\": \"ithaca-machine/1\", \"name\": \"x\", \"cpu\": {\"cores\": 4}"
#define RATE4 "{\"threads\": 4, \"read_gbps\": 40, \"integer_gops\": 2000, \"f32_gflops\": 500}"
#define RATES "\"rates\": [" RATE4 "]"

static ith_status parse(const char *text, ith_machine *m, ith_error *err)
{
    json_t *root;
    ith_status status = ith_json_parse(text, strlen(text), "file", &root, err);

    if (status != ITH_OK)
        return status;
    status = ith_machine_of_json(root, "file", m, err);
    json_decref(root);
    return status;
}

static void what_is_said(void **state)
{
    const char *text =
        "{" CPU ", \"rates\": [{\"threads\": 1, \"read_gbps\": 20, \"integer_gops\": 600, "
        "\"f32_gflops\": 150}, " RATE4 "], \"memory\": {\"bytes\": 1073741824, \"nodes\": "
        "[{\"cores\": 2, \"read_gbps\": 20}, {\"cores\": 2, \"read_gbps\": 20}]}, \"products\": "
        "[{\"layout\": \"w4\", \"tokens\": 1, \"gops\": 100}, {\"layout\": \"w4\", \"tokens\": 96, "
        "\"gops\": 1200}], \"attention\": [{\"kv\": \"q8\", \"head_dim\": 128, \"rows\": 64, "
        "\"gops\": 900}], \"barriers\": [{\"threads\": 4, \"us\": 2}], \"links\": {\"inside\": "
        "{\"alpha_us\": 1, \"gap_us\": 0.5, \"gbps\": 5}, \"between\": null}, \"disk\": "
        "{\"read_gbps\": 2}, \"derived\": [\"/disk\"], \"notes\": [\"none\"], \"integer_gops\": "
        "{\"avx2\": 900}, \"date\": \"2026-11-30\"}";
    ith_machine m;
    ith_error err;

    (void)state;
    assert_int_equal(parse(text, &m, &err), ITH_OK);
    assert_string_equal(m.name, "x");
    assert_int_equal(m.cores, 4);
    assert_int_equal(m.memory_nodes, 2);
    assert_int_equal(m.memory, 1 << 30);
    assert_int_equal(m.n_rates, 2);
    assert_true(m.rates[1].integer_ops == 2000e9);
    assert_int_equal(m.products[1].tokens, 96);
    assert_int_equal(m.products[1].layout, ITH_W4);
    assert_true(m.attention[0].ops == 900e9);
    assert_true(fabs(m.barriers[0].s - 2e-6) < 1e-12);
    assert_true(m.inside.bytes == 5e9 && m.between.bytes == 0);
    assert_true(m.disk_bytes == 2e9);
}

/* A machine file, and what its error must say. */
static const struct {
    const char *text, *says;
} wrong[] = {
    {"[]", "schema should be"},
    {"{}", "schema should be"},
    {"{\"schema\": \"ithaca-machine/2\"}", "schema should be"},
    {"{\"schema\": 1}", "schema should be"},
    {"{\"schema\": \"ithaca-machine/1\"}", "name should be a text"},
    {"{\"schema\": \"ithaca-machine/1\", \"name\": \"x\\nrm -rf ~\"}",
     "name should be a short text without control characters"},
    {"{\"schema\": \"ithaca-machine/1\", \"name\": \"\\u001b[2J\"}",
     "name should be a short text without control characters"},
    {"{\"schema\": \"ithaca-machine/1\", \"name\": \"x\\u0000y\"}", "name should be a text"},
    {"{\"schema\": \"ithaca-machine/1\", \"name\": \"x\"}", "cpu should be an object"},
    {"{\"schema\": \"ithaca-machine/1\", \"name\": \"x\", \"cpu\": {}}", "cpu.cores should be"},
    {"{\"schema\": \"ithaca-machine/1\", \"name\": \"\", \"cpu\": {\"cores\": 1}}",
     "name should be"},
    {"{" CPU "}", "rates should be a list"},
    {"{" CPU ", \"rates\": []}", "rates should be a list"},
    {"{" CPU ", \"rates\": [1]}", "rates[0] should be an object"},
    {"{" CPU ", \"rates\": [{}]}", "rates[0].threads should be"},
    {"{" CPU ", \"rates\": [{\"threads\": 4}]}", "rates[0].read_gbps should be a number"},
    {"{" CPU ", \"rates\": [" RATE4 ", " RATE4 "]}", "rates[1].threads should be more"},
    {"{" CPU ", \"rates\": [{\"threads\": 2, \"read_gbps\": 40, \"integer_gops\": 2000, "
     "\"f32_gflops\": 500}]}",
     "as many threads as cpu.cores"},
    {"{" CPU ", \"rates\": [{\"threads\": 4, \"read_gbps\": -1, \"integer_gops\": 2000, "
     "\"f32_gflops\": 500}]}",
     "rates[0].read_gbps should be a number from"},
    {"{" CPU ", \"rates\": [{\"threads\": 4, \"read_gbps\": NaN, \"integer_gops\": 2000, "
     "\"f32_gflops\": 500}]}",
     "rates[0].read_gbps should be a number from"},
    {"{" CPU ", \"rates\": [{\"threads\": 4, \"read_gbps\": 1e300, \"integer_gops\": 2000, "
     "\"f32_gflops\": 500}]}",
     "rates[0].read_gbps should be a number from"},
    {"{" CPU ", \"rates\": [{\"threads\": 4, \"read_gbps\": 0, \"integer_gops\": 2000, "
     "\"f32_gflops\": 500}]}",
     "rates[0].read_gbps should be a number from"},
    {"{" CPU ", \"rates\": [{\"threads\": 1, \"read_gbps\": 20, \"integer_gops\": 600, "
     "\"f32_gflops\": 150, \"decode_gbps\": 9}, " RATE4 "]}",
     "rates[1].decode_gbps should be in all items"},
    {"{" CPU ", " RATES ", \"price\": 1}", "price is not known"},
    {"{" CPU ", " RATES ", \"rate\": 1}", "rate is not known"},
    {"{" CPU ", " RATES ", \"\": 1}", "is not known"},
    {"{" CPU ", " RATES ", \"name date\": 1}", "name date is not known"},
    {"{" CPU ", " RATES ", \"schema name date\": 1}", "schema name date is not known"},
    {"{\"schema\": \"ithaca-machine/1\", \"name\": \"x\", \"cpu\": {\"cores\": 4, \"cores "
     "threads_per_core\": 1}, " RATES "}",
     "cpu.cores threads_per_core is not known"},
    {"{" CPU ", " RATES ", \"memory\": {\"bytes\": 0}}", "memory.bytes should be"},
    {"{" CPU ", " RATES ", \"memory\": {\"bytes\": 9223372036854775807}}",
     "memory.bytes should be"},
    {"{" CPU ", " RATES ", \"memory\": {\"nodes\": [{\"cores\": 1}]}}",
     "memory.nodes[0].read_gbps should be"},
    {"{" CPU ", " RATES ", \"products\": [{\"layout\": \"w5\", \"tokens\": 1, \"gops\": 1}]}",
     "products[0].layout should be the name"},
    {"{" CPU ", " RATES ", \"products\": [{\"layout\": \"w4\", \"tokens\": 0, \"gops\": 1}]}",
     "products[0].tokens should be"},
    {"{" CPU ", " RATES ", \"products\": [{\"layout\": \"w4\", \"tokens\": 8, \"gops\": 1}, "
     "{\"layout\": \"w4\", \"tokens\": 8, \"gops\": 1}]}",
     "products[1].tokens should be more"},
    {"{" CPU ", " RATES ", \"attention\": [{\"kv\": \"q4\", \"head_dim\": 1, \"rows\": 1, "
     "\"gops\": 1}]}",
     "attention[0].kv should be"},
    {"{" CPU ", " RATES ", \"attention\": [{\"kv\": \"q8\", \"head_dim\": 64, \"rows\": 2, "
     "\"gops\": 1}, {\"kv\": \"q8\", \"head_dim\": 64, \"rows\": 1, \"gops\": 1}]}",
     "attention[1].rows should be more"},
    {"{" CPU ", " RATES ", \"barriers\": [{\"threads\": 1, \"us\": 1}]}",
     "barriers[0].threads should be more"},
    {"{" CPU ", " RATES ", \"links\": {\"between\": {\"alpha_us\": 1}}}",
     "links.between.gap_us should be"},
    {"{" CPU ", " RATES ", \"links\": {\"outside\": null}}", "links.outside is not known"},
    {"{" CPU ", " RATES ", \"disk\": {}}", "disk.read_gbps should be"},
    {"{" CPU ", " RATES ", \"notes\": [1]}", "notes should be a list of texts"},
    {"{" CPU ", " RATES ", \"derived\": \"all\"}", "derived should be a list"},
    {"{" CPU ", " RATES ", \"integer_gops\": {\"avx2\": \"fast\"}}", "integer_gops.avx2 should be"},
    {"{\"schema\": \"ithaca-machine/1\", \"name\": \"x\", \"cpu\": {\"cores\": 4, \"caches\": [1, "
     "2]}, " RATES "}",
     "cpu.caches should be"},
    {"{\"schema\": \"ithaca-machine/1\", \"name\": \"x\", \"cpu\": {\"cores\": 70000}, " RATES "}",
     "cpu.cores should be"},
};

static void what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ith_machine m;
        ith_error err = {0};

        assert_int_equal(parse(wrong[i].text, &m, &err), ITH_E_FORMAT);
        if (strncmp(err.text, "file: ", 6) != 0 || strstr(err.text, wrong[i].says) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", wrong[i].text, err.text, wrong[i].says);
    }
}

/* More items than there is room for. */
static void too_many(void **state)
{
    char *text = malloc(1 << 16), *at = text;
    ith_machine m;
    ith_error err;

    (void)state;
    assert_non_null(text);
    at += sprintf(at, "{" CPU ", " RATES ", \"barriers\": [");
    for (int i = 0; i <= ITH_MACHINE_LIST; i++)
        at += sprintf(at, "%s{\"threads\": %d, \"us\": 1}", i > 0 ? ", " : "", i + 2);
    sprintf(at, "]}");
    assert_int_equal(parse(text, &m, &err), ITH_E_FORMAT);
    assert_non_null(strstr(err.text, "barriers should be a list of 0 to 256"));
    free(text);
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fabs(b);
}

static void between_two_rates(void **state)
{
    ith_machine m = ith_machine_assumed(8, 80e9, 8e12);

    (void)state;
    m.rates[0] = (ith_machine_rate){2, 40e9, 2e12, 1e12, 0};
    m.rates[1] = (ith_machine_rate){8, 80e9, 8e12, 2e12, 0};
    m.n_rates = 2;
    assert_true(near(ith_machine_rates(&m, 1).read_bytes, 20e9));
    assert_true(near(ith_machine_rates(&m, 2).read_bytes, 40e9));
    assert_true(near(ith_machine_rates(&m, 5).read_bytes, 60e9));
    assert_true(near(ith_machine_rates(&m, 8).integer_ops, 8e12));
    assert_true(near(ith_machine_rates(&m, 64).integer_ops, 8e12));
}

/* A product takes no less time with more tokens, fewer threads or a slower machine, and as much as
 * was measured with the measured numbers. */
static void products(void **state)
{
    ith_machine m = ith_machine_assumed(8, 80e9, 8e12), slow;
    double before = 0;

    (void)state;
    m.products[0] = (ith_machine_product){ITH_W4, 16, 3e12};
    m.products[1] = (ith_machine_product){ITH_W4, 96, 5e12};
    m.n_products = 2;
    assert_true(near(ith_machine_product_s(&m, ITH_W4, 100, 10, 96, 8), 2 * 96e3 / 5e12));
    assert_true(near(ith_machine_product_s(&m, ITH_W4, 100, 10, 192, 8), 2 * 192e3 / 5e12));
    assert_true(near(ith_machine_product_s(&m, ITH_W4, 1e6, 1, 1, 8),
                     1e6 * 288 / 512 / (ITH_ASSUMED_FEW * 80e9)));
    for (ith_layout layout = 0; layout < ITH_LAYOUTS; layout++)
        for (double tokens = 1; tokens < 300; tokens += 7) {
            double s = ith_machine_product_s(&m, layout, 64, 64, tokens, 8);
            assert_true(s >= (tokens == 1 ? 0 : before * (1 - 1e-12)) && s > 0);
            assert_true(ith_machine_product_s(&m, layout, 64, 64, tokens, 4) > s);
            slow = m;
            ith_machine_set_read(&slow, 40e9);
            assert_true(ith_machine_product_s(&slow, layout, 64, 64, tokens, 8) >= s * (1 - 1e-12));
            slow = m;
            ith_machine_set_integer(&slow, 4e12);
            assert_true(ith_machine_product_s(&slow, layout, 64, 64, tokens, 8) >= s * (1 - 1e-12));
            before = s;
        }
}

/* What is measured with noise, or written by hand, takes no less time with more tokens or rows; a
 * slower machine is slower with any number, as far as memory or arithmetic decide. */
static void rates_by_hand(void **state)
{
    static const struct {
        int64_t n;
        double products, attention;
    } points[] = {{1, 100e9, 20e9}, {2, 900e9, 30e9}, {8, 1000e9, 80e9}, {64, 4000e9, 500e9}};
    ith_machine m = ith_machine_assumed(8, 80e9, 8e12), slow;
    double s, slower, reading;

    (void)state;
    for (int i = 0; i < 4; i++) {
        m.products[i] = (ith_machine_product){ITH_W4, points[i].n, points[i].products};
        m.attention[i] = (ith_machine_attention){ITH_KVL_Q8, 128, points[i].n, points[i].attention};
    }
    m.n_products = m.n_attention = 4;
    slow = m;
    ith_machine_set_read(&slow, 1e9);
    for (double n = 1; n < 100; n++) {
        const ith_machine *of[] = {&m, &slow};
        for (int i = 0; i < 2; i++) {
            assert_true(ith_machine_product_s(of[i], ITH_W4, 64, 64, n + 1, 8) >=
                        ith_machine_product_s(of[i], ITH_W4, 64, 64, n, 8));
            assert_true(
                ith_machine_attention_s(of[i], ITH_KVL_Q8, 128, 260, n + 1, (n + 1) * 1e9, 8) >=
                ith_machine_attention_s(of[i], ITH_KVL_Q8, 128, 260, n, n * 1e9, 8));
        }
    }
    /* Eight rows read the cache: that part of their time doubles, and no other does. */
    slow = m;
    ith_machine_set_read(&slow, 40e9);
    s = ith_machine_attention_s(&m, ITH_KVL_Q8, 128, 260, 8, 8e9, 8);
    reading = 260 / 80e9 / (8 * 4 * 128 / 80e9);
    slower = ith_machine_attention_s(&slow, ITH_KVL_Q8, 128, 260, 8, 8e9, 8);
    assert_true(fabs(slower / s - (1 + reading)) < 0.02);
    s = ith_machine_attention_s(&m, ITH_KVL_Q8, 128, 260, 64, 64e9, 8);
    assert_true(near(ith_machine_attention_s(&slow, ITH_KVL_Q8, 128, 260, 64, 64e9, 8), s));
}

/* One thread reads half of what four read, but its products of one token a third. */
static void few_threads(void **state)
{
    ith_machine m = ith_machine_assumed(4, 40e9, 4e12);

    (void)state;
    m.rates[0] = (ith_machine_rate){1, 20e9, 1e12, 1e12, 12e9};
    m.rates[1] = (ith_machine_rate){4, 40e9, 4e12, 4e12, 36e9};
    m.n_rates = 2;
    m.products[0] = (ith_machine_product){ITH_F32T, 1, 20e9}; /* 40 GB/s */
    m.n_products = 1;
    assert_true(near(ith_machine_product_s(&m, ITH_F32T, 1000, 1000, 1, 1),
                     3 * ith_machine_product_s(&m, ITH_F32T, 1000, 1000, 1, 4)));
}

static void attention(void **state)
{
    ith_machine m = ith_machine_assumed(8, 80e9, 8e12);
    double before = 0;

    (void)state;
    m.attention[0] = (ith_machine_attention){ITH_KVL_Q8, 128, 2, 100e9};
    m.attention[1] = (ith_machine_attention){ITH_KVL_Q8, 128, 64, 3e12};
    m.n_attention = 2;
    assert_true(near(ith_machine_attention_s(&m, ITH_KVL_Q8, 128, 260, 64, 6e12, 8), 2));
    assert_true(near(ith_machine_attention_s(&m, ITH_KVL_Q8, 96, 196, 2, 1e11, 8), 1));
    for (double rows = 1; rows < 200; rows += 3) {
        double s = ith_machine_attention_s(&m, ITH_KVL_Q8, 128, 260, rows, rows * 1e9, 8);
        assert_true(s >= before);
        before = s;
    }
    assert_true(ith_machine_attention_s(&m, ITH_KVL_F32, 128, 1024, 1, 1e9, 8) > 0);
}

static void barriers(void **state)
{
    ith_machine m = ith_machine_assumed(8, 80e9, 8e12);

    (void)state;
    assert_true(ith_machine_barrier_s(&m, 1) == 0);
    assert_true(ith_machine_barrier_s(&m, 8) > ith_machine_barrier_s(&m, 2));
    m.barriers[0] = (ith_machine_barrier){3, 2e-6};
    m.barriers[1] = (ith_machine_barrier){5, 6e-6};
    m.n_barriers = 2;
    assert_true(near(ith_machine_barrier_s(&m, 2), 1e-6));
    assert_true(near(ith_machine_barrier_s(&m, 4), 4e-6));
    assert_true(near(ith_machine_barrier_s(&m, 10), 12e-6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said),  cmocka_unit_test(what_is_wrong),
        cmocka_unit_test(too_many),      cmocka_unit_test(between_two_rates),
        cmocka_unit_test(products),      cmocka_unit_test(few_threads),
        cmocka_unit_test(attention),     cmocka_unit_test(barriers),
        cmocka_unit_test(rates_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

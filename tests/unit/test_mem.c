/* test_mem.c - tagged memory: alignment, zeros, accounting, and refused requests. */
#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB ((size_t)1 << 20)

/* Around every border: the header's, the page's, the switch to mappings. */
static const size_t sizes[] = {
    0, 1, 63, 64, 65, 4095, 4096, 2 * MIB - 1, 2 * MIB, 2 * MIB + 1, 5 * MIB + 4097};
enum { N_SIZES = sizeof sizes / sizeof *sizes };

static int64_t sum_of(const uint8_t *p, size_t bytes)
{
    int64_t sum = 0;
    for (size_t i = 0; i < bytes; i++)
        sum += p[i];
    return sum;
}

static void aligned_and_zeroed_each_time(void **state)
{
    (void)state;
    for (int again = 0; again < 3; again++)
        for (int i = 0; i < N_SIZES; i++) {
            void *p;
            ith_error err;
            assert_int_equal(ith_mem_alloc(ITH_MEM_OTHER, sizes[i], "test", &p, &err), ITH_OK);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 64, 0);
            if (sizes[i] >= 2 * MIB)
                assert_int_equal((uintptr_t)p % (2 * MIB), 0);
            assert_int_equal(sum_of(p, sizes[i]), 0);
            memset(p, 0xa5, sizes[i]);
            ith_mem_free(p);
        }
}

static void each_tag_counts_its_bytes(void **state)
{
    void *kv[N_SIZES], *weights;
    size_t sum = 0;
    (void)state;
    assert_int_equal(ith_mem_in_use(ITH_MEM_KV), 0);
    for (int i = 0; i < N_SIZES; i++) {
        assert_int_equal(ith_mem_alloc(ITH_MEM_KV, sizes[i], "kv", &kv[i], NULL), ITH_OK);
        sum += sizes[i];
    }
    assert_int_equal(ith_mem_alloc(ITH_MEM_WEIGHTS, 3 * MIB, "weights", &weights, NULL), ITH_OK);
    assert_int_equal(ith_mem_in_use(ITH_MEM_KV), sum);
    assert_int_equal(ith_mem_in_use(ITH_MEM_WEIGHTS), 3 * MIB);
    for (int i = 0; i < N_SIZES; i++)
        ith_mem_free(kv[i]);
    ith_mem_free(weights);
    ith_mem_free(NULL);
    for (int tag = 0; tag < ITH_MEM_TAGS; tag++)
        assert_int_equal(ith_mem_in_use((ith_mem_tag)tag), 0);
}

static void buffers_do_not_overlap(void **state)
{
    uint8_t *p[N_SIZES];
    (void)state;
    for (int i = 0; i < N_SIZES; i++) {
        assert_int_equal(ith_mem_alloc(ITH_MEM_OTHER, sizes[i], "test", (void **)&p[i], NULL),
                         ITH_OK);
        memset(p[i], i + 1, sizes[i]);
    }
    for (int i = 0; i < N_SIZES; i++) {
        assert_int_equal(sum_of(p[i], sizes[i]), (int64_t)sizes[i] * (i + 1));
        ith_mem_free(p[i]);
    }
}

static void too_much_is_refused_with_both_figures(void **state)
{
    void *p = &p;
    ith_error err;
    (void)state;
    assert_int_equal(ith_mem_alloc(ITH_MEM_KV, (size_t)1 << 50, "KV cache", &p, &err),
                     ITH_E_MEMORY);
    assert_null(p);
    assert_non_null(strstr(err.text, "KV cache: 1048576.000 GiB needed, "));
    assert_non_null(strstr(err.text, " GiB available"));
    assert_int_equal(ith_mem_alloc(ITH_MEM_KV, SIZE_MAX, "KV cache", &p, &err), ITH_E_MEMORY);
    assert_int_equal(
        ith_mem_alloc(ITH_MEM_KV, ith_mem_available() + ((size_t)1 << 36), "KV cache", &p, &err),
        ITH_E_MEMORY);
    assert_int_equal(ith_mem_in_use(ITH_MEM_KV), 0);
}

static void arrays_check_the_product(void **state)
{
    uint32_t *p;
    ith_error err;
    (void)state;
    assert_int_equal(ith_mem_alloc_array(ITH_MEM_TEXT, 1000, sizeof *p, "ids", (void **)&p, &err),
                     ITH_OK);
    assert_int_equal(ith_mem_in_use(ITH_MEM_TEXT), 4000);
    ith_mem_free(p);
    assert_int_equal(ith_mem_alloc_array(ITH_MEM_TEXT, SIZE_MAX / 2, 3, "ids", (void **)&p, &err),
                     ITH_E_MEMORY);
    assert_null(p);
    assert_non_null(strstr(err.text, "ids: "));
}

static void advice_takes_any_range(void **state)
{
    char *p;
    (void)state;
    assert_int_equal(ith_mem_alloc(ITH_MEM_OTHER, 4 * MIB, "test", (void **)&p, NULL), ITH_OK);
    memset(p, 1, 4 * MIB);
    ith_mem_advise_huge(p + 100, 0);
    ith_mem_advise_huge(p + 100, 50);
    ith_mem_advise_huge(p + 100, 3 * MIB);
    assert_int_equal(sum_of((uint8_t *)p, 4 * MIB), 4 * MIB);
    ith_mem_free(p);
}

/* Memory in two mappings, as two processes share it: both keep what was written, in whole huge
 * pages and in the rest. */
static void collapsing_keeps_what_is_there(void **state)
{
    size_t bytes = 5 * MIB + 4097;
    int fd = memfd_create("test", MFD_CLOEXEC);
    (void)state;
    assert_return_code(ftruncate(fd, (off_t)bytes), errno);
    uint8_t *one = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    uint8_t *two = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(one, MAP_FAILED);
    assert_ptr_not_equal(two, MAP_FAILED);
    for (size_t i = 0; i < bytes; i += 1000)
        one[i] = (uint8_t)(i / 1000);
    ith_mem_collapse(one, bytes);
    ith_mem_collapse(two + 1, bytes - 1);
    ith_mem_collapse(two, 1);
    for (size_t i = 0; i < bytes; i += 1000)
        assert_int_equal(two[i], (uint8_t)(i / 1000));
    munmap(one, bytes);
    munmap(two, bytes);
    close(fd);
}

static void the_machine_has_memory(void **state)
{
    (void)state;
    assert_true(ith_mem_available() > MIB);
    assert_true(ith_mem_available() < (size_t)1 << 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligned_and_zeroed_each_time),
        cmocka_unit_test(each_tag_counts_its_bytes),
        cmocka_unit_test(buffers_do_not_overlap),
        cmocka_unit_test(too_much_is_refused_with_both_figures),
        cmocka_unit_test(arrays_check_the_product),
        cmocka_unit_test(advice_takes_any_range),
        cmocka_unit_test(collapsing_keeps_what_is_there),
        cmocka_unit_test(the_machine_has_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

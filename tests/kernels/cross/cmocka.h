/* cmocka.h - the few functions of cmocka that tests/kernels uses, for targets without the library
 * (neon.sh: arm64 under qemu). They have the same names, print TAP lines, and give exit status 1 if
 * a test failed. */
#ifndef ITH_TESTS_CROSS_CMOCKA_H
#define ITH_TESTS_CROSS_CMOCKA_H

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

#define cmocka_unit_test(function)                                                                 \
    {                                                                                              \
#function, function                                                                        \
    }

static jmp_buf cross_failed;

#define fail_msg(...)                                                                              \
    do {                                                                                           \
        printf("# %s:%d: ", __FILE__, __LINE__);                                                   \
        printf(__VA_ARGS__);                                                                       \
        puts("");                                                                                  \
        longjmp(cross_failed, 1);                                                                  \
    } while (0)

#define assert_true(condition)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("not true: %s", #condition);                                                  \
    } while (0)
#define assert_int_equal(a, b)    assert_true((a) == (b))
#define assert_null(pointer)      assert_true((pointer) == NULL)
#define assert_non_null(pointer)  assert_true((pointer) != NULL)
#define assert_string_equal(a, b) assert_true(strcmp(a, b) == 0)

/* setup and teardown may be NULL; they only fail by a signal. */
static inline int cross_run(const struct CMUnitTest *tests, size_t n, int (*setup)(void **),
                            int (*teardown)(void **))
{
    volatile int failed = 0;
    void *state = NULL;
    if (setup != NULL)
        setup(&state);
    for (volatile size_t i = 0; i < n; i++) {
        if (setjmp(cross_failed) == 0) {
            tests[i].run(&state);
            printf("ok %s\n", tests[i].name);
        } else {
            printf("not ok %s\n", tests[i].name);
            failed = 1;
        }
        fflush(stdout);
    }
    if (teardown != NULL)
        teardown(&state);
    return failed;
}

#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    cross_run(tests, sizeof(tests) / sizeof(tests)[0], setup, teardown)

#endif

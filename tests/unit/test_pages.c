/* test_pages.c - page placement through libnuma, and what is left of it where the kernel or a
 * container forbids it. */
#include "base/pages.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/mempolicy.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAGES = 8 };

static size_t page;

/* PAGES pages that nobody has touched. */
static char *fresh_pages(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    char *at = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(at != MAP_FAILED);
    return at;
}

/* The policy of the page at `at`, with the first word of its nodes; -1: the kernel does not say. */
static int policy_of(const void *at, unsigned long *nodes)
{
    unsigned long mask[1024 / 8 / sizeof(unsigned long)] = {0};
    int mode = -1;
    if (syscall(SYS_get_mempolicy, &mode, mask, 1024ul, at, MPOL_F_ADDR) != 0)
        return -1;
    *nodes = mask[0];
    return mode;
}

static void whole_pages_get_the_policy(void **state)
{
    char *at = fresh_pages();
    unsigned long nodes = 0;
    (void)state;
    if (policy_of(at, &nodes) < 0)
        skip();
    ith_pages_place(at + 1, 3 * page, 0); /* pages 1 and 2 lie inside */
    assert_int_equal(policy_of(at, &nodes), MPOL_DEFAULT);
    assert_int_equal(policy_of(at + page, &nodes), MPOL_PREFERRED);
    assert_int_equal(nodes, 1);
    assert_int_equal(policy_of(at + 2 * page, &nodes), MPOL_PREFERRED);
    assert_int_equal(policy_of(at + 3 * page, &nodes), MPOL_DEFAULT);
    ith_pages_interleave(at + 5 * page, page, (const int[]){0}, 1);
    assert_int_equal(policy_of(at + 5 * page, &nodes), MPOL_INTERLEAVE);
    assert_int_equal(nodes, 1);
    assert_int_equal(policy_of(at + 6 * page, &nodes), MPOL_DEFAULT);
    munmap(at, PAGES * page);
}

/* A range without a whole page, and nodes that no machine has. */
static void nothing_to_place(void **state)
{
    char *at = fresh_pages();
    unsigned long nodes = 0;
    (void)state;
    ith_pages_place(at + 1, page, 0);
    ith_pages_place(at, page, 1 << 20);
    ith_pages_place(at, page, -1);
    if (policy_of(at, &nodes) >= 0)
        assert_int_equal(policy_of(at, &nodes), MPOL_DEFAULT);
    assert_int_equal(ith_pages_node_bytes(1 << 20), 0);
    munmap(at, PAGES * page);
}

static void pages_in_memory_are_found(void **state)
{
    char *at = fresh_pages();
    void *one = at;
    int node = -1;
    (void)state;
    at[0] = 1;
    assert_int_equal(ith_pages_locate(at + page), -1); /* not touched */
    if (syscall(SYS_move_pages, 0, 1ul, &one, NULL, &node, 0) == 0) {
        assert_true(node >= 0);
        assert_int_equal(ith_pages_locate(at + 1), node);
        assert_true(ith_pages_node_bytes(node) > 0);
    }
    munmap(at, PAGES * page);
}

/* From now on, system calls that move pages fail with EPERM in this process, as in a container.
 * Returns false where seccomp is missing. */
static bool forbid(void)
{
#define REFUSE(call)                                                                               \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),                                               \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        REFUSE(SYS_mbind),
        REFUSE(SYS_move_pages),
        REFUSE(SYS_get_mempolicy),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void a_container_may_forbid_it(void **state)
{
    int status = 0;
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char *at = fresh_pages();
        bool forbidden = forbid();
        ith_pages_place(at, page, 0);
        ith_pages_interleave(at, page, (const int[]){0}, 1);
        at[0] = 1;
        _exit(forbidden && ith_pages_locate(at) != -1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_pages_get_the_policy),
        cmocka_unit_test(nothing_to_place),
        cmocka_unit_test(pages_in_memory_are_found),
        cmocka_unit_test(a_container_may_forbid_it),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

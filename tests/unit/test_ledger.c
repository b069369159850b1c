/* test_ledger.c - what is promised is not available to anybody else, whether or not it has been
 * touched, in this process and in others of the node. */
#include "base/ledger.h"
#include "base/mem.h"
#include "state/kv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB ((size_t)1 << 20)

/* ---- The system's madvise: an older kernel's, if asked for ---- */

static int populate_error; /* 0: as it is */
static int populated;

int madvise(void *at, size_t bytes, int advice)
{
    if (advice == 23) { /* MADV_POPULATE_WRITE */
        populated++;
        if (populate_error != 0) {
            errno = populate_error;
            return -1;
        }
    }
    return (int)syscall(SYS_madvise, at, bytes, advice);
}

/* More than half of what there is, and nobody can have it twice. */
static size_t much(void)
{
    return ith_mem_available() / 100 * 65;
}

static void untouched_memory_is_promised_once(void **state)
{
    void *first, *second;
    ith_error err;
    size_t bytes = much();
    (void)state;
    assert_int_equal(ith_mem_alloc(ITH_MEM_KV, bytes, "first", &first, &err), ITH_OK);
    assert_true(ith_ledger_promised(false) > (int64_t)(bytes / 100 * 95));
    assert_int_equal(ith_mem_alloc(ITH_MEM_KV, bytes, "second", &second, &err), ITH_E_MEMORY);
    assert_null(second);
    assert_non_null(strstr(err.text, "second: "));
    ith_mem_free(first);
    assert_int_equal(ith_mem_alloc(ITH_MEM_KV, bytes, "second", &second, &err), ITH_OK);
    ith_mem_free(second);
    assert_int_equal(ith_ledger_promised(false), 0);
}

static size_t pages_there(uint8_t *at, size_t bytes)
{
    static unsigned char there[1 << 16];
    size_t n = bytes / 4096, sum = 0;
    assert_true(n <= sizeof there);
    assert_int_equal(mincore(at, n * 4096, there), 0);
    for (size_t i = 0; i < n; i++)
        sum += there[i] & 1;
    return sum;
}

/* What has come is no longer promised. */
static void populated_memory_is_there(void **state)
{
    static const int errors[] = {0, EINVAL};
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        size_t bytes = 96 * MIB;
        uint8_t *at;
        ith_error err;
        populate_error = errors[i];
        int64_t before = ith_ledger_promised(false);
        assert_int_equal(ith_mem_alloc(ITH_MEM_OTHER, bytes, "test", (void **)&at, &err), ITH_OK);
        int64_t promised = ith_ledger_promised(false) - before;
        assert_int_equal(ith_mem_populate(at, bytes, "test", &err), ITH_OK);
        assert_int_equal(pages_there(at, bytes), bytes / 4096);
        assert_true(ith_ledger_promised(false) - before < promised || promised == 0);
        for (size_t k = 0; k < bytes; k += 4096)
            assert_int_equal(at[k], 0);
        at[5] = 7;
        assert_int_equal(ith_mem_populate(at + 1, 3 * MIB, "test", &err), ITH_OK);
        assert_int_equal(at[5], 7);
        assert_int_equal(ith_mem_populate(at + 1, 10, "test", &err), ITH_OK); /* no whole page */
        ith_mem_free(at);
    }
    populate_error = 0;
}

static void what_the_system_has_not_is_an_error(void **state)
{
    void *at;
    ith_error err;
    (void)state;
    assert_int_equal(ith_mem_alloc(ITH_MEM_OTHER, 4 * MIB, "test", &at, &err), ITH_OK);
    populate_error = ENOMEM;
    assert_int_equal(ith_mem_populate(at, 4 * MIB, "a cache", &err), ITH_E_MEMORY);
    populate_error = 0;
    assert_non_null(strstr(err.text, "a cache: "));
    ith_mem_free(at);
}

/* ---- Processes of a node ---- */

/* A process that claims `bytes`, says so, and holds them until it is told to end. Returns its
 * status: 0 if it got them. */
static int child(void *ledger, size_t bytes, int say, int hear)
{
    void *at;
    char c = 'x';

    ith_ledger_join(ledger, 2, 1);
    int status = ith_mem_alloc(ITH_MEM_KV, bytes, "other", &at, NULL) != ITH_OK;
    if (write(say, &c, 1) != 1 || read(hear, &c, 1) < 0)
        return 2;
    ith_mem_free(at);
    return status;
}

static void others_count(void **state)
{
    int to[2], from[2], status;
    void *ledger =
        mmap(NULL, ith_ledger_bytes(2), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    size_t bytes = much();
    void *mine;
    char c;
    (void)state;
    assert_true(ledger != MAP_FAILED);
    assert_int_equal(pipe(to) + pipe(from), 0);
    ith_ledger_join(ledger, 2, 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(child(ledger, bytes, from[1], to[0]));
    assert_int_equal(read(from[0], &c, 1), 1);
    assert_true(ith_ledger_promised(false) > (int64_t)(bytes / 100 * 90));
    assert_true(ith_ledger_promised(true) > (int64_t)(bytes / 100 * 90));
    assert_int_equal(ith_mem_alloc(ITH_MEM_KV, bytes, "mine", &mine, NULL), ITH_E_MEMORY);
    assert_int_equal(write(to[1], &c, 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(ith_mem_alloc(ITH_MEM_KV, bytes, "mine", &mine, NULL), ITH_OK);
    ith_mem_free(mine);
    ith_ledger_leave(ledger);
    munmap(ledger, ith_ledger_bytes(2));
    for (int i = 0; i < 2; i++) {
        close(to[i]);
        close(from[i]);
    }
}

/* ---- KV cache ---- */

/* Three halves of what there is: refused at once, and the cache stays as it was. */
static void a_cache_that_cannot_be_is_refused(void **state)
{
    size_t before = ith_mem_in_use(ITH_MEM_KV);
    int64_t token = (int64_t)ith_kv_block_bytes(ITH_KVL_Q8, 128) / ITH_KV_BLOCK * 36 * 8,
            ctx = (int64_t)(ith_mem_available() / 2 * 3) / token;
    ith_error err;
    ith_kv *kv;
    (void)state;
    assert_int_equal(ith_kv_open(ITH_KVL_Q8, 36, 8, 128, ctx, 0, 1, &kv, &err), ITH_OK);
    assert_int_equal(ith_kv_reserve(kv, 1000, &err), ITH_OK);
    size_t one = ith_mem_in_use(ITH_MEM_KV) - before;
    assert_int_equal(ith_kv_reserve(kv, ctx, &err), ITH_E_MEMORY);
    assert_non_null(strstr(err.text, "KV cache: "));
    assert_int_equal(ith_mem_in_use(ITH_MEM_KV) - before, one);
    ith_kv_close(kv);
    assert_int_equal(ith_mem_in_use(ITH_MEM_KV), before);
}

/* All of what is reserved is there after it was populated, once, by all threads or by those beside
 * a node. */
static void a_cache_is_populated(void **state)
{
    static const char *const machines[] = {"core:4 pu:1", "numa:2 core:2 pu:1"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        ith_topology *t;
        ith_team *team;
        ith_error err;
        ith_kv *kv;
        setenv("ITHACA_TOPOLOGY", machines[i], 1);
        assert_int_equal(ith_topology_open(&t, &err), ITH_OK);
        unsetenv("ITHACA_TOPOLOGY");
        assert_int_equal(ith_team_open(3, &team, &err), ITH_OK);
        ith_team_bind(team, t);
        assert_int_equal(ith_kv_open(ITH_KVL_Q8, 8, 4, 128, 5000, 0, 1, &kv, &err), ITH_OK);
        ith_kv_place(kv, t);
        assert_int_equal(ith_kv_reserve(kv, 2049, &err), ITH_OK);
        assert_false(ith_kv_has_room(kv, 1));
        assert_int_equal(ith_kv_populate(kv, team, &err), ITH_OK);
        assert_true(ith_kv_has_room(kv, 3072));
        assert_false(ith_kv_has_room(kv, 3073));
        size_t bytes = 8 * 4 * ith_kv_segment_bytes(kv);
        for (int64_t s = 0; s < 3; s++)
            assert_int_equal(pages_there(ith_kv_segment(kv, 0, 0, s), bytes), bytes / 4096);
        populated = 0;
        assert_int_equal(ith_kv_populate(kv, team, &err), ITH_OK);
        assert_int_equal(populated, 0);
        ith_kv_trim(kv, 1024);
        assert_true(ith_kv_has_room(kv, 1024));
        assert_false(ith_kv_has_room(kv, 1025));
        assert_int_equal(ith_kv_reserve(kv, 1025, &err), ITH_OK);
        populate_error = ENOMEM;
        assert_int_equal(ith_kv_populate(kv, team, &err), ITH_E_MEMORY);
        populate_error = 0;
        assert_non_null(strstr(err.text, "KV cache: "));
        assert_false(ith_kv_has_room(kv, 1025));
        ith_kv_close(kv);
        ith_team_close(team);
        ith_topology_close(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(untouched_memory_is_promised_once),
        cmocka_unit_test(others_count),
        cmocka_unit_test(populated_memory_is_there),
        cmocka_unit_test(what_the_system_has_not_is_an_error),
        cmocka_unit_test(a_cache_that_cannot_be_is_refused),
        cmocka_unit_test(a_cache_is_populated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

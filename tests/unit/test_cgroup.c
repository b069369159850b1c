/* test_cgroup.c - limits of control groups, read from made-up folders: v2, v1, containers, and
 * limits of a parent. */
#include "base/cgroup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

static char root[200];

static int make_root(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/ith_cgroup_XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    char command[300];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static void put(const char *file, const char *text)
{
    char path[500];
    snprintf(path, sizeof path, "%s/%s", root, file);
    for (char *at = path + 1; *at; at++)
        if (*at == '/') {
            *at = '\0';
            mkdir(path, 0777);
            *at = '/';
        }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void nothing_says_no_limit(void **state)
{
    (void)state;
    assert_int_equal(ith_cgroup_cores(root), INT64_MAX);
    assert_int_equal(ith_cgroup_memory(root), INT64_MAX);
    put("proc/self/cgroup", "0::/job\n");
    put("sys/fs/cgroup/job/memory.max", "max\n");
    put("sys/fs/cgroup/job/memory.current", "1000\n");
    put("sys/fs/cgroup/job/cpu.max", "max 100000\n");
    assert_int_equal(ith_cgroup_cores(root), INT64_MAX);
    assert_int_equal(ith_cgroup_memory(root), INT64_MAX);
}

static void v2_own_group(void **state)
{
    (void)state;
    put("proc/self/cgroup", "0::/job/step\n");
    put("sys/fs/cgroup/job/step/memory.max", "10000\n");
    put("sys/fs/cgroup/job/step/memory.current", "7000\n");
    put("sys/fs/cgroup/job/step/memory.stat",
        "anon 4000\nfile 2600\ninactive_file 2000\nactive_file 500\n");
    put("sys/fs/cgroup/job/step/cpu.max", "250000 100000\n");
    assert_int_equal(ith_cgroup_memory(root), 10000 - 7000 + 2500);
    assert_int_equal(ith_cgroup_cores(root), 3);
}

static void v2_parent_is_tighter(void **state)
{
    (void)state;
    put("proc/self/cgroup", "0::/job/step\n");
    put("sys/fs/cgroup/job/step/memory.max", "10000\n");
    put("sys/fs/cgroup/job/step/memory.current", "1000\n");
    put("sys/fs/cgroup/job/memory.max", "max\n");
    put("sys/fs/cgroup/job/memory.high", "5000\n");
    put("sys/fs/cgroup/job/memory.current", "4500\n");
    put("sys/fs/cgroup/job/cpu.max", "50000 100000\n");
    put("sys/fs/cgroup/job/step/cpu.max", "400000 100000\n");
    assert_int_equal(ith_cgroup_memory(root), 500);
    assert_int_equal(ith_cgroup_cores(root), 1);
}

static void usage_above_the_limit_leaves_nothing(void **state)
{
    (void)state;
    put("proc/self/cgroup", "0::/\n");
    put("sys/fs/cgroup/memory.max", "5000\n");
    put("sys/fs/cgroup/memory.current", "6000\n");
    assert_int_equal(ith_cgroup_memory(root), 0);
}

/* A container without its own cgroup namespace sees the host's path, which its /sys does not
 * have. */
static void container_with_the_hosts_path(void **state)
{
    (void)state;
    put("proc/self/cgroup", "0::/system.slice/docker-1234.scope\n");
    put("sys/fs/cgroup/memory.max", "8000\n");
    put("sys/fs/cgroup/memory.current", "3000\n");
    put("sys/fs/cgroup/cpu.max", "200000 100000\n");
    assert_int_equal(ith_cgroup_memory(root), 5000);
    assert_int_equal(ith_cgroup_cores(root), 2);
}

static void v1_controllers(void **state)
{
    (void)state;
    put("proc/self/cgroup",
        "9:name=systemd:/\n4:memory:/slurm/job\n2:cpu,cpuacct:/slurm/job\n0::/\n");
    put("sys/fs/cgroup/memory/slurm/job/memory.limit_in_bytes", "9223372036854771712\n");
    put("sys/fs/cgroup/memory/slurm/job/memory.usage_in_bytes", "4000\n");
    put("sys/fs/cgroup/memory/slurm/memory.limit_in_bytes", "9000\n");
    put("sys/fs/cgroup/memory/slurm/memory.usage_in_bytes", "5000\n");
    put("sys/fs/cgroup/memory/slurm/memory.stat",
        "inactive_file 7\ntotal_inactive_file 300\ntotal_active_file 20\n");
    put("sys/fs/cgroup/cpu,cpuacct/slurm/job/cpu.cfs_quota_us", "400000\n");
    put("sys/fs/cgroup/cpu,cpuacct/slurm/job/cpu.cfs_period_us", "100000\n");
    put("sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_period_us", "100000\n");
    assert_int_equal(ith_cgroup_memory(root), 9000 - 5000 + 320);
    assert_int_equal(ith_cgroup_cores(root), 4);
}

static void damaged_files_say_nothing(void **state)
{
    (void)state;
    put("proc/self/cgroup", "nonsense\n0:\n:::\n0::/job");
    put("sys/fs/cgroup/job/memory.max", "many\n");
    put("sys/fs/cgroup/job/memory.current", "");
    put("sys/fs/cgroup/job/cpu.max", "12x 100000\n");
    assert_int_equal(ith_cgroup_memory(root), INT64_MAX);
    assert_int_equal(ith_cgroup_cores(root), INT64_MAX);
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(nothing_says_no_limit),
        IN_A_FOLDER(v2_own_group),
        IN_A_FOLDER(v2_parent_is_tighter),
        IN_A_FOLDER(usage_above_the_limit_leaves_nothing),
        IN_A_FOLDER(container_with_the_hosts_path),
        IN_A_FOLDER(v1_controllers),
        IN_A_FOLDER(damaged_files_say_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

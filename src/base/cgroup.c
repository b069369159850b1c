/* cgroup.c - reads /proc/self/cgroup, then the limits of every group from there up to the mount
 * point.
 *
 * In a container without a cgroup namespace, /proc/self/cgroup shows the host's path while
 * /sys/fs/cgroup shows the container's group at its top. Walking up past folders that do not exist
 * finds the right files in both cases.
 */
#include "base/cgroup.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int64_t (*read_level_fn)(const char *folder);

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Reads up to n numbers from the start of a file, "max" as INT64_MAX. Returns how many there
 * were. */
static int read_numbers(const char *folder, const char *file, int64_t *out, int n)
{
    char path[PATH_MAX], word[32];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    int got = 0;
    while (got < n && fscanf(f, "%31s", word) == 1) {
        char *end;
        long long value = strtoll(word, &end, 10);
        if (strcmp(word, "max") == 0)
            value = INT64_MAX;
        else if (*end || end == word)
            break;
        out[got++] = value;
    }
    fclose(f);
    return got;
}

/* Sum of two counters of memory.stat, 0 if absent. */
static int64_t read_stat(const char *folder, const char *key_a, const char *key_b)
{
    char path[PATH_MAX], key[64];
    long long value, sum = 0;
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    while (fscanf(f, "%63s %lld", key, &value) == 2)
        if (strcmp(key, key_a) == 0 || strcmp(key, key_b) == 0)
            sum += value;
    fclose(f);
    return sum;
}

static int64_t room(int64_t limit, int64_t usage, int64_t cache)
{
    if (limit == INT64_MAX)
        return INT64_MAX;
    int64_t left = limit - usage + least(cache, usage);
    return left > 0 ? left : 0;
}

static int64_t memory_v2(const char *folder)
{
    int64_t max = INT64_MAX, high = INT64_MAX, usage;
    read_numbers(folder, "memory.max", &max, 1);
    read_numbers(folder, "memory.high", &high, 1); /* above it the kernel throttles the process */
    if (read_numbers(folder, "memory.current", &usage, 1) != 1)
        return INT64_MAX;
    return room(least(max, high), usage, read_stat(folder, "inactive_file", "active_file"));
}

static int64_t memory_v1(const char *folder)
{
    int64_t limit, usage;
    if (read_numbers(folder, "memory.limit_in_bytes", &limit, 1) != 1 ||
        read_numbers(folder, "memory.usage_in_bytes", &usage, 1) != 1)
        return INT64_MAX;
    if (limit > INT64_MAX / 2) /* v1's "no limit": the largest multiple of a page */
        return INT64_MAX;
    return room(limit, usage, read_stat(folder, "total_inactive_file", "total_active_file"));
}

static int64_t whole_cores(int64_t quota, int64_t period)
{
    if (quota <= 0 || quota == INT64_MAX || period <= 0)
        return INT64_MAX;
    return (quota - 1) / period + 1;
}

static int64_t cores_v2(const char *folder)
{
    int64_t pair[2];
    return read_numbers(folder, "cpu.max", pair, 2) == 2 ? whole_cores(pair[0], pair[1])
                                                         : INT64_MAX;
}

static int64_t cores_v1(const char *folder)
{
    int64_t quota, period;
    if (read_numbers(folder, "cpu.cfs_quota_us", &quota, 1) != 1 ||
        read_numbers(folder, "cpu.cfs_period_us", &period, 1) != 1)
        return INT64_MAX;
    return whole_cores(quota, period);
}

/* The least of one value over mount/group, its parents, and the mount point itself. */
static int64_t walk_up(const char *mount, const char *group, read_level_fn read_level)
{
    char folder[PATH_MAX];
    int length = snprintf(folder, sizeof folder, "%s%s", mount, group);
    if (length < 0 || (size_t)length >= sizeof folder)
        return read_level(mount);
    int64_t found = INT64_MAX;
    for (;;) {
        found = least(found, read_level(folder));
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < strlen(mount))
            return found;
        *slash = '\0';
    }
}

static bool lists_controller(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, name, n) == 0 && (at[n] == ',' || at[n] == '\0'))
            return true;
    return false;
}

/* One line of /proc/self/cgroup is "number:controllers:path"; v2's has no controllers. */
static int64_t read_line(const char *root, char *line, const char *controller, read_level_fn v1,
                         read_level_fn v2)
{
    char mount[PATH_MAX];
    char *list = strchr(line, ':'), *group = list ? strchr(list + 1, ':') : NULL;
    if (!group)
        return INT64_MAX;
    *group++ = '\0';
    list++;
    group[strcspn(group, "\n")] = '\0';
    if (*list == '\0') {
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup", root);
        return walk_up(mount, group, v2);
    }
    if (!lists_controller(list, controller))
        return INT64_MAX;
    /* Controllers mounted together, such as "cpu,cpuacct", then the controller alone. */
    snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/%s", root, list);
    int64_t together = walk_up(mount, group, v1);
    snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/%s", root, controller);
    return least(together, walk_up(mount, group, v1));
}

static int64_t read_groups(const char *root, const char *controller, read_level_fn v1,
                           read_level_fn v2)
{
    char path[PATH_MAX], *line = NULL;
    size_t capacity = 0;
    int64_t found = INT64_MAX;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *f = fopen(path, "re");
    if (!f)
        return found;
    while (getline(&line, &capacity, f) > 0)
        found = least(found, read_line(root, line, controller, v1, v2));
    free(line);
    fclose(f);
    return found;
}

int64_t ith_cgroup_cores(const char *root)
{
    return read_groups(root, "cpu", cores_v1, cores_v2);
}

int64_t ith_cgroup_memory(const char *root)
{
    return read_groups(root, "memory", memory_v1, memory_v2);
}

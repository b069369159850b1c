/* cgroup.h - what the control groups of this process allow (v1 and v2), as containers and SLURM set
 * them.
 *
 * Any level between the process's own group and the top may set a limit, so all levels are read and
 * the least counts. Absent or unreadable files set none. `root` is put before every path: "" reads
 * the running system; tests give a folder.
 */
#ifndef ITH_BASE_CGROUP_H
#define ITH_BASE_CGROUP_H

#include <stdint.h>

/* Whole cores that the CPU quota allows, rounded up, at least 1; INT64_MAX without a quota. */
int64_t ith_cgroup_cores(const char *root);

/* Bytes that may still be allocated: limit - usage + file cache, which the kernel drops first.
 * INT64_MAX without a limit. */
int64_t ith_cgroup_memory(const char *root);

#endif

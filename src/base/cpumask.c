/* cpumask.c - CPU masks of thread and process. */
#include "base/cpumask.h"

#include <limits.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

void ith_cpu_mask_free(ith_cpu_mask *m)
{
    if (m->set != NULL)
        CPU_FREE(m->set);
    *m = (ith_cpu_mask){0};
}

/* The kernel refuses masks smaller than its own, so ours grows until it fits. */
ith_cpu_mask ith_cpu_mask_of_thread(void)
{
    for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
        ith_cpu_mask m = {CPU_ALLOC((size_t)cpus), CPU_ALLOC_SIZE((size_t)cpus)};
        if (m.set == NULL)
            break;
        if (sched_getaffinity(0, m.bytes, m.set) == 0)
            return m;
        ith_cpu_mask_free(&m);
    }
    return (ith_cpu_mask){0};
}

bool ith_cpus_bound_by_openmp(void)
{
    return omp_get_proc_bind() != omp_proc_bind_false && omp_get_num_places() > 0;
}

/* OpenMP takes its places from the CPUs that the process had when it began. */
static void add_place(int place, ith_cpu_mask *m)
{
    int n = omp_get_place_num_procs(place), *cpus = calloc((size_t)n + 1, sizeof *cpus);

    if (cpus == NULL)
        return;
    omp_get_place_proc_ids(place, cpus);
    for (int i = 0; i < n; i++)
        CPU_SET_S((size_t)cpus[i], m->bytes, m->set);
    free(cpus);
}

ith_cpu_mask ith_cpu_mask_of_process(void)
{
    ith_cpu_mask m = ith_cpu_mask_of_thread();

    if (m.set != NULL && ith_cpus_bound_by_openmp())
        for (int place = 0; place < omp_get_num_places(); place++)
            add_place(place, &m);
    return m;
}

/* The list begins with the least: "3,35" or "6-7". */
int ith_cpu_core(const char *root, int cpu)
{
    char path[PATH_MAX];
    int first;
    FILE *f;

    snprintf(path, sizeof path,
             "%.3900s/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", root, cpu);
    f = fopen(path, "re");
    if (f == NULL)
        return cpu;
    if (fscanf(f, "%d", &first) != 1 || first < 0 || first > cpu)
        first = cpu;
    fclose(f);
    return first;
}

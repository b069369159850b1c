/* cpumask.h - which CPUs this process may run on, also where OpenMP binds threads.
 *
 * OMP_PROC_BIND, OMP_PLACES or GOMP_CPU_AFFINITY make OpenMP bind the program's first thread to one
 * place before main, and the threads of all ranks to the same places. The mask of a thread then
 * says nothing of the process.
 */
#ifndef ITH_BASE_CPUMASK_H
#define ITH_BASE_CPUMASK_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

/* A set of CPUs; set NULL: not known. */
typedef struct ith_cpu_mask {
    cpu_set_t *set;
    size_t bytes;
} ith_cpu_mask;

/* Does OpenMP bind threads? */
bool ith_cpus_bound_by_openmp(void);

/* The calling thread's. */
ith_cpu_mask ith_cpu_mask_of_thread(void);

/* The process's: of all of OpenMP's places together where it binds, else the thread's. */
ith_cpu_mask ith_cpu_mask_of_process(void);

/* The core of a CPU, named by the first of its hardware threads; `cpu` itself where the system does
 * not say. `root` is put before the path: "" reads the running system; tests give a folder. */
int ith_cpu_core(const char *root, int cpu);

void ith_cpu_mask_free(ith_cpu_mask *mask); /* and zeroes it */

#endif

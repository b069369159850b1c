/* rank_check.h - what is wrong with how ranks are placed, as pure functions of a table of them.
 *
 * rank_table.h makes the table of a run; tests make theirs from recorded machines.
 */
#ifndef ITH_ENGINE_RANK_CHECK_H
#define ITH_ENGINE_RANK_CHECK_H

#include "base/topology.h"
#include "comm/interfaces.h"

enum { ITH_RANK_CORE_BYTES = 1024, ITH_RANK_LINE = 400 };

/* What one rank has to work with. No pointers: it travels. */
typedef struct ith_rank_row {
    char host[64];
    int32_t rank, node; /* comm.h; rows of one node are of one machine */
    int32_t threads;
    int32_t cores, cpus; /* that it may run on, and their hardware threads */
    int32_t machine_cores;
    uint64_t near, all, allowed;            /* memory nodes: ith_topology_near and so on */
    uint8_t core_bits[ITH_RANK_CORE_BYTES]; /* ith_topology_core_bits */
    int64_t memory, plan; /* bytes that it may take, and would take with all weights in memory */
    char limit[24];       /* what limits `memory`: ith_mem_bound, or "--mem" */
    int32_t streamed;     /* weights are streamed for want of memory */
    int32_t streaming;    /* the user has asked for that */
    char huge[16];        /* huge pages: ith_mem_huge_pages */
    ith_interface used, fastest; /* by MPI's TCP, and of this machine; name "": not known */
    double measured_mbps;        /* of a message between machines; 0: not measured */
} ith_rank_row;

/* The machine and process of this rank; fields of MPI and of the plan stay as they are. */
void ith_rank_row_here(ith_rank_row *row, const ith_topology *topology);

/* Calls say() with each fault of rows[n], which are in the order of ranks: cores that ranks of a
 * machine compete for, hardware threads of one core in place of cores, ranks on the wrong memory
 * nodes, too little memory, a slow network interface. A line names machine, ranks, and what to do;
 * by_srun: by options of srun, else of mpirun. */
void ith_rank_check(const ith_rank_row *rows, int n, bool by_srun,
                    void (*say)(void *user, const char *line), void *user);

/* Numbers of bits that are set, such as "0-7,16"; what has no room ends in "...". */
void ith_bits_text(const uint8_t *bits, size_t bytes, char *text, size_t size);

#endif

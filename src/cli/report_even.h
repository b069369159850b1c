/* report_even.h - the break-even: how many nodes equal a GPU.
 *
 * For each model, GPU and kind of node, at 8,192, 32,768 and 131,072 tokens where the GPU was
 * measured: the number of nodes with which the time to first token is the GPU's, and the number
 * with which the decode rate is. A kind of node is a machine on which a document has a run of
 * Ithaca with its ceilings; the GPU's figure is the fastest of its ways, one sequence at a time.
 *
 * Rates of n nodes are those of ith_estimate for the ceilings of that run, its types, its ranks
 * per node, and the cores and memory that the document gives the node: nothing of the machine that
 * makes the report. Where the model was measured on the node, all of them are scaled by measured
 * over estimated at the measured context nearest to this one. Numbers of nodes are tried as powers
 * of two, all up to ITH_EVEN_NODES_MAX or as far as there are estimates: more nodes are not always
 * faster, because each exchange has its latency, but many may be where two are not. Below the first
 * number that is enough, halving finds a smaller one, to within 4%.
 */
#ifndef ITH_CLI_REPORT_EVEN_H
#define ITH_CLI_REPORT_EVEN_H

#include "cli/report.h"

enum { ITH_EVEN_NODES_MAX = 1024, ITH_EVEN_PHASES = 2 };
enum { ITH_EVEN_PREFILL, ITH_EVEN_DECODE };

/* Rates in tokens per second. */
typedef struct ith_even_phase {
    const ith_report_series *gpu; /* the fastest of its series; NULL: not measured, and 0 below */
    double gpu_rate;
    double few; /* of ith_even.fewest nodes */

    /* What `few` and `reached` were scaled by; 0: the model was not measured on the node. */
    double factor;
    int64_t factor_context;

    bool equals;       /* do `nodes` equal the GPU? If not, no number that was tried does */
    int nodes;         /* the least number, or the fastest */
    double reached;    /* by them; 0: the model fits no number that was tried */
    double node_bytes; /* memory of each */
} ith_even_phase;

typedef struct ith_even {
    const ith_report_group *group;
    const ith_report_series *gpu;  /* one of its series */
    const ith_report_series *node; /* the run whose ceilings, types and ranks count */
    bool measured;                 /* is it of this group? */
    int64_t context;
    int fewest; /* the least number of nodes that hold model and context; 0: none that was tried */
    int most;   /* the greatest number that was tried */
    ith_even_phase phase[ITH_EVEN_PHASES];
    char refusal[200]; /* why there is no estimate; "": there is one */
} ith_even;

typedef struct ith_evens {
    ith_even *rows; /* [n], by group, GPU, node and context */
    size_t n;
} ith_evens;

/* Of a node's connection: GB/s, and microseconds of an exchange. */
typedef struct ith_even_network {
    double gbps, latency_us;
} ith_even_network;

/* *evens needs ith_evens_close, also after an error. A model that Ithaca cannot estimate is no
 * error: its rows say why. ITH_E_IO: no temporary file; ITH_E_MEMORY. */
ith_status ith_evens_find(const ith_report *report, ith_even_network network, ith_evens *evens,
                          ith_error *err);

void ith_evens_close(ith_evens *evens);

#endif

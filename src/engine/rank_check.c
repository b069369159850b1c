/* rank_check.c - checks a table of ranks. */
#include "engine/rank_check.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GIB 1073741824.0

/* Speeds that differ by less are of one kind of network. */
enum { MUCH_FASTER = 2 };

/* The rows of one machine, in the order of ranks. */
typedef struct group {
    const ith_rank_row **rows;
    int n;
    bool by_srun;
    void (*say)(void *user, const char *line);
    void *user;
} group;

void ith_rank_row_here(ith_rank_row *row, const ith_topology *t)
{
    gethostname(row->host, sizeof row->host - 1);
    row->cores = ith_topology_cores(t);
    row->cpus = ith_topology_cpus(t);
    row->machine_cores = ith_topology_machine_cores(t);
    row->near = ith_topology_near(t);
    row->all = ith_topology_all(t);
    row->allowed = ith_topology_allowed(t);
    ith_topology_core_bits(t, row->core_bits, sizeof row->core_bits);
    snprintf(row->limit, sizeof row->limit, "%s", ith_mem_bound());
    ith_mem_huge_pages(row->huge);
}

/* ---- Texts ---- */

static bool has_bit(const uint8_t *bits, size_t bytes, size_t i)
{
    return i < 8 * bytes && (bits[i / 8] >> i % 8 & 1) != 0;
}

/* Appends to text[size], which has room for "..." behind. */
static bool append(char *text, size_t size, const char *more)
{
    size_t used = strlen(text);

    if (used + strlen(more) + 4 > size) {
        snprintf(text + used, size - used, "...");
        return false;
    }
    snprintf(text + used, size - used, "%s", more);
    return true;
}

void ith_bits_text(const uint8_t *bits, size_t bytes, char *text, size_t size)
{
    char run[48];

    text[0] = 0;
    for (size_t i = 0; i < 8 * bytes; i++) {
        size_t first = i;
        if (!has_bit(bits, bytes, i))
            continue;
        while (has_bit(bits, bytes, i + 1))
            i++;
        snprintf(run, sizeof run,
                 i == first       ? "%s%zu"
                 : i == first + 1 ? "%s%zu,%zu"
                                  : "%s%zu-%zu",
                 text[0] != 0 ? "," : "", first, i);
        if (!append(text, size, run))
            return;
    }
}

static void nodes_text(uint64_t nodes, char text[64])
{
    uint8_t bits[8];

    for (int i = 0; i < 8; i++)
        bits[i] = (uint8_t)(nodes >> 8 * i);
    ith_bits_text(bits, sizeof bits, text, 64);
}

/* "rank 2", "ranks 0 and 1", "ranks 0-3" of those rows for which `chosen` is set. */
static void ranks_text(const group *g, const bool *chosen, char text[80])
{
    int first = -1, last = -1, count = 0;
    char one[24];

    for (int i = 0; i < g->n; i++)
        if (chosen[i]) {
            first = first < 0 ? g->rows[i]->rank : first;
            last = g->rows[i]->rank;
            count++;
        }
    if (count > 2 && last - first == count - 1) {
        snprintf(text, 80, "ranks %d-%d", first, last);
        return;
    }
    snprintf(text, 80, count == 1 ? "rank" : "ranks");
    for (int i = 0, k = 0; i < g->n; i++)
        if (chosen[i]) {
            k++;
            snprintf(one, sizeof one, "%s%d",
                     k == 1       ? " "
                     : k == count ? " and "
                                  : ", ",
                     g->rows[i]->rank);
            if (!append(text, 80, one))
                return;
        }
}

/* How to give each rank its own cores. */
static void binding_text(const group *g, char text[80])
{
    int cores = g->rows[0]->machine_cores / g->n;

    if (g->by_srun)
        snprintf(text, 80, "srun --cpus-per-task=%d --cpu-bind=cores", cores > 0 ? cores : 1);
    else
        snprintf(text, 80, "mpirun %s",
                 (g->rows[0]->all & (g->rows[0]->all - 1)) != 0 ? "--map-by numa --bind-to numa"
                                                                : "--bind-to none");
}

/* ---- Cores ---- */

static int cores_of(const uint8_t *bits)
{
    int n = 0;

    for (int i = 0; i < ITH_RANK_CORE_BYTES; i++)
        n += __builtin_popcount(bits[i]);
    return n;
}

static bool is_within(const uint8_t *inner, const uint8_t *outer)
{
    for (int i = 0; i < ITH_RANK_CORE_BYTES; i++)
        if ((inner[i] & ~outer[i]) != 0)
            return false;
    return true;
}

/* Ranks whose cores all lie within those of row r must find room there for their threads, else some
 * compete. Sets chosen[] to these ranks and returns by how many threads they exceed the cores. */
static int excess_within(const group *g, int r, bool *chosen)
{
    int threads = 0, ranks = 0;

    for (int i = 0; i < g->n; i++) {
        chosen[i] = is_within(g->rows[i]->core_bits, g->rows[r]->core_bits);
        threads += chosen[i] ? g->rows[i]->threads : 0;
        ranks += chosen[i];
    }
    return ranks > 1 ? threads - cores_of(g->rows[r]->core_bits) : 0;
}

/* The largest set of ranks that have more threads than cores. */
static void check_overlap(const group *g, bool *chosen)
{
    char ranks[80], cores[80], how[80], line[ITH_RANK_LINE];
    int worst = -1, most = 0, threads = 0;

    for (int r = 0; r < g->n; r++) {
        int excess = excess_within(g, r, chosen);
        if (excess > most) {
            most = excess;
            worst = r;
        }
    }
    if (worst < 0)
        return;
    excess_within(g, worst, chosen);
    for (int i = 0; i < g->n; i++)
        threads += chosen[i] ? g->rows[i]->threads : 0;
    ranks_text(g, chosen, ranks);
    ith_bits_text(g->rows[worst]->core_bits, ITH_RANK_CORE_BYTES, cores, sizeof cores);
    binding_text(g, how);
    if (threads - most < g->rows[0]->machine_cores)
        snprintf(line, sizeof line,
                 "%s: %s share %d of the machine's %d cores (%s) and have %d threads: try %s",
                 g->rows[0]->host, ranks, threads - most, g->rows[0]->machine_cores, cores, threads,
                 how);
    else
        snprintf(line, sizeof line,
                 "%s: %s have %d threads for %d cores: start fewer ranks, or give fewer threads "
                 "(-t)",
                 g->rows[0]->host, ranks, threads, threads - most);
    g->say(g->user, line);
}

/* A rank that counts hardware threads as cores. */
static void check_smt(const group *g, bool *chosen)
{
    char ranks[80], line[ITH_RANK_LINE];
    const ith_rank_row *first = NULL;

    for (int i = 0; i < g->n; i++) {
        const ith_rank_row *r = g->rows[i];
        chosen[i] = r->cpus > r->cores && r->threads > r->cores && r->threads <= r->cpus;
        first = first == NULL && chosen[i] ? r : first;
    }
    if (first == NULL)
        return;
    ranks_text(g, chosen, ranks);
    snprintf(line, sizeof line,
             "%s: %s: %d threads on %d cores use both hardware threads of a core, which rarely "
             "pays: -t %d%s",
             first->host, ranks, first->threads, first->cores, first->cores,
             g->by_srun ? ", or sbatch --hint=nomultithread" : "");
    g->say(g->user, line);
}

/* ---- Memory nodes ---- */

static int count(uint64_t nodes)
{
    return __builtin_popcountll(nodes);
}

/* Cores beside one node, memory on another. */
static void check_policy(const group *g)
{
    char near[64], allowed[64], line[ITH_RANK_LINE];

    for (int i = 0; i < g->n; i++) {
        const ith_rank_row *r = g->rows[i];
        if (r->allowed == 0 || (r->allowed & r->near) == r->near)
            continue;
        nodes_text(r->near, near);
        nodes_text(r->allowed, allowed);
        snprintf(line, sizeof line,
                 "%s: rank %d runs beside memory node %s, but may take memory on %s only: bind "
                 "both to one (numactl --cpunodebind and --membind; srun --mem-bind=local)",
                 r->host, r->rank, near, allowed);
        g->say(g->user, line);
    }
}

/* With a rank for each node or more, each should run beside one. */
static void check_straddling(const group *g, bool *chosen)
{
    char ranks[80], how[80], line[ITH_RANK_LINE];
    int n = 0;

    for (int i = 0; i < g->n; i++)
        n += chosen[i] = count(g->rows[i]->near) > 1;
    if (n == 0 || g->n < count(g->rows[0]->all))
        return;
    ranks_text(g, chosen, ranks);
    binding_text(g, how);
    snprintf(line, sizeof line, "%s: %s run%s beside several of the %d memory nodes: try %s",
             g->rows[0]->host, ranks, n == 1 ? "s" : "", count(g->rows[0]->all), how);
    g->say(g->user, line);
}

/* Nodes beside which two ranks run while no rank runs beside another. */
static void check_crowding(const group *g, bool *chosen)
{
    char ranks[80], node[64], empty[64], how[80], line[ITH_RANK_LINE];
    uint64_t taken = 0, twice = 0, none, crowded;

    for (int i = 0; i < g->n; i++) {
        twice |= taken & g->rows[i]->near;
        taken |= g->rows[i]->near;
    }
    none = g->rows[0]->all & ~taken;
    crowded = twice & (~twice + 1); /* the first */
    if (none == 0 || crowded == 0)
        return;
    for (int i = 0; i < g->n; i++)
        chosen[i] = (g->rows[i]->near & crowded) != 0;
    ranks_text(g, chosen, ranks);
    nodes_text(crowded, node);
    nodes_text(none, empty);
    binding_text(g, how);
    snprintf(line, sizeof line, "%s: %s run beside memory node %s, and none beside %s: try %s",
             g->rows[0]->host, ranks, node, empty, how);
    g->say(g->user, line);
}

/* ---- Memory and network ---- */

/* The rank that lacks most speaks for its machine. */
static void check_memory(const group *g)
{
    const ith_rank_row *worst = NULL;
    char line[ITH_RANK_LINE];

    for (int i = 0; i < g->n; i++) {
        const ith_rank_row *r = g->rows[i];
        if (r->plan > r->memory && !r->streaming &&
            (worst == NULL || r->plan - r->memory > worst->plan - worst->memory))
            worst = r;
    }
    if (worst == NULL)
        return;
    snprintf(line, sizeof line,
             "%s: rank %d may take %.1f GiB of memory (limited by %s), and needs %.1f GiB for "
             "weights and context: %s",
             worst->host, worst->rank, worst->memory > 0 ? (double)worst->memory / GIB : 0.0,
             worst->limit, (double)worst->plan / GIB,
             worst->streamed ? "weights will be read from disk in every pass"
                             : "the system may end the run");
    g->say(g->user, line);
}

static void check_network(const group *g)
{
    char line[ITH_RANK_LINE];

    for (int i = 0; i < g->n; i++) {
        const ith_rank_row *r = g->rows[i];
        if (r->used.mbps <= 0 || r->used.name[0] == 0)
            continue;
        if (r->fastest.mbps / MUCH_FASTER >= r->used.mbps)
            snprintf(line, sizeof line,
                     "%s: MPI reaches other machines through %s (%.3g Gbit/s), though %s has %.3g: "
                     "OMPI_MCA_btl_tcp_if_include=%s chooses it",
                     r->host, r->used.name, r->used.mbps / 1e3, r->fastest.name,
                     r->fastest.mbps / 1e3, r->fastest.name);
        else if (r->measured_mbps > 0 && r->measured_mbps * MUCH_FASTER < r->used.mbps)
            snprintf(line, sizeof line,
                     "%s: %s has %.3g Gbit/s, but a message between machines reached %.2g", r->host,
                     r->used.name, r->used.mbps / 1e3, r->measured_mbps / 1e3);
        else
            continue;
        g->say(g->user, line);
        return;
    }
}

static void check_machine(const group *g, bool *chosen)
{
    check_overlap(g, chosen);
    check_smt(g, chosen);
    check_policy(g);
    check_straddling(g, chosen);
    check_crowding(g, chosen);
    check_memory(g);
    check_network(g);
}

void ith_rank_check(const ith_rank_row *rows, int n, bool by_srun,
                    void (*say)(void *user, const char *line), void *user)
{
    group g = {malloc((size_t)n * sizeof *g.rows), 0, by_srun, say, user};
    bool *chosen = calloc((size_t)n, sizeof *chosen);

    for (int node = 0, left = n; g.rows != NULL && chosen != NULL && left > 0; node++) {
        g.n = 0;
        for (int i = 0; i < n; i++)
            if (rows[i].node == node)
                g.rows[g.n++] = &rows[i];
        left -= g.n;
        if (g.n > 0)
            check_machine(&g, chosen);
        else if (node > n)
            break;
    }
    free(g.rows);
    free(chosen);
}

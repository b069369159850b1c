/* shares.c - chooses each rank's share of tokens and rows. A rank alone knows its threads and its
 * speed, so these are gathered first: all ranks must divide the work by the same numbers. */
#include "engine/shares.h"
#include "base/mem.h"
#include "base/progress.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- Measuring speed: all threads of all ranks repeat a product that fits a core's caches ---- */

enum { COLS = 1024, TILES = 8, TOKENS = 32, PRECISION = 1000 };

static const double WARM_S = 0.01, MEASURED_S = 0.05;

typedef struct product {
    const ith_kernels *kernels;
    ith_acts acts;
    const void *tiles;
    float *out;    /* [threads][TOKENS][TILES * ITH_TILE_ROWS] */
    double *rates; /* [threads] */
} product;

/* Returns products per second. */
static double repeat(const product *p, float *out, double seconds)
{
    double start_s = ith_now_s(), now_s;
    int64_t n = 0;
    do {
        p->kernels->gemm[ITH_W8](TILES, TOKENS, p->tiles, &p->acts, out, TILES * ITH_TILE_ROWS);
        n++;
        now_s = ith_now_s();
    } while (now_s - start_s < seconds);
    return (double)n / (now_s - start_s);
}

static void measure(void *arg, ith_member *me)
{
    const product *p = arg;
    float *out = p->out + me->tid * (int64_t)TOKENS * TILES * ITH_TILE_ROWS;

    p->kernels->enter();
    repeat(p, out, WARM_S);
    ith_barrier(me);
    p->rates[me->tid] = repeat(p, out, MEASURED_S);
    p->kernels->leave();
}

/* All inputs are zero; that is no faster. */
static ith_status allocate(product *p, int threads, void **zeros, ith_error *err)
{
    const size_t acts = (size_t)TOKENS * COLS,
                 tiles = TILES * ith_tile_bytes(ITH_W8, COLS / ITH_GROUP),
                 out = (size_t)threads * TOKENS * TILES * ITH_TILE_ROWS;

    ITH_TRY(ith_mem_alloc(ITH_MEM_OTHER, acts > tiles ? acts : tiles, "a product to measure", zeros,
                          err));
    ITH_TRY(ith_mem_alloc_array(ITH_MEM_OTHER, out, sizeof *p->out, "a product to measure",
                                (void **)&p->out, err));
    ITH_TRY(ith_mem_alloc_array(ITH_MEM_OTHER, (size_t)threads, sizeof *p->rates,
                                "a product to measure", (void **)&p->rates, err));
    p->tiles = *zeros;
    p->acts = (ith_acts){.quants = *zeros,
                         .scales = *zeros,
                         .shifts = *zeros,
                         .sums = *zeros,
                         .start8 = *zeros,
                         .start128 = *zeros,
                         .half128 = *zeros,
                         .groups = COLS / ITH_GROUP};
    return ITH_OK;
}

/* Collective. Products per second of this rank; 0 on failure. */
static ith_status measured_rate(const ith_engine *e, int threads, double *rate, ith_error *err)
{
    ith_comm *comm = e->world->comm;
    product p = {.kernels = e->model->kernels};
    ith_team *team = NULL;
    void *zeros = NULL;
    ith_status status = allocate(&p, threads, &zeros, err);

    *rate = 0;
    if (status == ITH_OK)
        status = ith_team_open(threads, &team, err);
    status = ith_comm_agree(comm, status, err);
    if (status == ITH_OK) {
        comm->ops->barrier(comm);
        ith_team_run(team, measure, &p);
        for (int i = 0; i < threads; i++)
            *rate += p.rates[i];
    }
    ith_team_close(team);
    ith_mem_free(p.out);
    ith_mem_free(p.rates);
    ith_mem_free(zeros);
    return status;
}

/* ---- The weights of all ranks ---- */

static const char table[] = "the ranks' shares";

/* Collective. Gathers every rank's `mine` on every rank. */
static ith_status gather(ith_comm *comm, double mine, double *all, ith_error *err)
{
    int64_t *counts = calloc(2 * (size_t)comm->size, sizeof *counts), *displs;
    ith_status status = ith_comm_agree_memory(comm, counts, table, err);

    if (status != ITH_OK) {
        free(counts);
        return status;
    }
    displs = counts + comm->size;
    for (int r = 0; r < comm->size; r++) {
        counts[r] = sizeof mine;
        displs[r] = r * (int64_t)sizeof mine;
    }
    comm->ops->allgatherv(comm, &mine, all, counts, displs);
    free(counts);
    return ITH_OK;
}

/* Collective. Scales the ranks' numbers to weights; the largest becomes `most`. */
static ith_status weights_of(const ith_engine *e, double mine, double most, int64_t *weights,
                             ith_error *err)
{
    int ranks = e->mesh.ranks;
    double *all = calloc((size_t)ranks, sizeof *all), largest = 0;
    ith_status status = ith_comm_agree_memory(e->world->comm, all, table, err);

    if (status == ITH_OK)
        status = gather(e->world->comm, mine, all, err);
    if (status != ITH_OK) {
        free(all);
        return status;
    }
    for (int r = 0; r < ranks; r++)
        largest = all[r] > largest ? all[r] : largest;
    for (int r = 0; r < ranks; r++)
        weights[r] = (int64_t)(all[r] / largest * most + 0.5);
    free(all);
    return largest > 0 ? ITH_OK
                       : ith_fail(err, ITH_E_COMM,
                                  "no rank computed anything while its speed was measured");
}

static ith_status refuse(const char *text, int ranks, ith_error *err)
{
    return ith_fail(
        err, ITH_E_ARGUMENT,
        "shares '%s': expected threads, measured, or %d whole number%s up to %d, one per "
        "rank, not all 0",
        text, ranks, ranks > 1 ? "s" : "", ITH_WEIGHT_MOST);
}

static ith_status parse_list(const char *text, int ranks, int64_t *weights, ith_error *err)
{
    const char *at = text;
    int64_t sum = 0;

    for (int r = 0; r < ranks; r++) {
        char *end;
        long value = isdigit((unsigned char)*at) ? strtol(at, &end, 10) : -1;
        if (value < 0 || value > ITH_WEIGHT_MOST || *end != (r + 1 < ranks ? ',' : '\0'))
            return refuse(text, ranks, err);
        weights[r] = value;
        sum += value;
        at = end + 1;
    }
    return sum > 0 ? ITH_OK : refuse(text, ranks, err);
}

static ith_status find_weights(const ith_engine *e, const char *by, int threads, int64_t *weights,
                               ith_error *err)
{
    double rate;

    if (strcmp(by, "threads") == 0)
        return weights_of(e, threads, ITH_WEIGHT_MOST, weights, err);
    if (strcmp(by, "measured") != 0)
        return parse_list(by, e->mesh.ranks, weights, err);
    ITH_TRY(measured_rate(e, threads, &rate, err));
    return weights_of(e, rate, PRECISION, weights, err);
}

ith_status ith_engine_share(ith_engine *e, const ith_engine_params *p, int threads, ith_error *err)
{
    size_t ranks = (size_t)e->mesh.ranks;
    int64_t *weights;
    ith_status status;

    if (p->shares == NULL)
        return ITH_OK;
    weights = calloc(ranks, sizeof *weights);
    e->sums = calloc(ranks + 1, sizeof *e->sums);
    e->shares = calloc(ranks, sizeof *e->shares);
    status = ith_comm_agree_memory(
        e->world->comm, e->sums == NULL || e->shares == NULL ? NULL : weights, table, err);
    if (status == ITH_OK)
        status = find_weights(e, p->shares, threads, weights, err);
    if (status == ITH_OK) {
        ith_mesh_weigh(&e->mesh, weights, e->sums);
        for (size_t r = 0; r < ranks; r++)
            e->shares[r] = (double)weights[r] / (double)e->sums[ranks];
    }
    free(weights);
    return status;
}

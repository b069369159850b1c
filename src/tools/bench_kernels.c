/* bench_kernels.c - every kernel of the table at the sizes of real models, compared with the
 * ceilings of the same threads. */
#include "base/fpenv.h"
#include "base/mem.h"
#include "base/topology.h"
#include "formats/shapes.h"
#include "tools/lines.h"
#include "tools/ranks.h"

#include <stdlib.h>

static ith_status bench_shape(ith_kernel_bench *b, ith_error *err)
{
    ITH_TRY(ith_bench_products(b, err));
    ITH_TRY(ith_bench_attentions(b, err));
    ITH_TRY(ith_bench_vectors(b, err));
    return b->cancelled
               ? ith_fail(err, ITH_E_CANCELLED, "stopped after %lld kernels", (long long)b->done)
               : ITH_OK;
}

static ith_status bench_shapes(ith_kernel_bench *b, ith_error *err)
{
    const char *list = b->params->shapes != NULL ? b->params->shapes : "qwen3-0.6b";
    char name[256];

    for (size_t i = 0; ith_bench_word(list, i, name, sizeof name); i++) {
        ITH_TRY(ith_shape_find(name, &b->hp, err));
        b->shape = name;
        ITH_TRY(bench_shape(b, err));
    }
    return ITH_OK;
}

/* Runs all shapes at every level asked for. With `counting`, only checks the names and counts the
 * lines. */
static ith_status bench_levels(ith_kernel_bench *b, json_t *ceilings, bool counting, ith_error *err)
{
    const char *list = b->params->simd != NULL ? b->params->simd : ith_kernels_get()->name;
    char name[32];

    b->counting = counting;
    for (size_t i = 0; ith_bench_word(list, i, name, sizeof name); i++) {
        b->kernels = ith_kernels_named(name);
        if (b->kernels == NULL)
            return ith_fail(err, ITH_E_ARGUMENT,
                            "SIMD level \"%s\": not in this build, or this CPU lacks it", name);
        if (!counting) {
            b->ceilings =
                ith_ceilings_measure(b->team, ith_team_size(b->team), ith_peaks_named(name),
                                     b->pool, b->pool_bytes, b->params->seconds);
            json_object_set_new(ceilings, b->kernels->name, ith_ceilings_json(&b->ceilings));
        }
        ITH_TRY(bench_shapes(b, err));
    }
    return ITH_OK;
}

ith_status ith_bench_kernels(const ith_bench_kernels_params *params, char **json, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ith_kernel_bench b = {.params = params, .results = json_array()};
    json_t *ceilings = json_object(), *root = NULL;
    ith_topology *topology = NULL;
    void *pool = NULL;
    ith_status status;

    *json = NULL;
    ITH_CHECK(ith_topology_open(&topology, err));
    b.caches = ith_topology_caches(topology);
    ITH_CHECK(ith_team_open(params->threads > 0 ? params->threads : 1, &b.team, err));
    ITH_CHECK(bench_levels(&b, ceilings, true, err));
    if (b.total == 0)
        ITH_CHECK(ith_fail(err, ITH_E_ARGUMENT,
                           "no line \"KERNEL SHAPE.OPERAND TOKENS\" contains \"%s\"",
                           params->filter));
    ITH_CHECK(ith_bench_buffer(params->buffer, 1, &pool, &b.pool_bytes, err));
    b.pool = pool;
    ITH_CHECK(bench_levels(&b, ceilings, false, err));
    root = json_pack("{s:i, s:O, s:O}", "threads", ith_team_size(b.team), "ceilings", ceilings,
                     "results", b.results);
    ITH_CHECK(ith_bench_text(root, json, err));
done:
    json_decref(root);
    json_decref(ceilings);
    json_decref(b.results);
    ith_mem_free(pool);
    ith_team_close(b.team);
    ith_topology_close(topology);
    return status;
}

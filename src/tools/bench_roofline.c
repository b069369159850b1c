/* bench_roofline.c - the hardware's ceilings with 1, 2, ... threads on every rank. */
#include "base/fpenv.h"
#include "base/mem.h"
#include "simd/kernels.h"
#include "tools/ranks.h"

static json_t *describe(const ith_world *world, const ith_peaks *peaks, size_t bytes, json_t *rows)
{
    return json_pack("{s:s, s:i, s:s, s:s, s:I, s:o}", "simd", ith_kernels_get()->name, "ranks",
                     world->comm->size, "integer_instruction", peaks->integer.instruction,
                     "f32_instruction", peaks->f32.instruction, "read_buffer_bytes",
                     (json_int_t)bytes, "threads", rows);
}

/* Collective. One row per number of threads; every rank's rows are the same. */
static json_t *measure(ith_world *world, ith_team *team, const void *buffer, size_t bytes,
                       double seconds)
{
    const ith_peaks *peaks = ith_peaks_named(ith_kernels_get()->name);
    json_t *rows = json_array();

    for (int n = 1; n <= ith_team_size(team); n++) {
        ith_ceilings c = ith_bench_ranks_ceilings(world, team, n, buffer, bytes, seconds);
        json_t *row = ith_ceilings_json(&c);
        json_object_set_new(row, "threads", json_integer(n));
        json_array_append_new(rows, row);
    }
    return describe(world, peaks, bytes, rows);
}

ith_status ith_bench_roofline(ith_world *world, const ith_bench_roofline_params *params,
                              char **json, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ith_team *team = NULL;
    void *buffer = NULL;
    size_t bytes = 0;
    json_t *root = NULL;
    ith_status status;

    *json = NULL;
    ITH_CHECK(
        ith_bench_ranks_open(world, params->threads, params->buffer, &team, &buffer, &bytes, err));
    root = measure(world, team, buffer, bytes, params->seconds);
    status = world->comm->rank == 0 ? ith_bench_text(root, json, err) : ITH_OK;
    status = ith_comm_agree(world->comm, status, err);
done:
    json_decref(root);
    ith_mem_free(buffer);
    ith_team_close(team);
    return status;
}

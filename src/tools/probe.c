/* probe.c - measures a machine and writes it as a machine file (machine_file.h).
 *
 * All ranks measure the same things at the same time. What a node does is the sum over its ranks,
 * and of several nodes the slowest counts.
 */
#include "base/character.h"
#include "base/fpenv.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/testhook.h"
#include "comm/same.h"
#include "engine/world.h"
#include "formats/filereader.h"
#include "ithaca_tools.h"
#include "tools/lines.h"
#include "tools/machine_file.h"
#include "tools/probe_links.h"
#include "tools/probe_rates.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    POOL_BYTES = 256 << 20, /* of a node; more where its caches are larger */
    FIGURES_MOST = 8 * ITH_MACHINE_LIST,
    COLS = 2048,
    ROWS_LEAST = 3072,
    TILES_PER_THREAD = 32,
    SEGMENTS_LEAST = 32,
    SEGMENTS_PER_THREAD = 4,
    DISK_READ = 4 << 20
};

static const double DISK_S = 1.5;
static const int64_t POOL_MOST = INT64_C(4) << 30;

/* How the figures of ranks become one. */
typedef enum joining { SUM, MOST } joining;

/* A figure of this rank, and where its final value belongs. */
typedef struct figure {
    json_t *object;
    const char *key;
    double value; /* of this rank; as it stands in the file */
    joining how;
} figure;

typedef struct probe {
    const ith_machine_probe_params *params;
    ith_comm *comm;
    ith_team *team;
    ith_topology *topology;
    ith_probe_pool pool;
    ith_bench_kernels_params lines; /* what lines need of it: seconds */
    ith_kernel_bench bench;
    json_t *root;
    figure figures[FIGURES_MOST];
    int n_figures;
    int64_t memory; /* bytes of the node that has the least, before anything is measured */
    int64_t n_lines;
    bool failed; /* no memory, or too many figures */
} probe;

/* ---- Figures ---- */

static void note(probe *p, json_t *object, const char *key, double value, joining how)
{
    if (p->n_figures == FIGURES_MOST || object == NULL) {
        p->failed = true;
        return;
    }
    p->figures[p->n_figures++] = (figure){object, key, value, how};
}

/* Of the nodes that have such a thing at all: a memory node of that number, say. */
static double total(const probe *p, const double *values, int i)
{
    const ith_comm *comm = p->comm;
    double least = 0, most = 0;

    for (int node = 0; node < comm->n_nodes; node++) {
        double sum = 0;
        for (int r = 0; r < comm->size; r++) {
            double x = values[(int64_t)r * p->n_figures + i];
            sum += comm->node_of[r] == node ? x : 0;
            most = x > most ? x : most;
        }
        least = sum > 0 && (least == 0 || sum < least) ? sum : least;
    }
    return p->figures[i].how == SUM ? least : most;
}

/* Collective. Puts all figures where they belong. */
static ith_status gather(probe *p, ith_error *err)
{
    ith_comm *comm = p->comm;
    size_t n = (size_t)p->n_figures, size = (size_t)comm->size;
    double *values = malloc(n * size * sizeof *values + 1);
    int64_t *counts = malloc(2 * size * sizeof *counts);
    bool made = values != NULL && counts != NULL && !p->failed;
    ith_status status = ith_comm_agree_memory(comm, made ? p : NULL, "figures", err);

    if (status == ITH_OK) {
        for (size_t r = 0; r < size; r++) {
            counts[r] = (int64_t)(n * sizeof *values);
            counts[size + r] = (int64_t)r * counts[r];
        }
        for (size_t i = 0; i < n; i++)
            values[(size_t)comm->rank * n + i] = p->figures[i].value;
        comm->ops->allgatherv(comm, values + (size_t)comm->rank * n, values, counts, counts + size);
        for (size_t i = 0; i < n; i++)
            json_object_set_new(p->figures[i].object, p->figures[i].key,
                                ith_json_number(total(p, values, (int)i)));
    }
    free(values);
    free(counts);
    return status;
}

/* An object at the end of the list `key` of the document; owned by it. */
static json_t *item(probe *p, const char *key, json_t *object)
{
    json_t *list = json_object_get(p->root, key);

    if (list == NULL) {
        list = json_array();
        json_object_set_new(p->root, key, list);
    }
    return json_array_append_new(list, object) == 0 ? object : NULL;
}

static void meet(const probe *p)
{
    p->comm->ops->barrier(p->comm);
}

/* ---- Reading and arithmetic ---- */

/* 1, 2, 4, ... and all threads of a rank. */
static int next_threads(int n, int all)
{
    return n < all && 2 * n > all ? all : 2 * n;
}

/* Collective. A line runs on all ranks or on none. */
static ith_status all_ready(probe *p, ith_status status, ith_error *err)
{
    if (status == ITH_OK && ith_test_hook_fails("line", ++p->n_lines))
        status = ith_fail(err, ITH_E_MEMORY, "no memory for line %lld", (long long)p->n_lines);
    return ith_comm_agree(p->comm, status, err);
}

/* Mean seconds of a run, in the quieter of two measurements if there is time. */
static double line_s(const probe *p, const ith_kernel_bench *bench, ith_line *l)
{
    double s = INFINITY;

    for (int i = 0; i < (p->params->seconds > 0 ? 2 : 1); i++) {
        meet(p);
        ith_line_run(bench, l);
        s = ith_line_mean_s(l) < s ? ith_line_mean_s(l) : s;
    }
    return s;
}

/* Bytes per second that products of one token with w4 read with n threads. */
static ith_status probe_decode(probe *p, int n, json_t *row, ith_error *err)
{
    ith_kernel_bench bench = p->bench;
    ith_line l = {0};
    ith_team *team = NULL;
    ith_status status = ith_team_open(n, &team, err);

    if (status == ITH_OK) {
        ith_team_bind(team, p->topology);
        bench.team = team;
        status = ith_line_product(&bench, ITH_W4, ROWS_LEAST, COLS, 1, &l, err);
    }
    status = all_ready(p, status, err);
    if (status == ITH_OK) {
        double bytes =
            (double)ith_tile_bytes(ITH_W4, COLS / ITH_GROUP) * (double)(l.rows / ITH_TILE_ROWS);
        l.per_run = ith_line_copies(&bench, (size_t)bytes);
        note(p, row, "decode_gbps", 1e-9 * bytes * (double)l.per_run / line_s(p, &bench, &l), SUM);
    }
    ith_line_close(&l);
    ith_team_close(team);
    return status;
}

static ith_status probe_rates(probe *p, ith_error *err)
{
    const ith_peaks *peaks = ith_peaks_named(ith_kernels_get()->name);
    int all = ith_team_size(p->team);
    double s = p->params->seconds;

    for (int n = 1; n <= all; n = next_threads(n, all)) {
        json_t *row = item(p, "rates", json_object());

        meet(p);
        note(p, row, "threads", n, SUM);
        note(p, row, "read_gbps", 1e-9 * ith_probe_read(p->team, n, peaks, &p->pool, s), SUM);
        note(p, row, "integer_gops", 1e-9 * ith_probe_peak(p->team, n, &peaks->integer, s), SUM);
        note(p, row, "f32_gflops", 1e-9 * ith_probe_peak(p->team, n, &peaks->f32, s), SUM);
        ITH_TRY(probe_decode(p, n, row, err));
    }
    return ITH_OK;
}

/* Instruction sets that all ranks have. */
static void probe_levels(probe *p)
{
    json_t *levels = json_object();

    json_object_set_new(p->root, "integer_gops", levels);
    for (const char *const *name = ith_kernels_names(); *name != NULL; name++) {
        bool lacks = ith_kernels_named(*name) == NULL || strcmp(*name, "ref") == 0;
        if (p->comm->ops->max(p->comm, lacks))
            continue;
        meet(p);
        note(p, levels, *name,
             1e-9 * ith_probe_peak(p->team, ith_team_size(p->team),
                                   &ith_peaks_named(*name)->integer, p->params->seconds),
             SUM);
    }
}

/* Has this rank threads beside memory node number `os` of the machine? */
static bool runs_beside(const probe *p, int os, int *node)
{
    *node = ith_topology_find(p->topology, os);
    return *node >= 0 && *node < ith_topology_nodes(p->topology) &&
           ith_range_size(ith_topology_node_threads(p->topology, ith_team_size(p->team), *node)) >
               0;
}

/* Each memory node, by the ranks that run beside it. */
static void probe_memory(probe *p)
{
    const ith_peaks *peaks = ith_peaks_named(ith_kernels_get()->name);
    json_t *memory = json_object(), *list = json_array();

    json_object_set_new(p->root, "memory", memory);
    json_object_set_new(memory, "nodes", list);
    json_object_set_new(memory, "bytes", json_integer((json_int_t)p->memory));
    for (int os = 0; os < ITH_MAX_MEMORY_NODES; os++) {
        int node;
        bool mine = runs_beside(p, os, &node);
        json_t *row;

        if (!p->comm->ops->max(p->comm, mine)) /* a barrier too */
            continue;
        row = json_object();
        json_array_append_new(list, row);
        note(p, row, "cores", mine ? ith_topology_node(p->topology, node)->cores : 0, MOST);
        note(p, row, "read_gbps",
             mine ? 1e-9 * ith_probe_read_node(p->team, node, peaks, &p->pool, p->params->seconds)
                  : 0,
             SUM);
    }
}

static ith_status probe_barriers(probe *p, ith_error *err)
{
    int all = ith_team_size(p->team);

    ith_status status = ITH_OK;

    for (int n = 2; status == ITH_OK && n <= all; n = next_threads(n, all)) {
        ith_team *team = NULL;
        status = ith_comm_agree(p->comm, ith_team_open(n, &team, err), err);
        if (status == ITH_OK) {
            json_t *row = item(p, "barriers", json_pack("{s:i}", "threads", n));
            meet(p);
            note(p, row, "us", 1e6 * ith_probe_barrier(team, p->params->seconds), MOST);
        }
        ith_team_close(team);
    }
    return status;
}

/* ---- Kernels ---- */

static ith_status probe_product(probe *p, ith_layout layout, int64_t tokens, ith_error *err)
{
    int64_t threads = ith_team_size(p->team),
            rows = ith_max(ROWS_LEAST, TILES_PER_THREAD * ITH_TILE_ROWS * threads);
    ith_line l;
    ith_status status = ith_line_product(&p->bench, layout, rows, COLS, tokens, &l, err);

    status = all_ready(p, status, err);
    if (status == ITH_OK) {
        size_t bytes = ith_tile_bytes(layout, COLS / ITH_GROUP) * (size_t)(l.rows / ITH_TILE_ROWS);
        l.per_run = tokens == 1 ? ith_line_copies(&p->bench, bytes) : 1;
        note(p,
             item(p, "products",
                  json_pack("{s:s, s:I}", "layout", ith_layout_name(layout), "tokens",
                            (json_int_t)tokens)),
             "gops", 1e-9 * ith_line_product_ops(&l) * (double)l.per_run / line_s(p, &p->bench, &l),
             SUM);
    }
    ith_line_close(&l);
    return status;
}

static ith_status probe_products(probe *p, ith_error *err)
{
    static const int64_t tokens[] = {1, 2, 4, 8, 16, 64, 192};

    for (ith_layout layout = 0; layout < ITH_LAYOUTS; layout++)
        for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
            if (p->bench.kernels->gemm[layout] != NULL)
                ITH_TRY(probe_product(p, layout, tokens[i], err));
    return ITH_OK;
}

/* Rows of one token, in decode, read the cache from memory. More go through as many segments as a
 * cache has, which a pass meets again with its next tile. */
static ith_status probe_rows(probe *p, ith_kv_layout kv, int64_t d, int64_t rows, ith_error *err)
{
    bool one = rows <= ITH_MACHINE_FEW_ROWS;
    int64_t segments = ith_max(SEGMENTS_LEAST, SEGMENTS_PER_THREAD * ith_team_size(p->team)), fit;
    ith_key_tile tile = {.head_dim = d, .group = one ? rows : 2, .tokens = one ? 1 : rows / 2};
    ith_line l;
    ith_status status = ith_line_attention(&p->bench, kv, &tile, &l, err);

    status = all_ready(p, status, err);
    if (status == ITH_OK) {
        fit = (int64_t)(ith_line_pool(&p->bench) / ith_line_segment_bytes(&l));
        if (!one)
            l.n_segments = ith_min(segments, fit);
        note(p,
             item(p, "attention",
                  json_pack("{s:s, s:I, s:I}", "kv", ith_kv_layout_name(kv), "head_dim",
                            (json_int_t)d, "rows", (json_int_t)rows)),
             "gops", 1e-9 * ith_line_attention_ops(&l) / line_s(p, &p->bench, &l), SUM);
    }
    ith_line_close(&l);
    return status;
}

static ith_status probe_attention(probe *p, ith_error *err)
{
    static const int64_t rows[] = {1, 2, 4, 8, 16, 64, 256}, dims[] = {64, 128, 256};

    for (ith_kv_layout kv = 0; kv < ITH_KV_LAYOUTS; kv++)
        for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
            for (size_t j = 0; j < sizeof rows / sizeof *rows; j++)
                if (kv == ITH_KVL_Q8 || dims[i] == 128)
                    ITH_TRY(probe_rows(p, kv, dims[i], rows[j], err));
    return ITH_OK;
}

/* ---- Links, disk ---- */

static json_t *link_json(const ith_machine_link *link)
{
    return link->bytes <= 0
               ? json_null()
               : json_pack("{s:o, s:o, s:o}", "alpha_us", ith_json_number(link->alpha_s * 1e6),
                           "gap_us", ith_json_number(link->gap_s * 1e6), "gbps",
                           ith_json_number(link->bytes * 1e-9));
}

static ith_status probe_links(probe *p, ith_error *err)
{
    ith_probed_links links;

    ITH_TRY(ith_probe_links(p->comm, &links, err));
    json_object_set_new(p->root, "links",
                        json_pack("{s:o, s:o}", "inside", link_json(&links.inside), "between",
                                  link_json(&links.between)));
    return ITH_OK;
}

/* Bytes per second from a file, read past the page cache for DISK_S at most. */
static ith_status read_disk(const char *path, double *rate, ith_error *err)
{
    ith_mapfile file;
    ith_filereader *reader = NULL;
    double start_s = ith_now_s();
    uint64_t at = 0;
    ith_status status;

    ITH_TRY(ith_mapfile_open(path, &file, err));
    status = ith_filereader_open(&file, ITH_UNCACHED, &reader, err);
    while (status == ITH_OK && at + DISK_READ <= file.size && ith_now_s() - start_s < DISK_S) {
        const uint8_t *data;
        status = ith_filereader_get(reader, at, DISK_READ, &data, err);
        at += DISK_READ;
    }
    ith_filereader_close(reader);
    ith_mapfile_close(&file);
    if (status == ITH_OK && at == 0)
        status = ith_fail(err, ITH_E_ARGUMENT, "%s: too small to measure reading with", path);
    *rate = (double)at / (ith_now_s() - start_s);
    return status;
}

/* The first rank of each node reads. */
static ith_status probe_disk(probe *p, ith_error *err)
{
    json_t *disk = json_object();
    double rate = 0;
    ith_status status = ITH_OK;

    if (p->params->disk == NULL) {
        json_decref(disk);
        return ITH_OK;
    }
    json_object_set_new(p->root, "disk", disk);
    meet(p);
    if (p->comm->node_rank == 0)
        status = read_disk(p->params->disk, &rate, err);
    ITH_TRY(ith_comm_agree(p->comm, status, err));
    note(p, disk, "read_gbps", 1e-9 * rate, SUM);
    return ITH_OK;
}

/* ---- The whole ---- */

static size_t pool_bytes(const probe *p)
{
    ith_caches caches = ith_topology_caches(p->topology);
    int64_t far = 4 * caches.l3 * ith_topology_machine_cores(p->topology),
            most = ith_clamp(p->memory / 4, POOL_BYTES, POOL_MOST);
    return p->params->buffer > 0 ? (size_t)p->params->buffer
                                 : (size_t)ith_clamp(far, POOL_BYTES, most);
}

static ith_status open_all(probe *p, ith_error *err)
{
    int threads = p->params->threads;
    void *pool = NULL;
    ith_status status;

    if (threads == 0)
        threads = ith_cores_available() / p->comm->node_size;
    threads = (int)-p->comm->ops->max(p->comm, -threads); /* so that all do the same */
    p->memory = -p->comm->ops->max(p->comm, -(int64_t)ith_mem_available());
    ITH_TRY(ith_comm_agree(p->comm, ith_topology_open(&p->topology, err), err));
    ITH_TRY(ith_comm_agree(p->comm, ith_team_open(threads < 1 ? 1 : threads, &p->team, err), err));
    ith_team_bind(p->team, p->topology);
    status =
        ith_bench_buffer((int64_t)pool_bytes(p), p->comm->node_size, &pool, &p->pool.bytes, err);
    p->pool.data = pool;
    p->pool.topology = p->topology;
    ITH_TRY(ith_comm_agree(p->comm, status, err));
    p->lines.seconds = p->params->seconds;
    p->bench = (ith_kernel_bench){.params = &p->lines,
                                  .team = p->team,
                                  .pool = pool,
                                  .pool_bytes = p->pool.bytes,
                                  .kernels = ith_kernels_get(),
                                  .caches = ith_topology_caches(p->topology)};
    return ITH_OK;
}

static void describe(probe *p)
{
    const char *cpu = ith_topology_cpu_name(p->topology);
    ith_caches caches = ith_topology_caches(p->topology);
    int cores = ith_team_size(p->team) * p->comm->node_size,
        per_core = ith_topology_cpus(p->topology) / ith_topology_cores(p->topology);
    char name[ITH_MACHINE_TEXT], date[16], made[160];
    time_t now = time(NULL);
    struct tm day;

    snprintf(name, sizeof name, "%d cores, %s", cores, cpu[0] != 0 ? cpu : "unknown processor");
    ith_clean_line(name);
    strftime(date, sizeof date, "%Y-%m-%d", gmtime_r(&now, &day));
    snprintf(made, sizeof made, "ithaca probe (%s), %d ranks of %d threads on %d nodes",
             ITH_VERSION, p->comm->size, ith_team_size(p->team), p->comm->n_nodes);
    p->root =
        json_pack("{s:s, s:s, s:s, s:[s], s:[], s:{s:o, s:i, s:i, s:s, s:[I, I, I]}}", "schema",
                  ITH_MACHINE_SCHEMA, "name", name, "date", date, "notes", made, "derived", "cpu",
                  "name", cpu[0] != 0 ? ith_json_c_string(cpu) : json_null(), "cores", cores,
                  "threads_per_core", per_core > 0 ? per_core : 1, "simd", ith_kernels_get()->name,
                  "caches", (json_int_t)caches.l1, (json_int_t)caches.l2, (json_int_t)caches.l3);
}

/* What is counted is a whole number. */
static void make_whole(json_t *object, const char *key)
{
    json_int_t n = (json_int_t)json_number_value(json_object_get(object, key));
    json_object_set_new(object, key, json_integer(n));
}

static void make_counts_whole(const json_t *root)
{
    json_t *row;
    size_t i;

    make_whole(json_object_get(root, "cpu"), "cores");
    json_array_foreach (json_object_get(root, "rates"), i, row)
        make_whole(row, "threads");
    json_array_foreach (json_object_get(json_object_get(root, "memory"), "nodes"), i, row)
        make_whole(row, "cores");
}

static ith_status measure(probe *p, ith_error *err)
{
    describe(p);
    ITH_TRY(ith_comm_agree_memory(p->comm, p->root, "the machine", err));
    note(p, json_object_get(p->root, "cpu"), "cores", ith_team_size(p->team), SUM);
    ith_probe_pool_place(&p->pool);
    probe_memory(p);
    ITH_TRY(probe_rates(p, err));
    probe_levels(p);
    ITH_TRY(probe_barriers(p, err));
    ith_topology_interleave(p->topology, p->pool.data, p->pool.bytes);
    ITH_TRY(probe_products(p, err));
    ITH_TRY(probe_attention(p, err));
    ITH_TRY(probe_links(p, err));
    ITH_TRY(probe_disk(p, err));
    ITH_TRY(gather(p, err));
    make_counts_whole(p->root);
    return ITH_OK;
}

static ith_status check(const ith_machine_probe_params *params, ith_error *err)
{
    if (params->threads < 0 || params->buffer < 0 ||
        !(params->seconds >= 0 && params->seconds <= 60))
        return ith_fail(err, ITH_E_ARGUMENT,
                        "threads is %d, buffer %lld and seconds %g; expected 0 or more, and 60 "
                        "seconds at most",
                        params->threads, (long long)params->buffer, params->seconds);
    return ITH_OK;
}

/* Collective. Launchers can give ranks different command lines. */
static ith_status check_all(ith_comm *comm, const ith_machine_probe_params *params, ith_error *err)
{
    ith_same same = {0};
    char seconds[40];

    ITH_TRY(ith_comm_agree(comm, check(params, err), err));
    snprintf(seconds, sizeof seconds, "%g", params->seconds);
    ith_same_text(&same, "the time of each figure", seconds);
    ith_same_int(&same, "the buffer", params->buffer);
    ith_same_text(&same, "the disk", params->disk != NULL ? "measured" : "not measured");
    return ith_comm_same(comm, &same, err);
}

ith_status ith_machine_probe(ith_world *world, const ith_machine_probe_params *params, char **json,
                             ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    probe *p = calloc(1, sizeof *p);
    ith_machine machine;
    ith_status status;

    *json = NULL;
    ITH_CHECK(ith_comm_agree_memory(world->comm, p, "the probe", err));
    p->params = params;
    p->comm = world->comm;
    ITH_CHECK(check_all(world->comm, params, err));
    ITH_CHECK(open_all(p, err));
    ITH_CHECK(measure(p, err));
    status = ith_machine_of_json(p->root, "the probe", &machine, err);
    if (status == ITH_OK && world->comm->rank == 0) {
        *json = ith_json_text(p->root, false);
        status = *json != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for the result");
    }
    status = ith_comm_agree(world->comm, status, err);
done:
    if (p != NULL) {
        json_decref(p->root);
        ith_mem_free(p->pool.data);
        ith_team_close(p->team);
        ith_topology_close(p->topology);
    }
    free(p);
    return status;
}

/* pack.c - converts any model to a pack: the load plan of an engine, written to a file.
 *
 * All threads make, compress and checksum the tiles of a batch; then one thread writes them. A
 * sample of its tiles decides whether a matrix is compressed: decompression takes time when the
 * pack is loaded, which saving a few percent does not justify.
 */
#include "base/character.h"
#include "base/fpenv.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/samefile.h"
#include "base/testhook.h"
#include "base/workers.h"
#include "engine/engine_open.h"
#include "engine/key_means.h"
#include "formats/hparams.h"
#include "formats/hparams_json.h"
#include "formats/pack_write.h"
#include "formats/widen.h"
#include "ithaca_tools.h"
#include "tools/pack_key_means.h"
#include "weights/load_plan.h"
#include "weights/produce.h"

#include <stdlib.h>
#include <string.h>

enum {
    BATCH_BYTES = 16 << 20,
    SAMPLE_TILES = 32,
    WORTH_PERCENT = 3, /* the least saving for which a matrix is compressed */
    LEVEL_FLOATS = 1   /* the default zstd level of matrices that are not quantized */
};

/* What one thread needs. */
typedef struct worker {
    ith_producer producer;
    ith_zframe *z;
    uint8_t *scratch; /* [largest tile] */
} worker;

/* Totals over the tensors of one layout. */
typedef struct sums {
    int64_t tensors, bytes, stored;
} sums;

typedef struct packer {
    const ith_pack_params *params;
    ith_source *source;
    ith_stats *stats; /* NULL: none given */
    ith_load_plan plan;
    ith_model *model;
    ith_team *team;
    ith_pack_writer *writer;
    worker *workers;
    uint8_t *tiles;      /* [batch_bytes]: the batch as made */
    uint8_t *compressed; /* [batch_bytes]: the batch as compressed */
    size_t batch_bytes;
    ith_encoded *encoded; /* [encoded_max]: of the batch */
    size_t encoded_max;
    int64_t done, total;             /* bytes of tiles */
    sums by_layout[ITH_LAYOUTS + 1]; /* the last one is for vectors */
    ith_key_means means;

    /* The present batch. */
    const ith_entry *entry;
    int64_t first, step; /* its tiles are first, first + step, ... */
    int level;
} packer;

ith_pack_params ith_pack_params_default(void)
{
    return (ith_pack_params){.quant = ITH_QUANT_AUTO, .zstd_level = ITH_ZSTD_AUTO};
}

/* ---- A batch of tiles ---- */

static ith_status make_tile(void *user, int64_t item, int tid, ith_error *err)
{
    packer *p = user;
    worker *w = &p->workers[tid];
    const ith_matrix *m = p->entry->matrix;
    size_t at = (size_t)item * m->tile_bytes;

    ITH_TRY(ith_produce(&w->producer, p->entry, p->first + item * p->step, 1, p->tiles + at, err));
    p->encoded[item] = ith_pack_encode(m->layout, (size_t)m->groups, w->z, p->level, p->tiles + at,
                                       w->scratch, p->compressed + at);
    return ITH_OK;
}

static bool show_progress(void *user, int64_t done, int64_t total)
{
    const packer *p = user;
    int64_t bytes = p->done + done * (int64_t)p->entry->unit_bytes;

    (void)total;
    if (ith_test_hook_due("pack", bytes))
        ith_test_hook_act();
    return p->params->progress(p->params->progress_user, "pack",
                               bytes < p->total ? bytes : p->total, p->total);
}

/* Makes and encodes n tiles of the entry: first, first + step, ... */
static ith_status make_batch(packer *p, int64_t first, int64_t step, int64_t n, int level,
                             ith_error *err)
{
    ith_work work = {.n = n,
                     .grab = 1,
                     .fn = make_tile,
                     .progress = p->params->progress == NULL ? NULL : show_progress,
                     .user = p};

    p->first = first;
    p->step = step;
    p->level = level;
    return ith_work_run(p->team, &work, err);
}

static int64_t batch_tiles(const packer *p, const ith_matrix *m)
{
    int64_t n = (int64_t)(p->batch_bytes / m->tile_bytes);
    return n < (int64_t)p->encoded_max ? n : (int64_t)p->encoded_max;
}

/* Chooses the zstd level of the entry. 0: stored as it is, because a sample of its tiles shows that
 * compression would not save enough. */
static ith_status choose_level(packer *p, int *level, ith_error *err)
{
    const ith_matrix *m = p->entry->matrix;
    int64_t n = m->n_tiles < SAMPLE_TILES ? m->n_tiles : SAMPLE_TILES, most = batch_tiles(p, m);
    uint64_t stored = 0;

    *level = p->params->zstd_level;
    if (*level == ITH_ZSTD_AUTO)
        *level = ith_layout_is_quantized(m->layout) ? 0 : LEVEL_FLOATS;
    if (*level == 0)
        return ITH_OK;
    n = n < most ? n : most;
    ITH_TRY(make_batch(p, 0, m->n_tiles / n, n, *level, err));
    for (int64_t i = 0; i < n; i++)
        stored += p->encoded[i].bytes;
    if (stored * 100 > (uint64_t)n * m->tile_bytes * (100 - WORTH_PERCENT))
        *level = 0;
    return ITH_OK;
}

/* ---- Tensors ---- */

static void count(sums *s, int64_t bytes, int64_t stored)
{
    s->tensors++;
    s->bytes += bytes;
    s->stored += stored;
}

static ith_status pack_matrix(packer *p, ith_error *err)
{
    const ith_entry *e = p->entry;
    const ith_matrix *m = e->matrix;
    int64_t most = batch_tiles(p, m), stored = 0;
    const ith_packed *t;
    int level;

    ITH_TRY(choose_level(p, &level, err));
    ITH_TRY(ith_pack_writer_begin(p->writer, e->name, m->layout, m->rows, m->cols,
                                  level > 0 ? ITH_CODEC_ZSTD : ITH_CODEC_RAW, &t, err));
    for (int64_t first = 0; first < m->n_tiles; first += most) {
        int64_t n = m->n_tiles - first < most ? m->n_tiles - first : most;
        ITH_TRY(make_batch(p, first, 1, n, level, err));
        ITH_TRY(ith_pack_writer_tiles(p->writer, p->encoded, n, err));
        for (int64_t i = 0; i < n; i++)
            stored += p->encoded[i].bytes;
        p->done += n * (int64_t)m->tile_bytes;
    }
    count(&p->by_layout[m->layout], m->n_tiles * (int64_t)m->tile_bytes, stored);
    return ITH_OK;
}

static ith_status write_vector(packer *p, const char *name, int64_t n, const float *data,
                               ith_error *err)
{
    ith_encoded tile = ith_pack_encode_bytes(data, (size_t)n * sizeof *data);
    const ith_packed *t;

    ITH_TRY(ith_pack_writer_begin(p->writer, name, ITH_F32T, n, 0, ITH_CODEC_RAW, &t, err));
    ITH_TRY(ith_pack_writer_tiles(p->writer, &tile, 1, err));
    count(&p->by_layout[ITH_LAYOUTS], tile.bytes, tile.bytes);
    return ITH_OK;
}

static ith_status pack_vector(packer *p, ith_error *err)
{
    const ith_entry *e = p->entry;
    void *data;
    ith_status status;

    ITH_TRY(ith_mem_alloc(ITH_MEM_OTHER, e->unit_bytes, e->name, &data, err));
    status = ith_produce(&p->workers[0].producer, e, 0, 1, data, err);
    if (status == ITH_OK)
        status = write_vector(p, e->name, e->n, data, err);
    ith_mem_free(data);
    p->done += (int64_t)e->unit_bytes;
    return status;
}

/* Copies the divisors of Llama 3's rotary frequencies. A GGUF file holds them as a tensor, but no
 * pass reads it, so the load plan does not list it. */
static ith_status pack_rope(packer *p, ith_error *err)
{
    static const char name[] = "rope_freqs.weight";
    const ith_tensor *t = ith_source_find(p->source, name);
    int64_t n = p->model->rope.half; /* ith_model_open has checked the shape */
    float *values;
    ith_status status;

    if (t == NULL)
        return ITH_OK;
    values = calloc((size_t)n, sizeof *values);
    if (values == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for %s", name);
    ith_dtype_to_f32(t->dtype, t->data, n, values);
    status = write_vector(p, name, n, values, err);
    free(values);
    return status;
}

static ith_status pack_tensors(packer *p, ith_error *err)
{
    for (size_t i = 0; i < p->plan.n_entries; i++) {
        p->entry = &p->plan.entries[i];
        ITH_TRY(p->entry->matrix != NULL ? pack_matrix(p, err) : pack_vector(p, err));
    }
    return pack_rope(p, err);
}

/* ---- The rest of the file ---- */

static ith_status pack_blob(void *user, const char *name, const void *data, size_t bytes,
                            ith_error *err)
{
    return ith_pack_writer_blob(((packer *)user)->writer, name, data, bytes, err);
}

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL || slash[1] == '\0' ? path : slash + 1;
}

static json_t *provenance(const packer *p)
{
    static const char *const kinds[] = {[ITH_SOURCE_HF] = "Hugging Face",
                                        [ITH_SOURCE_GGUF] = "GGUF",
                                        [ITH_SOURCE_PACK] = "Ithaca pack",
                                        [ITH_SOURCE_SYNTHETIC] = "synthetic"};
    static const char *const quants[] = {[ITH_QUANT_W8] = "w8",
                                         [ITH_QUANT_W4] = "w4",
                                         [ITH_QUANT_BF16] = "bf16",
                                         [ITH_QUANT_F32] = "f32",
                                         [ITH_QUANT_LOSSLESS] = "keep"};
    ith_source_kind kind = ith_source_get_kind(p->source);
    ith_quant quant = p->params->quant;
    char name[256];

    if (quant == ITH_QUANT_AUTO)
        quant = kind == ITH_SOURCE_PACK ? ITH_QUANT_LOSSLESS : ITH_QUANT_W8;
    ith_clean_text(last_name(p->params->model), strlen(last_name(p->params->model)), name,
                   sizeof name);
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:b}", "by", "ithaca " ITH_VERSION, "from", name,
                     "format", kinds[kind], "quant", quants[quant], "zstd_level",
                     p->params->zstd_level, "stats", p->params->stats != NULL);
}

/* ---- Opening and closing ---- */

static ith_status check_params(const ith_pack_params *params, ith_error *err)
{
    if (params->model == NULL || params->output == NULL)
        return ith_fail(err, ITH_E_ARGUMENT, "no %s given",
                        params->model == NULL ? "model" : "output");
    if (params->threads < 0 || params->zstd_level < ITH_ZSTD_AUTO ||
        params->zstd_level > ith_zframe_max_level())
        return ith_fail(
            err, ITH_E_ARGUMENT,
            "%d threads, zstd level %d: expected 0 or more threads and a level of 0 to %d",
            params->threads, params->zstd_level, ith_zframe_max_level());
    /* Fail now rather than in the pass that measures the key means at the end. */
    if (ith_kernels_env_error() != NULL)
        return ith_fail(err, ITH_E_ARGUMENT, "%s", ith_kernels_env_error());
    return ITH_OK;
}

static size_t largest_tile(const ith_load_plan *plan)
{
    size_t bytes = 0;
    for (size_t i = 0; i < plan->n_entries; i++)
        if (plan->entries[i].matrix != NULL && plan->entries[i].unit_bytes > bytes)
            bytes = plan->entries[i].unit_bytes;
    return bytes;
}

static ith_status open_workers(packer *p, size_t tile_bytes, ith_error *err)
{
    int n = ith_team_size(p->team);

    p->workers = calloc((size_t)n, sizeof *p->workers);
    if (p->workers == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory to pack with %d threads", n);
    for (int i = 0; i < n; i++) {
        worker *w = &p->workers[i];
        void *planes;
        ITH_TRY(ith_producer_open(&p->plan, ITH_CACHED, &w->producer, err));
        ITH_TRY(ith_zframe_open(&w->z, err));
        ITH_TRY(ith_mem_alloc(ITH_MEM_OTHER, tile_bytes, "a tile's planes", &planes, err));
        w->scratch = planes;
    }
    return ITH_OK;
}

static ith_status open_buffers(packer *p, ith_error *err)
{
    size_t tile_bytes = largest_tile(&p->plan);
    void *tiles, *compressed;

    p->batch_bytes = tile_bytes > BATCH_BYTES ? tile_bytes : BATCH_BYTES;
    p->encoded_max = p->batch_bytes / 256; /* every tile is larger than 256 bytes */
    ITH_TRY(ith_mem_alloc(ITH_MEM_OTHER, p->batch_bytes, "a batch of tiles", &tiles, err));
    p->tiles = tiles;
    ITH_TRY(ith_mem_alloc(ITH_MEM_OTHER, p->batch_bytes, "a batch of compressed tiles", &compressed,
                          err));
    p->compressed = compressed;
    p->encoded = calloc(p->encoded_max, sizeof *p->encoded);
    if (p->encoded == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a batch of tiles");
    return open_workers(p, tile_bytes, err);
}

static ith_status open_packer(packer *p, ith_error *err)
{
    const ith_pack_params *params = p->params;

    ITH_TRY(check_params(params, err));
    ITH_TRY(ith_source_open(params->model, 0, &p->source, err));
    ITH_TRY(ith_source_spare(p->source, params->output, err));
    ITH_TRY(ith_model_open(p->source, &p->plan, params->quant, false, &p->model, err));
    if (params->stats != NULL) {
        ITH_TRY(ith_spare_input(params->output, params->stats, err));
        ITH_TRY(ith_stats_open(params->stats, &p->stats, err));
        ITH_TRY(ith_load_plan_weigh(&p->plan, p->stats, err));
    }
    for (size_t i = 0; i < p->plan.n_entries; i++)
        p->total += p->plan.entries[i].n_units * (int64_t)p->plan.entries[i].unit_bytes;
    ITH_TRY(ith_team_open(params->threads > 0 ? params->threads : ith_cores_available(), &p->team,
                          err));
    ITH_TRY(open_buffers(p, err));
    return ith_pack_writer_open(params->output, params->force, &p->writer, err);
}

/* Releases what only making tiles needs: buffers, workers and the team. */
static void close_buffers(packer *p)
{
    for (int i = 0; p->workers != NULL && i < ith_team_size(p->team); i++) {
        ith_producer_close(&p->workers[i].producer);
        ith_zframe_close(p->workers[i].z);
        ith_mem_free(p->workers[i].scratch);
    }
    free(p->workers);
    free(p->encoded);
    ith_mem_free(p->tiles);
    ith_mem_free(p->compressed);
    ith_team_close(p->team);
    p->workers = NULL;
    p->encoded = NULL;
    p->tiles = p->compressed = NULL;
    p->team = NULL;
}

static void close_packer(packer *p)
{
    ith_pack_writer_close(p->writer);
    close_buffers(p);
    free(p->means.values);
    ith_model_close(p->model);
    ith_load_plan_free(&p->plan);
    ith_stats_close(p->stats);
    ith_source_close(p->source);
}

/* ---- The end of the file ---- */

/* Measures the key means, which are a property of the weights as written. So the file is sealed as
 * a pack, run, and then continued with the means. */
static ith_status pack_key_means(packer *p, const json_t *index, ith_error *err)
{
    ith_engine_params own = ith_engine_params_default();

    if (!ith_key_means_cancel(&p->model->hp)) {
        ith_fail(&p->means.why, ITH_E_UNSUPPORTED, "scores have a soft cap: none are needed");
        return ITH_OK;
    }
    own.threads = ith_team_size(p->team);
    own.progress = p->params->progress;
    own.progress_user = p->params->progress_user;
    close_buffers(p);
    ITH_TRY(ith_pack_writer_seal(p->writer, index, &own.model, err));
    ITH_TRY(ith_key_means_of_pack(&own, &p->means, err));
    ITH_TRY(ith_pack_writer_unseal(p->writer, err));
    if (p->means.values == NULL)
        return ITH_OK;
    return ith_pack_writer_blob(p->writer, ith_key_means_blob, p->means.values, p->means.bytes,
                                err);
}

static bool goes_on(const packer *p)
{
    const ith_pack_params *params = p->params;
    return params->progress == NULL ||
           params->progress(params->progress_user, "pack", p->total, p->total);
}

static ith_status finish(packer *p, ith_error *err)
{
    json_t *index = json_pack("{s:o, s:o}", "packed", provenance(p), "hyperparameters",
                              ith_hparams_to_json(ith_source_hparams(p->source)));
    ith_status status;

    if (index == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the pack's index");
    status = pack_key_means(p, index, err);
    if (status == ITH_OK)
        status = goes_on(p) ? ith_pack_writer_finish(p->writer, index, err) : ITH_E_CANCELLED;
    json_decref(index);
    return status;
}

/* ---- The whole ---- */
static ith_status report(const packer *p, double seconds, char **json, ith_error *err)
{
    json_t *layouts = json_object(), *root;

    for (int i = 0; i <= ITH_LAYOUTS; i++) {
        const sums *s = &p->by_layout[i];
        if (s->tensors > 0)
            json_object_set_new(
                layouts, i == ITH_LAYOUTS ? "vectors" : ith_layout_name((ith_layout)i),
                json_pack("{s:I, s:I, s:I}", "tensors", (json_int_t)s->tensors, "bytes",
                          (json_int_t)s->bytes, "stored_bytes", (json_int_t)s->stored));
    }
    root = json_pack(
        "{s:o, s:I, s:o, s:o, s:b, s:s, s:o}", "output", ith_json_c_string(p->params->output),
        "bytes", (json_int_t)ith_pack_writer_bytes(p->writer), "seconds", ith_json_number(seconds),
        "layouts", layouts, "key_means", p->means.values != NULL, "key_means_missing",
        p->means.why.text, "notes", ith_json_lines(ith_source_notes(p->source)));
    *json = root == NULL ? NULL : ith_json_text(root, false);
    json_decref(root);
    return *json != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for the report");
}

ith_status ith_pack(const ith_pack_params *params, char **json, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    packer p = {.params = params};
    double start = ith_now_s();
    ith_status status;

    if (json != NULL)
        *json = NULL;
    ITH_CHECK(open_packer(&p, err));
    ITH_CHECK(pack_tensors(&p, err));
    ITH_CHECK(ith_source_each_blob(p.source, pack_blob, &p, err));
    ITH_CHECK(ith_source_check_unchanged(p.source, err));
    ITH_CHECK(finish(&p, err));
    if (json != NULL)
        ITH_CHECK(report(&p, ith_now_s() - start, json, err));
done:
    close_packer(&p);
    return status;
}

/* verify.c - reads a pack from its first byte to its last and checks every checksum. */
#include "base/fpenv.h"
#include "base/range.h"
#include "base/workers.h"
#include "engine/engine.h"
#include "formats/packfile.h"
#include "ithaca_tools.h"

#include <stdlib.h>

enum { TASK_BYTES = 1 << 20 };

/* Some tiles of a tensor: what one thread reads at a time. */
typedef struct task {
    const ith_packed *tensor;
    int64_t first, n;
} task;

typedef struct verifier {
    ith_pack_reader **readers; /* [threads] */
    uint8_t **tiles;           /* [threads][largest task] */
    task *tasks;
    int64_t n_tasks;
    int threads;
    ith_progress_fn progress;
    void *user;
    int64_t bytes;
} verifier;

/* Cuts all tensors into tasks, which are only counted if `tasks` is NULL. Returns the bytes of the
 * largest task. */
static size_t cut(const ith_packfile *pack, task *tasks, int64_t *n)
{
    size_t largest = 0;

    *n = 0;
    for (size_t i = 0; i < ith_pack_n_tensors(pack); i++) {
        const ith_packed *t = ith_pack_tensor(pack, i);
        int64_t step = ith_count_within(t->tile_bytes, TASK_BYTES);
        for (int64_t first = 0; first < t->n_tiles; first += step, ++*n)
            if (tasks != NULL)
                tasks[*n] = (task){t, first, t->n_tiles - first < step ? t->n_tiles - first : step};
        if ((size_t)step * t->tile_bytes > largest)
            largest = (size_t)step * t->tile_bytes;
    }
    return largest;
}

static ith_status verify_task(void *user, int64_t item, int tid, ith_error *err)
{
    verifier *v = user;
    const task *p = &v->tasks[item];
    return ith_pack_read(v->readers[tid], p->tensor, p->first, p->n, v->tiles[tid], err);
}

static bool show_progress(void *user, int64_t done, int64_t total)
{
    const verifier *v = user;
    return v->progress(v->user, "verify",
                       (int64_t)((double)v->bytes * (double)done / (double)total), v->bytes);
}

static ith_status open_verifier(verifier *v, const ith_packfile *pack, ith_error *err)
{
    size_t largest = cut(pack, NULL, &v->n_tasks);

    v->tasks = calloc((size_t)v->n_tasks, sizeof *v->tasks);
    v->readers = calloc((size_t)v->threads, sizeof(void *));
    v->tiles = calloc((size_t)v->threads, sizeof(void *));
    if (v->tasks == NULL || v->readers == NULL || v->tiles == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory to verify with %d threads", v->threads);
    cut(pack, v->tasks, &v->n_tasks);
    for (int i = 0; i < v->threads; i++) {
        ITH_TRY(ith_pack_reader_open(pack, ITH_CACHED, &v->readers[i], err));
        v->tiles[i] = aligned_alloc(64, (largest + 63) / 64 * 64);
        if (v->tiles[i] == NULL)
            return ith_fail(err, ITH_E_MEMORY, "no memory for %zu bytes of tiles", largest);
    }
    return ITH_OK;
}

static void close_verifier(verifier *v)
{
    for (int i = 0; i < v->threads; i++) {
        if (v->readers != NULL)
            ith_pack_reader_close(v->readers[i]);
        if (v->tiles != NULL)
            free(v->tiles[i]);
    }
    free(v->readers);
    free(v->tiles);
    free(v->tasks);
}

static ith_status verify(const ith_packfile *pack, ith_team *team, ith_progress_fn progress,
                         void *user, ith_error *err)
{
    verifier v = {.threads = ith_team_size(team),
                  .progress = progress,
                  .user = user,
                  .bytes = (int64_t)ith_pack_file(pack)->size};
    ith_work work = {.grab = 1,
                     .fn = verify_task,
                     .progress = progress == NULL ? NULL : show_progress,
                     .user = &v};
    ith_status status;

    ITH_CHECK(open_verifier(&v, pack, err));
    work.n = v.n_tasks;
    ITH_CHECK(ith_work_run(team, &work, err));
    ITH_CHECK(ith_pack_check_gaps(pack, err));
done:
    close_verifier(&v);
    return status;
}

ith_status ith_pack_verify(const char *model, int threads, ith_progress_fn progress, void *user,
                           ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ith_source *source = NULL;
    ith_team *team = NULL;
    ith_status status;

    ITH_CHECK(ith_source_open(model, 0, &source, err));
    if (ith_source_pack(source) == NULL)
        ITH_CHECK(ith_fail(err, ITH_E_ARGUMENT, "%s: only packs (.ith) have checksums", model));
    ITH_CHECK(ith_team_open(threads > 0 ? threads : ith_cores_available(), &team, err));
    ITH_CHECK(verify(ith_source_pack(source), team, progress, user, err));
done:
    ith_team_close(team);
    ith_source_close(source);
    return status;
}

/* keep_read.c - restoring the saved part of a prompt: rank 0 looks it up, and each rank reads the
 * files of its heads. */
#include "keep/keep_read.h"
#include "base/mem.h"
#include "base/workers.h"
#include "keep/keep_write.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct job {
    ith_keep *keep;
    ith_segment *segments;       /* [n] of the timeline, from its start */
    int64_t n, first;            /* those before `first` are in memory already */
    ith_kvfile_buffer **buffers; /* [threads] */
    void **layers;               /* [threads][layers_of()] */
    float *states; /* [recurrent heads of this rank][state_layers][state_floats], while read */
    pthread_mutex_t lock;
    int64_t bad;  /* the first segment that could not be read; n: none */
    bool damaged; /* it is not just missing */
} job;

static void note_failure(job *j, int64_t segment, bool damaged)
{
    pthread_mutex_lock(&j->lock);
    if (segment < j->bad) {
        j->bad = segment;
        j->damaged = damaged;
    }
    pthread_mutex_unlock(&j->lock);
}

/* Layers that a file has, at most. */
static int layers_of(const ith_keep *keep)
{
    return keep->shape.n_layers > keep->shape.state_layers ? keep->shape.n_layers
                                                           : keep->shape.state_layers;
}

/* One file, if its head's segment is held here. */
static ith_status read_item(void *user, int64_t item, int tid, ith_error *err)
{
    job *j = user;
    ith_keep *keep = j->keep;
    int head = (int)(item % keep->n_heads);
    int64_t s = j->first + item / keep->n_heads;
    void **layers = j->layers + tid * layers_of(keep);
    ith_head_file which = {.head = keep->first_head + head};
    bool missing;
    ith_status status;

    if (!ith_keep_holds(keep, head, s))
        return ITH_OK;
    for (int i = 0; i < keep->shape.n_layers; i++)
        layers[i] = ith_keep_keeps(keep, i, s) ? ith_keep_segment(keep, i, head, s) : NULL;
    status = ith_archive_read(keep->archive, &j->segments[s], &keep->shape, which, layers,
                              j->buffers[tid], &missing, err);
    if (status != ITH_OK)
        note_failure(j, s, status == ITH_E_FORMAT);
    return status;
}

static bool show_progress(void *user, int64_t done, int64_t total)
{
    const job *j = user;
    const ith_engine *e = j->keep->session->engine;
    int64_t tokens = (j->n - j->first) * ITH_KV_SEGMENT;
    (void)total;

    /* A request to stop is obeyed before the next chunk. */
    if (e->progress != NULL && e->world->comm->rank == 0)
        e->progress(e->progress_user, "read", done / j->keep->n_heads * ITH_KV_SEGMENT, tokens);
    return true;
}

static ith_status open_buffers(job *j, ith_error *err)
{
    size_t threads = (size_t)ith_team_size(j->keep->session->engine->team);

    if (j->buffers != NULL)
        return ITH_OK;
    j->buffers = calloc(threads, sizeof *j->buffers);
    j->layers = calloc(threads * (size_t)layers_of(j->keep), sizeof *j->layers);
    if (j->buffers == NULL || j->layers == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory to read saved KV data");
    for (size_t i = 0; i < threads; i++)
        ITH_TRY(ith_kvfile_buffer_open(&j->buffers[i], err));
    return ITH_OK;
}

static void close_buffers(job *j)
{
    for (int i = 0; j->buffers != NULL && i < ith_team_size(j->keep->session->engine->team); i++)
        ith_kvfile_buffer_close(j->buffers[i]);
    free(j->buffers);
    free(j->layers);
    j->buffers = NULL;
    j->layers = NULL;
}

/* May run several times. */
static ith_status read_files(job *j, ith_error *err)
{
    ith_work work = {.n = (j->n - j->first) * j->keep->n_heads,
                     .grab = 1,
                     .fn = read_item,
                     .progress = show_progress,
                     .user = j};
    ith_status status;

    if (work.n <= 0)
        return ITH_OK;
    status = open_buffers(j, err);
    if (status == ITH_OK)
        status = ith_work_run(j->keep->session->engine->team, &work, err);
    else
        note_failure(j, j->first, false);
    close_buffers(j);
    return status;
}

static void close_job(job *j)
{
    free(j->segments);
    ith_mem_free(j->states);
    pthread_mutex_destroy(&j->lock);
}

/* Finds the segments of the first `total` tokens on rank 0 and tells all ranks. An archive that
 * cannot be read has none. */
static ith_status look_up(job *j, int64_t total, ith_error *err)
{
    ith_keep *keep = j->keep;
    ith_world *world = keep->session->engine->world;
    ith_status status = ITH_OK;

    free(j->segments);
    j->segments = NULL;
    j->n = 0;
    if (world->comm->rank == 0) {
        status = ith_archive_find(keep->archive, &keep->root, &keep->shape, keep->session->ids,
                                  total, &j->segments, &j->n, err);
        if (status == ITH_E_IO) {
            ith_keep_warn(keep, err->text, "nothing is read from it");
            j->n = 0;
            status = ITH_OK;
        }
    }
    ITH_TRY(ith_comm_agree(world->comm, status, err));
    ith_world_bcast(world, &j->n, sizeof j->n);
    if (world->comm->rank != 0) {
        j->segments = calloc((size_t)j->n + 1, sizeof *j->segments);
        if (j->segments == NULL)
            status = ith_fail(err, ITH_E_MEMORY, "no memory for a list of segments");
    }
    ITH_TRY(ith_comm_agree(world->comm, status, err));
    ith_world_bcast(world, j->segments, (size_t)j->n * sizeof *j->segments);
    return ITH_OK;
}

/* How many segments all ranks have read. The user is warned of the first that one has not, which
 * is removed if damaged. */
static int64_t agree_on_good(job *j, ith_status status, ith_error *err)
{
    ith_keep *keep = j->keep;
    ith_comm *comm = keep->session->engine->world->comm;
    int64_t good = j->n - comm->ops->max(comm, j->n - j->bad);

    if (j->damaged)
        ith_archive_remove(keep->archive, &j->segments[j->bad].parent, &j->segments[j->bad].key);
    if (ith_comm_agree(comm, status, err) != ITH_OK)
        ith_keep_warn(keep, err->text, "computed again");
    if (comm->rank == 0)
        ith_archive_touch(keep->archive, j->segments, good);
    return good;
}

/* Tokens in the first `good` segments. */
static int64_t matched(const job *j, int64_t good)
{
    return good == 0 ? 0 : (good - 1) * ITH_KV_SEGMENT + j->segments[good - 1].used;
}

/* The timeline's length with those. The last token is always computed, for its logits. */
static int64_t length_with(const job *j, int64_t good, int64_t total)
{
    int64_t length = matched(j, good);

    length = length < total - 1 ? length : total - 1;
    return length > j->keep->session->length ? length : j->keep->session->length;
}

static void start_writing_after(ith_keep *keep, const job *j)
{
    keep->n_written = 0;
    keep->parent = keep->root;
    for (; keep->n_written < j->n && j->segments[keep->n_written].used == ITH_KV_SEGMENT;
         keep->n_written++)
        keep->parent = j->segments[keep->n_written].key;
    keep->saved = keep->state_at = matched(j, j->n);
    keep->tail = keep->older = (ith_segment){0};
    ith_keep_activate(keep, true);
}

/* A segment is read only if it has more tokens than the timeline. Others must not be: in the last
 * block of such a file, the slots after its tokens hold anything, and the timeline may have
 * tokens there. */
static int64_t first_to_read(const job *j, int64_t length)
{
    int64_t first = 0;
    while (first < j->n && matched(j, first + 1) <= length)
        first++;
    return first;
}

/* ---- Recurrent states ---- */

static ith_status read_state(void *user, int64_t item, int tid, ith_error *err)
{
    job *j = user;
    const ith_kv_shape *shape = &j->keep->shape;
    ith_head_file which = {.state = true, .head = (int)(j->keep->state_heads.begin + item)};
    void **layers = j->layers + tid * layers_of(j->keep);
    bool missing;
    ith_status status;

    for (int i = 0; i < shape->state_layers; i++)
        layers[i] = j->states + (item * shape->state_layers + i) * shape->state_floats;
    status = ith_archive_read(j->keep->archive, &j->segments[j->n - 1], shape, which, layers,
                              j->buffers[tid], &missing, err);
    if (status != ITH_OK)
        note_failure(j, j->n - 1, status == ITH_E_FORMAT);
    return status;
}

static ith_status read_state_files(job *j, ith_error *err)
{
    const ith_kv_shape *shape = &j->keep->shape;
    size_t heads = (size_t)ith_range_size(j->keep->state_heads);
    ith_work work = {.n = (int64_t)heads, .grab = 1, .fn = read_state, .user = j};
    ith_status status;

    if (heads == 0)
        return ITH_OK;
    status = open_buffers(j, err);
    if (status == ITH_OK && j->states == NULL)
        status = ith_mem_alloc_array(
            ITH_MEM_OTHER, heads * (size_t)shape->state_layers * (size_t)shape->state_floats,
            sizeof(float), "recurrent states to read", (void **)&j->states, err);
    if (status == ITH_OK)
        status = ith_work_run(j->keep->session->engine->team, &work, err);
    close_buffers(j);
    return status;
}

static void take_states(job *j)
{
    const ith_keep *keep = j->keep;
    const ith_segment *last = &j->segments[j->n - 1];
    const float *from = j->states;

    for (int64_t head = keep->state_heads.begin; head < keep->state_heads.end; head++)
        for (int i = 0; i < keep->shape.state_layers; i++, from += keep->shape.state_floats)
            ith_recurrent_restore(ith_keep_state(keep, i), head, from);
    ith_recurrent_restored(keep->session->state->recurrent, last->start + last->n);
}

/* Collective. Reads the states at the end of the last segment if the timeline goes on from them:
 * aside, so that it keeps its own if that fails. */
static bool read_states(job *j, int64_t total)
{
    ith_keep *keep = j->keep;
    ith_comm *comm = keep->session->engine->world->comm;
    ith_error why = {0};
    ith_status status;

    if (keep->shape.state_layers == 0 || length_with(j, j->n, total) == keep->session->length)
        return true;
    j->damaged = false;
    status = ith_comm_agree(comm, read_state_files(j, &why), &why);
    if (j->damaged) /* no rank reads now */
        ith_archive_remove_states(keep->archive, &j->segments[j->n - 1].parent,
                                  &j->segments[j->n - 1].key);
    if (status != ITH_OK) {
        ith_keep_warn(keep, why.text, "computed again");
        return false;
    }
    take_states(j);
    return true;
}

/* ---- All that is saved ---- */

/* Collective. What of the segments can be read, if `good` of them can: these, or as many as end
 * with states. */
static ith_status shorten(job *j, int64_t good, ith_error *err)
{
    if (j->keep->shape.state_layers > 0)
        return look_up(j, good * ITH_KV_SEGMENT, err);
    j->n = good;
    return ITH_OK;
}

/* Collective. Reads what the caches keep of the segments, and states; j->n becomes the segments
 * that are there. If one cannot be read, the timeline is shorter: then a layer with a window may
 * need others, which lay where what was read lies now. All begins anew, from the archive alone. */
static ith_status read_good(job *j, int64_t total, ith_error *err)
{
    ith_session *session = j->keep->session;

    for (;;) {
        ith_error why = {0};
        int64_t good;
        j->bad = j->n;
        j->damaged = false;
        j->first = first_to_read(j, session->length);
        ith_state_enter(session->state, session->length,
                        length_with(j, j->n, total) - session->length);
        good = agree_on_good(j, read_files(j, &why), &why);
        if (good == j->n && read_states(j, total))
            return ITH_OK;
        ITH_TRY(shorten(j, ith_min(good, j->n - 1), err));
        if (j->keep->shape.state_layers == 0 &&
            ith_state_reaches(session->state, length_with(j, j->n, total)))
            return ITH_OK;
        if (!ith_state_reaches(session->state, length_with(j, j->n, total)))
            session->length = 0;
    }
}

ith_status ith_keep_begin(ith_keeper *keeper, int64_t n, int64_t *restored, ith_error *err)
{
    ith_keep *keep = ith_keep_of(keeper);
    ith_session *session = keep->session;
    int64_t before = session->length, total = before + n;
    job j = {.keep = keep, .lock = PTHREAD_MUTEX_INITIALIZER};
    ith_status status;

    keep->root = ith_keep_root(keep);
    status = look_up(&j, total, err);
    if (status == ITH_OK)
        status = read_good(&j, total, err);
    *restored = 0;
    if (status == ITH_OK) {
        session->length = length_with(&j, j.n, total);
        *restored = session->length - before;
        keep->restored += ith_max(0, *restored);
        start_writing_after(keep, &j);
        status = ith_keep_catch_up(keep, session->length, err);
    }
    close_job(&j);
    return status;
}

/* frames.c - compresses units into frames and reads them back. */
#include "weights/frames.h"

#include "base/workers.h"
#include "formats/tile_codec.h"
#include "formats/zframe.h"
#include "weights/produce.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct frame {
    uint8_t *data;
    uint32_t bytes; /* unit_bytes: as it is */
} frame;

struct ith_frames {
    const ith_load_plan *plan;
    frame **units; /* [plan->n_entries][n_units]; NULL: none of the entry's */
    int level;
    size_t room; /* for all of them */
    atomic_size_t bytes;
};

struct ith_frame_reader {
    ith_zframe *z;
    uint8_t *planes;
    size_t room;
};

/* ---- Reading ---- */

ith_status ith_frame_reader_open(ith_frame_reader **out, ith_error *err)
{
    ith_frame_reader *r = calloc(1, sizeof *r);
    ith_status status =
        r == NULL ? ith_fail(err, ITH_E_MEMORY, "no memory to decompress weights") : ITH_OK;

    *out = NULL;
    if (status == ITH_OK)
        status = ith_zframe_open(&r->z, err);
    if (status != ITH_OK) {
        ith_frame_reader_close(r);
        return status;
    }
    *out = r;
    return ITH_OK;
}

void ith_frame_reader_close(ith_frame_reader *r)
{
    if (r == NULL)
        return;
    ith_zframe_close(r->z);
    free(r->planes);
    free(r);
}

/* At least `bytes` of scratch. */
static bool make_room(ith_frame_reader *r, size_t bytes)
{
    if (bytes > r->room) {
        free(r->planes);
        r->planes = malloc(bytes);
        r->room = r->planes == NULL ? 0 : bytes;
    }
    return r->planes != NULL;
}

static frame *frame_of(const ith_frames *frames, const ith_entry *entry, int64_t unit)
{
    return &frames->units[entry - frames->plan->entries][unit];
}

ith_status ith_frames_read(const ith_frames *frames, ith_frame_reader *reader, const ith_entry *e,
                           int64_t unit, void *out, ith_error *err)
{
    const frame *f = frame_of(frames, e, unit);

    if (f->bytes == e->unit_bytes) {
        memcpy(out, f->data, e->unit_bytes);
        return ITH_OK;
    }
    if (!make_room(reader, e->unit_bytes))
        return ith_fail(err, ITH_E_MEMORY, "no memory to decompress a tile of %zu bytes",
                        e->unit_bytes);
    if (!ith_tile_unpack(e->matrix->layout, (size_t)e->matrix->groups, reader->z, f->data, f->bytes,
                         reader->planes, out))
        return ith_fail(err, ITH_E_FORMAT,
                        "tensor %s: tile %lld does not decompress: memory is damaged", e->name,
                        (long long)unit);
    return ITH_OK;
}

/* ---- Making ---- */

/* One thread's. */
typedef struct maker {
    ith_producer producer;
    ith_zframe *z;
    uint8_t *memory; /* a tile, its planes, the frame */
} maker;

typedef struct unit {
    const ith_entry *entry;
    int64_t unit;
} unit;

typedef struct job {
    ith_frames *frames;
    unit *units; /* [n] */
    int64_t n;
    size_t room; /* bytes of a unit, at most */
    maker *makers;
} job;

static ith_status hold(ith_frames *frames, frame *f, const void *data, size_t bytes, ith_error *err)
{
    f->data = malloc(bytes);
    if (f->data == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory to hold a tile of %zu bytes", bytes);
    memcpy(f->data, data, bytes);
    f->bytes = (uint32_t)bytes;
    if (atomic_fetch_add(&frames->bytes, bytes) + bytes <= frames->room)
        return ITH_OK;
    return ith_fail(err, ITH_E_MEMORY,
                    "the compressed weights take more than the %.0f MiB left for them: give more "
                    "memory (--mem) or leave them on disk (--offload disk)",
                    (double)frames->room / 1048576.0);
}

static ith_status make_frame(void *user, int64_t item, int tid, ith_error *err)
{
    job *j = user;
    maker *m = &j->makers[tid];
    const ith_entry *e = j->units[item].entry;
    uint8_t *tile = m->memory, *planes = tile + j->room, *room = planes + j->room;
    frame *f = frame_of(j->frames, e, j->units[item].unit);
    size_t bytes = 0;

    ITH_TRY(ith_produce(&m->producer, e, j->units[item].unit, 1, tile, err));
    if (j->frames->level > 0)
        bytes = ith_tile_pack(e->matrix->layout, (size_t)e->matrix->groups, m->z, j->frames->level,
                              tile, planes, room);
    return bytes > 0 ? hold(j->frames, f, room, bytes, err)
                     : hold(j->frames, f, tile, e->unit_bytes, err);
}

/* Makes the entry's table of frames unless it has one. */
static ith_status open_table(ith_frames *frames, const ith_entry *e, ith_error *err)
{
    frame **table = &frames->units[e - frames->plan->entries];
    if (*table == NULL)
        *table = calloc((size_t)e->n_units, sizeof **table);
    return *table != NULL ? ITH_OK
                          : ith_fail(err, ITH_E_MEMORY, "no memory for a table of %lld tiles",
                                     (long long)e->n_units);
}

static ith_status list_units(job *j, const ith_step *steps, int64_t n_steps, ith_error *err)
{
    int64_t n = 0;

    for (int64_t i = 0; i < n_steps; i++)
        for (int k = 0; k < steps[i].n_extents; k++)
            n += steps[i].extents[k].n;
    j->units = calloc((size_t)n + 1, sizeof *j->units);
    if (j->units == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %lld tiles", (long long)n);
    for (int64_t i = 0; i < n_steps; i++)
        for (int k = 0; k < steps[i].n_extents; k++) {
            const ith_extent *p = &steps[i].extents[k];
            ITH_TRY(open_table(j->frames, p->entry, err));
            j->room = p->entry->unit_bytes > j->room ? p->entry->unit_bytes : j->room;
            for (int64_t u = p->first; u < p->first + p->n; u++)
                j->units[j->n++] = (unit){p->entry, u};
        }
    return ITH_OK;
}

static ith_status open_makers(job *j, const ith_load_plan *plan, int threads, ith_error *err)
{
    j->makers = calloc((size_t)threads, sizeof *j->makers);
    if (j->makers == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory to compress with %d threads", threads);
    for (int i = 0; i < threads; i++) {
        maker *m = &j->makers[i];
        ITH_TRY(ith_producer_open(plan, ITH_CACHED, &m->producer, err));
        ITH_TRY(ith_zframe_open(&m->z, err));
        m->memory = aligned_alloc(64, 3 * j->room); /* tiles are multiples of 64 bytes */
        if (m->memory == NULL)
            return ith_fail(err, ITH_E_MEMORY, "no memory to compress tiles of %zu bytes", j->room);
    }
    return ITH_OK;
}

static void close_makers(job *j, int threads)
{
    for (int i = 0; j->makers != NULL && i < threads; i++) {
        ith_producer_close(&j->makers[i].producer);
        ith_zframe_close(j->makers[i].z);
        free(j->makers[i].memory);
    }
    free(j->makers);
    free(j->units);
}

ith_status ith_frames_open(const ith_load_plan *plan, const ith_step *steps, int64_t n_steps,
                           int level, size_t room, ith_team *team, ith_frames **out, ith_error *err)
{
    ith_frames *frames = calloc(1, sizeof *frames);
    job j = {.frames = frames};
    ith_work work = {.grab = 8, .fn = make_frame, .user = &j};
    ith_status status;

    *out = NULL;
    if (frames == NULL ||
        (frames->units = calloc(plan->n_entries, sizeof *frames->units)) == NULL) {
        free(frames);
        return ith_fail(err, ITH_E_MEMORY, "no memory to hold weights");
    }
    frames->plan = plan;
    frames->level = level;
    frames->room = room;
    ITH_CHECK(list_units(&j, steps, n_steps, err));
    ITH_CHECK(open_makers(&j, plan, ith_team_size(team), err));
    work.n = j.n;
    ITH_CHECK(ith_work_run(team, &work, err));
done:
    close_makers(&j, ith_team_size(team));
    if (status != ITH_OK) {
        ith_frames_close(frames);
        return status;
    }
    *out = frames;
    return ITH_OK;
}

void ith_frames_close(ith_frames *frames)
{
    if (frames == NULL)
        return;
    for (size_t i = 0; i < frames->plan->n_entries; i++) {
        for (int64_t u = 0; frames->units[i] != NULL && u < frames->plan->entries[i].n_units; u++)
            free(frames->units[i][u].data);
        free(frames->units[i]);
    }
    free(frames->units);
    free(frames);
}

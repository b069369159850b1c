#include "weights/frames.h"

#include "base/workers.h"
#include "formats/tile_codec.h"
#include "formats/zframe.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct frame {
    uint8_t *data;
    uint32_t bytes; /* unit_bytes: as it is */
} frame;

typedef struct table { /* of an entry */
    const ith_entry *entry;
    frame *units; /* [n_units] */
} table;

struct ith_frames {
    table *tables;
    size_t n_tables;
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
    ith_status status = r == NULL ? ith_fail(err, ITH_E_MEMORY, "no memory to decompress weights") : ITH_OK;

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

static const frame *find(const ith_frames *frames, const ith_entry *entry, int64_t unit)
{
    for (size_t i = 0; i < frames->n_tables; i++)
        if (frames->tables[i].entry == entry)
            return &frames->tables[i].units[unit];
    return NULL;
}

ith_status ith_frames_read(const ith_frames *frames, ith_frame_reader *reader, const ith_entry *e, int64_t unit,
                           void *out, ith_error *err)
{
    const frame *f = find(frames, e, unit);

    if (f == NULL || f->data == NULL)
        return ith_fail(err, ITH_E_FORMAT, "tensor %s: tile %lld is not kept", e->name, (long long)unit);
    if (f->bytes == e->unit_bytes) {
        memcpy(out, f->data, e->unit_bytes);
        return ITH_OK;
    }
    if (!make_room(reader, e->unit_bytes))
        return ith_fail(err, ITH_E_MEMORY, "no memory to decompress a tile of %zu bytes", e->unit_bytes);
    if (!ith_tile_unpack(e->matrix->layout, (size_t)e->matrix->groups, reader->z, f->data, f->bytes, reader->planes,
                         out))
        return ith_fail(err, ITH_E_FORMAT, "tensor %s: tile %lld does not decompress: memory is damaged", e->name,
                        (long long)unit);
    return ITH_OK;
}

/* ---- Making ---- */

typedef struct maker { /* one thread's */
    ith_producer producer;
    ith_zframe *z;
    uint8_t *memory; /* a tile, its planes, the frame */
} maker;

typedef struct unit {
    size_t table;
    int64_t unit;
} unit;

typedef struct job {
    ith_frames *frames;
    unit *units; /* [n] */
    int64_t n;
    size_t room; /* bytes of a unit, at most */
    maker *makers;
} job;

static ith_status keep(ith_frames *frames, frame *f, const void *data, size_t bytes, ith_error *err)
{
    f->data = malloc(bytes);
    if (f->data == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory to keep a tile of %zu bytes", bytes);
    memcpy(f->data, data, bytes);
    f->bytes = (uint32_t)bytes;
    if (atomic_fetch_add(&frames->bytes, bytes) + bytes <= frames->room)
        return ITH_OK;
    return ith_fail(
        err, ITH_E_MEMORY,
        "the compressed weights take more than the %.0f MiB left for them: give more memory (--mem) or leave them "
        "on disk (--offload disk)",
        (double)frames->room / 1048576.0);
}

static ith_status make_frame(void *user, int64_t item, int tid, ith_error *err)
{
    job *j = user;
    maker *m = &j->makers[tid];
    const table *t = &j->frames->tables[j->units[item].table];
    const ith_entry *e = t->entry;
    uint8_t *tile = m->memory, *planes = tile + j->room, *room = planes + j->room;
    frame *f = &t->units[j->units[item].unit];
    size_t bytes = 0;

    ITH_TRY(ith_produce(&m->producer, e, j->units[item].unit, tile, err));
    if (j->frames->level > 0)
        bytes = ith_tile_pack(e->matrix->layout, (size_t)e->matrix->groups, m->z, j->frames->level, tile, planes, room);
    return bytes > 0 ? keep(j->frames, f, room, bytes, err) : keep(j->frames, f, tile, e->unit_bytes, err);
}

/* The table of an entry, made if it is not there. */
static ith_status table_of(ith_frames *frames, const ith_entry *e, size_t *index, ith_error *err)
{
    for (*index = 0; *index < frames->n_tables; (*index)++)
        if (frames->tables[*index].entry == e)
            return ITH_OK;
    table *grown = realloc(frames->tables, (frames->n_tables + 1) * sizeof *grown);
    if (grown == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a table of tensors");
    frames->tables = grown;
    grown[frames->n_tables] = (table){e, calloc((size_t)e->n_units, sizeof(frame))};
    if (grown[frames->n_tables].units == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a table of %lld tiles", (long long)e->n_units);
    frames->n_tables++;
    return ITH_OK;
}

static ith_status list_units(job *j, const ith_step *steps, int64_t n_steps, ith_error *err)
{
    int64_t n = 0;

    for (int64_t i = 0; i < n_steps; i++)
        for (int k = 0; k < steps[i].n_parts; k++)
            n += steps[i].parts[k].n;
    j->units = calloc((size_t)n + 1, sizeof *j->units);
    if (j->units == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %lld tiles", (long long)n);
    for (int64_t i = 0; i < n_steps; i++)
        for (int k = 0; k < steps[i].n_parts; k++) {
            const ith_step_part *p = &steps[i].parts[k];
            size_t index;
            ITH_TRY(table_of(j->frames, p->entry, &index, err));
            j->room = p->entry->unit_bytes > j->room ? p->entry->unit_bytes : j->room;
            for (int64_t u = p->first; u < p->first + p->n; u++)
                j->units[j->n++] = (unit){index, u};
        }
    return ITH_OK;
}

static ith_status open_makers(job *j, const ith_plan *plan, int threads, ith_error *err)
{
    j->makers = calloc((size_t)threads, sizeof *j->makers);
    if (j->makers == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory to compress with %d threads", threads);
    for (int i = 0; i < threads; i++) {
        maker *m = &j->makers[i];
        ITH_TRY(ith_producer_open(plan, &m->producer, err));
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

ith_status ith_frames_open(const ith_plan *plan, const ith_step *steps, int64_t n_steps, int level, size_t room,
                           ith_team *team, ith_frames **out, ith_error *err)
{
    ith_frames *frames = calloc(1, sizeof *frames);
    job j = {.frames = frames};
    ith_work work = {.grab = 8, .fn = make_frame, .user = &j};
    ith_status status;

    *out = NULL;
    if (frames == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory to keep weights");
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

size_t ith_frames_bytes(const ith_frames *frames)
{
    return atomic_load(&frames->bytes);
}

void ith_frames_close(ith_frames *frames)
{
    if (frames == NULL)
        return;
    for (size_t i = 0; i < frames->n_tables; i++) {
        for (int64_t u = 0; u < frames->tables[i].entry->n_units; u++)
            free(frames->tables[i].units[u].data);
        free(frames->tables[i].units);
    }
    free(frames->tables);
    free(frames);
}

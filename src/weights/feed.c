#include "weights/feed.h"

#include "base/mem.h"
#include "base/range.h"
#include "weights/frames.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 1 << 20, MAX_SLOTS = 8, NO_STEP = -1 };

typedef struct slot {
    int64_t step; /* NO_STEP: free */
    int64_t next_piece, n_done, n_pieces;
    uint8_t *memory;
} slot;

typedef struct pieces { /* of a step: its parts, cut into shares of the filling */
    ith_step_part *items;
    int64_t n;
} pieces;

typedef struct filler {
    pthread_t thread;
    bool started;
    ith_feed *feed;
    ith_producer producer;
    ith_frame_reader *reader;
} filler;

struct ith_feed {
    const ith_plan *plan;
    ith_step *steps;
    pieces *work; /* [n_steps] */
    int64_t n_steps;
    ith_frames *frames; /* NULL: from the files */
    slot slots[MAX_SLOTS];
    int n_slots, head; /* slots are filled and used in turn; head: the one in use, or used next */
    int64_t next;      /* the step that is filled next */
    bool emptying;     /* nothing is begun meanwhile */
    int n_threads;
    filler *fillers;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closing;
    ith_status status;
    ith_error error;
};

/* ---- Filling: under the lock, but for the making of units ---- */

static bool is_full(const slot *s)
{
    return s->step != NO_STEP && s->n_done == s->n_pieces;
}

/* A piece of the oldest slot that has one left; else the next step is begun in a free slot. NULL: nothing to do now. */
static slot *take_piece(ith_feed *s, int64_t *item)
{
    for (int i = 0; i < s->n_slots && !s->emptying; i++) {
        slot *at = &s->slots[(s->head + i) % s->n_slots];
        if (at->step == NO_STEP) {
            *at = (slot){.step = s->next, .n_pieces = s->work[s->next].n, .memory = at->memory};
            s->next = (s->next + 1) % s->n_steps;
        }
        if (at->next_piece < at->n_pieces) {
            *item = at->next_piece++;
            return at;
        }
    }
    return NULL;
}

static ith_status fill_piece(filler *f, const ith_step_part *p, uint8_t *memory, ith_error *err)
{
    for (int64_t u = 0; u < p->n; u++) {
        uint8_t *out = memory + p->at + (size_t)u * p->entry->unit_bytes;
        if (f->feed->frames != NULL)
            ITH_TRY(ith_frames_read(f->feed->frames, f->reader, p->entry, p->first + u, out, err));
        else
            ITH_TRY(ith_produce(&f->producer, p->entry, p->first + u, out, err));
    }
    return ITH_OK;
}

static void fill_some(filler *f, slot *at, int64_t item)
{
    ith_feed *s = f->feed;
    const ith_step_part *p = &s->work[at->step].items[item];
    ith_error err;
    ith_status status;

    pthread_mutex_unlock(&s->lock);
    status = fill_piece(f, p, at->memory, &err);
    pthread_mutex_lock(&s->lock);
    if (status != ITH_OK && s->status == ITH_OK) {
        s->status = status;
        s->error = err;
    }
    if (++at->n_done == at->n_pieces || s->emptying)
        pthread_cond_broadcast(&s->changed);
}

static void *fill(void *arg)
{
    filler *f = arg;
    ith_feed *s = f->feed;
    int64_t item;

    pthread_mutex_lock(&s->lock);
    while (!s->closing) {
        slot *at = take_piece(s, &item);
        if (at != NULL)
            fill_some(f, at, item);
        else
            pthread_cond_wait(&s->changed, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- Using ---- */

/* Empties all slots; filling goes on at step i. Pieces in the making are waited for. */
static void start_over(ith_feed *s, int64_t i)
{
    s->emptying = true;
    for (int k = 0; k < s->n_slots; k++) {
        slot *at = &s->slots[k];
        while (at->step != NO_STEP && at->n_done < at->next_piece)
            pthread_cond_wait(&s->changed, &s->lock);
        at->step = NO_STEP;
    }
    s->emptying = false;
    s->next = i;
    pthread_cond_broadcast(&s->changed);
}

/* The matrices of the step find their tiles in the slot. */
static void publish(const ith_step *step, const uint8_t *memory)
{
    for (int i = 0; i < step->n_parts; i++) {
        ith_matrix *m = step->parts[i].entry->matrix;
        m->tiles = memory + step->parts[i].at;
        m->first_tile = step->parts[i].first;
    }
}

void ith_feed_enter(ith_feed *s, int64_t i)
{
    pthread_mutex_lock(&s->lock);
    slot *at = &s->slots[s->head];
    if (at->step != i && (at->step != NO_STEP || s->next != i))
        start_over(s, i);
    while (!is_full(at))
        pthread_cond_wait(&s->changed, &s->lock);
    publish(&s->steps[i], at->memory);
    pthread_mutex_unlock(&s->lock);
}

void ith_feed_leave(ith_feed *s)
{
    pthread_mutex_lock(&s->lock);
    s->slots[s->head].step = NO_STEP;
    s->head = (s->head + 1) % s->n_slots;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

ith_status ith_feed_status(ith_feed *s, ith_error *err)
{
    pthread_mutex_lock(&s->lock);
    ith_status status = s->status;
    if (status != ITH_OK)
        *err = s->error;
    pthread_mutex_unlock(&s->lock);
    return status;
}

/* ---- Opening and closing ---- */

static int64_t count_pieces(const ith_step *step)
{
    int64_t n = 0;
    for (int i = 0; i < step->n_parts; i++) {
        int64_t units = ith_per_piece(step->parts[i].entry->unit_bytes, PIECE_BYTES);
        n += (step->parts[i].n + units - 1) / units;
    }
    return n;
}

static ith_status cut_step(const ith_step *step, pieces *out, ith_error *err)
{
    int64_t n = count_pieces(step);

    out->items = calloc((size_t)n, sizeof *out->items);
    if (out->items == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %lld pieces", (long long)n);
    for (int i = 0; i < step->n_parts; i++) {
        const ith_step_part *p = &step->parts[i];
        int64_t units = ith_per_piece(p->entry->unit_bytes, PIECE_BYTES);
        for (int64_t u = 0; u < p->n; u += units)
            out->items[out->n++] = (ith_step_part){p->entry, p->first + u, p->n - u < units ? p->n - u : units,
                                                   p->at + (size_t)u * p->entry->unit_bytes};
    }
    return ITH_OK;
}

static ith_status open_slots(ith_feed *s, ith_error *err)
{
    size_t bytes = 0;
    for (int64_t i = 0; i < s->n_steps; i++)
        bytes = s->steps[i].bytes > bytes ? s->steps[i].bytes : bytes;
    for (int i = 0; i < s->n_slots; i++) {
        void *memory;
        ITH_TRY(ith_mem_alloc(ITH_MEM_WEIGHTS, bytes, "a slot for streamed weights", &memory, err));
        s->slots[i] = (slot){.step = NO_STEP, .memory = memory};
    }
    return ITH_OK;
}

static ith_status start_fillers(ith_feed *s, ith_error *err)
{
    s->fillers = calloc((size_t)s->n_threads, sizeof *s->fillers);
    if (s->fillers == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for %d threads that stream weights", s->n_threads);
    for (int i = 0; i < s->n_threads; i++) {
        filler *f = &s->fillers[i];
        f->feed = s;
        ITH_TRY(ith_producer_open(s->plan, &f->producer, err));
        if (s->frames != NULL)
            ITH_TRY(ith_frame_reader_open(&f->reader, err));
        int code = pthread_create(&f->thread, NULL, fill, f);
        if (code != 0)
            return ith_fail(err, ITH_E_MEMORY, "a thread that streams weights: the system refuses (%s)",
                            strerror(code));
        f->started = true;
    }
    return ITH_OK;
}

static ith_status open_all(ith_feed *s, int keep_level, size_t keep_room, ith_team *team, ith_error *err)
{
    s->work = calloc((size_t)s->n_steps, sizeof *s->work);
    if (s->work == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the table of %lld steps", (long long)s->n_steps);
    for (int64_t i = 0; i < s->n_steps; i++)
        ITH_TRY(cut_step(&s->steps[i], &s->work[i], err));
    ITH_TRY(open_slots(s, err));
    if (keep_level >= 0)
        ITH_TRY(ith_frames_open(s->plan, s->steps, s->n_steps, keep_level, keep_room, team, &s->frames, err));
    return start_fillers(s, err);
}

ith_status ith_feed_open(const ith_plan *plan, ith_step *steps, int64_t n_steps, int n_slots, int n_threads,
                         int keep_level, size_t keep_room, ith_team *team, ith_feed **out, ith_error *err)
{
    ith_feed *s = calloc(1, sizeof *s);
    ith_status status;

    *out = NULL;
    if (s == NULL) {
        for (int64_t i = 0; i < n_steps; i++)
            free(steps[i].parts);
        free(steps);
        return ith_fail(err, ITH_E_MEMORY, "no memory for a stream of weights");
    }
    s->plan = plan;
    s->steps = steps;
    s->n_steps = n_steps;
    s->n_slots = n_slots < MAX_SLOTS ? n_slots : MAX_SLOTS;
    s->n_threads = n_threads;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    status = open_all(s, keep_level, keep_room, team, err);
    if (status != ITH_OK) {
        ith_feed_close(s);
        return status;
    }
    *out = s;
    return ITH_OK;
}

static void stop_fillers(ith_feed *s)
{
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    for (int i = 0; s->fillers != NULL && i < s->n_threads; i++) {
        if (s->fillers[i].started)
            pthread_join(s->fillers[i].thread, NULL);
        ith_producer_close(&s->fillers[i].producer);
        ith_frame_reader_close(s->fillers[i].reader);
    }
    free(s->fillers);
}

void ith_feed_close(ith_feed *s)
{
    if (s == NULL)
        return;
    stop_fillers(s);
    for (int i = 0; i < s->n_slots; i++)
        ith_mem_free(s->slots[i].memory);
    for (int64_t i = 0; i < s->n_steps; i++) {
        free(s->steps[i].parts);
        if (s->work != NULL)
            free(s->work[i].items);
    }
    free(s->steps);
    free(s->work);
    ith_frames_close(s->frames);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

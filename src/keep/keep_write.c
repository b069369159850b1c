/* keep_write.c - handing new segments of the timeline to the writer thread. */
#include "keep/keep_write.h"
#include "base/character.h"
#include "base/mem.h"
#include "base/range.h"
#include "base/testhook.h"

#include <stdlib.h>
#include <string.h>

/* An incomplete segment is written when a prompt ends in it, and under a checkpoint after every
 * TAIL_TOKENS tokens; it is written again when it has grown. Fewer than TAIL_FEWEST tokens are
 * computed as fast as they are read. */
enum { TAIL_TOKENS = 512, TAIL_FEWEST = 16 };

/* Collective. Nothing more is written, because of `why`. */
static void give_up(ith_keep *keep, const ith_error *why)
{
    keep->off = true;
    keep->why = *why;
    ith_keep_warn(keep, why->text, "nothing more is written");
}

static bool is_whole(const ith_keep *keep, const ith_segment *s)
{
    ith_manifest m;
    ith_error err;

    return ith_archive_holds_all(keep->archive, s, &keep->shape) &&
           ith_archive_manifest(keep->archive, &s->parent, &s->key, &m, &err) == ITH_OK;
}

/* After a batch that failed on some rank; no rank writes now. What is not whole would only take
 * room, which is short if the disk is full. */
static void remove_parts(const ith_keep *keep)
{
    for (int64_t i = 0; i < keep->n_batch; i++)
        if (!is_whole(keep, &keep->batch[i]))
            ith_archive_remove(keep->archive, &keep->batch[i].parent, &keep->batch[i].key);
}

/* Collective. Waits until the last batch is on disk. */
static void settle(ith_keep *keep)
{
    ith_comm *comm = keep->session->engine->world->comm;
    ith_error why = {0};

    keep->in_hand = -1;
    if (keep->off)
        return;
    if (ith_comm_agree(comm, ith_keep_writer_wait(keep->writer, &why), &why) != ITH_OK) {
        remove_parts(keep);
        give_up(keep, &why);
    }
}

static int held_heads(const ith_keep *keep, int64_t s)
{
    int n = 0;
    for (int head = 0; head < keep->n_heads; head++)
        n += ith_keep_holds(keep, head, s);
    return n;
}

/* The segment after those written, of n tokens. */
static ith_segment next_segment(const ith_keep *keep, int n)
{
    const int32_t *ids = keep->session->ids + keep->n_written * ITH_KV_SEGMENT;
    return (ith_segment){keep->parent, ith_key_next(&keep->parent, ids, n), n, n};
}

static void describe(const ith_keep *keep, const ith_segment *s, ith_manifest *m)
{
    const char *name = keep->session->engine->info.name;

    *m = (ith_manifest){.parent = s->parent,
                        .key = s->key,
                        .start = keep->n_written * ITH_KV_SEGMENT,
                        .shape = keep->shape,
                        .n = s->n};
    ith_clean_text(name, strlen(name), m->model, sizeof m->model);
    memcpy(m->ids, keep->session->ids + m->start, (size_t)s->n * sizeof *m->ids);
}

/* Allocates a batch of `whole` segments, and perhaps an incomplete one. */
static ith_status open_batch(ith_keep *keep, int64_t whole, bool tail, ith_keep_batch *b,
                             ith_error *err)
{
    int64_t segments = whole + tail, items = 0;

    free(keep->batch);
    keep->n_batch = 0;
    keep->batch = calloc((size_t)segments + 1, sizeof *keep->batch);

    for (int64_t s = keep->n_written; s < keep->n_written + segments; s++)
        items += held_heads(keep, s);
    b->items = calloc((size_t)items + 1, sizeof *b->items);
    b->layers = calloc((size_t)(items * keep->shape.n_layers) + 1, sizeof *b->layers);
    b->manifests = calloc((size_t)segments + 1, sizeof *b->manifests);
    if (b->items == NULL || b->layers == NULL || b->manifests == NULL || keep->batch == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %lld segments to write",
                        (long long)segments);
    if (!tail)
        return ITH_OK;
    return ith_mem_alloc_array(ITH_MEM_KV,
                               (size_t)held_heads(keep, keep->n_written + whole) *
                                   (size_t)keep->shape.n_layers,
                               ith_kv_segment_bytes(keep->session->state->pools[0]),
                               "a segment to write", &b->copies, err);
}

/* Adds the heads of a segment that are held here. `to`: copies them there first, because the next
 * chunk writes into the same memory. */
static void add_segment(ith_keep *keep, const ith_segment *s, uint8_t *to, ith_keep_batch *b)
{
    int64_t number = keep->n_written;
    size_t blocks = ((size_t)s->n + ITH_KV_BLOCK - 1) / ITH_KV_BLOCK;
    const ith_kv_shape *shape = &keep->shape;
    size_t bytes = blocks * ith_cache_block_bytes(shape->latent, shape->layout, shape->head_dim);

    for (int head = 0; head < keep->n_heads; head++) {
        const void **layers = b->layers + b->n_items * keep->shape.n_layers;
        if (!ith_keep_holds(keep, head, number))
            continue;
        for (int i = 0; i < keep->shape.n_layers; i++) {
            layers[i] = ith_keep_segment(keep, i, head, number);
            if (to != NULL) {
                layers[i] = memcpy(to, layers[i], bytes);
                to += bytes;
            }
        }
        b->items[b->n_items++] = (ith_keep_item){*s, keep->first_head + head, layers};
    }
    if (keep->session->engine->world->comm->rank != 0)
        return;
    describe(keep, s, &b->manifests[b->n_manifests++]);
    keep->batch[keep->n_batch++] = *s;
}

static void fill_batch(ith_keep *keep, int64_t whole, int tail, ith_keep_batch *b)
{
    for (; whole > 0; whole--) {
        ith_segment s = next_segment(keep, ITH_KV_SEGMENT);
        add_segment(keep, &s, NULL, b);
        keep->n_written++;
        keep->parent = s.key;
    }
    if (tail > 0) {
        keep->tail = next_segment(keep, tail);
        add_segment(keep, &keep->tail, b->copies, b);
    }
}

/* Removes an incomplete segment: another that contains it is on disk. */
static void remove_older(ith_keep *keep)
{
    if (keep->older.n > 0 && keep->session->engine->world->comm->rank == 0)
        ith_archive_remove(keep->archive, &keep->older.parent, &keep->older.key);
    keep->older = (ith_segment){0};
}

static ith_status hand_over(ith_keep *keep, int64_t whole, int tail, ith_error *err)
{
    ith_comm *comm = keep->session->engine->world->comm;
    ith_keep_batch batch = {0};

    settle(keep); /* the batch before */
    if (keep->off)
        return ITH_OK;
    ITH_TRY(ith_comm_agree(comm, ith_engine_check_files(keep->session->engine, err), err));
    remove_older(keep);
    keep->older = keep->tail;
    keep->tail = (ith_segment){0};
    if (ith_comm_agree(comm, open_batch(keep, whole, tail > 0, &batch, err), err) != ITH_OK) {
        ith_keep_batch_free(&batch);
        give_up(keep, err);
        return ITH_OK;
    }
    keep->in_hand = whole > 0 ? keep->n_written : -1;
    fill_batch(keep, whole, tail, &batch);
    keep->added += ith_max(0, keep->n_written * ITH_KV_SEGMENT + tail - keep->saved);
    keep->saved = keep->n_written * ITH_KV_SEGMENT + tail;
    ith_keep_writer_put(keep->writer, &batch);
    return ITH_OK;
}

/* ---- Layers with a window give up segments ---- */

/* The first segment that is there whatever the next pass writes. */
static int64_t first_to_stay(const ith_keep *keep)
{
    const ith_session *s = keep->session;
    return ith_state_first_after(s->state, ith_min(s->length + s->chunk, s->ctx));
}

/* Waits for the writer if the next pass might write where it reads. */
static void protect(ith_keep *keep)
{
    if (keep->in_hand >= 0 && keep->in_hand < first_to_stay(keep))
        settle(keep);
}

ith_status ith_keep_catch_up(ith_keep *keep, int64_t final, ith_error *err)
{
    int64_t whole = final / ITH_KV_SEGMENT - keep->n_written;
    ith_error why = {0};

    if (keep->off || whole <= 0 || keep->n_written >= first_to_stay(keep))
        return ITH_OK;
    if (keep->n_written < ith_state_first_after(keep->session->state, 0)) {
        ith_fail(&why, ITH_E_UNSUPPORTED,
                 "layers with a window have given up segment %lld, which is not saved",
                 (long long)keep->n_written);
        give_up(keep, &why);
        return ITH_OK;
    }
    ITH_TRY(hand_over(keep, whole, 0, err));
    protect(keep);
    return ITH_OK;
}

/* Hands over the whole segments that the timeline has now, and `tail` tokens of the next. */
static ith_status write_up_to(ith_keep *keep, int tail, ith_error *err)
{
    int64_t whole = keep->session->length / ITH_KV_SEGMENT - keep->n_written;

    if (keep->off || !keep->active || (whole <= 0 && tail == 0))
        return ITH_OK;
    ITH_TRY(hand_over(keep, whole > 0 ? whole : 0, tail, err));
    protect(keep);
    return ITH_OK;
}

ith_status ith_keep_chunk(ith_keeper *keeper, ith_error *err)
{
    ith_keep *keep = ith_keep_of(keeper);
    const ith_session *session = keep->session;
    int tail = (int)(session->length % ITH_KV_SEGMENT);
    bool due =
        keep->checkpointed && tail >= TAIL_FEWEST && session->length - keep->saved >= TAIL_TOKENS;

    protect(keep);
    if (keep->active)
        ITH_TRY(write_up_to(keep, due ? tail : 0, err));
    else
        ITH_TRY(ith_keep_catch_up(keep, session->span.pos, err));
    if (ith_test_hook_due("length", session->length))
        settle(keep);
    return ITH_OK;
}

ith_status ith_keep_rest(ith_keeper *keeper, ith_error *err)
{
    ith_keep *keep = ith_keep_of(keeper);
    const ith_session *session = keep->session;
    int tail = (int)(session->length % ITH_KV_SEGMENT);
    ith_status status =
        write_up_to(keep, tail >= TAIL_FEWEST && session->length > keep->saved ? tail : 0, err);

    keep->active = false;
    if (ith_test_hook_due("answer", INT64_MAX))
        settle(keep);
    return status;
}

int64_t ith_keep_least(const ith_keeper *keeper)
{
    return ((const ith_keep *)keeper)->n_written * ITH_KV_SEGMENT;
}

void ith_keep_finish(ith_keep *keep)
{
    settle(keep);
    if (!keep->off)
        remove_older(keep);
}

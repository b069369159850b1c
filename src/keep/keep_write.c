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
    for (int64_t i = 0; i < keep->n_batch; i++) {
        const ith_segment *s = &keep->batch[i];
        if (!is_whole(keep, s))
            ith_archive_remove(keep->archive, &s->parent, &s->key);
        else if (!ith_archive_holds_states(keep->archive, s, &keep->shape))
            ith_archive_remove_states(keep->archive, &s->parent, &s->key);
    }
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
    return (ith_segment){.parent = keep->parent,
                         .key = ith_key_next(&keep->parent, ids, n),
                         .n = n,
                         .used = n,
                         .start = keep->n_written * ITH_KV_SEGMENT};
}

static void describe(const ith_keep *keep, const ith_segment *s, ith_manifest *m)
{
    const char *name = keep->session->engine->info.name;

    *m = (ith_manifest){
        .parent = s->parent, .key = s->key, .start = s->start, .shape = keep->shape, .n = s->n};
    ith_clean_text(name, strlen(name), m->model, sizeof m->model);
    memcpy(m->ids, keep->session->ids + m->start, (size_t)s->n * sizeof *m->ids);
}

/* What a batch is of: whole segments, `tail` tokens of another, and perhaps the states after the
 * last of them. */
typedef struct content {
    int64_t whole;
    int tail;
    bool states;
    bool lasting; /* of the states: they stay when there are later ones */
} content;

/* Memory for what the next pass would change. */
static ith_status open_copies(ith_keep *keep, const content *c, ith_keep_batch *b, ith_error *err)
{
    size_t n_layers = (size_t)keep->shape.n_layers,
           heads = (size_t)ith_range_size(keep->state_heads);

    if (c->tail > 0 && n_layers > 0)
        ITH_TRY(ith_mem_alloc_array(ITH_MEM_KV,
                                    (size_t)held_heads(keep, keep->n_written + c->whole) * n_layers,
                                    ith_kv_segment_bytes(keep->session->state->pools[0]),
                                    "a segment to write", &b->copies, err));
    if (!c->states)
        return ITH_OK;
    return ith_mem_alloc_array(
        ITH_MEM_KV, heads * (size_t)keep->shape.state_layers * (size_t)keep->shape.state_floats,
        sizeof(float), "recurrent states to write", &b->states, err);
}

static ith_status open_batch(ith_keep *keep, const content *c, ith_keep_batch *b, ith_error *err)
{
    int64_t segments = c->whole + (c->tail > 0), items = 0,
            states = c->states ? ith_range_size(keep->state_heads) : 0;

    free(keep->batch);
    keep->n_batch = 0;
    keep->batch = calloc((size_t)segments + 1, sizeof *keep->batch);

    for (int64_t s = keep->n_written; s < keep->n_written + segments; s++)
        items += held_heads(keep, s);
    b->items = calloc((size_t)(items + states) + 1, sizeof *b->items);
    b->layers =
        calloc((size_t)(items * keep->shape.n_layers + states * keep->shape.state_layers) + 1,
               sizeof *b->layers);
    b->manifests = calloc((size_t)segments + 1, sizeof *b->manifests);
    if (b->items == NULL || b->layers == NULL || b->manifests == NULL || keep->batch == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %lld segments to write",
                        (long long)segments);
    return open_copies(keep, c, b, err);
}

/* Adds a file to the batch; returns its layers, n_layers pointers to be set. */
static const void **add_item(ith_keep_batch *b, const ith_segment *s, ith_head_file which,
                             int n_layers)
{
    const void **layers = b->layers + b->n_layers;

    b->n_layers += n_layers;
    b->items[b->n_items++] = (ith_keep_item){*s, which, layers};
    return layers;
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
        const void **layers;
        if (!ith_keep_holds(keep, head, number))
            continue;
        layers = add_item(b, s, (ith_head_file){.head = keep->first_head + head}, shape->n_layers);
        for (int i = 0; i < shape->n_layers; i++) {
            layers[i] = ith_keep_segment(keep, i, head, number);
            if (to != NULL) {
                layers[i] = memcpy(to, layers[i], bytes);
                to += bytes;
            }
        }
    }
    if (keep->session->engine->world->comm->rank != 0)
        return;
    describe(keep, s, &b->manifests[b->n_manifests++]);
    keep->batch[keep->n_batch++] = *s;
}

/* Adds the states of the recurrent heads that are held here, after the segment's tokens. */
static void add_states(const ith_keep *keep, const ith_segment *s, ith_keep_batch *b)
{
    float *to = b->states;

    for (int64_t head = keep->state_heads.begin; head < keep->state_heads.end; head++) {
        const void **layers = add_item(b, s, (ith_head_file){.state = true, .head = (int)head},
                                       keep->shape.state_layers);
        for (int i = 0; i < keep->shape.state_layers; i++, to += keep->shape.state_floats) {
            ith_recurrent_save(ith_keep_state(keep, i), head, to);
            layers[i] = to;
        }
    }
}

/* Returns the last segment. */
static ith_segment fill_batch(ith_keep *keep, const content *c, ith_keep_batch *b)
{
    ith_segment s = {0};

    for (int64_t i = 0; i < c->whole; i++) {
        s = next_segment(keep, ITH_KV_SEGMENT);
        add_segment(keep, &s, NULL, b);
        keep->n_written++;
        keep->parent = s.key;
    }
    if (c->tail > 0) {
        s = next_segment(keep, c->tail);
        add_segment(keep, &s, b->copies, b);
    }
    if (c->states)
        add_states(keep, &s, b);
    return s;
}

/* Removes what was saved for a while: more is on disk. */
static void remove_older(ith_keep *keep)
{
    const ith_segment *s = &keep->older;

    if (s->n == ITH_KV_SEGMENT && keep->session->engine->world->comm->rank == 0)
        ith_archive_remove_states(keep->archive, &s->parent, &s->key);
    else if (s->n > 0 && keep->session->engine->world->comm->rank == 0)
        ith_archive_remove(keep->archive, &s->parent, &s->key);
    keep->older = (ith_segment){0};
}

/* Is what has just been handed over for a while only? Not what another run has saved before. */
static bool is_passing(const ith_keep *keep, const content *c, const ith_segment *last)
{
    if (keep->shape.state_layers == 0)
        return c->tail > 0;
    return c->states && !c->lasting && !ith_archive_holds_states(keep->archive, last, &keep->shape);
}

static ith_status hand_over(ith_keep *keep, const content *c, ith_error *err)
{
    ith_comm *comm = keep->session->engine->world->comm;
    ith_keep_batch batch = {0};
    ith_segment last;

    settle(keep); /* the batch before */
    if (keep->off)
        return ITH_OK;
    ITH_TRY(ith_comm_agree(comm, ith_engine_check_files(keep->session->engine, err), err));
    if (keep->shape.state_layers == 0 || c->states) {
        remove_older(keep);
        keep->older = keep->tail;
        keep->tail = (ith_segment){0};
    }
    if (ith_comm_agree(comm, open_batch(keep, c, &batch, err), err) != ITH_OK) {
        ith_keep_batch_free(&batch);
        give_up(keep, err);
        return ITH_OK;
    }
    keep->in_hand = c->whole > 0 ? keep->n_written : -1;
    last = fill_batch(keep, c, &batch);
    if (is_passing(keep, c, &last))
        keep->tail = last;
    keep->added += ith_max(0, keep->n_written * ITH_KV_SEGMENT + c->tail - keep->saved);
    keep->saved = keep->n_written * ITH_KV_SEGMENT + c->tail;
    keep->state_at = c->states ? keep->session->length : keep->state_at;
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
    ITH_TRY(hand_over(keep, &(content){.whole = whole}, err));
    protect(keep);
    return ITH_OK;
}

/* ---- What is due ---- */

/* Under a checkpoint: have enough tokens been computed since what is saved of them? */
static bool is_due(const ith_keep *keep, int64_t saved)
{
    return keep->checkpointed && keep->session->length - saved >= TAIL_TOKENS;
}

/* Tokens of the last, incomplete segment that are to be written. */
static int tail_due(const ith_keep *keep, bool at_rest)
{
    const ith_session *s = keep->session;
    int tail = (int)(s->length % ITH_KV_SEGMENT);
    bool due = at_rest ? s->length > keep->saved : is_due(keep, keep->saved);

    return due && tail >= TAIL_FEWEST ? tail : 0;
}

/* Are the states to be written? */
static bool states_due(const ith_keep *keep, bool at_rest)
{
    const ith_session *s = keep->session;

    return s->length > keep->state_at &&
           (at_rest || s->length % keep->state_tokens == 0 || is_due(keep, keep->state_at)) &&
           ith_recurrent_savable(s->state->recurrent, s->length);
}

/* Where there are states, a timeline goes on from them alone: without them an incomplete segment
 * would serve nobody. */
static content content_due(const ith_keep *keep, bool at_rest)
{
    const ith_session *s = keep->session;
    content c = {.whole = ith_max(0, s->length / ITH_KV_SEGMENT - keep->n_written)};

    if (keep->shape.state_layers == 0) {
        c.tail = tail_due(keep, at_rest);
    } else if (states_due(keep, at_rest)) {
        c.tail = (int)(s->length % ITH_KV_SEGMENT);
        c.states = c.tail > 0 || c.whole > 0;
        c.lasting = at_rest || s->length % keep->state_tokens == 0;
    }
    return c;
}

static ith_status write_due(ith_keep *keep, bool at_rest, ith_error *err)
{
    content c;

    if (keep->off || !keep->active)
        return ITH_OK;
    c = content_due(keep, at_rest);
    if (c.whole == 0 && c.tail == 0)
        return ITH_OK;
    ITH_TRY(hand_over(keep, &c, err));
    protect(keep);
    return ITH_OK;
}

int64_t ith_keep_most(const ith_keeper *keeper, int64_t n)
{
    const ith_keep *keep = (const ith_keep *)keeper;

    if (!keep->active || keep->shape.state_layers == 0)
        return n;
    return ith_min(n, keep->state_tokens - keep->session->length % keep->state_tokens);
}

ith_status ith_keep_chunk(ith_keeper *keeper, ith_error *err)
{
    ith_keep *keep = ith_keep_of(keeper);
    const ith_session *session = keep->session;

    protect(keep);
    if (keep->active)
        ITH_TRY(write_due(keep, false, err));
    else
        ITH_TRY(ith_keep_catch_up(keep, session->span.pos, err));
    if (ith_test_hook_due("length", session->length))
        settle(keep);
    return ITH_OK;
}

ith_status ith_keep_rest(ith_keeper *keeper, ith_error *err)
{
    ith_keep *keep = ith_keep_of(keeper);
    ith_status status = write_due(keep, true, err);

    ith_keep_activate(keep, false);
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

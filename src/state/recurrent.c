/* recurrent.c - allocates recurrent states, and knows which tokens they have seen. */
#include "state/recurrent.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define N_FIELDS (sizeof((ith_recurrent_shape *)NULL)->fields / sizeof(ith_recurrent_field))

ith_range ith_recurrent_heads(const ith_recurrent_shape *s, int ranks, int r)
{
    return ith_split(s->heads, 1, ranks, r);
}

ith_range ith_recurrent_groups(const ith_recurrent_shape *s, int ranks, int r)
{
    return ith_covering(ith_recurrent_heads(s, ranks, r), s->heads / s->groups);
}

int64_t ith_recurrent_width(const ith_recurrent_shape *s, int ranks, int r)
{
    int64_t heads = ith_range_size(ith_recurrent_heads(s, ranks, r)),
            groups = ith_range_size(ith_recurrent_groups(s, ranks, r)), width = 0;

    for (size_t i = 0; i < N_FIELDS; i++)
        width += s->fields[i].floats * (s->fields[i].of_group ? groups : heads);
    return width;
}

/* Floats of a token's inputs for one head. */
static int64_t head_inputs(const ith_recurrent_shape *s)
{
    int64_t floats = 0;
    for (size_t i = 0; i < N_FIELDS; i++)
        floats += s->fields[i].floats;
    return floats;
}

int64_t ith_recurrent_saved_floats(const ith_recurrent_shape *s)
{
    return s->cells + (s->taps + ITH_RECURRENT_BACK) * head_inputs(s);
}

static int64_t log_floats(const ith_recurrent_layer *l)
{
    return (l->shape.taps + ITH_RECURRENT_LOG) * l->width;
}

static int64_t state_floats(const ith_recurrent_layer *l)
{
    return ith_range_size(l->heads) * l->shape.cells;
}

static ith_recurrent_layer layer_of(const ith_recurrent_shape *s, int ranks, int r)
{
    ith_recurrent_layer l = {.shape = *s};

    if (s->heads > 0) {
        l.heads = ith_recurrent_heads(s, ranks, r);
        l.groups = ith_recurrent_groups(s, ranks, r);
        l.width = ith_recurrent_width(s, ranks, r);
    }
    return l;
}

static size_t bytes_of(const ith_recurrent_layer *l)
{
    return (size_t)(2 * state_floats(l) + log_floats(l)) * sizeof(float);
}

int64_t ith_recurrent_bytes(const ith_recurrent_shape *s, int ranks, int r)
{
    ith_recurrent_layer l = layer_of(s, ranks, r);
    return (int64_t)bytes_of(&l);
}

ith_status ith_recurrent_open(const ith_recurrent_shape *shapes, int n_layers, int ranks, int rank,
                              ith_recurrent **out, ith_error *err)
{
    ith_recurrent *r = calloc(1, sizeof *r);

    *out = NULL;
    if (r != NULL)
        r->layers = calloc((size_t)n_layers, sizeof *r->layers);
    if (r == NULL || r->layers == NULL) {
        ith_recurrent_close(r);
        return ith_fail(err, ITH_E_MEMORY, "no memory for the tables of recurrent states");
    }
    r->n_layers = n_layers;
    for (int i = 0; i < n_layers; i++)
        r->layers[i] = layer_of(&shapes[i], ranks, rank);
    *out = r;
    return ITH_OK;
}

static void free_states(ith_recurrent *r)
{
    for (int i = 0; r->layers != NULL && i < r->n_layers; i++) {
        ith_mem_free(r->layers[i].now);
        r->layers[i].now = r->layers[i].saved = r->layers[i].log = NULL;
    }
}

void ith_recurrent_close(ith_recurrent *r)
{
    if (r == NULL)
        return;
    free_states(r);
    free(r->layers);
    free(r);
}

static ith_status reserve_layer(ith_recurrent_layer *l, ith_error *err)
{
    void *memory;

    ITH_TRY(ith_mem_alloc(ITH_MEM_KV, bytes_of(l), "recurrent states", &memory, err));
    l->now = memory;
    l->saved = l->now + state_floats(l);
    l->log = l->saved + state_floats(l);
    return ITH_OK;
}

ith_status ith_recurrent_reserve(ith_recurrent *r, ith_error *err)
{
    ith_status status = ITH_OK;

    if (r->reserved)
        return ITH_OK;
    for (int i = 0; i < r->n_layers && status == ITH_OK; i++)
        if (r->layers[i].shape.heads > 0)
            status = reserve_layer(&r->layers[i], err);
    r->reserved = status == ITH_OK;
    if (!r->reserved)
        free_states(r);
    return status;
}

ith_status ith_recurrent_populate(ith_recurrent *r, ith_error *err)
{
    for (int i = 0; i < r->n_layers && !r->populated; i++)
        if (r->layers[i].now != NULL)
            ITH_TRY(ith_mem_populate(r->layers[i].now, bytes_of(&r->layers[i]), "recurrent states",
                                     err));
    r->populated = true;
    return ITH_OK;
}

bool ith_recurrent_resumes(const ith_recurrent *r, int64_t n)
{
    for (int i = 0; n > 0 && i < r->n_layers; i++) {
        const ith_recurrent_layer *l = &r->layers[i];
        if (l->shape.heads > 0 && (n < l->saved_at || n > l->at))
            return false;
    }
    return true;
}

void ith_recurrent_copy(ith_recurrent *r, const ith_recurrent *from)
{
    for (int i = 0; i < r->n_layers; i++) {
        ith_recurrent_layer *to = &r->layers[i];
        const ith_recurrent_layer *l = &from->layers[i];
        if (to->now == NULL)
            continue;
        memcpy(to->now, l->now, bytes_of(l));
        to->at = l->at;
        to->saved_at = l->saved_at;
        to->stale = l->stale;
    }
}

void ith_recurrent_claim(ith_recurrent *r, int64_t n)
{
    for (int i = 0; i < r->n_layers; i++) {
        r->layers[i].at = r->layers[i].saved_at = n;
        r->layers[i].stale = false;
    }
}

/* ---- On disk ---- */

int64_t ith_recurrent_back(int64_t n_tokens)
{
    return ith_min(n_tokens, ITH_RECURRENT_BACK);
}

bool ith_recurrent_savable(const ith_recurrent *r, int64_t n)
{
    for (int i = 0; i < r->n_layers; i++) {
        const ith_recurrent_layer *l = &r->layers[i];
        if (l->shape.heads > 0 && (l->at != n || l->saved_at != n - ith_recurrent_back(n)))
            return false;
    }
    return true;
}

/* Where field i of a head's inputs is in a row of the log; *at: where the field begins. */
static float *field_of(const ith_recurrent_layer *l, size_t i, int64_t head, float *row,
                       int64_t *at)
{
    const ith_recurrent_field *p = &l->shape.fields[i];
    int64_t group = head / (l->shape.heads / l->shape.groups);
    ith_range all = p->of_group ? l->groups : l->heads;
    float *first = row + *at;

    *at += ith_range_size(all) * p->floats;
    return first + ((p->of_group ? group : head) - all.begin) * p->floats;
}

/* Of a timeline of fewer tokens than a state is saved behind, there are fewer rows. */
static int64_t saved_rows(const ith_recurrent_layer *l)
{
    return l->shape.taps + l->at - l->saved_at;
}

void ith_recurrent_save(const ith_recurrent_layer *l, int64_t head, float *to)
{
    int64_t cells = l->shape.cells;

    memcpy(to, l->saved + (head - l->heads.begin) * cells, (size_t)cells * sizeof *to);
    memset(to + cells, 0, (size_t)(ith_recurrent_saved_floats(&l->shape) - cells) * sizeof *to);
    to += cells;
    for (int64_t row = 0; row < saved_rows(l); row++) {
        int64_t at = 0;
        for (size_t i = 0; i < N_FIELDS; to += l->shape.fields[i++].floats)
            memcpy(to, field_of(l, i, head, l->log + row * l->width, &at),
                   (size_t)l->shape.fields[i].floats * sizeof *to);
    }
}

void ith_recurrent_restore(ith_recurrent_layer *l, int64_t head, const float *from)
{
    int64_t cells = l->shape.cells, rows = l->shape.taps + ITH_RECURRENT_BACK;

    memcpy(l->saved + (head - l->heads.begin) * cells, from, (size_t)cells * sizeof *from);
    from += cells;
    for (int64_t row = 0; row < rows; row++) {
        int64_t at = 0;
        for (size_t i = 0; i < N_FIELDS; from += l->shape.fields[i++].floats)
            memcpy(field_of(l, i, head, l->log + row * l->width, &at), from,
                   (size_t)l->shape.fields[i].floats * sizeof *from);
    }
}

void ith_recurrent_restored(ith_recurrent *r, int64_t n)
{
    for (int i = 0; i < r->n_layers; i++) {
        r->layers[i].at = n;
        r->layers[i].saved_at = n - ith_recurrent_back(n);
        r->layers[i].stale = true;
    }
}

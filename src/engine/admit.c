/* admit.c - opens, grows and gives up the sessions of many prompts. */
#include "engine/admit.h"

#include "base/mem.h"
#include "engine/waiting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tokens that a session gets room for, so that it can have n and what fits beside them in the
 * memory that these take anyway. */
static int64_t room_for(int64_t n, int64_t total)
{
    return ith_min(total, ith_round_up(n, ITH_KV_SEGMENT));
}

/* ---- Leaving ---- */

/* Flight i is in flight no more. */
static ith_flight *take_out(ith_many *m, int i)
{
    ith_flight *f = m->flights[i];

    memmove(&m->flights[i], &m->flights[i + 1], (size_t)(--m->n - i) * sizeof m->flights[0]);
    return f;
}

static void forget(ith_many *m, ith_flight *f)
{
    if (ith_many_is_root(m))
        ith_waiting_forget(m, f);
    m->full = false;
}

/* What of its prompt it did not compute is counted. */
static void count_restored(ith_many *m, ith_flight *f)
{
    int64_t restored = ith_session_restored(f->session);

    m->counts->restored += restored;
    f->answer.n_reused = ith_min(f->answer.n_reused + restored, (int64_t)f->prompt.n_ids);
}

void ith_many_leave(ith_many *m, int i, const ith_error *err)
{
    ith_flight *f = take_out(m, i);

    count_restored(m, f);
    if (ith_many_is_root(m))
        ith_flight_tell(m, f, err);
    forget(m, f);
    ith_flight_free(f);
}

void ith_many_linger(ith_many *m, int i)
{
    ith_flight *f = take_out(m, i);

    count_restored(m, f);
    if (ith_many_is_root(m))
        ith_flight_tell(m, f, NULL);
    m->left[m->n_left++] = f;
}

void ith_many_release(ith_many *m)
{
    while (m->n_left > 0) {
        ith_flight *f = m->left[--m->n_left];
        forget(m, f);
        ith_flight_free(f);
    }
}

/* ---- Admission ---- */

/* A prompt cache that fails is an error of the caller only if it could not have worked: that the
 * folder cannot be used, or holds something else, may change at any time. */
static ith_status open_cache(ith_many *m, ith_session *session, ith_error *err)
{
    const ith_keep_params *keep = m->params->keep;
    ith_error why = {0};
    ith_status status;
    char text[sizeof why.text + 100];

    if (keep == NULL || m->no_cache)
        return ITH_OK;
    status = ith_session_keep(session, keep, &why);
    if (status != ITH_E_IO && status != ITH_E_FORMAT)
        return status == ITH_OK ? ITH_OK : ith_fail(err, status, "%s", why.text);
    m->no_cache = true;
    snprintf(text, sizeof text, "prompt cache: %s: the prompts that follow are computed without it",
             why.text);
    if (keep->warn != NULL && ith_many_is_root(m))
        keep->warn(keep->user, text);
    return ITH_OK;
}

/* Local. Is there memory for this one, and for it and all in flight to grow once? Else one would
 * soon begin again. Nothing has been allocated for it by then. */
static ith_status check_growth(const ith_many *m, const ith_session *session, int64_t total,
                               int64_t room, ith_error *err)
{
    size_t bytes = 0;

    if (m->n == 0)
        return ITH_OK;
    ITH_TRY(ith_state_add_lacking(session->state, room_for(room + 1, total), &bytes, err));
    for (int i = 0; i < m->n; i++) {
        const ith_flight *f = m->flights[i];
        ITH_TRY(
            ith_state_add_lacking(f->session->state, room_for(f->room + 1, f->total), &bytes, err));
    }
    return bytes == 0 ? ITH_OK : ith_mem_check(bytes, "answers to grow", err);
}

/* What the session is to begin with; NULL: it begins empty. */
static const ith_session *leader_of(const ith_many *m, const ith_order *o)
{
    if (o->leader < 0)
        return NULL;
    return (o->leader_left ? m->left : m->flights)[o->leader]->session;
}

/* Collective. What may be refused comes first: then no memory is brought in, and no file opened, in
 * vain. */
static ith_status prepare(ith_many *m, const ith_order *o, int64_t room, ith_session *session,
                          ith_error *err)
{
    const ith_session *leader = leader_of(m, o);

    if (leader != NULL)
        ITH_TRY(ith_session_share(session, leader, o->shared, err));
    ITH_TRY(
        ith_comm_agree(m->engine->world->comm, check_growth(m, session, o->total, room, err), err));
    if (!o->uncached)
        ITH_TRY(open_cache(m, session, err));
    ITH_TRY(ith_session_make_room(session, room, err));
    if (leader != NULL)
        ith_session_copy(session, leader, o->shared);
    return ITH_OK;
}

static ith_status open_session(ith_many *m, const ith_order *o, int64_t room, ith_session **session,
                               ith_error *err)
{
    const ith_session_sizes sizes = {.ctx = o->total, .chunk = m->engine->info.chunk};
    ith_status status = ith_session_open_sized(m->engine, &sizes, session, err);

    if (status == ITH_OK)
        status = prepare(m, o, room, *session, err);
    if (status != ITH_OK) {
        ith_session_close(*session);
        *session = NULL;
    }
    return status;
}

/* Rank 0's has waited until now. */
static void begin(ith_many *m, const ith_order *o, ith_flight *f)
{
    m->flights[m->n++] = f;
    m->counts->shared += o->shared;
    f->answer.n_reused = o->shared;
    if (!ith_many_is_root(m))
        return;
    ith_waiting_take(m, o->number);
    m->counts->prompt_tokens += f->admitted ? 0 : (int64_t)f->prompt.n_ids;
    f->admitted = true;
    f->leader = NULL;
    f->shared = 0;
    ith_waiting_lead(m, f);
}

/* Rank 0. Memory lacks. */
static void refuse(ith_many *m, const ith_order *o, const ith_error *err)
{
    ith_flight *f;

    m->full = true;
    if (m->n + m->n_left > 0)
        return;
    f = ith_waiting_take(m, o->number);
    ith_flight_tell(m, f, err);
    ith_flight_free(f);
}

ith_status ith_many_admit(ith_many *m, const ith_order *o, ith_error *err)
{
    bool root = ith_many_is_root(m);
    ith_flight *f = root ? m->waiting[o->number] : calloc(1, sizeof *f);
    int64_t room = room_for(o->first + 1, o->total);
    ith_error why = {0};
    ith_status status = ith_comm_agree_memory(m->engine->world->comm, f, "a prompt", &why);

    if (status == ITH_OK)
        status = open_session(m, o, room, &f->session, &why);
    if (status == ITH_OK) {
        f->total = o->total;
        f->room = room;
        begin(m, o, f);
        return ITH_OK;
    }
    if (!root)
        free(f);
    if (status != ITH_E_MEMORY)
        return ith_fail(err, status, "%s", why.text);
    if (root)
        refuse(m, o, &why);
    return ITH_OK;
}

/* ---- Growing ---- */

/* The last in flight gives up its session and waits again. */
static void give_up(ith_many *m)
{
    ith_flight *f = take_out(m, m->n - 1);
    int64_t pending = f->session->pending;

    ith_session_close(f->session);
    f->session = NULL;
    forget(m, f);
    m->full = true; /* until one has ended */
    if (ith_many_is_root(m))
        ith_waiting_again(m, f, pending);
    else
        ith_flight_free(f);
}

/* Flight i needs room for `room` tokens. */
static ith_status grow_one(ith_many *m, int i, int64_t room, ith_error *err)
{
    ith_flight *f = m->flights[i];
    ith_error why = {0};

    for (;;) {
        ith_status status = ith_session_make_room(f->session, room, &why);
        if (status == ITH_OK) {
            f->room = room;
            return ITH_OK;
        }
        if (status != ITH_E_MEMORY)
            return ith_fail(err, status, "%s", why.text);
        if (m->n == 1) {
            ith_many_leave(m, 0, &why);
            return ITH_OK;
        }
        give_up(m);
        if (m->n == i)
            return ITH_OK;
    }
}

ith_status ith_many_grow(ith_many *m, ith_error *err)
{
    for (int i = 0; i < m->n; i++) {
        const ith_flight *f = m->flights[i];
        if (f->room < f->total && f->session->length + f->session->pending >= f->room)
            ITH_TRY(grow_one(m, i, room_for(f->room + 1, f->total), err));
    }
    return ITH_OK;
}

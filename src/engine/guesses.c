/* guesses.c - guesses of many answers. */
#include "engine/guesses.h"

#include "base/range.h"
#include "engine/session.h"

/* With so many prompts in flight guesses are as cheap as with one. */
enum { FEW_DECODE = 3 };

bool ith_guesses_pay(const ith_many *m)
{
    for (int i = 0; i < m->n; i++) {
        const ith_flight *f = m->flights[i];
        if (!f->begun || f->session->pending > 0)
            return false;
    }
    return true;
}

/* The lookup of what flight f has said; none if memory lacks. */
static ith_drafter *drafter_of(ith_flight *f)
{
    ith_error none;

    if (f->drafter == NULL && f->prompt.how.max_draft > 0) {
        if (ith_drafter_lookup(true, f->total, &f->drafter, &none) != ITH_OK)
            f->prompt.how.max_draft = 0;
        f->draft_pace = ith_draft_pace_start(f->prompt.how.max_draft, ITH_GUESSES_DEAR);
    }
    return f->drafter;
}

/* Flight f, which is given token ids[0], guesses up to `room` tokens: as many as pay, fit the
 * memory that it has, and may be needed. */
static void guess(ith_flight *f, int64_t room, ith_guess_kind kind)
{
    ith_session *s = f->session;
    ith_drafter *drafter = drafter_of(f);
    int64_t most = ith_min(room, (int64_t)ith_step_guesses(s));
    ith_error none;

    if (drafter == NULL)
        return;
    f->draft_pace.kind = kind;
    most = ith_min(most, ith_draft_pace_length(&f->draft_pace));
    most = ith_min(most, f->prompt.how.max_tokens - (int64_t)f->answer.n_ids - 1);
    most = ith_min(most, f->room - s->length - 1);
    if (most <= 0)
        return;
    s->ids[s->length] = f->ids[0];
    if (drafter->ops->draft(drafter, s->ids, s->length + 1, most, f->ids + 1, &f->n_guesses,
                            &none) != ITH_OK)
        f->n_guesses = 0;
}

void ith_guess(ith_many *m)
{
    bool spare = m->engine->model->kernels->spare_arithmetic && m->n <= FEW_DECODE;
    int64_t room = ITH_DECODE_TOKENS - m->n;

    for (int i = 0; i < m->n; i++) {
        ith_flight *f = m->flights[i];
        int64_t share = (room + m->n - i - 1) / (m->n - i);
        if (share <= 0 || m->items[i].n != 1 || f->prompt.each_token)
            continue;
        guess(f, share, spare ? ITH_GUESSES_CHEAP : ITH_GUESSES_DEAR);
        room -= f->n_guesses;
        m->items[i].n += (size_t)f->n_guesses;
        m->items[i].n_guesses = (size_t)f->n_guesses;
    }
}

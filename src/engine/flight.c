/* flight.c - the end of a prompt. */
#include "engine/flight.h"

#include "base/testhook.h"

#include <stdlib.h>

void ith_flight_free(ith_flight *f)
{
    if (f == NULL)
        return;
    ith_session_close(f->session);
    ith_drafter_close(f->drafter);
    ith_writer_close(&f->writer);
    ith_generation_free(&f->answer);
    free(f->prompt.ids);
    free(f);
}

void ith_flight_tell(ith_many *m, ith_flight *f, const ith_error *err)
{
    static const ith_error none;

    ith_writer_close(&f->writer); /* the caller may close its grammar now */
    if (!m->params->done(m->params->user, &f->prompt, &f->answer, err != NULL ? err : &none))
        m->stopped = true;
    if (err != NULL && err->status == ITH_E_CANCELLED)
        return;
    m->counts->done++;
    if (ith_test_hook_due("prompt", m->counts->done))
        while (ith_test_hook_act())
            continue;
}

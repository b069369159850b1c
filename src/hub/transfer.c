/* transfer.c - runs requests and repeats them. */
#include "hub/transfer.h"

#include "base/progress.h"
#include "hub/refusal.h"

#include <stddef.h>

enum { ATTEMPTS = 5, PROGRESS_BYTES = 1 << 20, POLL_MS = 100 };

static const double first_pause_s = 0.5, wait_s = 0.2;

typedef struct run {
    ith_http *http;
    const ith_hub_settings *settings;
    ith_transfer *transfers;
    size_t n;
    int at_once;
} run;

static ith_status send_now(run *r, ith_transfer *t, int64_t from, ith_error *err)
{
    const ith_http_ask ask = {
        .url = t->url, .head = t->head, .from = from, .receive = t->receive, .user = t->user};

    return ith_http_start(r->http, &ask, &t->request, err);
}

/* Does what comes next for a transfer without a request. *busy: call again without a pause. */
static ith_status advance(run *r, ith_transfer *t, bool *busy, ith_error *err)
{
    int64_t from = 0;
    ith_ready ready = t->prepare == NULL ? ITH_READY_SEND : t->prepare(t->user, &from, err);

    t->begun = ready == ITH_READY_SEND || ready == ITH_READY_BUSY;
    switch (ready) {
    case ITH_READY_SEND:
        return send_now(r, t, from, err);
    case ITH_READY_BUSY:
        *busy = true;
        break;
    case ITH_READY_WAIT:
        t->due_s = ith_now_s() + wait_s;
        break;
    case ITH_READY_DONE:
        t->done = true;
        break;
    case ITH_READY_FAILED:
        return err->status;
    }
    return ITH_OK;
}

/* Begins and continues what there is room for. *all: nothing is left to do. */
static ith_status advance_all(run *r, bool *busy, bool *all, ith_error *err)
{
    int active = 0;

    *busy = false;
    *all = true;
    for (size_t i = 0; i < r->n; i++)
        active += r->transfers[i].begun && !r->transfers[i].done;
    for (size_t i = 0; i < r->n; i++) {
        ith_transfer *t = &r->transfers[i];
        bool before = t->begun;
        *all &= t->done;
        if (t->done || t->request != NULL || ith_now_s() < t->due_s ||
            (!before && active >= r->at_once))
            continue;
        ITH_TRY(advance(r, t, busy, err));
        active += (t->begun && !t->done) - before;
        *busy |= t->done;
    }
    return ITH_OK;
}

static bool may_pass(const ith_http_reply *reply)
{
    long status = reply->status;

    if (reply->failure[0] != '\0')
        return reply->retry;
    /* an address elsewhere is valid for a while only: the hub gives another one */
    return status == 408 || status == 429 || (status >= 500 && status <= 504) ||
           (reply->elsewhere && status >= 400 && status != 404);
}

/* Sets when the next attempt is made. */
static void set_pause(ith_transfer *t, const ith_http_reply *reply)
{
    double pause_s = first_pause_s;

    for (int i = 1; i < t->attempts; i++)
        pause_s *= 2;
    if (reply->failure[0] == '\0' && reply->retry_after_s >= 0)
        pause_s = reply->retry_after_s;
    t->due_s = ith_now_s() + pause_s;
}

static ith_status after_request(run *r, ith_transfer *t, const ith_http_reply *reply,
                                ith_error *err)
{
    bool complete = reply->failure[0] == '\0', again = false;

    if (reply->refused || (complete && (reply->status < 400 || reply->status == 416))) {
        ITH_TRY(t->finish(t->user, reply, &again, err));
        t->done = !again;
    }
    if (t->done)
        return ITH_OK;
    if (reply->received >= PROGRESS_BYTES)
        t->attempts = 0;
    if (++t->attempts >= ATTEMPTS && again)
        return ith_fail(err, ITH_E_IO, "%s: the server ends the transfer early each time", t->what);
    if (t->attempts >= ATTEMPTS || !(again || may_pass(reply)))
        return ith_hub_refused(r->settings, t->what, reply, err);
    set_pause(t, reply);
    return ITH_OK;
}

static ith_transfer *owner(run *r, const ith_http_request *request)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->transfers[i].request == request)
            return &r->transfers[i];
    return NULL;
}

/* Waits for the network, and looks at what has ended. */
static ith_status poll_requests(run *r, int timeout_ms, ith_error *err)
{
    ith_http_request *request;

    while ((request = ith_http_next(r->http, timeout_ms)) != NULL) {
        ith_transfer *t = owner(r, request);
        ith_status status = after_request(r, t, ith_http_get_reply(request), err);
        ith_http_end(r->http, request);
        t->request = NULL;
        ITH_TRY(status);
        timeout_ms = 0;
    }
    return ITH_OK;
}

ith_status ith_transfers_run(ith_http *http, const ith_hub_settings *settings,
                             ith_transfer *transfers, size_t n, int at_once, ith_transfer_tick tick,
                             void *user, ith_error *err)
{
    run r = {http, settings, transfers, n, at_once};
    bool busy = false, all = false;
    ith_status status = ITH_OK;

    while (status == ITH_OK) {
        status = advance_all(&r, &busy, &all, err);
        if (status != ITH_OK || all)
            break;
        if (!tick(user))
            status = ith_fail(err, ITH_E_CANCELLED, "the download was stopped");
        else
            status = poll_requests(&r, busy ? 0 : POLL_MS, err);
    }
    for (size_t i = 0; i < n; i++) {
        ith_http_end(http, transfers[i].request);
        transfers[i].request = NULL;
    }
    return status;
}

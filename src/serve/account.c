/* account.c - what is known of a request when it is over: counters, the log, and GET /metrics. */
#include "serve/clock.h"
#include "serve/log.h"

enum { CLIENT_LEFT = 499 }; /* as nginx has it; no response of the server */

void ith_account_open(ith_visit *x)
{
    x->came = ith_now_ms();
    clock_gettime(CLOCK_REALTIME, &x->when);
}

/* A stream may fail after its status was sent: then it counts as what it would have been. */
static unsigned status_of(const ith_visit *x, const ith_tally *tally, bool whole)
{
    const ith_error err = {.status = tally->failed};
    const char *code;

    if (!whole)
        return CLIENT_LEFT;
    return err.status == ITH_OK ? x->status : ith_completion_status(&err, &code);
}

static void count_times(ith_visit *x, const ith_ending *end)
{
    ith_metrics *m = &x->server->metrics;

    if (end->tally.begun > 0)
        ith_metrics_time(&m->waiting, end->tally.begun - x->came);
    if (end->tally.first > 0)
        ith_metrics_time(&m->first_token, end->tally.first - x->came);
    ith_metrics_time(&m->seconds, end->now - x->came);
}

void ith_account_close(ith_visit *x, bool whole)
{
    ith_ending end = {.now = ith_now_ms()};

    if (x->call != NULL) {
        end.tally = ith_call_tally(x->call);
        ith_call_let_go(x->call);
        count_times(x, &end);
    }
    end.status = status_of(x, &end.tally, whole);
    ith_metrics_request(&x->server->metrics, ith_visit_route(x), end.status);
    ith_log_visit(x, &end);
}

enum MHD_Result ith_visit_metrics(ith_visit *x)
{
    ith_server *server = x->server;
    ith_metrics_view view = {.route = ith_visit_path, .queued = server->queue.n};
    char *text;
    size_t len;

    pthread_mutex_lock(&server->lock);
    view.requests = server->exchanges;
    pthread_mutex_unlock(&server->lock);
    text = ith_metrics_text(&server->metrics, &view, &len);
    if (text == NULL)
        return MHD_NO;
    return ith_visit_text(x, "text/plain; version=0.0.4; charset=utf-8", text, len);
}

/* log.c - a line for each request that is over, as text or as JSON. */
#include "serve/log.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

typedef struct line {
    char time[32], client[64];
    const char *method, *route, *id; /* NULL: none */
    unsigned status;
    bool asks; /* for an answer: the numbers below mean something */
    int64_t prompt_tokens, completion_tokens;
    int64_t waiting_ms, first_ms; /* -1: it has not come to that */
    int64_t ms;
} line;

/* ---- What it says ---- */

/* RFC 3339, in UTC. */
static void write_time(const struct timespec *when, char text[32])
{
    struct tm utc;
    char seconds[24] = "";

    gmtime_r(&when->tv_sec, &utc);
    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text, 32, "%s.%03dZ", seconds, (int)(when->tv_nsec / 1000000));
}

static void write_client(struct MHD_Connection *connection, char *text, size_t room)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *at = info != NULL ? info->client_addr : NULL;
    socklen_t len = at != NULL && at->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                            : sizeof(struct sockaddr_in);

    if (at == NULL || getnameinfo(at, len, text, (socklen_t)room, NULL, 0, NI_NUMERICHOST) != 0)
        snprintf(text, room, "-");
}

static int64_t since(const ith_visit *x, int64_t ms)
{
    return ms > 0 ? ms - x->came : -1;
}

static line line_of(const ith_visit *x, const ith_ending *end)
{
    line l = {.method = x->route != NULL ? x->route->method : NULL,
              .route = x->route != NULL ? x->route->path : NULL,
              .id = x->id[0] != 0 ? x->id : NULL,
              .status = end->status,
              .asks = x->id[0] != 0,
              .prompt_tokens = x->prompt_tokens,
              .completion_tokens = end->tally.answer_tokens,
              .waiting_ms = since(x, end->tally.begun),
              .first_ms = since(x, end->tally.first),
              .ms = end->now - x->came};

    write_time(&x->when, l.time);
    write_client(x->connection, l.client, sizeof l.client);
    return l;
}

/* ---- Text ---- */

static size_t put_seconds(char *to, size_t room, const char *name, int64_t ms)
{
    int n = ms < 0 ? snprintf(to, room, " %s=-", name)
                   : snprintf(to, room, " %s=%.3f", name, (double)ms / 1000);

    return n > 0 && (size_t)n < room ? (size_t)n : 0;
}

/* Shorter than the room, whatever the numbers are. */
static void write_text(const line *l, char *text, size_t room)
{
    size_t n = (size_t)snprintf(text, room, "%s %s %s %s %u", l->time, l->client,
                                l->method != NULL ? l->method : "-",
                                l->route != NULL ? l->route : "-", l->status);

    if (l->asks) {
        n += (size_t)snprintf(text + n, room - n, " %s prompt_tokens=%lld completion_tokens=%lld",
                              l->id, (long long)l->prompt_tokens, (long long)l->completion_tokens);
        n += put_seconds(text + n, room - n, "waiting", l->waiting_ms);
        n += put_seconds(text + n, room - n, "first_token", l->first_ms);
    }
    put_seconds(text + n, room - n, "seconds", l->ms);
}

/* ---- JSON ---- */

static json_t *seconds(int64_t ms)
{
    return ms < 0 ? json_null() : json_real((double)ms / 1000);
}

static json_t *number(const line *l, int64_t n)
{
    return l->asks ? json_integer(n) : json_null();
}

static char *write_json(const line *l)
{
    json_t *all = json_pack(
        "{s:s, s:s, s:s?, s:s?, s:i, s:s?, s:o, s:o, s:o, s:o, s:o}", "time", l->time, "client",
        l->client, "method", l->method, "route", l->route, "status", (int)l->status, "id", l->id,
        "prompt_tokens", number(l, l->prompt_tokens), "completion_tokens",
        number(l, l->completion_tokens), "waiting_seconds", seconds(l->waiting_ms),
        "first_token_seconds", seconds(l->first_ms), "seconds", seconds(l->ms));
    char *text = all != NULL ? ith_json_text(all, false) : NULL;

    json_decref(all);
    return text;
}

void ith_log_visit(const ith_visit *x, const ith_ending *end)
{
    const ith_server_params *p = &x->server->params;
    char text[600];
    char *json;
    line l;

    if (p->log == ITH_SERVER_LOG_NONE)
        return;
    l = line_of(x, end);
    if (p->log == ITH_SERVER_LOG_TEXT) {
        write_text(&l, text, sizeof text);
        p->write_log(text);
        return;
    }
    json = write_json(&l);
    if (json != NULL)
        p->write_log(json);
    free(json);
}

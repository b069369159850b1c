/* visit.c - one request: its body, who answers it, and the response. */
#include "serve/visit.h"

#include "base/error.h"
#include "base/testhook.h"
#include "serve/clock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BODIES = 4, /* of the greatest length, that all bodies in memory together may take */
    PREPARING =
        4,        /* requests at a time: JSON, templates and grammars take far more than the body */
    LOOK_MS = 200 /* is the client there still? */
};

/* ---- Responses ---- */

enum MHD_Result ith_visit_respond(ith_visit *x, unsigned status, struct MHD_Response *response)
{
    enum MHD_Result result;

    if (response == NULL)
        return MHD_NO;
    x->status = status;
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    result = MHD_queue_response(x->connection, status, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result ith_visit_text(ith_visit *x, const char *type, char *text, size_t len)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);

    if (response == NULL)
        free(text);
    else
        MHD_add_response_header(response, "Content-Type", type);
    return ith_visit_respond(x, MHD_HTTP_OK, response);
}

enum MHD_Result ith_visit_json(ith_visit *x, unsigned status, json_t *value)
{
    char *text = value != NULL ? ith_json_text(value, false) : NULL;
    struct MHD_Response *response;

    json_decref(value);
    if (ith_json_lost(x->mark) || text == NULL) {
        free(text);
        return MHD_NO;
    }
    response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        free(text);
    else {
        MHD_add_response_header(response, "Content-Type", "application/json");
        if (status == MHD_HTTP_UNAUTHORIZED)
            MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
        if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
            MHD_add_response_header(response, "Allow", x->allow);
        if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
            MHD_add_response_header(response, "Retry-After", "1");
    }
    return ith_visit_respond(x, status, response);
}

json_t *ith_error_json(unsigned status, const char *code, const char *param, const char *text)
{
    return json_pack("{s:{s:o, s:s, s:o?, s:s}}", "error", "message", ith_json_c_string(text),
                     "type", status < 500 ? "invalid_request_error" : "server_error", "param",
                     param != NULL && param[0] != 0 ? ith_json_c_string(param) : NULL, "code",
                     code);
}

enum MHD_Result ith_visit_error(ith_visit *x, unsigned status, const char *code, const char *param,
                                const char *text)
{
    return ith_visit_json(x, status, ith_error_json(status, code, param, text));
}

unsigned ith_visit_status(const ith_error *err, const char **code)
{
    switch (err->status) {
    case ITH_E_ARGUMENT:
        *code = "invalid_request";
        return MHD_HTTP_BAD_REQUEST;
    case ITH_E_UNSUPPORTED:
        *code = "unsupported";
        return MHD_HTTP_BAD_REQUEST;
    case ITH_E_MEMORY:
        *code = "out_of_memory";
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    case ITH_E_CANCELLED:
        *code = "stopped";
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    default:
        *code = "failed";
        return MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
}

enum MHD_Result ith_visit_refuse(ith_visit *x, const ith_error *err, const char *code,
                                 const char *param)
{
    ith_error wrong = *err;
    const char *of_status;
    unsigned status;

    if (wrong.status == ITH_E_FORMAT)
        wrong.status = ITH_E_ARGUMENT; /* what is not JSON is the client's fault */
    status = ith_visit_status(&wrong, &of_status);
    return ith_visit_error(x, status, code != NULL ? code : of_status, param, wrong.text);
}

void ith_visit_be_patient(struct MHD_Connection *connection)
{
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 0U);
}

void ith_visit_be_strict(struct MHD_Connection *connection, const ith_server *server)
{
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT,
                              (unsigned)server->params.timeout_s);
}

bool ith_visit_is_gone(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd fd = {.fd = info->connect_fd, .events = POLLRDHUP};

    return poll(&fd, 1, 0) > 0;
}

/* ---- Who answers ---- */

static bool is_ready(ith_server *server)
{
    bool ready;

    pthread_mutex_lock(&server->lock);
    ready = server->ready;
    pthread_mutex_unlock(&server->lock);
    return ready;
}

static enum MHD_Result health(ith_visit *x)
{
    if (is_ready(x->server))
        return ith_visit_json(x, MHD_HTTP_OK, json_pack("{s:s}", "status", "ok"));
    return ith_visit_error(x, MHD_HTTP_SERVICE_UNAVAILABLE, "not_ready", NULL,
                           "the model is not loaded, or the server is stopping");
}

static json_t *model_json(const ith_engine_info *info)
{
    return json_pack("{s:o, s:s, s:i, s:s, s:I}", "id", ith_json_c_string(info->name), "object",
                     "model", "created", 0, "owned_by", "ithaca", "max_model_len",
                     (json_int_t)info->ctx);
}

static enum MHD_Result models(ith_visit *x)
{
    return ith_visit_json(
        x, MHD_HTTP_OK,
        json_pack("{s:s, s:[o]}", "object", "list", "data", model_json(x->server->info)));
}

static enum MHD_Result one_model(ith_visit *x)
{
    if (strcmp(x->rest, x->server->info->name) == 0)
        return ith_visit_json(x, MHD_HTTP_OK, model_json(x->server->info));
    return ith_visit_error(x, MHD_HTTP_NOT_FOUND, "model_not_found", "model",
                           "the server has no such model");
}

static enum MHD_Result completions(ith_visit *x)
{
    return ith_visit_complete(x, ITH_COMPLETE_TEXT);
}

static enum MHD_Result chat(ith_visit *x)
{
    return ith_visit_complete(x, ITH_COMPLETE_CHAT);
}

static enum MHD_Result responses(ith_visit *x)
{
    return ith_visit_complete(x, ITH_COMPLETE_RESPONSE);
}

/* What "GET" answers, "HEAD" answers too, without the body. */
static const ith_route routes[] = {
    {"GET", "/", ith_visit_page, true, true},
    {"GET", "/health", health, true, true},
    {"GET", "/metrics", ith_visit_metrics, false, true},
    {"GET", "/v1/models", models, false, false},
    {"GET", "/v1/models/", one_model, false, false}, /* and its name */
    {"POST", "/v1/completions", completions, false, false},
    {"POST", "/v1/chat/completions", chat, false, false},
    {"POST", "/v1/responses", responses, false, false},
    {"POST", "/v1/embeddings", ith_visit_embeddings, false, false},
    {"POST", "/rerank", ith_visit_rerank, false, false},
    {"POST", "/v1/rerank", ith_visit_rerank, false, false},
    {"POST", "/tokenize", ith_visit_tokenize, false, false},
    {"POST", "/detokenize", ith_visit_detokenize, false, false},
    {"GET", "/tokenizer_info", ith_visit_tokenizer_info, false, false},
};

/* It says nothing of worth, and is asked for under any name: by a proxy, or a cluster's probe. */
static bool is_health(const ith_route *route)
{
    return route != NULL && route->answer == health;
}

enum { N_ROUTES = sizeof routes / sizeof *routes };

_Static_assert(N_ROUTES < (int)ITH_METRICS_ROUTES, "a counter for each address");

size_t ith_visit_route(const ith_visit *x)
{
    return x->route != NULL ? (size_t)(x->route - routes) : N_ROUTES;
}

const char *ith_visit_path(size_t i)
{
    return i < N_ROUTES ? routes[i].path : NULL;
}

/* What stands behind the route's address; NULL: it is another one. */
static const char *rest_of(const ith_route *route, const char *path)
{
    size_t n = strlen(route->path);
    bool more = route->path[n - 1] == '/' && n > 1;

    if (strncmp(route->path, path, n) != 0 || (!more && path[n] != 0))
        return NULL;
    return path + n;
}

/* Sets x->route, x->rest and x->allow, which is NULL if the address is unknown. */
static void find_route(ith_visit *x, const char *method, const char *path)
{
    const char *asked = strcmp(method, "HEAD") == 0 ? "GET" : method;

    for (size_t i = 0; x->route == NULL && i < N_ROUTES; i++) {
        const char *rest = rest_of(&routes[i], path);
        if (rest == NULL)
            continue;
        x->allow = strcmp(routes[i].method, "GET") == 0 ? "GET, HEAD" : routes[i].method;
        if (strcmp(routes[i].method, asked) != 0)
            continue;
        x->route = &routes[i];
        snprintf(x->rest, sizeof x->rest, "%s", rest);
    }
}

static enum MHD_Result refuse_body(ith_visit *x)
{
    if (x->overload)
        return ith_visit_error(x, MHD_HTTP_SERVICE_UNAVAILABLE, "overloaded", NULL,
                               "too many long requests come at a time; try again later");
    return ith_visit_error(x, MHD_HTTP_CONTENT_TOO_LARGE, "too_large", NULL,
                           "the body is longer than the server's limit");
}

static int64_t body_most(ith_server *server)
{
    int64_t most;

    pthread_mutex_lock(&server->lock);
    most = server->body_most;
    pthread_mutex_unlock(&server->lock);
    return most;
}

static enum MHD_Result refuse_route(ith_visit *x)
{
    if (x->allow != NULL)
        return ith_visit_error(x, MHD_HTTP_METHOD_NOT_ALLOWED, "method_not_allowed", NULL,
                               "this address has another method");
    return ith_visit_error(x, MHD_HTTP_NOT_FOUND, "not_found", NULL, "there is no such address");
}

/* Before the body is read. MHD_YES with x->refused: a response is queued. */
static enum MHD_Result check(ith_visit *x, const char *method, const char *path)
{
    const char *length =
        MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *why;
    bool open, early;

    x->refused = true;
    find_route(x, method, path);
    open = x->route != NULL && x->route->open;
    early = x->route != NULL && x->route->early;
    if (!is_health(x->route) && !ith_guard_site(x, &why))
        return ith_visit_error(x, MHD_HTTP_FORBIDDEN, "forbidden", NULL, why);
    if (!open && !ith_guard_key(x))
        return ith_visit_error(x, MHD_HTTP_UNAUTHORIZED, "invalid_api_key", NULL,
                               "the API key is missing or wrong");
    if (x->route == NULL)
        return refuse_route(x);
    if (!early && !is_ready(x->server))
        return health(x);
    if (length != NULL && strtoll(length, NULL, 10) > body_most(x->server))
        return refuse_body(x);
    x->refused = false;
    return MHD_YES;
}

/* ---- The body ---- */

/* Room for more of the body, if all bodies together leave some. */
static bool claim(ith_visit *x, size_t more)
{
    ith_server *server = x->server;
    bool fine;

    pthread_mutex_lock(&server->lock);
    fine = server->bodies + (int64_t)more <= BODIES * server->body_most;
    if (fine) {
        server->bodies += (int64_t)more;
        x->claimed += (int64_t)more;
    }
    pthread_mutex_unlock(&server->lock);
    return fine;
}

/* `need` is at most `most`, and so is the room. */
static bool grow_body(ith_visit *x, size_t need, size_t most)
{
    size_t room = x->room > 0 ? x->room : 4096;
    char *grown;

    while (room < need)
        room *= 2;
    if (room > most)
        room = most;
    if (room == x->room)
        return true;
    if (!claim(x, room - x->room))
        return false;
    grown = realloc(x->body, room);
    if (grown == NULL)
        return false; /* its claim goes with the visit's */
    x->body = grown;
    x->room = room;
    return true;
}

void ith_visit_drop_body(ith_visit *x)
{
    free(x->body);
    x->body = NULL;
    x->len = x->room = 0;
}

ith_status ith_visit_parse(ith_visit *x, ith_request *r, json_t **body, ith_error *err)
{
    ith_status status = ITH_OK;

    *body = NULL;
    if (!ith_request_is_flat(x->body, x->len))
        status =
            ith_fail(err, ITH_E_ARGUMENT, "the body is nested deeper than %d lists and objects",
                     ITH_REQUEST_NESTING);
    if (status == ITH_OK)
        status = r != NULL ? ith_request_parse(r, x->body, x->len, "the body", body, err)
                           : ith_json_parse(x->body, x->len, "the body", body, err);
    ith_visit_drop_body(x);
    ITH_TRY(status);
    return json_is_object(*body) ? ITH_OK
                                 : ith_fail(err, ITH_E_ARGUMENT, "the body is not a JSON object");
}

/* ---- Whose turn it is ---- */

/* Waits for it. False: the client has left. */
static bool take_turn(ith_visit *x)
{
    ith_server *server = x->server;
    bool there = true;

    pthread_mutex_lock(&server->lock);
    while (there && server->preparing >= PREPARING) {
        ith_wait_until(&server->turn, &server->lock, ith_now_ms() + LOOK_MS);
        there = !ith_visit_is_gone(x->connection);
    }
    server->preparing += there;
    pthread_mutex_unlock(&server->lock);
    x->in_turn = there;
    return there;
}

void ith_visit_prepared(ith_visit *x)
{
    ith_server *server = x->server;

    pthread_mutex_lock(&server->lock);
    server->bodies -= x->claimed;
    server->preparing -= x->in_turn;
    pthread_cond_signal(&server->turn);
    pthread_mutex_unlock(&server->lock);
    x->claimed = 0;
    x->in_turn = false;
}

/* All that answers in turn, if it makes something of the body. */
static enum MHD_Result answer(ith_visit *x)
{
    enum MHD_Result result;

    if (strcmp(x->route->method, "POST") != 0)
        return x->route->answer(x);
    ith_visit_be_patient(x->connection);
    if (!take_turn(x))
        return MHD_NO;
    while (ith_test_hook_holds("prepare"))
        continue;
    result = x->route->answer(x);
    ith_visit_prepared(x);
    ith_visit_be_strict(x->connection, x->server);
    return result;
}

/* In chunks, so that its length was not known, a body may be too long, or one too many: the rest is
 * passed over, and the response comes at its end. */
static void take_body(ith_visit *x, const char *data, size_t n)
{
    size_t most = (size_t)body_most(x->server);

    if (x->too_long || x->overload)
        return;
    x->too_long = x->len + n > most;
    x->overload = !x->too_long && !grow_body(x, x->len + n, most);
    if (x->too_long || x->overload) {
        ith_visit_drop_body(x);
        ith_visit_prepared(x);
        return;
    }
    memcpy(x->body + x->len, data, n);
    x->len += n;
}

static void count(ith_server *server, int more)
{
    pthread_mutex_lock(&server->lock);
    server->exchanges += more;
    pthread_mutex_unlock(&server->lock);
}

/* Called first with the header, then with parts of the body, then
 * with none. */
enum MHD_Result ith_visit_handle(void *user, struct MHD_Connection *connection, const char *path,
                                 const char *method, const char *version, const char *data,
                                 size_t *n, void **state)
{
    ith_visit *x = *state;
    size_t more = *n;

    (void)version;
    if (x == NULL) {
        *state = x = calloc(1, sizeof *x);
        if (x == NULL)
            return MHD_NO;
        x->server = user;
        x->connection = connection;
        x->mark = ith_json_mark();
        ith_guest_begins(x);
        count(x->server, 1);
        ith_account_open(x);
        return check(x, method, path);
    }
    *n = 0;
    x->mark = ith_json_mark(); /* this thread's, which has others' visits in between */
    if (more > 0 && !x->refused)
        take_body(x, data, more);
    if (more > 0 || x->refused)
        return MHD_YES;
    ith_guest_arrives(x);
    return x->too_long || x->overload ? refuse_body(x) : answer(x);
}

void ith_visit_completed(void *user, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    ith_visit *x = *state;

    (void)user;
    (void)connection;
    if (x == NULL)
        return;
    ith_account_close(x, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    ith_guest_leaves(x);
    count(x->server, -1);
    ith_visit_drop_body(x);
    ith_visit_prepared(x);
    free(x);
    *state = NULL;
}

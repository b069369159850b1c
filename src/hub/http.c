/* http.c - requests over libcurl's multi interface. */
#include "hub/http.h"

#include "hub/libcurl.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { REDIRECTIONS_MAX = 10, CONNECT_S = 30, BUFFER_BYTES = 256 << 10, RETRY_AFTER_MAX_S = 300 };

struct ith_http {
    const ith_libcurl *curl;
    const ith_hub_settings *settings;
    CURLM *multi;
    struct curl_slist *headers, *with_token;
    bool answered; /* a server has been reached */
};

struct ith_http_request {
    ith_http *http;
    ith_http_ask ask;
    ith_http_reply reply;
    CURL *easy;
    char *url; /* where it is sent now */
    char range[32], error[CURL_ERROR_SIZE];
    int redirections;
};

/* ---- Headers ---- */

/* The value of a header line, if it has the name, without white space around it. */
static bool header_is(const char *line, size_t len, const char *name, char *value, size_t size)
{
    size_t skip = strlen(name), n;

    if (len <= skip || line[skip] != ':' || strncasecmp(line, name, skip) != 0)
        return false;
    for (skip++; skip < len && (line[skip] == ' ' || line[skip] == '\t'); skip++)
        ;
    while (len > skip && isspace((unsigned char)line[len - 1]))
        len--;
    n = len - skip < size - 1 ? len - skip : size - 1;
    memcpy(value, line + skip, n);
    value[n] = '\0';
    return true;
}

/* A number from 0 on; -1 if it is none. */
static int64_t read_number(const char *text, char **end)
{
    long long value;

    errno = 0;
    value = isdigit((unsigned char)text[0]) ? strtoll(text, end, 10) : -1;
    if (value < 0 || errno != 0) {
        *end = (char *)text;
        return -1;
    }
    return value;
}

static int64_t whole_number(const char *text)
{
    char *end;
    int64_t value = read_number(text, &end);
    return *end == '\0' ? value : -1;
}

/* "bytes 1000-1999/5000" */
static void read_range(ith_http_reply *r, const char *value)
{
    char *end;

    if (strncasecmp(value, "bytes ", 6) != 0)
        return;
    r->from = read_number(value + 6, &end);
    end = strchr(end, '/');
    if (end != NULL)
        r->total = whole_number(end + 1);
}

/* W/"text" and "text" without what is around them */
static void set_etag(ith_http_reply *r, const char *value)
{
    size_t len;

    if (strncmp(value, "W/", 2) == 0)
        value += 2;
    value += value[0] == '"';
    len = strcspn(value, "\"");
    snprintf(r->etag, sizeof r->etag, "%.*s", (int)len, value);
}

static void begin_reply(ith_http_reply *r, const char *status_line)
{
    int64_t received = r->received;
    bool elsewhere = r->elsewhere;
    const char *space = strchr(status_line, ' ');

    *r = (ith_http_reply){.status = space != NULL ? strtol(space, NULL, 10) : 0,
                          .elsewhere = elsewhere,
                          .received = received,
                          .length = -1,
                          .from = -1,
                          .total = -1,
                          .linked_size = -1,
                          .retry_after_s = -1};
}

static void read_header(ith_http_reply *r, const char *line, size_t len)
{
    char value[512], linked[sizeof r->etag] = "";

    if (header_is(line, len, "X-Linked-ETag", linked, sizeof linked))
        set_etag(r, linked);
    else if (header_is(line, len, "ETag", value, sizeof value) && r->etag[0] == '\0')
        set_etag(r, value);
    else if (header_is(line, len, "X-Linked-Size", value, sizeof value))
        r->linked_size = whole_number(value);
    else if (header_is(line, len, "Content-Length", value, sizeof value))
        r->length = whole_number(value);
    else if (header_is(line, len, "Content-Range", value, sizeof value))
        read_range(r, value);
    else if (header_is(line, len, "Retry-After", value, sizeof value))
        r->retry_after_s = (double)whole_number(value);
    else if (header_is(line, len, "X-Error-Code", value, sizeof value))
        snprintf(r->error_code, sizeof r->error_code, "%s", value);
    else if (header_is(line, len, "X-Error-Message", value, sizeof value))
        snprintf(r->error_message, sizeof r->error_message, "%s", value);
    if (r->retry_after_s > RETRY_AFTER_MAX_S)
        r->retry_after_s = RETRY_AFTER_MAX_S;
}

/* libcurl's callback for one header line, which no NUL follows. */
static size_t on_header(char *line, size_t one, size_t len, void *user)
{
    ith_http_request *request = user;
    char text[64];

    (void)one;
    snprintf(text, sizeof text, "%.*s", (int)(len < 63 ? len : 63), line);
    request->http->answered = true;
    if (strncmp(text, "HTTP/", 5) == 0)
        begin_reply(&request->reply, text);
    else
        read_header(&request->reply, line, len);
    return len;
}

/* libcurl's callback for the body. That of an error is not needed. */
static size_t on_body(char *data, size_t one, size_t n, void *user)
{
    ith_http_request *request = user;
    ith_http_reply *r = &request->reply;

    (void)one;
    if (r->status != 200 && r->status != 206)
        return n;
    if (request->ask.receive == NULL || !request->ask.receive(request->ask.user, r, data, n)) {
        r->refused = true;
        return 0;
    }
    r->received += (int64_t)n;
    return n;
}

/* ---- Handles ---- */

ith_status ith_http_open(const ith_hub_settings *settings, ith_http **out, ith_error *err)
{
    const ith_libcurl *curl = ith_libcurl_load(err);
    char token[sizeof settings->token + 32];
    ith_http *http;

    *out = NULL;
    if (curl == NULL)
        return err->status;
    http = calloc(1, sizeof *http);
    if (http == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a connection");
    http->curl = curl;
    http->settings = settings;
    http->multi = curl->multi_init();
    snprintf(token, sizeof token, "Authorization: Bearer %s", settings->token);
    http->headers = curl->slist_append(NULL, "Accept-Encoding: identity");
    http->with_token = curl->slist_append(NULL, "Accept-Encoding: identity");
    if (http->multi == NULL || http->headers == NULL || http->with_token == NULL ||
        (settings->token[0] != '\0' && curl->slist_append(http->with_token, token) == NULL)) {
        ith_http_close(http);
        return ith_fail(err, ITH_E_MEMORY, "no memory for a connection");
    }
    /* One connection for each file, also by HTTP/2: together they are faster. */
    curl->multi_setopt(http->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    *out = http;
    return ITH_OK;
}

void ith_http_close(ith_http *http)
{
    if (http == NULL)
        return;
    if (http->multi != NULL)
        http->curl->multi_cleanup(http->multi);
    http->curl->slist_free_all(http->headers);
    http->curl->slist_free_all(http->with_token);
    free(http);
}

static void set_protocols(const ith_http *http, CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    http->curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
                            http->settings->plain ? "http,https" : "https");
#else
    http->curl->easy_setopt(easy, CURLOPT_PROTOCOLS,
                            http->settings->plain ? (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)
                                                  : (long)CURLPROTO_HTTPS);
#endif
}

/* What stays as it is through redirections. */
static void set_options(ith_http_request *request)
{
    const ith_http *http = request->http;
    __typeof__(http->curl->easy_setopt) set = http->curl->easy_setopt;
    CURL *easy = request->easy;

    set_protocols(http, easy);
    set(easy, CURLOPT_PRIVATE, request);
    set(easy, CURLOPT_ERRORBUFFER, request->error);
    set(easy, CURLOPT_HEADERFUNCTION, on_header);
    set(easy, CURLOPT_HEADERDATA, request);
    set(easy, CURLOPT_WRITEFUNCTION, on_body);
    set(easy, CURLOPT_WRITEDATA, request);
    set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(easy, CURLOPT_FOLLOWLOCATION, 0L);
    set(easy, CURLOPT_USERAGENT, "ithaca/" ITH_VERSION);
    set(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
    set(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    set(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(easy, CURLOPT_LOW_SPEED_TIME, http->settings->timeout_s);
    if (http->settings->certificates != NULL)
        set(easy, CURLOPT_CAINFO, http->settings->certificates);
    if (request->ask.head)
        set(easy, CURLOPT_NOBODY, 1L);
    if (request->ask.from > 0) {
        snprintf(request->range, sizeof request->range, "%lld-", (long long)request->ask.from);
        set(easy, CURLOPT_RANGE, request->range);
    }
}

/* Sends it to request->url. */
static bool send_request(ith_http_request *request)
{
    ith_http *http = request->http;
    bool home = ith_hub_is_endpoint(http->settings, request->url);

    request->reply.elsewhere = !home;
    begin_reply(&request->reply, "");
    request->error[0] = '\0';
    http->curl->easy_setopt(request->easy, CURLOPT_URL, request->url);
    http->curl->easy_setopt(request->easy, CURLOPT_HTTPHEADER,
                            home ? http->with_token : http->headers);
    return http->curl->multi_add_handle(http->multi, request->easy) == CURLM_OK;
}

ith_status ith_http_start(ith_http *http, const ith_http_ask *ask, ith_http_request **out,
                          ith_error *err)
{
    ith_http_request *request = calloc(1, sizeof *request);

    *out = NULL;
    if (request != NULL) {
        request->http = http;
        request->ask = *ask;
        request->url = strdup(ask->url);
        request->easy = http->curl->easy_init();
    }
    if (request != NULL && request->url != NULL && request->easy != NULL)
        set_options(request);
    if (request == NULL || request->url == NULL || request->easy == NULL ||
        !send_request(request)) {
        ith_http_end(http, request);
        return ith_fail(err, ITH_E_MEMORY, "no memory for a request to %s", http->settings->shown);
    }
    *out = request;
    return ITH_OK;
}

void ith_http_end(ith_http *http, ith_http_request *request)
{
    if (request == NULL)
        return;
    if (request->easy != NULL) {
        http->curl->multi_remove_handle(http->multi, request->easy);
        http->curl->easy_cleanup(request->easy);
    }
    free(request->url);
    free(request);
}

const ith_http_reply *ith_http_get_reply(const ith_http_request *request)
{
    return &request->reply;
}

/* ---- Ends ---- */

static void fail(ith_http_request *request, bool retry, const char *why, const char *more)
{
    request->reply.retry = retry;
    snprintf(request->reply.failure, sizeof request->reply.failure, "%s%s", why, more);
}

/* A connection that breaks may be made again. What is wrong with an address or a certificate stays
 * wrong, and so does a network that has led nowhere yet. */
static void set_failure(ith_http_request *request, CURLcode code)
{
    bool retry = true;
    const char *why =
        request->error[0] != '\0' ? request->error : request->http->curl->easy_strerror(code);

    switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_OUT_OF_MEMORY:
        retry = false;
        break;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        retry = request->http->answered;
        break;
    default:
        break;
    }
    fail(request, retry, why, "");
}

/* Sends the request where the answer says. False: it is done, one way or the other. */
static bool follow(ith_http_request *request)
{
    ith_http *http = request->http;
    long status = request->reply.status;
    char *to = NULL, shown[200];

    if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
        return false;
    http->curl->easy_getinfo(request->easy, CURLINFO_REDIRECT_URL, &to);
    if (to == NULL)
        fail(request, false, "a redirection to nowhere", "");
    else if (request->ask.head && !ith_hub_is_endpoint(http->settings, to))
        return false;
    else if (strncasecmp(to, "https://", 8) != 0 &&
             (!http->settings->plain || strncasecmp(to, "http://", 7) != 0)) {
        ith_hub_show_address(to, shown, sizeof shown);
        fail(request, false, "a redirection away from https: ", shown);
    } else if (++request->redirections > REDIRECTIONS_MAX)
        fail(request, false, "too many redirections", "");
    if (request->reply.failure[0] != '\0')
        return false;
    free(request->url);
    request->url = strdup(to);
    if (request->url != NULL && send_request(request))
        return true;
    fail(request, false, "no memory for a redirection", "");
    return false;
}

/* A request that libcurl has finished and that is not sent elsewhere. */
static ith_http_request *finished(ith_http *http)
{
    const CURLMsg *message;
    int left;

    while ((message = http->curl->multi_info_read(http->multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        CURL *easy = message->easy_handle;
        ith_http_request *request = NULL;
        http->curl->easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&request);
        http->curl->multi_remove_handle(http->multi, easy);
        if (code == CURLE_OK && follow(request))
            continue;
        if (code != CURLE_OK && !request->reply.refused)
            set_failure(request, code);
        return request;
    }
    return NULL;
}

ith_http_request *ith_http_next(ith_http *http, int timeout_ms)
{
    ith_http_request *done = finished(http);
    int running;

    if (done != NULL)
        return done;
    http->curl->multi_perform(http->multi, &running);
    done = finished(http);
    if (done != NULL)
        return done;
    http->curl->multi_poll(http->multi, NULL, 0, timeout_ms, NULL);
    http->curl->multi_perform(http->multi, &running);
    return finished(http);
}

bool ith_http_append(char *out, size_t size, const char *text, bool slashes)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789-._~";
    size_t used = strlen(out);

    for (; *text != '\0' && used + 4 <= size; text++)
        if (strchr(plain, *text) != NULL || (slashes && *text == '/'))
            out[used++] = *text;
        else
            used += (size_t)snprintf(out + used, 4, "%%%02X", (unsigned char)*text);
    out[used] = '\0';
    return *text == '\0';
}

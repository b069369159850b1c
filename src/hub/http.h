/* http.h - requests to the hub over libcurl, several at a time, on one thread.
 *
 *     ith_http_open(&settings, &http, &err);
 *     ith_http_start(http, &ask, &request, &err);
 *     while ((request = ith_http_next(http, 100)) == NULL)
 *         ...
 *     reply = ith_http_get_reply(request);
 *     ith_http_end(http, request);
 *
 * Redirections are followed, ten at most, and only to https unless the endpoint itself is http. The
 * token goes to the endpoint's scheme, host and port and nowhere else. A HEAD request is not
 * followed to another host: the hub tells about a file before it sends elsewhere for its bytes.
 *
 * Nothing that a server sends is trusted: header values are bounded and cut, and the receiver of
 * the bytes counts them.
 */
#ifndef ITH_HUB_HTTP_H
#define ITH_HUB_HTTP_H

#include "hub/hub_settings.h"

typedef struct ith_http ith_http;
typedef struct ith_http_request ith_http_request;

/* The last answer to a request. Texts are "" and numbers -1 where the server said nothing. */
typedef struct ith_http_reply {
    long status;         /* 0: no answer came */
    char failure[256];   /* why the answer is missing or incomplete; "": it is complete */
    bool retry;          /* the same request may succeed later */
    bool refused;        /* the receiver did not want more; `failure` is "" */
    bool elsewhere;      /* it came from another host than the endpoint */
    int64_t length;      /* Content-Length */
    int64_t from, total; /* of Content-Range */
    int64_t received;    /* bytes that the receiver has taken */
    double retry_after_s;

    /* The hub's own: X-Linked-Size, X-Linked-ETag (else ETag) without quotation marks,
     * X-Error-Code, X-Error-Message. */
    int64_t linked_size;
    char etag[130], error_code[40], error_message[300];
} ith_http_reply;

/* Takes n bytes of an answer of status 200 or 206, whose headers are in the reply. False: no more,
 * please. */
typedef bool (*ith_http_receiver)(void *user, const ith_http_reply *reply, const char *data,
                                  size_t n);

typedef struct ith_http_ask {
    const char *url;
    bool head;    /* the headers alone */
    int64_t from; /* bytes to leave out at the beginning */
    ith_http_receiver receive;
    void *user;
} ith_http_ask;

/* `settings` must outlive it. Errors: ITH_E_UNSUPPORTED: no libcurl; ITH_E_MEMORY. */
ith_status ith_http_open(const ith_hub_settings *settings, ith_http **http, ith_error *err);
void ith_http_close(ith_http *http); /* after its requests; accepts NULL */

/* ITH_E_MEMORY. */
ith_status ith_http_start(ith_http *http, const ith_http_ask *ask, ith_http_request **request,
                          ith_error *err);

/* A request that is done, after at most timeout_ms; NULL: none is. */
ith_http_request *ith_http_next(ith_http *http, int timeout_ms);

/* Valid until the request ends. */
const ith_http_reply *ith_http_get_reply(const ith_http_request *request);

/* Ends a request, done or not. Accepts NULL. */
void ith_http_end(ith_http *http, ith_http_request *request);

/* Appends `text` to out as a part of an address: all but letters, digits and "-._~" becomes %XX;
 * `slashes` stay. False: there is no room. */
bool ith_http_append(char *out, size_t size, const char *text, bool slashes);

#endif

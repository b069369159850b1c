/* curl_stand_in.h - stands in for libcurl: answers come from the input, and no network is used.
 * Each request gets the next answer:
 *
 *     200                      a status, or !28 for an error of libcurl
 *     ETag: "0123"             headers, which begin with Retry-After: 0
 *     (an empty line)
 *     the body
 *
 * Each address is that of the endpoint, with the token, or another one, without it; all are https.
 */
#ifndef ITH_TESTS_FUZZ_CURL_STAND_IN_H
#define ITH_TESTS_FUZZ_CURL_STAND_IN_H

#include "hub/libcurl.h"
#include "tests/fuzz/fuzz.h"

#include <stdarg.h>

#define FUZZ_ENDPOINT "https://hub.test"

enum { EASY_MAX = 64 };

typedef struct easy {
    bool used, sent, done, head;
    void *private, *header_user, *body_user;
    size_t (*header)(char *, size_t, size_t, void *);
    size_t (*body)(char *, size_t, size_t, void *);
    const char *url;
    const struct curl_slist *headers;
    char *error;
    char location[256];
    CURLMsg message;
} easy;

static struct {
    const uint8_t *data; /* answers to come */
    size_t size;
    bool failed; /* a connection has */
    easy list[EASY_MAX];
} stand_in;

static void *easy_init(void)
{
    for (size_t i = 0; i < EASY_MAX; i++)
        if (!stand_in.list[i].used) {
            stand_in.list[i] = (easy){.used = true};
            return &stand_in.list[i];
        }
    return NULL;
}

static void easy_cleanup(CURL *handle)
{
    ((easy *)handle)->used = false;
}

static CURLcode easy_setopt(CURL *handle, CURLoption option, ...)
{
    easy *e = handle;
    va_list values;

    va_start(values, option);
    switch (option) {
    case CURLOPT_PRIVATE:
        e->private = va_arg(values, void *);
        break;
    case CURLOPT_ERRORBUFFER:
        e->error = va_arg(values, char *);
        break;
    case CURLOPT_HEADERFUNCTION:
        e->header = va_arg(values, size_t(*)(char *, size_t, size_t, void *));
        break;
    case CURLOPT_HEADERDATA:
        e->header_user = va_arg(values, void *);
        break;
    case CURLOPT_WRITEFUNCTION:
        e->body = va_arg(values, size_t(*)(char *, size_t, size_t, void *));
        break;
    case CURLOPT_WRITEDATA:
        e->body_user = va_arg(values, void *);
        break;
    case CURLOPT_URL:
        e->url = va_arg(values, char *);
        break;
    case CURLOPT_HTTPHEADER:
        e->headers = va_arg(values, struct curl_slist *);
        break;
    case CURLOPT_NOBODY:
        e->head = true;
        break;
    default:
        break;
    }
    va_end(values);
    return CURLE_OK;
}

static CURLcode easy_getinfo(CURL *handle, CURLINFO what, ...)
{
    easy *e = handle;
    va_list values;

    va_start(values, what);
    if (what == CURLINFO_PRIVATE)
        *va_arg(values, void **) = e->private;
    else if (what == CURLINFO_REDIRECT_URL)
        *va_arg(values, char **) = e->location[0] != '\0' ? e->location : NULL;
    va_end(values);
    return CURLE_OK;
}

static CURLM *multi_init(void)
{
    return &stand_in;
}

static CURLMcode multi_cleanup(CURLM *multi)
{
    (void)multi;
    return CURLM_OK;
}

static CURLMcode multi_setopt(CURLM *multi, CURLMoption option, ...)
{
    (void)multi, (void)option;
    return CURLM_OK;
}

/* The token goes to the endpoint and nowhere else, and nothing goes without TLS. */
static CURLMcode multi_add_handle(CURLM *multi, CURL *handle)
{
    easy *e = handle;
    size_t len = strlen(FUZZ_ENDPOINT);
    bool home = strncasecmp(e->url, FUZZ_ENDPOINT, len) == 0 &&
                (e->url[len] == '/' || e->url[len] == '\0'),
         token = false;

    (void)multi;
    fuzz_must(strncasecmp(e->url, "https://", 8) == 0);
    for (const struct curl_slist *line = e->headers; line != NULL; line = line->next)
        token = token || strncmp(line->data, "Authorization:", 14) == 0;
    fuzz_must(token == home);
    e->location[0] = '\0';
    e->sent = true;
    e->done = false;
    return CURLM_OK;
}

static CURLMcode multi_remove_handle(CURLM *multi, CURL *handle)
{
    (void)multi;
    ((easy *)handle)->sent = false;
    return CURLM_OK;
}

static void send_header(easy *e, const char *text, size_t len)
{
    char *line = malloc(len + 1); /* an exact copy, without a NUL */

    fuzz_must(line != NULL);
    memcpy(line, text, len);
    fuzz_must(e->header(line, 1, len, e->header_user) == len);
    free(line);
    if (len > 10 && strncasecmp(text, "Location: ", 10) == 0)
        snprintf(e->location, sizeof e->location, "%.*s", (int)(len - 10), text + 10);
}

/* The body in two pieces. */
static CURLcode send_body(easy *e, ith_bytes body)
{
    size_t first = body.len / 2;

    if (first > 0 && e->body((char *)(uintptr_t)body.data, 1, first, e->body_user) != first)
        return CURLE_WRITE_ERROR;
    return body.len == 0 || e->body((char *)(uintptr_t)body.data + first, 1, body.len - first,
                                    e->body_user) == body.len - first
               ? CURLE_OK
               : CURLE_WRITE_ERROR;
}

static CURLcode answer(easy *e, ith_bytes all)
{
    char status[32];
    const char *end = memmem(all.data, all.len, "\n\n", 2), *line = all.data;
    size_t head = end != NULL ? (size_t)(end - all.data) : all.len, len = strcspn(line, "\n");
    ith_bytes body = {all.data + head + (end != NULL ? 2 : 0),
                      all.len - head - (end != NULL ? 2 : 0)};

    if (all.len > 0 && all.data[0] == '!') {
        stand_in.failed = true;
        if (e->error != NULL)
            snprintf(e->error, CURL_ERROR_SIZE, "%.*s", (int)len, line);
        return (CURLcode)(1 + (unsigned)atoi(all.data + 1) % (CURL_LAST - 1));
    }
    snprintf(status, sizeof status, "HTTP/2 %.*s", all.len > 0 ? (int)len : 3,
             all.len > 0 ? line : "404");
    send_header(e, status, strlen(status));
    send_header(e, "Retry-After: 0\r\n", 16);
    while ((size_t)(line - all.data) + len < head) {
        line += len + 1;
        len = strcspn(line, "\n");
        if ((size_t)(line - all.data) + len > head)
            len = head - (size_t)(line - all.data);
        send_header(e, line, len);
    }
    return e->head ? CURLE_OK : send_body(e, body);
}

static CURLMcode multi_perform(CURLM *multi, int *running)
{
    (void)multi;
    *running = 0;
    for (size_t i = 0; i < EASY_MAX; i++) {
        easy *e = &stand_in.list[i];
        ith_bytes part;
        if (!e->used || !e->sent || e->done)
            continue;
        part = fuzz_part(&stand_in.data, &stand_in.size);
        e->message = (CURLMsg){.msg = CURLMSG_DONE, .easy_handle = e};
        e->message.data.result = answer(e, part);
        e->done = true;
        fuzz_part_free(part);
    }
    return CURLM_OK;
}

static CURLMcode multi_poll(CURLM *multi, struct curl_waitfd *fds, unsigned n, int timeout_ms,
                            int *ready)
{
    (void)multi, (void)fds, (void)n, (void)timeout_ms, (void)ready;
    usleep(1000);
    return CURLM_OK;
}

static CURLMsg *multi_info_read(CURLM *multi, int *left)
{
    (void)multi;
    *left = 0;
    for (size_t i = 0; i < EASY_MAX; i++)
        if (stand_in.list[i].used && stand_in.list[i].sent && stand_in.list[i].done)
            return &stand_in.list[i].message;
    return NULL;
}

static CURLcode global_init(long flags)
{
    (void)flags;
    return CURLE_OK;
}

static const char *easy_strerror(CURLcode code)
{
    (void)code;
    return "an error";
}

static void slist_free_all(struct curl_slist *list)
{
    while (list != NULL) {
        struct curl_slist *next = list->next;
        free(list->data);
        free(list);
        list = next;
    }
}

static struct curl_slist *slist_append(struct curl_slist *list, const char *text)
{
    struct curl_slist *item = calloc(1, sizeof *item), **end = &list;

    fuzz_must(item != NULL && (item->data = strdup(text)) != NULL);
    while (*end != NULL)
        end = &(*end)->next;
    *end = item;
    return list;
}

/* Instead of that of src/hub/libcurl.c. */
const ith_libcurl *ith_libcurl_load(ith_error *err)
{
    static const ith_libcurl functions = {.global_init = global_init,
                                          .easy_init = easy_init,
                                          .easy_cleanup = easy_cleanup,
                                          .easy_setopt = easy_setopt,
                                          .easy_getinfo = easy_getinfo,
                                          .easy_strerror = easy_strerror,
                                          .multi_init = multi_init,
                                          .multi_cleanup = multi_cleanup,
                                          .multi_setopt = multi_setopt,
                                          .multi_add_handle = multi_add_handle,
                                          .multi_remove_handle = multi_remove_handle,
                                          .multi_perform = multi_perform,
                                          .multi_poll = multi_poll,
                                          .multi_info_read = multi_info_read,
                                          .slist_append = slist_append,
                                          .slist_free_all = slist_free_all};

    (void)err;
    return &functions;
}

#endif

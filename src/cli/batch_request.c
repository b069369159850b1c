/* batch_request.c - reads a line of requests: what stands beside the body. */
#include "cli/batch_request.h"

#include <stdio.h>
#include <string.h>

static ith_status wrong(ith_batch_request *r, const char *param, const char *expected,
                        ith_error *err)
{
    snprintf(r->body.param, sizeof r->body.param, "%.60s", param);
    return ith_fail(err, ITH_E_ARGUMENT, "%s: expected %s", param, expected);
}

static ith_status unknown(ith_batch_request *r, const char *name, ith_error *err)
{
    snprintf(r->body.param, sizeof r->body.param, "%.48s", name);
    return ith_fail(err, ITH_E_UNSUPPORTED, "%s: this field is not supported", r->body.param);
}

/* A string without a NUL; NULL: it is none. */
static const char *text_of(const json_t *value)
{
    const char *text = json_string_value(value);
    return text != NULL && strlen(text) == json_string_length(value) ? text : NULL;
}

/* By its address, or without one by what it has. */
static ith_status find_endpoint(ith_batch_request *r, const json_t *body, ith_error *err)
{
    const json_t *value = json_object_get(r->root, "url");
    const char *url = text_of(value);

    r->body.chat = json_object_get(body, "messages") != NULL;
    if (value == NULL || json_is_null(value))
        return ITH_OK;
    r->body.chat = url != NULL && strcmp(url, "/v1/chat/completions") == 0;
    return r->body.chat || (url != NULL && strcmp(url, "/v1/completions") == 0)
               ? ITH_OK
               : wrong(r, "url", "/v1/chat/completions or /v1/completions", err);
}

/* Beside the body. */
static ith_status take_line(ith_batch_request *r, ith_error *err)
{
    static const char *const known[] = {"custom_id", "method", "url", "body"};
    const json_t *method = json_object_get(r->root, "method");
    const char *name;
    json_t *value;

    json_object_foreach (r->root, name, value) {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            found = found || strcmp(name, known[i]) == 0;
        if (!found && !json_is_null(value))
            return unknown(r, name, err);
    }
    if (method != NULL && (text_of(method) == NULL || strcmp(text_of(method), "POST") != 0))
        return wrong(r, "method", "POST", err);
    return r->custom_id != NULL && r->custom_id[0] != 0
               ? ITH_OK
               : wrong(r, "custom_id", "a text that names the request", err);
}

ith_status ith_batch_request_read(ith_batch_request *r, const char *text, size_t len,
                                  ith_error *err)
{
    json_t *body;

    r->body.prefix = "body.";
    if (!ith_request_is_flat(text, len))
        return ith_fail(err, ITH_E_ARGUMENT, "the line is nested deeper than %d lists and objects",
                        ITH_REQUEST_NESTING);
    ITH_TRY(ith_request_parse(&r->body, text, len, "the line", &r->root, err));
    if (!json_is_object(r->root))
        return ith_fail(err, ITH_E_FORMAT, "the line is not a JSON object");
    r->custom_id = text_of(json_object_get(r->root, "custom_id"));
    ITH_TRY(take_line(r, err));
    body = json_object_get(r->root, "body");
    if (!json_is_object(body))
        return wrong(r, "body", "an object", err);
    ITH_TRY(find_endpoint(r, body, err));
    return ith_request_read(&r->body, body, err);
}

void ith_batch_request_free(ith_batch_request *r)
{
    ith_request_free(&r->body);
    json_decref(r->root);
    *r = (ith_batch_request){0};
}

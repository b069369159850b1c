/* page.c - the page at "/", which is part of the program, and what a browser lets it do. */
#include "serve/page.inc"
#include "serve/visit.h"

#include <string.h>

static const char text[] = PAGE_TEXT;
static const char version[] = "\"" PAGE_VERSION "\"";

/* Its own style and script, this server, and nothing else; no text becomes HTML. */
static const char policy[] = "default-src 'none'; script-src '" PAGE_SCRIPT
                             "'; style-src '" PAGE_STYLE "'; connect-src 'self'; img-src data:; "
                             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
                             "require-trusted-types-for 'script'; trusted-types 'none'";

static const struct {
    const char *name, *value;
} headers[] = {
    {"Content-Type", "text/html; charset=utf-8"},
    {"Content-Security-Policy", policy},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cache-Control", "no-cache"}, /* kept, but asked for by ETag */
    {"ETag", version},
};

/* Has the client this version? */
static bool is_known(const ith_visit *x)
{
    const char *known =
        MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);
    return known != NULL && strstr(known, version) != NULL;
}

enum MHD_Result ith_visit_page(ith_visit *x)
{
    bool known = is_known(x);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        known ? 0 : sizeof text - 1, (void *)text, MHD_RESPMEM_PERSISTENT);

    for (size_t i = 0; response != NULL && i < sizeof headers / sizeof *headers; i++)
        MHD_add_response_header(response, headers[i].name, headers[i].value);
    return ith_visit_respond(x, known ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response);
}

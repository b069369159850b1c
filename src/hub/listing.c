/* listing.c - asks the hub what is in a repository. */
#include "hub/listing.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LISTING_BYTES = 64 << 20, FILES_MAX = 50000, URL_BYTES = 4096, HEADS_AT_ONCE = 4 };

void ith_hub_listing_free(ith_hub_listing *listing)
{
    for (size_t i = 0; i < listing->n; i++)
        free(listing->files[i].name);
    free(listing->files);
    *listing = (ith_hub_listing){.commit = ""};
}

void ith_hub_what(const ith_hub_name *name, char out[ITH_HUB_WHAT])
{
    bool main = strcmp(name->revision, "main") == 0;

    snprintf(out, ITH_HUB_WHAT, "%s%s%s", name->repo, main ? "" : "@", main ? "" : name->revision);
}

/* ---- JSON ---- */

static bool is_digest(const char *text)
{
    size_t len = strlen(text);
    return (len == 64 || len == 40) && strspn(text, "0123456789abcdef") == len;
}

/* A name with "..", or that begins with a slash: not from Git. */
static bool leads_out(const char *name)
{
    const char *component = name;

    if (name[0] == '/')
        return true;
    for (;;) {
        size_t len = strcspn(component, "/");
        if (len == 2 && component[0] == '.' && component[1] == '.')
            return true;
        if (component[len] == '\0')
            return false;
        component += len + 1;
    }
}

/* A large file has its SHA-256 under "lfs"; of a small one there is Git's own. */
static ith_status read_file(const json_t *entry, const char *what, ith_hub_file *file,
                            ith_error *err)
{
    const json_t *lfs = json_object_get(entry, "lfs");
    const char *digest = NULL;

    file->bytes = -1;
    ITH_TRY(ith_json_int(entry, what, "size", 0, INT64_MAX, &file->bytes, err));
    if (json_is_object(lfs)) {
        ITH_TRY(ith_json_string(lfs, what, "sha256", &digest, err));
        ITH_TRY(ith_json_int(lfs, what, "size", 0, INT64_MAX, &file->bytes, err));
    } else {
        ITH_TRY(ith_json_string(entry, what, "blobId", &digest, err));
    }
    if (digest != NULL && is_digest(digest))
        snprintf(file->digest, sizeof file->digest, "%s", digest);
    return ITH_OK;
}

/* `names`: those of the files before it. */
static ith_status add_file(const json_t *entry, const char *what, json_t *names,
                           ith_hub_listing *listing, ith_error *err)
{
    ith_hub_file file = {.digest = ""};
    const char *name = NULL;

    if (!json_is_object(entry))
        return ith_fail(err, ITH_E_FORMAT, "%s: the hub's list of files is no such list", what);
    ITH_TRY(ith_json_string(entry, what, "rfilename", &name, err));
    if (name == NULL || leads_out(name))
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: the server lists a file that no repository can have: \"%s\"", what,
                        name != NULL ? name : "");
    if (!ith_hub_path_is_safe(name))
        return ITH_OK;
    if (json_object_get(names, name) != NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: the server lists a file twice: %s", what, name);
    ITH_TRY(read_file(entry, what, &file, err));
    file.name = strdup(name);
    if (file.name == NULL || json_object_set_new(names, name, json_true()) != 0) {
        free(file.name);
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for its list of files", what);
    }
    listing->files[listing->n++] = file;
    return ITH_OK;
}

ith_status ith_hub_listing_parse(const char *text, size_t len, const char *what,
                                 ith_hub_listing *listing, ith_error *err)
{
    json_t *root = NULL, *names = NULL, *siblings;
    const char *commit = NULL;
    ith_status status;
    size_t n;

    *listing = (ith_hub_listing){.commit = ""};
    ITH_CHECK(ith_json_parse(text, len, what, &root, err));
    siblings = json_object_get(root, "siblings");
    ITH_CHECK(json_is_object(root) ? ith_json_string(root, what, "sha", &commit, err) : ITH_OK);
    n = json_array_size(siblings);
    if (commit == NULL || !ith_hub_is_commit(commit) || !json_is_array(siblings))
        ITH_CHECK(ith_fail(err, ITH_E_FORMAT,
                           "%s: the server's answer is no description of a model (\"sha\" and "
                           "\"siblings\")",
                           what));
    if (n > FILES_MAX)
        ITH_CHECK(
            ith_fail(err, ITH_E_UNSUPPORTED, "%s: it has more than %d files", what, FILES_MAX));
    snprintf(listing->commit, sizeof listing->commit, "%s", commit);
    listing->files = calloc(n + 1, sizeof *listing->files);
    names = json_object();
    if (listing->files == NULL || names == NULL)
        ITH_CHECK(ith_fail(err, ITH_E_MEMORY, "%s: no memory for its list of files", what));
    for (size_t i = 0; i < n; i++)
        ITH_CHECK(add_file(json_array_get(siblings, i), what, names, listing, err));
done:
    json_decref(names);
    json_decref(root);
    if (status != ITH_OK)
        ith_hub_listing_free(listing);
    return status;
}

/* ---- The list of files ---- */

/* An answer, kept in memory. */
typedef struct text {
    const char *what;
    char *data;
    size_t len, cap;
} text;

static bool keep_text(void *user, const ith_http_reply *reply, const char *data, size_t n)
{
    text *t = user;

    (void)reply;
    if (n > LISTING_BYTES - t->len)
        return false;
    if (t->len + n > t->cap) {
        size_t cap = 2 * (t->len + n);
        char *grown = realloc(t->data, cap);
        if (grown == NULL)
            return false;
        t->data = grown;
        t->cap = cap;
    }
    memcpy(t->data + t->len, data, n);
    t->len += n;
    return true;
}

/* A second attempt begins with nothing. */
static ith_ready empty_text(void *user, int64_t *from, ith_error *err)
{
    text *t = user;

    (void)err;
    *from = 0;
    t->len = 0;
    return ITH_READY_SEND;
}

static ith_status text_ends(void *user, const ith_http_reply *reply, bool *again, ith_error *err)
{
    const text *t = user;

    (void)again;
    if (reply->refused)
        return ith_fail(err, ITH_E_FORMAT, "%s: the server's answer is too long", t->what);
    if (reply->status == 200)
        return ITH_OK;
    return ith_fail(err, ITH_E_IO, "%s: the server answers with status %ld", t->what,
                    reply->status);
}

static bool api_url(const ith_hub_settings *s, const ith_hub_name *name, char *url)
{
    snprintf(url, URL_BYTES, "%s/api/models/", s->endpoint);
    return ith_http_append(url, URL_BYTES, name->repo, true) &&
           ith_http_append(url, URL_BYTES, "/revision/", true) &&
           ith_http_append(url, URL_BYTES - 16, name->revision, false) &&
           strcat(url, "?blobs=true") != NULL;
}

/* The answer to one address, whole. */
static ith_status get_text(ith_http *http, const ith_hub_settings *s, const char *url,
                           const char *what, ith_transfer_tick tick, void *user, text *t,
                           ith_error *err)
{
    ith_transfer transfer = {.url = url,
                             .what = what,
                             .prepare = empty_text,
                             .receive = keep_text,
                             .finish = text_ends,
                             .user = t};

    *t = (text){.what = what};
    return ith_transfers_run(http, s, &transfer, 1, 1, tick, user, err);
}

ith_status ith_hub_listing_get(ith_http *http, const ith_hub_settings *s, const ith_hub_name *name,
                               ith_transfer_tick tick, void *user, ith_hub_listing *listing,
                               ith_error *err)
{
    char url[URL_BYTES], what[ITH_HUB_WHAT];
    ith_status status;
    text t;

    *listing = (ith_hub_listing){.commit = ""};
    ith_hub_what(name, what);
    if (!api_url(s, name, url))
        return ith_fail(err, ITH_E_ARGUMENT, "%s: the name is too long", what);
    status = get_text(http, s, url, what, tick, user, &t, err);
    if (status == ITH_OK)
        status = ith_hub_listing_parse(t.data, t.len, what, listing, err);
    free(t.data);
    return status;
}

/* ---- Single files ---- */

char *ith_hub_file_url(const ith_hub_settings *s, const ith_hub_name *name, const char *commit,
                       const char *file)
{
    size_t size = strlen(s->endpoint) + 3 * (strlen(name->repo) + strlen(file)) + 128;
    char *url = malloc(size);

    if (url == NULL)
        return NULL;
    snprintf(url, size, "%s/", s->endpoint);
    ith_http_append(url, size, name->repo, true);
    ith_http_append(url, size, "/resolve/", true);
    ith_http_append(url, size, commit, false);
    ith_http_append(url, size, "/", true);
    ith_http_append(url, size, file, true);
    return url;
}

char *ith_hub_file_what(const ith_hub_name *name, const char *file)
{
    char *what;

    return asprintf(&what, "%s: %s", name->repo, file) < 0 ? NULL : what;
}

ith_status ith_hub_file_get(ith_http *http, const ith_hub_settings *s, const ith_hub_name *name,
                            const char *commit, const char *file, ith_transfer_tick tick,
                            void *user, char **out, size_t *len, ith_error *err)
{
    char *url = ith_hub_file_url(s, name, commit, file), *what = ith_hub_file_what(name, file);
    text t = {.data = NULL};
    ith_status status;

    if (url == NULL || what == NULL)
        status = ith_fail(err, ITH_E_MEMORY, "%s: no memory for its address", file);
    else
        status = get_text(http, s, url, what, tick, user, &t, err);
    free(url);
    free(what);
    if (status != ITH_OK) {
        free(t.data);
        t = (text){.data = NULL};
    }
    *out = t.data;
    *len = t.len;
    return status;
}

static ith_status head_ends(void *user, const ith_http_reply *reply, bool *again, ith_error *err)
{
    ith_hub_file *file = user;

    (void)again;
    file->bytes = reply->linked_size >= 0 ? reply->linked_size : reply->length;
    if (is_digest(reply->etag))
        snprintf(file->digest, sizeof file->digest, "%s", reply->etag);
    if (file->bytes >= 0 && file->digest[0] != '\0')
        return ITH_OK;
    return ith_fail(err, ITH_E_FORMAT, "%s: the server tells neither size nor checksum of it",
                    file->name);
}

ith_status ith_hub_listing_complete(ith_http *http, const ith_hub_settings *s,
                                    const ith_hub_name *name, const bool *chosen,
                                    ith_transfer_tick tick, void *user, ith_hub_listing *listing,
                                    ith_error *err)
{
    ith_transfer *transfers = calloc(listing->n + 1, sizeof *transfers);
    ith_status status = ITH_OK;
    size_t n = 0;

    for (size_t i = 0; transfers != NULL && i < listing->n; i++) {
        ith_hub_file *file = &listing->files[i];
        if (!chosen[i] || (file->bytes >= 0 && file->digest[0] != '\0'))
            continue;
        transfers[n++] =
            (ith_transfer){.url = ith_hub_file_url(s, name, listing->commit, file->name),
                           .what = ith_hub_file_what(name, file->name),
                           .head = true,
                           .finish = head_ends,
                           .user = file};
        if (transfers[n - 1].url == NULL || transfers[n - 1].what == NULL)
            status = ITH_E_MEMORY;
    }
    if (transfers == NULL || status != ITH_OK)
        status = ith_fail(err, ITH_E_MEMORY, "%s: no memory for its list of files", name->repo);
    else if (n > 0)
        status = ith_transfers_run(http, s, transfers, n, HEADS_AT_ONCE, tick, user, err);
    for (size_t i = 0; i < n; i++) {
        free((char *)transfers[i].url);
        free((char *)transfers[i].what);
    }
    free(transfers);
    return status;
}

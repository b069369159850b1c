/* cache_tools.c - `ithaca cache`: listing, verifying and emptying an archive. */
#include "base/fpenv.h"
#include "base/json.h"
#include "ithaca_tools.h"
#include "keep/archive.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct folder {
    ith_archive *archive;
    ith_archived *list; /* [n] */
    int64_t n;
} folder;

static void close_folder(folder *f)
{
    free(f->list);
    ith_archive_close(f->archive);
}

/* A missing folder is an error here; it is not created. Clears *json, which a failure leaves so. */
static ith_status open_folder(const char *path, char **json, folder *f, ith_error *err)
{
    DIR *dir = opendir(path);

    *f = (folder){0};
    if (json != NULL)
        *json = NULL;
    if (dir == NULL)
        return ith_fail(err, ITH_E_IO, "%s: %s", path, strerror(errno));
    closedir(dir);
    ITH_TRY(ith_archive_open(path, true, false, &f->archive, err));
    return ith_archive_list(f->archive, &f->list, &f->n, err);
}

static ith_status give(json_t *root, char **json, ith_error *err)
{
    char *text = root == NULL ? NULL : ith_json_text(root, false);

    json_decref(root);
    if (text == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the result's JSON text");
    if (json != NULL)
        *json = text;
    else
        free(text);
    return ITH_OK;
}

static int64_t sum_bytes(const ith_archived *list, int64_t n)
{
    int64_t bytes = 0;
    for (int64_t i = 0; i < n; i++)
        bytes += list[i].bytes;
    return bytes;
}

static json_t *describe(const ith_archived *s)
{
    char key[ITH_KEY_HEX], parent[ITH_KEY_HEX];

    ith_key_hex(&s->key, key);
    ith_key_hex(&s->parent, parent);
    return json_pack("{s:s, s:s, s:I, s:i, s:I, s:I, s:b, s:b, s:s, s:s, s:i, s:i}", "key", key,
                     "parent", parent, "start", (json_int_t)s->start, "tokens", s->n, "bytes",
                     (json_int_t)s->bytes, "used", (json_int_t)(s->used_ns / 1000000000),
                     "complete", s->complete, "states", s->states, "model", s->model, "kv",
                     ith_kv_layout_name(s->shape.layout), "layers", s->shape.n_layers, "kv_heads",
                     s->shape.n_heads);
}

ith_status ith_cache_list(const char *path, char **json, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    folder f;
    ith_status status = open_folder(path, json, &f, err);

    if (status == ITH_OK) {
        json_t *segments = json_array();
        for (int64_t i = 0; i < f.n; i++)
            json_array_append_new(segments, describe(&f.list[i]));
        status = give(json_pack("{s:o, s:I, s:o}", "folder", ith_json_c_string(path), "bytes",
                                (json_int_t)sum_bytes(f.list, f.n), "segments", segments),
                      json, err);
    }
    close_folder(&f);
    return status;
}

/* ---- Removing ---- */

static ith_status find_by_key(const folder *f, const char *key, int64_t *found, ith_error *err)
{
    char hex[ITH_KEY_HEX];

    *found = -1;
    for (int64_t i = 0; i < f->n; i++) {
        ith_key_hex(&f->list[i].key, hex);
        if (key[0] == '\0' || strncmp(hex, key, strlen(key)) != 0)
            continue;
        if (*found >= 0)
            return ith_fail(err, ITH_E_ARGUMENT, "%s: more than one key begins with %s",
                            ith_archive_folder(f->archive), key);
        *found = i;
    }
    return *found >= 0 ? ITH_OK
                       : ith_fail(err, ITH_E_ARGUMENT, "%s: no key begins with \"%s\"",
                                  ith_archive_folder(f->archive), key);
}

/* Removes segment i from the folder and the list. */
static void drop(folder *f, int64_t i)
{
    ith_archive_remove(f->archive, &f->list[i].parent, &f->list[i].key);
    f->list[i] = f->list[--f->n];
}

static bool is_needed(const folder *f, const ith_key *key)
{
    for (int64_t i = 0; i < f->n; i++)
        if (ith_key_equal(&f->list[i].parent, key))
            return true;
    return false;
}

static int64_t find_exact(const folder *f, const ith_key *key)
{
    for (int64_t i = 0; i < f->n; i++)
        if (ith_key_equal(&f->list[i].key, key))
            return i;
    return -1;
}

/* From the end of a timeline towards its start, until a segment that another timeline needs. */
static ith_status drop_timeline(folder *f, const char *key, ith_error *err)
{
    int64_t at;

    ITH_TRY(find_by_key(f, key, &at, err));
    if (is_needed(f, &f->list[at].key))
        return ith_fail(
            err, ITH_E_ARGUMENT,
            "%s: segment %s is followed by others: give the key of the last segment of a timeline",
            ith_archive_folder(f->archive), key);
    while (at >= 0 && !is_needed(f, &f->list[at].key)) {
        ith_key parent = f->list[at].parent;
        drop(f, at);
        at = find_exact(f, &parent);
    }
    return ITH_OK;
}

ith_status ith_cache_remove(const char *path, const char *key, char **json, ith_error *err)
{
    ITH_NEED_ERROR(err);
    folder f;
    ith_status status = open_folder(path, json, &f, err);

    if (status == ITH_OK) {
        int64_t n = f.n, bytes = sum_bytes(f.list, f.n);
        if (key != NULL)
            status = drop_timeline(&f, key, err);
        while (key == NULL && f.n > 0)
            drop(&f, f.n - 1);
        if (status == ITH_OK)
            status = give(json_pack("{s:I, s:I}", "segments", (json_int_t)(n - f.n), "bytes",
                                    (json_int_t)(bytes - sum_bytes(f.list, f.n))),
                          json, err);
    }
    close_folder(&f);
    return status;
}

/* ---- Verifying ---- */

typedef struct findings {
    json_t *damaged;
    int64_t incomplete;
} findings;

/* A segment that lacks a file is not damaged: it is being written or removed. */
static void look_into(const folder *f, const ith_archived *s, ith_kvfile_buffer *buffer,
                      findings *found)
{
    ith_error why = {0};

    if (s->described && !s->complete)
        found->incomplete++;
    else if (ith_archive_verify(f->archive, s, buffer, &why) != ITH_OK)
        json_array_append_new(found->damaged, json_string(why.text));
}

static ith_status verify_all(const folder *f, ith_progress_fn progress, void *user, findings *found,
                             ith_error *err)
{
    int64_t total = sum_bytes(f->list, f->n), done = 0;
    ith_kvfile_buffer *buffer;
    ith_status status = ith_kvfile_buffer_open(&buffer, err);

    for (int64_t i = 0; status == ITH_OK && i < f->n; i++) {
        if (progress != NULL && !progress(user, "verify", done, total))
            status = ith_fail(err, ITH_E_CANCELLED, "stopped");
        else
            look_into(f, &f->list[i], buffer, found);
        done += f->list[i].bytes;
    }
    ith_kvfile_buffer_close(buffer);
    return status;
}

ith_status ith_cache_verify(const char *path, ith_progress_fn progress, void *user, char **json,
                            ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    findings found = {json_array(), 0};
    folder f;
    ith_status status = open_folder(path, json, &f, err);

    if (status == ITH_OK)
        status = verify_all(&f, progress, user, &found, err);
    if (status == ITH_OK)
        status = give(json_pack("{s:I, s:I, s:O, s:I}", "segments", (json_int_t)f.n, "bytes",
                                (json_int_t)sum_bytes(f.list, f.n), "damaged", found.damaged,
                                "incomplete", (json_int_t)found.incomplete),
                      json, err);
    json_decref(found.damaged);
    close_folder(&f);
    return status;
}

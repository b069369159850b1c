/* pull.c - ith_pull: downloads a model from the hub into Hugging Face's cache. */
#include "base/json.h"
#include "base/progress.h"
#include "formats/hub_cache.h"
#include "formats/hub_choose.h"
#include "hub/blob.h"
#include "hub/snapshot.h"
#include "ithaca_tools.h"

#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 4, AT_ONCE_MAX = 16 };

static const double tick_s = 0.1;

/* A chosen file. */
typedef struct item {
    ith_hub_file *file;
    ith_blob blob; /* zeroed if it is there already */
    bool there;
    int64_t before; /* bytes that an earlier download has left */
} item;

typedef struct pull {
    const ith_pull_params *params;
    ith_hub_name name;
    char what[ITH_HUB_WHAT];
    char cache[ITH_PATH_MAX];
    ith_hub_settings settings;
    ith_http *http;
    ith_hub_listing listing;
    const char **names; /* [listing.n] */
    ith_hub_choice choice;
    ith_snapshot snapshot;
    item *items;
    size_t n;
    int64_t total, left; /* bytes of all items, and of those that have to come */
    double ticked_s;
} pull;

ith_pull_params ith_pull_params_default(void)
{
    return (ith_pull_params){.model = NULL};
}

/* ---- Progress ---- */

static int64_t bytes_done(const pull *p)
{
    int64_t done = 0;

    for (size_t i = 0; i < p->n; i++) {
        const item *it = &p->items[i];
        int64_t of_blob = it->blob.done;
        if (it->there || it->blob.complete)
            of_blob = it->file->bytes;
        else if (of_blob < it->before && !it->blob.restarted)
            of_blob = it->before;
        done += of_blob;
    }
    return done;
}

static bool tick(void *user, bool now)
{
    pull *p = user;
    double time_s = ith_now_s();

    if (p->params->progress == NULL || (!now && time_s - p->ticked_s < tick_s))
        return true;
    p->ticked_s = time_s;
    return p->params->progress(p->params->progress_user, "download", bytes_done(p), p->total);
}

/* An ith_transfer_tick. */
static bool tick_between(void *user)
{
    return tick(user, false);
}

/* ---- What to download ---- */

static ith_status no_memory(const pull *p, ith_error *err)
{
    return ith_fail(err, ITH_E_MEMORY, "%s: no memory for its list of files", p->what);
}

static ith_status read_name(pull *p, ith_error *err)
{
    const ith_pull_params *params = p->params;
    const char *why;

    if (params->model == NULL)
        return ith_fail(err, ITH_E_ARGUMENT, "the name of a model is missing: ORG/NAME");
    if (!ith_hub_name_read(params->model, &p->name, &why))
        return ith_fail(err, ITH_E_ARGUMENT, "%s: %s", params->model, why);
    if (params->revision != NULL && !ith_hub_name_set_revision(&p->name, params->revision))
        return ith_fail(err, ITH_E_ARGUMENT, "%s: that is no branch, tag or commit",
                        params->revision);
    if (params->at_once < 0 || params->at_once > AT_ONCE_MAX)
        return ith_fail(err, ITH_E_ARGUMENT, "files at a time: 1 to %d, not %d", AT_ONCE_MAX,
                        params->at_once);
    ith_hub_what(&p->name, p->what);
    return ITH_OK;
}

static ith_status list_names(pull *p, ith_error *err)
{
    p->names = calloc(p->listing.n + 1, sizeof *p->names);
    if (p->names == NULL)
        return no_memory(p, err);
    for (size_t i = 0; i < p->listing.n; i++)
        p->names[i] = p->listing.files[i].name;
    return ITH_OK;
}

/* The shards of a folder, by the hub's index. */
static ith_status choose_shards(pull *p, ith_error *err)
{
    char *text = NULL;
    size_t len = 0;
    ith_status status;

    if (!p->choice.folder || p->choice.index == SIZE_MAX)
        return ITH_OK;
    status = ith_hub_file_get(p->http, &p->settings, &p->name, p->listing.commit,
                              p->names[p->choice.index], tick_between, p, &text, &len, err);
    if (status == ITH_OK)
        status = ith_hub_choose_shards(p->what, text, len, p->names, p->listing.n, &p->choice, err);
    free(text);
    return status;
}

/* The chosen files, and which of them are there. */
static ith_status set_items(pull *p, ith_error *err)
{
    p->items = calloc(p->listing.n + 1, sizeof *p->items);
    if (p->items == NULL)
        return no_memory(p, err);
    for (size_t i = 0; i < p->listing.n; i++) {
        ith_hub_file *file = &p->listing.files[i];
        item *it = &p->items[p->n];
        if (!p->choice.chosen[i])
            continue;
        it->file = file;
        it->blob.fd = it->blob.lock_fd = -1;
        it->there = ith_snapshot_has(&p->snapshot, file);
        p->n++;
        if (file->bytes > INT64_MAX / 2 - p->total)
            return ith_fail(err, ITH_E_FORMAT, "%s: its files are larger than any disk", p->what);
        p->total += file->bytes;
        if (!it->there) {
            ITH_TRY(
                ith_blob_open(p->snapshot.repo, p->snapshot.locks, &p->name, file, &it->blob, err));
            it->blob.tick = tick;
            it->blob.user = p;
            it->before = ith_blob_bytes_there(&it->blob);
            p->left += file->bytes - it->before;
        }
    }
    return ITH_OK;
}

static ith_status choose(pull *p, ith_error *err)
{
    ITH_TRY(
        ith_hub_listing_get(p->http, &p->settings, &p->name, tick_between, p, &p->listing, err));
    ITH_TRY(list_names(p, err));
    ITH_TRY(ith_hub_choose(p->what, p->name.file, p->names, p->listing.n, &p->choice, err));
    ITH_TRY(choose_shards(p, err));
    ITH_TRY(ith_hub_listing_complete(p->http, &p->settings, &p->name, p->choice.chosen,
                                     tick_between, p, &p->listing, err));
    ITH_TRY(ith_snapshot_set(p->cache, &p->name, p->listing.commit, &p->snapshot, err));
    return set_items(p, err);
}

/* ---- The download ---- */

static ith_status run_transfers(pull *p, ith_transfer *transfers, char **urls, ith_error *err)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++) {
        item *it = &p->items[i];
        if (it->there)
            continue;
        urls[n] = ith_hub_file_url(&p->settings, &p->name, p->listing.commit, it->file->name);
        if (urls[n] == NULL)
            return no_memory(p, err);
        transfers[n] = (ith_transfer){.url = urls[n],
                                      .what = it->blob.what,
                                      .prepare = ith_blob_prepare,
                                      .receive = ith_blob_receive,
                                      .finish = ith_blob_finish,
                                      .user = &it->blob};
        n++;
    }
    return ith_transfers_run(p->http, &p->settings, transfers, n,
                             p->params->at_once > 0 ? p->params->at_once : AT_ONCE, tick_between, p,
                             err);
}

/* The names appear when all files are there, the revision last: until then other commands find
 * what was there before. */
static ith_status download(pull *p, ith_error *err)
{
    ith_transfer *transfers = calloc(p->n + 1, sizeof *transfers);
    char **urls = calloc(p->n + 1, sizeof *urls);
    ith_status status;

    if (transfers == NULL || urls == NULL)
        ITH_CHECK(no_memory(p, err));
    ITH_CHECK(ith_snapshot_make(&p->snapshot, err));
    ITH_CHECK(ith_snapshot_check_room(&p->snapshot, p->what, p->left, err));
    ITH_CHECK(run_transfers(p, transfers, urls, err));
    for (size_t i = 0; i < p->n; i++)
        ITH_CHECK(ith_snapshot_link(&p->snapshot, p->items[i].file, err));
    ITH_CHECK(ith_snapshot_set_ref(&p->snapshot, &p->name, p->listing.commit, err));
    if (p->params->progress != NULL && p->left > 0)
        p->params->progress(p->params->progress_user, "download", p->total, p->total);
done:
    for (size_t i = 0; urls != NULL && i < p->n; i++)
        free(urls[i]);
    free(urls);
    free(transfers);
    return status;
}

/* ---- The result ---- */

static json_t *files_json(const pull *p)
{
    json_t *files = json_array();

    for (size_t i = 0; i < p->n; i++)
        json_array_append_new(
            files, json_pack("{s:s, s:I, s:s, s:b}", "name", p->items[i].file->name, "bytes",
                             (json_int_t)p->items[i].file->bytes, "digest",
                             p->items[i].file->digest, "cached", (int)p->items[i].there));
    return files;
}

static ith_status describe(const pull *p, char **json, ith_error *err)
{
    bool folder = p->choice.folder;
    char *path = NULL;
    int64_t received = 0;
    json_t *root;

    *json = NULL;
    for (size_t i = 0; i < p->n; i++)
        received += p->items[i].blob.received;
    if (asprintf(&path, "%s%s%s", p->snapshot.folder, folder ? "" : "/",
                 folder ? "" : p->names[p->choice.first]) < 0)
        return no_memory(p, err);
    root = json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:o}", "model", p->name.repo, "revision",
                     p->name.revision, "commit", p->listing.commit, "path", ith_json_c_string(path),
                     "bytes", (json_int_t)p->total, "received", (json_int_t)received, "files",
                     files_json(p));
    free(path);
    *json = root != NULL ? ith_json_text(root, false) : NULL;
    json_decref(root);
    return *json != NULL ? ITH_OK : no_memory(p, err);
}

/* ---- */

static ith_status offline(const pull *p, ith_error *err)
{
    return ith_fail(err, ITH_E_IO, "%s: nothing is downloaded, since HF_HUB_OFFLINE is set",
                    p->what);
}

static void clear(pull *p)
{
    for (size_t i = 0; i < p->n; i++)
        ith_blob_close(&p->items[i].blob);
    free(p->items);
    free(p->choice.chosen);
    free(p->names);
    ith_hub_listing_free(&p->listing);
    ith_http_close(p->http);
}

ith_status ith_pull(const ith_pull_params *params, char **json, ith_error *err)
{
    ITH_NEED_ERROR(err);
    pull p = {.params = params};
    ith_status status;

    if (json != NULL)
        *json = NULL;
    ITH_TRY(read_name(&p, err));
    ITH_TRY(ith_hub_cache(p.cache, err));
    ITH_TRY(ith_hub_settings_read(&p.settings, err));
    if (p.settings.offline)
        return offline(&p, err);
    ITH_CHECK(ith_http_open(&p.settings, &p.http, err));
    ITH_CHECK(choose(&p, err));
    if (!params->dry_run)
        ITH_CHECK(download(&p, err));
    ITH_CHECK(json != NULL ? describe(&p, json, err) : ITH_OK);
done:
    clear(&p);
    return status;
}

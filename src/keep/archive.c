/* archive.c - segments in an archive: writing, reading, finding them. */
#include "keep/archive.h"

#include "keep/archive_names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct ith_archive {
    char folder[ITH_PATH_MAX - ITH_ARCHIVE_INSIDE];
    bool durable;
};

ith_status ith_archive_open(const char *folder, bool durable, ith_archive **out, ith_error *err)
{
    ith_archive *a = calloc(1, sizeof *a);
    ith_status status;

    *out = NULL;
    if (a == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for an archive", folder);
    a->durable = durable;
    if ((size_t)snprintf(a->folder, sizeof a->folder, "%s", folder) >= sizeof a->folder) {
        free(a);
        return ith_fail(err, ITH_E_ARGUMENT, "%s: the path is too long", folder);
    }
    status = ith_folder_make(folder, err);
    if (status != ITH_OK) {
        free(a);
        return status;
    }
    *out = a;
    return ITH_OK;
}

void ith_archive_close(ith_archive *archive)
{
    free(archive);
}

const char *ith_archive_folder(const ith_archive *archive)
{
    return archive->folder;
}

/* ---- One segment ---- */

static ith_kvfile_what what_of(const ith_segment *s, const ith_kv_shape *shape, int head)
{
    return (ith_kvfile_what){.key = s->key,
                             .layout = shape->layout,
                             .n_layers = shape->n_layers,
                             .head_dim = shape->head_dim,
                             .head = head,
                             .n_tokens = s->n};
}

/* All ranks write their files of a segment at once; the first one makes the folder. */
static ith_status make_folder(const ith_archive *a, const ith_key *parent, const ith_key *key,
                              ith_error *err)
{
    char path[ITH_PATH_MAX];

    ith_archive_name_segment(a->folder, parent, key, path);
    if (mkdir(path, 0777) != 0)
        return errno == EEXIST ? ITH_OK : ith_fail(err, ITH_E_IO, "%s: %s", path, strerror(errno));
    if (a->durable)
        ith_sync_folder(path);
    return ITH_OK;
}

bool ith_archive_holds(const ith_archive *archive, const ith_segment *segment, int head)
{
    char path[ITH_PATH_MAX];

    ith_archive_name_file(archive->folder, &segment->parent, &segment->key, head, path);
    return access(path, F_OK) == 0;
}

ith_status ith_archive_write(const ith_archive *archive, const ith_segment *segment,
                             const ith_kv_shape *shape, int head, const void *const *layers,
                             ith_kvfile_buffer *buffer, ith_error *err)
{
    ith_kvfile_what what = what_of(segment, shape, head);
    char path[ITH_PATH_MAX];

    ITH_TRY(make_folder(archive, &segment->parent, &segment->key, err));
    ith_archive_name_file(archive->folder, &segment->parent, &segment->key, head, path);
    return ith_kvfile_write(path, &what, layers, archive->durable, buffer, err);
}

ith_status ith_archive_read(const ith_archive *archive, const ith_segment *segment,
                            const ith_kv_shape *shape, int head, void *const *layers,
                            ith_kvfile_buffer *buffer, bool *missing, ith_error *err)
{
    ith_kvfile_what what = what_of(segment, shape, head);
    char path[ITH_PATH_MAX];

    ith_archive_name_file(archive->folder, &segment->parent, &segment->key, head, path);
    return ith_kvfile_read(path, &what, segment->used, layers, buffer, missing, err);
}

ith_status ith_archive_describe(const ith_archive *archive, const ith_manifest *m, ith_error *err)
{
    char path[ITH_PATH_MAX];

    ith_archive_name_manifest(archive->folder, &m->parent, &m->key, path);
    if (access(path, F_OK) == 0)
        return ITH_OK;
    ITH_TRY(make_folder(archive, &m->parent, &m->key, err));
    return ith_manifest_write(path, m, archive->durable, err);
}

void ith_archive_touch(const ith_archive *archive, const ith_segment *segments, int64_t n)
{
    struct timespec now;
    char path[ITH_PATH_MAX];

    clock_gettime(CLOCK_REALTIME, &now);
    for (int64_t i = 0; i < n; i++) {
        int64_t ns = now.tv_nsec - i * 1000;
        struct timespec at = {now.tv_sec, ns};
        for (; at.tv_nsec < 0; at.tv_nsec += 1000000000)
            at.tv_sec--;
        ith_archive_name_manifest(archive->folder, &segments[i].parent, &segments[i].key, path);
        utimensat(AT_FDCWD, path, (const struct timespec[2]){at, at}, 0);
    }
}

/* The manifest is removed first: without one, the rest is not a segment. */
void ith_archive_remove(const ith_archive *archive, const ith_key *parent, const ith_key *key)
{
    char folder[ITH_PATH_MAX], path[ITH_PATH_MAX];
    struct dirent *entry;
    DIR *dir;

    ith_archive_name_manifest(archive->folder, parent, key, path);
    unlink(path);
    ith_archive_name_segment(archive->folder, parent, key, folder);
    dir = opendir(folder);
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (ith_archive_is_file(entry->d_name))
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir != NULL)
        closedir(dir);
    rmdir(folder);
}

/* ---- Finding ---- */

static bool same_shape(const ith_kv_shape *a, const ith_kv_shape *b)
{
    return a->layout == b->layout && a->n_layers == b->n_layers && a->n_heads == b->n_heads &&
           a->head_dim == b->head_dim;
}

static bool is_complete(const ith_archive *a, const ith_segment *s, const ith_kv_shape *shape)
{
    for (int head = 0; head < shape->n_heads; head++)
        if (!ith_archive_holds(a, s, head))
            return false;
    return true;
}

static int common(const int32_t *a, const int32_t *b, int64_t n)
{
    int i = 0;
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

/* Is the segment there, with the first of the tokens ids[n]? s->used: how many of them it begins
 * with. */
static bool look_at(const ith_archive *a, const ith_key *parent, const ith_key *key,
                    const ith_kv_shape *shape, const int32_t *ids, int64_t n, ith_segment *s)
{
    char path[ITH_PATH_MAX];
    ith_manifest m;

    ith_archive_name_manifest(a->folder, parent, key, path);
    if (ith_manifest_read(path, &m, NULL) != ITH_OK || !ith_key_equal(&m.key, key) ||
        !ith_key_equal(&m.parent, parent) || !same_shape(&m.shape, shape))
        return false;
    *s = (ith_segment){*parent, *key, m.n, common(m.ids, ids, n < m.n ? n : m.n)};
    return s->used > 0 && is_complete(a, s, shape);
}

/* Of all segments that follow `parent`, *s becomes the one with the most tokens in common with
 * ids[n], if that is more than s->used. */
static ith_status look_through(const ith_archive *a, const ith_key *parent,
                               const ith_kv_shape *shape, const int32_t *ids, int64_t n,
                               ith_segment *s, ith_error *err)
{
    DIR *dir = opendir(a->folder);
    struct dirent *entry;
    ith_key from, key;
    ith_segment found;

    if (dir == NULL)
        return ith_fail(err, ITH_E_IO, "%s: %s", a->folder, strerror(errno));
    while ((entry = readdir(dir)) != NULL)
        if (ith_archive_parse_name(entry->d_name, &from, &key) && ith_key_equal(&from, parent) &&
            look_at(a, parent, &key, shape, ids, n, &found) && found.used > s->used)
            *s = found;
    closedir(dir);
    return ITH_OK;
}

ith_status ith_archive_find(const ith_archive *archive, const ith_key *root,
                            const ith_kv_shape *shape, const int32_t *ids, int64_t n,
                            ith_segment **segments, int64_t *n_segments, ith_error *err)
{
    size_t most = (size_t)(n / ITH_KV_SEGMENT + 1);
    ith_segment *list = calloc(most, sizeof *list), *s = list;
    ith_key parent = *root;
    ith_status status = ITH_OK;

    *segments = list;
    *n_segments = 0;
    if (list == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %zu segments", most);
    for (int64_t at = 0; status == ITH_OK && at < n; at += ITH_KV_SEGMENT, s++) {
        if (n - at >= ITH_KV_SEGMENT) { /* a whole segment is found by its name */
            ith_key key = ith_key_next(&parent, ids + at, ITH_KV_SEGMENT);
            if (!look_at(archive, &parent, &key, shape, ids + at, n - at, s))
                s->used = 0;
        }
        if (s->used < ITH_KV_SEGMENT)
            status = look_through(archive, &parent, shape, ids + at, n - at, s, err);
        *n_segments += s->used > 0;
        parent = s->key;
        if (s->used < ITH_KV_SEGMENT)
            break;
    }
    return status;
}

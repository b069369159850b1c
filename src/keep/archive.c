/* archive.c - segments in an archive: writing, reading, finding them. */
#include "keep/archive.h"

#include "base/range.h"
#include "keep/archive_names.h"
#include "state/recurrent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct ith_archive {
    char folder[ITH_PATH_MAX - ITH_ARCHIVE_INSIDE];
    int fd; /* the open folder */
    bool durable;
};

ith_status ith_archive_open(const char *folder, bool follow, bool durable, ith_archive **out,
                            ith_error *err)
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
    status = ith_folder_open(folder, follow, &a->fd, err);
    if (status != ITH_OK) {
        free(a);
        return status;
    }
    *out = a;
    return ITH_OK;
}

void ith_archive_close(ith_archive *archive)
{
    if (archive != NULL)
        close(archive->fd);
    free(archive);
}

const char *ith_archive_folder(const ith_archive *archive)
{
    return archive->folder;
}

int ith_archive_descriptor(const ith_archive *archive)
{
    return archive->fd;
}

/* ---- One segment ---- */

static ith_kvfile_what what_of(const ith_segment *s, const ith_kv_shape *shape, ith_head_file which)
{
    if (which.state)
        return (ith_kvfile_what){.key = s->key,
                                 .n_layers = shape->state_layers,
                                 .head_dim = shape->state_floats,
                                 .state = true,
                                 .head = which.head,
                                 .n_tokens = (int)ith_recurrent_back(s->start + s->n)};
    return (ith_kvfile_what){.key = s->key,
                             .layout = shape->layout,
                             .n_layers = shape->n_layers,
                             .head_dim = shape->head_dim,
                             .latent = shape->latent,
                             .head = which.head,
                             .n_tokens = s->n};
}

static int enter(const ith_archive *a, const ith_key *parent, const ith_key *key)
{
    char path[ITH_PATH_MAX];

    ith_archive_name_segment(a->folder, parent, key, path);
    return ith_archive_enter(a->fd, path);
}

/* All ranks write their files of a segment at once; the first one makes the folder. */
static ith_status make_folder(const ith_archive *a, const ith_key *parent, const ith_key *key,
                              int *fd, ith_error *err)
{
    char path[ITH_PATH_MAX];

    ith_archive_name_segment(a->folder, parent, key, path);
    if (mkdirat(a->fd, ith_path_within(a->fd, path), 0700) != 0 && errno != EEXIST)
        return ith_fail(err, ITH_E_IO, "%s: %s", path, strerror(errno));
    if (a->durable)
        fsync(a->fd);
    *fd = ith_archive_enter(a->fd, path);
    return *fd >= 0 ? ITH_OK : ith_fail(err, ITH_E_IO, "%s: %s", path, strerror(errno));
}

/* Does the segment's open folder have this file? */
static bool has_file(int folder, ith_head_file which)
{
    char name[ITH_PATH_MAX];
    struct stat info;

    ith_archive_name_head(which, name);
    return fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode);
}

/* This one and those of the heads after it, n in all. */
static bool has_files(const ith_archive *a, const ith_segment *s, ith_head_file which, int n)
{
    int folder = enter(a, &s->parent, &s->key), end = which.head + n;

    while (folder >= 0 && which.head < end && has_file(folder, which))
        which.head++;
    if (folder >= 0)
        close(folder);
    return folder >= 0 && which.head == end;
}

bool ith_archive_holds(const ith_archive *archive, const ith_segment *segment, ith_head_file which)
{
    return has_files(archive, segment, which, 1);
}

bool ith_archive_holds_all(const ith_archive *archive, const ith_segment *segment,
                           const ith_kv_shape *shape)
{
    return has_files(archive, segment, (ith_head_file){0}, shape->n_heads);
}

bool ith_archive_holds_states(const ith_archive *archive, const ith_segment *segment,
                              const ith_kv_shape *shape)
{
    return shape->state_layers > 0 &&
           has_files(archive, segment, (ith_head_file){.state = true}, shape->state_heads);
}

ith_status ith_archive_write(const ith_archive *archive, const ith_segment *segment,
                             const ith_kv_shape *shape, ith_head_file which,
                             const void *const *layers, ith_kvfile_buffer *buffer, ith_error *err)
{
    ith_kvfile_what what = what_of(segment, shape, which);
    char path[ITH_PATH_MAX];
    ith_status status;
    int folder;

    ITH_TRY(make_folder(archive, &segment->parent, &segment->key, &folder, err));
    ith_archive_name_file(archive->folder, &segment->parent, &segment->key, which, path);
    status = ith_kvfile_write(folder, path, &what, layers, archive->durable, buffer, err);
    close(folder);
    return status;
}

ith_status ith_archive_read(const ith_archive *archive, const ith_segment *segment,
                            const ith_kv_shape *shape, ith_head_file which, void *const *layers,
                            ith_kvfile_buffer *buffer, bool *missing, ith_error *err)
{
    ith_kvfile_what what = what_of(segment, shape, which);
    int folder = enter(archive, &segment->parent, &segment->key);
    char path[ITH_PATH_MAX];
    ith_status status;

    ith_archive_name_file(archive->folder, &segment->parent, &segment->key, which, path);
    *missing = folder < 0;
    if (folder < 0)
        return ith_fail(err, ITH_E_IO, "%s: %s", path, strerror(errno));
    status = ith_kvfile_read(folder, path, &what, segment->used, layers, buffer, missing, err);
    close(folder);
    return status;
}

ith_status ith_archive_describe(const ith_archive *archive, const ith_manifest *m, ith_error *err)
{
    char path[ITH_PATH_MAX];
    ith_status status = ITH_OK;
    int folder;

    ITH_TRY(make_folder(archive, &m->parent, &m->key, &folder, err));
    ith_archive_name_manifest(archive->folder, &m->parent, &m->key, path);
    if (faccessat(folder, ith_path_within(folder, path), F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        status = ith_manifest_write(folder, path, m, archive->durable, err);
    close(folder);
    return status;
}

void ith_archive_touch(const ith_archive *archive, const ith_segment *segments, int64_t n)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    for (int64_t i = 0; i < n; i++) {
        int64_t ns = now.tv_nsec - i * 1000;
        struct timespec at = {now.tv_sec, ns};
        int folder = enter(archive, &segments[i].parent, &segments[i].key);
        for (; at.tv_nsec < 0; at.tv_nsec += 1000000000)
            at.tv_sec--;
        utimensat(folder, ITH_ARCHIVE_MANIFEST, (const struct timespec[2]){at, at},
                  AT_SYMLINK_NOFOLLOW);
        if (folder >= 0)
            close(folder);
    }
}

/* Removes a segment's files that `is` says; the manifest among them goes first: without one, the
 * rest is not a segment. Nothing if it is gone, or a link: whose target is not ours. */
static bool remove_files(const ith_archive *archive, const ith_key *parent, const ith_key *key,
                         bool (*is)(const char *name))
{
    int fd = enter(archive, parent, key);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    if (is(ITH_ARCHIVE_MANIFEST))
        unlinkat(fd, ITH_ARCHIVE_MANIFEST, 0);
    while ((entry = readdir(dir)) != NULL)
        if (is(entry->d_name))
            unlinkat(fd, entry->d_name, 0);
    closedir(dir);
    return true;
}

void ith_archive_remove_states(const ith_archive *archive, const ith_key *parent,
                               const ith_key *key)
{
    remove_files(archive, parent, key, ith_archive_is_state);
}

void ith_archive_remove(const ith_archive *archive, const ith_key *parent, const ith_key *key)
{
    char path[ITH_PATH_MAX];

    if (!remove_files(archive, parent, key, ith_archive_is_file))
        return;
    ith_archive_name_segment(archive->folder, parent, key, path);
    unlinkat(archive->fd, ith_path_within(archive->fd, path), AT_REMOVEDIR);
}

/* ---- Finding ---- */

static bool same_shape(const ith_kv_shape *a, const ith_kv_shape *b)
{
    return a->layout == b->layout && a->n_layers == b->n_layers && a->n_heads == b->n_heads &&
           a->head_dim == b->head_dim && a->latent == b->latent &&
           a->state_layers == b->state_layers && a->state_heads == b->state_heads &&
           a->state_floats == b->state_floats;
}

static int common(const int32_t *a, const int32_t *b, int64_t n)
{
    int i = 0;
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

ith_status ith_archive_manifest(const ith_archive *archive, const ith_key *parent,
                                const ith_key *key, ith_manifest *m, ith_error *err)
{
    int folder = enter(archive, parent, key);
    char path[ITH_PATH_MAX];
    ith_status status;

    ith_archive_name_manifest(archive->folder, parent, key, path);
    if (folder < 0)
        return ith_fail(err, ITH_E_IO, "%s: %s", path, strerror(errno));
    status = ith_manifest_read(folder, path, m, err);
    close(folder);
    if (status == ITH_OK && (!ith_key_equal(&m->key, key) || !ith_key_equal(&m->parent, parent)))
        status = ith_fail(err, ITH_E_FORMAT,
                          "%s: does not describe the segment that its folder is named after", path);
    return status;
}

/* What is looked for. */
typedef struct search {
    const ith_archive *archive;
    const ith_kv_shape *shape;
    const int32_t *ids; /* [n] */
    int64_t n;
} search;

/* Is this segment there, with some of the tokens from `start` on? */
static bool look_at(const search *q, const ith_key *parent, const ith_key *key, int64_t start,
                    ith_segment *s)
{
    ith_manifest m;

    if (ith_archive_manifest(q->archive, parent, key, &m, NULL) != ITH_OK ||
        !same_shape(&m.shape, q->shape))
        return false;
    *s = (ith_segment){.parent = *parent, .key = *key, .n = m.n, .start = start};
    s->used = common(m.ids, q->ids + start, ith_min(m.n, q->n - start));
    return s->used > 0 && ith_archive_holds_all(q->archive, s, q->shape);
}

/* How much a segment is worth; 0: nothing. */
typedef int64_t (*worth_fn)(const search *q, const ith_segment *s);

static int64_t tokens_used(const search *q, const ith_segment *s)
{
    (void)q;
    return s->used;
}

/* The tokens after which a timeline goes on from the states at the segment's end. */
static int64_t resumes_at(const search *q, const ith_segment *s)
{
    int64_t end = s->start + s->n, length = ith_min(s->start + s->used, q->n - 1);

    return length >= end - ith_recurrent_back(end) &&
                   ith_archive_holds_states(q->archive, s, q->shape)
               ? length
               : 0;
}

/* Of all segments that follow `parent`, *s becomes the one that is worth most, if that is more than
 * *s is worth. */
static ith_status look_through(const search *q, const ith_key *parent, int64_t start,
                               worth_fn worth, ith_segment *s, ith_error *err)
{
    DIR *dir = ith_archive_entries(q->archive->fd);
    struct dirent *entry;
    ith_key from, key;
    ith_segment found;

    if (dir == NULL)
        return ith_fail(err, ITH_E_IO, "%s: %s", q->archive->folder, strerror(errno));
    while ((entry = readdir(dir)) != NULL)
        if (ith_archive_parse_name(entry->d_name, &from, &key) && ith_key_equal(&from, parent) &&
            look_at(q, parent, &key, start, &found) &&
            worth(q, &found) > (s->n > 0 ? worth(q, s) : 0))
            *s = found;
    closedir(dir);
    return ITH_OK;
}

static ith_status find_tokens(const search *q, const ith_key *root, ith_segment *s,
                              int64_t *n_segments, ith_error *err)
{
    ith_key parent = *root;
    ith_status status = ITH_OK;

    for (int64_t at = 0; status == ITH_OK && at < q->n; at += ITH_KV_SEGMENT, s++) {
        /* A whole segment is found by its name. */
        if (q->n - at >= ITH_KV_SEGMENT) {
            ith_key key = ith_key_next(&parent, q->ids + at, ITH_KV_SEGMENT);
            if (!look_at(q, &parent, &key, at, s))
                *s = (ith_segment){0};
        }
        if (s->used < ITH_KV_SEGMENT)
            status = look_through(q, &parent, at, tokens_used, s, err);
        *n_segments += s->used > 0;
        parent = s->key;
        if (s->used < ITH_KV_SEGMENT)
            break;
    }
    return status;
}

/* Drops segments from the end until there is one with states that the timeline can go on from: the
 * last, or another in its place that has such. */
static ith_status end_with_states(const search *q, ith_segment *list, int64_t *n, ith_error *err)
{
    for (; *n > 0; --*n) {
        ith_segment *last = &list[*n - 1], found = {0};
        ITH_TRY(look_through(q, &last->parent, last->start, resumes_at, &found, err));
        *last = found;
        if (found.n > 0)
            return ITH_OK;
    }
    return ITH_OK;
}

ith_status ith_archive_find(const ith_archive *archive, const ith_key *root,
                            const ith_kv_shape *shape, const int32_t *ids, int64_t n,
                            ith_segment **segments, int64_t *n_segments, ith_error *err)
{
    const search q = {archive, shape, ids, n};
    size_t most = (size_t)(n / ITH_KV_SEGMENT + 1);
    ith_status status;

    *n_segments = 0;
    *segments = calloc(most, sizeof **segments);
    if (*segments == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %zu segments", most);
    status = find_tokens(&q, root, *segments, n_segments, err);
    if (status == ITH_OK && shape->state_layers > 0)
        status = end_with_states(&q, *segments, n_segments, err);
    return status;
}

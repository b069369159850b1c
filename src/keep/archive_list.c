/* archive_list.c - an archive as a whole: listing, shrinking, verifying. */
#include "keep/archive.h"
#include "keep/archive_names.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int64_t time_ns(const struct stat *info)
{
    return info->st_mtim.tv_sec * INT64_C(1000000000) + info->st_mtim.tv_nsec;
}

/* Bytes of a segment's files, and the folder's time; false if it is gone. */
static bool measure(const char *path, ith_archived *s)
{
    struct dirent *entry;
    struct stat info;
    DIR *dir = opendir(path);

    if (dir == NULL)
        return false;
    s->bytes = 0;
    while ((entry = readdir(dir)) != NULL)
        if (fstatat(dirfd(dir), entry->d_name, &info, 0) == 0 && S_ISREG(info.st_mode))
            s->bytes += info.st_size;
    s->used_ns = fstat(dirfd(dir), &info) == 0 ? time_ns(&info) : 0;
    closedir(dir);
    return true;
}

static bool has_all_heads(const ith_archive *a, const ith_archived *s)
{
    const ith_segment segment = {s->parent, s->key, s->n, s->n};

    for (int head = 0; head < s->shape.n_heads; head++)
        if (!ith_archive_holds(a, &segment, head))
            return false;
    return true;
}

static bool look_at(const ith_archive *a, ith_archived *s)
{
    char path[ITH_PATH_MAX];
    struct stat info;
    ith_manifest m;

    ith_archive_name_segment(ith_archive_folder(a), &s->parent, &s->key, path);
    if (!measure(path, s))
        return false;
    ith_archive_name_manifest(ith_archive_folder(a), &s->parent, &s->key, path);
    s->described = stat(path, &info) == 0 && ith_manifest_read(path, &m, NULL) == ITH_OK &&
                   ith_key_equal(&m.key, &s->key) && ith_key_equal(&m.parent, &s->parent);
    if (!s->described)
        return true;
    s->used_ns = time_ns(&info);
    s->start = m.start;
    s->n = m.n;
    s->shape = m.shape;
    memcpy(s->model, m.model, sizeof s->model);
    s->complete = has_all_heads(a, s);
    return true;
}

/* Of segments with equal times the later ones go first: without those before them they are
 * useless. */
static int by_use(const void *pa, const void *pb)
{
    const ith_archived *a = pa, *b = pb;

    if (a->used_ns != b->used_ns)
        return a->used_ns < b->used_ns ? -1 : 1;
    return a->start != b->start ? a->start > b->start ? -1 : 1
                                : memcmp(&a->key, &b->key, sizeof a->key);
}

static ith_status make_room(ith_archived **list, int64_t n, int64_t *room, ith_error *err)
{
    ith_archived *grown;

    if (n < *room)
        return ITH_OK;
    *room = *room > 0 ? 2 * *room : 64;
    grown = realloc(*list, (size_t)*room * sizeof **list);
    if (grown == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a list of %lld segments",
                        (long long)*room);
    *list = grown;
    return ITH_OK;
}

ith_status ith_archive_list(const ith_archive *archive, ith_archived **list, int64_t *n,
                            ith_error *err)
{
    DIR *dir = opendir(ith_archive_folder(archive));
    struct dirent *entry;
    int64_t room = 0;
    ith_status status = ITH_OK;

    *list = NULL;
    *n = 0;
    if (dir == NULL)
        return ith_fail(err, ITH_E_IO, "%s: %s", ith_archive_folder(archive), strerror(errno));
    while (status == ITH_OK && (entry = readdir(dir)) != NULL) {
        ith_archived s = {0};
        if (!ith_archive_parse_name(entry->d_name, &s.parent, &s.key) || !look_at(archive, &s))
            continue;
        status = make_room(list, *n, &room, err);
        if (status == ITH_OK)
            (*list)[(*n)++] = s;
    }
    closedir(dir);
    if (*n > 1)
        qsort(*list, (size_t)*n, sizeof **list, by_use);
    return status;
}

ith_status ith_archive_shrink(const ith_archive *archive, int64_t bytes, ith_error *err)
{
    ith_archived *list;
    int64_t n, total = 0;
    ith_status status = ith_archive_list(archive, &list, &n, err);

    for (int64_t i = 0; status == ITH_OK && i < n; i++)
        total += list[i].bytes;
    for (int64_t i = 0; status == ITH_OK && i < n && (total > bytes || bytes == 0); i++) {
        ith_archive_remove(archive, &list[i].parent, &list[i].key);
        total -= list[i].bytes;
    }
    free(list);
    return status;
}

ith_status ith_archive_verify(const ith_archive *archive, const ith_archived *s,
                              ith_kvfile_buffer *buffer, ith_error *err)
{
    const ith_segment segment = {s->parent, s->key, s->n, s->n};
    char path[ITH_PATH_MAX];
    bool missing;

    ith_archive_name_manifest(ith_archive_folder(archive), &s->parent, &s->key, path);
    if (!s->described) {
        ith_manifest m;
        ITH_TRY(ith_manifest_read(path, &m, err));
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: does not describe the segment that its folder is named after", path);
    }
    for (int head = 0; head < s->shape.n_heads; head++)
        ITH_TRY(ith_archive_read(archive, &segment, &s->shape, head, NULL, buffer, &missing, err));
    return ITH_OK;
}

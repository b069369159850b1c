/* archive_list.c - an archive as a whole: listing, shrinking, verifying. */
#include "keep/archive.h"
#include "keep/archive_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t time_ns(const struct stat *info)
{
    return info->st_mtim.tv_sec * INT64_C(1000000000) + info->st_mtim.tv_nsec;
}

/* Bytes of a segment's files, and the time of its manifest, else of its folder; false if it is
 * gone. */
static bool measure(const ith_archive *a, ith_archived *s)
{
    char path[ITH_PATH_MAX];
    struct dirent *entry;
    struct stat info;
    DIR *dir;
    int fd;

    ith_archive_name_segment(ith_archive_folder(a), &s->parent, &s->key, path);
    fd = ith_archive_enter(ith_archive_descriptor(a), path);
    dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    s->bytes = 0;
    while ((entry = readdir(dir)) != NULL)
        if (fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode))
            s->bytes += info.st_size;
    if (fstatat(fd, ITH_ARCHIVE_MANIFEST, &info, AT_SYMLINK_NOFOLLOW) == 0 || fstat(fd, &info) == 0)
        s->used_ns = time_ns(&info);
    closedir(dir);
    return true;
}

static ith_segment segment_of(const ith_archived *s)
{
    return (ith_segment){
        .parent = s->parent, .key = s->key, .n = s->n, .used = s->n, .start = s->start};
}

static bool look_at(const ith_archive *a, ith_archived *s)
{
    ith_manifest m;
    ith_segment segment;

    if (!measure(a, s))
        return false;
    s->described = ith_archive_manifest(a, &s->parent, &s->key, &m, NULL) == ITH_OK;
    if (!s->described)
        return true;
    s->start = m.start;
    s->n = m.n;
    s->shape = m.shape;
    memcpy(s->model, m.model, sizeof s->model);
    segment = segment_of(s);
    s->complete = ith_archive_holds_all(a, &segment, &s->shape);
    s->states = s->complete && ith_archive_holds_states(a, &segment, &s->shape);
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
    DIR *dir = ith_archive_entries(ith_archive_descriptor(archive));
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
    const ith_segment segment = segment_of(s);
    ith_head_file which = {0};
    ith_manifest m;
    bool missing;

    ITH_TRY(ith_archive_manifest(archive, &s->parent, &s->key, &m, err));
    for (; which.head < s->shape.n_heads; which.head++)
        ITH_TRY(ith_archive_read(archive, &segment, &s->shape, which, NULL, buffer, &missing, err));
    which = (ith_head_file){.state = true};
    for (; which.head < s->shape.state_heads; which.head++)
        if (ith_archive_holds(archive, &segment, which))
            ITH_TRY(
                ith_archive_read(archive, &segment, &s->shape, which, NULL, buffer, &missing, err));
    return ITH_OK;
}

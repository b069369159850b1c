/* snapshot.c - folders, links and refs of the cache. */
#include "hub/snapshot.h"

#include "base/folders.h"
#include "base/progress.h"
#include "formats/hub_cache.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* bford.info/cachedir: programs know the mark by its first 43 bytes. */
static const char tag_name[] = "CACHEDIR.TAG",
                  tag_text[] =
                      "Signature: 8a477f597d28d172789f06886806bc55\n"
                      "# This file marks a folder whose content can be downloaded again.\n";

static ith_status too_long(const char *path, ith_error *err)
{
    return ith_fail(err, ITH_E_ARGUMENT, "%s: the path is too long", path);
}

ith_status ith_snapshot_set(const char *cache, const ith_hub_name *name, const char *commit,
                            ith_snapshot *s, ith_error *err)
{
    char folder[ITH_HUB_REPO + 16];

    ith_hub_folder_name(name, folder);
    if (snprintf(s->cache, sizeof s->cache, "%s", cache) >= ITH_PATH_MAX ||
        snprintf(s->repo, sizeof s->repo, "%s/%s", cache, folder) >= ITH_PATH_MAX ||
        snprintf(s->locks, sizeof s->locks, "%s/.locks/%s", cache, folder) >= ITH_PATH_MAX ||
        snprintf(s->folder, sizeof s->folder, "%s/snapshots/%s", s->repo, commit) >= ITH_PATH_MAX)
        return too_long(cache, err);
    return ITH_OK;
}

bool ith_snapshot_has(const ith_snapshot *s, const ith_hub_file *file)
{
    char path[2 * ITH_PATH_MAX];
    struct stat info;

    snprintf(path, sizeof path, "%s/%s", s->folder, file->name);
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size == file->bytes;
}

static void make_tag(const ith_snapshot *s)
{
    char path[2 * ITH_PATH_MAX];
    int fd;

    snprintf(path, sizeof path, "%s/%s", s->cache, tag_name);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return;
    ith_write_at(fd, tag_text, sizeof tag_text - 1, 0); /* without it nothing is lost */
    close(fd);
}

ith_status ith_snapshot_make(const ith_snapshot *s, ith_error *err)
{
    char path[2 * ITH_PATH_MAX];

    snprintf(path, sizeof path, "%s/blobs/", s->repo);
    ITH_TRY(ith_make_parents(path, 0777, err));
    snprintf(path, sizeof path, "%s/", s->locks);
    ITH_TRY(ith_make_parents(path, 0777, err));
    make_tag(s);
    return ITH_OK;
}

ith_status ith_snapshot_check_room(const ith_snapshot *s, const char *what, int64_t bytes,
                                   ith_error *err)
{
    struct statvfs info;
    char need[32], have[32];
    double room;

    if (statvfs(s->repo, &info) != 0)
        return ITH_OK; /* it will show */
    room = (double)info.f_bavail * (double)info.f_frsize;
    if ((double)bytes <= room)
        return ITH_OK;
    ith_format_bytes(need, (double)bytes);
    ith_format_bytes(have, room);
    return ith_fail(err, ITH_E_IO,
                    "%s: %s are left to download, and %s are free in %s; HF_HUB_CACHE names "
                    "another folder",
                    what, need, have, s->cache);
}

/* The link's target: from the folder of the name up to the repository's, then to the blob. */
static bool make_target(const ith_hub_file *file, char target[ITH_PATH_MAX])
{
    int used = snprintf(target, ITH_PATH_MAX, "../../");

    for (const char *c = file->name; *c != '\0' && used < ITH_PATH_MAX; c++)
        if (*c == '/')
            used += snprintf(target + used, (size_t)(ITH_PATH_MAX - used), "../");
    if (used < ITH_PATH_MAX)
        used += snprintf(target + used, (size_t)(ITH_PATH_MAX - used), "blobs/%s", file->digest);
    return used < ITH_PATH_MAX;
}

ith_status ith_snapshot_link(const ith_snapshot *s, const ith_hub_file *file, ith_error *err)
{
    char path[ITH_PATH_MAX], fresh[ITH_PATH_MAX + 32], target[ITH_PATH_MAX];

    if (ith_snapshot_has(s, file))
        return ITH_OK;
    if (snprintf(path, sizeof path, "%s/%s", s->folder, file->name) >= ITH_PATH_MAX ||
        !make_target(file, target))
        return too_long(s->folder, err);
    ITH_TRY(ith_make_parents(path, 0777, err));
    snprintf(fresh, sizeof fresh, "%s" ITH_NEWFILE_MARK "%ld", path, (long)getpid());
    if (symlink(target, fresh) != 0)
        return ith_fail(err, ITH_E_IO, "%s: it cannot be made a symbolic link: %s", path,
                        strerror(errno));
    if (rename(fresh, path) == 0)
        return ITH_OK;
    ith_fail(err, ITH_E_IO, "%s: %s", path, strerror(errno));
    unlink(fresh);
    return ITH_E_IO;
}

ith_status ith_snapshot_set_ref(const ith_snapshot *s, const ith_hub_name *name, const char *commit,
                                ith_error *err)
{
    char path[ITH_PATH_MAX], before[64];
    ith_newfile file = {.fd = -1};
    ith_status status;

    if (strcmp(name->revision, commit) == 0 ||
        (ith_hub_cached_commit(s->cache, name, before) && strcmp(before, commit) == 0))
        return ITH_OK;
    if (snprintf(path, sizeof path, "%s/refs/%s", s->repo, name->revision) >= ITH_PATH_MAX)
        return too_long(s->repo, err);
    ITH_TRY(ith_make_parents(path, 0777, err));
    ITH_CHECK(ith_newfile_open(path, &file, err));
    ITH_CHECK(ith_newfile_write(&file, commit, strlen(commit), 0, err));
    ITH_CHECK(ith_newfile_publish(&file, true, err));
done:
    ith_newfile_close(&file);
    return status;
}

/* mapfile.c - mapping a file. */
#include "formats/mapfile.h"

#include "base/regular.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static ith_status map_descriptor(int fd, const char *path, ith_mapfile *file, ith_error *err)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return ith_fail(err, ITH_E_IO, "%s: %s", path, strerror(errno));
    file->fd = fd;
    file->opened = info;
    file->size = (size_t)info.st_size;
    file->device = info.st_dev;
    file->inode = info.st_ino;
    if (file->size > 0) {
        void *data = mmap(NULL, file->size, PROT_READ, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED)
            return ith_fail(err, ITH_E_IO, "%s: cannot map %zu bytes: %s", path, file->size,
                            strerror(errno));
        file->data = data;
    }
    file->path = strdup(path);
    if (file->path == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for its name", path);
    return ITH_OK;
}

ith_status ith_mapfile_open(const char *path, ith_mapfile *file, ith_error *err)
{
    ith_status status;
    int fd;

    *file = (ith_mapfile){0};
    ITH_TRY(ith_regular_open(AT_FDCWD, path, O_RDONLY, &fd, err));
    status = map_descriptor(fd, path, file, err);
    if (status != ITH_OK) {
        file->inode = 0;
        ith_mapfile_close(file);
        close(fd);
    }
    return status;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* What changes the time of the last change of status, and not the bytes: another name, link, owner
 * or mode. */
static bool only_its_status(const ith_mapfile *file, const struct stat *now)
{
    const struct stat *then = &file->opened;
    struct stat named;
    bool has_its_name = stat(file->path, &named) == 0 && named.st_dev == file->device &&
                        named.st_ino == file->inode;

    return !has_its_name || now->st_nlink != then->st_nlink || now->st_mode != then->st_mode ||
           now->st_uid != then->st_uid || now->st_gid != then->st_gid;
}

ith_status ith_mapfile_check_unchanged(const ith_mapfile *file, ith_error *err)
{
    const struct stat *then = &file->opened;
    struct stat now;

    if (file->inode == 0)
        return ITH_OK;
    if (fstat(file->fd, &now) != 0)
        return ith_fail(err, ITH_E_IO, "%s: %s", file->path, strerror(errno));
    if (now.st_size == then->st_size && same_time(&now.st_mtim, &then->st_mtim) &&
        (same_time(&now.st_ctim, &then->st_ctim) || only_its_status(file, &now)))
        return ITH_OK;
    return ith_fail(err, ITH_E_IO,
                    "%s has changed while it was in use: nothing computed from it is right; start "
                    "again when the file is whole",
                    file->path);
}

void ith_mapfile_want_huge_pages(const ith_mapfile *file)
{
    if (file->size > 0) /* only a hint, so failure does not matter */
        madvise((void *)(uintptr_t)file->data, file->size, MADV_HUGEPAGE);
}

void ith_mapfile_close(ith_mapfile *file)
{
    if (file == NULL)
        return;
    if (file->data != NULL)
        munmap((void *)(uintptr_t)file->data, file->size);
    if (file->inode != 0)
        close(file->fd);
    free(file->path);
    *file = (ith_mapfile){0};
}

bool ith_mapfile_is_lfs_pointer(const ith_mapfile *file)
{
    static const char begin[] = "version https://git-lfs";
    return file->size >= sizeof begin - 1 && memcmp(file->data, begin, sizeof begin - 1) == 0;
}

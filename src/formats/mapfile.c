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
    close(fd);
    if (status != ITH_OK)
        ith_mapfile_close(file);
    return status;
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
    free(file->path);
    *file = (ith_mapfile){0};
}

bool ith_mapfile_is_lfs_pointer(const ith_mapfile *file)
{
    static const char begin[] = "version https://git-lfs";
    return file->size >= sizeof begin - 1 && memcmp(file->data, begin, sizeof begin - 1) == 0;
}

#include "base/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_TRIES = 100 };

bool ith_write_at(int fd, const void *data, size_t bytes, uint64_t offset)
{
    const char *from = data;

    while (bytes > 0) {
        ssize_t n = pwrite(fd, from, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ENOSPC;
        if (n <= 0)
            return false;
        from += n;
        offset += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return true;
}

void ith_sync_folder(const char *path)
{
    char folder[ITH_PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    int fd;

    if (n >= sizeof folder)
        return;
    memcpy(folder, path, n);
    folder[n] = '\0';
    fd = open(n > 0 ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

ith_status ith_newfile_open(const char *path, ith_newfile *file, ith_error *err)
{
    file->fd = -1;
    if ((size_t)snprintf(file->path, sizeof file->path, "%s", path) >= sizeof file->path)
        return ith_fail(err, ITH_E_ARGUMENT, "%s: the path is too long", path);
    for (int i = 0; i < NAME_TRIES; i++) {
        if ((size_t)snprintf(file->temporary, sizeof file->temporary, "%s" ITH_NEWFILE_MARK "%ld-%d", path,
                             (long)getpid(), i) >= sizeof file->temporary)
            return ith_fail(err, ITH_E_ARGUMENT, "%s: the path is too long", path);
        file->fd = open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->fd >= 0)
            return ITH_OK;
        if (errno != EEXIST)
            break;
    }
    return ith_fail(err, ITH_E_IO, "%s: %s", file->temporary, strerror(errno));
}

ith_status ith_newfile_write(ith_newfile *file, const void *data, size_t bytes, uint64_t offset, ith_error *err)
{
    if (ith_write_at(file->fd, data, bytes, offset))
        return ITH_OK;
    return ith_fail(err, ITH_E_IO, "%s: writing from byte %llu on: %s", file->temporary, (unsigned long long)offset,
                    strerror(errno));
}

ith_status ith_newfile_publish(ith_newfile *file, bool durable, ith_error *err)
{
    if (durable && fsync(file->fd) != 0)
        return ith_fail(err, ITH_E_IO, "%s: %s", file->temporary, strerror(errno));
    if (rename(file->temporary, file->path) != 0)
        return ith_fail(err, ITH_E_IO, "%s: renaming it to %s: %s", file->temporary, file->path, strerror(errno));
    close(file->fd);
    file->fd = -1;
    if (durable)
        ith_sync_folder(file->path);
    return ITH_OK;
}

void ith_newfile_close(ith_newfile *file)
{
    if (file->fd < 0)
        return;
    close(file->fd);
    unlink(file->temporary);
    file->fd = -1;
}

/* newfile.c - writes under a temporary name, then renames. */
#include "base/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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
    file->fresh = false;
    if ((size_t)snprintf(file->path, sizeof file->path, "%s", path) >= sizeof file->path)
        return ith_fail(err, ITH_E_ARGUMENT, "%s: the path is too long", path);
    for (int i = 0; i < NAME_TRIES; i++) {
        if ((size_t)snprintf(file->temporary, sizeof file->temporary,
                             "%s" ITH_NEWFILE_MARK "%ld-%d", path, (long)getpid(),
                             i) >= sizeof file->temporary)
            return ith_fail(err, ITH_E_ARGUMENT, "%s: the path is too long", path);
        file->fd = open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->fd >= 0)
            return ITH_OK;
        if (errno != EEXIST)
            break;
    }
    return ith_fail(err, ITH_E_IO, "cannot create %s: %s", path, strerror(errno));
}

ith_status ith_newfile_try(const char *path, ith_error *err)
{
    ith_newfile file;
    struct stat info;

    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return ith_fail(err, ITH_E_IO, "%s is not a regular file, so a new one cannot replace it",
                        path);
    ITH_TRY(ith_newfile_open(path, &file, err));
    ith_newfile_close(&file);
    return ITH_OK;
}

ith_status ith_newfile_write(ith_newfile *file, const void *data, size_t bytes, uint64_t offset,
                             ith_error *err)
{
    if (ith_write_at(file->fd, data, bytes, offset))
        return ITH_OK;
    return ith_fail(err, ITH_E_IO, "%s: writing from byte %llu on: %s", file->temporary,
                    (unsigned long long)offset, strerror(errno));
}

/* Gives the file its name. An existing file is replaced, even one made in the meantime, unless the
 * new one must be fresh. */
static ith_status take_name(const ith_newfile *file, ith_error *err)
{
    struct stat info;

    if (file->fresh &&
        renameat2(AT_FDCWD, file->temporary, AT_FDCWD, file->path, RENAME_NOREPLACE) == 0)
        return ITH_OK;
    if (file->fresh && stat(file->path, &info) == 0) /* else the file system lacks that flag */
        return ith_fail(err, ITH_E_ARGUMENT, "%s exists already", file->path);
    if (rename(file->temporary, file->path) != 0)
        return ith_fail(err, ITH_E_IO, "%s: renaming it to %s: %s", file->temporary, file->path,
                        strerror(errno));
    return ITH_OK;
}

ith_status ith_newfile_publish(ith_newfile *file, bool durable, ith_error *err)
{
    if (durable && fsync(file->fd) != 0)
        return ith_fail(err, ITH_E_IO, "%s: %s", file->temporary, strerror(errno));
    ITH_TRY(take_name(file, err));
    close(file->fd);
    file->fd = -1;
    if (durable)
        ith_sync_folder(file->path);
    return ITH_OK;
}

ith_status ith_newfile_text(const char *path, const char *text, bool durable, ith_error *err)
{
    ith_newfile file;
    ith_status status;

    ITH_TRY(ith_newfile_open(path, &file, err));
    ITH_CHECK(ith_newfile_write(&file, text, strlen(text), 0, err));
    ITH_CHECK(ith_newfile_publish(&file, durable, err));
done:
    ith_newfile_close(&file);
    return status;
}

ith_status ith_folder_make(const char *path, ith_error *err)
{
    struct stat info;
    int why = mkdir(path, 0777) == 0 ? 0 : errno;

    if (why == 0 || (why == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode)))
        return ITH_OK;
    return why == EEXIST
               ? ith_fail(err, ITH_E_ARGUMENT, "%s is not a folder", path)
               : ith_fail(err, ITH_E_IO, "cannot create the folder %s: %s", path, strerror(why));
}

void ith_newfile_close(ith_newfile *file)
{
    if (file->fd < 0)
        return;
    close(file->fd);
    unlink(file->temporary);
    file->fd = -1;
}

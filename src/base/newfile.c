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

static ith_status open_new(int folder, const char *path, mode_t mode, ith_newfile *file,
                           ith_error *err)
{
    file->folder = folder;
    file->fd = -1;
    file->fresh = false;
    if ((size_t)snprintf(file->path, sizeof file->path, "%s", path) >= sizeof file->path)
        return ith_fail(err, ITH_E_ARGUMENT, "%s: the path is too long", path);
    for (int i = 0; i < NAME_TRIES; i++) {
        if ((size_t)snprintf(file->temporary, sizeof file->temporary,
                             "%s" ITH_NEWFILE_MARK "%ld-%d", path, (long)getpid(),
                             i) >= sizeof file->temporary)
            return ith_fail(err, ITH_E_ARGUMENT, "%s: the path is too long", path);
        file->fd = openat(folder, ith_path_within(folder, file->temporary),
                          O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (file->fd >= 0)
            return ITH_OK;
        if (errno != EEXIST)
            break;
    }
    return ith_fail(err, ITH_E_IO, "cannot create %s: %s", path, strerror(errno));
}

ith_status ith_newfile_open(const char *path, ith_newfile *file, ith_error *err)
{
    return open_new(AT_FDCWD, path, 0666, file, err);
}

ith_status ith_newfile_open_in(int folder, const char *path, ith_newfile *file, ith_error *err)
{
    return open_new(folder, path, 0600, file, err);
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
    const int in = file->folder;
    const char *from = ith_path_within(in, file->temporary), *to = ith_path_within(in, file->path);
    struct stat info;

    if (file->fresh && renameat2(in, from, in, to, RENAME_NOREPLACE) == 0)
        return ITH_OK;
    if (file->fresh && fstatat(in, to, &info, 0) == 0) /* else the file system lacks that flag */
        return ith_fail(err, ITH_E_ARGUMENT, "%s exists already", file->path);
    if (renameat(in, from, in, to) != 0)
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
    if (durable && file->folder != AT_FDCWD)
        fsync(file->folder);
    else if (durable)
        ith_sync_folder(file->path);
    return ITH_OK;
}

ith_status ith_newfile_text(int folder, const char *path, const char *text, bool durable,
                            ith_error *err)
{
    ith_newfile file;
    ith_status status;

    ITH_TRY(ith_newfile_open_in(folder, path, &file, err));
    ITH_CHECK(ith_newfile_write(&file, text, strlen(text), 0, err));
    ITH_CHECK(ith_newfile_publish(&file, durable, err));
done:
    ith_newfile_close(&file);
    return status;
}

ith_status ith_folder_open(const char *path, bool follow, int *fd, ith_error *err)
{
    *fd = -1;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return ith_fail(err, ITH_E_IO, "cannot create the folder %s: %s", path, strerror(errno));
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
    if (*fd >= 0)
        return ITH_OK;
    return errno == ENOTDIR || errno == ELOOP
               ? ith_fail(err, ITH_E_ARGUMENT, "%s is not a folder", path)
               : ith_fail(err, ITH_E_IO, "%s: %s", path, strerror(errno));
}

void ith_newfile_close(ith_newfile *file)
{
    if (file->fd < 0)
        return;
    close(file->fd);
    unlinkat(file->folder, ith_path_within(file->folder, file->temporary), 0);
    file->fd = -1;
}

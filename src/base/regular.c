/* regular.c - opens regular files. */
#include "base/regular.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *ith_path_within(int folder, const char *path)
{
    const char *slash = folder == AT_FDCWD ? NULL : strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

ith_status ith_cannot_open(const char *path, ith_error *err)
{
    int why = errno;
    char target[200];
    ssize_t n = why == ENOENT ? readlink(path, target, sizeof target - 1) : -1;
    ith_status status;

    if (n > 0) {
        target[n] = '\0';
        status = ith_fail(err, ITH_E_IO,
                          "%s: a symbolic link to %s, which does not exist: is the download "
                          "complete?",
                          path, target);
    } else {
        status = ith_fail(err, ITH_E_IO, "%s: %s", path, strerror(why));
    }
    errno = why;
    return status;
}

/* Non-blocking, so that a pipe without a writer does not wait. */
ith_status ith_regular_open(int folder, const char *path, int flags, int *out, ith_error *err)
{
    int own = folder == AT_FDCWD ? 0 : O_NOFOLLOW;
    int fd =
        openat(folder, ith_path_within(folder, path), flags | own | O_CLOEXEC | O_NONBLOCK, 0600);
    struct stat info;

    *out = -1;
    if (fd < 0 && errno == ELOOP && own != 0)
        return ith_fail(err, ITH_E_ARGUMENT, "%s: a symbolic link, which is not followed here",
                        path);
    if (fd < 0)
        return ith_cannot_open(path, err);
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        *out = fd;
        return ITH_OK;
    }
    close(fd);
    errno = EINVAL;
    return ith_fail(err, ITH_E_ARGUMENT, "%s: not a regular file", path);
}

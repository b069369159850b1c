/* A disk that fails, for a program that is started with this library in LD_PRELOAD: on rank
 * EIO_RANK, after EIO_AFTER of them, every pread of a pack ends with EIO. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_long reads;

static int fails(int fd)
{
    const char *mine = getenv("OMPI_COMM_WORLD_RANK"), *rank = getenv("EIO_RANK"),
               *after = getenv("EIO_AFTER");
    char link[40], path[4096] = "";
    if (after == NULL || (mine != NULL && rank != NULL && strcmp(mine, rank) != 0))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof path - 1) < 4 || strcmp(path + strlen(path) - 4, ".ith") != 0)
        return 0;
    return atomic_fetch_add(&reads, 1) >= atol(after);
}

ssize_t pread(int fd, void *buf, size_t n, off_t at)
{
    static ssize_t (*next)(int, void *, size_t, off_t);
    if (next == NULL)
        next = (ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread");
    if (!fails(fd))
        return next(fd, buf, n, at);
    errno = EIO;
    return -1;
}

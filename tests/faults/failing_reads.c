/* failing_reads.c - preloaded into a program (LD_PRELOAD): a file that cannot be read any more
 * after so many bytes of it were asked for.
 *
 *   FAULT_FILE    the file, by the end of its path
 *   FAULT_AFTER   bytes that each process may read of it, by read or pread
 *   FAULT_COUNT   a file to which each process adds a line at its end: how many bytes it asked for
 *
 * The system is called directly: nothing of the C library has to be looked up while it starts. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static long long asked;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((visibility("default"))) ssize_t read(int fd, void *out, size_t bytes);
__attribute__((visibility("default"))) ssize_t pread(int fd, void *out, size_t bytes, off_t offset);

static bool is_the_file(int fd)
{
    const char *name = getenv("FAULT_FILE");
    char link[64], target[4096];
    ssize_t n;

    if (name == NULL || fd < 0)
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, target, sizeof target - 1);
    return n >= (ssize_t)strlen(name) && memcmp(target + n - strlen(name), name, strlen(name)) == 0;
}

/* Must this fail? */
static bool fails(size_t bytes)
{
    const char *after = getenv("FAULT_AFTER");
    bool beyond;

    pthread_mutex_lock(&lock);
    asked += (long long)bytes;
    beyond = after != NULL && asked > atoll(after);
    pthread_mutex_unlock(&lock);
    return beyond;
}

__attribute__((destructor)) static void count(void)
{
    const char *name = getenv("FAULT_COUNT");
    FILE *file = name != NULL && asked > 0 ? fopen(name, "a") : NULL;

    if (file != NULL) {
        fprintf(file, "%lld\n", asked);
        fclose(file);
    }
}

ssize_t read(int fd, void *out, size_t bytes)
{
    if (is_the_file(fd) && fails(bytes)) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_read, fd, out, bytes);
}

ssize_t pread(int fd, void *out, size_t bytes, off_t offset)
{
    if (is_the_file(fd) && fails(bytes)) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_pread64, fd, out, bytes, offset);
}

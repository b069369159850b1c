/* failing_malloc.c - preloaded into a program (LD_PRELOAD): an allocation that the program itself
 * makes, not one of its libraries, fails.
 *
 *   FAULT_AT      a file that comes to hold a number n: then it is removed, and of the allocations
 *                 from then on the n-th fails, counted from 0
 *   FAULT_COUNT   a file to which the process adds a line at its end: how many it made */
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *at, size_t n);

#define SHOWN __attribute__((visibility("default")))
SHOWN void *malloc(size_t n);
SHOWN void *calloc(size_t n, size_t size);
SHOWN void *realloc(void *at, size_t n);
SHOWN char *strdup(const char *text);
SHOWN char *strndup(const char *text, size_t most);

static uintptr_t begin, end; /* of the program's code */
static long made;
static long left = -1; /* until one fails; negative: none does */

/* The first object is the program. */
static int note_program(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size, (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X) != 0) {
            begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            end = begin + info->dlpi_phdr[i].p_memsz;
        }
    return 1;
}

__attribute__((constructor)) static void find_program(void)
{
    dl_iterate_phdr(note_program, NULL);
}

__attribute__((destructor)) static void count(void)
{
    const char *name = getenv("FAULT_COUNT");
    char line[32];
    int fd = name != NULL ? open(name, O_WRONLY | O_APPEND | O_CREAT, 0600) : -1;

    if (fd >= 0 && write(fd, line, (size_t)snprintf(line, sizeof line, "%ld\n", made)) < 0)
        perror(name);
    if (fd >= 0)
        close(fd);
}

static void look(void)
{
    const char *name = getenv("FAULT_AT");
    char text[32] = "", mine[500];
    int fd;

    /* one thread takes it */
    snprintf(mine, sizeof mine, "%s.%d", name != NULL ? name : "", (int)gettid());
    if (name == NULL || rename(name, mine) != 0)
        return;
    fd = open(mine, O_RDONLY);
    if (fd >= 0 && read(fd, text, sizeof text - 1) > 0)
        __atomic_store_n(&left, atol(text), __ATOMIC_RELAXED);
    if (fd >= 0)
        close(fd);
    unlink(mine);
}

static bool fails(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;

    if (at < begin || at >= end)
        return false;
    __atomic_fetch_add(&made, 1, __ATOMIC_RELAXED);
    look();
    return __atomic_load_n(&left, __ATOMIC_RELAXED) >= 0 &&
           __atomic_fetch_sub(&left, 1, __ATOMIC_RELAXED) == 0;
}

void *malloc(size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *at, size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(at, n);
}

static char *copy(const char *text, size_t len)
{
    char *to = __libc_malloc(len + 1);

    if (to != NULL) {
        memcpy(to, text, len);
        to[len] = '\0';
    }
    return to;
}

char *strdup(const char *text)
{
    return fails(__builtin_return_address(0)) ? NULL : copy(text, strlen(text));
}

char *strndup(const char *text, size_t most)
{
    return fails(__builtin_return_address(0)) ? NULL : copy(text, strnlen(text, most));
}

/* node_memory.c - anonymous files that processes of one machine map, on huge page boundaries. */
#include "comm/node_memory.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 << 20)

/* Reserves addresses that begin on a huge page boundary; NULL if there are none. */
static char *reserve(size_t bytes)
{
    size_t total = bytes + HUGE_PAGE;
    char *map = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    char *start = (char *)(((uintptr_t)map + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
    if (start > map)
        munmap(map, (size_t)(start - map));
    if (map + total > start + bytes)
        munmap(start + bytes, (size_t)(map + total - (start + bytes)));
    return start;
}

static bool map_file(int fd, size_t bytes, ith_node_memory *memory)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), length = (bytes + page - 1) / page * page;
    char *at = reserve(length);
    if (!at)
        return false;
    if (mmap(at, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, 0) ==
        MAP_FAILED) {
        munmap(at, length);
        return false;
    }
    *memory = (ith_node_memory){.data = at, .bytes = length};
    return true;
}

bool ith_node_memory_create(size_t bytes, ith_node_memory *memory, int *fd)
{
    *memory = (ith_node_memory){0};
    *fd = memfd_create("ithaca", MFD_CLOEXEC);
    if (*fd < 0)
        return false;
    if (ftruncate(*fd, (off_t)bytes) == 0 && map_file(*fd, bytes, memory))
        return true;
    close(*fd);
    *fd = -1;
    return false;
}

bool ith_node_memory_attach(pid_t pid, int fd, size_t bytes, ith_node_memory *memory)
{
    char path[64];
    *memory = (ith_node_memory){0};
    snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)pid, fd);
    int own = open(path, O_RDWR | O_CLOEXEC);
    if (own < 0)
        return false;
    bool mapped = map_file(own, bytes, memory);
    close(own);
    return mapped;
}

void ith_node_memory_free(ith_node_memory *memory)
{
    if (memory->data)
        munmap(memory->data, memory->bytes);
    *memory = (ith_node_memory){0};
}

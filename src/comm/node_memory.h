/* node_memory.h - memory that processes of one machine share, without a file system.
 *
 * It is an anonymous file (memfd). Only the machine's memory limits it, where /dev/shm is usually
 * half of that, and 64 MiB in a container. It can have huge pages, and it is gone with the last
 * process that maps it. The other processes open it as /proc/PID/fd/FD of its maker, which the
 * kernel allows to the same user in the same process namespace.
 */
#ifndef ITH_COMM_NODE_MEMORY_H
#define ITH_COMM_NODE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct ith_node_memory {
    void *data; /* on a huge page boundary; NULL: none */
    size_t bytes;
} ith_node_memory;

/* Makes the memory and maps it here. *fd is the caller's, who closes it when all others have
 * attached. False: not possible here; errno says why. */
bool ith_node_memory_create(size_t bytes, ith_node_memory *memory, int *fd);

/* Maps what process `pid` made as its descriptor `fd`. False: not allowed here. */
bool ith_node_memory_attach(pid_t pid, int fd, size_t bytes, ith_node_memory *memory);

/* Unmaps the memory in this process; accepts data NULL. */
void ith_node_memory_free(ith_node_memory *memory);

#endif

/* comm_mpi_memory.c - memory that the ranks of a node or memory domain share: an anonymous file
 * where the ranks may open each other's, otherwise an MPI window. */
#include "comm/comm_mpi_memory.h"

#include "base/mem.h"
#include "base/range.h"
#include "comm/comm_mpi.h"
#include "comm/comm_mpi_nodes.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define GIB        1073741824.0
#define MAX_SHARED ((size_t)1 << 56)

/* Without huge pages, HUGE_PAGE is just a large unit. */
enum { ALIGN = 64, HUGE_PAGE = 2 << 20 };

static void sync_windows(ith_comm *comm)
{
    for (ith_mpi_buffer *b = ith_mpi_of(comm)->buffers; b; b = b->next)
        if (b->win != MPI_WIN_NULL)
            ith_mpi_check(comm, MPI_Win_sync(b->win), "MPI_Win_sync");
    atomic_thread_fence(memory_order_seq_cst);
}

/* After it, each rank sees what the others of the group wrote into shared memory before. */
static void group_barrier(ith_comm *comm, const ith_mpi_group *group)
{
    sync_windows(comm);
    ith_mpi_check(comm, MPI_Barrier(group->comm), "MPI_Barrier");
    sync_windows(comm);
}

void ith_mpi_node_barrier(ith_comm *comm)
{
    group_barrier(comm, &ith_mpi_of(comm)->node);
}

void ith_mpi_domain_barrier(ith_comm *comm)
{
    group_barrier(comm, ith_mpi_domain(comm));
}

/* Collective over the buffer's group; the same result on its ranks. Rank 0 makes an anonymous file,
 * the others open it, which fails in separate process namespaces. `want` is read on rank 0. */
static bool share_anonymous(ith_comm *comm, ith_mpi_buffer *b, size_t bytes, bool want)
{
    const ith_mpi_group *g = b->group;
    int64_t ticket[2] = {0, -1}; /* process, descriptor */
    int fd = -1, done = 0;
    if (g->rank == 0 && want && ith_node_memory_create(bytes, &b->memory, &fd)) {
        ticket[0] = getpid();
        ticket[1] = fd;
        done = 1;
    }
    ith_mpi_check(comm, MPI_Bcast(ticket, 2, MPI_INT64_T, 0, g->comm), "MPI_Bcast");
    if (g->rank != 0 && ticket[0] != 0)
        done = ith_node_memory_attach((pid_t)ticket[0], (int)ticket[1], bytes, &b->memory);
    ith_mpi_check(comm, MPI_Allreduce(MPI_IN_PLACE, &done, 1, MPI_INT, MPI_MIN, g->comm),
                  "MPI_Allreduce");
    if (fd >= 0)
        close(fd);
    if (!done)
        ith_node_memory_free(&b->memory);
    b->data = b->memory.data;
    return done;
}

/* The folder of Open MPI's windows. A file there may be larger than its file system; the first
 * touch beyond the end kills the process (SIGBUS). */
static const char *window_folder(void)
{
    const char *set = getenv("OMPI_MCA_osc_sm_backing_directory");
    return set ? set : "/dev/shm";
}

static ith_status check_window_room(size_t bytes, const char *what, ith_error *err)
{
    const char *folder = window_folder();
    struct statvfs fs;
    if (statvfs(folder, &fs) != 0)
        return ITH_OK; /* another MPI: MPI_Win_allocate_shared will tell */
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (bytes + bytes / 16 + (1 << 16) <= room) /* Open MPI asks for 5% more, and a header */
        return ITH_OK;
    return ith_fail(err, ITH_E_MEMORY,
                    "%s: %.3f GiB shared memory needed, %s has %.3f GiB left: enlarge it (mount "
                    "-o remount,size=..., docker run --shm-size=...)",
                    what, (double)bytes / GIB, folder, (double)room / GIB);
}

/* Collective over the buffer's group. */
static void make_window(ith_comm *comm, ith_mpi_buffer *b, size_t bytes)
{
    MPI_Aint size = b->group->rank == 0 ? (MPI_Aint)(bytes + ALIGN) : 0;
    int unit;
    void *base;
    ith_mpi_check(comm,
                  MPI_Win_allocate_shared(size, 1, MPI_INFO_NULL, b->group->comm, &base, &b->win),
                  "MPI_Win_allocate_shared");
    ith_mpi_check(comm, MPI_Win_set_errhandler(b->win, MPI_ERRORS_RETURN),
                  "MPI_Win_set_errhandler");
    ith_mpi_check(comm, MPI_Win_shared_query(b->win, 0, &size, &unit, &base),
                  "MPI_Win_shared_query");
    ith_mpi_check(comm, MPI_Win_lock_all(MPI_MODE_NOCHECK, b->win), "MPI_Win_lock_all");
    /* Mappings differ by whole pages, so this is the same byte on all ranks. */
    b->data = (void *)(((uintptr_t)base + ALIGN - 1) / ALIGN * ALIGN);
}

/* Sets the page placement before the first touch; then each rank zeroes its share. The placement of
 * an anonymous file belongs to the file, whoever maps it. Collapsing into huge pages follows the
 * pages that are there, not the placement: where that matters, small pages come first. */
static void zero_buffer(ith_comm *comm, const ith_mpi_buffer *b, size_t bytes, ith_place_fn place,
                        void *user)
{
    const ith_mpi_group *g = b->group;
    ith_range mine = ith_split((int64_t)bytes, HUGE_PAGE, g->size, g->rank);
    char *at = (char *)b->data + mine.begin;
    size_t n = (size_t)ith_range_size(mine);
    ith_mem_advise_huge(b->data, bytes);
    if (place != NULL && g->rank == 0)
        place(user, b->data, bytes);
    if (g->size == 1) /* ordinary memory */
        return;
    group_barrier(comm, g);
    if (place != NULL)
        memset(at, 0, n);
    ith_mem_collapse(at, n);
    if (place == NULL)
        memset(at, 0, n);
    group_barrier(comm, g);
}

/* All steps that can fail on one rank alone. b->data stays NULL where a window is to follow. */
static ith_status reserve_buffer(ith_comm *comm, ith_mpi_buffer *b, size_t bytes, const char *what,
                                 ith_error *err)
{
    const ith_mpi_group *g = b->group;
    if (bytes > MAX_SHARED) /* the same in the group */
        return ith_fail(err, ITH_E_MEMORY, "%s: %zu bytes needed, more than the address space",
                        what, bytes);
    if (g->size == 1) /* ordinary memory */
        return ith_mem_alloc(ITH_MEM_WEIGHTS, bytes, what, &b->data, err);
    ith_status status = g->rank == 0 ? ith_mem_check(bytes, what, err) : ITH_OK;
    if (share_anonymous(comm, b, bytes, status == ITH_OK && !ith_mpi_of(comm)->windows_only) ||
        status != ITH_OK)
        return status;
    return g->rank == 0 ? check_window_room(bytes, what, err) : ITH_OK;
}

/* A window is freed by all ranks of its group together. */
static void free_buffer(ith_comm *comm, ith_mpi_buffer *b)
{
    if (b->win != MPI_WIN_NULL) {
        ith_mpi_check(comm, MPI_Win_unlock_all(b->win), "MPI_Win_unlock_all");
        ith_mpi_check(comm, MPI_Win_free(&b->win), "MPI_Win_free");
    } else if (b->memory.data) {
        ith_node_memory_free(&b->memory);
    } else {
        ith_mem_free(b->data);
    }
    free(b);
}

static ith_status group_alloc(ith_comm *comm, const ith_mpi_group *group, size_t bytes,
                              const char *what, ith_place_fn place, void *user, void **out,
                              ith_error *err)
{
    ith_mpi_impl *impl = ith_mpi_of(comm);
    *out = NULL;
    ith_mpi_buffer *b = calloc(1, sizeof *b);
    ith_status status = ith_comm_agree_memory(comm, b, what, err);
    if (status != ITH_OK) {
        free(b);
        return status;
    }
    b->win = MPI_WIN_NULL;
    b->group = group;
    status = ith_comm_agree(comm, reserve_buffer(comm, b, bytes > 0 ? bytes : 1, what, err), err);
    if (status != ITH_OK) {
        free_buffer(comm, b);
        return status;
    }
    if (!b->data)
        make_window(comm, b, bytes);
    b->next = impl->buffers;
    impl->buffers = b;
    zero_buffer(comm, b, bytes, place, user);
    *out = b->data;
    return ITH_OK;
}

ith_status ith_mpi_shared_alloc(ith_comm *comm, size_t bytes, const char *what, ith_place_fn place,
                                void *user, void **out, ith_error *err)
{
    return group_alloc(comm, &ith_mpi_of(comm)->node, bytes, what, place, user, out, err);
}

ith_status ith_mpi_domain_alloc(ith_comm *comm, size_t bytes, const char *what, ith_place_fn place,
                                void *user, void **out, ith_error *err)
{
    return group_alloc(comm, ith_mpi_domain(comm), bytes, what, place, user, out, err);
}

void ith_mpi_shared_free(ith_comm *comm, void *ptr)
{
    for (ith_mpi_buffer **at = &ith_mpi_of(comm)->buffers; ptr && *at; at = &(*at)->next) {
        ith_mpi_buffer *b = *at;
        if (b->data != ptr)
            continue;
        *at = b->next;
        free_buffer(comm, b);
        return;
    }
}

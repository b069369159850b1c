/* mem.c - tagged allocations, their accounting, and the memory that is left.
 *
 *   small   [ header 64 | data ... ]                                   posix_memalign, zeroed by
 *           hand
 *   large   [ page: ... header 64 | data, on a huge page boundary ...]  mmap, zeroed by the kernel
 *           at first touch
 *
 * In both, the header stands directly before the data, so that one ith_mem_free serves both. In
 * large buffers it has a page of its own, which leaves the data's pages to the thread that touches
 * them first.
 */
#include "base/mem.h"

#include "base/cgroup.h"
#include "base/ledger.h"
#include "base/range.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define GIB       1073741824.0

enum { ALIGN = 64 };

typedef struct header {
    void *mapping; /* NULL: from posix_memalign */
    size_t mapped; /* bytes of the mapping */
    size_t bytes;  /* as asked for */
    ith_mem_tag tag;
} header;

_Static_assert(sizeof(header) <= ALIGN, "the header fits before aligned data");

/* Bytes of the whole process: the only state of this file. */
static atomic_size_t in_use[ITH_MEM_TAGS];

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static header *header_of(void *data)
{
    return (header *)((char *)data - ALIGN);
}

static ith_status no_memory(const char *what, size_t bytes, ith_error *err)
{
    return ith_fail(err, ITH_E_MEMORY, "%s: %.1f GiB needed, the system refuses: %s", what,
                    (double)bytes / GIB, strerror(errno));
}

static ith_status alloc_small(size_t bytes, const char *what, void **data, ith_error *err)
{
    void *block;
    if (posix_memalign(&block, ALIGN, ALIGN + bytes) != 0)
        return ith_fail(err, ITH_E_MEMORY, "%s: %zu bytes needed, the system refuses", what, bytes);
    memset(block, 0, ALIGN + bytes);
    *data = (char *)block + ALIGN;
    return ITH_OK;
}

/* Maps more than needed, then unmaps what lies before the header's page and after the data. */
static ith_status alloc_large(size_t bytes, const char *what, void **data, ith_error *err)
{
    size_t page = page_size(), length, total;
    if (!ith_add_size(bytes, page - 1, &length) || !ith_add_size(length, page + HUGE_PAGE, &total))
        return ith_fail(err, ITH_E_MEMORY, "%s: %zu bytes needed, more than the address space",
                        what, bytes);
    length = length / page * page;
    char *map = mmap(NULL, total, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return no_memory(what, bytes, err);
    char *start = (char *)(((uintptr_t)map + page + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
    char *first = start - page, *last = start + length;
    if (first > map)
        munmap(map, (size_t)(first - map));
    if (map + total > last)
        munmap(last, (size_t)(map + total - last));
    header_of(start)->mapping = first;
    header_of(start)->mapped = page + length;
    *data = start;
    return ITH_OK;
}

/* MemAvailable counts what the kernel can free without swapping (Linux 3.14 and later). */
static int64_t system_available(void)
{
    char key[64];
    long long kib;
    int64_t found = INT64_MAX;
    FILE *f = fopen("/proc/meminfo", "re");
    if (!f)
        return found;
    while (fscanf(f, "%63s %lld%*[^\n]", key, &kib) == 2)
        if (strcmp(key, "MemAvailable:") == 0) {
            found = (int64_t)kib * 1024;
            break;
        }
    fclose(f);
    return found;
}

static long long number_of(const char *variable)
{
    const char *text = getenv(variable);
    return text != NULL ? strtoll(text, NULL, 10) : 0;
}

/* MB that a SLURM job asked for on this machine, by the node (--mem) or by the CPU; 0: no job, or
 * it has all. */
static long long job_mb(void)
{
    long long per_node = number_of("SLURM_MEM_PER_NODE"), per_cpu = number_of("SLURM_MEM_PER_CPU"),
              cpus = number_of("SLURM_CPUS_ON_NODE");

    if (getenv("SLURM_JOB_ID") == NULL)
        return 0;
    if (per_node > 0 || per_cpu <= 0 || cpus <= 0 || cpus > INT_MAX || per_cpu > INT_MAX)
        return per_node;
    return per_cpu * cpus;
}

/* Of the memory of a SLURM job: SLURM may kill a job that takes more, with or without a control
 * group to tell. What this process has is taken off; of its neighbours it knows nothing. INT64_MAX:
 * no limit. */
static int64_t job_available(void)
{
    long long limit = job_mb();

    return limit > 0 && limit <= INT64_MAX >> 20
               ? (int64_t)(limit << 20) - (int64_t)ith_mem_resident()
               : INT64_MAX;
}

/* What bounds the memory of this process, and how tightly. */
typedef struct bounds {
    int64_t system, job, group;
} bounds;

/* Bytes that are left when everything promised is there. Negative: more was promised. */
static bounds find_bounds(void)
{
    bounds b = {system_available(), job_available(), ith_cgroup_memory("")};
    int64_t promised = ith_ledger_promised(false);

    b.system -= promised;
    if (b.job != INT64_MAX)
        b.job -= promised;
    if (b.group != INT64_MAX)
        b.group -= ith_ledger_promised(true);
    return b;
}

static int64_t room(void)
{
    bounds b = find_bounds();
    return ith_min(ith_min(b.system, b.job), b.group);
}

const char *ith_mem_bound(void)
{
    bounds b = find_bounds();

    if (b.job < b.system && b.job <= b.group)
        return "the SLURM job";
    return b.group < b.system ? "the control group" : "the machine";
}

static ith_status too_short(size_t bytes, int64_t available, const char *what, ith_error *err)
{
    return ith_fail(err, ITH_E_MEMORY, "%s: %.3f GiB needed, %.3f GiB available", what,
                    (double)bytes / GIB, available > 0 ? (double)available / GIB : 0.0);
}

ith_status ith_mem_check(size_t bytes, const char *what, ith_error *err)
{
    size_t available = ith_mem_available();
    return bytes <= available ? ITH_OK : too_short(bytes, (int64_t)available, what, err);
}

/* The claim comes first: see ledger.h. */
static ith_status claim(size_t bytes, const char *what, ith_error *err)
{
    ITH_TRY(ith_mem_check(bytes, what, err)); /* sums in the ledger stay in range */
    ith_ledger_add((int64_t)bytes);
    int64_t left = room();
    if (left >= 0)
        return ITH_OK;
    ith_ledger_add(-(int64_t)bytes);
    return too_short(bytes, left + (int64_t)bytes, what, err);
}

static ith_status alloc_claimed(size_t bytes, const char *what, void **data, ith_error *err)
{
    ITH_TRY(claim(bytes, what, err));
    ith_status status = alloc_large(bytes, what, data, err);
    if (status != ITH_OK)
        ith_ledger_add(-(int64_t)bytes);
    return status;
}

ith_status ith_mem_alloc(ith_mem_tag tag, size_t bytes, const char *what, void **out,
                         ith_error *err)
{
    void *data = NULL;
    *out = NULL;
    if (bytes >= HUGE_PAGE) {
        ITH_TRY(alloc_claimed(bytes, what, &data, err));
        ith_mem_advise_huge(data, bytes);
    } else {
        ITH_TRY(alloc_small(bytes, what, &data, err));
    }
    header_of(data)->bytes = bytes;
    header_of(data)->tag = tag;
    atomic_fetch_add(&in_use[tag], bytes);
    *out = data;
    return ITH_OK;
}

ith_status ith_mem_alloc_array(ith_mem_tag tag, size_t count, size_t size, const char *what,
                               void **out, ith_error *err)
{
    size_t bytes;
    *out = NULL;
    if (!ith_mul_size(count, size, &bytes))
        return ith_fail(err, ITH_E_MEMORY,
                        "%s: %zu x %zu bytes needed, more than the address space", what, count,
                        size);
    return ith_mem_alloc(tag, bytes, what, out, err);
}

void ith_mem_free(void *ptr)
{
    if (!ptr)
        return;
    header h = *header_of(ptr);
    atomic_fetch_sub(&in_use[h.tag], h.bytes);
    if (!h.mapping) {
        free(header_of(ptr));
        return;
    }
    munmap(h.mapping, h.mapped);
    ith_ledger_add(-(int64_t)h.bytes);
}

size_t ith_mem_in_use(ith_mem_tag tag)
{
    return atomic_load(&in_use[tag]);
}

void ith_mem_advise_huge(void *ptr, size_t bytes)
{
    size_t page = page_size();
    uintptr_t begin = ((uintptr_t)ptr + page - 1) / page * page,
              end = ((uintptr_t)ptr + bytes) / page * page;
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_HUGEPAGE); /* advice: small pages serve too */
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

/* A write that changes nothing, in every page. */
static void touch_pages(uintptr_t begin, uintptr_t end, size_t step)
{
    for (uintptr_t at = begin; at < end; at += step)
        atomic_fetch_or_explicit((atomic_uchar *)at, 0, memory_order_relaxed);
}

ith_status ith_mem_populate(void *ptr, size_t bytes, const char *what, ith_error *err)
{
    size_t page = page_size();
    uintptr_t begin = ((uintptr_t)ptr + page - 1) / page * page,
              end = ((uintptr_t)ptr + bytes) / page * page;

    if (begin >= end || madvise((void *)begin, end - begin, MADV_POPULATE_WRITE) == 0)
        return ITH_OK;
    if (errno != EINVAL) /* which older kernels say */
        return no_memory(what, bytes, err);
    touch_pages(begin, end, page);
    return ITH_OK;
}

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1; headers may be older than the kernel */
#endif

/* The kernel does not collapse a range without any page, so each gets one first, by a
 * write that changes nothing. */
void ith_mem_collapse(void *ptr, size_t bytes)
{
    uintptr_t begin = ((uintptr_t)ptr + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE,
              end = ((uintptr_t)ptr + bytes) / HUGE_PAGE * HUGE_PAGE;
    if (begin >= end)
        return;
    touch_pages(begin, end, HUGE_PAGE);
    madvise((void *)begin, end - begin, MADV_COLLAPSE);
}

size_t ith_mem_resident(void)
{
    long long total, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return 0;
    if (fscanf(f, "%lld %lld", &total, &resident) != 2)
        resident = 0;
    fclose(f);
    return (size_t)resident * page_size();
}

/* Not getrusage's ru_maxrss, which begins with that of the program before exec. */
size_t ith_mem_peak(void)
{
    char line[128];
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/self/status", "re");

    if (!f)
        return 0;
    while (kib == 0 && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %llu kB", &kib) != 1)
            kib = 0;
    fclose(f);
    return (size_t)kib << 10;
}

bool ith_mem_forget_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "we");
    bool written;

    if (!f)
        return false;
    written = fputs("5\n", f) >= 0;
    return fclose(f) == 0 && written;
}

bool ith_mem_each_mapping(void (*see)(void *user, uintptr_t begin, uintptr_t end, size_t huge),
                          void *user)
{
    char line[512];
    unsigned long begin = 0, end = 0, from, to;
    size_t huge = 0, kib;
    FILE *f = fopen("/proc/self/smaps", "re");

    if (!f)
        return false;
    while (fgets(line, sizeof line, f))
        /* The next mapping's first line. */
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            if (end > 0)
                see(user, begin, end, huge);
            begin = from;
            end = to;
            huge = 0;
        } else if (sscanf(line, "AnonHugePages: %zu", &kib) == 1 ||
                   sscanf(line, "ShmemPmdMapped: %zu", &kib) == 1 ||
                   sscanf(line, "FilePmdMapped: %zu", &kib) == 1) {
            huge += kib * 1024;
        }
    if (end > 0)
        see(user, begin, end, huge);
    fclose(f);
    return true;
}

size_t ith_mem_available(void)
{
    int64_t left = room();
    return left > 0 ? (size_t)left : 0;
}

/* "always [madvise] never" */
void ith_mem_huge_pages(char text[16])
{
    FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");

    text[0] = 0;
    if (f == NULL)
        return;
    if (fscanf(f, "%*[^[][%15[a-z]", text) != 1 && (rewind(f), fscanf(f, "[%15[a-z]", text)) != 1)
        text[0] = 0;
    fclose(f);
}

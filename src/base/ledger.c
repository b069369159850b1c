/* ledger.c - sums of promised memory, and how much of it is in memory by now. */
#include "base/ledger.h"

#include "base/checksum.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A process of the node. */
typedef struct account {
    atomic_llong sum;           /* bytes of large buffers */
    atomic_llong process;       /* 0: has not joined */
    atomic_ullong space, group; /* its namespace of process numbers; its control group */
} account;

/* Of this process, with what it has joined. */
static struct {
    atomic_llong sum;
    account *accounts; /* [n]; NULL: alone */
    int n, me;
} own;

/* Anonymous memory of a process that is there; INT64_MAX where nobody can tell. Shared memory is
 * not counted: it is there as soon as it is allocated. */
static int64_t resident(long long process)
{
    char path[64];
    long long total, all, shared;
    bool read;

    snprintf(path, sizeof path, "/proc/%lld/statm", process);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return INT64_MAX;
    read = fscanf(f, "%lld %lld %lld", &total, &all, &shared) == 3;
    fclose(f);
    return read ? (all - shared) * (int64_t)sysconf(_SC_PAGESIZE) : INT64_MAX;
}

static int64_t missing(int64_t sum, long long process)
{
    int64_t there = sum > 0 ? resident(process) : 0;
    return sum > there ? sum - there : 0;
}

/* Numbers of processes mean something within a namespace. */
static uint64_t own_space(void)
{
    struct stat s;
    return stat("/proc/self/ns/pid", &s) == 0 ? (uint64_t)s.st_ino : 0;
}

static uint64_t own_group(void)
{
    char text[4096];
    FILE *f = fopen("/proc/self/cgroup", "re");
    size_t n = f == NULL ? 0 : fread(text, 1, sizeof text, f);

    if (f != NULL)
        fclose(f);
    return ith_checksum(text, n);
}

void ith_ledger_add(int64_t bytes)
{
    atomic_fetch_add(&own.sum, bytes);
    if (own.accounts != NULL)
        atomic_fetch_add(&own.accounts[own.me].sum, bytes);
}

static bool counts(const account *a, uint64_t space, uint64_t group, bool in_group)
{
    return atomic_load(&a->process) != 0 && atomic_load(&a->space) == space &&
           (!in_group || atomic_load(&a->group) == group);
}

int64_t ith_ledger_promised(bool in_group)
{
    int64_t bytes = missing(atomic_load(&own.sum), getpid());
    uint64_t space = own.accounts == NULL ? 0 : own_space(),
             group = own.accounts == NULL ? 0 : own_group();

    for (int i = 0; own.accounts != NULL && i < own.n; i++) {
        const account *a = &own.accounts[i];
        if (i != own.me && counts(a, space, group, in_group))
            bytes += missing(atomic_load(&a->sum), atomic_load(&a->process));
    }
    return bytes;
}

size_t ith_ledger_bytes(int n)
{
    return (size_t)n * sizeof(account);
}

void ith_ledger_join(void *ledger, int n, int me)
{
    account *mine = (account *)ledger + me;

    atomic_store(&mine->sum, atomic_load(&own.sum));
    atomic_store(&mine->space, own_space());
    atomic_store(&mine->group, own_group());
    atomic_store(&mine->process, getpid());
    own.n = n;
    own.me = me;
    own.accounts = ledger;
}

void ith_ledger_leave(void *ledger)
{
    if (own.accounts == NULL || own.accounts != ledger)
        return;
    atomic_store(&own.accounts[own.me].process, 0);
    own.accounts = NULL;
}

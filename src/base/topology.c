/* topology.c - the machine through hwloc: memory nodes, cores, caches, binding of threads. */
#include "base/topology.h"

#include "base/cpumask.h"
#include "base/pages.h"

#include <hwloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ith_topology {
    hwloc_topology_t machine;
    hwloc_cpuset_t cpus; /* the process's */
    bool here;           /* the running machine */
    int n_nodes, machine_nodes, n_cores, n_cpus, machine_cores;
    ith_caches caches;
    ith_memory_node nodes[ITH_MAX_MEMORY_NODES];    /* [machine_nodes] */
    hwloc_cpuset_t node_cpus[ITH_MAX_MEMORY_NODES]; /* [n_nodes] those of the process */
};

/* ---- Reading ---- */

static ith_status load_machine(ith_topology *t, ith_error *err)
{
    const char *recorded = getenv("ITHACA_TOPOLOGY");

    if (hwloc_topology_init(&t->machine) != 0)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the machine's topology");
    if (recorded != NULL &&
        (access(recorded, R_OK) == 0 ? hwloc_topology_set_xml(t->machine, recorded)
                                     : hwloc_topology_set_synthetic(t->machine, recorded)) != 0)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "ITHACA_TOPOLOGY='%s' is neither a file of hwloc's XML nor one of its "
                        "synthetic descriptions, such as 'numa:2 core:4 pu:1'",
                        recorded);
    if (hwloc_topology_load(t->machine) != 0)
        return ith_fail(err, recorded != NULL ? ITH_E_ARGUMENT : ITH_E_IO,
                        "the machine's topology cannot be read%s%s",
                        recorded != NULL ? ": ITHACA_TOPOLOGY=" : "",
                        recorded != NULL ? recorded : "");
    t->here = hwloc_topology_is_thissystem(t->machine) != 0;
    return ITH_OK;
}

/* Those of the calling thread, unless OpenMP has bound it: see cpumask.h. */
static bool read_cpus(const ith_topology *t, hwloc_bitmap_t mask)
{
    ith_cpu_mask own;
    bool known;

    if (!ith_cpus_bound_by_openmp())
        return hwloc_get_cpubind(t->machine, mask, HWLOC_CPUBIND_THREAD) == 0;
    own = ith_cpu_mask_of_process();
    known = own.set != NULL;
    for (unsigned c = 0; known && c < 8 * own.bytes; c++)
        if (CPU_ISSET_S(c, own.bytes, own.set))
            hwloc_bitmap_set(mask, c);
    ith_cpu_mask_free(&own);
    return known;
}

static ith_status read_mask(ith_topology *t, ith_error *err)
{
    const char *list = t->here ? NULL : getenv("ITHACA_CPUS");

    t->cpus = hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(t->machine));
    hwloc_bitmap_t mask = hwloc_bitmap_alloc();
    if (t->cpus == NULL || mask == NULL) {
        hwloc_bitmap_free(mask);
        return ith_fail(err, ITH_E_MEMORY, "no memory for the machine's topology");
    }
    bool known =
        list != NULL ? hwloc_bitmap_list_sscanf(mask, list) == 0 : t->here && read_cpus(t, mask);
    if (known)
        hwloc_bitmap_and(t->cpus, t->cpus, mask);
    hwloc_bitmap_free(mask);
    if ((list != NULL && !known) || hwloc_bitmap_iszero(t->cpus))
        return ith_fail(err, ITH_E_ARGUMENT,
                        "ITHACA_CPUS='%s' names no CPU of this machine: expected a list like 0-3,8",
                        list != NULL ? list : "");
    return ITH_OK;
}

static int cores_within(const ith_topology *t, hwloc_const_cpuset_t set)
{
    int n = 0;
    for (hwloc_obj_t core = NULL;
         (core = hwloc_get_next_obj_by_type(t->machine, HWLOC_OBJ_CORE, core)) != NULL;)
        n += hwloc_bitmap_intersects(core->cpuset, set);
    return n > 0 ? n : hwloc_bitmap_weight(set); /* no cores, only hardware threads */
}

/* libnuma knows the running machine only: a recorded one brings its own sizes. */
static ith_memory_node describe(const ith_topology *t, hwloc_obj_t node, int cores)
{
    int64_t bytes = t->here ? ith_pages_node_bytes((int)node->os_index) : 0;

    if (bytes == 0)
        bytes = (int64_t)node->attr->numanode.local_memory;
    return (ith_memory_node){.os_index = (int)node->os_index, .cores = cores, .bytes = bytes};
}

/* Nodes of the process come before the others. */
static ith_status add_node(ith_topology *t, hwloc_obj_t node, ith_error *err)
{
    hwloc_cpuset_t mine = hwloc_bitmap_alloc();

    if (mine == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the machine's topology");
    hwloc_bitmap_and(mine, node->cpuset, t->cpus);
    if (hwloc_bitmap_iszero(mine)) {
        hwloc_bitmap_free(mine);
        t->nodes[t->machine_nodes++] = describe(t, node, 0);
        return ITH_OK;
    }
    memmove(&t->nodes[t->n_nodes + 1], &t->nodes[t->n_nodes],
            (size_t)(t->machine_nodes++ - t->n_nodes) * sizeof t->nodes[0]);
    t->node_cpus[t->n_nodes] = mine;
    t->nodes[t->n_nodes++] = describe(t, node, cores_within(t, mine));
    return ITH_OK;
}

/* hwloc lists a package's DRAM before its other memory. */
static ith_status read_nodes(ith_topology *t, ith_error *err)
{
    hwloc_const_nodeset_t allowed = hwloc_topology_get_allowed_nodeset(t->machine);
    hwloc_cpuset_t seen = hwloc_bitmap_alloc();
    ith_status status =
        seen != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for the machine's topology");

    for (hwloc_obj_t node = NULL;
         status == ITH_OK && t->machine_nodes < ITH_MAX_MEMORY_NODES &&
         (node = hwloc_get_next_obj_by_type(t->machine, HWLOC_OBJ_NUMANODE, node)) != NULL;) {
        if (!hwloc_bitmap_isset(allowed, node->os_index) || hwloc_bitmap_iszero(node->cpuset) ||
            hwloc_bitmap_intersects(seen, node->cpuset))
            continue;
        hwloc_bitmap_or(seen, seen, node->cpuset);
        status = add_node(t, node, err);
    }
    hwloc_bitmap_free(seen);
    return status;
}

/* Where the system names no node for them, all of the process's cores belong to node 0. */
static ith_status without_nodes(ith_topology *t, ith_error *err)
{
    t->node_cpus[0] = hwloc_bitmap_dup(t->cpus);
    if (t->node_cpus[0] == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the machine's topology");
    t->nodes[0] = (ith_memory_node){.cores = t->n_cores};
    t->n_nodes = t->machine_nodes = 1;
    return ITH_OK;
}

/* The smallest share of a core in the caches of one level; 0: unknown. */
static int64_t cache_share(const ith_topology *t, hwloc_obj_type_t level)
{
    int64_t least = 0;

    for (hwloc_obj_t cache = NULL;
         (cache = hwloc_get_next_obj_by_type(t->machine, level, cache)) != NULL;) {
        int64_t share = (int64_t)cache->attr->cache.size;
        if (!hwloc_bitmap_intersects(cache->cpuset, t->cpus))
            continue;
        share /= cores_within(t, cache->cpuset);
        if (share > 0 && (least == 0 || share < least))
            least = share;
    }
    return least;
}

static ith_status read_caches(ith_topology *t, ith_error *err)
{
    const char *given = getenv("ITHACA_CACHES");
    int64_t l1 = cache_share(t, HWLOC_OBJ_L1CACHE), l2 = cache_share(t, HWLOC_OBJ_L2CACHE),
            l3 = cache_share(t, HWLOC_OBJ_L3CACHE);

    if (given != NULL)
        return ith_caches_read("ITHACA_CACHES", given, &t->caches, err);
    t->caches = ith_caches_default();
    if (l1 > 0)
        t->caches.l1 = l1;
    if (l2 > 0)
        t->caches.l2 = l2;
    if (l3 > 0 || l2 > 0)
        t->caches.l3 = l3 > t->caches.l2 ? l3 : t->caches.l2;
    return ITH_OK;
}

static ith_status read_machine(ith_topology *t, ith_error *err)
{
    ITH_TRY(load_machine(t, err));
    ITH_TRY(read_mask(t, err));
    t->n_cpus = hwloc_bitmap_weight(t->cpus);
    t->n_cores = cores_within(t, t->cpus);
    t->machine_cores = cores_within(t, hwloc_topology_get_allowed_cpuset(t->machine));
    ITH_TRY(read_caches(t, err));
    ITH_TRY(read_nodes(t, err));
    return t->n_nodes > 0 ? ITH_OK : without_nodes(t, err);
}

ith_status ith_topology_open(ith_topology **out, ith_error *err)
{
    ith_topology *t = calloc(1, sizeof *t);
    ith_status status =
        t != NULL ? read_machine(t, err) : ith_fail(err, ITH_E_MEMORY, "no memory for a topology");

    *out = NULL;
    if (status != ITH_OK) {
        ith_topology_close(t);
        return status;
    }
    *out = t;
    return ITH_OK;
}

void ith_topology_close(ith_topology *t)
{
    if (t == NULL)
        return;
    for (int i = 0; i < t->n_nodes; i++)
        hwloc_bitmap_free(t->node_cpus[i]);
    hwloc_bitmap_free(t->cpus);
    if (t->machine != NULL)
        hwloc_topology_destroy(t->machine);
    free(t);
}

int ith_topology_nodes(const ith_topology *t)
{
    return t->n_nodes;
}
int ith_topology_machine_nodes(const ith_topology *t)
{
    return t->machine_nodes;
}
int ith_topology_find(const ith_topology *t, int os_index)
{
    for (int i = 0; i < t->machine_nodes; i++)
        if (t->nodes[i].os_index == os_index)
            return i;
    return -1;
}
ith_caches ith_topology_caches(const ith_topology *t)
{
    return t->caches;
}
const ith_memory_node *ith_topology_node(const ith_topology *t, int node)
{
    return &t->nodes[node];
}
const char *ith_topology_cpu_name(const ith_topology *t)
{
    hwloc_obj_t package = hwloc_get_obj_by_type(t->machine, HWLOC_OBJ_PACKAGE, 0);
    const char *name = hwloc_obj_get_info_by_name(
        package != NULL ? package : hwloc_get_root_obj(t->machine), "CPUModel");

    return name != NULL ? name : "";
}

int ith_topology_cores(const ith_topology *t)
{
    return t->n_cores;
}
int ith_topology_cpus(const ith_topology *t)
{
    return t->n_cpus;
}
int ith_topology_machine_cores(const ith_topology *t)
{
    return t->machine_cores;
}

/* ---- As bits ---- */

void ith_topology_core_bits(const ith_topology *t, uint8_t *bits, size_t bytes)
{
    memset(bits, 0, bytes);
    for (hwloc_obj_t core = NULL;
         (core = hwloc_get_next_obj_by_type(t->machine, HWLOC_OBJ_CORE, core)) != NULL;) {
        int first = hwloc_bitmap_first(core->complete_cpuset);
        if (hwloc_bitmap_intersects(core->cpuset, t->cpus) && first >= 0 &&
            (size_t)first < 8 * bytes)
            bits[first / 8] |= (uint8_t)(1u << first % 8);
    }
}

static uint64_t nodes_before(const ith_topology *t, int n)
{
    uint64_t bits = 0;

    for (int i = 0; i < n; i++)
        if (t->nodes[i].os_index < 64)
            bits |= UINT64_C(1) << t->nodes[i].os_index;
    return bits;
}

uint64_t ith_topology_near(const ith_topology *t)
{
    return nodes_before(t, t->n_nodes);
}

uint64_t ith_topology_all(const ith_topology *t)
{
    return nodes_before(t, t->machine_nodes);
}

uint64_t ith_topology_allowed(const ith_topology *t)
{
    hwloc_nodeset_t set = t->here ? hwloc_bitmap_alloc() : NULL;
    hwloc_membind_policy_t policy;
    uint64_t bits = 0;

    if (set != NULL && hwloc_get_membind(t->machine, set, &policy,
                                         HWLOC_MEMBIND_BYNODESET | HWLOC_MEMBIND_THREAD) == 0)
        for (int i = 0; i < 64; i++)
            if (hwloc_bitmap_isset(set, (unsigned)i))
                bits |= UINT64_C(1) << i;
    hwloc_bitmap_free(set);
    return bits;
}

/* ---- Shares ---- */

/* The node of the core in the middle of the thread's share. */
int ith_topology_thread_node(const ith_topology *t, int n_threads, int tid)
{
    int64_t cores = 0, before = 0;

    for (int i = 0; i < t->n_nodes; i++)
        cores += t->nodes[i].cores;
    for (int i = 0; i < t->n_nodes; i++) {
        before += t->nodes[i].cores;
        if ((2 * (int64_t)tid + 1) * cores < 2 * (int64_t)n_threads * before)
            return i;
    }
    return t->n_nodes - 1;
}

ith_range ith_topology_node_threads(const ith_topology *t, int n_threads, int node)
{
    ith_range r = {0, 0};

    while (r.begin < n_threads && ith_topology_thread_node(t, n_threads, (int)r.begin) < node)
        r.begin++;
    r.end = r.begin;
    while (r.end < n_threads && ith_topology_thread_node(t, n_threads, (int)r.end) == node)
        r.end++;
    return r;
}

/* ---- Effects ---- */

void ith_topology_bind_thread(const ith_topology *t, int node)
{
    if (t->here && t->n_nodes > 1)
        hwloc_set_cpubind(t->machine, node < 0 ? t->cpus : t->node_cpus[node],
                          HWLOC_CPUBIND_THREAD);
}

static bool places_pages(const ith_topology *t)
{
    return t->here && t->machine_nodes > 1;
}

void ith_topology_place(const ith_topology *t, void *ptr, size_t bytes, int node)
{
    if (places_pages(t))
        ith_pages_place(ptr, bytes, t->nodes[node].os_index);
}

void ith_topology_interleave(const ith_topology *t, void *ptr, size_t bytes)
{
    int nodes[ITH_MAX_MEMORY_NODES];

    for (int i = 0; i < t->machine_nodes; i++)
        nodes[i] = t->nodes[i].os_index;
    if (places_pages(t))
        ith_pages_interleave(ptr, bytes, nodes, t->machine_nodes);
}

int ith_topology_locate(const ith_topology *t, const void *ptr)
{
    return t->here ? ith_pages_locate(ptr) : -1;
}

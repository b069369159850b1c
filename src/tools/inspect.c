/* inspect.c - describes a model's files in JSON, and the build and the machine. */
#include "base/build.h"
#include "base/fpenv.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/threads.h"
#include "base/topology.h"
#include "comm/comm_open.h"
#include "formats/source.h"
#include "ithaca_tools.h"
#include "model/blas.h"
#include "simd/kernels.h"
#include "text/unicode.h"

#include <stdlib.h>

/* Frees `root`. */
static ith_status text_of(json_t *root, char **json, ith_error *err)
{
    *json = root == NULL ? NULL : ith_json_text(root, true);
    json_decref(root);
    return *json != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for the description");
}

ith_status ith_inspect(const char *model, char **json, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ith_source *source;
    json_t *root = NULL;
    ith_status status;

    *json = NULL;
    ITH_TRY(ith_source_open(model, 0, &source, err));
    status = ith_source_describe(source, &root, err);
    ith_source_close(source);
    ITH_TRY(status);
    return text_of(root, json, err);
}

/* Adds the machine's processor, memory nodes and caches. Where the topology cannot be read,
 * memory_nodes is 0, and cpu and cache_bytes are absent. */
static void add_machine(json_t *root)
{
    ith_topology *topology;

    if (ith_topology_open(&topology, NULL) != ITH_OK) {
        json_object_set_new(root, "memory_nodes", json_integer(0));
        return;
    }
    json_object_set_new(root, "cpu", ith_json_c_string(ith_topology_cpu_name(topology)));
    json_object_set_new(root, "memory_nodes", json_integer(ith_topology_nodes(topology)));
    ith_caches caches = ith_topology_caches(topology);
    json_object_set_new(root, "cache_bytes",
                        json_pack("[I, I, I]", (json_int_t)caches.l1, (json_int_t)caches.l2,
                                  (json_int_t)caches.l3));
    ith_topology_close(topology);
}

static json_t *simd_names(void)
{
    json_t *names = json_array();
    for (const char *const *name = ith_kernels_names(); *name != NULL; name++)
        if (ith_kernels_named(*name) != NULL)
            json_array_append_new(names, json_string(*name));
    return names;
}

ith_status ith_build_info(char **json, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    json_t *root = json_pack(
        "{s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:i, s:I}", "version", ITH_VERSION, "build",
        ith_build_id(), "simd", ith_kernels_get()->name, "simd_available", simd_names(), "mpi",
        ith_comm_library(), "blas", ith_blas_version(), "unicode", ITH_UNICODE_VERSION, "cores",
        ith_cores_available(), "memory_available_bytes", (json_int_t)ith_mem_available());
    if (root != NULL)
        add_machine(root);
    return text_of(root, json, err);
}

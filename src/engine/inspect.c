#include "base/json.h"
#include "base/mem.h"
#include "engine/engine_impl.h"

#include <stdlib.h>

static ith_status text_of(json_t *root, char **json, ith_error *err)
{
    *json = root == NULL ? NULL : ith_json_text(root, true);
    json_decref(root);
    return *json != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for the description");
}

ith_status ith_inspect(const char *model, char **json, ith_error *err)
{
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

/* 0 where the machine cannot be read. */
static int memory_nodes(void)
{
    ith_topology *topology;
    int n = ith_topology_open(&topology, NULL) == ITH_OK ? ith_topology_nodes(topology) : 0;
    ith_topology_close(topology);
    return n;
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
    json_t *root = json_pack("{s:s, s:s, s:o, s:s, s:s, s:i, s:i, s:I}", "version", ITH_VERSION, "simd",
                             ith_kernels_get()->name, "simd_available", simd_names(), "mpi", ith_comm_library(), "blas",
                             ith_blas_version(), "cores", ith_cores_available(), "memory_nodes", memory_nodes(),
                             "memory_available_bytes", (json_int_t)ith_mem_available());
    return text_of(root, json, err);
}

/* arch.c - the list of model families, and how to find one. */
#include "formats/arch.h"

#include <stdio.h>
#include <string.h>

#define ITH_ARCH(name) &ith_arch_##name,
static const ith_arch *const known[] = {
#include "formats/architectures.inc"
};
#undef ITH_ARCH

enum { N_KNOWN = sizeof known / sizeof *known };

const ith_arch *ith_arch_find(const char *name)
{
    for (int i = 0; i < N_KNOWN; i++)
        if (strcmp(known[i]->name, name) == 0)
            return known[i];
    return NULL;
}

const ith_arch *ith_arch_find_hf(const char *model_type, const char **class_name)
{
    for (int i = 0; i < N_KNOWN; i++)
        for (const ith_hf_class *class = known[i]->hf_classes; class->model_type != NULL; class ++)
            if (strcmp(class->model_type, model_type) == 0) {
                *class_name = class->name;
                return known[i];
            }
    return NULL;
}

ith_status ith_arch_unknown(const char *where, const char *found, ith_error *err)
{
    char names[512] = "";
    size_t used = 0;

    for (int i = 0; i < N_KNOWN && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i == 0 ? "" : ", ",
                                 known[i]->name);
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: architecture \"%s\" is not supported; Ithaca knows: %s", where, found,
                    names);
}

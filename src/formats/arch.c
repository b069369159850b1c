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

ith_layer_form ith_layer_of_attention_and_mlp(const ith_hparams *hp, int64_t i)
{
    (void)hp, (void)i;
    return (ith_layer_form){2, {{ITH_ROLE_ATTN_NORM, "attention"}, {ITH_ROLE_FFN_NORM, "mlp"}}};
}

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
    char names[256] = "";
    size_t used = 0;

    for (int i = 0; i < N_KNOWN && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i == 0 ? "" : ", ",
                                 known[i]->name);
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: architecture \"%s\" is not supported; Ithaca knows: %s", where, found,
                    names);
}

bool ith_arch_takes(const char *const *keys, const char *key)
{
    for (; keys != NULL && *keys != NULL; keys++)
        if (strcmp(*keys, key) == 0)
            return true;
    return false;
}

bool ith_arch_tensor_name(const char *const *names, ith_role role, int layer, int expert,
                          char name[ITH_TENSOR_NAME])
{
    if (names[role] == NULL)
        return false;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(name, ITH_TENSOR_NAME, names[role], layer, expert);
#pragma GCC diagnostic pop
    return true;
}

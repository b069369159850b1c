/* families.c - commands of two words. */
#include "cli/families.h"

#include <string.h>

const ith_command_family ith_command_families[] = {
    {"bench", "measure this machine, the kernels, or a model"},
    {"eval", "measure how good a model's answers are"},
    {"cache", "list, remove or verify what a prompt cache holds"},
    {NULL, NULL},
};

const ith_command_family *ith_family_find(const char *name)
{
    for (const ith_command_family *f = ith_command_families; f->name != NULL; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

const char *ith_family_member(const ith_command_family *family, const ith_command *command)
{
    size_t len = strlen(family->name);

    if (strncmp(command->name, family->name, len) != 0 || command->name[len] != ' ')
        return NULL;
    return command->name + len + 1;
}

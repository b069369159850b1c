/* archive_names.c - the paths of an archive's files. */
#include "keep/archive_names.h"

#include <stdio.h>
#include <string.h>

enum { NAME_LENGTH = 2 * (ITH_KEY_HEX - 1) + 1 };

void ith_archive_name_segment(const char *folder, const ith_key *parent, const ith_key *key,
                              char path[ITH_PATH_MAX])
{
    char p[ITH_KEY_HEX], k[ITH_KEY_HEX];

    ith_key_hex(parent, p);
    ith_key_hex(key, k);
    snprintf(path, ITH_PATH_MAX, "%s/%s-%s", folder, p, k);
}

void ith_archive_name_manifest(const char *folder, const ith_key *parent, const ith_key *key,
                               char path[ITH_PATH_MAX])
{
    ith_archive_name_segment(folder, parent, key, path);
    strncat(path, "/manifest.json", ITH_PATH_MAX - strlen(path) - 1);
}

void ith_archive_name_file(const char *folder, const ith_key *parent, const ith_key *key, int head,
                           char path[ITH_PATH_MAX])
{
    size_t n;

    ith_archive_name_segment(folder, parent, key, path);
    n = strlen(path);
    snprintf(path + n, ITH_PATH_MAX - n, "/head-%d.kv", head);
}

bool ith_archive_parse_name(const char *name, ith_key *parent, ith_key *key)
{
    return strlen(name) == NAME_LENGTH && name[ITH_KEY_HEX - 1] == '-' &&
           ith_key_parse(name, parent) && ith_key_parse(name + ITH_KEY_HEX, key);
}

bool ith_archive_is_file(const char *name)
{
    return strncmp(name, "manifest.json", 13) == 0 || strncmp(name, "head-", 5) == 0;
}

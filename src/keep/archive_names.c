/* archive_names.c - the paths and names of an archive's files. */
#include "keep/archive_names.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HEAD_PREFIX  "head-"
#define STATE_PREFIX "state-"

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
    strncat(path, "/" ITH_ARCHIVE_MANIFEST, ITH_PATH_MAX - strlen(path) - 1);
}

static void name_head(ith_head_file which, char *to, size_t room)
{
    snprintf(to, room, which.state ? STATE_PREFIX "%d.st" : HEAD_PREFIX "%d.kv", which.head);
}

void ith_archive_name_head(ith_head_file which, char name[ITH_PATH_MAX])
{
    name_head(which, name, ITH_PATH_MAX);
}

void ith_archive_name_file(const char *folder, const ith_key *parent, const ith_key *key,
                           ith_head_file which, char path[ITH_PATH_MAX])
{
    size_t n;

    ith_archive_name_segment(folder, parent, key, path);
    n = strlen(path);
    path[n++] = '/';
    name_head(which, path + n, ITH_PATH_MAX - n);
}

bool ith_archive_parse_name(const char *name, ith_key *parent, ith_key *key)
{
    return strlen(name) == NAME_LENGTH && name[ITH_KEY_HEX - 1] == '-' &&
           ith_key_parse(name, parent) && ith_key_parse(name + ITH_KEY_HEX, key);
}

bool ith_archive_is_file(const char *name)
{
    return strncmp(name, ITH_ARCHIVE_MANIFEST, 13) == 0 ||
           strncmp(name, HEAD_PREFIX, strlen(HEAD_PREFIX)) == 0 || ith_archive_is_state(name);
}

bool ith_archive_is_state(const char *name)
{
    return strncmp(name, STATE_PREFIX, strlen(STATE_PREFIX)) == 0;
}

int ith_archive_enter(int in, const char *path)
{
    return openat(in, ith_path_within(in, path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

DIR *ith_archive_entries(int folder)
{
    int own = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = own < 0 ? NULL : fdopendir(own);

    if (entries == NULL && own >= 0)
        close(own);
    return entries;
}

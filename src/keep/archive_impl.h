/* archive_impl.h - an archive's names, for archive.c and archive_list.c. */
#ifndef ITH_KEEP_ARCHIVE_IMPL_H
#define ITH_KEEP_ARCHIVE_IMPL_H

#include "base/newfile.h"
#include "keep/archive.h"

enum { ITH_ARCHIVE_INSIDE = 200 /* bytes left in a path for what is below the folder */ };

struct ith_archive {
    char folder[ITH_PATH_MAX - ITH_ARCHIVE_INSIDE];
    bool durable;
};

/* A segment's folder, its manifest, a head's file. */
void ith_archive_folder_of(const ith_archive *a, const ith_key *parent, const ith_key *key, char path[ITH_PATH_MAX]);
void ith_archive_manifest_of(const ith_archive *a, const ith_key *parent, const ith_key *key, char path[ITH_PATH_MAX]);
void ith_archive_file_of(const ith_archive *a, const ith_key *parent, const ith_key *key, int head,
                         char path[ITH_PATH_MAX]);

/* The name of a segment's folder; false for other names. */
bool ith_archive_parse_name(const char *name, ith_key *parent, ith_key *key);

#endif

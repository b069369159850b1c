/* archive_names.h - an archive's files: their paths and names, for archive.c and archive_list.c.
 *
 * An archive and each of its segments are open folders in which files are looked up without
 * following links (base/regular.h); paths are for messages.
 */
#ifndef ITH_KEEP_ARCHIVE_NAMES_H
#define ITH_KEEP_ARCHIVE_NAMES_H

#include "base/newfile.h"
#include "keep/kvfile.h"

#include <dirent.h>

#define ITH_ARCHIVE_MANIFEST "manifest.json"

/* Bytes of a path that are left for what lies below the archive's folder. */
enum { ITH_ARCHIVE_INSIDE = 200 };

/* A segment's folder, its manifest, and one of its other files, in the archive `folder`; _head: the
 * file's name in the segment's folder. */
void ith_archive_name_segment(const char *folder, const ith_key *parent, const ith_key *key,
                              char path[ITH_PATH_MAX]);
void ith_archive_name_manifest(const char *folder, const ith_key *parent, const ith_key *key,
                               char path[ITH_PATH_MAX]);
void ith_archive_name_head(ith_head_file which, char name[ITH_PATH_MAX]);
void ith_archive_name_file(const char *folder, const ith_key *parent, const ith_key *key,
                           ith_head_file which, char path[ITH_PATH_MAX]);

/* Reads the keys in the name of a segment's folder; false if it is not such a name. */
bool ith_archive_parse_name(const char *name, ith_key *parent, ith_key *key);

/* Is this the name of a file in a segment's folder? */
bool ith_archive_is_file(const char *name);

/* And of one of a state? */
bool ith_archive_is_state(const char *name);

/* Opens the folder `path` in the open folder `in`, to be closed by the caller. -1: errno says why;
 * it may be a link. */
int ith_archive_enter(int in, const char *path);

/* Begins to read an open folder, which stays open. NULL: errno says why. */
DIR *ith_archive_entries(int folder);

#endif

/* snapshot.h - gives what was downloaded its names in the cache (formats/hub_cache.h). */
#ifndef ITH_HUB_SNAPSHOT_H
#define ITH_HUB_SNAPSHOT_H

#include "base/newfile.h"
#include "hub/listing.h"

/* The folders of one commit of one repository. */
typedef struct ith_snapshot {
    char cache[ITH_PATH_MAX];
    char repo[ITH_PATH_MAX];   /* CACHE/models--ORG--NAME */
    char locks[ITH_PATH_MAX];  /* CACHE/.locks/models--ORG--NAME */
    char folder[ITH_PATH_MAX]; /* snapshots/COMMIT in `repo` */
} ith_snapshot;

/* Sets the paths; makes nothing. ITH_E_ARGUMENT: they are too long. */
ith_status ith_snapshot_set(const char *cache, const ith_hub_name *name, const char *commit,
                            ith_snapshot *snapshot, ith_error *err);

/* Has it the file, whole? */
bool ith_snapshot_has(const ith_snapshot *snapshot, const ith_hub_file *file);

/* Makes the folders, and the mark that tells backups to leave out a cache (CACHEDIR.TAG). What is
 * made is as private as umask says, as with other programs that use the cache. ITH_E_IO. */
ith_status ith_snapshot_make(const ith_snapshot *snapshot, ith_error *err);

/* ITH_E_IO: fewer than `bytes` bytes are free where the cache is. */
ith_status ith_snapshot_check_room(const ith_snapshot *snapshot, const char *what, int64_t bytes,
                                   ith_error *err);

/* Makes the link from the file's name to its blob. ITH_E_IO. */
ith_status ith_snapshot_link(const ith_snapshot *snapshot, const ith_hub_file *file,
                             ith_error *err);

/* Says that the revision means the commit. ITH_E_IO. */
ith_status ith_snapshot_set_ref(const ith_snapshot *snapshot, const ith_hub_name *name,
                                const char *commit, ith_error *err);

#endif

/* newfile.h - files that appear under their name when they are complete.
 *
 * A file is written under a temporary name beside it, synchronized, and renamed. Readers see the
 * old file or the new one, whatever fails.
 */
#ifndef ITH_BASE_NEWFILE_H
#define ITH_BASE_NEWFILE_H

#include "base/regular.h"

enum { ITH_PATH_MAX = 4096 };

/* In the names of files that are not complete: PATH.new-PID-NUMBER */
#define ITH_NEWFILE_MARK ".new-"

typedef struct ith_newfile {
    char path[ITH_PATH_MAX];      /* the final name */
    char temporary[ITH_PATH_MAX]; /* the present name */
    int folder;                   /* where they are looked up: see base/regular.h */
    int fd;                       /* -1: closed */
    bool fresh; /* set it before publishing to fail if a file has the name by then */
} ith_newfile;

/* The folder must exist. Temporary names that are taken are skipped. *file needs ith_newfile_close.
 * ITH_E_ARGUMENT: the path is too long; ITH_E_IO. */
ith_status ith_newfile_open(const char *path, ith_newfile *file, ith_error *err);

/* The same in an open folder, which must outlive *file. The file is readable by its owner alone. */
ith_status ith_newfile_open_in(int folder, const char *path, ith_newfile *file, ith_error *err);

/* Writes `data` at `offset`. ITH_E_IO. */
ith_status ith_newfile_write(ith_newfile *file, const void *data, size_t bytes, uint64_t offset,
                             ith_error *err);

/* Renames the file, in place of one that has the name. durable: file and folder are synchronized
 * with the disk. ITH_E_ARGUMENT: `fresh`, and the name is taken; ITH_E_IO. */
ith_status ith_newfile_publish(ith_newfile *file, bool durable, ith_error *err);

/* All of the above for a text, in an open folder. */
ith_status ith_newfile_text(int folder, const char *path, const char *text, bool durable,
                            ith_error *err);

/* Can a file of that name be made? Begins one and removes it, to find out before hours of work.
 * ITH_E_IO, ITH_E_ARGUMENT. */
ith_status ith_newfile_try(const char *path, ith_error *err);

/* Removes what was not published. Accepts a closed file. */
void ith_newfile_close(ith_newfile *file);

/* Makes folder `path`, for its owner alone, unless it exists, and opens it; its parent must exist.
 * follow: it may be a link to a folder. ITH_E_ARGUMENT: it is not a folder; ITH_E_IO. */
ith_status ith_folder_open(const char *path, bool follow, int *fd, ith_error *err);

/* Writes all of `data` at `offset`. False: errno says why. */
bool ith_write_at(int fd, const void *data, size_t bytes, uint64_t offset);

/* Synchronizes the entry of `path` in its folder with the disk. File systems that cannot do that
 * refuse, which is ignored. */
void ith_sync_folder(const char *path);

#endif

/* newfile.h - a file that appears under its name when it is complete: written under another name beside it, synchronized, renamed. Who reads
 * the name sees the old file or the new one, whatever fails. */
#ifndef ITH_BASE_NEWFILE_H
#define ITH_BASE_NEWFILE_H

#include "base/error.h"

enum { ITH_PATH_MAX = 4096 };

#define ITH_NEWFILE_MARK ".new-" /* in names of files that are not complete: PATH.new-PID-NUMBER */

typedef struct ith_newfile {
    char path[ITH_PATH_MAX];      /* that it shall have */
    char temporary[ITH_PATH_MAX]; /* that it has */
    int fd;                       /* -1: closed */
    bool fresh;                   /* set it before publishing: where a file has the name by then, it stays, and that is an error */
} ith_newfile;

/* The folder must be there. A temporary name that is taken is passed over. */
ith_status ith_newfile_open(const char *path, ith_newfile *file, ith_error *err);

ith_status ith_newfile_write(ith_newfile *file, const void *data, size_t bytes, uint64_t offset, ith_error *err);

/* Renames it, in place of what has the name (but see `fresh`: ITH_E_ARGUMENT). durable: file and folder are synchronized with the disk. */
ith_status ith_newfile_publish(ith_newfile *file, bool durable, ith_error *err);

/* All of it: a text in a file of that name. */
ith_status ith_newfile_text(const char *path, const char *text, bool durable, ith_error *err);

/* Can a file of that name be made? One is begun, and removed: for what would be found out too late, after hours of work. */
ith_status ith_newfile_try(const char *path, ith_error *err);

/* Removes what was not published; accepts one that is closed. */
void ith_newfile_close(ith_newfile *file);

/* The folder `path`, unless it is there; those above it must be. */
ith_status ith_folder_make(const char *path, ith_error *err);

/* All of `data` at `offset`; false with errno. */
bool ith_write_at(int fd, const void *data, size_t bytes, uint64_t offset);

/* The entry of `path` in its folder reaches the disk; file systems without that may refuse, which changes nothing. */
void ith_sync_folder(const char *path);

#endif

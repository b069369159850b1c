/* mapfile.h - a whole file, mapped read-only.
 *
 * Parsers take an ith_mapfile by pointer and never go past `size`, so that tests can hand them plain memory.
 *
 * A file that is cut short while it is mapped, or that a bad disk no longer gives, raises SIGBUS where it is touched, as with every mapping: model
 * files are not to be written in place. Weights that are loaded or streamed are read by filereader.h, which gives an error instead. What
 * remains: tiles that are used where a pack is mapped, its tables, a GGUF file's vocabulary. The command line names the file and ends
 * (cli/buserror.h); a program that uses the library has the signal.
 */
#ifndef ITH_FORMATS_MAPFILE_H
#define ITH_FORMATS_MAPFILE_H

#include "base/error.h"

#include <sys/types.h>

typedef struct ith_mapfile {
    const uint8_t *data; /* NULL when size is 0 */
    size_t size;
    char *path; /* as it was opened: for messages */
    dev_t device;
    ino_t
        inode; /* which file it is: its path may name another one later; 0: memory of a test's or a synthetic model's */
} ith_mapfile;

/* Maps a regular file. ITH_E_IO: it cannot be opened or mapped; ITH_E_ARGUMENT: not a regular file. On failure
 * *file is zeroed. */
ith_status ith_mapfile_open(const char *path, ith_mapfile *file, ith_error *err);

/* For files whose bytes are used where they are mapped: what is not in the page cache yet is read in huge pages where the file
 * system can (Linux 5.18 and later, ext4 from 6.16 on, xfs), and in large pieces elsewhere. */
void ith_mapfile_want_huge_pages(const ith_mapfile *file);

/* Unmaps and zeroes; accepts NULL and a zeroed struct. */
void ith_mapfile_close(ith_mapfile *file);

/* Is it only a Git LFS pointer, left by a clone without the large files? */
bool ith_mapfile_is_lfs_pointer(const ith_mapfile *file);

#endif

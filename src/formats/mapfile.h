/* mapfile.h - a whole file, mapped read-only.
 *
 * Parsers take an ith_mapfile by pointer and never read past `size`, so tests can hand them plain
 * memory.
 *
 * As with every mapping, touching a page raises SIGBUS if the file was truncated in the meantime or
 * the disk fails: do not write model files in place. Bytes that are overwritten change under the
 * mapping; ith_mapfile_check_unchanged tells. Weights that are loaded or streamed are read through
 * filereader.h, which returns an error instead. What is left: tiles that are used where a pack is
 * mapped, its tables, the vocabulary of a GGUF file, and of quantized folders the scales and those
 * quants that do not lie by rows (quantized.h). There the command line names the file and ends
 * (cli/buserror.h); a program that uses the library gets the signal.
 */
#ifndef ITH_FORMATS_MAPFILE_H
#define ITH_FORMATS_MAPFILE_H

#include "base/error.h"

#include <sys/stat.h>

typedef struct ith_mapfile {
    const uint8_t *data; /* NULL when size is 0 */
    size_t size;
    char *path; /* as it was opened; for messages */

    /* Which file it is, as its path may name another one later. 0: memory, not a file. */
    dev_t device;
    ino_t inode;

    int fd;             /* of a file: stays open, for ith_mapfile_check_unchanged */
    struct stat opened; /* what the file was when it was opened */
} ith_mapfile;

/* Maps a regular file. ITH_E_IO: it cannot be opened or mapped; ITH_E_ARGUMENT: not a regular file.
 * On failure *file is zeroed. */
ith_status ith_mapfile_open(const char *path, ith_mapfile *file, ith_error *err);

/* ITH_E_IO: the file's bytes may have changed since it was opened: its size or its time of
 * modification is another, or its status has changed although it has the same name, links, owner
 * and mode. A file that was deleted, moved, or replaced by another of its name is unchanged. */
ith_status ith_mapfile_check_unchanged(const ith_mapfile *file, ith_error *err);

/* For files that are used where they are mapped. What is not in the page cache yet is read in huge
 * pages where the file system can (Linux 5.18 and later; ext4 from 6.16 on, xfs), and with large
 * reads elsewhere. */
void ith_mapfile_want_huge_pages(const ith_mapfile *file);

/* Unmaps and zeroes. Accepts NULL and a zeroed struct. */
void ith_mapfile_close(ith_mapfile *file);

/* Is it only a Git LFS pointer, left by a clone without the large files? */
bool ith_mapfile_is_lfs_pointer(const ith_mapfile *file);

#endif

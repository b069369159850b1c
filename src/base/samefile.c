/* samefile.c - compares files by device and inode. */
#include "base/samefile.h"

#include <string.h>
#include <sys/stat.h>

ith_status ith_spare_input(const char *output, const char *input, ith_error *err)
{
    struct stat x, y;

    if (stat(output, &x) != 0 || stat(input, &y) != 0 || x.st_dev != y.st_dev ||
        x.st_ino != y.st_ino)
        return ITH_OK;
    if (strcmp(output, input) == 0)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "%s is read as input, so the output must have another name", output);
    return ith_fail(err, ITH_E_ARGUMENT,
                    "%s is the same file as %s, which is read as input: the output must have "
                    "another name",
                    output, input);
}

/* samefile.h - whether two paths name one file, so that no result replaces what it is made from. */
#ifndef ITH_BASE_SAMEFILE_H
#define ITH_BASE_SAMEFILE_H

#include "base/error.h"

/* ITH_E_ARGUMENT: `output` names the file `input`, perhaps through a symbolic or a hard link. Files
 * that do not exist are not the same. */
ith_status ith_spare_input(const char *output, const char *input, ith_error *err);

#endif

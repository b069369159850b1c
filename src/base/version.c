/* version.c - the version of the library. */
#include "ithaca.h"

const char *ith_version(void)
{
    return ITH_VERSION;
}

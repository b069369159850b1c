/* version.c - the version of the library, and which build it is. */
#include "base/build.h"

#include "ithaca.h"

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTE_ORDER_NAME "little-endian"
#else
#define BYTE_ORDER_NAME "big-endian"
#endif
#if UINTPTR_MAX > UINT32_MAX
#define POINTER_NAME "64-bit"
#else
#define POINTER_NAME "32-bit"
#endif

const char *ith_version(void)
{
    return ITH_VERSION;
}

/* ITH_SOURCES comes from the Makefile. */
const char *ith_build_id(void)
{
    return ITH_VERSION " (sources " TEXT(ITH_SOURCES) ", " POINTER_NAME " " BYTE_ORDER_NAME ")";
}

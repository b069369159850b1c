/* state_amx.c - the system's permission to use AMX, and what a thread does when it has used it.
 *
 * Each kernel configures the tiles for itself: a call takes far longer than that. A thread that
 * leaves the level gives its tiles back, so that the system need not save 8 KiB at a switch. */
#include "simd/amx/tiles_amx.h"
#include "simd/variants.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    TILES = 1 << 24, /* CPUID 7, register D (Intel, Software Developer Manual, volume 2A) */
    INT8 = 1 << 25,

    /* arch_prctl (Linux 5.16, Documentation/arch/x86/xstate.rst) */
    REQUEST_PERMISSION = 0x1023,
    TILE_DATA = 18
};

bool ith_supported__amx(void)
{
    unsigned a, b, c, d = 0;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & TILES) != 0 && (d & INT8) != 0 &&
           syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

void ith_leave__amx(void)
{
    tile_release();
}

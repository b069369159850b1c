/* levels.h - the levels of levels.inc that this architecture can have, numbered in rising order.
 *
 * A list made from levels.inc passes what it says of a level through ITH_IF_<architecture>(), which
 * keeps it on that architecture only. With ITH_PLAIN_C there is the lowest level alone, as in the
 * build for fuzzing.
 */
#ifndef ITH_SIMD_LEVELS_H
#define ITH_SIMD_LEVELS_H

#include <stdbool.h>

#define ITH_IF_any(...) __VA_ARGS__
#if defined(__x86_64__) && !defined(ITH_PLAIN_C)
#define ITH_IF_x86_64(...) __VA_ARGS__
#else
#define ITH_IF_x86_64(...)
#endif
#if defined(__aarch64__) && !defined(ITH_PLAIN_C)
#define ITH_IF_aarch64(...) __VA_ARGS__
#else
#define ITH_IF_aarch64(...)
#endif

enum {
#define ITH_LEVEL(name, architecture, below, features) ITH_IF_##architecture(ITH_LEVEL_##name, )
#include "simd/levels.inc"
    ITH_LEVELS,
    ITH_LEVEL_none = -1 /* below the lowest */
};

/* The level that a CPU uses, under the cap of ITHACA_SIMD, or NULL. It supports the lowest. Of
 * levels that are not to be used it is not asked. */
int ith_level_choose(const char *cap, bool (*supports_level)(int level));

#endif

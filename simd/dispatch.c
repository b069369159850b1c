/* dispatch.c - which kernels run here: a table for each level of levels.inc, one chosen by the
 * CPU. */
#include "simd/levels.h"
#include "simd/variants.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

/* ---- What this CPU supports ---- */

#if defined(__x86_64__) && !defined(ITH_PLAIN_C)
/* The compiler's model of the CPU counts AVX and AVX-512 only if the system saves their registers
 * (XCR0). */
#define CPU(feature)   &&__builtin_cpu_supports(#feature)
#define CPUID(feature) &&has_##feature()

/* Bits of CPUID (Intel, Software Developer Manual, volume 2A). Their registers are those of AVX2,
 * which is tested beside them. */
static bool has_f16c(void)
{
    unsigned a, b, c = 0, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
}

static bool has_avxvnni(void)
{
    unsigned a = 0, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && a >= 1 &&
           __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4) != 0;
}
#endif
#define FLAG(flag)
#define HWCAP(bit)  &&(getauxval(AT_HWCAP) & (bit)) != 0
#define HWCAP2(bit) &&(getauxval(AT_HWCAP2) & (bit)) != 0

static bool supports_none(void)
{
    return true;
}

#define ITH_LEVEL(level, architecture, below, features)                                            \
    ITH_IF_##architecture(                                                                         \
        static bool supports_##level(void) { return supports_##below() features; })
#include "simd/levels.inc"

static const struct level {
    const char *name;
    int below;
    bool (*is_supported)(void);
} levels[] = {
#define ITH_LEVEL(level, architecture, below, features)                                            \
    ITH_IF_##architecture({#level, ITH_LEVEL_##below, supports_##level}, )
#include "simd/levels.inc"
};

/* ---- The tables ---- */

static struct {
    pthread_once_t made, chosen;
    ith_kernels of[ITH_LEVELS];
    const ith_kernels *best; /* for this CPU under the cap */
} tables = {.made = PTHREAD_ONCE_INIT, .chosen = PTHREAD_ONCE_INIT};

/* Each level has what the level below it has, except for its own variants. */
static void make_tables(void)
{
    for (int level = 0; level < ITH_LEVELS; level++) {
        ith_kernels *k = &tables.of[level];
        if (levels[level].below != ITH_LEVEL_none)
            *k = tables.of[levels[level].below];
        k->name = levels[level].name;
#define ITH_KERNEL(field, of, function)                                                            \
    if (level == ITH_LEVEL_##of)                                                                   \
        k->field = function;
#define ITH_TRAIT(field, of, value) ITH_KERNEL(field, of, value)
#include "simd/kernels.inc"
    }
}

int ith_level_choose(const char *cap, bool (*supports_level)(int level))
{
    int best = ITH_LEVEL_none;

    pthread_once(&tables.made, make_tables);
    for (int level = 0; level < ITH_LEVELS; level++) {
        const bool named = cap && !strcmp(cap, levels[level].name);
        if ((named || !tables.of[level].on_request) && supports_level(level))
            best = level;
        if (named)
            break;
    }
    return best;
}

static bool supports(int level)
{
    return levels[level].is_supported();
}

static void choose(void)
{
    tables.best = &tables.of[ith_level_choose(getenv("ITHACA_SIMD"), supports)];
}

const ith_kernels *ith_kernels_get(void)
{
    pthread_once(&tables.chosen, choose);
    return tables.best;
}

const ith_kernels *ith_kernels_named(const char *name)
{
    pthread_once(&tables.made, make_tables);
    for (int level = 0; level < ITH_LEVELS; level++)
        if (!strcmp(name, levels[level].name))
            return levels[level].is_supported() ? &tables.of[level] : NULL;
    return NULL;
}

/* ---- The names ---- */

const char *const *ith_kernels_names(void)
{
    static const char *const names[] = {
#define ITH_LEVEL(level, architecture, below, features) ITH_IF_##architecture(#level, )
#include "simd/levels.inc"
        NULL};
    return names;
}

const char *ith_kernels_env_error(void)
{
    /* Of any architecture: elsewhere they cap nothing. */
    static const char *const names[] = {
#define ITH_LEVEL(level, architecture, below, features) #level,
#include "simd/levels.inc"
    };
    const char *cap = getenv("ITHACA_SIMD");

    if (!cap || !*cap)
        return NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(cap, names[i]))
            return NULL;
    return "ITHACA_SIMD must be one of these levels:"
#define ITH_LEVEL(level, architecture, below, features) " " #level
#include "simd/levels.inc"
        ;
}

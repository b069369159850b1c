/* dispatch.c - which variants run here: one constant table per level, each inheriting from the levels below it. */
#include "simd/variants.h"

#include <stdlib.h>
#include <string.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

/* REF_x, AVX2_x, AVX512_x, NEON_x...: does the table of that name take variants of level x? */
#define REF_ref(...) __VA_ARGS__
#define REF_avx2(...)
#define REF_avxvnni(...)
#define REF_avx512bw(...)
#define REF_avx512(...)
#define AVX2_ref(...)  __VA_ARGS__
#define AVX2_avx2(...) __VA_ARGS__
#define AVX2_avxvnni(...)
#define AVX2_avx512bw(...)
#define AVX2_avx512(...)
#define AVXVNNI_ref(...)     __VA_ARGS__
#define AVXVNNI_avx2(...)    __VA_ARGS__
#define AVXVNNI_avxvnni(...) __VA_ARGS__
#define AVXVNNI_avx512bw(...)
#define AVXVNNI_avx512(...)
#define AVX512BW_ref(...)  __VA_ARGS__
#define AVX512BW_avx2(...) __VA_ARGS__
#define AVX512BW_avxvnni(...)
#define AVX512BW_avx512bw(...) __VA_ARGS__
#define AVX512BW_avx512(...)
#define AVX512_ref(...)  __VA_ARGS__
#define AVX512_avx2(...) __VA_ARGS__
#define AVX512_avxvnni(...)
#define AVX512_avx512bw(...) __VA_ARGS__
#define AVX512_avx512(...)   __VA_ARGS__

#define REF_neon(...)
#define REF_dotprod(...)
#define REF_i8mm(...)
#define NEON_ref(...)  __VA_ARGS__
#define NEON_neon(...) __VA_ARGS__
#define NEON_dotprod(...)
#define NEON_i8mm(...)
#define DOTPROD_ref(...)     __VA_ARGS__
#define DOTPROD_neon(...)    __VA_ARGS__
#define DOTPROD_dotprod(...) __VA_ARGS__
#define DOTPROD_i8mm(...)
#define I8MM_ref(...)     __VA_ARGS__
#define I8MM_neon(...)    __VA_ARGS__
#define I8MM_dotprod(...) __VA_ARGS__
#define I8MM_i8mm(...)    __VA_ARGS__

/* A later, higher variant replaces an earlier one: that is the idea. */
#pragma GCC diagnostic ignored "-Woverride-init"

static const ith_kernels table_ref = {
    .name = "ref",
#define ITH_KERNEL(field, level, function) REF_##level(.field = function, )
#include "simd/kernels.inc"
#undef ITH_KERNEL
};

#if defined(__x86_64__)
static const ith_kernels table_avx2 = {
    .name = "avx2",
#define ITH_KERNEL(field, level, function) AVX2_##level(.field = function, )
#include "simd/kernels.inc"
#undef ITH_KERNEL
};

static const ith_kernels table_avxvnni = {
    .name = "avxvnni",
#define ITH_KERNEL(field, level, function) AVXVNNI_##level(.field = function, )
#include "simd/kernels.inc"
#undef ITH_KERNEL
};

/* Not above avxvnni in what it inherits: CPUs of this level may lack that. */
static const ith_kernels table_avx512bw = {
    .name = "avx512bw",
#define ITH_KERNEL(field, level, function) AVX512BW_##level(.field = function, )
#include "simd/kernels.inc"
#undef ITH_KERNEL
};

static const ith_kernels table_avx512 = {
    .name = "avx512",
    .spare_arithmetic = true,
#define ITH_KERNEL(field, level, function) AVX512_##level(.field = function, )
#include "simd/kernels.inc"
#undef ITH_KERNEL
};

/* The compiler's CPU model, which counts AVX and AVX-512 only if the system saves their registers (XCR0). */
static bool cpu_has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") &&
           __builtin_cpu_supports("bmi2");
}

static bool cpu_has_avxvnni(void)
{
    return cpu_has_avx2() && __builtin_cpu_supports("avxvnni");
}

static bool cpu_has_avx512bw(void)
{
    return cpu_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool cpu_has_avx512(void)
{
    return cpu_has_avx512bw() && __builtin_cpu_supports("avx512vnni");
}
#endif

#if defined(__aarch64__)
static const ith_kernels table_neon = {
    .name = "neon",
#define ITH_KERNEL(field, level, function) NEON_##level(.field = function, )
#include "simd/kernels.inc"
#undef ITH_KERNEL
};

static const ith_kernels table_dotprod = {
    .name = "dotprod",
#define ITH_KERNEL(field, level, function) DOTPROD_##level(.field = function, )
#include "simd/kernels.inc"
#undef ITH_KERNEL
};

static const ith_kernels table_i8mm = {
    .name = "i8mm",
#define ITH_KERNEL(field, level, function) I8MM_##level(.field = function, )
#include "simd/kernels.inc"
#undef ITH_KERNEL
};

static bool cpu_has_neon(void)
{
    return getauxval(AT_HWCAP) & HWCAP_ASIMD;
}

static bool cpu_has_dotprod(void)
{
    return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
}

static bool cpu_has_i8mm(void)
{
    return cpu_has_dotprod() && getauxval(AT_HWCAP2) & HWCAP2_I8MM;
}
#endif

static bool cpu_has_ref(void)
{
    return true;
}

static const struct level {
    const ith_kernels *table;
    bool (*supported)(void);
} levels[] = {
    {&table_ref, cpu_has_ref},
#if defined(__x86_64__)
    {&table_avx2, cpu_has_avx2},     {&table_avxvnni, cpu_has_avxvnni}, {&table_avx512bw, cpu_has_avx512bw},
    {&table_avx512, cpu_has_avx512},
#endif
#if defined(__aarch64__)
    {&table_neon, cpu_has_neon},     {&table_dotprod, cpu_has_dotprod}, {&table_i8mm, cpu_has_i8mm},
#endif
};

enum { LEVELS = sizeof levels / sizeof levels[0] };

/* Names that ITHACA_SIMD may have on any machine; a cap that lies above this CPU leaves the best that it has. */
static const char *const cap_names[] = {"ref", "avx2", "avxvnni", "avx512bw", "avx512", "neon", "dotprod", "i8mm"};

const char *ith_kernels_env_error(void)
{
    const char *cap = getenv("ITHACA_SIMD");
    if (!cap || !*cap)
        return NULL;
    for (size_t i = 0; i < sizeof cap_names / sizeof cap_names[0]; i++)
        if (!strcmp(cap, cap_names[i]))
            return NULL;
    return "ITHACA_SIMD must be ref, avx2, avxvnni, avx512bw, avx512, neon, dotprod or i8mm";
}

static const ith_kernels *choose(void)
{
    const char *cap = getenv("ITHACA_SIMD");
    const ith_kernels *best = &table_ref;
    for (int i = 0; i < LEVELS; i++) {
        if (levels[i].supported())
            best = levels[i].table;
        if (cap && !strcmp(cap, levels[i].table->name))
            break;
    }
    return best;
}

const ith_kernels *ith_kernels_get(void)
{
    static const ith_kernels *chosen;
    if (!chosen)
        chosen = choose();
    return chosen;
}

const ith_kernels *ith_kernels_named(const char *name)
{
    for (int i = 0; i < LEVELS; i++)
        if (!strcmp(name, levels[i].table->name))
            return levels[i].supported() ? levels[i].table : NULL;
    return NULL;
}

const char *const *ith_kernels_names(void)
{
    static const char *const names[] = {
        "ref",
#if defined(__x86_64__)
        "avx2",
        "avxvnni",
        "avx512bw",
        "avx512",
#endif
#if defined(__aarch64__)
        "neon",
        "dotprod",
        "i8mm",
#endif
        NULL
    };
    return names;
}

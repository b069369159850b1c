/* caches.c - reads cache sizes from text. */
#include "base/caches.h"

#include "base/size.h"

enum { LEVELS = 3, LEAST = 1 << 10, MOST = 1 << 30 };

ith_caches ith_caches_default(void)
{
    return (ith_caches){.l1 = 32 << 10, .l2 = 512 << 10, .l3 = 1 << 20};
}

static bool read_levels(const char *text, int64_t sizes[LEVELS])
{
    for (int i = 0; i < LEVELS; i++) {
        if (!ith_size_read(text, &text, &sizes[i]) || sizes[i] < LEAST || sizes[i] > MOST)
            return false;
        if (*text++ != (i < LEVELS - 1 ? ',' : 0))
            return false;
    }
    return true;
}

ith_status ith_caches_read(const char *what, const char *text, ith_caches *caches, ith_error *err)
{
    int64_t sizes[LEVELS];

    if (!read_levels(text, sizes))
        return ith_fail(err, ITH_E_ARGUMENT,
                        "%s='%s' should be a core's share of the first, second and third-level "
                        "cache, each from 1KiB to 1GiB, such as '48KiB,2MiB,16MiB'",
                        what, text);
    *caches = (ith_caches){sizes[0], sizes[1], sizes[2]};
    return ITH_OK;
}

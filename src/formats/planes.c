#include "formats/planes.h"

#include <string.h>

typedef struct cut { /* a tile: bytes that stay, then n elements of `width` bytes, then padding */
    size_t plain, n, width;
} cut;

static cut cut_of(ith_layout layout, size_t groups)
{
    switch (layout) {
    case ITH_W8:
        return (cut){512 * groups, 16 * groups, 2};
    case ITH_W4:
        return (cut){256 * groups, 16 * groups, 2};
    case ITH_W4M:
        return (cut){256 * groups, 32 * groups, 2};
    case ITH_BF16:
        return (cut){0, 512 * groups, 2};
    default:
        return (cut){0, 512 * groups, 4};
    }
}

static void split(const uint8_t *in, size_t n, size_t width, uint8_t *out)
{
    if (width == 2) /* a loop that compilers turn into shuffles */
        for (size_t i = 0; i < n; i++) {
            out[i] = in[2 * i];
            out[n + i] = in[2 * i + 1];
        }
    else
        for (size_t i = 0; i < n; i++)
            for (size_t b = 0; b < 4; b++)
                out[b * n + i] = in[4 * i + b];
}

static void join(const uint8_t *in, size_t n, size_t width, uint8_t *out)
{
    if (width == 2)
        for (size_t i = 0; i < n; i++) {
            out[2 * i] = in[i];
            out[2 * i + 1] = in[n + i];
        }
    else
        for (size_t i = 0; i < n; i++)
            for (size_t b = 0; b < 4; b++)
                out[4 * i + b] = in[b * n + i];
}

static void copy_rest(ith_layout layout, size_t groups, cut c, const uint8_t *in, uint8_t *out)
{
    size_t used = c.plain + c.n * c.width;
    memcpy(out, in, c.plain);
    memcpy(out + used, in + used, ith_tile_bytes(layout, groups) - used);
}

void ith_planes_split(ith_layout layout, size_t groups, const uint8_t *in, uint8_t *out)
{
    cut c = cut_of(layout, groups);
    copy_rest(layout, groups, c, in, out);
    split(in + c.plain, c.n, c.width, out + c.plain);
}

void ith_planes_join(ith_layout layout, size_t groups, const uint8_t *in, uint8_t *out)
{
    cut c = cut_of(layout, groups);
    copy_rest(layout, groups, c, in, out);
    join(in + c.plain, c.n, c.width, out + c.plain);
}

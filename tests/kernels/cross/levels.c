/* levels.c - prints the levels that this CPU has, rising, then the one that is taken. */
#include "simd/kernels.h"

#include <stdio.h>

int main(void)
{
    for (const char *const *name = ith_kernels_names(); *name; name++)
        if (ith_kernels_named(*name))
            printf("%s ", *name);
    printf("-> %s\n", ith_kernels_get()->name);
    return 0;
}

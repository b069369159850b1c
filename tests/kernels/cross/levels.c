/* levels.c - prints the levels that this CPU supports, rising, then the one in use. */
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

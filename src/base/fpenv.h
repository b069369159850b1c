/* fpenv.h - the floating-point environment: results do not depend on the host program's.
 *
 * A host may round in another direction, flush subnormal numbers to zero, or trap on exceptions
 * that kernels raise. So every function of include/ that computes with floats begins with
 *
 *     ITH_DEFAULT_FPENV;
 *
 * and runs in C's default environment (round to nearest, subnormals kept, no traps) until it
 * returns; then the host has its own back, its exception flags too. A thread that the library
 * starts inherits its maker's environment, and begins with ith_fpenv_default.
 */
#ifndef ITH_BASE_FPENV_H
#define ITH_BASE_FPENV_H

#include <fenv.h>

/* Sets the default environment for this thread. */
static inline void ith_fpenv_default(void)
{
    fesetenv(FE_DFL_ENV);
}

/* The same, and returns the one before. */
static inline fenv_t ith_fpenv_enter(void)
{
    fenv_t host;
    fegetenv(&host);
    ith_fpenv_default();
    return host;
}

static inline void ith_fpenv_leave(const fenv_t *host)
{
    fesetenv(host);
}

/* Until the end of the block. */
#define ITH_DEFAULT_FPENV                                                                          \
    const fenv_t host_fpenv_ __attribute__((cleanup(ith_fpenv_leave), unused)) = ith_fpenv_enter()

#endif

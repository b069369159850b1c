/* relax.h - the pause between two reads of a word that another thread is about to change. */
#ifndef ITH_BASE_RELAX_H
#define ITH_BASE_RELAX_H

#include <stdatomic.h>

/* Leaves the execution units to the core's other hardware thread for some tens of cycles. */
static inline void ith_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    /* `yield` does nothing on most cores; isb takes about as long as x86's pause. */
    __asm__ volatile("isb" ::: "memory");
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

#endif

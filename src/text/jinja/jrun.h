/* jrun.h - what a parse or a rendering runs in: an arena, limits, and one way out after an error.
 *
 * All memory of a run comes from its arena and is freed with it, so an error can leave from any
 * depth: ith_jrun_fail writes the text and jumps to ith_jrun_protect. Nothing in src/text/jinja may
 * own anything outside the arena while it runs. */
#ifndef ITH_TEXT_JINJA_JRUN_H
#define ITH_TEXT_JINJA_JRUN_H

#include "base/error.h"

#include <setjmp.h>
#include <time.h>

enum { ITH_JRUN_DEPTH = 700 }; /* nested expressions, statements, calls and values */

typedef struct ith_jrun {
    struct ith_jchunk *chunks;
    size_t bytes_left;
    uint64_t steps_left;
    int depth;
    int line; /* of the template, for errors */
    const char *where;
    time_t now;
    struct ith_jbuild *out;   /* what the template writes to */
    struct ith_jscope *scope; /* the innermost one */
    jmp_buf leave;
    ith_status status;
    ith_error *err;
} ith_jrun;

/* Calls body(arg). Returns ITH_OK, or what ith_jrun_fail was given. */
ith_status ith_jrun_protect(ith_jrun *run, void (*body)(void *arg), void *arg);
void ith_jrun_free(ith_jrun *run);

/* "WHERE: line N: text". Does not return. */
_Noreturn void ith_jrun_fail(ith_jrun *run, ith_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Zeroed memory, aligned to 16 bytes. Never NULL. The product is checked. */
void *ith_jrun_alloc(ith_jrun *run, size_t count, size_t size);

/* Counts n steps, of some 20 ns each, and fails when the limit is reached. Whatever takes time that
 * a template can multiply counts them: evaluated nodes, items, appended texts, 64 bytes that are
 * moved or searched, 4 characters that are looked at one by one, 256 bytes of memory. */
void ith_jrun_step(ith_jrun *run, uint64_t n);

/* Brackets recursion. */
void ith_jrun_enter(ith_jrun *run);
void ith_jrun_exit(ith_jrun *run);

#endif

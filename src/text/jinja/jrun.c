/* jrun.c - the arena, the limits and the errors of a run. */
#include "text/jinja/jrun.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 64 << 10, ALIGN = 16 };

struct ith_jchunk {
    struct ith_jchunk *next;
    size_t used, size;
    _Alignas(ALIGN) char data[];
};

ith_status ith_jrun_protect(ith_jrun *run, void (*body)(void *arg), void *arg)
{
    if (setjmp(run->leave) != 0)
        return run->status;
    body(arg);
    return ITH_OK;
}

void ith_jrun_free(ith_jrun *run)
{
    while (run->chunks != NULL) {
        struct ith_jchunk *next = run->chunks->next;
        free(run->chunks);
        run->chunks = next;
    }
}

_Noreturn void ith_jrun_fail(ith_jrun *run, ith_status status, const char *format, ...)
{
    char text[700];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    run->status = ith_fail(run->err, status, "%s: line %d: %s", run->where, run->line, text);
    longjmp(run->leave, 1);
}

static struct ith_jchunk *add_chunk(ith_jrun *run, size_t bytes)
{
    size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    struct ith_jchunk *chunk = NULL;

    if (size <= run->bytes_left)
        chunk = malloc(sizeof *chunk + size);
    if (chunk == NULL)
        ith_jrun_fail(run, ITH_E_MEMORY, "the template needs more memory than it may have");
    run->bytes_left -= size;
    *chunk = (struct ith_jchunk){.size = size};
    /* A large block does not end the use of the chunk before it. */
    if (bytes > CHUNK_BYTES / 4 && run->chunks != NULL) {
        chunk->next = run->chunks->next;
        run->chunks->next = chunk;
    } else {
        chunk->next = run->chunks;
        run->chunks = chunk;
    }
    return chunk;
}

void *ith_jrun_alloc(ith_jrun *run, size_t count, size_t size)
{
    struct ith_jchunk *chunk = run->chunks;
    size_t bytes;
    void *out;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        ith_jrun_fail(run, ITH_E_MEMORY, "the template needs more memory than it may have");
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    ith_jrun_step(run, bytes / 256);
    if (chunk == NULL || chunk->size - chunk->used < bytes)
        chunk = add_chunk(run, bytes);
    out = chunk->data + chunk->used;
    chunk->used += bytes;
    return memset(out, 0, bytes);
}

void ith_jrun_step(ith_jrun *run, uint64_t n)
{
    if (n > run->steps_left)
        ith_jrun_fail(run, ITH_E_FORMAT, "the template takes too many steps; does it end?");
    run->steps_left -= n;
}

void ith_jrun_enter(ith_jrun *run)
{
    if (++run->depth > ITH_JRUN_DEPTH)
        ith_jrun_fail(run, ITH_E_FORMAT, "nested more than %d deep", ITH_JRUN_DEPTH);
}

void ith_jrun_exit(ith_jrun *run)
{
    run->depth--;
}

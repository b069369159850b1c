/* lines.c - selecting, running and reporting the lines of `ithaca bench kernels`. */
#include "tools/lines.h"

#include "base/mem.h"
#include "base/progress.h"

#include <stdio.h>
#include <string.h>

enum {
    MIN_RUNS = 3,

    /* The least that one run reads. A shorter run would show a lucky moment, not the memory. */
    RUN_BYTES = 64 << 20,

    /* Enough for the reference kernels, which are far slower than memory. */
    REF_POOL = 16 << 20
};

static void run_line(void *arg, ith_member *me)
{
    ith_line *l = arg;
    double begin_s = ith_now_s();

    if (me->tid == 0) {
        l->best_s = 1e30;
        l->later_s = 0;
    }
    l->kernels->enter();
    for (int64_t run = 0;; run++) {
        double start_s, now_s;
        ith_barrier(me);
        start_s = ith_now_s();
        l->fn(l, me, run);
        ith_barrier(me);
        now_s = ith_now_s();
        if (me->tid == 0) {
            if (now_s - start_s < l->best_s)
                l->best_s = now_s - start_s;
            l->later_s += run > 0 ? now_s - start_s : 0;
            l->runs = run + 1;
            l->go_on = run + 1 < MIN_RUNS || now_s - begin_s < l->seconds;
        }
        ith_barrier(me);
        if (!l->go_on)
            break;
    }
    l->kernels->leave();
}

void ith_line_run(const ith_kernel_bench *b, ith_line *l)
{
    l->kernels = b->kernels;
    l->pool = b->pool;
    l->seconds = b->params->seconds;
    ith_team_run(b->team, run_line, l);
}

double ith_line_mean_s(const ith_line *l)
{
    return l->later_s / (double)(l->runs - 1);
}

void ith_line_close(ith_line *l)
{
    ith_mem_free(l->memory);
    ith_vector_buffers_close(&l->buffers);
}

bool ith_line_begins(ith_kernel_bench *b, const char *kernel, const char *operand, int64_t tokens)
{
    const ith_bench_kernels_params *p = b->params;
    char label[200];

    snprintf(label, sizeof label, "%s %s.%s %lld", kernel, b->shape, operand, (long long)tokens);
    if (b->cancelled || (p->filter != NULL && strstr(label, p->filter) == NULL))
        return false;
    if (b->counting) {
        b->total++;
        return false;
    }
    if (p->progress != NULL && !p->progress(p->progress_user, "kernels", b->done, b->total))
        b->cancelled = true;
    b->done++;
    return !b->cancelled;
}

json_t *ith_line_describe(const ith_kernel_bench *b, const char *kernel, const char *operand,
                          const ith_line *l, double s)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:o}", "kernel", kernel, "simd", b->kernels->name,
                     "shape", b->shape, "part", operand, "cols", (json_int_t)l->cols, "seconds",
                     ith_json_number(s));
}

void ith_line_measure(ith_kernel_bench *b, const char *kernel, const char *operand, ith_line *l,
                      double ops, double bytes, double ops_ceiling)
{
    size_t copy = (size_t)bytes;
    json_t *result;
    double compute_s = ops / ops_ceiling, read_s = bytes / b->ceilings.read_bytes, s;

    l->first = copy > 0 ? (int64_t)(b->pool_at / copy) % l->copies : 0;
    ith_line_run(b, l);
    b->pool_at = (size_t)((l->first + l->runs * l->per_run) % l->copies) * copy;
    s = l->best_s / (double)l->per_run;
    result = ith_line_describe(b, kernel, operand, l, s);
    json_object_set_new(result, "rows", json_integer(l->rows));
    json_object_set_new(result, "tokens", json_integer(l->tokens));
    json_object_set_new(result, "gops", ith_json_number(ops / s * 1e-9));
    if (bytes > 0)
        json_object_set_new(result, "gbps", ith_json_number(bytes / s * 1e-9));
    json_object_set_new(result, "of_ceiling",
                        ith_json_number((compute_s > read_s ? compute_s : read_s) / s));
    json_array_append_new(b->results, result);
}

static bool is_reference(const ith_kernel_bench *b)
{
    return strcmp(b->kernels->name, "ref") == 0;
}

size_t ith_line_pool(const ith_kernel_bench *b)
{
    return is_reference(b) && b->pool_bytes > REF_POOL ? REF_POOL : b->pool_bytes;
}

int64_t ith_line_copies(const ith_kernel_bench *b, size_t bytes)
{
    return is_reference(b) ? 1 : (int64_t)((RUN_BYTES + bytes - 1) / bytes);
}

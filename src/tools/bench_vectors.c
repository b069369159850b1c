/* bench_vectors.c - element-wise kernels on one thread, with operands in the first-level cache. */
#include "tools/lines.h"

static void vector(const ith_line *l, const ith_member *me, int64_t run)
{
    (void)run;
    if (me->tid == 0)
        for (int64_t i = 0; i < l->calls; i++)
            l->vector->run(l->kernels, &l->buffers, l->cols);
}

/* As many calls of an element-wise kernel as process about 2^16 elements together. */
static ith_status line_of(const ith_vector_kernel *v, const ith_hparams *hp, ith_line *l,
                          ith_error *err)
{
    *l = (ith_line){.fn = vector, .cols = v->elements(hp), .vector = v};
    l->calls = 1 + (1 << 16) / l->cols;
    return ith_vector_buffers_open(l->cols, &l->buffers, err);
}

static ith_status bench_vector(ith_kernel_bench *b, const ith_vector_kernel *v, ith_error *err)
{
    ith_line l;
    json_t *result;
    double s;

    if (!ith_line_begins(b, v->kernel, v->operand, 1))
        return ITH_OK;
    ITH_TRY(line_of(v, &b->hp, &l, err));
    ith_line_run(b, &l);
    s = l.best_s / (double)l.calls;
    result = ith_line_describe(b, v->kernel, v->operand, &l, s);
    json_object_set_new(result, "ns_per_element", ith_json_number(s * 1e9 / (double)l.cols));
    json_array_append_new(b->results, result);
    ith_line_close(&l);
    return ITH_OK;
}

ith_status ith_bench_vectors(ith_kernel_bench *b, ith_error *err)
{
    for (size_t i = 0; i < ith_n_vector_kernels; i++)
        ITH_TRY(bench_vector(b, &ith_vector_kernels[i], err));
    return ITH_OK;
}

/* quantized_join.c - finds the tensors that are one matrix, checks their shapes, and makes one
 * tensor of them. */
#include "formats/quantized_impl.h"

#include "base/range.h"
#include "formats/hparams.h"
#include "simd/half.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The work on one table. */
typedef struct joiner {
    ith_tensor_table *table;
    const ith_hf_quantization *config;
    const char *where;
    ith_quantized_list *list;
    bool *used; /* [table->n] companions of matrices */
} joiner;

/* A matrix while it is joined. */
typedef struct matrix {
    const ith_tensor *quants;
    char base[400]; /* its name without ".weight" */
    ith_quantized *q;
} matrix;

/* ---- Names ---- */

/* Is the name BASE.SUFFIX? Then the length of BASE, else 0. */
static size_t base_of(const char *name, const char *suffix)
{
    size_t len = strlen(name), end = strlen(suffix);
    return len > end + 1 && name[len - end - 1] == '.' && strcmp(name + len - end, suffix) == 0
               ? len - end - 1
               : 0;
}

static bool is_of_type(const ith_tensor *t, const char *type)
{
    return t->dtype == ITH_DT_UNREAD && strcmp(t->unread, type) == 0;
}

static const char blocks_of_mxfp4[] = "_blocks";

/* Are these the quants of a matrix? *len: of its name without the last component. */
static bool is_quants(const ith_tensor *t, ith_hf_method method, ith_quantized_form *form,
                      size_t *len)
{
    size_t all = strlen(t->name), end = strlen(blocks_of_mxfp4);

    if (method == ITH_HF_MXFP4 && all > end && strcmp(t->name + all - end, blocks_of_mxfp4) == 0) {
        *form = ITH_FORM_MXFP4;
        *len = all - end;
        return true;
    }
    if ((*len = base_of(t->name, "qweight")) > 0) {
        *form = method == ITH_HF_AWQ ? ITH_FORM_AWQ : ITH_FORM_GPTQ;
        return true;
    }
    if ((*len = base_of(t->name, "weight_packed")) > 0) {
        *form = ITH_FORM_PACKED;
        return true;
    }
    if ((*len = base_of(t->name, "weight")) == 0)
        return false;
    *form = is_of_type(t, "F8_E4M3") ? ITH_FORM_F8 : ITH_FORM_INT8;
    return *form == ITH_FORM_F8 || is_of_type(t, "I8");
}

/* The methods that store matrices in this form. */
static bool is_form_of(ith_quantized_form form, ith_hf_method method)
{
    switch (method) {
    case ITH_HF_FP8:
        return form == ITH_FORM_F8;
    case ITH_HF_COMPRESSED:
        return form <= ITH_FORM_PACKED;
    case ITH_HF_AWQ:
        return form == ITH_FORM_AWQ;
    case ITH_HF_GPTQ:
        return form == ITH_FORM_GPTQ;
    case ITH_HF_MXFP4:
        return form == ITH_FORM_MXFP4;
    default:
        return false;
    }
}

static const ith_tensor *find_companion(const joiner *j, const matrix *m, const char *suffix)
{
    char name[450];

    snprintf(name, sizeof name, "%s.%s", m->base, suffix);
    return ith_tensor_table_find(j->table, name);
}

static ith_status need_companion(const joiner *j, const matrix *m, const char *suffix,
                                 const ith_tensor **out, ith_error *err)
{
    *out = find_companion(j, m, suffix);
    return *out != NULL
               ? ITH_OK
               : ith_fail(err, ITH_E_FORMAT,
                          "%s: tensor %s has no %s.%s beside it: is the download complete?",
                          m->quants->file, m->quants->name, m->base, suffix);
}

/* Marks a companion of a matrix, and copies it. */
static ith_status take(joiner *j, const ith_tensor *companion, ith_tensor *copy, ith_error *err)
{
    char *name = strdup(companion->name);

    if (name == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the list of tensors",
                        companion->file);
    j->used[companion - j->table->items] = true;
    *copy = *companion;
    copy->name = name;
    return ITH_OK;
}

/* ---- Shapes ---- */

static ith_status wrong_shape(const ith_tensor *t, const matrix *m, ith_error *err)
{
    return ith_fail(err, ITH_E_FORMAT,
                    "%s: the shape of tensor %s does not fit %s [%lld, %lld] and what "
                    "\"quantization_config\" says",
                    t->file, t->name, m->quants->name, (long long)m->quants->dims[0],
                    (long long)m->quants->dims[1]);
}

static ith_status wrong_type(const ith_tensor *t, const char *wanted, ith_error *err)
{
    return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s has type %s, expected %s", t->file, t->name,
                    t->dtype == ITH_DT_UNREAD ? t->unread : ith_dtype_get(t->dtype)->name, wanted);
}

/* `bytes`: of an element. The reader of the file cannot check the size of types that it does not
 * know. */
static ith_status check_type(const ith_tensor *t, const char *type, size_t bytes, ith_error *err)
{
    size_t size;

    if (!is_of_type(t, type))
        return wrong_type(t, type, err);
    if (!ith_mul_size((size_t)ith_tensor_elements(t), bytes, &size) || size != t->bytes)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: tensor %s takes %zu bytes, not what its shape needs", t->file, t->name,
                        t->bytes);
    return ITH_OK;
}

static bool has_shape(const ith_tensor *t, int64_t rows, int64_t cols)
{
    return t->n_dims == 2 && t->dims[0] == rows && t->dims[1] == cols;
}

static int64_t divided(int64_t n, int64_t by)
{
    return n / by + (n % by != 0);
}

static ith_status check_quants(const matrix *m, ith_error *err)
{
    const ith_tensor *t = m->quants;

    if (t->n_dims != 2)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: tensor %s is quantized and has %d dimensions; Ithaca reads matrices "
                        "that are quantized one by one",
                        t->file, t->name, t->n_dims);
    for (int i = 0; i < 2; i++)
        if (t->dims[i] < 1 || t->dims[i] > ITH_SIZE_LIMIT)
            return wrong_shape(t, m, err);
    if (m->q->form == ITH_FORM_F8)
        return check_type(t, "F8_E4M3", 1, err);
    if (m->q->form == ITH_FORM_INT8)
        return check_type(t, "I8", 1, err);
    return check_type(t, "I32", 4, err);
}

/* The two numbers of weight_shape. */
static ith_status read_shape(joiner *j, const matrix *m, int64_t size[2], ith_error *err)
{
    const ith_tensor *t;
    int32_t narrow[2];

    ITH_TRY(need_companion(j, m, "weight_shape", &t, err));
    j->used[t - j->table->items] = true;
    if (is_of_type(t, "I64") && t->bytes == sizeof(int64_t[2])) {
        memcpy(size, t->data, t->bytes);
    } else if (is_of_type(t, "I32") && t->bytes == sizeof narrow) {
        memcpy(narrow, t->data, t->bytes);
        size[0] = narrow[0];
        size[1] = narrow[1];
    } else {
        return wrong_type(t, "two numbers of I64", err);
    }
    return size[0] == m->quants->dims[0] && size[1] >= 1 && size[1] <= ITH_SIZE_LIMIT
               ? ITH_OK
               : wrong_shape(t, m, err);
}

/* Bits, rows, columns, and bytes of a row. */
static ith_status find_size(joiner *j, const matrix *m, ith_error *err)
{
    const int64_t *dims = m->quants->dims;
    ith_quantized *q = m->q;
    int64_t size[2] = {dims[0], dims[1]};

    q->bits = 8;
    switch (q->form) {
    case ITH_FORM_PACKED:
        ITH_TRY(read_shape(j, m, size, err));
        q->bits = divided(size[1] * 4, 32) == dims[1] ? 4 : 8;
        if (divided(size[1] * q->bits, 32) != dims[1])
            return wrong_shape(m->quants, m, err);
        q->row_bytes = (size_t)dims[1] * 4;
        break;
    case ITH_FORM_AWQ:
        q->bits = 4;
        size[0] = dims[1] * 8;
        size[1] = dims[0];
        break;
    case ITH_FORM_GPTQ:
        q->bits = j->config->schemes[0].bits;
        size[0] = dims[1];
        size[1] = dims[0] * (32 / q->bits);
        if (size[0] % (32 / q->bits) != 0)
            return wrong_shape(m->quants, m, err);
        break;
    default:
        q->row_bytes = (size_t)dims[1];
    }
    q->rows = size[0];
    q->cols = size[1];
    return ITH_OK;
}

/* ---- Scales ---- */

static bool is_transposed(ith_quantized_form form)
{
    return form == ITH_FORM_AWQ || form == ITH_FORM_GPTQ;
}

/* Do the scales have the shape of a scheme? Then q gets its blocks. */
static bool has_scheme(const ith_tensor *scales, const ith_hf_scheme *scheme, ith_quantized *q)
{
    const int64_t rows = scheme->block_rows > 0 ? scheme->block_rows : q->rows,
                  cols = scheme->block_cols > 0 ? scheme->block_cols : q->cols,
                  down = divided(q->rows, rows), across = divided(q->cols, cols);
    const bool transposed = is_transposed(q->form);

    if (scheme->is_float != (q->form == ITH_FORM_F8) || scheme->bits != q->bits)
        return false;
    if (transposed ? !has_shape(scales, across, down)
                   : !has_shape(scales, down, across) &&
                         !(across == 1 && scales->n_dims == 1 && scales->dims[0] == down))
        return false;
    q->block_rows = rows;
    q->block_cols = cols;
    q->scale_row = transposed ? 1 : across;
    q->scale_col = transposed ? q->rows : 1;
    return true;
}

static ith_status find_scales(joiner *j, const matrix *m, ith_error *err)
{
    const ith_tensor *t =
        is_transposed(m->q->form) ? NULL : find_companion(j, m, "weight_scale_inv");
    const ith_hf_quantization *config = j->config;

    if (t == NULL || m->q->form != ITH_FORM_F8)
        ITH_TRY(
            need_companion(j, m, is_transposed(m->q->form) ? "scales" : "weight_scale", &t, err));
    if (is_of_type(t, "U8") || is_of_type(t, "F8_E8M0"))
        ITH_TRY(check_type(t, t->unread, 1, err));
    else if (t->dtype != ITH_DT_F32 && t->dtype != ITH_DT_F16 && t->dtype != ITH_DT_BF16)
        return wrong_type(t, "F32, F16, BF16 or F8_E8M0", err);
    for (int i = 0; i < config->n_schemes; i++)
        if (has_scheme(t, &config->schemes[i], m->q))
            return take(j, t, &m->q->scales, err);
    return wrong_shape(t, m, err);
}

/* ---- Zero points and order ---- */

static ith_status find_zeros(joiner *j, const matrix *m, ith_error *err)
{
    ith_quantized *q = m->q;
    const int64_t groups = ith_quantized_groups(q), words = divided(q->rows * q->bits, 32);
    const ith_tensor *t;
    bool fits;

    q->zeros_less_one = q->form == ITH_FORM_GPTQ && j->config->zeros_less_one;
    if (q->form == ITH_FORM_F8)
        return ITH_OK;
    t = find_companion(j, m, is_transposed(q->form) ? "qzeros" : "weight_zero_point");
    if (t == NULL && is_transposed(q->form))
        return need_companion(j, m, "qzeros", &t, err);
    if (t == NULL)
        return ITH_OK;
    if (q->form == ITH_FORM_INT8)
        ITH_TRY(check_type(t, "I8", 1, err));
    else
        ITH_TRY(check_type(t, "I32", 4, err));
    if (q->form == ITH_FORM_INT8)
        fits = ith_tensor_elements(t) == ith_tensor_elements(&q->scales);
    else if (q->form == ITH_FORM_PACKED)
        fits = q->block_rows == 1 && has_shape(t, words, groups);
    else
        fits = has_shape(t, groups, words);
    return fits ? take(j, t, &q->zeros, err) : wrong_shape(t, m, err);
}

/* Checks the group of each column. All -1 is what compressed-tensors writes for "in order". */
static ith_status check_order(const matrix *m, ith_error *err)
{
    ith_quantized *q = m->q;
    const int64_t groups = ith_quantized_groups(q);
    int64_t none = 0;

    q->in_order = true;
    for (int64_t c = 0; c < q->cols; c++) {
        int32_t group;
        memcpy(&group, q->order.data + 4 * c, sizeof group);
        none += group == -1;
        q->in_order = q->in_order && group == c / q->block_cols;
        if (group < -1 || group >= groups || (group == -1 && none != c + 1))
            return ith_fail(
                err, ITH_E_FORMAT, "%s: tensor %s: column %lld is in group %d, there are %lld",
                q->order.file, q->order.name, (long long)c, (int)group, (long long)groups);
    }
    if (none > 0 && none < q->cols)
        return ith_fail(err, ITH_E_FORMAT, "%s: tensor %s: some columns are in group -1",
                        q->order.file, q->order.name);
    q->in_order = q->in_order || none > 0;
    return ITH_OK;
}

static ith_status find_order(joiner *j, const matrix *m, ith_error *err)
{
    ith_quantized *q = m->q;
    const ith_tensor *t = q->form == ITH_FORM_PACKED ? find_companion(j, m, "weight_g_idx")
                          : q->form == ITH_FORM_GPTQ ? find_companion(j, m, "g_idx")
                                                     : NULL;

    q->in_order = true;
    if (t == NULL)
        return ITH_OK;
    ITH_TRY(check_type(t, "I32", 4, err));
    if (t->n_dims != 1 || t->dims[0] != q->cols)
        return wrong_shape(t, m, err);
    ITH_TRY(take(j, t, &q->order, err));
    return check_order(m, err);
}

/* ---- What the blocks are ---- */

static bool are_halves(const ith_tensor *scales)
{
    for (int64_t i = 0, n = scales->dtype == ITH_DT_F16 ? 0 : ith_tensor_elements(scales); i < n;
         i++) {
        float x = ith_quantized_scale_at(scales, i);
        if (!(ith_f16_to_f32(ith_f32_to_f16(x)) == x) || isinf(x))
            return false;
    }
    return true;
}

/* Are all zero points the middle of the quants? */
static bool are_middle(const ith_quantized *q)
{
    const int64_t groups = ith_quantized_groups(q);
    const int middle = q->form == ITH_FORM_INT8 ? 0 : 1 << (q->bits - 1);

    for (int64_t row = 0; q->zeros.name != NULL && row < q->rows; row++)
        for (int64_t g = 0; g < groups; g++)
            if (ith_quantized_zero(q, row, g) != middle)
                return false;
    return true;
}

static ith_dtype choose_blocks(const ith_quantized *q)
{
    bool middle;

    if (q->form == ITH_FORM_F8 || !q->in_order || q->cols % 32 != 0 ||
        (q->block_cols % 32 != 0 && q->block_cols < q->cols) || !are_halves(&q->scales))
        return ITH_DT_F32;
    middle = are_middle(q);
    if (q->bits == 4)
        return middle ? ITH_DT_Q4_0 : ITH_DT_Q5_0;
    return middle ? ITH_DT_Q8_0 : ITH_DT_F32;
}

static void set_type(ith_quantized *q)
{
    static const char *const names[] = {"F8_E4M3", "INT", "INT", "AWQ", "GPTQ", "MXFP"};

    snprintf(q->type, sizeof q->type, q->form == ITH_FORM_F8 ? "%s" : "%s%d", names[q->form],
             q->bits);
}

/* ---- Joining ---- */

static ith_status wrong_method(const joiner *j, const ith_tensor *t, ith_error *err)
{
    if (j->config->method == ITH_HF_PLAIN)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: tensor %s is quantized, but %s has no \"quantization_config\" that "
                        "says how",
                        t->file, t->name, j->where);
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: tensor %s is quantized otherwise than \"quantization_config\" in %s says",
                    t->file, t->name, j->where);
}

static ith_status join_companions(joiner *j, const matrix *m, ith_error *err)
{
    ITH_TRY(check_quants(m, err));
    ITH_TRY(find_size(j, m, err));
    ITH_TRY(find_scales(j, m, err));
    ITH_TRY(find_zeros(j, m, err));
    ITH_TRY(find_order(j, m, err));
    set_type(m->q);
    return ITH_OK;
}

/* [experts, rows, groups, 16] and [experts, rows, groups] of bytes. */
static ith_status join_mxfp4(joiner *j, const matrix *m, ith_tensor *out, ith_error *err)
{
    const ith_tensor *t = m->quants, *scales;
    ith_quantized *q = m->q;
    char name[450];

    snprintf(name, sizeof name, "%s_scales", m->base);
    scales = ith_tensor_table_find(j->table, name);
    if (scales == NULL)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: tensor %s has no %s beside it: is the download complete?", t->file,
                        t->name, name);
    ITH_TRY(check_type(t, "U8", 1, err));
    ITH_TRY(check_type(scales, "U8", 1, err));
    if (t->n_dims != 4 || t->dims[3] != 16 || scales->n_dims != 3)
        return wrong_shape(scales, m, err);
    for (int i = 0; i < 3; i++)
        if (t->dims[i] < 1 || t->dims[i] > ITH_SIZE_LIMIT || scales->dims[i] != t->dims[i])
            return wrong_shape(scales, m, err);
    q->bits = 4;
    q->rows = t->dims[0] * t->dims[1]; /* of a tensor that is there: no overflow */
    q->cols = t->dims[2] * 32;
    q->block_rows = 1;
    q->block_cols = 32;
    q->scale_row = t->dims[2];
    q->scale_col = 1;
    q->in_order = true;
    q->row_bytes = (size_t)t->dims[2] * 16;
    ITH_TRY(take(j, scales, &q->scales, err));
    set_type(q);
    out->name = strdup(m->base);
    if (out->name == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the list of tensors", t->file);
    out->dtype = ITH_DT_MXFP4;
    out->unread[0] = '\0';
    out->n_dims = 3;
    out->dims[2] = q->cols;
    out->quantized = q;
    return ITH_OK;
}

/* Makes *out of a tensor of quants. */
static ith_status join(joiner *j, const ith_tensor *quants, ith_quantized_form form, size_t len,
                       ith_tensor *out, ith_error *err)
{
    matrix m = {.quants = quants, .q = &j->list->items[j->list->n++]};
    char *name;

    if (!is_form_of(form, j->config->method))
        return wrong_method(j, quants, err);
    if (len >= sizeof m.base)
        return ith_fail(err, ITH_E_FORMAT, "%s: the name of tensor %s is too long", quants->file,
                        quants->name);
    memcpy(m.base, quants->name, len);
    m.q->form = form;
    if (form == ITH_FORM_MXFP4) {
        ith_tensor made = *quants;
        ITH_TRY(join_mxfp4(j, &m, &made, err));
        *out = made;
        return ITH_OK;
    }
    ITH_TRY(join_companions(j, &m, err));
    if (asprintf(&name, "%s.weight", m.base) < 0)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the list of tensors", quants->file);
    *out = *quants;
    out->name = name;
    out->dtype = choose_blocks(m.q);
    out->unread[0] = '\0';
    out->n_dims = 2;
    out->dims[0] = m.q->rows;
    out->dims[1] = m.q->cols;
    out->quantized = m.q;
    return ITH_OK;
}

/* How activations and the KV cache were to be quantized. */
static bool is_of_activations(const char *name)
{
    static const char *const companions[] = {
        "input_scale",  "input_zero_point", "input_scale_ub", "activation_scale",
        "output_scale", "k_scale",          "v_scale",        "q_scale"};

    for (size_t i = 0; i < sizeof companions / sizeof *companions; i++)
        if (base_of(name, companions[i]) > 0)
            return true;
    return false;
}

/* Puts the joined tensors in the place of their quants, and removes the companions. */
static void replace(joiner *j, const ith_tensor *joined)
{
    ith_tensor_table *table = j->table;
    const bool plain = j->config->method == ITH_HF_PLAIN;
    size_t kept = 0;

    for (size_t i = 0; i < table->n; i++) {
        ith_tensor *t = &table->items[i];
        bool gone = j->used[i] || (!plain && is_of_activations(t->name));
        if (gone || joined[i].name != NULL)
            free((char *)(uintptr_t)t->name);
        if (!gone)
            table->items[kept++] = joined[i].name != NULL ? joined[i] : *t;
    }
    table->n = kept;
}

static ith_status join_all(joiner *j, ith_tensor *joined, ith_error *err)
{
    ith_quantized_form form;
    size_t len;

    for (size_t i = 0; i < j->table->n; i++)
        if (is_quants(&j->table->items[i], j->config->method, &form, &len))
            ITH_TRY(join(j, &j->table->items[i], form, len, &joined[i], err));
    return ITH_OK;
}

static size_t count_quants(const joiner *j)
{
    ith_quantized_form form;
    size_t n = 0, len;

    for (size_t i = 0; i < j->table->n; i++)
        n += is_quants(&j->table->items[i], j->config->method, &form, &len);
    return n;
}

ith_status ith_quantized_join(ith_tensor_table *table, const ith_hf_quantization *config,
                              const char *where, ith_quantized_list *list, ith_error *err)
{
    joiner j = {table, config, where, list, NULL};
    ith_tensor *joined = NULL;
    size_t n = count_quants(&j);
    ith_status status = ITH_OK;

    if (n == 0 && config->method == ITH_HF_PLAIN)
        return ITH_OK;
    j.used = calloc(table->n + 1, sizeof *j.used);
    joined = calloc(table->n + 1, sizeof *joined);
    list->items = calloc(n + 1, sizeof *list->items);
    if (j.used == NULL || joined == NULL || list->items == NULL)
        ITH_CHECK(
            ith_fail(err, ITH_E_MEMORY, "%s: no memory for a list of %zu matrices", where, n));
    ITH_CHECK(join_all(&j, joined, err));
    replace(&j, joined);
done:
    for (size_t i = 0; status != ITH_OK && joined != NULL && i < table->n; i++)
        free((char *)(uintptr_t)joined[i].name);
    free(joined);
    free(j.used);
    return status;
}

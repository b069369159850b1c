/* bind.h - tensors of a model's files bound to the named fields of its blocks, every shape checked.
 *
 * A block's kind calls these functions for its tensors, by role (formats/arch.h). Each looks up the
 * tensor under the name that the file's format has for it, and enters it into the load plan under
 * its Hugging Face name; the store fills the fields later.
 *
 * Errors of all: ITH_E_FORMAT, a tensor is missing or has another shape; ITH_E_UNSUPPORTED, its
 * type cannot be converted; ITH_E_MEMORY. The text names file and tensor.
 *
 * A tensor of the files that nobody has bound in the end would change what the model computes, such
 * as a bias. It is refused by name, unless it is known to be none (ith_arch_ignores_tensor), of
 * integers, or an output matrix that equals the embedding.
 */
#ifndef ITH_MODEL_BIND_H
#define ITH_MODEL_BIND_H

#include "model/model.h"

typedef struct ith_binder {
    const ith_source *source;
    ith_load_plan *plan;
    ith_model *model;
    ith_quant quant;
    bool gguf;
    bool hf;   /* a Hugging Face folder; packs hold vectors and rows as they are computed with */
    int layer; /* whose tensors are bound */
    int first_stage; /* of the block whose tensors are bound */
} ith_binder;

typedef struct ith_matrix_want {
    ith_role role;
    int64_t rows, cols;
    int stage;      /* of the block, from 0 on */
    int64_t heads;  /* the rows are so many heads, which ranks share whole; 0: any rows */
    int64_t served; /* as in ith_entry */
    bool rotary;    /* queries' or keys' rows, which some GGUF files order for interleaved pairs */
    /* How the heads lie in files that are not packs, rotary pairs apart; and how many rows the
     * tensor of the role has there, first_row the first of these, where those are not all. */
    ith_head_order order;
    int64_t file_rows;
    bool sensitive; /* ITH_QUANT_W4 keeps it as w8 */
    bool precise;   /* ITH_QUANT_AUTO keeps floats as the file has them */
    /* Where the file has no tensor of the role: rows from first_row on of `fused`, which has
     * fused_rows. ITH_ROLE_NONE: nowhere. */
    ith_role fused;
    int64_t fused_rows, first_row;
    ith_head_rows head_rows; /* or these rows of each head there (weights/load_plan.h) */
} ith_matrix_want;

/* Any rows, plain, like any other matrix. Those of whole heads may be stacked in the file, head by
 * head, in a tensor of three dimensions. */
static inline ith_matrix_want ith_want(ith_role role, int64_t rows, int64_t cols, int stage)
{
    return (ith_matrix_want){.role = role, .rows = rows, .cols = cols, .stage = stage};
}

/* *out: [n] */
ith_status ith_bind_vector(const ith_binder *binder, ith_role role, int64_t n, const float **out,
                           ith_error *err);

/* Of heads: [n], [rows][n / rows] in the file if rows is not 0. */
typedef struct ith_vector_want {
    ith_role role;
    int number; /* for roles of which a layer has several */
    int64_t n, rows;
    bool rotary; /* as of matrices: heads' channels, in the order of pairs in some files */
    bool norm;   /* a norm's weight, less 1 in the files of some families */
    /* Where the file has no such tensor: n elements of one with this role and so many of them. */
    ith_role fused;
    int64_t fused_n, first, step;
    ith_vector_form form; /* of files that are not packs */
} ith_vector_want;
ith_status ith_bind_vector_as(const ith_binder *binder, const ith_vector_want *want,
                              const float **out, ith_error *err);

/* A norm over n channels (the hidden size, if the family has no name for its weights, since it has
 * none), with a bias if the family's have one. bias: its role; ITH_ROLE_NONE: it has none. */
ith_status ith_bind_norm(const ith_binder *binder, ith_role role, ith_role bias, int64_t n,
                         ith_norm *out, ith_error *err);
ith_status ith_bind_matrix(const ith_binder *binder, const ith_matrix_want *want,
                           const ith_matrix **out, ith_error *err);

/* A small matrix that every rank multiplies with whole in any pass: as precise as the file has it,
 * held by every node in every weight distribution. */
ith_status ith_bind_whole_matrix(const ith_binder *binder, ith_role role, int64_t rows,
                                 int64_t cols, const ith_matrix **out, ith_error *err);
ith_status ith_bind_whole(const ith_binder *binder, const ith_matrix_want *want,
                          const ith_matrix **out, ith_error *err);

/* The same of number `number` of `count` matrices of the model: a tensor each, or one of three
 * dimensions with the role `stack`. */
ith_status ith_bind_whole_of(const ith_binder *binder, ith_role role, ith_role stack, int number,
                             int count, int64_t rows, int64_t cols, const ith_matrix **out,
                             ith_error *err);

/* A matrix whose rows are looked up, in the layout of an embedding, held by every node. */
ith_status ith_bind_table(const ith_binder *binder, ith_role role, int64_t rows, int64_t cols,
                          const ith_matrix **out, ith_error *err);

/* ---- For roles of which a layer has several tensors, such as one for each expert ---- */

/* NULL: not in the file; `name` is what was looked for, "" where the format has no such tensor. */
const ith_tensor *ith_bind_look(const ith_binder *binder, ith_role role, int number,
                                char name[128]);

/* The Hugging Face name, under which it is planned. */
void ith_bind_name(const ith_binder *binder, ith_role role, int number, char name[128]);

ith_status ith_bind_missing(const ith_binder *binder, const char *name, ith_error *err);

/* The layout of a tensor's matrix; noted in the model. */
ith_layout ith_bind_layout(const ith_binder *binder, const ith_tensor *tensor);

/* Binds all tensors of the model. ITH_E_UNSUPPORTED: some are left. */
ith_status ith_model_bind(const ith_source *source, ith_load_plan *plan, ith_quant quant,
                          ith_model *model, ith_error *err);

#endif

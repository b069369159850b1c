/* mlp.h - what the blocks of an MLP and of shared experts have in common: an MLP whose rows are cut
 * among threads and ranks. */
#ifndef ITH_MODEL_BLOCKS_MLP_H
#define ITH_MODEL_BLOCKS_MLP_H

#include "model/blocks/ffn.h"

enum { ITH_MLP_STAGES = 2 }; /* gate and up; down */

/* The names of its matrices, and the rows of gate and up, of which one may be ITH_ROLE_NONE: it is
 * not bound. */
typedef struct ith_mlp_form {
    ith_role gate, up, gate_up, down;
    int64_t width;
} ith_mlp_form;

/* Binds the matrices, in the block's stages from 0 on. */
ith_status ith_mlp_bind(const ith_binder *binder, const ith_mlp_form *form, ith_ffn *ffn,
                        ith_error *err);

/* Raises *needs. */
void ith_mlp_needs(const ith_work_sizes *sizes, int64_t width, ith_work_needs *needs);

/* The block's run (block.h). */
void ith_mlp_run(ith_pass *pass, int layer, const ith_block *block, const ith_ffn *ffn,
                 ith_member *me);

#endif

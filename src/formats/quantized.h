/* quantized.h - matrices of Hugging Face folders whose numbers are in several tensors: quants,
 * scales, perhaps zero points.
 *
 * A weight is (q - z) * s, with the scale s and the zero point z of its block of rows and columns.
 * The forms, for a matrix NAME.weight [rows, cols]; blocks are [1, group] where it says "groups":
 *
 *   F8     NAME.weight F8_E4M3 [rows, cols]. NAME.weight_scale_inv or weight_scale: one number, one
 *          for each row, or one for each block
 *   INT8   NAME.weight I8 [rows, cols]. weight_scale as above; weight_zero_point I8, like it
 *   PACKED NAME.weight_packed I32 [rows, words]: quants of 4 or 8 bits, lowest bits first, as
 *          q + 8 or q + 128. weight_shape: [rows, cols]. weight_scale [rows, groups] or one
 *          number.
 *          weight_zero_point I32 [words, groups]: packed likewise along the rows.
 *          weight_g_idx [cols]: the group of each column
 *   AWQ    NAME.qweight I32 [cols, rows / 8], qzeros I32 [groups, rows / 8], scales [groups, rows].
 *          Rows 0 2 4 6 1 3 5 7 of eight are the nibbles of a word, lowest first
 *   GPTQ   NAME.qweight I32 [cols * bits / 32, rows]: quants of 4 or 8 bits, lowest first.
 *          qzeros I32 [groups, rows * bits / 32], often less 1: then 0x11111111 (0x01010101) is
 *          added to each word. scales [groups, rows]. g_idx I32 [cols]: the group of each column
 *
 *   MXFP4  Of all experts of a layer: NAME_blocks U8 [experts, rows, cols / 32, 16], of a column of
 *          even number in the low nibble of a byte, of the next in the high one; NAME_scales U8
 *          [experts, rows, cols / 32], e of 2^(e - 127). The joined tensor is NAME, [experts, rows,
 *          cols], of dtype MXFP4
 *
 * (compressed-tensors, AutoAWQ, GPTQModel and Transformers define them.) Scales are F32, F16, BF16
 * or F8_E8M0.
 *
 * Joined, the matrix is a tensor as any other, named NAME.weight and of shape [rows, cols]. Its
 * dtype is that of the blocks that ith_quantized_rows makes of it: Q4_0, Q5_0 or Q8_0, which
 * keep its bits; or F32, if these cannot hold it: F8, a scale that is no f16, groups that are no
 * multiple of 32, INT8 with zero points, or columns whose groups are not in order (act-order).
 */
#ifndef ITH_FORMATS_QUANTIZED_H
#define ITH_FORMATS_QUANTIZED_H

#include "formats/hf_quantization.h"
#include "formats/tensor_table.h"

typedef enum ith_quantized_form {
    ITH_FORM_F8,
    ITH_FORM_INT8,
    ITH_FORM_PACKED,
    ITH_FORM_AWQ,
    ITH_FORM_GPTQ,
    ITH_FORM_MXFP4
} ith_quantized_form;

typedef struct ith_quantized {
    ith_quantized_form form;
    int bits;
    char type[16]; /* for people: "F8_E4M3", "AWQ4" */
    int64_t rows, cols;
    int64_t block_rows, block_cols; /* that share a scale */
    /* The scale of block (i, k) is number i * scale_row + k * scale_col. */
    int64_t scale_row, scale_col;
    ith_tensor scales, zeros, order; /* what the file has; name NULL: nothing */
    bool in_order;                   /* the order says what its absence says */
    bool zeros_less_one;             /* GPTQ */
    /* Bytes of a row's quants, which lie together. 0: they do not (AWQ, GPTQ), and are read in the
     * mapping. */
    size_t row_bytes;
} ith_quantized;

/* The matrices that were joined; their tensors point to them. */
typedef struct ith_quantized_list {
    ith_quantized *items; /* [n] */
    size_t n;
} ith_quantized_list;

void ith_quantized_list_free(ith_quantized_list *list);

/* Joins what belongs together in an indexed table, which must be indexed again. `list` is zeroed;
 * where: the path of config.json, for messages. Scales and zero points are read, to choose the
 * blocks.
 *
 * ITH_E_FORMAT, naming the tensor: companions are missing, or have another shape or type.
 * ITH_E_UNSUPPORTED: quantized otherwise than `config` says. */
ith_status ith_quantized_join(ith_tensor_table *table, const ith_hf_quantization *config,
                              const char *where, ith_quantized_list *list, ith_error *err);

/* Bytes of a matrix in the file, with all its companions. */
size_t ith_quantized_bytes(const ith_tensor *t);

/* Makes up to 16 rows of a joined tensor.
 *
 *   rows     [16] their numbers; < 0: none
 *   stored   [16] a row's quants, of row_bytes; not read if they do not lie together
 *   scratch  [16 * (cols + ITH_QUANTIZED_PAD)]
 *   out      [16] the first byte of each row of blocks of t->dtype, which are written
 */
enum { ITH_QUANTIZED_PAD = 64 }; /* bytes; rows in different sets of a cache */
void ith_quantized_rows(const ith_tensor *t, const int64_t rows[16],
                        const uint8_t *const stored[16], uint8_t *scratch, uint8_t *const out[16]);

/* The weight of an F8_E4M3 (of "fn": no infinities; 0x7f and 0xff are NaN). */
float ith_f8_e4m3(uint8_t x);

#endif

/* tensor_table.h - the tensors of a model: filled while files are parsed, then searched by name.
 *
 *     for each file:  first = table.n;  for each tensor: set_shape, add;  order(first)
 *     index           then find
 */
#ifndef ITH_FORMATS_TENSOR_TABLE_H
#define ITH_FORMATS_TENSOR_TABLE_H

#include "base/error.h"
#include "formats/tensor.h"

typedef struct ith_tensor_table {
    ith_tensor *items; /* [n] in file order; the names are the table's */
    size_t n, capacity;
    const ith_tensor **by_name; /* [n] sorted; NULL before ith_tensor_table_index */
} ith_tensor_table;

/* Sets t->bytes from name, file, dtype, n_dims and dims; ITH_DT_UNREAD: leaves it. ITH_E_FORMAT: a
 * dimension is negative, the product of some of them overflows, or a row is not a whole number of
 * blocks. */
ith_status ith_tensor_set_shape(ith_tensor *t, ith_error *err);

int64_t ith_tensor_elements(const ith_tensor *t); /* cannot overflow once the shape is set */

/* Is it of an integer or boolean type that Ithaca does not read? Such tensors are no weights, but
 * positions or masks. */
bool ith_tensor_is_integers(const ith_tensor *t);

/* ITH_E_UNSUPPORTED: its type is not read. */
ith_status ith_tensor_check_read(const ith_tensor *t, ith_error *err);

/* Appends a copy, including the name. */
ith_status ith_tensor_table_add(ith_tensor_table *table, const ith_tensor *t, ith_error *err);

/* Sorts the tensors from `first` on, all in one mapping, by their data. ITH_E_FORMAT: two
 * overlap. */
ith_status ith_tensor_table_order(ith_tensor_table *table, size_t first, ith_error *err);

/* Call after the last tensor, before the first find; again after a change of names. ITH_E_FORMAT:
 * two have the same name. */
ith_status ith_tensor_table_index(ith_tensor_table *table, ith_error *err);

const ith_tensor *ith_tensor_table_find(const ith_tensor_table *table, const char *name);

/* Puts `prefix` before the names that do not begin with it, except for `except`. The index must be
 * made again. */
ith_status ith_tensor_table_prefix(ith_tensor_table *table, const char *prefix, const char *except,
                                   ith_error *err);

/* Of a model of images and text: gives the text's tensors the names that they have in a model of
 * text alone, and removes those of images and of drafts for several tokens. *removed: how many.
 * Others keep their names. The index must be made again. */
ith_status ith_tensor_table_unwrap(ith_tensor_table *table, size_t *removed, ith_error *err);

/* Removes the tensors of n layers from layer `first` on, in the names of either format; *removed:
 * how many. The index must be made again. */
void ith_tensor_table_drop_layers(ith_tensor_table *table, int64_t first, int64_t n,
                                  size_t *removed);

void ith_tensor_table_free(ith_tensor_table *table);

#endif

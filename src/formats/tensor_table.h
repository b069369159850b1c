/* tensor_table.h - the tensors of a model while its files are parsed, and the look-up by name afterwards.
 *
 *     for each file: first = table.n;  for each tensor: set_shape, add;  order(first)
 *     index                          then find
 */
#ifndef ITH_FORMATS_TENSOR_TABLE_H
#define ITH_FORMATS_TENSOR_TABLE_H

#include "formats/source.h"

typedef struct ith_tensor_table {
    ith_tensor *items; /* in file order; names are the table's */
    size_t n, capacity;
    const ith_tensor **by_name; /* sorted, after ith_tensor_table_index */
} ith_tensor_table;

/* Sets t->bytes from name, file, dtype, n_dims and dims. ITH_E_FORMAT if a dimension is negative, the product overflows or a row
 * is not a whole number of blocks. */
ith_status ith_tensor_set_shape(ith_tensor *t, ith_error *err);

int64_t ith_tensor_elements(const ith_tensor *t); /* cannot overflow once the shape is set */

/* Appends a copy, the name included. */
ith_status ith_tensor_table_add(ith_tensor_table *table, const ith_tensor *t, ith_error *err);

/* Puts the tensors from `first` on, all of one mapping, in the order of their data. ITH_E_FORMAT if two overlap. */
ith_status ith_tensor_table_order(ith_tensor_table *table, size_t first, ith_error *err);

/* After the last tensor: makes `find` work. ITH_E_FORMAT if a name comes twice. */
ith_status ith_tensor_table_index(ith_tensor_table *table, ith_error *err);

const ith_tensor *ith_tensor_table_find(const ith_tensor_table *table, const char *name);

void ith_tensor_table_free(ith_tensor_table *table);

#endif

/* embedding.c - vectors of texts: what the model's files say of them, and their length. */
#include "base/error.h"
#include "base/fpenv.h"
#include "engine/engine.h"

#include <math.h>

ith_status ith_engine_check_pooling(const ith_engine *e, ith_error *err)
{
    ith_pooling pooling = e->model->hp.pooling;

    if (pooling == ITH_POOLING_UNSAID || pooling == ITH_POOLING_LAST)
        return ITH_OK;
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: the model's files say that an embedding is made of the outputs by %s; by "
                    "the last token alone it is supported",
                    ith_source_path(e->source), ith_pooling_names[pooling]);
}

void ith_embedding_normalize(float *embedding, size_t n)
{
    ITH_DEFAULT_FPENV;
    double sum = 0, length;

    for (size_t i = 0; i < n; i++)
        sum += (double)embedding[i] * (double)embedding[i];
    length = sqrt(sum);
    for (size_t i = 0; i < n && length > 0; i++)
        embedding[i] = (float)((double)embedding[i] / length);
}

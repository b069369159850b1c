/* requests.c - memory for the buffers of a workspace, one after another. */
#include "base/mem.h"
#include "model/workspace.h"

#include <stdlib.h>
#include <string.h>

/* Room for one more address; false without memory. */
static bool has_room(ith_workspace *ws)
{
    void **more;

    if (ws->n_buffers < ws->room)
        return true;
    more = realloc(ws->buffers, (ws->room + 64) * sizeof *more);
    if (more == NULL)
        return false;
    ws->buffers = more;
    ws->room += 64;
    return true;
}

void ith_request(ith_requests *r, int64_t count, size_t size, void *out)
{
    void *memory;

    r->bytes += count * (int64_t)size;
    if (r->status != ITH_OK || r->sizing)
        return;
    if (!has_room(r->ws))
        r->status = ith_fail(r->err, ITH_E_MEMORY, "no memory for the table of activations");
    else
        r->status = ith_mem_alloc_array(ITH_MEM_ACTIVATIONS, (size_t)count, size, "activations",
                                        &memory, r->err);
    if (r->status != ITH_OK)
        return;
    r->ws->buffers[r->ws->n_buffers++] = memory;
    memcpy(out, &memory, sizeof memory);
}

void ith_request_acts(ith_requests *r, int64_t tokens, int64_t groups, ith_acts *acts)
{
    ith_request(r, tokens * groups * ITH_GROUP, 1, &acts->quants);
    ith_request(r, tokens * groups, sizeof(float), &acts->scales);
    ith_request(r, tokens * groups, sizeof(float), &acts->shifts);
    ith_request(r, tokens * groups, sizeof(float), &acts->sums);
    ith_request(r, tokens * groups, sizeof(int32_t), &acts->start8);
    ith_request(r, tokens * groups, sizeof(int32_t), &acts->start128);
    ith_request(r, 2 * tokens * groups, sizeof(int32_t), &acts->half128);
    acts->groups = groups;
}

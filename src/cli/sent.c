/* sent.c - reports what a rank has sent. */
#include "cli/sent.h"

#include "cli/model_options.h"

#include <stdio.h>

json_t *ith_cli_sent_json(const ith_world *world)
{
    ith_traffic sent = ith_world_traffic(world);
    json_t *exchange = json_object();

    for (int i = ITH_EXCHANGE_ALLTOALLV; i <= ITH_EXCHANGE_NODE; i++) {
        const ith_exchange_traffic *e = &sent.exchange[i];
        json_object_set_new(exchange, ith_word_name(ith_exchange_words, i),
                            json_pack("{s:I, s:I, s:I}", "calls", (json_int_t)e->calls, "in_node",
                                      (json_int_t)e->in_node, "cross_node",
                                      (json_int_t)e->cross_node));
    }
    return json_pack("{s:o, s:I, s:I, s:I}", "exchange", exchange, "allgather",
                     (json_int_t)sent.allgather, "messages", (json_int_t)sent.messages, "bcast",
                     (json_int_t)sent.bcast);
}

void ith_cli_sent_text(const ith_world *world, char *text, size_t bytes)
{
    ith_traffic sent = ith_world_traffic(world);
    int64_t near = 0, far = 0, most = 0;
    const char *by = "";

    text[0] = 0;
    if (ith_world_size(world) == 1)
        return;
    for (int i = ITH_EXCHANGE_ALLTOALLV; i <= ITH_EXCHANGE_NODE; i++) {
        const ith_exchange_traffic *e = &sent.exchange[i];
        near += e->in_node;
        far += e->cross_node;
        if (e->in_node + e->cross_node > most) {
            most = e->in_node + e->cross_node;
            by = ith_word_name(ith_exchange_words, i);
        }
    }
    snprintf(
        text, bytes,
        "; rank 0 sent %.1f MB within its machine and %.1f MB to others%s%s, %.1f MB in gathers "
        "and messages",
        (double)near * 1e-6, (double)far * 1e-6, most > 0 ? " by " : "", by,
        (double)(sent.allgather + sent.messages) * 1e-6);
}

/* report_words.c - what both forms of the report say alike. */
#include "cli/report_write.h"

#include <string.h>

const char *const ith_report_words[] = {
    "Node: a machine without GPUs on which a document has a run of Ithaca.",
    "Prefill: tokens per second of a whole prompt that starts from nothing. Time to first token: "
    "of "
    "the same prompt, until the first token of the answer.",
    "Decode: tokens per second behind that context, of all answers together: labels say how many "
    "are "
    "answered at a time, if more than one.",
    "Nodes that equal a GPU: estimated with the formulas of ithaca plan, from the memory bandwidth "
    "and the integer speed that the node reached in its own run. Where the model was measured on "
    "the node, the estimate is scaled to agree with the measurement whose context is nearest. "
    "Numbers of nodes are tried by powers of two up to 1,024 and then halved, so they are right to "
    "about 4% of what the formulas say. Each exchange between nodes has its latency: more nodes "
    "are "
    "not always faster.",
    "One must cost less than: the price of an hour of the GPU over the number of nodes.",
    "Of the ceilings: the least time that the same machine's arithmetic and memory allow, as "
    "measured in the same run, over the time that it took.",
    "Weights and cache: bf16 has 16 bits a number; w8 and q8 are integers of 8 bits, w4 and w4m of "
    "4 bits, with a scale for each 32. Fewer bits are faster and less exact.",
    "Memory: the most of one rank or GPU, times their number. Energy: of the GPUs or sockets "
    "alone, "
    "without the rest of the machine; a dash where nothing was read. Cost: an hour of the machine "
    "over the tokens of an hour, as many answers at a time as the label says; a server that "
    "answers "
    "many at once pays less. Memory and energy are of all of them, too.",
    "Perplexity: e to the mean negative log likelihood of the text's tokens, each after those "
    "before "
    "it in its window; the second half of a window counts. Texts and windows must be the same to "
    "be "
    "compared. Passkeys: a number hidden in a text is asked for at its end.",
    "A figure is the median of all repetitions; strokes in plots reach from the least to the most. "
    "Published figures are someone else's and have hollow marks. Only models of the same shape, "
    "experts included, share a plot. Scaling has an efficiency where both run in the same way.",
    NULL,
};

const char *ith_report_second(const char *verdict)
{
    const char *next = strstr(verdict, "\n# ");
    return next != NULL ? next + 1 : verdict + strlen(verdict);
}

ith_table ith_report_group_table(const ith_report_all *all, const ith_report_group *group, int i)
{
    return i == 0   ? ith_tables_prefill(all, group)
           : i == 1 ? ith_tables_decode(all, group)
                    : ith_tables_scaling(group);
}

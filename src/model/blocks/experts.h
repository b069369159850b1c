/* experts.h - a mixture of experts (arXiv 1701.06538; as in Qwen3, arXiv 2505.09388): of n MLPs
 * each token goes through `used`, which a router chooses.
 *
 *     l = router h, plus a bias if the router has one                       [n]
 *     s = softmax(l), or sigmoid(l)
 *     c = s, plus a bias if the choice has one; in groups that do not take part -infinity
 *     the `used` largest c are chosen, of equal ones those of lower number; NaN is less than any
 *     weight_e = s_e; if normalized, divided by max(sum of the chosen + norm_add, norm_least);
 *     times the factor
 *     y = sum over the chosen e, ascending: weight_e * down_e(silu(gate_e h) * up_e h)
 *
 * SparseMixer (arXiv 2409.12136; Phi-3.5-MoE) chooses two: the largest l, and the largest of the
 * others. The weight of each is its softmax over those l that are near it: not those for which
 * (l_e - l) / max(|l|, l_e) > 2 jitter, and for the second not the first.
 *
 * A group takes part if the sum of its one or two largest c is among the top_groups largest; ties
 * and NaN as above. Softmax over the logits of the chosen alone, as in gpt-oss and GraniteMoE, is
 * softmax, normalized.
 *
 * Gemma 4's router reads x behind a norm of its own, the experts behind another: l is divided by
 * sqrt(h channels), and weight_e multiplied by a number of the expert.
 *
 * In bits (contract 2), in floats: of softmax, E_e = exp(l_e - max l) by the kernel `weights`, Z is
 * their sum over all n by `sum_exp`, and s_e = E_e / Z; without groups and a bias of the choice, c
 * is l. Sigmoid is 1 / (1 + ith_exp2(y)), y as in the kernel `silu_mul`; E is s, and Z is 1. The
 * weight is E_e, divided by Z, or if normalized by max(S + norm_add * Z, norm_least * Z) with S the
 * chain of additions of E over the chosen, ascending. y is a chain of fma from +0, ascending
 * (`add_scaled`).
 * SparseMixer's weight is 1 / Z, Z by `sum_exp` over l, in which those that are not near are
 * -infinity.
 * The router's product is the float kernels', or that of the type it has in the file; the experts'
 * are those of any matrix. So a token's y depends on its h alone: not on who else is in the pass,
 * nor on where work is cut.
 *
 * A pass lists its assignments (token, expert) expert by expert, tokens ascending. The rows of the
 * intermediate are in that order, so down finds its tokens side by side, and so does every rank in
 * passes by rows, where all ranks route all tokens: equal bits in, equal lists out, and no message
 * between them.
 *
 *   gate, up   The activations of an expert's tokens are gathered. Members take shares of (expert,
 *              rows) of about equal cost, which grows with the expert's tokens (ith_experts_share).
 *              In prefill a share is some experts, so that few members gather the same tokens. With
 *              few tokens, which cost little to gather, it is the same rows of every expert, which
 *              lie on the member's memory node (homes.h).
 *   down       Every member has its rows of all experts, so the sum over experts needs no turns.
 */
#ifndef ITH_MODEL_BLOCKS_EXPERTS_H
#define ITH_MODEL_BLOCKS_EXPERTS_H

#include "model/blocks/ffn.h"

/* The bound tensors of a block: n experts of width f. */
typedef struct ith_experts {
    const ith_matrix *router; /* [n, h], in the file's own type */
    const float *router_bias; /* [n]; NULL: none, or not loaded yet; likewise */
    const float *choice_bias; /* [n] */
    const float *gate_bias;   /* [n][f] */
    const float *up_bias;     /* [n][f] */
    const float *down_bias;   /* [n][h], added to what down gives before it is weighed */
    ith_ffn *ffn;             /* [n]; without biases */
    ith_norm norm;            /* hp->experts.router.apart: what the experts read; */
    const float *scales;      /* [n] of weights */
} ith_experts;

/* Where the tokens of a pass go. An assignment is a token and an expert. */
typedef struct ith_routes {
    float *logits; /* [T][ld] */
    float *scores; /* [threads][ld]: c of the token that a member looks at */
    int64_t ld;
    int32_t *chosen;     /* [T][used] */
    float *weights;      /* [T][used] */
    int64_t *first;      /* [n + 1]: expert e has the assignments first[e] ... first[e + 1] - 1 */
    bool *chosen_by_any; /* [n] */
    int64_t *costs;      /* [n + 1] of a group of rows, of all experts before: 0 for those that no
                          * token goes to */
    int32_t *token;      /* [T * used] of each assignment */
    float *weight;       /* [T * used] */
} ith_routes;

/* 1 / (1 + exp(-x)), as the router computes it. */
float ith_sigmoid(float x);

/* One token: logits [n], finite or not, and the bias of the choice, if it has one; scratch [n];
 * chosen [used] ascending, weights [used]. */
void ith_route_token(const ith_kernels *kernels, const ith_experts_params *experts,
                     const float *logits, const float *choice_bias, float *scratch, int32_t *chosen,
                     float *weights);

/* Fills the lists from chosen and weights of n_tokens tokens. */
void ith_route_list(const ith_experts_params *experts, int64_t n_tokens, ith_routes *routes);

/* What is dealt out one after another. */
typedef enum ith_deal {
    ITH_BY_EXPERTS, /* all groups of rows of an expert, then the next one's */
    ITH_BY_ROWS     /* the first group of every expert, then the second */
} ith_deal;

/* Of an expert's `groups` of rows, those of task `task` of `tasks`; every group belongs to one
 * task. */
ith_range ith_experts_share(const ith_routes *routes, int64_t n_experts, int64_t expert,
                            int64_t groups, ith_deal deal, int tasks, int task);

/* Called by every member: the router's product for all my tokens, then the lists. Ends with a
 * barrier. */
void ith_route(ith_pass *pass, const ith_experts *experts, ith_routes *routes, ith_member *me);

#endif

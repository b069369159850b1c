/* experts.h - a mixture of experts (arXiv 1701.06538; as in Qwen3, arXiv 2505.09388): of n MLPs
 * each token goes through `used`, which a router chooses.
 *
 *     l = router h                                                          [n]
 *     the `used` largest l are chosen, of equal ones those of lower number; NaN is less than any
 *     weight_e = exp(l_e - max l) / sum, over all n, or if normalized over the chosen
 *     y = sum over the chosen e, ascending: weight_e * down_e(silu(gate_e h) * up_e h)
 *
 * In bits (contract 2): exp, and the sum over all n, are the kernels' `weights` and `sum_exp`; the
 * sum over the chosen is a chain of additions, ascending; y is a chain of fma from +0, ascending
 * (`add_scaled`). The router's product is the float kernels', or that of the type it has in the
 * file; the experts' are those of any matrix. So a token's y depends on its h alone: not on who
 * else is in the pass, nor on where work is cut.
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
    ith_ffn *ffn;             /* [n] */
} ith_experts;

/* Where the tokens of a pass go. An assignment is a token and an expert. */
typedef struct ith_routes {
    float *logits; /* [T][ld] */
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

/* One token: logits [n], finite or not; chosen [used] ascending, weights [used]. */
void ith_route_token(const ith_kernels *kernels, const ith_experts_params *experts,
                     const float *logits, int32_t *chosen, float *weights);

/* Fills the lists from chosen and weights of n_tokens tokens. */
void ith_route_list(const ith_experts_params *experts, int64_t n_tokens, ith_routes *routes);

typedef enum ith_deal {                 /* what is dealt out one after another */
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

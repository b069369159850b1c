/* waiting.h - prompts that wait to be admitted, and which of those in flight they begin like.
 *
 * Where a prompt begins with the tokens of another that is in flight, it waits until that one has
 * computed them, and its session then begins with them (ith_session_share): they are computed once,
 * and their keys and values are in memory once. Little is lost by waiting, where prompts are
 * computed in the order of admission. Between several ranks short prompts overtake long ones, of
 * which one is computed at a time: there a short one does not wait for a long one that waits
 * itself.
 *
 * All functions are local, on rank 0.
 */
#ifndef ITH_ENGINE_WAITING_H
#define ITH_ENGINE_WAITING_H

#include "engine/flight.h"

/* Asks for prompts, as long as fewer than in_flight are in flight or wait. Those that cannot be
 * computed end at once. ITH_E_MEMORY. */
ith_status ith_waiting_fetch(ith_many *m, ith_error *err);

/* Those that nobody wants any more end. */
void ith_waiting_prune(ith_many *m);

/* The first that can be admitted; -1: none. */
int ith_waiting_first(ith_many *m);

/* Takes number i out of the list. */
ith_flight *ith_waiting_take(ith_many *m, int i);

/* A flight that had to give up its session, which had `pending` tokens to compute, waits again,
 * before all others. It ends if there is no memory for that. */
void ith_waiting_again(ith_many *m, ith_flight *flight, int64_t pending);

/* `flight` has been admitted: some may begin with its tokens. */
void ith_waiting_lead(ith_many *m, ith_flight *flight);

/* None can begin with its tokens any more. */
void ith_waiting_forget(ith_many *m, const ith_flight *flight);

/* Does one wait for tokens that `flight` has computed? */
bool ith_waiting_follows(const ith_many *m, const ith_flight *flight);

/* stops[i]: where a pass of flight i must end, so that another can begin with its recurrent states
 * (ith_session.stop). */
void ith_waiting_stops(const ith_many *m, int64_t stops[ITH_STEP_MOST]);

#endif

/* guesses.h - speculation of many answers: guesses fill up a pass that decodes a few tokens. The
 * more prompts share a pass, the less of it a right guess saves. */
#ifndef ITH_ENGINE_GUESSES_H
#define ITH_ENGINE_GUESSES_H

#include "engine/flight.h"

/* Rank 0, before the sessions are given tokens: false if a prompt has tokens to compute. */
bool ith_guesses_pay(const ith_many *many);

/* Rank 0: guesses follow the token that each item of the step has been given. */
void ith_guess(ith_many *many);

#endif

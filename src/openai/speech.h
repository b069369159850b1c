/* speech.h - how a model writes thoughts and calls: found in what its own chat template makes of
 * small conversations, not by its name.
 */
#ifndef ITH_OPENAI_SPEECH_H
#define ITH_OPENAI_SPEECH_H

#include "ithaca.h"
#include "openai/calls.h"

typedef struct ith_speech {
    const ith_form *form;   /* of calls; NULL: unknown, or nobody asks */
    const ith_marks *marks; /* around thoughts; NULL: none are known, or the form has them */
    bool thinks;            /* the prompt ends between them: the answer begins with a thought */
    bool text_arguments;    /* the template takes the arguments of earlier calls as a text */
} ith_speech;

/* What is wanted of ith_speech_find. */
enum {
    ITH_SPEECH_TOOLS = 1, /* there are functions */
    ITH_SPEECH_CALLS = 2  /* there are earlier calls */
};

/* All but `thinks`. `arguments`: of the chat template, or NULL. Without a template nothing is
 * found. ITH_E_MEMORY. ITH_E_UNSUPPORTED: with functions, if the form of calls is none that is
 * known, or the template takes no functions. */
ith_status ith_speech_find(ith_speech *speech, const ith_vocab *vocab, const char *arguments,
                           unsigned wanted, ith_error *err);

/* Where the prompt ends: sets `thinks`, and the marks if they are not known. ITH_E_MEMORY. */
ith_status ith_speech_end(ith_speech *speech, const ith_vocab *vocab, const int32_t *ids, size_t n,
                          ith_error *err);

#endif

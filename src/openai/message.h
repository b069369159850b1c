/* message.h - an answer to a chat as a message in OpenAI's form, or as the deltas of a stream: its
 * thoughts, its text, and the calls of tools in it.
 *
 * Of a model that does not think, and without tools, the text is what the model has written, byte
 * by byte.
 */
#ifndef ITH_OPENAI_MESSAGE_H
#define ITH_OPENAI_MESSAGE_H

#include "openai/request.h"

typedef struct ith_message_text ith_message_text;

/* Of an answer to a request, which may forget its body but must outlive this. The ids of calls
 * follow from `key`, which no other answer has. NULL: no memory. */
ith_message_text *ith_message_open(const ith_request *request, const char *key);
void ith_message_close(ith_message_text *message); /* accepts NULL */

/* The next part of the answer; `last`: nothing comes after it. False: no memory. */
bool ith_message_push(ith_message_text *message, const char *text, size_t len, bool last);

/* Is what comes next a thought, as far as is known? */
bool ith_message_is_thinking(const ith_message_text *message);

/* What was pushed since the last call. `delta`: in the form of a stream. NULL: no memory. */
json_t *ith_message_json(ith_message_text *message, bool delta);

/* Is there anything that ith_message_json would tell? */
bool ith_message_has_news(const ith_message_text *message);

/* finish_reason of an answer that ended by itself: "stop", or "tool_calls". */
const char *ith_message_stop(const ith_message_text *message);

#endif

/* error.h - how every room reports failure.
 *
 * A function that can fail returns ith_status and takes `ith_error *err` last. The text is written
 * once, where the failure is known, by ith_fail; callers forward with ITH_TRY, or leave by one
 * label with ITH_CHECK.
 */
#ifndef ITH_BASE_ERROR_H
#define ITH_BASE_ERROR_H

#include "ithaca.h"

/* Writes status and text to *err (NULL: nowhere) and returns status: `return ith_fail(err,
 * ITH_E_IO, "...")`. */
ith_status ith_fail(ith_error *err, ith_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts `prefix: ` before a text that is already there, for context that only the caller has;
 * returns err->status. */
ith_status ith_fail_prefix(ith_error *err, ith_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Begins every public function that takes `err`, which its caller may leave NULL: from here on it
 * points to an error. Below the public functions `err` is never NULL where its text is read. */
#define ITH_NEED_ERROR(err)                                                                        \
    ith_error unread_error_ = {0};                                                                 \
    (err) = (err) != NULL ? (err) : &unread_error_

/* Forwards a failure to the caller. */
#define ITH_TRY(call)                                                                              \
    do {                                                                                           \
        ith_status try_status_ = (call);                                                           \
        if (try_status_ != ITH_OK)                                                                 \
            return try_status_;                                                                    \
    } while (0)

/* The same for functions that own something: sets `status` and jumps to `done`, which frees and
 * returns it. */
#define ITH_CHECK(call)                                                                            \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != ITH_OK)                                                                      \
            goto done;                                                                             \
    } while (0)

#endif

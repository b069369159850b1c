/* number.h - numbers as text, the same in every locale.
 *
 * A program that uses the library may have chosen a locale where "1.5" is written "1,5". What the
 * library reads and writes does not depend on that.
 */
#ifndef ITH_BASE_NUMBER_H
#define ITH_BASE_NUMBER_H

#include <locale.h>

/* The C locale, for uselocale(3); 0, which uselocale ignores, if there is no memory for it. */
locale_t ith_c_locale(void);

/* strtod(3) in the C locale. */
double ith_strtod(const char *text, char **end);

#endif

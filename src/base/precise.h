/* precise.h - logarithm and power with the same bits on every machine.
 *
 * The functions of libm may differ in the last bit from one library or version to the next. These
 * are plain double arithmetic, two doubles to a number (Dekker, "A floating-point technique for
 * extending the available precision", 1971): the error before the last rounding is below 2^-95 of
 * the result, so that the result is the nearest double in all but 2^-42 of cases.
 */
#ifndef ITH_BASE_PRECISE_H
#define ITH_BASE_PRECISE_H

/* The natural logarithm of a normal x > 0. NaN for NaN and infinity. */
double ith_ln(double x);

/* base^exponent; base as above, the result between 1e-300 and 1e300. */
double ith_power(double base, double exponent);

#endif

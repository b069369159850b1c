/* report_prices.h - what an hour of a machine costs.
 *
 * A GPU's price is looked up by its name in a price file (bench/schema/prices-1.json): all offers
 * of that GPU count, so a price is a range. A node's is what the user says, an amount or the name
 * of an offer: a processor's name does not say what an hour of it costs. Where there is no price
 * there is no cost.
 */
#ifndef ITH_CLI_REPORT_PRICES_H
#define ITH_CLI_REPORT_PRICES_H

#include "cli/report.h"

/* Of an hour; low <= high. */
typedef struct ith_price {
    double low, high;

    /* Of a GPU: how many are sold together at least, by the offer that sells the fewest and by the
     * one that sells the most. */
    int least_lot, greatest_lot;
} ith_price;

typedef struct ith_prices {
    json_t *root;
    const char *currency;
    ith_price node;         /* 0: not given */
    const char *node_offer; /* whose name was given; NULL: none */
} ith_prices;

/* path: a price file; NULL: the one that is part of the program. node: what a node costs, a number
 * above 0 or the name of an offer of a node; NULL: not given. *prices needs ith_prices_close, also
 * after an error, and `node` must live as long. ITH_E_IO; ITH_E_FORMAT: not a price file;
 * ITH_E_ARGUMENT: `node` is neither. */
ith_status ith_prices_open(const char *path, const char *node, ith_prices *prices, ith_error *err);

void ith_prices_close(ith_prices *prices);

/* Of all machines of the series together. False: there is no price. */
bool ith_prices_find(const ith_prices *prices, const ith_report_series *series, ith_price *price);

/* Of a million tokens at that price, one after the other at that rate. */
double ith_price_of_tokens(double per_hour, double tokens_per_second);

#endif

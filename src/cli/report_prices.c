/* report_prices.c - prices of machines. */
#include "cli/report_prices.h"

#include "base/number.h"
#include "cli/report_text.h"
#include "cli/schema.h"
#include "cli/texts.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 16 << 20, LOT_MAX = 1 << 20 };

static const double LEAST = 1e-9, MOST = 1e9;

static ith_price price_of(const json_t *offer)
{
    const json_t *price = json_object_get(offer, "per_hour");
    return (ith_price){.low = json_number_value(json_object_get(price, "low")),
                       .high = json_number_value(json_object_get(price, "high"))};
}

static ith_status check_offers(const json_t *root, const char *where, ith_error *err)
{
    const json_t *offers = json_object_get(root, "offers"), *offer, *other;
    size_t i, k;

    json_array_foreach (offers, i, offer) {
        ith_price price = price_of(offer);
        if (!(price.low >= LEAST && price.low <= price.high && price.high <= MOST))
            return ith_fail(err, ITH_E_FORMAT,
                            "%s: offers/%zu/per_hour: expected %g <= low <= high <= %g", where, i,
                            LEAST, MOST);
        json_array_foreach (offers, k, other)
            if (k < i &&
                strcmp(ith_report_member(offer, "name"), ith_report_member(other, "name")) == 0)
                return ith_fail(err, ITH_E_FORMAT, "%s: offers/%zu/name: \"%.80s\" is there twice",
                                where, i, ith_report_member(offer, "name"));
    }
    return ITH_OK;
}

static ith_status read_file(const char *path, json_t **root, ith_error *err)
{
    const char *where = path != NULL ? path : "prices.json";
    json_t *schema = json_loads(ith_text_prices_schema, 0, NULL);
    ith_status status =
        schema == NULL ? ith_fail(err, ITH_E_MEMORY, "no memory for prices")
        : path != NULL ? ith_json_read(path, MAX_BYTES, root, err)
                       : ith_json_parse(ith_text_prices, strlen(ith_text_prices), where, root, err);

    if (status == ITH_OK)
        status = ith_schema_check(schema, *root, where, err);
    if (status == ITH_OK && !ith_report_is_plain(json_object_get(*root, "offers")))
        status = ith_fail(err, ITH_E_FORMAT,
                          "%s: offers: a text has control characters or marks of direction", where);
    if (status == ITH_OK)
        status = check_offers(*root, where, err);
    json_decref(schema);
    return status;
}

static ith_status find_node(ith_prices *prices, const char *node, ith_error *err)
{
    const json_t *offer;
    char *end;
    double amount = ith_strtod(node, &end);
    size_t i;

    if (end != node && *end == '\0' && amount >= LEAST && amount <= MOST) {
        prices->node = (ith_price){.low = amount, .high = amount};
        return ITH_OK;
    }
    json_array_foreach (json_object_get(prices->root, "offers"), i, offer)
        if (strcmp(ith_report_member(offer, "name"), node) == 0 &&
            json_object_get(offer, "node") != NULL) {
            prices->node = price_of(offer);
            prices->node_offer = node;
            return ITH_OK;
        }
    return ith_fail(err, ITH_E_ARGUMENT,
                    "\"%s\" is neither an amount above 0 nor the name of an offer of a node among "
                    "the prices",
                    node);
}

ith_status ith_prices_open(const char *path, const char *node, ith_prices *prices, ith_error *err)
{
    *prices = (ith_prices){0};
    ITH_TRY(read_file(path, &prices->root, err));
    prices->currency = ith_report_member(prices->root, "currency");
    return node != NULL ? find_node(prices, node, err) : ITH_OK;
}

void ith_prices_close(ith_prices *prices)
{
    json_decref(prices->root);
    *prices = (ith_prices){0};
}

/* The least number of GPUs that can be had by an offer. */
static int lot_of(const json_t *offer)
{
    json_int_t gpus = json_integer_value(json_object_get(offer, "gpus"));
    return gpus < 1 ? 1 : gpus < LOT_MAX ? (int)gpus : LOT_MAX;
}

/* False also for a GPU without a name, which no offer is of. */
static bool find_gpu(const ith_prices *prices, const char *name, ith_price *price)
{
    const json_t *offer;
    bool found = false;
    size_t i;

    if (*name == '\0')
        return false;
    json_array_foreach (json_object_get(prices->root, "offers"), i, offer) {
        ith_price one = price_of(offer);
        if (strcmp(ith_report_member(offer, "gpu"), name) != 0)
            continue;
        price->low = found && price->low < one.low ? price->low : one.low;
        price->high = found && price->high > one.high ? price->high : one.high;
        price->least_lot =
            found && price->least_lot < lot_of(offer) ? price->least_lot : lot_of(offer);
        price->greatest_lot =
            found && price->greatest_lot > lot_of(offer) ? price->greatest_lot : lot_of(offer);
        found = true;
    }
    return found;
}

bool ith_prices_find(const ith_prices *prices, const ith_report_series *series, ith_price *price)
{
    int devices = ith_series_devices(series), machines = devices;
    const json_t *gpu = json_array_get(json_object_get(series->machine, "gpus"), 0);

    *price = prices->node;
    if (devices == 0)
        machines = ith_series_nodes(series);
    else if (!find_gpu(prices, ith_report_member(gpu, "name"), price))
        return false;
    price->low *= machines;
    price->high *= machines;
    return price->high > 0;
}

double ith_price_of_tokens(double per_hour, double tokens_per_second)
{
    return per_hour / (tokens_per_second * 3600) * 1e6;
}

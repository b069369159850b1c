/* profile_table.c - prints where the time of passes went. */
#include "cli/profile_table.h"

#include <stdlib.h>
#include <string.h>

json_t *ith_cli_profile(const ith_session *session)
{
    json_t *profile = NULL;
    char *text;

    if (ith_session_profile(session, &text, NULL) == ITH_OK)
        ith_json_parse(text, strlen(text), "profile", &profile, NULL);
    free(text);
    return profile;
}

static double number(const json_t *phase, const char *key)
{
    return json_number_value(json_object_get(phase, key));
}

static void print_phase(const ith_cli *cli, const char *name, const json_t *phase)
{
    const double mib = 1048576;

    if (number(phase, "passes") > 0)
        ith_cli_say(cli, "%-8s %6.0f %8.3f %9.3f %10.3f %9.3f %7.3f %8.3f %9.0f %9.0f %9.0f", name,
                    number(phase, "passes"), number(phase, "seconds"), number(phase, "products_s"),
                    number(phase, "attention_s"), number(phase, "exchange_s"),
                    number(phase, "rest_s"), number(phase, "weights_s"),
                    number(phase, "read_bytes") / mib, number(phase, "unpacked_bytes") / mib,
                    number(phase, "gathered_bytes") / mib);
}

void ith_cli_print_profile(const ith_cli *cli, const json_t *profile)
{
    ith_cli_say(cli, "%-8s %6s %8s %9s %10s %9s %7s %8s %9s %9s %9s", "rank 0", "passes", "seconds",
                "products", "attention", "exchange", "rest", "weights", "MiB read", "unpacked",
                "gathered");
    print_phase(cli, "prefill", json_object_get(profile, "prefill"));
    print_phase(cli, "decode", json_object_get(profile, "decode"));
}

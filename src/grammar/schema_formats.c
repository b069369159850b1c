/* schema_formats.c - dates and times of RFC 3339 without leap seconds; UUIDs of RFC 4122; IPv4 in
 * four decimals; e-mail addresses of dot-atoms and host names of RFC 1123; numbers as OpenAPI's
 * registry of formats has them, at most int64, and as Rust's schemars names them (int, uint). */
#include "grammar/schema_formats.h"

#include <string.h>

/* Years from 0001 on; the 29th of February in leap years. */
#define YEAR            "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
#define LEAP_OF_CENTURY "(?:0[48]|[2468][048]|[13579][26])"
#define LEAP_YEAR       "(?:[0-9]{2}" LEAP_OF_CENTURY "|" LEAP_OF_CENTURY "00)"
#define DATE                                                                                       \
    "(?:" YEAR "-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|"                                \
    "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|" LEAP_YEAR "-02-29)"
#define CLOCK "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
#define TIME  CLOCK ":[0-5][0-9](?:\\.[0-9]{1,6})?(?:Z|[+-]" CLOCK ")"
#define LABEL "[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?"
#define NAME  LABEL "(?:\\." LABEL "){0,3}"
#define ATOM  "[A-Za-z0-9_+-]{1,20}"

const char *ith_schema_format(const char *name)
{
    static const struct {
        const char *name, *pattern;
    } formats[] = {
        {"date", "^" DATE "$"},
        {"time", "^" TIME "$"},
        {"date-time", "^" DATE "T" TIME "$"},
        {"uuid", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},
        {"ipv4", "^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\\.){3}"
                 "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])$"},
        {"email", "^" ATOM "(?:\\." ATOM "){0,2}@" LABEL "(?:\\." LABEL "){1,2}$"},
        {"hostname", "^" NAME "$"},
    };

    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, name) == 0)
            return formats[i].pattern;
    return NULL;
}

bool ith_schema_number_format(const char *name, ith_format_range *range)
{
    static const struct {
        const char *name;
        ith_format_range range;
    } formats[] = {
        {"int8", {true, INT8_MIN, INT8_MAX}},
        {"uint8", {true, 0, UINT8_MAX}},
        {"int16", {true, INT16_MIN, INT16_MAX}},
        {"uint16", {true, 0, UINT16_MAX}},
        {"int32", {true, INT32_MIN, INT32_MAX}},
        {"uint32", {true, 0, UINT32_MAX}},
        {"int64", {true, INT64_MIN, INT64_MAX}},
        {"uint64", {true, 0, INT64_MAX}},
        {"int", {true, INT64_MIN, INT64_MAX}},
        {"uint", {true, 0, INT64_MAX}},
        {"float", {false, 0, 0}},
        {"double", {false, 0, 0}},
    };

    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, name) == 0) {
            *range = formats[i].range;
            return true;
        }
    return false;
}

#include "daemon/cli/format.h"
#include "core/base/json.h"
#include "daemon/cli/field.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void format_duration(int64_t ms, char out[FORMAT_SIZE])
{
    int64_t s = (ms + 500) / 1000, min = s / 60, h = min / 60;
    if (ms < 0) {
        out[0] = '\0';
    } else if (ms < 1000) {
        snprintf(out, FORMAT_SIZE, "%d ms", (int)ms);
    } else if (ms < 9950) {
        snprintf(out, FORMAT_SIZE, "%.1f s", (double)ms / 1000.0);
    } else if (s < 60) {
        snprintf(out, FORMAT_SIZE, "%" PRId64 " s", s);
    } else if (min < 60) {
        snprintf(out, FORMAT_SIZE, "%" PRId64 " min %02" PRId64 " s", min,
                 s % 60);
    } else if (h < 48) {
        snprintf(out, FORMAT_SIZE, "%" PRId64 " h %02" PRId64 " min", h,
                 min % 60);
    } else {
        snprintf(out, FORMAT_SIZE, "%" PRId64 " d %02" PRId64 " h", h / 24,
                 h % 24);
    }
}

void format_time(int64_t ms, char out[FORMAT_SIZE])
{
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    if (ms <= 0 || localtime_r(&s, &tm) == NULL ||
        strftime(out, FORMAT_SIZE, "%Y-%m-%d %H:%M:%S", &tm) == 0) {
        out[0] = '\0';
    }
}

void format_bytes(uint64_t n, char out[FORMAT_SIZE])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double v = (double)n;
    size_t unit = 0;
    while (v >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        v /= 1000.0;
        unit++;
    }
    snprintf(out, FORMAT_SIZE, unit > 0 && v < 9.95 ? "%.1f %s" : "%.0f %s", v,
             units[unit]);
}

void format_number(double v, char out[FORMAT_SIZE])
{
    if (isnan(v)) {
        snprintf(out, FORMAT_SIZE, "-");
    } else {
        snprintf(out, FORMAT_SIZE, "%.4g", v);
    }
}

void format_metric(double v, char out[FORMAT_SIZE])
{
    double size = fabs(v);
    if (size >= 1e-3 && size < 1e4) {
        snprintf(out, FORMAT_SIZE, "%.4f", v);
    } else {
        format_number(v, out);
    }
}

static void format_digits(const struct json *value, int digits, char *out,
                          size_t size)
{
    char text[32];
    int64_t whole;
    if (digits > 0 && !json_integer(value, &whole)) {
        snprintf(out, size, "%.*g", digits, json_number(value));
        return;
    }
    json_repr(json_number(value), text);
    size_t n = strlen(text);
    if (n > 2 && strcmp(text + n - 2, ".0") == 0) {
        text[n - 2] = '\0';
    }
    snprintf(out, size, "%s", text);
}

void format_value(const struct json *value, int digits, char *out, size_t size)
{
    switch (value != NULL ? json_kind(value) : JSON_ARRAY) {
    case JSON_NUMBER:
        format_digits(value, digits, out, size);
        return;
    case JSON_STRING:
        snprintf(out, size, "%s", json_string(value));
        return;
    case JSON_BOOL:
        snprintf(out, size, "%s", json_bool(value) ? "true" : "false");
        return;
    case JSON_NULL:
        snprintf(out, size, "null");
        return;
    default:
        out[0] = '\0';
    }
}

static void amount(int64_t n, const char *unit, char out[FORMAT_SIZE])
{
    if (strcmp(unit, "bytes") == 0) {
        format_bytes((uint64_t)n, out);
    } else {
        snprintf(out, FORMAT_SIZE, "%" PRId64 " %s", n, unit);
    }
}

double format_preparation(const struct json *preparing, char *out, size_t size)
{
    const char *unit = field_text(preparing, "unit");
    int64_t n = field_int(preparing, "done", 0);
    int64_t total = field_int(preparing, "total", 0);
    char done[FORMAT_SIZE], all[FORMAT_SIZE];
    out[0] = '\0';
    if (field_string(preparing, "phase") == NULL) {
        return NAN;
    }
    amount(n, unit, done);
    amount(total, unit, all);
    bool is_counted = unit[0] != '\0';
    snprintf(out, size, "%s%s%s%s%s", field_text(preparing, "phase"),
             is_counted ? ", " : "", is_counted ? done : "",
             is_counted && total > 0 ? " of " : "",
             is_counted && total > 0 ? all : "");
    return total > 0 ? (double)n / (double)total : (double)NAN;
}

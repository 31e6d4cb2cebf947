/* format: numbers, times and values as people read them. */
#ifndef DAEMON_CLI_FORMAT_H
#define DAEMON_CLI_FORMAT_H
#include <stddef.h>
#include <stdint.h>
struct json;

enum { FORMAT_SIZE = 64 };

/* "80 ms", "1.8 s", "42 s", "3 min 05 s", "2 h 13 min", "4 d 03 h"; "" when
 * negative. */
void format_duration(int64_t ms, char out[FORMAT_SIZE]);
/* UTC milliseconds as local "2026-01-31 12:00:00"; "" for 0. */
void format_time(int64_t ms, char out[FORMAT_SIZE]);
/* "1.4 MB": powers of 1000. */
void format_bytes(uint64_t n, char out[FORMAT_SIZE]);
/* Four significant digits, "-" for NaN. */
void format_number(double v, char out[FORMAT_SIZE]);
/* For columns of values: four decimals where they say enough, so that points
 * stand below each other; else as format_number. */
void format_metric(double v, char out[FORMAT_SIZE]);
/* A parameter's value; NULL is "". Numbers with `digits` significant digits,
 * 0: all of them. */
void format_value(const struct json *value, int digits, char *out, size_t size);

/* A study's "preparing" (views.h) as "download, 1.2 MB of 4.0 MB"; "" for none.
 * Returns how much of it is done, NaN when nobody knows. */
double format_preparation(const struct json *preparing, char *out, size_t size);

#endif

/* bench_place: where a bench tool finds the programs and keeps its files, from
 * whatever folder it is started. */
#ifndef TESTS_LIB_BENCH_PLACE_H
#define TESTS_LIB_BENCH_PLACE_H

/* $PARZEN_BIN/NAME, else ../bin/NAME beside the tool's own folder. Owned. */
char *bench_program(const char *name);
/* A new folder in $TMPDIR, else beside the tool. Owned; NULL: errno says why.
 */
char *bench_folder(const char *name);

#endif

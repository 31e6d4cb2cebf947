/* build: which build this is. */
#ifndef CORE_BASE_BUILD_H
#define CORE_BASE_BUILD_H

/* "VERSION+DIGEST": of the sources, compiler and flags that decide which bits a
 * training and its worker make (the Makefile says which). Two programs with the
 * same one speak alike and compute the same, on the same machine. */
extern const char BUILD_ID[];

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a dump, and what makes it comparable.
 */
#ifndef FILCH_TESTS_DUMP_CHECK_H
#define FILCH_TESTS_DUMP_CHECK_H

#include "tests/support.h"

#include <stdlib.h>

/* What filch_dump writes; to be freed. */
static inline char *dump_text(int *rc)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    REQUIRE(stream);
    *rc = filch_dump(stream);
    REQUIRE(fclose(stream) == 0 && text);
    return text;
}

/* Replaces addresses by @, times by T and workers by N. */
static inline void mask(char *text)
{
    char *to = text;
    for (char *from = text; *from;) {
        if (strncmp(from, "0x", 2) == 0) {
            from += 2 + strspn(from + 2, "0123456789abcdef");
            *to++ = '@';
        } else if (strncmp(from, "worker ", 7) == 0 && from[7] >= '0' && from[7] <= '9') {
            memmove(to, from, 7);
            to += 7;
            from += 7 + strspn(from + 7, "0123456789");
            *to++ = 'N';
        } else if (*from >= '0' && *from <= '9') {
            size_t n = strspn(from, "0123456789.");
            const char *unit = from + n;
            bool time = strncmp(unit, " ns", 3) == 0 || strncmp(unit, " us", 3) == 0 ||
                        strncmp(unit, " ms", 3) == 0 ||
                        (strncmp(unit, " s", 2) == 0 && !(unit[2] >= 'a' && unit[2] <= 'z'));
            memmove(to, from, n);
            to = time ? to : to + n;
            from += time ? n + (unit[2] == 's' ? 3 : 2) : n;
            if (time)
                *to++ = 'T';
        } else {
            *to++ = *from++;
        }
    }
    *to = 0;
}

#endif

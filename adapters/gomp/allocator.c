/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocators. All memory is malloc's; an allocator knows an alignment, and what to do when there is
 * none. One with a pool of bounded size, or memory that must be pinned, cannot be had.
 */
#include "adapters/gomp/gomp.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT = 1, PREDEFINED_LAST = 8 };
enum { TRAIT_ALIGNMENT = 2, TRAIT_POOL = 4, TRAIT_FALLBACK = 5, TRAIT_PINNED = 7 };
enum { VALUE_FALSE = 0, VALUE_ABORT = 13 };

struct allocator {
    size_t align;
    bool dies;
};

static uintptr_t of_process = DEFAULT;

static struct allocator traits_of(uintptr_t allocator)
{
    if (!allocator)
        allocator = filch__load_relaxed(&of_process);
    if (allocator <= PREDEFINED_LAST)
        return (struct allocator){.align = sizeof(void *)};
    return *(const struct allocator *)allocator;
}

uintptr_t omp_init_allocator(uintptr_t space, int count, const struct filch__omp_trait *traits)
{
    struct allocator made = {.align = sizeof(void *)};
    (void)space;
    for (int i = 0; i < count; i++) {
        uintptr_t value = traits[i].value;
        if (traits[i].key == TRAIT_POOL)
            return 0;
        if (traits[i].key == TRAIT_PINNED && value != VALUE_FALSE && value != UINTPTR_MAX)
            return 0;
        if (traits[i].key == TRAIT_FALLBACK)
            made.dies = value == VALUE_ABORT;
        if (traits[i].key == TRAIT_ALIGNMENT && value != UINTPTR_MAX) {
            if (!value || value & (value - 1))
                return 0;
            if (value > made.align)
                made.align = value;
        }
    }
    struct allocator *allocator = malloc(sizeof *allocator);
    if (allocator)
        *allocator = made;
    return (uintptr_t)allocator;
}

void omp_destroy_allocator(uintptr_t allocator)
{
    if (allocator > PREDEFINED_LAST)
        free((void *)allocator);
}

void omp_set_default_allocator(uintptr_t allocator)
{
    filch__store_relaxed(&of_process, allocator ? allocator : DEFAULT);
}

uintptr_t omp_get_default_allocator(void)
{
    return filch__load_relaxed(&of_process);
}

void *omp_aligned_alloc(size_t align, size_t size, uintptr_t allocator)
{
    struct allocator traits = traits_of(allocator);
    void *p = NULL;
    if (align < traits.align)
        align = traits.align;
    if (align & (align - 1) || !size)
        return NULL;
    if (posix_memalign(&p, align, size) && traits.dies)
        filch__omp_die("omp_alloc", "no memory, and the allocator says to end then");
    return p;
}

void *omp_alloc(size_t size, uintptr_t allocator)
{
    return omp_aligned_alloc(1, size, allocator);
}

void *omp_aligned_calloc(size_t align, size_t count, size_t size, uintptr_t allocator)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *p = omp_aligned_alloc(align, bytes, allocator);
    return p ? memset(p, 0, bytes) : NULL;
}

void *omp_calloc(size_t count, size_t size, uintptr_t allocator)
{
    return omp_aligned_calloc(1, count, size, allocator);
}

/* What realloc gives moves once more where an alignment is more than malloc's. */
void *omp_realloc(void *p, size_t size, uintptr_t allocator, uintptr_t old)
{
    (void)old;
    if (!p)
        return omp_alloc(size, allocator);
    if (!size) {
        free(p);
        return NULL;
    }
    size_t align = traits_of(allocator).align;
    p = realloc(p, size);
    if (!p || ((uintptr_t)p & (align - 1)) == 0)
        return p;
    void *aligned = omp_alloc(size, allocator);
    if (aligned)
        memcpy(aligned, p, size);
    free(p);
    return aligned;
}

void omp_free(void *p, uintptr_t allocator)
{
    (void)allocator;
    free(p);
}

void *GOMP_alloc(size_t align, size_t size, uintptr_t allocator)
{
    void *p = omp_aligned_alloc(align, size ? size : 1, allocator);
    if (!p)
        filch__omp_die("GOMP_alloc", "no memory");
    return p;
}

void GOMP_free(void *p, uintptr_t allocator)
{
    omp_free(p, allocator);
}

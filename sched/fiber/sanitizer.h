/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What AddressSanitizer, ThreadSanitizer and valgrind must be told of stacks and of switches.
 *
 * A tool that is not there has no-op twins here. The fields are always there, so that a context has
 * one layout whatever the flags are.
 */
#ifndef FILCH_SCHED_FIBER_SANITIZER_H
#define FILCH_SCHED_FIBER_SANITIZER_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define FILCH__ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define FILCH__TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FILCH__ASAN 1
#elif __has_feature(thread_sanitizer)
#define FILCH__TSAN 1
#endif
#endif

/*
 * On every function between filch__sanitizer_leave and the switch itself: an instrumented one would
 * enter on one fiber's shadow stack and return on the other's.
 */
#if defined(FILCH__TSAN) && defined(__clang__)
#define FILCH__UNINSTRUMENTED __attribute__((disable_sanitizer_instrumentation))
#elif defined(FILCH__TSAN)
#define FILCH__UNINSTRUMENTED __attribute__((no_sanitize("thread")))
#else
#define FILCH__UNINSTRUMENTED
#endif

/* Written by whoever runs on the context or resumes it, which the scheduler orders. */
struct filch__sanitizer {
    void *fake_stack;                  /* ASan: frames that outlive their functions */
    const void *bottom;                /* ASan: of the stack; learnt late for an adopted one */
    size_t size;                       /* ASan */
    struct filch__sanitizer *previous; /* ASan: the context from which this one was resumed */
    void *fiber;                       /* TSan */
    bool adopted;                      /* TSan: the fiber is the thread itself */
};

#ifdef FILCH__ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

static inline void filch__sanitizer_init(struct filch__sanitizer *c, void *bottom, size_t size)
{
    *c = (struct filch__sanitizer){.bottom = bottom, .size = size};
}

static inline void filch__sanitizer_adopt(struct filch__sanitizer *c)
{
    *c = (struct filch__sanitizer){0};
}

static inline void filch__sanitizer_release(struct filch__sanitizer *c)
{
    (void)c;
}

/* final: `from` never runs again. */
static inline void filch__sanitizer_leave(struct filch__sanitizer *from,
                                          struct filch__sanitizer *to, bool final)
{
    to->previous = from;
    __sanitizer_start_switch_fiber(final ? NULL : &from->fake_stack, to->bottom, to->size);
}

static inline void filch__sanitizer_arrive(struct filch__sanitizer *self)
{
    struct filch__sanitizer *previous = self->previous;

    __sanitizer_finish_switch_fiber(self->fake_stack, &previous->bottom, &previous->size);
}

/* Frames that never returned have left red zones behind. */
static inline void filch__sanitizer_forget(void *memory, size_t size)
{
    __asan_unpoison_memory_region(memory, size);
}

#else

static inline void filch__sanitizer_forget(void *memory, size_t size)
{
    (void)memory;
    (void)size;
}

FILCH__UNINSTRUMENTED static inline void filch__sanitizer_arrive(struct filch__sanitizer *self)
{
    (void)self;
}

#ifdef FILCH__TSAN
#include <sanitizer/tsan_interface.h>

static inline void filch__sanitizer_init(struct filch__sanitizer *c, void *bottom, size_t size)
{
    (void)bottom;
    (void)size;
    *c = (struct filch__sanitizer){.fiber = __tsan_create_fiber(0)};
}

static inline void filch__sanitizer_adopt(struct filch__sanitizer *c)
{
    *c = (struct filch__sanitizer){.fiber = __tsan_get_current_fiber(), .adopted = true};
}

static inline void filch__sanitizer_release(struct filch__sanitizer *c)
{
    if (!c->adopted)
        __tsan_destroy_fiber(c->fiber);
}

/* Flags 0: what `from` did happens before what `to` does next, for they run on one thread. */
FILCH__UNINSTRUMENTED static inline void
filch__sanitizer_leave(struct filch__sanitizer *from, struct filch__sanitizer *to, bool final)
{
    (void)from;
    (void) final;
    __tsan_switch_to_fiber(to->fiber, 0);
}

#else

static inline void filch__sanitizer_init(struct filch__sanitizer *c, void *bottom, size_t size)
{
    (void)c;
    (void)bottom;
    (void)size;
}

static inline void filch__sanitizer_adopt(struct filch__sanitizer *c)
{
    (void)c;
}

static inline void filch__sanitizer_release(struct filch__sanitizer *c)
{
    (void)c;
}

static inline void filch__sanitizer_leave(struct filch__sanitizer *from,
                                          struct filch__sanitizer *to, bool final)
{
    (void)from;
    (void)to;
    (void) final;
}

#endif
#endif

/* Valgrind takes an unknown jump of the stack pointer for one huge frame. */
#if __has_include(<valgrind/valgrind.h>) && !defined(NVALGRIND)
#include <valgrind/valgrind.h>

static inline unsigned filch__valgrind_register(void *base, size_t size)
{
    return VALGRIND_STACK_REGISTER(base, (char *)base + size);
}

static inline void filch__valgrind_deregister(unsigned id)
{
    VALGRIND_STACK_DEREGISTER(id);
}

#else

static inline unsigned filch__valgrind_register(void *base, size_t size)
{
    (void)base;
    (void)size;
    return 0;
}

static inline void filch__valgrind_deregister(unsigned id)
{
    (void)id;
}

#endif

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libgomp.so.1 exports: the functions that GCC calls in code compiled with -fopenmp, and those of
 * its <omp.h>, by the types that they have in the binary interface.
 */
#ifndef FILCH_GOMP_ABI_H
#define FILCH_GOMP_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)

/* ---- regions ---- */

void GOMP_parallel(void (*fn)(void *), void *data, unsigned threads, unsigned flags);
unsigned GOMP_parallel_reductions(void (*fn)(void *), void *data, unsigned threads, unsigned flags);
void GOMP_teams_reg(void (*fn)(void *), void *data, unsigned teams, unsigned threads,
                    unsigned flags);
void GOMP_barrier(void);
bool GOMP_barrier_cancel(void);
bool GOMP_cancel(int which, bool condition);
bool GOMP_cancellation_point(int which);

/* ---- sections, single, scope ---- */

unsigned GOMP_sections_start(unsigned count);
unsigned GOMP_sections2_start(unsigned count, uintptr_t *reductions, void **mem);
unsigned GOMP_sections_next(void);
void GOMP_sections_end(void);
void GOMP_sections_end_nowait(void);
bool GOMP_sections_end_cancel(void);
void GOMP_parallel_sections(void (*fn)(void *), void *data, unsigned threads, unsigned count,
                            unsigned flags);
bool GOMP_single_start(void);
void *GOMP_single_copy_start(void);
void GOMP_single_copy_end(void *data);
void GOMP_scope_start(uintptr_t *reductions);

/* ---- mutual exclusion ---- */

void GOMP_critical_start(void);
void GOMP_critical_end(void);
void GOMP_critical_name_start(void **name);
void GOMP_critical_name_end(void **name);
void GOMP_atomic_start(void);
void GOMP_atomic_end(void);
void GOMP_ordered_start(void);
void GOMP_ordered_end(void);

/* ---- tasks ---- */

#define FILCH__OMP_TASK_FINAL     0x2u
#define FILCH__OMP_TASK_DEPEND    0x8u
#define FILCH__OMP_TASK_UP        0x100u
#define FILCH__OMP_TASK_GRAINSIZE 0x200u
#define FILCH__OMP_TASK_IF        0x400u
#define FILCH__OMP_TASK_NOGROUP   0x800u
#define FILCH__OMP_TASK_REDUCTION 0x1000u
#define FILCH__OMP_TASK_DETACH    0x2000u
#define FILCH__OMP_TASK_STRICT    0x4000u

/* In a dependence object. */
#define FILCH__OMP_DEPEND_IN 1

void GOMP_task(void (*fn)(void *), void *data, void (*copy)(void *, void *), long size, long align,
               bool condition, unsigned flags, void **depend, int priority, void *event);
void GOMP_taskloop(void (*fn)(void *), void *data, void (*copy)(void *, void *), long size,
                   long align, unsigned flags, unsigned long clause, int priority, long first,
                   long last, long step);
void GOMP_taskloop_ull(void (*fn)(void *), void *data, void (*copy)(void *, void *), long size,
                       long align, unsigned flags, unsigned long clause, int priority,
                       unsigned long long first, unsigned long long last, unsigned long long step);
void GOMP_taskwait(void);
void GOMP_taskwait_depend(void **depend);
void GOMP_taskyield(void);
void GOMP_taskgroup_start(void);
void GOMP_taskgroup_end(void);
void GOMP_taskgroup_reduction_register(uintptr_t *arrays);
void GOMP_taskgroup_reduction_unregister(uintptr_t *arrays);
void GOMP_task_reduction_remap(size_t count, size_t originals, void **address);
void GOMP_workshare_task_reduction_unregister(bool cancelled);

/* ---- memory ---- */

void *GOMP_alloc(size_t align, size_t size, uintptr_t allocator);
void GOMP_free(void *p, uintptr_t allocator);

/* ---- `omp error` ---- */

void GOMP_warning(const char *message, size_t length);
_Noreturn void GOMP_error(const char *message, size_t length);

/* ---- loops ---- */

void GOMP_loop_end(void);
void GOMP_loop_end_nowait(void);
bool GOMP_loop_end_cancel(void);

bool GOMP_loop_static_start(long begin, long end, long step, long chunk, long *first, long *last);
bool GOMP_loop_dynamic_start(long begin, long end, long step, long chunk, long *first, long *last);
bool GOMP_loop_guided_start(long begin, long end, long step, long chunk, long *first, long *last);
bool GOMP_loop_nonmonotonic_dynamic_start(long begin, long end, long step, long chunk, long *first,
                                          long *last);
bool GOMP_loop_nonmonotonic_guided_start(long begin, long end, long step, long chunk, long *first,
                                         long *last);
bool GOMP_loop_ordered_static_start(long begin, long end, long step, long chunk, long *first,
                                    long *last);
bool GOMP_loop_ordered_dynamic_start(long begin, long end, long step, long chunk, long *first,
                                     long *last);
bool GOMP_loop_ordered_guided_start(long begin, long end, long step, long chunk, long *first,
                                    long *last);
bool GOMP_loop_runtime_start(long begin, long end, long step, long *first, long *last);
bool GOMP_loop_nonmonotonic_runtime_start(long begin, long end, long step, long *first, long *last);
bool GOMP_loop_maybe_nonmonotonic_runtime_start(long begin, long end, long step, long *first,
                                                long *last);
bool GOMP_loop_ordered_runtime_start(long begin, long end, long step, long *first, long *last);
bool GOMP_loop_start(long begin, long end, long step, long schedule, long chunk, long *first,
                     long *last, uintptr_t *reductions, void **mem);
bool GOMP_loop_ordered_start(long begin, long end, long step, long schedule, long chunk,
                             long *first, long *last, uintptr_t *reductions, void **mem);
bool GOMP_loop_static_next(long *first, long *last);
bool GOMP_loop_dynamic_next(long *first, long *last);
bool GOMP_loop_guided_next(long *first, long *last);
bool GOMP_loop_runtime_next(long *first, long *last);
bool GOMP_loop_ordered_static_next(long *first, long *last);
bool GOMP_loop_ordered_dynamic_next(long *first, long *last);
bool GOMP_loop_ordered_guided_next(long *first, long *last);
bool GOMP_loop_ordered_runtime_next(long *first, long *last);
bool GOMP_loop_nonmonotonic_dynamic_next(long *first, long *last);
bool GOMP_loop_nonmonotonic_guided_next(long *first, long *last);
bool GOMP_loop_nonmonotonic_runtime_next(long *first, long *last);
bool GOMP_loop_maybe_nonmonotonic_runtime_next(long *first, long *last);
bool GOMP_loop_doacross_static_start(unsigned counts, long *extent, long chunk, long *first,
                                     long *last);
bool GOMP_loop_doacross_dynamic_start(unsigned counts, long *extent, long chunk, long *first,
                                      long *last);
bool GOMP_loop_doacross_guided_start(unsigned counts, long *extent, long chunk, long *first,
                                     long *last);
bool GOMP_loop_doacross_runtime_start(unsigned counts, long *extent, long *first, long *last);
bool GOMP_loop_doacross_start(unsigned counts, long *extent, long schedule, long chunk, long *first,
                              long *last, uintptr_t *reductions, void **mem);
void GOMP_doacross_post(long *counts);
void GOMP_doacross_wait(long first, ...);

bool GOMP_loop_ull_static_start(bool up, unsigned long long begin, unsigned long long end,
                                unsigned long long step, unsigned long long chunk,
                                unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_dynamic_start(bool up, unsigned long long begin, unsigned long long end,
                                 unsigned long long step, unsigned long long chunk,
                                 unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_guided_start(bool up, unsigned long long begin, unsigned long long end,
                                unsigned long long step, unsigned long long chunk,
                                unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_nonmonotonic_dynamic_start(bool up, unsigned long long begin,
                                              unsigned long long end, unsigned long long step,
                                              unsigned long long chunk, unsigned long long *first,
                                              unsigned long long *last);
bool GOMP_loop_ull_nonmonotonic_guided_start(bool up, unsigned long long begin,
                                             unsigned long long end, unsigned long long step,
                                             unsigned long long chunk, unsigned long long *first,
                                             unsigned long long *last);
bool GOMP_loop_ull_ordered_static_start(bool up, unsigned long long begin, unsigned long long end,
                                        unsigned long long step, unsigned long long chunk,
                                        unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_ordered_dynamic_start(bool up, unsigned long long begin, unsigned long long end,
                                         unsigned long long step, unsigned long long chunk,
                                         unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_ordered_guided_start(bool up, unsigned long long begin, unsigned long long end,
                                        unsigned long long step, unsigned long long chunk,
                                        unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_runtime_start(bool up, unsigned long long begin, unsigned long long end,
                                 unsigned long long step, unsigned long long *first,
                                 unsigned long long *last);
bool GOMP_loop_ull_nonmonotonic_runtime_start(bool up, unsigned long long begin,
                                              unsigned long long end, unsigned long long step,
                                              unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_maybe_nonmonotonic_runtime_start(bool up, unsigned long long begin,
                                                    unsigned long long end, unsigned long long step,
                                                    unsigned long long *first,
                                                    unsigned long long *last);
bool GOMP_loop_ull_ordered_runtime_start(bool up, unsigned long long begin, unsigned long long end,
                                         unsigned long long step, unsigned long long *first,
                                         unsigned long long *last);
bool GOMP_loop_ull_start(bool up, unsigned long long begin, unsigned long long end,
                         unsigned long long step, long schedule, unsigned long long chunk,
                         unsigned long long *first, unsigned long long *last, uintptr_t *reductions,
                         void **mem);
bool GOMP_loop_ull_ordered_start(bool up, unsigned long long begin, unsigned long long end,
                                 unsigned long long step, long schedule, unsigned long long chunk,
                                 unsigned long long *first, unsigned long long *last,
                                 uintptr_t *reductions, void **mem);
bool GOMP_loop_ull_static_next(unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_dynamic_next(unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_guided_next(unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_runtime_next(unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_ordered_static_next(unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_ordered_dynamic_next(unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_ordered_guided_next(unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_ordered_runtime_next(unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_nonmonotonic_dynamic_next(unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_nonmonotonic_guided_next(unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_nonmonotonic_runtime_next(unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_maybe_nonmonotonic_runtime_next(unsigned long long *first,
                                                   unsigned long long *last);
bool GOMP_loop_ull_doacross_static_start(unsigned counts, unsigned long long *extent,
                                         unsigned long long chunk, unsigned long long *first,
                                         unsigned long long *last);
bool GOMP_loop_ull_doacross_dynamic_start(unsigned counts, unsigned long long *extent,
                                          unsigned long long chunk, unsigned long long *first,
                                          unsigned long long *last);
bool GOMP_loop_ull_doacross_guided_start(unsigned counts, unsigned long long *extent,
                                         unsigned long long chunk, unsigned long long *first,
                                         unsigned long long *last);
bool GOMP_loop_ull_doacross_runtime_start(unsigned counts, unsigned long long *extent,
                                          unsigned long long *first, unsigned long long *last);
bool GOMP_loop_ull_doacross_start(unsigned counts, unsigned long long *extent, long schedule,
                                  unsigned long long chunk, unsigned long long *first,
                                  unsigned long long *last, uintptr_t *reductions, void **mem);
void GOMP_doacross_ull_post(unsigned long long *counts);
void GOMP_doacross_ull_wait(unsigned long long first, ...);

void GOMP_parallel_loop_static(void (*fn)(void *), void *data, unsigned threads, long begin,
                               long end, long step, long chunk, unsigned flags);
void GOMP_parallel_loop_dynamic(void (*fn)(void *), void *data, unsigned threads, long begin,
                                long end, long step, long chunk, unsigned flags);
void GOMP_parallel_loop_guided(void (*fn)(void *), void *data, unsigned threads, long begin,
                               long end, long step, long chunk, unsigned flags);
void GOMP_parallel_loop_nonmonotonic_dynamic(void (*fn)(void *), void *data, unsigned threads,
                                             long begin, long end, long step, long chunk,
                                             unsigned flags);
void GOMP_parallel_loop_nonmonotonic_guided(void (*fn)(void *), void *data, unsigned threads,
                                            long begin, long end, long step, long chunk,
                                            unsigned flags);
void GOMP_parallel_loop_runtime(void (*fn)(void *), void *data, unsigned threads, long begin,
                                long end, long step, unsigned flags);
void GOMP_parallel_loop_nonmonotonic_runtime(void (*fn)(void *), void *data, unsigned threads,
                                             long begin, long end, long step, unsigned flags);
void GOMP_parallel_loop_maybe_nonmonotonic_runtime(void (*fn)(void *), void *data, unsigned threads,
                                                   long begin, long end, long step, unsigned flags);

/* ---- <omp.h>: threads and levels ---- */

void omp_set_num_threads(int threads);
int omp_get_num_threads(void);
int omp_get_max_threads(void);
int omp_get_thread_num(void);
int omp_get_num_procs(void);
int omp_in_parallel(void);
void omp_set_dynamic(int dynamic);
int omp_get_dynamic(void);
void omp_set_nested(int nested);
int omp_get_nested(void);
void omp_set_schedule(unsigned kind, int chunk);
void omp_get_schedule(unsigned *kind, int *chunk);
int omp_get_thread_limit(void);
void omp_set_max_active_levels(int levels);
int omp_get_max_active_levels(void);
int omp_get_supported_active_levels(void);
int omp_get_level(void);
int omp_get_active_level(void);
int omp_get_ancestor_thread_num(int level);
int omp_get_team_size(int level);
int omp_in_final(void);
int omp_get_cancellation(void);
int omp_get_max_task_priority(void);
void omp_fulfill_event(uintptr_t event);
void omp_set_num_teams(int teams);
int omp_get_max_teams(void);
void omp_set_teams_thread_limit(int threads);
int omp_get_teams_thread_limit(void);
int omp_get_num_teams(void);
int omp_get_team_num(void);
void omp_display_env(int verbose);
double omp_get_wtime(void);
double omp_get_wtick(void);

/* ---- locks ---- */

struct filch__omp_nest_lock {
    uint32_t lock;
    int count;
    void *owner;
};

void omp_init_lock(uint32_t *lock);
void omp_init_lock_with_hint(uint32_t *lock, int hint);
void omp_destroy_lock(uint32_t *lock);
void omp_set_lock(uint32_t *lock);
void omp_unset_lock(uint32_t *lock);
int omp_test_lock(uint32_t *lock);
void omp_init_nest_lock(struct filch__omp_nest_lock *lock);
void omp_init_nest_lock_with_hint(struct filch__omp_nest_lock *lock, int hint);
void omp_destroy_nest_lock(struct filch__omp_nest_lock *lock);
void omp_set_nest_lock(struct filch__omp_nest_lock *lock);
void omp_unset_nest_lock(struct filch__omp_nest_lock *lock);
int omp_test_nest_lock(struct filch__omp_nest_lock *lock);

/* ---- places and devices: there are none ---- */

int omp_get_proc_bind(void);
int omp_get_num_places(void);
int omp_get_place_num_procs(int place);
void omp_get_place_proc_ids(int place, int *ids);
int omp_get_place_num(void);
int omp_get_partition_num_places(void);
void omp_get_partition_place_nums(int *places);
void omp_set_affinity_format(const char *format);
size_t omp_get_affinity_format(char *buffer, size_t size);
void omp_display_affinity(const char *format);
size_t omp_capture_affinity(char *buffer, size_t size, const char *format);
void omp_set_default_device(int device);
int omp_get_default_device(void);
int omp_get_num_devices(void);
int omp_get_device_num(void);
int omp_is_initial_device(void);
int omp_get_initial_device(void);
int omp_pause_resource(int kind, int device);
int omp_pause_resource_all(int kind);
void *omp_target_alloc(size_t size, int device);
void omp_target_free(void *p, int device);
int omp_target_is_present(const void *p, int device);
int omp_target_memcpy(void *to, const void *from, size_t size, size_t to_offset, size_t from_offset,
                      int to_device, int from_device);

/* ---- allocators ---- */

struct filch__omp_trait {
    int key;
    uintptr_t value;
};

uintptr_t omp_init_allocator(uintptr_t space, int count, const struct filch__omp_trait *traits);
void omp_destroy_allocator(uintptr_t allocator);
void omp_set_default_allocator(uintptr_t allocator);
uintptr_t omp_get_default_allocator(void);
void omp_free(void *p, uintptr_t allocator);
void *omp_alloc(size_t size, uintptr_t allocator);
void *omp_aligned_alloc(size_t align, size_t size, uintptr_t allocator);
void *omp_calloc(size_t count, size_t size, uintptr_t allocator);
void *omp_aligned_calloc(size_t align, size_t count, size_t size, uintptr_t allocator);
void *omp_realloc(void *p, size_t size, uintptr_t allocator, uintptr_t old);

/* ---- that end the process (unsupported.c), whatever their arguments are ---- */

void GOMP_parallel_start(void);
void GOMP_parallel_end(void);
void GOMP_parallel_loop_static_start(void);
void GOMP_parallel_loop_dynamic_start(void);
void GOMP_parallel_loop_guided_start(void);
void GOMP_parallel_loop_runtime_start(void);
void GOMP_parallel_sections_start(void);
void GOMP_target(void);
void GOMP_target_ext(void);
void GOMP_target_data(void);
void GOMP_target_data_ext(void);
void GOMP_target_end_data(void);
void GOMP_target_update(void);
void GOMP_target_update_ext(void);
void GOMP_target_enter_exit_data(void);
void GOMP_teams(void);
void GOMP_teams4(void);
void GOMP_offload_register(void);
void GOMP_offload_register_ver(void);
void GOMP_offload_unregister(void);
void GOMP_offload_unregister_ver(void);
void omp_target_associate_ptr(void);
void omp_target_disassociate_ptr(void);
void omp_target_memcpy_rect(void);

#pragma GCC visibility pop

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of <omp.h> as gfortran calls them: arguments by reference, names with an underscore. */
#include "adapters/gomp/gomp.h"

#include <stdlib.h>

#pragma GCC visibility push(default)
int omp_get_num_threads_(void);
int omp_get_max_threads_(void);
int omp_get_thread_num_(void);
int omp_get_num_procs_(void);
int omp_in_parallel_(void);
int omp_get_dynamic_(void);
int omp_get_nested_(void);
int omp_get_thread_limit_(void);
int omp_get_max_active_levels_(void);
int omp_get_supported_active_levels_(void);
int omp_get_level_(void);
int omp_get_active_level_(void);
int omp_in_final_(void);
int omp_get_cancellation_(void);
int omp_get_max_task_priority_(void);
int omp_get_max_teams_(void);
int omp_get_teams_thread_limit_(void);
int omp_get_num_teams_(void);
int omp_get_team_num_(void);
int omp_get_proc_bind_(void);
int omp_get_num_places_(void);
int omp_get_place_num_(void);
int omp_get_partition_num_places_(void);
int omp_get_default_device_(void);
int omp_get_num_devices_(void);
int omp_get_device_num_(void);
int omp_is_initial_device_(void);
int omp_get_initial_device_(void);
double omp_get_wtime_(void);
double omp_get_wtick_(void);
void omp_set_num_threads_(const int32_t *value);
void omp_set_num_threads_8_(const int64_t *value);
void omp_set_dynamic_(const int32_t *value);
void omp_set_dynamic_8_(const int64_t *value);
void omp_set_nested_(const int32_t *value);
void omp_set_nested_8_(const int64_t *value);
void omp_set_max_active_levels_(const int32_t *value);
void omp_set_max_active_levels_8_(const int64_t *value);
void omp_set_num_teams_(const int32_t *value);
void omp_set_num_teams_8_(const int64_t *value);
void omp_set_teams_thread_limit_(const int32_t *value);
void omp_set_teams_thread_limit_8_(const int64_t *value);
void omp_set_default_device_(const int32_t *value);
void omp_set_default_device_8_(const int64_t *value);
int omp_get_ancestor_thread_num_(const int32_t *value);
int omp_get_ancestor_thread_num_8_(const int64_t *value);
int omp_get_team_size_(const int32_t *value);
int omp_get_team_size_8_(const int64_t *value);
int omp_get_place_num_procs_(const int32_t *value);
int omp_get_place_num_procs_8_(const int64_t *value);
void omp_set_schedule_(const int32_t *kind, const int32_t *chunk);
void omp_set_schedule_8_(const int32_t *kind, const int64_t *chunk);
void omp_get_schedule_(int32_t *kind, int32_t *chunk);
void omp_get_schedule_8_(int32_t *kind, int64_t *chunk);
void omp_display_env_(const int32_t *verbose);
void omp_display_env_8_(const int64_t *verbose);
void omp_fulfill_event_(intptr_t event);
void omp_init_lock_(uint32_t *lock);
void omp_destroy_lock_(uint32_t *lock);
void omp_set_lock_(uint32_t *lock);
void omp_unset_lock_(uint32_t *lock);
int omp_test_lock_(uint32_t *lock);
void omp_init_nest_lock_(struct filch__omp_nest_lock **lock);
void omp_destroy_nest_lock_(struct filch__omp_nest_lock **lock);
void omp_set_nest_lock_(struct filch__omp_nest_lock **lock);
void omp_unset_nest_lock_(struct filch__omp_nest_lock **lock);
int omp_test_nest_lock_(struct filch__omp_nest_lock **lock);
#pragma GCC visibility pop

/* ---- without arguments ---- */

int omp_get_num_threads_(void)
{
    return omp_get_num_threads();
}

int omp_get_max_threads_(void)
{
    return omp_get_max_threads();
}

int omp_get_thread_num_(void)
{
    return omp_get_thread_num();
}

int omp_get_num_procs_(void)
{
    return omp_get_num_procs();
}

int omp_in_parallel_(void)
{
    return omp_in_parallel();
}

int omp_get_dynamic_(void)
{
    return omp_get_dynamic();
}

int omp_get_nested_(void)
{
    return omp_get_nested();
}

int omp_get_thread_limit_(void)
{
    return omp_get_thread_limit();
}

int omp_get_max_active_levels_(void)
{
    return omp_get_max_active_levels();
}

int omp_get_supported_active_levels_(void)
{
    return omp_get_supported_active_levels();
}

int omp_get_level_(void)
{
    return omp_get_level();
}

int omp_get_active_level_(void)
{
    return omp_get_active_level();
}

int omp_in_final_(void)
{
    return omp_in_final();
}

int omp_get_cancellation_(void)
{
    return omp_get_cancellation();
}

int omp_get_max_task_priority_(void)
{
    return omp_get_max_task_priority();
}

int omp_get_max_teams_(void)
{
    return omp_get_max_teams();
}

int omp_get_teams_thread_limit_(void)
{
    return omp_get_teams_thread_limit();
}

int omp_get_num_teams_(void)
{
    return omp_get_num_teams();
}

int omp_get_team_num_(void)
{
    return omp_get_team_num();
}

int omp_get_proc_bind_(void)
{
    return omp_get_proc_bind();
}

int omp_get_num_places_(void)
{
    return omp_get_num_places();
}

int omp_get_place_num_(void)
{
    return omp_get_place_num();
}

int omp_get_partition_num_places_(void)
{
    return omp_get_partition_num_places();
}

int omp_get_default_device_(void)
{
    return omp_get_default_device();
}

int omp_get_num_devices_(void)
{
    return omp_get_num_devices();
}

int omp_get_device_num_(void)
{
    return omp_get_device_num();
}

int omp_is_initial_device_(void)
{
    return omp_is_initial_device();
}

int omp_get_initial_device_(void)
{
    return omp_get_initial_device();
}

double omp_get_wtime_(void)
{
    return omp_get_wtime();
}

double omp_get_wtick_(void)
{
    return omp_get_wtick();
}

/* ---- integers of 4 and 8 bytes ---- */

static int narrow(int64_t value)
{
    return value > INT_MAX ? INT_MAX : value < INT_MIN ? INT_MIN : (int)value;
}

void omp_set_num_threads_(const int32_t *value)
{
    omp_set_num_threads(*value);
}

void omp_set_num_threads_8_(const int64_t *value)
{
    omp_set_num_threads(narrow(*value));
}

void omp_set_dynamic_(const int32_t *value)
{
    omp_set_dynamic(*value);
}

void omp_set_dynamic_8_(const int64_t *value)
{
    omp_set_dynamic(narrow(*value));
}

void omp_set_nested_(const int32_t *value)
{
    omp_set_nested(*value);
}

void omp_set_nested_8_(const int64_t *value)
{
    omp_set_nested(narrow(*value));
}

void omp_set_max_active_levels_(const int32_t *value)
{
    omp_set_max_active_levels(*value);
}

void omp_set_max_active_levels_8_(const int64_t *value)
{
    omp_set_max_active_levels(narrow(*value));
}

void omp_set_num_teams_(const int32_t *value)
{
    omp_set_num_teams(*value);
}

void omp_set_num_teams_8_(const int64_t *value)
{
    omp_set_num_teams(narrow(*value));
}

void omp_set_teams_thread_limit_(const int32_t *value)
{
    omp_set_teams_thread_limit(*value);
}

void omp_set_teams_thread_limit_8_(const int64_t *value)
{
    omp_set_teams_thread_limit(narrow(*value));
}

void omp_set_default_device_(const int32_t *value)
{
    omp_set_default_device(*value);
}

void omp_set_default_device_8_(const int64_t *value)
{
    omp_set_default_device(narrow(*value));
}

int omp_get_ancestor_thread_num_(const int32_t *value)
{
    return omp_get_ancestor_thread_num(*value);
}

int omp_get_ancestor_thread_num_8_(const int64_t *value)
{
    return omp_get_ancestor_thread_num(narrow(*value));
}

int omp_get_team_size_(const int32_t *value)
{
    return omp_get_team_size(*value);
}

int omp_get_team_size_8_(const int64_t *value)
{
    return omp_get_team_size(narrow(*value));
}

int omp_get_place_num_procs_(const int32_t *value)
{
    return omp_get_place_num_procs(*value);
}

int omp_get_place_num_procs_8_(const int64_t *value)
{
    return omp_get_place_num_procs(narrow(*value));
}

void omp_set_schedule_(const int32_t *kind, const int32_t *chunk)
{
    omp_set_schedule((unsigned)*kind, *chunk);
}

void omp_set_schedule_8_(const int32_t *kind, const int64_t *chunk)
{
    omp_set_schedule((unsigned)*kind, narrow(*chunk));
}

void omp_get_schedule_(int32_t *kind, int32_t *chunk)
{
    unsigned found;
    omp_get_schedule(&found, chunk);
    *kind = (int32_t)found;
}

void omp_get_schedule_8_(int32_t *kind, int64_t *chunk)
{
    int32_t narrow_chunk;
    omp_get_schedule_(kind, &narrow_chunk);
    *chunk = narrow_chunk;
}

void omp_display_env_(const int32_t *verbose)
{
    omp_display_env(*verbose);
}

void omp_display_env_8_(const int64_t *verbose)
{
    omp_display_env(*verbose != 0);
}

void omp_fulfill_event_(intptr_t event)
{
    omp_fulfill_event((uintptr_t)event);
}

/* ---- locks: an integer of the program's; a nestable one has room for a pointer only ---- */

void omp_init_lock_(uint32_t *lock)
{
    omp_init_lock(lock);
}

void omp_destroy_lock_(uint32_t *lock)
{
    omp_destroy_lock(lock);
}

void omp_set_lock_(uint32_t *lock)
{
    omp_set_lock(lock);
}

void omp_unset_lock_(uint32_t *lock)
{
    omp_unset_lock(lock);
}

int omp_test_lock_(uint32_t *lock)
{
    return omp_test_lock(lock);
}

void omp_init_nest_lock_(struct filch__omp_nest_lock **lock)
{
    *lock = filch__omp_alloc(16, sizeof **lock);
}

void omp_destroy_nest_lock_(struct filch__omp_nest_lock **lock)
{
    free(*lock);
    *lock = NULL;
}

void omp_set_nest_lock_(struct filch__omp_nest_lock **lock)
{
    omp_set_nest_lock(*lock);
}

void omp_unset_nest_lock_(struct filch__omp_nest_lock **lock)
{
    omp_unset_nest_lock(*lock);
}

int omp_test_nest_lock_(struct filch__omp_nest_lock **lock)
{
    return omp_test_nest_lock(*lock);
}

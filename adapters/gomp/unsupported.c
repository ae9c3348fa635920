/* SPDX-License-Identifier: Apache-2.0 */
/* What the drop-in does not have: the process ends by a line that says what it was. */
#include "adapters/gomp/gomp.h"

#define NO_LEGACY "code of GCC before 4.9 is not supported"
#define NO_TARGET "offloading is not supported"

void GOMP_parallel_start(void)
{
    filch__omp_die("GOMP_parallel_start", NO_LEGACY);
}

void GOMP_parallel_end(void)
{
    filch__omp_die("GOMP_parallel_end", NO_LEGACY);
}

void GOMP_parallel_loop_static_start(void)
{
    filch__omp_die("GOMP_parallel_loop_static_start", NO_LEGACY);
}

void GOMP_parallel_loop_dynamic_start(void)
{
    filch__omp_die("GOMP_parallel_loop_dynamic_start", NO_LEGACY);
}

void GOMP_parallel_loop_guided_start(void)
{
    filch__omp_die("GOMP_parallel_loop_guided_start", NO_LEGACY);
}

void GOMP_parallel_loop_runtime_start(void)
{
    filch__omp_die("GOMP_parallel_loop_runtime_start", NO_LEGACY);
}

void GOMP_parallel_sections_start(void)
{
    filch__omp_die("GOMP_parallel_sections_start", NO_LEGACY);
}

void GOMP_target(void)
{
    filch__omp_die("GOMP_target", NO_TARGET);
}

void GOMP_target_ext(void)
{
    filch__omp_die("GOMP_target_ext", NO_TARGET);
}

void GOMP_target_data(void)
{
    filch__omp_die("GOMP_target_data", NO_TARGET);
}

void GOMP_target_data_ext(void)
{
    filch__omp_die("GOMP_target_data_ext", NO_TARGET);
}

void GOMP_target_end_data(void)
{
    filch__omp_die("GOMP_target_end_data", NO_TARGET);
}

void GOMP_target_update(void)
{
    filch__omp_die("GOMP_target_update", NO_TARGET);
}

void GOMP_target_update_ext(void)
{
    filch__omp_die("GOMP_target_update_ext", NO_TARGET);
}

void GOMP_target_enter_exit_data(void)
{
    filch__omp_die("GOMP_target_enter_exit_data", NO_TARGET);
}

void GOMP_teams(void)
{
    filch__omp_die("GOMP_teams", NO_TARGET);
}

void GOMP_teams4(void)
{
    filch__omp_die("GOMP_teams4", NO_TARGET);
}

void GOMP_offload_register(void)
{
    filch__omp_die("GOMP_offload_register", NO_TARGET);
}

void GOMP_offload_register_ver(void)
{
    filch__omp_die("GOMP_offload_register_ver", NO_TARGET);
}

void GOMP_offload_unregister(void)
{
    filch__omp_die("GOMP_offload_unregister", NO_TARGET);
}

void GOMP_offload_unregister_ver(void)
{
    filch__omp_die("GOMP_offload_unregister_ver", NO_TARGET);
}

void omp_target_associate_ptr(void)
{
    filch__omp_die("omp_target_associate_ptr", NO_TARGET);
}

void omp_target_disassociate_ptr(void)
{
    filch__omp_die("omp_target_disassociate_ptr", NO_TARGET);
}

void omp_target_memcpy_rect(void)
{
    filch__omp_die("omp_target_memcpy_rect", NO_TARGET);
}

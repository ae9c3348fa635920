/* SPDX-License-Identifier: Apache-2.0 */
/* Places and devices. There is the host, whose number is 0, and no place. */
#include "adapters/gomp/gomp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- places ---- */

int omp_get_proc_bind(void)
{
    return 0;
}

int omp_get_num_places(void)
{
    return 0;
}

int omp_get_place_num_procs(int place)
{
    (void)place;
    return 0;
}

void omp_get_place_proc_ids(int place, int *ids)
{
    (void)place, (void)ids;
}

int omp_get_place_num(void)
{
    return -1;
}

int omp_get_partition_num_places(void)
{
    return 0;
}

void omp_get_partition_place_nums(int *places)
{
    (void)places;
}

void omp_set_affinity_format(const char *format)
{
    (void)format;
}

/* An empty text, in as much room as there is: its length without the zero. */
size_t omp_capture_affinity(char *buffer, size_t size, const char *format)
{
    (void)format;
    if (size)
        *buffer = '\0';
    return 0;
}

size_t omp_get_affinity_format(char *buffer, size_t size)
{
    return omp_capture_affinity(buffer, size, NULL);
}

void omp_display_affinity(const char *format)
{
    (void)format;
}

/* ---- devices ---- */

void omp_set_default_device(int device)
{
    (void)device;
}

int omp_get_default_device(void)
{
    return 0;
}

int omp_get_num_devices(void)
{
    return 0;
}

int omp_get_device_num(void)
{
    return 0;
}

int omp_is_initial_device(void)
{
    return 1;
}

int omp_get_initial_device(void)
{
    return 0;
}

int omp_pause_resource(int kind, int device)
{
    (void)kind;
    return device == 0 ? 0 : EINVAL;
}

int omp_pause_resource_all(int kind)
{
    (void)kind;
    return 0;
}

void *omp_target_alloc(size_t size, int device)
{
    return device == 0 ? malloc(size) : NULL;
}

void omp_target_free(void *p, int device)
{
    if (device == 0)
        free(p);
}

int omp_target_is_present(const void *p, int device)
{
    (void)p;
    return device == 0;
}

int omp_target_memcpy(void *to, const void *from, size_t size, size_t to_offset, size_t from_offset,
                      int to_device, int from_device)
{
    if (to_device != 0 || from_device != 0)
        return EINVAL;
    memcpy((char *)to + to_offset, (const char *)from + from_offset, size);
    return 0;
}

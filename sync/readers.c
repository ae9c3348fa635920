/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/readers.h"

_Alignas(64) uintptr_t filch__reader_slots[FILCH__READER_SLOTS];

uint32_t filch__readers_take(const void *lock)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < FILCH__READER_SLOTS; i++) {
        uintptr_t expected = (uintptr_t)lock;
        if (filch__unlikely(filch__load_seq_cst(&filch__reader_slots[i]) == expected))
            count += filch__cas_seq_cst(&filch__reader_slots[i], &expected, 0);
    }
    return count;
}

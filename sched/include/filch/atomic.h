/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Atomic operations with the memory order in the name.
 *
 * Every atomic access of filch goes through these macros, so that a reader sees the order at the
 * place of use and a build can replace them all. They work on plain integer and pointer objects
 * (GCC's __atomic builtins), because public inline code must compile as C11 and as C++17, and
 * <stdatomic.h> is not part of the latter. Semantics are those of C11.
 */
#ifndef FILCH_ATOMIC_H
#define FILCH_ATOMIC_H

#define filch__load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define filch__load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define filch__load_seq_cst(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)

#define filch__store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define filch__store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define filch__store_seq_cst(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)

#define filch__exchange_acquire(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define filch__exchange_acq_rel(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
#define filch__exchange_seq_cst(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)

#define filch__add_relaxed(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define filch__add_acq_rel(p, v) __atomic_fetch_add((p), (v), __ATOMIC_ACQ_REL)
#define filch__add_seq_cst(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define filch__sub_acq_rel(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_ACQ_REL)
#define filch__sub_seq_cst(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST)
#define filch__or_acq_rel(p, v)  __atomic_fetch_or((p), (v), __ATOMIC_ACQ_REL)
#define filch__or_seq_cst(p, v)  __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define filch__and_acq_rel(p, v) __atomic_fetch_and((p), (v), __ATOMIC_ACQ_REL)
#define filch__and_seq_cst(p, v) __atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)

/* Compare and swap; *expected receives what was there. Strong form; failure order is acquire or
 * relaxed. */
#define filch__cas_relaxed(p, expected, v) \
    __atomic_compare_exchange_n((p), (expected), (v), 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define filch__cas_acq_rel(p, expected, v) \
    __atomic_compare_exchange_n((p), (expected), (v), 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
#define filch__cas_seq_cst(p, expected, v) \
    __atomic_compare_exchange_n((p), (expected), (v), 0, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE)

#define filch__fence_seq_cst() __atomic_thread_fence(__ATOMIC_SEQ_CST)
/* Orders the compiler only: the hardware half of the pair is a membarrier on the other side. */
#define filch__fence_compiler() __atomic_signal_fence(__ATOMIC_SEQ_CST)

#endif

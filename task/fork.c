/* SPDX-License-Identifier: Apache-2.0 */
/* The exported twins of the inline functions, for other languages and for dlsym. */
#include <filch/fork.h>

extern inline void filch_fork(filch_job *job);
extern inline void filch_fork_counted(filch_job *job);
extern inline int filch_sync(filch_job *job);
extern inline int filch_sync_unless_cancelled(filch_job *job);
extern inline int filch_invoke2(filch_fn *f, void *a, filch_fn *g, void *b);
extern inline int filch_invoke3(filch_fn *f, void *a, filch_fn *g, void *b, filch_fn *h, void *c);
extern inline bool filch_cancelled(void);

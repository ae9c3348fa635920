/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filch: all of it.
 *
 *     #include <filch/filch.h>
 *
 *     static int hello(void *who) { return printf("hello, %s\n", (const char *)who); }
 *
 *     int main(void) { return filch_run(NULL, hello, "world") < 0; }
 */
#ifndef FILCH_FILCH_H
#define FILCH_FILCH_H

#include <filch/barrier.h>
#include <filch/blocking.h>
#include <filch/broadcast.h>
#include <filch/channel.h>
#include <filch/condition.h>
#include <filch/dump.h>
#include <filch/event.h>
#include <filch/fd.h>
#include <filch/fork.h>
#include <filch/future.h>
#include <filch/latch.h>
#include <filch/local.h>
#include <filch/loop.h>
#include <filch/mutex.h>
#include <filch/notify.h>
#include <filch/once.h>
#include <filch/oneshot.h>
#include <filch/reduce.h>
#include <filch/runtime.h>
#include <filch/rwlock.h>
#include <filch/scope.h>
#include <filch/semaphore.h>
#include <filch/shield.h>
#include <filch/sort.h>
#include <filch/task.h>
#include <filch/team.h>
#include <filch/time.h>
#include <filch/waker.h>
#include <filch/watch.h>

#endif

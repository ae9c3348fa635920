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

#include <filch/blocking.h>
#include <filch/dump.h>
#include <filch/fd.h>
#include <filch/fork.h>
#include <filch/future.h>
#include <filch/local.h>
#include <filch/mutex.h>
#include <filch/runtime.h>
#include <filch/scope.h>
#include <filch/shield.h>
#include <filch/task.h>
#include <filch/time.h>
#include <filch/waker.h>

#endif

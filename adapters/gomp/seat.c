/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A seat is where somebody who runs code finds its self: a member of a region's team binds one; a
 * thread has one of its own, for where no team runs. A task outside of all regions uses that of the
 * thread that it is on, but has control variables in common with all such tasks, since it may move;
 * its regions of one thread are teams of one, so that they can move with it.
 */
#include "adapters/gomp/share.h"
#include "adapters/gomp/task.h"
#include "adapters/gomp/wait.h"

#include <filch/local.h>
#include <filch/shield.h>
#include <filch/task.h>
#include <string.h>

struct seat {
    struct filch__omp_self *self; /* of the innermost region */
    const filch_member *member;
};

static const filch_local key;
static struct filch__omp_region outside = {.size = 1};
static struct filch__omp_icv icv_of_tasks;
static uint32_t icv_of_tasks_made;

static __thread struct seat thread_seat;
static __thread struct filch__omp_self thread_root;

/* ---- the calling thread's, outside of teams ---- */

static void make_root(struct filch__omp_self *root)
{
    root->region = &outside;
    root->implicit.region = &outside;
    root->implicit.icv = filch__omp_environment.icv;
    root->task = &root->implicit;
    root->icv = &root->implicit.icv;
    thread_seat.self = root;
}

/* By the first who asks; the same values by all. */
static struct filch__omp_icv *shared_icv(void)
{
    if (!filch__load_acquire(&icv_of_tasks_made)) {
        static uint32_t lock;
        filch__omp_lock(&lock);
        if (!filch__load_relaxed(&icv_of_tasks_made))
            icv_of_tasks = filch__omp_environment.icv;
        filch__store_release(&icv_of_tasks_made, 1u);
        filch__omp_unlock(&lock);
    }
    return &icv_of_tasks;
}

static struct seat *seat_of_thread(void)
{
    struct filch__omp_self *root = &thread_root;
    if (filch__unlikely(!root->region))
        make_root(root);
    if (thread_seat.self == root && root->task == &root->implicit)
        root->icv = filch_task_name() ? shared_icv() : &root->implicit.icv;
    return &thread_seat;
}

/* A team may be somebody else's, whose members have no seat: they see one further out, or none. */
static struct seat *seat_here(void)
{
    filch_member *member = filch_team_member();
    struct seat *seat = member ? filch_local_get(&key) : NULL;
    return seat && seat->member == member ? seat : seat_of_thread();
}

struct filch__omp_self *filch__omp_self(void)
{
    return seat_here()->self;
}

/* ---- entering and leaving a region ---- */

static void self_begin(struct filch__omp_self *self, struct filch__omp_region *r, int rank,
                       filch_member *member)
{
    /* The queue is empty, and others may have looked at it already. */
    memset(self, 0, offsetof(struct filch__omp_self, queue));
    self->region = r;
    self->outer = r->outer;
    self->member = member;
    self->rank = rank;
    self->share = r->first;
    self->implicit.region = r;
    self->implicit.icv = *r->outer->icv;
    if (r->level < (int)(sizeof filch__omp_environment.threads / sizeof(int)) &&
        filch__omp_environment.threads[r->level])
        self->implicit.icv.threads = filch__omp_environment.threads[r->level];
    self->implicit.final = r->outer->task->final;
    self->implicit.group = r->group.reductions ? &r->group : NULL;
    self->task = &self->implicit;
    self->icv = &self->implicit.icv;
}

static void run_implicit_task(struct filch__omp_self *self)
{
    struct filch__omp_region *r = self->region;
    r->fn(r->data);
    filch__omp_barrier(self);
    filch__omp_share_leave(self);
    filch__omp_forget_children(&self->implicit);
}

static int run_member(filch_member *member, void *region)
{
    struct filch__omp_region *r = region;
    struct filch__omp_self *self = &r->selves[member->rank];
    struct seat seat = {self, member};
    filch_binding binding = {{0}};
    self_begin(self, r, member->rank, member);
    if (filch_local_bind(&binding, &key, &seat) < 0)
        filch__omp_die("GOMP_parallel", "cannot bind the thread's state");
    run_implicit_task(self);
    if (filch_local_unbind(&binding) < 0)
        filch__omp_die("GOMP_parallel", "a region's code left something of filch open");
    return 0;
}

/*
 * A cancel of the caller's task must not reach the team: code of OpenMP knows no barrier that
 * fails, nor a thread that never begins. And who calls is the same thread before and after: OpenMP
 * promises it, and libraries have locks and things of the thread's below their regions.
 */
int filch__omp_team(struct filch__omp_region *r)
{
    static const filch_team_options held = {.hold_thread = true};
    filch_shield shield = {{0}};
    filch_shield_begin(&shield, FILCH_NEVER);
    int rc = filch_team_with(&held, r->size, run_member, r);
    if (filch_shield_end(&shield) < 0)
        filch__omp_die("GOMP_parallel", "a region's code left something of filch open");
    return rc;
}

/* In a seat of a team or a thread that is in no task, a region of one is pushed on top. */
static bool can_push(const struct seat *seat)
{
    return seat->member || !filch_task_name();
}

void filch__omp_alone(struct filch__omp_self *outer, struct filch__omp_region *r)
{
    struct seat *seat = seat_here();
    struct filch__omp_self self = {0};
    r->size = 1;
    r->outer = outer;
    r->selves = &self;
    if (!can_push(seat)) {
        if (filch__omp_team(r) < 0)
            filch__omp_die("GOMP_parallel", "filch refuses a team of one");
        return;
    }
    self_begin(&self, r, 0, NULL);
    seat->self = &self;
    run_implicit_task(&self);
    seat->self = outer;
}

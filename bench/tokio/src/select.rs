// SPDX-License-Identifier: Apache-2.0

//! `select!` over eight pending futures, of which another task completes one after the other.

use crate::{must, run, runtime, Outcome};
use std::cell::UnsafeCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

const EMPTY: u8 = 0;
const WAITING: u8 = 1;
const TAKING: u8 = 2;
const SET: u8 = 3;

/// A flag that one task awaits and another one sets, again and again. A waker stays for the next
/// round where the flag was not set. (With `tokio::sync::Notify` a round takes five times as long.)
struct Flag {
    state: AtomicU8,
    /// The waiting task's to write while EMPTY, the setting task's to take while TAKING.
    waker: UnsafeCell<Option<Waker>>,
}

unsafe impl Send for Flag {}
unsafe impl Sync for Flag {}

impl Flag {
    const NEW: Flag = Flag {
        state: AtomicU8::new(EMPTY),
        waker: UnsafeCell::new(None),
    };

    /// To be called when the waiting task has seen the flag that was set before.
    fn set(&self) {
        // Acquire pairs with the Release of `poll`, which publishes the waker; Release with its
        // Acquire where it finds SET.
        let empty = self
            .state
            .compare_exchange(EMPTY, SET, Ordering::AcqRel, Ordering::Acquire);
        if empty.is_err() {
            self.state.store(TAKING, Ordering::Relaxed);
            let waker = unsafe { (*self.waker.get()).take() };
            self.state.store(SET, Ordering::Release);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

/// Awaits the flag and takes it back.
struct Wait<'a>(&'a Flag);

impl Future for Wait<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let state = &self.0.state;
        if state.load(Ordering::Acquire) == EMPTY {
            unsafe { *self.0.waker.get() = Some(cx.waker().clone()) };
            let _ = state.compare_exchange(EMPTY, WAITING, Ordering::AcqRel, Ordering::Acquire);
        }
        if state.load(Ordering::Acquire) != SET {
            return Poll::Pending;
        }
        state.store(EMPTY, Ordering::Release);
        Poll::Ready(())
    }
}

struct Shared {
    flag: [Flag; 8],
    seen: Flag,
}

async fn select_often(shared: Arc<Shared>, rounds: u64) -> u64 {
    let f = &shared.flag;
    let mut right = 0;
    for round in 0..rounds {
        let index = tokio::select! {
            () = Wait(&f[0]) => 0,
            () = Wait(&f[1]) => 1,
            () = Wait(&f[2]) => 2,
            () = Wait(&f[3]) => 3,
            () = Wait(&f[4]) => 4,
            () = Wait(&f[5]) => 5,
            () = Wait(&f[6]) => 6,
            () = Wait(&f[7]) => 7,
        };
        right += u64::from(index == round % 8);
        shared.seen.set();
    }
    right
}

/// The hand-over is the wake-up itself: the woken task runs as soon as the other one waits.
/// `yield_now` would let the worker look at its drivers in each round.
async fn complete_often(shared: Arc<Shared>, rounds: u64) {
    for round in 0..rounds {
        shared.flag[(round % 8) as usize].set();
        Wait(&shared.seen).await;
    }
}

async fn select_and_complete(rounds: u64) -> (f64, u64) {
    let shared = Arc::new(Shared {
        flag: [Flag::NEW; 8],
        seen: Flag::NEW,
    });
    let start = Instant::now();
    let selector = tokio::spawn(select_often(shared.clone(), rounds));
    let completer = tokio::spawn(complete_often(shared, rounds));
    let right = must(selector.await, "join");
    must(completer.await, "join");
    (start.elapsed().as_nanos() as f64, right)
}

pub fn select8(rounds: u64, workers: usize) -> Outcome {
    let rt = runtime(workers, false);
    run(&rt, select_and_complete(rounds.min(1000)));
    let (nanoseconds, check) = run(&rt, select_and_complete(rounds));
    Outcome {
        value: nanoseconds / rounds as f64,
        check,
    }
}

// SPDX-License-Identifier: Apache-2.0

//! Many tasks that sleep: to start them, to abort them, and their memory.

use crate::{must, run, runtime, Outcome};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Sleep;

/// Counts the sleepers whose timer is armed, up to the one that all wait for.
struct Gate {
    expected: AtomicU64,
    asleep: AtomicU64,
    all: Notify,
}

static GATE: Gate = Gate {
    expected: AtomicU64::new(0),
    asleep: AtomicU64::new(0),
    all: Notify::const_new(),
};

/// Sleeps, and has counted itself once its timer is armed, which the first poll does; there is no
/// other poll in the hour. It has no field but the `Sleep`, whose alignment of 128 bytes would make
/// 128 of each.
struct Sleeper(Sleep);

impl Future for Sleeper {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = unsafe { self.map_unchecked_mut(|this| &mut this.0) }.poll(cx);
        let asleep = GATE.asleep.fetch_add(1, Ordering::AcqRel) + 1;
        if asleep == GATE.expected.load(Ordering::Relaxed) {
            GATE.all.notify_one();
        }
        polled
    }
}

async fn fall_asleep(count: u64, handles: &mut Vec<JoinHandle<()>>) -> u64 {
    GATE.expected.store(count, Ordering::Relaxed);
    GATE.asleep.store(0, Ordering::Relaxed);
    for i in 0..count {
        let hour = Duration::from_secs(3600) + Duration::from_micros(i);
        handles.push(tokio::spawn(Sleeper(tokio::time::sleep(hour))));
    }
    GATE.all.notified().await;
    GATE.asleep.load(Ordering::Acquire)
}

/// How many were cancelled.
async fn abort_all(handles: Vec<JoinHandle<()>>) -> u64 {
    for handle in &handles {
        handle.abort();
    }
    let mut cancelled = 0;
    for handle in handles {
        if let Err(error) = handle.await {
            cancelled += u64::from(error.is_cancelled());
        }
    }
    cancelled
}

/// Bytes of this process in memory.
fn resident() -> f64 {
    let text = must(
        std::fs::read_to_string("/proc/self/statm"),
        "/proc/self/statm",
    );
    let pages = text.split(' ').nth(1).unwrap_or("").parse::<f64>();
    must(pages, "/proc/self/statm") * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as f64
}

#[derive(Default)]
struct Figures {
    start_ns: f64,
    bytes: f64,
    abort_ns: f64,
    asleep: u64,
    cancelled: u64,
}

/// An array whose pages are in memory before anything is measured.
fn touched(count: u64) -> Vec<JoinHandle<()>> {
    let mut handles = Vec::with_capacity(count as usize);
    let spare = handles.spare_capacity_mut();
    unsafe { spare.as_mut_ptr().write_bytes(1, spare.len()) };
    handles
}

async fn sleep_and_abort(count: u64) -> Figures {
    let mut figures = Figures::default();
    let mut handles = touched(count);
    let before = resident();
    let start = Instant::now();
    figures.asleep = fall_asleep(count, &mut handles).await;
    figures.start_ns = start.elapsed().as_nanos() as f64;
    figures.bytes = resident() - before;
    let start = Instant::now();
    figures.cancelled = abort_all(handles).await;
    figures.abort_ns = start.elapsed().as_nanos() as f64;
    figures
}

fn measure(count: u64, workers: usize) -> Figures {
    let rt = runtime(workers, false);
    run(&rt, sleep_and_abort(count.min(1000)));
    run(&rt, sleep_and_abort(count))
}

/// A timer is armed in the wheel of the runtime, under its one lock.
pub fn sleep_start(count: u64, workers: usize) -> Outcome {
    let figures = measure(count, workers);
    Outcome {
        value: figures.start_ns / count as f64,
        check: figures.asleep,
    }
}

pub fn abort(count: u64, workers: usize) -> Outcome {
    let figures = measure(count, workers);
    Outcome {
        value: figures.abort_ns / count as f64,
        check: figures.cancelled,
    }
}

pub fn bytes_sleeper(count: u64, workers: usize) -> Outcome {
    let figures = measure(count, workers);
    Outcome {
        value: figures.bytes / count as f64,
        check: figures.asleep,
    }
}

// SPDX-License-Identifier: Apache-2.0

//! Timers: to arm and cancel one, and how late many run. tokio's have a resolution of 1 ms and are
//! rounded up to it; the lateness is from the deadline that was asked for.

use crate::{must, run, runtime, Outcome};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

const OTHERS: u64 = 1000;
const ATTEMPTS: u32 = 4;

/// A timer is armed by the first poll of its `Sleep`, and cancelled by the drop. All happens in one
/// poll of the task: the fastest way. Nanoseconds, and how many were armed.
struct ArmAndCancel {
    count: u64,
    others: Vec<Pin<Box<Sleep>>>,
}

impl Future for ArmAndCancel {
    type Output = (f64, u64);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<(f64, u64)> {
        for other in &mut self.others {
            assert!(other.as_mut().poll(cx).is_pending());
        }
        let mut armed = 0;
        let start = Instant::now();
        for i in 0..self.count {
            let sleep = tokio::time::sleep(Duration::from_millis(1000 + i % 1000));
            tokio::pin!(sleep);
            armed += u64::from(sleep.poll(cx).is_pending());
        }
        Poll::Ready((start.elapsed().as_nanos() as f64, armed))
    }
}

async fn arm_and_cancel(count: u64) -> (f64, u64) {
    let others = (0..OTHERS)
        .map(|i| Box::pin(tokio::time::sleep(Duration::from_secs(3600 + i))))
        .collect();
    ArmAndCancel { count, others }.await
}

pub fn arm_cancel(count: u64, workers: usize) -> Outcome {
    let rt = runtime(workers, false);
    run(&rt, arm_and_cancel(count.min(1000)));
    let (nanoseconds, check) = run(&rt, arm_and_cancel(count));
    Outcome {
        value: nanoseconds / count as f64,
        check,
    }
}

/// The lateness of each that was not early, in nanoseconds; None if the first was due before all
/// were armed.
async fn sleep_in_turn(count: u64, lead: Duration) -> Option<Vec<u64>> {
    let armed = Arc::new(AtomicU64::new(0));
    let mut handles = Vec::with_capacity(count as usize);
    let first = Instant::now() + lead;
    for i in 0..count {
        let deadline = first + Duration::from_micros(i);
        let armed = armed.clone();
        handles.push(tokio::spawn(async move {
            armed.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep_until(deadline).await;
            Instant::now().checked_duration_since(deadline)
        }));
    }
    tokio::time::sleep_until(first - lead / 8).await;
    let in_time = armed.load(Ordering::Relaxed) == count && Instant::now() < first;
    // The last first: so nobody is woken for each of the others in the midst of the measurement.
    let mut lateness = Vec::with_capacity(count as usize);
    for handle in handles.into_iter().rev() {
        if let Some(late) = must(handle.await, "join") {
            lateness.push(late.as_nanos() as u64);
        }
    }
    in_time.then_some(lateness)
}

pub fn lateness_p99(count: u64, workers: usize) -> Outcome {
    let rt = runtime(workers, false);
    run(
        &rt,
        sleep_in_turn(count.min(1000), Duration::from_millis(20)),
    );
    for attempt in 0..ATTEMPTS {
        let lead = Duration::from_micros(4 * count) * 2u32.pow(attempt);
        if let Some(mut lateness) = run(&rt, sleep_in_turn(count, lead)) {
            let check = lateness.len() as u64;
            let (_, p99, _) = lateness.select_nth_unstable((check * 99 / 100) as usize);
            return Outcome {
                value: *p99 as f64,
                check,
            };
        }
        eprintln!("timer-lateness-p99: not all were armed after {lead:?}");
    }
    std::process::exit(1)
}

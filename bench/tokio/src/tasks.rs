// SPDX-License-Identifier: Apache-2.0

//! The cost of tasks with handles: spawn and join, yield.

use crate::{must, run, runtime, Outcome};
use std::time::Instant;
use tokio::task::JoinHandle;

const YIELDERS: u64 = 4;

async fn spawn_and_join(count: u64, handles: &mut Vec<JoinHandle<u64>>) -> u64 {
    for _ in 0..count {
        handles.push(tokio::spawn(async { 1 }));
    }
    let mut sum = 0;
    for handle in handles.drain(..) {
        sum += must(handle.await, "join");
    }
    sum
}

/// The first round touches the memory; what is measured is the second. Nanoseconds, and the sum.
async fn spawn_join_twice(count: u64) -> (f64, u64) {
    let mut handles = Vec::with_capacity(count as usize);
    spawn_and_join(count, &mut handles).await;
    let start = Instant::now();
    let sum = spawn_and_join(count, &mut handles).await;
    (start.elapsed().as_nanos() as f64, sum)
}

pub fn spawn_join(count: u64, workers: usize) -> Outcome {
    let rt = runtime(workers, false);
    run(&rt, spawn_join_twice(count.min(1000)));
    let (nanoseconds, check) = run(&rt, spawn_join_twice(count));
    Outcome {
        value: nanoseconds / count as f64,
        check,
    }
}

async fn yield_together(count: u64) -> u64 {
    let mut handles = Vec::new();
    for _ in 0..YIELDERS {
        handles.push(tokio::spawn(async move {
            let mut done = 0;
            for _ in 0..count {
                tokio::task::yield_now().await;
                done += 1;
            }
            done
        }));
    }
    let mut done = 0;
    for handle in handles {
        done += must(handle.await, "join");
    }
    done
}

/// A yielded task is queued again only once the worker has found its queue empty and has looked at
/// its drivers.
pub fn yield_now(count: u64, workers: usize) -> Outcome {
    let rt = runtime(workers, false);
    run(&rt, yield_together(1000));
    let start = Instant::now();
    let check = run(&rt, yield_together(count));
    Outcome {
        value: start.elapsed().as_nanos() as f64 / (YIELDERS * count) as f64,
        check,
    }
}

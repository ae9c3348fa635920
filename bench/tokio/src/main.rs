// SPDX-License-Identifier: Apache-2.0

//! Peer: tokio, the multi-threaded scheduler. The program that bench/harness.py starts:
//! PROGRAM BENCH PARAM WORKERS prints one line of JSON; PROGRAM --version.
//!
//! Each benchmark runs a small case of itself as a warm-up, in the same runtime, and then the one
//! that counts. All run inside a spawned task, since the future of `block_on` is not on a worker.

mod await_ready;
mod echo;
mod select;
mod sleepers;
mod sync;
mod tasks;
mod timers;

use std::future::Future;
use tokio::runtime::{Builder, Runtime};

/// The value in the benchmark's unit, and the result that the harness compares with the known one.
pub struct Outcome {
    pub value: f64,
    pub check: u64,
}

type Bench = fn(u64, usize) -> Outcome;

const BENCHES: &[(&str, Bench)] = &[
    ("spawn-join", tasks::spawn_join),
    ("yield", tasks::yield_now),
    ("sleep-start", sleepers::sleep_start),
    ("abort", sleepers::abort),
    ("bytes-sleeper", sleepers::bytes_sleeper),
    ("timer-arm-cancel", timers::arm_cancel),
    ("timer-lateness-p99", timers::lateness_p99),
    ("fd-echo", echo::fd_echo),
    ("await-ready", await_ready::await_ready),
    ("select8", select::select8),
    ("ping-pong", sync::ping_pong),
    ("mutex64", sync::mutex64),
    ("mutex-uncontended", sync::mutex_uncontended),
    ("channel4x4", sync::channel4x4),
    ("rwlock-read", sync::rwlock_read),
];

/// What fails here is the machine's doing; there is nothing to measure then.
pub fn must<T, E: std::fmt::Display>(result: Result<T, E>, what: &str) -> T {
    result.unwrap_or_else(|e| {
        eprintln!("{what}: {e}");
        std::process::exit(1)
    })
}

/// With timers, and with I/O where a benchmark needs it: a timer that becomes the next to expire
/// costs a write to an eventfd where the I/O driver is there as well.
pub fn runtime(workers: usize, with_io: bool) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers).enable_time();
    if with_io {
        builder.enable_io();
    }
    must(builder.build(), "start of the runtime")
}

/// Runs `future` as a task, to its end.
pub fn run<T: Send + 'static>(
    runtime: &Runtime,
    future: impl Future<Output = T> + Send + 'static,
) -> T {
    runtime.block_on(async { must(tokio::spawn(future).await, "task") })
}

fn usage(program: &str) -> ! {
    eprintln!("usage: {program} BENCH PARAM WORKERS");
    std::process::exit(2)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let program = &arguments[0];
    if arguments.len() == 2 && arguments[1] == "--version" {
        println!(env!("BENCH_VERSION"));
        return;
    }
    if arguments.len() != 4 {
        usage(program);
    }
    let (param, workers) = match (arguments[2].parse(), arguments[3].parse()) {
        (Ok(param), Ok(workers)) if (1..=1024).contains(&workers) => (param, workers),
        _ => usage(program),
    };
    let bench = BENCHES.iter().find(|(name, _)| *name == arguments[1]);
    let (_, bench) = bench.unwrap_or_else(|| {
        eprintln!("{program}: no benchmark {}", arguments[1]);
        std::process::exit(2)
    });
    let Outcome { value, check } = bench(param, workers);
    println!("{{\"value\":{value},\"check\":\"{check}\"}}");
}

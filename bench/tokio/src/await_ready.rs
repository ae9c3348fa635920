// SPDX-License-Identifier: Apache-2.0

//! The cost of `.await` where nothing has to wait, behind a reference that says nothing of the type.

use crate::{run, runtime, Outcome};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

struct One;

impl Future for One {
    type Output = u64;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u64> {
        Poll::Ready(1)
    }
}

type Opaque<'a> = &'a mut (dyn Future<Output = u64> + Send + Unpin);

/// The same reference, of which the compiler knows no longer what it points to. (The hint of the
/// standard library is younger than Debian 12's rustc.)
fn black_box(future: Opaque<'_>) -> Opaque<'_> {
    let hidden: *mut _ = future;
    unsafe { &mut *std::ptr::read_volatile(&hidden) }
}

async fn await_often(count: u64) -> u64 {
    let mut one = One;
    let future = black_box(&mut one);
    let mut sum = 0;
    for _ in 0..count {
        sum += (&mut *future).await;
    }
    sum
}

pub fn await_ready(count: u64, workers: usize) -> Outcome {
    let rt = runtime(workers, false);
    run(&rt, await_often(1000));
    let (nanoseconds, check) = run(&rt, async move {
        let start = Instant::now();
        let sum = await_often(count).await;
        (start.elapsed().as_nanos(), sum)
    });
    Outcome {
        value: nanoseconds as f64 / count as f64,
        check,
    }
}

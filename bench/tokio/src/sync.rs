// SPDX-License-Identifier: Apache-2.0

//! Locks and channels. A task that has done 128 operations of tokio's in one poll is polled anew
//! before the next, contended or not. (Freed from that by `unconstrained`, they take as long.)

use crate::{must, run, runtime, Outcome};
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{mpsc, Mutex, RwLock};
use tokio::task::JoinHandle;

const LOCKERS: u64 = 64;
const SENDERS: u64 = 4;
const SLOTS: usize = 64;

/// A warm-up of what `bench` makes for a count, and then the one that counts.
fn measure<F>(count: u64, workers: usize, bench: impl Fn(u64) -> F) -> Outcome
where
    F: Future<Output = u64> + Send + 'static,
{
    let timed = |future: F| async {
        let start = Instant::now();
        let check = future.await;
        (start.elapsed().as_nanos() as f64, check)
    };
    let rt = runtime(workers, false);
    run(&rt, bench(count.min(1000)));
    let (nanoseconds, check) = run(&rt, timed(bench(count)));
    Outcome {
        value: nanoseconds / count as f64,
        check,
    }
}

async fn sum(handles: Vec<JoinHandle<u64>>) -> u64 {
    let mut sum = 0;
    for handle in handles {
        sum += must(handle.await, "join");
    }
    sum
}

async fn return_each(mut forth: mpsc::Receiver<u64>, back: mpsc::Sender<u64>, rounds: u64) {
    for _ in 0..rounds {
        let number = forth.recv().await.unwrap();
        back.send(number + 1).await.unwrap();
    }
}

/// The number grows by one in each round.
async fn play_ping_pong(rounds: u64) -> u64 {
    let (forth, pong) = mpsc::channel(1);
    let (back, mut ping) = mpsc::channel(1);
    let returner = tokio::spawn(return_each(pong, back, rounds));
    let mut number = 0;
    for _ in 0..rounds {
        forth.send(number).await.unwrap();
        number = ping.recv().await.unwrap();
    }
    must(returner.await, "join");
    number
}

pub fn ping_pong(rounds: u64, workers: usize) -> Outcome {
    measure(rounds, workers, play_ping_pong)
}

async fn add(counter: &Mutex<u64>, times: u64) {
    for _ in 0..times {
        *counter.lock().await += 1;
    }
}

async fn add_together(count: u64) -> u64 {
    let counter = Arc::new(Mutex::new(0));
    let mut handles = Vec::new();
    for _ in 0..LOCKERS {
        let counter = counter.clone();
        handles.push(tokio::spawn(async move {
            add(&counter, count / LOCKERS).await;
            0
        }));
    }
    sum(handles).await;
    let value = *counter.lock().await;
    value
}

/// `count` is a multiple of the lockers.
pub fn mutex64(count: u64, workers: usize) -> Outcome {
    measure(count, workers, add_together)
}

async fn add_alone(count: u64) -> u64 {
    let counter = Mutex::new(0);
    add(&counter, count).await;
    counter.into_inner()
}

pub fn mutex_uncontended(count: u64, workers: usize) -> Outcome {
    measure(count, workers, add_alone)
}

/// The numbers from 1 to `count`, and the sum of those that were received. tokio's own channels have
/// one receiver: this is the one of async-channel, which goes with any runtime.
async fn send_and_receive(count: u64) -> u64 {
    let (numbers, received) = async_channel::bounded(SLOTS);
    let mut receivers = Vec::new();
    for i in 0..SENDERS {
        let (numbers, received) = (numbers.clone(), received.clone());
        tokio::spawn(async move {
            for number in 1..=count / SENDERS {
                numbers.send(i * (count / SENDERS) + number).await.unwrap();
            }
        });
        receivers.push(tokio::spawn(async move {
            let mut sum = 0;
            while let Ok(number) = received.recv().await {
                sum += number;
            }
            sum
        }));
    }
    drop(numbers); // the last of the senders to end closes the channel
    sum(receivers).await
}

/// `count` is a multiple of the senders.
pub fn channel4x4(count: u64, workers: usize) -> Outcome {
    measure(count, workers, send_and_receive)
}

async fn read_together(count: u64, readers: u64) -> u64 {
    let lock = Arc::new(RwLock::new(1));
    let mut handles = Vec::new();
    for i in 0..readers {
        let lock = lock.clone();
        handles.push(tokio::spawn(async move {
            let mut sum = 0;
            for _ in count * i / readers..count * (i + 1) / readers {
                sum += *lock.read().await;
            }
            sum
        }));
    }
    sum(handles).await
}

/// One reader for each worker; the operations of all count.
pub fn rwlock_read(count: u64, workers: usize) -> Outcome {
    measure(count, workers, |count| read_together(count, workers as u64))
}

// SPDX-License-Identifier: Apache-2.0

//! Round trips over many TCP connections of this machine with itself, a task at each end.

use crate::{must, run, runtime, Outcome};
use std::io::Result;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CONNECTIONS: u64 = 1000;
const MESSAGE: usize = 64;

fn raise_file_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
}

async fn connect() -> Result<Vec<(TcpStream, TcpStream)>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let mut pairs = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = TcpStream::connect(address).await?;
        let (server, _) = listener.accept().await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        pairs.push((client, server));
    }
    Ok(pairs)
}

async fn echo(mut stream: TcpStream, rounds: u64) -> Result<()> {
    let mut message = [0; MESSAGE];
    for _ in 0..rounds {
        stream.read_exact(&mut message).await?;
        stream.write_all(&message).await?;
    }
    Ok(())
}

/// How many of its messages came back as they were sent.
async fn ask(mut stream: TcpStream, rounds: u64) -> Result<u64> {
    let mut right = 0;
    for i in 0..rounds {
        let sent = [i as u8; MESSAGE];
        let mut message = [!(i as u8); MESSAGE];
        stream.write_all(&sent).await?;
        stream.read_exact(&mut message).await?;
        right += u64::from(message == sent);
    }
    Ok(right)
}

async fn converse(rounds: u64) -> (f64, u64) {
    let mut clients = Vec::new();
    let mut handles = Vec::new();
    let mut servers = Vec::new();
    for (client, server) in must(connect().await, "connect") {
        clients.push(client);
        servers.push(tokio::spawn(echo(server, rounds)));
    }
    let start = Instant::now();
    for client in clients {
        handles.push(tokio::spawn(ask(client, rounds)));
    }
    let mut right = 0;
    for handle in handles {
        right += must(must(handle.await, "join"), "client");
    }
    let nanoseconds = start.elapsed().as_nanos() as f64;
    for server in servers {
        must(must(server.await, "join"), "server");
    }
    (nanoseconds, right)
}

/// `count` is a multiple of the connections.
pub fn fd_echo(count: u64, workers: usize) -> Outcome {
    raise_file_limit();
    let rt = runtime(workers, true);
    run(&rt, converse(1));
    let (nanoseconds, check) = run(&rt, converse(count / CONNECTIONS));
    Outcome {
        value: nanoseconds / count as f64,
        check,
    }
}

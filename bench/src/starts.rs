//! Cold start: from the first instruction in an empty directory to the first 200 of `/health`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Child;
use std::time::{Duration, Instant};

use crate::cores::Place;
use crate::processes::rss_kib;
use crate::servers::{command, terminate};
use crate::{Bench, Outcome};

/// Starts that are measured in each run.
const STARTS: usize = 5;
/// Between two questions.
const PAUSE: Duration = Duration::from_micros(500);
const AT_MOST: Duration = Duration::from_secs(20);

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    let (mut times, mut memory) = (vec![], vec![]);
    for _ in 0..STARTS {
        let (ms, mib) = start(bench)?;
        times.push(ms);
        memory.push(mib);
    }
    for (key, mut figures) in [("start.ms", times), ("start.rss", memory)] {
        figures.sort_by(f64::total_cmp);
        bench.report.add(key, figures[STARTS / 2]);
        bench.report.note(key, format!("median of {STARTS} starts, both cores"));
    }
    Ok(())
}

fn start(bench: &Bench) -> Outcome<(f64, f64)> {
    let folder = bench.temporary()?;
    // Free a moment ago; nobody else takes ports on this machine as fast.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut command = command(bench, &folder.path().join("data"), &address.to_string())?;
    bench.cores.pin(Place::All)?;
    let started = Instant::now();
    let child = command.spawn();
    bench.cores.pin(Place::Generator)?;
    let mut child = child?;
    let outcome = wait(&mut child, address, started);
    terminate(&mut child)?;
    outcome
}

fn wait(child: &mut Child, address: SocketAddr, started: Instant) -> Outcome<(f64, f64)> {
    while started.elapsed() < AT_MOST {
        if is_healthy(address) {
            return Ok((started.elapsed().as_secs_f64() * 1_000.0, rss_kib(child.id())? as f64 / 1_024.0));
        }
        if let Some(status) = child.try_wait()? {
            return Err(format!("the server ended with {status}").into());
        }
        std::thread::sleep(PAUSE);
    }
    Err("the server did not become healthy".into())
}

fn is_healthy(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = vec![];
        stream.read_to_end(&mut answer)?;
        Ok(answer.starts_with(b"HTTP/1.1 200 "))
    };
    ask().unwrap_or(false)
}

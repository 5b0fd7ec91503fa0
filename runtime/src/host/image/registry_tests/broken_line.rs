//! A line to a registry that breaks in the middle of an answer.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Carries connections to a registry and breaks those that answer with more than a few bytes.
pub(super) struct BrokenLine {
    pub(super) address: SocketAddr,
    pub(super) carried: Arc<AtomicU64>,
}

/// What happens to a connection once `after` bytes of answers went through it.
#[derive(Clone, Copy)]
pub(super) enum Break {
    Cut { after: usize },
    Stall { after: usize },
}

impl BrokenLine {
    /// Carries to `to`; the first `times` connections that reach the bound break there, the others hold.
    pub(super) fn to(to: SocketAddr, how: Break, times: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let carried = Arc::new(AtomicU64::new(0));
        let (count, left) = (Arc::clone(&carried), Arc::new(AtomicUsize::new(times)));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(to) else {
                    return;
                };
                let (count, left) = (Arc::clone(&count), Arc::clone(&left));
                let (mut up_from, mut up_to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || io::copy(&mut up_from, &mut up_to));
                std::thread::spawn(move || carry(server, client, how, &left, &count));
            }
        });
        Self { address, carried }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, how: Break, left: &AtomicUsize, carried: &AtomicU64) {
    let bound = match how {
        Break::Cut { after } | Break::Stall { after } => after,
    };
    let (mut buffer, mut done) = (vec![0; 4096], 0);
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
        done += count;
        carried.fetch_add(count as u64, Ordering::Relaxed);
        let breaks =
            done > bound && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok();
        match how {
            Break::Cut { .. } if breaks => break,
            // The other end hangs up when it has waited long enough; until then this one is silent.
            Break::Stall { .. } if breaks => drop(to.peek(&mut [0])),
            _ => {}
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}

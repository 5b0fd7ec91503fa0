//! libgit2's smart protocol over our HTTP client.
//!
//! Responsible for: handing libgit2 a stream per request. The stateless protocol of `gitprotocol-http` needs two kinds:
//! the list of refs (GET) and one round of negotiation, the last of which carries the pack (POST).
//!
//! Must never: outlive the call that opened it, or push.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use git2::Remote;
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream, Transport};

use super::error::FetchError;
use super::http::{Body, Session};

/// The scheme under which libgit2 knows the transport. Its own `http` stays unused.
pub(super) const SCHEME: &str = "bowline";

/// Bytes of one round of negotiation; libgit2 sends batches of some ten kilobytes.
const REQUEST_BYTES_MAX: usize = 16 << 20;

/// The conversations that libgit2 may ask for, by the number in their URL.
static SESSIONS: Mutex<BTreeMap<u64, Arc<Session>>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A conversation that libgit2 reaches by [`Dialogue::address`] as long as this lives.
pub(super) struct Dialogue {
    number: u64,
    session: Arc<Session>,
}

impl Dialogue {
    pub(super) fn open(session: Session) -> Self {
        let (number, session) = (NEXT.fetch_add(1, Ordering::Relaxed), Arc::new(session));
        SESSIONS.lock().unwrap_or_else(PoisonError::into_inner).insert(number, session.clone());
        Self { number, session }
    }

    /// Returns the URL to give to libgit2.
    pub(super) fn address(&self) -> String {
        format!("{SCHEME}://{}/", self.number)
    }

    /// Takes the failure behind an error of libgit2.
    pub(super) fn take_failure(&self) -> Option<FetchError> {
        self.session.take_failure()
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        SESSIONS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

/// Makes the transport for a remote whose URL is a [`Dialogue::address`].
pub(super) fn make(remote: &Remote<'_>) -> Result<Transport, git2::Error> {
    let number = remote.url()?.strip_prefix(SCHEME).and_then(|rest| rest.trim_matches([':', '/']).parse::<u64>().ok());
    let session =
        number.and_then(|number| SESSIONS.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned());
    let session = session.ok_or_else(|| git2::Error::from_str("no conversation is open under this URL"))?;
    Transport::smart(remote, true, Subtransport { session })
}

struct Subtransport {
    session: Arc<Session>,
}

impl SmartSubtransport for Subtransport {
    fn action(&self, _url: &str, action: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let request = match action {
            Service::UploadPackLs => None,
            Service::UploadPack => Some(Vec::new()),
            Service::ReceivePackLs | Service::ReceivePack => {
                return Err(git2::Error::from_str("pushing is not done here"));
            }
        };
        Ok(Box::new(Stream { session: self.session.clone(), request, body: None }))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

struct Stream {
    session: Arc<Session>,
    /// What libgit2 wrote so far; `None` for the list of refs.
    request: Option<Vec<u8>>,
    body: Option<Body>,
}

impl Stream {
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, FetchError> {
        let body = match &mut self.body {
            Some(body) => body,
            None => {
                let body = match self.request.take() {
                    None => self.session.refs()?,
                    Some(request) => self.session.upload_pack(request)?,
                };
                self.body.insert(body)
            }
        };
        body.read(&self.session, buffer)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive(buffer).map_err(|failure| self.session.fail(failure))
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.request {
            Some(request) if request.len() + bytes.len() <= REQUEST_BYTES_MAX => {
                request.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            _ => Err(io::Error::other("the request is too long or already sent")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

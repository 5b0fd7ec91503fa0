//! What a fetch may cost and how it proves who asks.
//!
//! Responsible for: limits of one fetch, credentials and trust.
//!
//! Must never: print a secret; `Debug` shows that there is one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Limits of one fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until a connection is made.
    pub connect: Duration,
    /// Without a byte from the server, and the window over which [`Limits::bytes_per_second_min`] is measured.
    pub stall: Duration,
    /// For the whole fetch.
    pub total: Duration,
    /// Slowest transfer that is waited for, measured over windows of [`Limits::stall`]. Git's `http.lowSpeedLimit`.
    pub bytes_per_second_min: u64,
    /// Bytes of the list of refs. A ref takes about 70: the default is room for half a million.
    pub refs_bytes_max: u64,
    /// Bytes of one pack.
    pub pack_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(20),
            total: Duration::from_secs(300),
            bytes_per_second_min: 1000,
            refs_bytes_max: 32 << 20,
            pack_bytes_max: 1 << 30,
        }
    }
}

/// What proves to a server who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A user and a password or token.
    Basic {
        /// The user.
        user: String,
        /// The password or token.
        password: String,
    },
    /// A token sent as `Authorization: Bearer`.
    Bearer(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(hidden)",
            Self::Bearer(_) => "Bearer(hidden)",
        })
    }
}

/// Credentials and trust for one remote. The default is none, and the host's certificate store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Sent to the host of the URL only. Those in the URL are used where this is `None`.
    pub credentials: Option<Credentials>,
    /// Certificates (PEM) that replace the host's store for this remote, as Git's `http.sslCAInfo` does.
    pub ca_pem: Option<Arc<[u8]>>,
}

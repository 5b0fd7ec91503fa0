//! A download in progress: what has arrived, and the digest of it.

use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use super::super::Digest;
use super::super::digest::Hasher;
use super::FetchError;

/// A blob on its way to disk.
pub(super) struct Transfer<'a> {
    pub(super) what: String,
    pub(super) digest: &'a Digest,
    pub(super) size: u64,
    pub(super) file: tokio::fs::File,
    pub(super) hasher: Hasher,
    pub(super) done: u64,
    pub(super) resumed: bool,
}

impl Transfer<'_> {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.file.write_all(bytes).await.map_err(|source| FetchError::Write { what: self.what.clone(), source })?;
        self.hasher.update(bytes);
        self.done += bytes.len() as u64;
        Ok(())
    }

    pub(super) async fn restart(&mut self) -> Result<(), FetchError> {
        let again = async {
            self.file.flush().await?;
            self.file.set_len(0).await?;
            self.file.rewind().await
        };
        again.await.map_err(|source| FetchError::Write { what: self.what.clone(), source })?;
        (self.done, self.hasher) = (0, Hasher::default());
        Ok(())
    }

    pub(super) fn verify(&self) -> Result<(), String> {
        let found = self.hasher.clone().finish();
        if found == *self.digest { Ok(()) } else { Err(found.to_string()) }
    }

    pub(super) async fn flush(&mut self) -> Result<(), FetchError> {
        self.file.flush().await.map_err(|source| FetchError::Write { what: self.what.clone(), source })
    }
}

//! Talks to one registry for one pull: documents and blobs, with bounds on size and on standing still.
//!
//! The client is made for each pull, because `oci-client` keeps the first credentials it sees for a registry, and
//! those of one pod must not serve another. Layers are only fetched from the registry itself: addresses that a
//! manifest names are ignored.

mod error;
mod transfer;

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use oci_client::client::{BlobResponse, Client, ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;

use super::digest::Hasher;
use super::document::DOCUMENT_BYTES_MAX;
use super::reference::speaks_plain_http;
use super::store::StoreOptions;
use super::{Digest, ImageReference};

pub use self::error::FetchError;
use self::transfer::Transfer;

/// Documents that are asked for.
const ACCEPTED: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// How often one request is made before the error is the caller's, who has backoff of its own.
const ATTEMPTS_MAX: u32 = 4;
/// Wait before the second attempt; doubles.
const RETRY_WAIT: Duration = Duration::from_millis(250);

/// A connection to the registry of one image.
pub(super) struct Fetcher<'a> {
    client: Client,
    reference: &'a ImageReference,
    auth: &'a RegistryAuth,
    options: &'a StoreOptions,
}

impl<'a> Fetcher<'a> {
    pub(super) fn new(
        reference: &'a ImageReference,
        auth: &'a RegistryAuth,
        options: &'a StoreOptions,
    ) -> Result<Self, FetchError> {
        // The first caller wins; that another part of the program installed the same provider is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let plain = speaks_plain_http(reference.registry(), &options.insecure_registries);
        let config = ClientConfig {
            protocol: if plain { ClientProtocol::Http } else { ClientProtocol::Https },
            connect_timeout: Some(options.answer),
            read_timeout: Some(options.stall),
            user_agent: concat!("bowline/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let client = Client::try_from(config).map_err(|source| FetchError::Protocol {
            what: "a connection".into(),
            registry: reference.registry().into(),
            source: Box::new(source),
        })?;
        Ok(Self { client, reference, auth, options })
    }

    fn registry(&self) -> String {
        self.reference.registry().to_owned()
    }

    /// Asks which digest the name stands for. `None` when the registry does not say without sending the document.
    pub(super) async fn resolve(&self) -> Result<Option<Digest>, FetchError> {
        let what = format!("image \"{}\"", self.reference);
        let digest =
            self.retrying(&what, || self.client.fetch_manifest_digest(self.reference.as_oci(), self.auth)).await?;
        Ok(digest.parse().ok())
    }

    /// Fetches the index or manifest that `reference` names; its bytes have the returned digest.
    pub(super) async fn document(&self, reference: &ImageReference) -> Result<(Vec<u8>, Digest), FetchError> {
        let what = format!("image \"{reference}\"");
        let (bytes, _) =
            self.retrying(&what, || self.client.pull_manifest_raw(reference.as_oci(), self.auth, &ACCEPTED)).await?;
        if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
            return Err(FetchError::TooLarge { what, registry: self.registry(), bytes_max: DOCUMENT_BYTES_MAX });
        }
        let found = Digest::of(&bytes);
        match reference.digest() {
            Some(wanted) if wanted != found => {
                Err(FetchError::WrongDigest { what, registry: self.registry(), found: found.to_string() })
            }
            _ => Ok((bytes.to_vec(), found)),
        }
    }

    /// Makes a small request until it succeeds, fails for good, or was made often enough.
    async fn retrying<T, F>(&self, what: &str, request: impl Fn() -> F) -> Result<T, FetchError>
    where
        F: Future<Output = Result<T, OciDistributionError>>,
    {
        let mut attempt = 1;
        loop {
            let error = match tokio::time::timeout(self.options.answer, request()).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => self.classify(what, error),
                Err(_) => self.stalled(what, self.options.answer),
            };
            self.wait_or_give_up(error, attempt).await?;
            attempt += 1;
        }
    }

    async fn wait_or_give_up(&self, error: FetchError, attempt: u32) -> Result<(), FetchError> {
        if attempt >= ATTEMPTS_MAX || !error.is_transient() {
            return Err(error);
        }
        tracing::debug!(%error, attempt, "asking the registry again");
        tokio::time::sleep(RETRY_WAIT * 2u32.pow(attempt - 1)).await;
        Ok(())
    }

    /// Downloads the blob `digest` of `size` bytes to the new file `into`. A cut or stalled transfer is resumed where
    /// it ended; one that ends with wrong bytes after it was resumed is made once more from the start.
    pub(super) async fn blob(
        &self,
        digest: &Digest,
        size: u64,
        into: &Path,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), FetchError> {
        let what = format!("blob `{digest}` of image \"{}\"", self.reference);
        let bytes_max = self.options.download_bytes_max;
        if size > bytes_max {
            return Err(FetchError::TooLarge { what, registry: self.registry(), bytes_max });
        }
        let file = tokio::fs::File::create_new(into)
            .await
            .map_err(|source| FetchError::Write { what: what.clone(), source })?;
        let mut transfer = Transfer { what, digest, size, file, hasher: Hasher::default(), done: 0, resumed: false };
        let mut attempt = 1;
        loop {
            let before = transfer.done;
            let error = match self.transfer(&mut transfer, progress).await {
                Ok(()) => match transfer.verify() {
                    Ok(()) => return transfer.flush().await,
                    Err(_) if transfer.resumed => {
                        transfer.restart().await?;
                        transfer.resumed = false;
                        continue;
                    }
                    Err(found) => {
                        let what = transfer.what;
                        return Err(FetchError::WrongDigest { what, registry: self.registry(), found });
                    }
                },
                Err(error) => error,
            };
            // Progress earns new attempts: a line that is cut again and again still gets there.
            if transfer.done > before {
                attempt = 1;
            }
            self.wait_or_give_up(error, attempt).await?;
            attempt += 1;
        }
    }

    /// Receives bytes until the blob is whole or the connection ends.
    async fn transfer(
        &self,
        transfer: &mut Transfer<'_>,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), FetchError> {
        let stall = self.options.stall;
        let reference = self.reference.as_oci();
        self.client.store_auth_if_needed(reference.resolve_registry(), self.auth).await;
        let digest = transfer.digest.as_str();
        let failed = |what: &str, error| Err(self.classify(what, error));
        let mut stream = if transfer.done == 0 {
            match tokio::time::timeout(self.options.answer, self.client.pull_blob_stream(reference, digest)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return failed(&transfer.what, error),
                Err(_) => return Err(self.stalled(&transfer.what, self.options.answer)),
            }
        } else {
            transfer.resumed = true;
            let request = self.client.pull_blob_stream_partial(reference, digest, transfer.done, None);
            match tokio::time::timeout(self.options.answer, request).await {
                Ok(Ok(BlobResponse::Partial(stream))) => stream,
                Ok(Ok(BlobResponse::Full(stream))) => {
                    transfer.restart().await?;
                    stream
                }
                Ok(Err(error)) => return failed(&transfer.what, error),
                Err(_) => return Err(self.stalled(&transfer.what, self.options.answer)),
            }
        };
        loop {
            match tokio::time::timeout(stall, stream.next()).await {
                Err(_) => return Err(self.stalled(&transfer.what, stall)),
                Ok(None) if transfer.done < transfer.size => {
                    return Err(self.cut(&transfer.what, "the transfer ended early"));
                }
                Ok(None) => return Ok(()),
                // The client's own check of the digest ends the stream with an error; ours has the final word.
                Ok(Some(Err(_))) if transfer.done == transfer.size => return Ok(()),
                Ok(Some(Err(error))) => return Err(self.cut(&transfer.what, error)),
                Ok(Some(Ok(bytes))) => {
                    if transfer.done + bytes.len() as u64 > transfer.size {
                        let (what, bytes_max) = (transfer.what.clone(), transfer.size);
                        return Err(FetchError::TooLarge { what, registry: self.registry(), bytes_max });
                    }
                    transfer.write(&bytes).await?;
                    progress(transfer.done);
                }
            }
        }
    }

    fn stalled(&self, what: &str, bound: Duration) -> FetchError {
        FetchError::Stalled { what: what.to_owned(), registry: self.registry(), seconds: bound.as_secs() }
    }

    fn cut(&self, what: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> FetchError {
        FetchError::Unavailable { what: what.to_owned(), registry: self.registry(), source: source.into() }
    }

    /// Sorts the client's errors by what the caller can do about them.
    fn classify(&self, what: &str, error: OciDistributionError) -> FetchError {
        use OciDistributionError as E;
        let (what, registry) = (what.to_owned(), self.registry());
        let code = match &error {
            E::ServerError { code, .. } => *code,
            E::UnauthorizedError { .. } | E::AuthenticationFailure(_) => 401,
            E::RegistryError { envelope, .. } => envelope.errors.first().map_or(0, |first| match first.code {
                OciErrorCode::ManifestUnknown
                | OciErrorCode::NameUnknown
                | OciErrorCode::NotFound
                | OciErrorCode::BlobUnknown
                | OciErrorCode::ManifestBlobUnknown => 404,
                OciErrorCode::Unauthorized | OciErrorCode::Denied => 401,
                OciErrorCode::Toomanyrequests => 429,
                _ => 0,
            }),
            E::RequestError(_) | E::IoError(_) => 503,
            _ => 0,
        };
        match (code, error) {
            (404, _) => FetchError::NotFound { what, registry },
            (429, _) => FetchError::TooManyRequests { registry },
            (401 | 403, error) => FetchError::Denied { what, registry, source: Box::new(error) },
            (500..=599, error) => FetchError::Unavailable { what, registry, source: Box::new(error) },
            (_, E::DigestError(error)) => FetchError::WrongDigest { what, registry, found: error.to_string() },
            (_, error) => FetchError::Protocol { what, registry, source: Box::new(error) },
        }
    }
}

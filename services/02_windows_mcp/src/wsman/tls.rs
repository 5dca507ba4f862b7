//! Whose certificates are trusted, and the hash of a certificate a proof is bound to.

use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// Certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    /// The file cannot be read.
    #[error("the file of certificates cannot be read")]
    File(#[source] rustls::pki_types::pem::Error),
    /// There is none in it.
    #[error("there is no certificate to trust")]
    Empty,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// What certificates of hosts are checked against.
#[derive(Clone)]
pub(crate) struct Trust(TlsConnector);

impl Trust {
    /// The certificates of a file in PEM and no others; those of the system without one.
    pub(crate) fn of(file: Option<&Path>) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        let found = match file {
            Some(path) => CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(TrustError::File)?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        roots.add_parsable_certificates(found);
        if roots.is_empty() {
            return Err(TrustError::Empty);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config).into()))
    }

    pub(super) const fn connector(&self) -> &TlsConnector {
        &self.0
    }
}

/// The hash that stands for a certificate: with the algorithm of its own signature, SHA-256 where
/// that is older (RFC 5929).
pub(super) fn fingerprint(certificate: &[u8]) -> Vec<u8> {
    let algorithm = match signature(certificate) {
        // ecdsa-with-SHA384, sha384WithRSAEncryption
        Some([0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3] | [.., 1, 1, 12]) => &SHA384,
        // ecdsa-with-SHA512, sha512WithRSAEncryption
        Some([0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4] | [.., 1, 1, 13]) => &SHA512,
        _ => &SHA256,
    };
    digest(algorithm, certificate).as_ref().to_vec()
}

/// The object identifier of a certificate's signature.
fn signature(certificate: &[u8]) -> Option<&[u8]> {
    let (whole, _) = value(certificate, 0x30)?;
    let (_, after) = value(whole, 0x30)?;
    let (algorithm, _) = value(after, 0x30)?;
    value(algorithm, 0x06).map(|(identifier, _)| identifier)
}

/// Content of an element in DER, and what is behind it.
fn value(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let add = |length: usize, digit: &u8| length << 8 | usize::from(*digit);
            (digits.iter().fold(0, add), rest)
        }
        _ => return None,
    };
    (*first == tag).then(|| rest.split_at_checked(length))?
}

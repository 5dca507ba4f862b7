//! TLS at the edge: the certificate of a server, and which clients' certificates are believed.
//!
//! A client without a certificate still gets its connection, for the probes; routes that want one look
//! for [`ClientCertificate`] among a request's extensions.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig,
    SignatureScheme,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files of one end, all PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The own certificate, followed by those above it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Certificates whose holders vouch for the other end.
    pub authority: PathBuf,
}

/// The client of this request showed a certificate that is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientCertificate;

/// Why TLS cannot be spoken. Names which file, never its content.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds nothing of the kind.
    #[error("the {0} cannot be read")]
    File(&'static str, #[source] pem::Error),
    /// A file holds none of what it should.
    #[error("the {0} holds no certificate")]
    Empty(&'static str),
    /// Certificate and key do not fit, or cannot be used.
    #[error("the certificate or its key cannot be used")]
    Unusable(#[from] rustls::Error),
    /// The authority cannot be used.
    #[error("the certificate of the authority cannot be used")]
    Authority(#[from] VerifierBuilderError),
}

/// A server that shows its certificate and believes clients the authority vouches for.
///
/// # Errors
/// [`TlsError`] names the file.
pub fn server(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.authority, "file of the authority")? {
        roots.add(certificate)?;
    }
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()?;
    let chain = certificates(&files.certificate, "file of the certificate")?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| TlsError::File("file of the key", error))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A client that believes exactly the certificate in this file, whatever name it is for: how a process
/// asks itself over loopback.
///
/// # Errors
/// [`TlsError`] names the file.
pub fn client_of_own(certificate: &Path) -> Result<Arc<ClientConfig>, TlsError> {
    let mut chain = certificates(certificate, "file of the certificate")?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let own = OwnCertificate {
        certificate: chain.swap_remove(0),
        provider: Arc::clone(&provider),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(own))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// At least one.
fn certificates(path: &Path, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| TlsError::File(what, error))?;
    if found.is_empty() {
        return Err(TlsError::Empty(what));
    }
    Ok(found)
}

#[derive(Debug)]
struct OwnCertificate {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for OwnCertificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

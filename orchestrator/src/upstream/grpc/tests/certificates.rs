//! Hub and spoke that know each other by certificates.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use shared::testkit::TestSpoke;

/// Somebody who vouches for others.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { pem, issuer }
    }

    /// A certificate for 127.0.0.1 and its key.
    fn vouches(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    async fn spoke(&self, files: &std::path::Path, hub: &HubKey) -> TestSpoke {
        let (certificate, key) = self.vouches();
        let write = |name: &str, bytes: &[u8]| {
            let path = files.join(name);
            std::fs::write(&path, bytes).unwrap();
            path.display().to_string()
        };
        let paths = [
            (
                "WAYGATE_SPOKE_TLS_CERT_PATH",
                write("crt", certificate.as_bytes()),
            ),
            ("WAYGATE_SPOKE_TLS_KEY_PATH", write("key", key.as_bytes())),
            (
                "WAYGATE_SPOKE_TLS_CA_PATH",
                write("ca", self.pem.as_bytes()),
            ),
            (
                "WAYGATE_CALL_PUBLIC_KEY_PATH",
                write("pub", hub.public_key()),
            ),
        ];
        let mut variables = vec![("WAYGATE_SPOKE_AUTH", "mtls")];
        variables.extend(paths.iter().map(|(name, path)| (*name, path.as_str())));
        TestSpoke::with(&variables).await
    }
}

/// A client of the spoke at `url` that believes `believes` and shows what `shows` vouches for.
fn client(url: &str, key: &Arc<HubKey>, believes: &Authority, shows: &Authority) -> SpokeClient {
    let (certificate, own) = shows.vouches();
    let tls = SpokeTls {
        authority: believes.pem.clone().into_bytes(),
        certificate: certificate.into_bytes(),
        key: Secret::new(own),
    };
    let target = SpokeTarget {
        service: "99_test_mcp".into(),
        url: url.to_owned(),
        token: None,
    };
    let clock = SystemClock::shared();
    SpokeClient::over_tls(&target, Arc::clone(key), clock, Arc::default(), &tls).unwrap()
}

/// Acceptance: 100
#[tokio::test]
async fn a_client_without_a_certificate_gets_as_far_as_the_probes() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let key = Arc::new(HubKey::generate().unwrap());
    let files = tempfile::tempdir().unwrap();
    let spoke = authority.spoke(files.path(), &key).await;
    let url = format!("https://{}", spoke.running.address);

    let known = client(&url, &key, &authority, &authority);
    assert_eq!(&*known.describe().await.unwrap().service, "99_test_mcp");
    let forged = client(&url, &key, &authority, &stranger).describe().await;
    assert!(
        matches!(
            forged,
            Err(UpstreamError::Unreachable(_) | UpstreamError::Lost(_))
        ),
        "{forged:?}"
    );
    let deceived = client(&url, &key, &stranger, &authority).describe().await;
    assert!(
        matches!(deceived, Err(UpstreamError::Unreachable(_))),
        "{deceived:?}"
    );

    let root = reqwest::Certificate::from_pem(authority.pem.as_bytes()).unwrap();
    let anonymous = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([root])
        .build()
        .unwrap();
    let health = anonymous.get(format!("{url}/health")).send().await.unwrap();
    assert_eq!(health.status(), 200);
    let refused = anonymous
        .post(format!("{url}/mcp"))
        .header(
            "authorization",
            format!("Bearer {}", shared::testkit::SPOKE_TOKEN),
        )
        .header("content-type", "application/json")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 401);
    let config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&authority.pem));
    let endpoint = Endpoint::from_shared(url.clone()).unwrap();
    let channel = endpoint.tls_config(config).unwrap().connect_lazy();
    let described = Stub::new(channel).describe(DescribeRequest {}).await;
    assert_eq!(described.unwrap_err().code(), tonic::Code::Unauthenticated);
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    let plain = plain.get(spoke.url("/health")).send().await;
    assert!(plain.is_err(), "the port speaks TLS only");
}

//! The settings of the harness itself; those of the spoke's tools are the spoke's own.

use crate::config::{ConfigError, Environment, Kind, Loaded, Sources, Variable, load};
use crate::http::tls::{self, TlsError, TlsFiles};
use crate::secret::{Secret, SecretError, SecretProvider};
use crate::telemetry::{Format, Level};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls::ServerConfig;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DEFAULTS: &str = include_str!("settings/default.toml");

const VARIABLES: &[Variable] = &[
    Variable::new("WAYGATE_HOST", "host", Kind::Text).or(&["SERVER_HOST"]),
    Variable::new("WAYGATE_SPOKE_AUTH", "auth", Kind::Text),
    Variable::new("WAYGATE_SPOKE_TOKEN_PATH", "token_path", Kind::Text),
    Variable::new(PUBLIC_KEY_VARIABLE, "call_public_key_path", Kind::Text),
    Variable::new("WAYGATE_SPOKE_TLS_CERT_PATH", "tls_cert_path", Kind::Text),
    Variable::new("WAYGATE_SPOKE_TLS_KEY_PATH", "tls_key_path", Kind::Text),
    Variable::new("WAYGATE_SPOKE_TLS_CA_PATH", "tls_ca_path", Kind::Text),
    Variable::new("WAYGATE_SPOKE_ALLOWED_HOSTS", "allowed_hosts", Kind::List),
    Variable::new("WAYGATE_DATA_DIR", "data_dir", Kind::Text),
    Variable::new("WAYGATE_APPROVAL_TTL", "approval_seconds", Kind::Integer),
    Variable::new(
        "WAYGATE_APPROVAL_TOKEN_TTL",
        "approval_token_seconds",
        Kind::Integer,
    ),
    Variable::new(
        "WAYGATE_MAX_REQUEST_SIZE",
        "max_request_bytes",
        Kind::Integer,
    ),
    Variable::new(
        "WAYGATE_SPOKE_MAX_RESULT_SIZE",
        "max_result_bytes",
        Kind::Integer,
    ),
    Variable::new(
        "WAYGATE_SPOKE_MAX_CALLS",
        "max_concurrent_calls",
        Kind::Integer,
    ),
    Variable::new("LOG_LEVEL", "log_level", Kind::Text),
    Variable::new("LOG_FORMAT", "log_format", Kind::Text),
    Variable::new("TRACING_ENABLED", "tracing_enabled", Kind::Boolean),
    Variable::new("WAYGATE_OTLP_ENDPOINT", "otlp_endpoint", Kind::Text)
        .or(&["OTEL_EXPORTER_OTLP_ENDPOINT"]),
];

const PUBLIC_KEY_VARIABLE: &str = "WAYGATE_CALL_PUBLIC_KEY_PATH";
/// A shorter credential could be guessed.
const MIN_TOKEN_BYTES: usize = 16;
const KEY_BYTES: usize = 32;

/// The harness's settings; each is explained in `default.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) host: IpAddr,
    pub(super) auth: Auth,
    pub(super) token_path: PathBuf,
    pub(super) call_public_key_path: PathBuf,
    pub(super) tls_cert_path: PathBuf,
    pub(super) tls_key_path: PathBuf,
    pub(super) tls_ca_path: PathBuf,
    pub(super) allowed_hosts: Vec<String>,
    pub(super) data_dir: PathBuf,
    pub(super) approval_seconds: u32,
    pub(super) approval_token_seconds: u32,
    pub(super) timeout_seconds: u32,
    pub(super) long_timeout_seconds: u32,
    pub(super) max_concurrent_calls: u16,
    pub(super) max_request_bytes: u32,
    pub(super) max_result_bytes: u32,
    pub(super) log_level: Level,
    pub(super) log_format: Format,
    pub(super) tracing_enabled: bool,
    pub(super) otlp_endpoint: String,
}

/// What a caller must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Auth {
    /// The shared key of hub and spokes.
    Token,
    /// Nothing; on loopback only.
    None,
    /// A certificate, over TLS.
    Mtls,
}

/// Settings of the harness that cannot be used; the program stops with exit code 64.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A key or variable cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A port is not one.
    #[error("variable {0}: expected a port from 1 to 65535")]
    Port(String),
    /// No credential is asked for where others than this host could call.
    #[error("variable WAYGATE_SPOKE_AUTH: none is only for loopback, WAYGATE_HOST is {0}")]
    Open(IpAddr),
    /// TLS cannot be spoken with the files of `WAYGATE_SPOKE_TLS_*_PATH`.
    #[error("variables WAYGATE_SPOKE_TLS_*_PATH: {0}")]
    Tls(#[source] TlsError),
    /// The secret is set but cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A key file is away or may not be read.
    #[error("the file named by {variable} cannot be read")]
    Unreadable {
        /// The variable that names the file.
        variable: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A key file holds something else.
    #[error("the file named by {variable} {rule}")]
    Unusable {
        /// The variable that names the file.
        variable: &'static str,
        /// What is wrong with it.
        rule: &'static str,
    },
}

/// Reads the harness's settings.
pub(super) fn read(environment: &Environment) -> Result<Loaded<Settings>, SettingsError> {
    let loaded = load::<Settings>(&Sources {
        defaults: DEFAULTS,
        files: &[],
        variables: VARIABLES,
        environment,
    })?;
    match loaded.config.auth {
        Auth::None if !loaded.config.host.is_loopback() => {
            Err(SettingsError::Open(loaded.config.host))
        }
        _ => Ok(loaded),
    }
}

/// `MCP_PORT` (0 lets the system choose), else `MCP_PORT_NN`, else the first
/// `MCP_PORT_NN_<anything>`, else 8000 + number.
pub(super) fn port(number: u16, environment: &Environment) -> Result<u16, SettingsError> {
    let numbered = format!("MCP_PORT_{number:02}");
    let named = format!("{numbered}_");
    let found = ["MCP_PORT", &numbered]
        .into_iter()
        .find_map(|name| environment.get(name).map(|value| (name, value)))
        .or_else(|| {
            environment
                .iter()
                .find(|(name, value)| name.starts_with(&named) && !value.is_empty())
        });
    match found {
        None => Ok(8000_u16.saturating_add(number)),
        Some((name, text)) => match text.trim().parse() {
            Ok(port) if port > 0 || name == "MCP_PORT" => Ok(port),
            _ => Err(SettingsError::Port(name.to_owned())),
        },
    }
}

impl Settings {
    /// Where to listen.
    pub(super) fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.host, port)
    }

    /// The shared key; `None` when none is asked for.
    pub(super) fn token(
        &self,
        secrets: &dyn SecretProvider,
    ) -> Result<Option<Secret>, SettingsError> {
        const VARIABLE: &str = "WAYGATE_SPOKE_TOKEN_PATH";
        if self.auth != Auth::Token {
            return Ok(None);
        }
        let token = match secrets.get("SPOKE_TOKEN")? {
            Some(token) => token,
            None => {
                let text = std::fs::read_to_string(&self.token_path);
                let text = text.map_err(|source| SettingsError::Unreadable {
                    variable: VARIABLE,
                    source,
                })?;
                Secret::new(text.trim())
            }
        };
        if token.expose().len() < MIN_TOKEN_BYTES {
            return Err(SettingsError::Unusable {
                variable: VARIABLE,
                rule: "holds fewer than 16 characters",
            });
        }
        Ok(Some(token))
    }

    /// How TLS is spoken; `None` when it is not.
    pub(super) fn tls(&self) -> Result<Option<Arc<ServerConfig>>, SettingsError> {
        if self.auth != Auth::Mtls {
            return Ok(None);
        }
        let files = TlsFiles {
            certificate: self.tls_cert_path.clone(),
            key: self.tls_key_path.clone(),
            authority: self.tls_ca_path.clone(),
        };
        tls::server(&files).map(Some).map_err(SettingsError::Tls)
    }

    /// The hub's public key; `None` when there is no file and none was asked for.
    pub(super) fn public_key(
        &self,
        environment: &Environment,
    ) -> Result<Option<Vec<u8>>, SettingsError> {
        match std::fs::read(&self.call_public_key_path) {
            Ok(bytes) => decoded(&bytes).map(Some).ok_or(SettingsError::Unusable {
                variable: PUBLIC_KEY_VARIABLE,
                rule: "holds no Ed25519 public key",
            }),
            Err(error)
                if error.kind() == std::io::ErrorKind::NotFound
                    && environment.get(PUBLIC_KEY_VARIABLE).is_none() =>
            {
                Ok(None)
            }
            Err(source) => Err(SettingsError::Unreadable {
                variable: PUBLIC_KEY_VARIABLE,
                source,
            }),
        }
    }

    /// The folder of one spoke's own files.
    pub(super) fn folder(&self, service: &str) -> PathBuf {
        Path::new(&self.data_dir).join(service)
    }
}

/// 32 bytes: raw, as hex, as base64 (either alphabet), or as a PEM `PUBLIC KEY`.
fn decoded(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() == KEY_BYTES {
        return Some(bytes.to_vec());
    }
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let base64 = |text: &str| {
        let either = STANDARD.decode(text);
        either.or_else(|_error| URL_SAFE_NO_PAD.decode(text)).ok()
    };
    let key = match text.strip_prefix("-----BEGIN PUBLIC KEY-----") {
        Some(rest) => {
            let body: String = rest.split("-----END").next()?.split_whitespace().collect();
            // The fixed head of an Ed25519 SubjectPublicKeyInfo (RFC 8410).
            const HEAD: [u8; 12] = [
                0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
            ];
            base64(&body)?.strip_prefix(&HEAD)?.to_vec()
        }
        None => hex::decode(text).ok().or_else(|| base64(text))?,
    };
    (key.len() == KEY_BYTES).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::read as read_settings;
    use super::*;

    /// Acceptance: 13
    #[test]
    fn ports_come_from_the_environment_and_bad_ones_are_named() {
        let check = |pairs: &[(&str, &str)], expected: Result<u16, &str>| {
            let mut environment = Environment::default();
            for (name, value) in pairs {
                environment.set(*name, *value);
            }
            let got = port(12, &environment).map_err(|error| error.to_string());
            match (got, expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got, expected),
                (Err(got), Err(name)) => assert!(got.contains(name), "{got}"),
                (got, expected) => panic!("{got:?} instead of {expected:?}"),
            }
        };
        check(&[], Ok(8012));
        check(&[("MCP_PORT_12", "9112")], Ok(9112));
        check(
            &[("MCP_PORT_12_CMDB", "9113"), ("MCP_PORT_11", "1")],
            Ok(9113),
        );
        check(&[("MCP_PORT_12", "9112"), ("MCP_PORT", "9")], Ok(9));
        check(&[("MCP_PORT", "abc")], Err("MCP_PORT:"));
        check(&[("MCP_PORT_12_CMDB", "0")], Err("MCP_PORT_12_CMDB:"));
        check(&[("MCP_PORT", "70000")], Err("MCP_PORT:"));
    }

    /// Acceptance: 100
    #[test]
    fn no_credential_only_on_loopback() {
        let read = |host: &str| {
            let pairs = [("WAYGATE_SPOKE_AUTH", "none"), ("WAYGATE_HOST", host)];
            read_settings(&Environment::from(pairs))
        };
        assert!(read("127.0.0.1").is_ok());
        assert!(read("::1").is_ok());
        let error = read("0.0.0.0").unwrap_err().to_string();
        assert!(error.contains("WAYGATE_SPOKE_AUTH"), "{error}");
        let mtls = read_settings(&Environment::from([("WAYGATE_SPOKE_AUTH", "mtls")]));
        let missing = mtls.unwrap().config.tls().unwrap_err().to_string();
        assert!(missing.contains("WAYGATE_SPOKE_TLS"), "{missing}");
    }

    #[test]
    fn public_keys_are_read_in_every_usual_form() {
        use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
        use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
        let pair = Ed25519KeyPair::generate().unwrap();
        let raw = pair.public_key().as_ref();
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        for form in [
            raw.to_vec(),
            format!("{}\n", hex::encode(raw)).into_bytes(),
            STANDARD.encode(raw).into_bytes(),
            URL_SAFE_NO_PAD.encode(raw).into_bytes(),
            pem.into_bytes(),
        ] {
            assert_eq!(decoded(&form).as_deref(), Some(raw));
        }
        assert_eq!(decoded(b"not a key"), None);
    }
}

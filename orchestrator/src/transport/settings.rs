//! How the HTTP doors are set. Made once by the composition root from the hub's configuration.

use http::HeaderName;
use ipnet::IpNet;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of everything that answers HTTP.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Header that carries an API key.
    pub api_key_header: HeaderName,
    /// Networks whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Networks that may read `/metrics`.
    pub metrics_allow: Vec<IpNet>,
    /// Names a request may ask for in `Host`, without port; loopback names always may.
    pub allowed_hosts: Vec<String>,
    /// Origins that may use the hub from a browser, such as `https://desk.example`.
    pub cors_origins: Vec<String>,
    /// Largest request body, in bytes.
    pub body_bytes: usize,
    /// Longest time of a request that is no stream and no tool call.
    pub request_timeout: Duration,
    /// Requests a minute of one principal to one route; 0 means unlimited.
    pub endpoint_per_minute: u32,
    /// The same for `POST /mcp/execute`.
    pub execute_per_minute: u32,
    /// Streams open at once.
    pub max_streams: usize,
    /// Clients come over TLS, so they may be told to stay there.
    pub https: bool,
    /// Documents about the API are open, errors of the desk are tolerated.
    pub development: bool,
    /// Folder whose being writable belongs to health.
    pub data_folder: PathBuf,
    /// `local_vm` or `container`.
    pub mode: &'static str,
    /// Address clients use, without a slash at the end; empty when none was set.
    pub public_url: String,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            api_key_header: HeaderName::from_static("x-api-key"),
            trusted_proxies: Vec::new(),
            metrics_allow: Vec::new(),
            allowed_hosts: Vec::new(),
            cors_origins: Vec::new(),
            body_bytes: 10 * 1024 * 1024,
            request_timeout: Duration::from_secs(30),
            endpoint_per_minute: 500,
            execute_per_minute: 100,
            max_streams: 1000,
            https: false,
            development: false,
            data_folder: PathBuf::from("."),
            mode: "local_vm",
            public_url: String::new(),
        }
    }
}

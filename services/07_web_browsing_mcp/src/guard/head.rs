//! Heads of HTTP messages, as far as a proxy has to read them. Bodies are not looked at.

use tokio::io::{AsyncRead, AsyncReadExt};
use url::Url;

/// Longest head, in bytes.
const MAX_HEAD: usize = 64 * 1024;
const END: &[u8] = b"\r\n\r\n";
/// Headers that concern one connection only, or that are written anew.
const OF_THE_CONNECTION: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
    "x-waygate-refused",
    "x-waygate-failed",
];

/// The first line and the headers of a message, and what came after them.
#[derive(Debug)]
pub(super) struct Head {
    first: String,
    headers: Vec<String>,
    /// Bytes that were read with the head and belong to what follows.
    pub(super) rest: Vec<u8>,
}

/// Where a request wants to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Name or address, without brackets, in lower case.
    pub(super) host: String,
    pub(super) port: u16,
    /// `CONNECT`, as opposed to a request to pass on.
    pub(super) is_tunnel: bool,
}

/// A request no browser would make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a request to a proxy")]
pub(super) struct HeadError;

impl Target {
    /// The target as an address on the web.
    pub(super) fn url(&self) -> String {
        match self.host.contains(':') {
            true => format!("http://[{}]:{}/", self.host, self.port),
            false => format!("http://{}:{}/", self.host, self.port),
        }
    }
}

impl Head {
    /// Reads up to the empty line.
    ///
    /// # Errors
    /// When the peer stops, or the head is longer than 64 KiB or not text.
    pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> std::io::Result<Self> {
        let odd = || std::io::Error::from(std::io::ErrorKind::InvalidData);
        let mut bytes = Vec::with_capacity(2048);
        let end = loop {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(at) = bytes.windows(END.len()).position(|part| part == END) {
                break at;
            }
            if bytes.len() > MAX_HEAD {
                return Err(odd());
            }
        };
        let rest = bytes.split_off(end + END.len());
        bytes.truncate(end);
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.split("\r\n").map(str::to_owned);
        let first = lines.next().ok_or_else(odd)?;
        Ok(Self {
            first,
            headers: lines.collect(),
            rest,
        })
    }

    /// Where the request wants to go.
    pub(super) fn target(&self) -> Result<Target, HeadError> {
        let (method, place, _) = self.request()?;
        let is_tunnel = method.eq_ignore_ascii_case("CONNECT");
        let url = match is_tunnel {
            true => Url::parse(&format!("http://{place}/")),
            false => Url::parse(place),
        };
        let url = url.or(Err(HeadError))?;
        if url.scheme() != "http" {
            return Err(HeadError);
        }
        let host = url.host_str().ok_or(HeadError)?;
        let host = host.trim_matches(['[', ']']).trim_end_matches('.');
        Ok(Target {
            host: host.to_ascii_lowercase(),
            port: url.port_or_known_default().ok_or(HeadError)?,
            is_tunnel,
        })
    }

    /// The request as the host itself takes it, alone on its connection.
    pub(super) fn towards(&self) -> Vec<u8> {
        let (method, place, version) = self.request().unwrap_or(("GET", "/", "HTTP/1.1"));
        let path = Url::parse(place).map_or_else(
            |_| "/".to_owned(),
            |url| match url.query() {
                Some(query) => format!("{}?{query}", url.path()),
                None => url.path().to_owned(),
            },
        );
        self.with(&format!("{method} {path} {version}"))
    }

    /// The response, after which the connection ends.
    pub(super) fn closing(&self) -> Vec<u8> {
        if self.is_interim() {
            let mut text = self.first.clone();
            for header in &self.headers {
                text.push_str("\r\n");
                text.push_str(header);
            }
            text.push_str("\r\n\r\n");
            return text.into_bytes();
        }
        self.with(&self.first)
    }

    /// Whether another response follows this one.
    pub(super) fn is_interim(&self) -> bool {
        let status = self.first.split(' ').nth(1).unwrap_or_default();
        status.len() == 3 && status.starts_with('1') && status != "101"
    }

    fn request(&self) -> Result<(&str, &str, &str), HeadError> {
        let mut words = self.first.split(' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some(method), Some(place), Some(version), None) => Ok((method, place, version)),
            _ => Err(HeadError),
        }
    }

    fn with(&self, first: &str) -> Vec<u8> {
        let mut text = first.to_owned();
        for header in &self.headers {
            let name = header.split(':').next().unwrap_or_default().trim();
            let dropped = OF_THE_CONNECTION
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known));
            if !dropped {
                text.push_str("\r\n");
                text.push_str(header);
            }
        }
        text.push_str("\r\nConnection: close\r\n\r\n");
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn head(text: &str) -> std::io::Result<Head> {
        Head::read(&mut text.as_bytes()).await
    }

    async fn target(first: &str) -> Result<Target, HeadError> {
        head(&format!("{first}\r\nHost: x\r\n\r\n"))
            .await
            .unwrap()
            .target()
    }

    #[tokio::test]
    async fn the_target_of_a_request_is_its_url_and_not_its_host_header() {
        let found = target("GET http://Example.COM./a?b HTTP/1.1")
            .await
            .unwrap();
        assert_eq!((found.host.as_str(), found.port), ("example.com", 80));
        assert!(!found.is_tunnel);
        let found = target("CONNECT [::1]:8443 HTTP/1.1").await.unwrap();
        assert_eq!((found.host.as_str(), found.port), ("::1", 8443));
        assert!(found.is_tunnel);
        assert_eq!(found.url(), "http://[::1]:8443/");
        let found = target("GET http://0x7f.1:90/ HTTP/1.1").await.unwrap();
        assert_eq!((found.host.as_str(), found.port), ("127.0.0.1", 90));
    }

    #[tokio::test]
    async fn what_no_browser_sends_is_refused() {
        for first in [
            "GET /a HTTP/1.1",
            "GET ftp://a/ HTTP/1.1",
            "GET",
            "CONNECT a b c",
        ] {
            assert_eq!(target(first).await, Err(HeadError), "{first}");
        }
        assert!(head("GET http://a/ HTTP/1.1\r\n").await.is_err());
        assert!(head(&"x".repeat(MAX_HEAD + 1)).await.is_err());
    }

    #[tokio::test]
    async fn a_request_goes_alone_on_its_connection() {
        let head = head(
            "POST http://a.example/b?c=1 HTTP/1.1\r\nHost: a.example\r\nProxy-Connection: keep-alive\r\n\
             Content-Length: 2\r\n\r\nhi",
        )
        .await
        .unwrap();
        let sent = head.towards();
        assert_eq!(
            String::from_utf8(sent).unwrap(),
            "POST /b?c=1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(head.rest, b"hi");
    }

    #[tokio::test]
    async fn a_page_cannot_pretend_to_be_the_guard() {
        let head = head("HTTP/1.1 200 OK\r\nX-Waygate-Refused: 1\r\nA: b\r\n\r\n")
            .await
            .unwrap();
        let sent = String::from_utf8(head.closing()).unwrap();
        assert_eq!(sent, "HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\n");
        assert!(!head.is_interim());
    }
}

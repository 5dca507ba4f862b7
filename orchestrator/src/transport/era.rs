//! Which revision one message speaks. Both eras share one endpoint.
//!
//! `initialize` opens the legacy era, `_meta` with a protocol version is the modern one. Sessions and
//! methods are not looked at here.

use super::fault::Fault;
use super::headers::{self, PROTOCOL_VERSION};
use super::meta::Meta;
use super::revision::Revision;
use http::{HeaderMap, StatusCode};
use proto::mcp::{MODERN, Params};

/// How a request is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// Stands alone; checked headers and `_meta`.
    Modern,
    /// Opens a session.
    Initialize,
    /// Through the session adapter; `None` when the client did not say which revision.
    Legacy(Option<Revision>),
}

/// Methods only the modern era has.
const MODERN_METHODS: [&str; 2] = ["server/discover", "subscriptions/listen"];

/// Chooses the era of a request that came over HTTP.
///
/// # Errors
/// −32022 for a revision that is not served, −32020 when header and body differ, −32602 when a modern
/// request lacks its `_meta`.
pub fn of_request(
    headers: &HeaderMap,
    method: &str,
    params: &Params<'_>,
    meta: &Meta<'_>,
) -> Result<Era, Fault> {
    // A request that says it is of the modern era is, and there the method does not exist.
    if method == "initialize" && meta.protocol_version.is_none() {
        return Ok(Era::Initialize);
    }
    let header = headers::single(headers, PROTOCOL_VERSION)?;
    match (meta.protocol_version.as_deref(), header) {
        (Some(_), None) => Err(Fault::header_mismatch(
            "header MCP-Protocol-Version is missing",
        )),
        (Some(body), Some(header)) if body != header => Err(Fault::header_mismatch(
            "header MCP-Protocol-Version differs from the body",
        )),
        (Some(body), Some(_)) => modern(body, method, params, meta, headers),
        (None, Some(MODERN)) => Err(missing(meta)),
        (None, _) if MODERN_METHODS.contains(&method) => Err(missing(meta)),
        (None, header) => legacy(header).map(Era::Legacy),
    }
}

/// The revision a legacy header names; `None` without one.
///
/// # Errors
/// 400 for a revision that is not served.
pub fn legacy(header: Option<&str>) -> Result<Option<Revision>, Fault> {
    match header.map(|text| (text, Revision::parse(text))) {
        None => Ok(None),
        Some((_, Some(revision))) if !revision.is_modern() => Ok(Some(revision)),
        Some((text, _)) => Err(unsupported(text)),
    }
}

/// Chooses the era of a request on a byte stream, which has no headers.
///
/// # Errors
/// As [`of_request`], without the header faults.
pub fn of_line(method: &str, meta: &Meta<'_>) -> Result<Era, Fault> {
    match meta.protocol_version.as_deref() {
        None if method == "initialize" => Ok(Era::Initialize),
        Some(version) => served(version, meta).map(|()| Era::Modern),
        None if MODERN_METHODS.contains(&method) => Err(missing(meta)),
        None => Ok(Era::Legacy(None)),
    }
}

fn modern(
    version: &str,
    method: &str,
    params: &Params<'_>,
    meta: &Meta<'_>,
    headers: &HeaderMap,
) -> Result<Era, Fault> {
    served(version, meta)?;
    headers::check_standard(headers, method, params)?;
    Ok(Era::Modern)
}

fn served(version: &str, meta: &Meta<'_>) -> Result<(), Fault> {
    if version != MODERN {
        return Err(unsupported(version));
    }
    if meta.client_capabilities.is_none() {
        return Err(missing(meta));
    }
    Ok(())
}

fn unsupported(version: &str) -> Fault {
    let shown: String = version.chars().take(64).collect();
    Fault::unsupported_version(&shown)
}

fn missing(meta: &Meta<'_>) -> Fault {
    let keys = meta.missing_modern_keys().join(", ");
    Fault::invalid_params(format!("_meta lacks {keys}")).with_status(StatusCode::BAD_REQUEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::mcp::code;
    use serde_json::value::RawValue;

    /// The era of a call with this header and `_meta`, or the code and status of the refusal.
    fn check(method: &str, header: Option<&str>, meta: &str) -> Result<Era, (i32, u16)> {
        let mut headers = HeaderMap::new();
        headers.insert("mcp-method", method.parse().unwrap());
        if let Some(version) = header {
            headers.insert(PROTOCOL_VERSION, version.parse().unwrap());
        }
        let raw = RawValue::from_string(meta.to_owned()).unwrap();
        let params = Params {
            meta: Some(&raw),
            ..Params::default()
        };
        let meta = Meta::parse(params.meta).unwrap();
        of_request(&headers, method, &params, &meta)
            .map_err(|fault| (fault.code, fault.status.as_u16()))
    }

    const META: &str = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

    #[test]
    fn meta_selects_the_modern_era() {
        assert_eq!(check("tools/list", Some(MODERN), META), Ok(Era::Modern));
        assert_eq!(
            check("tools/list", None, META),
            Err((code::HEADER_MISMATCH, 400))
        );
        assert_eq!(
            check("tools/list", Some("2025-11-25"), META),
            Err((code::HEADER_MISMATCH, 400))
        );
        assert_eq!(
            check("tools/list", Some(MODERN), "{}"),
            Err((code::INVALID_PARAMS, 400))
        );
        assert_eq!(
            check("server/discover", None, "{}"),
            Err((code::INVALID_PARAMS, 400))
        );
        let bare = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
        assert_eq!(
            check("tools/list", Some(MODERN), bare),
            Err((code::INVALID_PARAMS, 400))
        );
    }

    #[test]
    fn a_revision_that_is_not_served_is_named() {
        let meta = META.replace("2026-07-28", "2031-01-01");
        assert_eq!(
            check("tools/list", Some("2031-01-01"), &meta),
            Err((code::UNSUPPORTED_VERSION, 400))
        );
        assert_eq!(
            check("tools/list", Some("2031-01-01"), "{}"),
            Err((code::UNSUPPORTED_VERSION, 400))
        );
        let old = META.replace("2026-07-28", "2025-11-25");
        assert_eq!(
            check("tools/list", Some("2025-11-25"), &old),
            Err((code::UNSUPPORTED_VERSION, 400))
        );
    }

    #[test]
    fn everything_else_is_legacy() {
        assert_eq!(check("tools/list", None, "{}"), Ok(Era::Legacy(None)));
        assert_eq!(
            check("tools/list", Some("2025-06-18"), "{}"),
            Ok(Era::Legacy(Some(Revision::June2025)))
        );
        assert_eq!(check("initialize", None, "{}"), Ok(Era::Initialize));
        assert_eq!(check("initialize", Some(MODERN), META), Ok(Era::Modern));
    }
}

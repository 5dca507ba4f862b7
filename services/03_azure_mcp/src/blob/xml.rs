//! The XML of the Blob service.

use super::date;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use quick_xml::de::from_str;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One page of blobs.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) blobs: Vec<Blob>,
    /// Where the next page begins.
    pub(crate) next: Option<String>,
}

/// One blob.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Blob {
    /// Its name.
    name: String,
    /// Its size.
    size_bytes: u64,
    /// Its media type.
    content_type: String,
    /// Changes whenever it does.
    etag: String,
    /// When it was changed last.
    #[schemars(with = "String", extend("format" = "date-time"))]
    modified_at: Timestamp,
    /// Hot, Cool, Cold or Archive; null when the account has no tiers.
    tier: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Enumeration {
    #[serde(default)]
    blobs: Blobs,
    #[serde(default)]
    next_marker: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Blobs {
    #[serde(default)]
    blob: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    name: Name,
    properties: Properties,
}

#[derive(Deserialize)]
struct Name {
    /// Names XML cannot hold are percent-encoded.
    #[serde(rename = "@Encoded", default)]
    encoded: bool,
    #[serde(rename = "$text", default)]
    text: String,
}

#[derive(Deserialize)]
struct Properties {
    #[serde(rename = "Last-Modified")]
    modified: String,
    #[serde(rename = "Etag", default)]
    etag: String,
    #[serde(rename = "Content-Length")]
    length: u64,
    #[serde(rename = "Content-Type", default)]
    content_type: String,
    #[serde(rename = "AccessTier", default)]
    tier: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ServiceProperties {
    delete_retention_policy: Option<Retention>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Retention {
    enabled: bool,
}

impl Listed {
    /// Reads a page; `None` when it is none.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let page: Enumeration = read(body)?;
        let blobs: Option<Vec<Blob>> = page.blobs.blob.into_iter().map(blob).collect();
        Some(Self {
            blobs: blobs?,
            next: Some(page.next_marker).filter(|marker| !marker.is_empty()),
        })
    }
}

/// Whether deleted blobs are kept for a while; `None` when it does not say.
pub(super) fn keeps_deleted(body: &[u8]) -> Option<bool> {
    let properties: ServiceProperties = read(body)?;
    Some(properties.delete_retention_policy?.enabled)
}

fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Option<T> {
    let text = std::str::from_utf8(body).ok()?;
    from_str(text.trim_start_matches('\u{feff}')).ok()
}

fn blob(row: Row) -> Option<Blob> {
    let Name { encoded, text } = row.name;
    let name = match encoded {
        true => percent_decode_str(&text).decode_utf8_lossy().into_owned(),
        false => text,
    };
    Some(Blob {
        name,
        size_bytes: row.properties.length,
        content_type: row.properties.content_type,
        etag: row.properties.etag.trim_matches('"').to_owned(),
        modified_at: date(&row.properties.modified)?,
        tier: row.properties.tier,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_blobs_is_read() {
        let page = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults \
            ServiceEndpoint=\"https://a.blob.core.windows.net/\" ContainerName=\"c\"><Blobs>\
            <Blob><Name>a &amp; b.txt</Name><Properties><Last-Modified>Fri, 20 Nov 2026 12:00:00 GMT\
            </Last-Modified><Etag>0x8D</Etag><Content-Length>5</Content-Length><Content-Type>\
            text/plain</Content-Type><AccessTier>Hot</AccessTier></Properties></Blob>\
            <Blob><Name Encoded=\"true\">x%EF%BF%BE</Name><Properties><Last-Modified>\
            Fri, 20 Nov 2026 12:00:00 GMT</Last-Modified><Content-Length>0</Content-Length>\
            </Properties></Blob></Blobs><NextMarker>m1</NextMarker></EnumerationResults>";
        let listed = Listed::read(page.as_bytes()).unwrap();
        assert_eq!(listed.next.as_deref(), Some("m1"));
        assert_eq!(listed.blobs[0].name, "a & b.txt");
        assert_eq!(listed.blobs[0].tier.as_deref(), Some("Hot"));
        assert_eq!(listed.blobs[1].name, "x\u{fffe}");
        let empty = b"<EnumerationResults><Blobs /><NextMarker /></EnumerationResults>";
        let listed = Listed::read(empty).unwrap();
        assert!(listed.blobs.is_empty() && listed.next.is_none());
        assert!(Listed::read(b"<html>").is_none());
    }

    #[test]
    fn soft_deletion_is_read() {
        let body = "<StorageServiceProperties><DeleteRetentionPolicy><Enabled>true</Enabled>\
                    <Days>7</Days></DeleteRetentionPolicy></StorageServiceProperties>";
        assert_eq!(keeps_deleted(body.as_bytes()), Some(true));
        assert_eq!(keeps_deleted(b"<StorageServiceProperties/>"), None);
    }
}

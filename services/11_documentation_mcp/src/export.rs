//! `docs.export`: documents as an archive of Markdown, JSON or web pages.

use crate::document::Category;
use crate::library::{Entry, Library};
use crate::page;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::error::Code;
use shared::tool::{Call, Effect, Progress, Spec, ToolError, TypedTool};
use std::io;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Largest archive, in bytes, so that its text stays below 1 MiB.
const MAX_ARCHIVE: usize = 780_000;
/// Largest sum of texts, in bytes.
const MAX_CONTENT: usize = 50_000_000;

/// `docs.export`.
pub(crate) struct Export(pub(crate) Arc<Library>);

/// Arguments of `docs.export`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportArguments {
    /// Only these documents.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1000))]
    doc_ids: Option<Vec<String>>,
    /// Only documents of this category.
    #[serde(default)]
    category: Option<Category>,
    /// Markdown with front matter, JSON, or web pages with a page that leads to them.
    #[serde(default)]
    format: Format,
}

/// What the files are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// Markdown with front matter.
    #[default]
    Markdown,
    /// JSON.
    Json,
    /// Web pages.
    Html,
}

/// Result of `docs.export`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Exported {
    /// What the files are.
    format: Format,
    /// Documents in the archive.
    count: usize,
    /// The archive: tar, gzip, base64.
    archive: String,
    /// Size of the archive before base64.
    size_bytes: usize,
}

#[async_trait]
impl TypedTool for Export {
    type Arguments = ExportArguments;
    type Output = Exported;

    fn spec(&self) -> Spec {
        Spec::new(
            "docs.export",
            Effect::Read,
            "Export documents as a tar.gz archive in base64, by id, category or all. An archive \
             over 780 kB is refused: export a category or a list of ids.",
        )
        .long_running()
        .live()
    }

    async fn run(&self, arguments: ExportArguments, call: &Call) -> Result<Exported, ToolError> {
        let (progress, cancelled) = (call.progress.clone(), call.cancelled.clone());
        let export = move |library: &Library| {
            let entries = chosen(library, &arguments)?;
            let archive = archive(library, &entries, arguments.format, (&progress, &cancelled))?;
            Ok(Exported {
                format: arguments.format,
                count: entries.len(),
                size_bytes: archive.len(),
                archive: STANDARD.encode(archive),
            })
        };
        self.0.with(export).await
    }
}

fn chosen(library: &Library, arguments: &ExportArguments) -> Result<Vec<Entry>, ToolError> {
    let mut entries = match &arguments.doc_ids {
        None => library.entries(),
        Some(ids) => ids
            .iter()
            .map(|id| library.entry(id))
            .collect::<Result<_, _>>()?,
    };
    let fits = |entry: &Entry| arguments.category.is_none_or(|it| it == entry.category);
    entries.retain(fits);
    Ok(entries)
}

fn archive(
    library: &Library,
    entries: &[Entry],
    format: Format,
    (progress, cancelled): (&Progress, &CancellationToken),
) -> Result<Vec<u8>, ToolError> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let (mut read, mut pages) = (0, Vec::new());
    for (done, entry) in entries.iter().enumerate() {
        if cancelled.is_cancelled() {
            return Err(ToolError::refused(Code::Timeout, "cancelled"));
        }
        let (path, text) = file(library, entry, format)?;
        read += text.len();
        if read > MAX_CONTENT {
            return Err(too_large());
        }
        let seconds = u64::try_from(entry.doc.modified.as_second()).unwrap_or(0);
        put(&mut tar, &path, &text, seconds).map_err(failed)?;
        pages.push((path, entry.doc.title.clone()));
        if done % 50 == 0 {
            progress.report(count(done + 1), Some(count(entries.len())), "exporting");
        }
    }
    if format == Format::Html {
        put(&mut tar, "index.html", &page::contents(&pages), 0).map_err(failed)?;
    }
    let bytes = tar.into_inner().and_then(GzEncoder::finish);
    let bytes = bytes.map_err(failed)?;
    match bytes.len() > MAX_ARCHIVE {
        true => Err(too_large()),
        false => Ok(bytes),
    }
}

/// Path and text of a document's file in the archive.
fn file(library: &Library, entry: &Entry, format: Format) -> Result<(String, String), ToolError> {
    let (entry, document) = library.present(&entry.doc.id)?;
    let doc = &entry.doc;
    let path = |extension| format!("{}/{}.{extension}", doc.category, doc.id);
    Ok(match format {
        Format::Markdown => {
            let text = document.print();
            let text = text.map_err(|error| ToolError::new(Code::InternalError, error.to_string()));
            (path("md"), text?)
        }
        Format::Json => {
            let mut value = json!(doc);
            if let Some(object) = value.as_object_mut() {
                object.insert("content".into(), json!(document.content));
                object.insert("metadata".into(), json!(document.front.metadata));
            }
            (path("json"), format!("{value:#}\n"))
        }
        Format::Html => (path("html"), page::page(doc, &document.content)),
    })
}

fn put(
    tar: &mut tar::Builder<GzEncoder<Vec<u8>>>,
    path: &str,
    text: &str,
    seconds: u64,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(u64::try_from(text.len()).unwrap_or(u64::MAX));
    header.set_mode(0o644);
    header.set_mtime(seconds);
    tar.append_data(&mut header, path, text.as_bytes())
}

fn too_large() -> ToolError {
    let message = "the archive is over 780 kB; export a category or a list of ids";
    ToolError::refused(Code::PayloadTooLarge, message)
}

fn failed(error: io::Error) -> ToolError {
    tracing::error!(event = "docs_export_failed", %error, "the archive could not be made");
    ToolError::new(Code::InternalError, "the archive could not be made")
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

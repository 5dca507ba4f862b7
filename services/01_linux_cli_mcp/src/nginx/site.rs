//! `os.linux.nginx.updateSiteConfig`: one site file, tested before it stays.

use super::{bad_config, check, reload, shown_lines};
use crate::host::Host;
use crate::write_file;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::command::shown;
use shared::error::Code;
use shared::files::{Files, Roots, Rules, Writing, sha256};
use shared::outcome::Written;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Content of a site, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// The tool.
pub(crate) struct UpdateSiteConfig(pub(crate) Arc<Host>);

/// Its parameters.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// Name of the site's file in `NGINX_SITES_DIR`: letters, digits, `.`, `_`, `-`.
    site: String,
    /// The whole new configuration of the site.
    content: String,
    /// Link it into sites-enabled; false removes the link.
    #[serde(default = "yes")]
    enable: bool,
    /// Load the configuration when it passes the test.
    #[serde(default)]
    reload: bool,
}

const fn yes() -> bool {
    true
}

/// What was written, and whether it is in use.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Updated {
    #[serde(flatten)]
    written: Written,
    /// What `nginx -t` says of it.
    config_test: String,
    reloaded: bool,
}

#[async_trait]
impl TypedTool for UpdateSiteConfig {
    type Arguments = Arguments;
    type Output = Updated;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.linux.nginx.updateSiteConfig",
            Effect::Mutate,
            "Write the configuration of one nginx site of this host (NGINX_SITES_DIR), enable or \
             disable it, and load it on request. When nginx -t fails, the old file comes back and \
             nothing is loaded. Needs a person's approval.",
        )
        .idempotent()
    }

    async fn assess(&self, arguments: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        let site = Site::of(&self.0, arguments)?;
        let state = if arguments.enable {
            "enabled"
        } else {
            "disabled"
        };
        let loaded = if arguments.reload { ", loaded" } else { "" };
        let summary = format!(
            "Write the nginx site {} on {} ({state}{loaded})\n{} bytes, SHA-256 {}\nContent:\n{}",
            shown(&site.path.to_string_lossy()),
            self.0.name(),
            arguments.content.len(),
            sha256(arguments.content.as_bytes()),
            shown_lines(&arguments.content),
        );
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: Arguments, _: &Call) -> Result<Updated, ToolError> {
        let host = &self.0;
        let site = Arc::new(Site::of(host, &arguments)?);
        // Nothing is touched on a host without nginx.
        host.executor.find("nginx")?;
        let _change = host.changes.begin();
        let now = host.clock.now();
        let (work, content) = (Arc::clone(&site), arguments.content.clone());
        // Made where the file is written, so that a caller who goes away meanwhile leaves no trace.
        let mut undo = host
            .with_files(move |_| {
                let written =
                    work.files
                        .write(&work.name(), content.as_bytes(), Writing::Replace, now)?;
                Ok(Undo::of(work, written))
            })
            .await?;
        undo.link = site.set_link(arguments.enable)?;
        let checked = check(host).await?;
        if !checked.ok {
            drop(undo);
            return Err(bad_config(&checked.output, "the old file is back"));
        }
        let written = undo.keep();
        if arguments.reload {
            reload(host).await?;
        }
        Ok(Updated {
            written: write_file::written(&written, &arguments.content),
            config_test: checked.output,
            reloaded: arguments.reload,
        })
    }
}

/// A site and the rules of its folder: nothing else may be written through them.
struct Site {
    files: Files,
    path: PathBuf,
    /// Its link in sites-enabled; `None` when there is no such folder.
    link: Option<PathBuf>,
}

impl Site {
    fn of(host: &Host, arguments: &Arguments) -> Result<Self, ToolError> {
        let folder = Path::new(&host.config.nginx.sites_dir);
        if folder.as_os_str().is_empty() {
            return Err(ToolError::not_configured("NGINX_SITES_DIR"));
        }
        let name = &arguments.site;
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if name.len() > 100 || !starts_well || !name.chars().all(plain) || name.contains(".BAK_") {
            let rule = "letters, digits, '.', '_' and '-', at most 100";
            return Err(ToolError::invalid("site", rule));
        }
        if arguments.content.len() > MAX_BYTES {
            let message = "content: larger than 256 KiB";
            return Err(ToolError::refused(Code::PayloadTooLarge, message));
        }
        let enabled = folder.with_file_name("sites-enabled");
        let link = (enabled.is_dir() && enabled != folder).then(|| enabled.join(name));
        if link.is_none() && !arguments.enable {
            let rule = "there is no sites-enabled folder, so every site is enabled";
            return Err(ToolError::invalid("enable", rule));
        }
        let roots = Roots::new([folder], "NGINX_SITES_DIR");
        let mut rules = Rules::new(roots.clone(), roots);
        // The folder was set for site files, whatever their names end in.
        rules.types.clear();
        Ok(Self {
            files: Files::new(rules),
            path: folder.join(name),
            link,
        })
    }

    fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// Makes or removes the link; tells what undoes it.
    fn set_link(&self, enable: bool) -> Result<LinkChange, ToolError> {
        let Some(link) = &self.link else {
            return Ok(LinkChange::None);
        };
        let is_link = link.symlink_metadata().map(|found| found.is_symlink());
        let done = match (is_link, enable) {
            (Err(error), true) if error.kind() == ErrorKind::NotFound => {
                std::os::unix::fs::symlink(&self.path, link).map(|()| LinkChange::Made)
            }
            (Ok(true), false) => match std::fs::read_link(link) {
                Ok(target) => std::fs::remove_file(link).map(|()| LinkChange::Removed(target)),
                Err(error) => Err(error),
            },
            (Ok(false), false) => Err(ErrorKind::AlreadyExists.into()),
            (Err(error), _) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(LinkChange::None),
        };
        done.map_err(|error| {
            tracing::warn!(event = "nginx_link", %error, "a site could not be enabled or disabled");
            let message = "the site could not be enabled or disabled in sites-enabled";
            ToolError::new(Code::Conflict, message)
        })
    }
}

/// What happened to a link.
enum LinkChange {
    None,
    Made,
    /// It led here.
    Removed(PathBuf),
}

/// Takes a change back when it is dropped: the test failed, or the caller went away before it ended.
struct Undo {
    site: Arc<Site>,
    written: shared::files::Written,
    link: LinkChange,
    kept: bool,
}

impl Undo {
    const fn of(site: Arc<Site>, written: shared::files::Written) -> Self {
        Self {
            site,
            written,
            link: LinkChange::None,
            kept: false,
        }
    }

    fn keep(mut self) -> shared::files::Written {
        self.kept = true;
        self.written.clone()
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let restored = match (&self.link, &self.site.link) {
            (LinkChange::Made, Some(link)) => std::fs::remove_file(link),
            (LinkChange::Removed(target), Some(link)) => std::os::unix::fs::symlink(target, link),
            _ => Ok(()),
        };
        if let Err(error) = restored {
            tracing::error!(event = "nginx_undo", %error, "a link was not restored");
        }
        if let Err(error) = self.site.files.undo(&self.written) {
            tracing::error!(event = "nginx_undo", %error, "a site file was not restored");
        }
    }
}

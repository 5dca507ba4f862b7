//! Rules across keys: what a value may be depends on another one.

use super::{CacheType, Config, InvalidConfig, Mode, SpokeAuth};

impl Config {
    pub(super) fn check(&self) -> Result<(), InvalidConfig> {
        let rule = |key, rule: &str| {
            Err(InvalidConfig::Rule {
                key,
                rule: rule.to_owned(),
            })
        };
        if self.is_production() {
            self.check_public_url()?;
            if self.server.cors_origins.iter().any(|origin| origin == "*") {
                return rule(
                    "WAYGATE_CORS_ORIGINS",
                    "* is refused in production; list the origins",
                );
            }
        }
        if self.spokes.auth == SpokeAuth::None && self.mode == Mode::Container {
            return rule("WAYGATE_SPOKE_AUTH", "none is for loopback only; use token");
        }
        if self.timeouts.default == 0 || self.timeouts.long_running == 0 {
            return rule("timeouts", "must be at least 1 second");
        }
        let redis = self.redis_url();
        if self.cache.r#type == CacheType::Redis && redis.is_none() {
            return rule("WAYGATE_CACHE_TYPE", "redis needs WAYGATE_REDIS_URL");
        }
        let schemes = ["redis://", "rediss://"];
        if redis.is_some_and(|url| !schemes.iter().any(|scheme| url.starts_with(scheme))) {
            return rule("WAYGATE_REDIS_URL", "expected redis://… or rediss://…");
        }
        self.database_url().map(drop)
    }

    /// Production speaks https, unless it is reached over loopback only.
    fn check_public_url(&self) -> Result<(), InvalidConfig> {
        let text = &self.server.public_url;
        let loopback = self.server.host.is_loopback();
        if text.is_empty() && loopback {
            return Ok(());
        }
        let https_or_loopback = url::Url::parse(text).is_ok_and(|url| {
            let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
            url.scheme() == "https" || (url.scheme() == "http" && local)
        });
        if https_or_loopback {
            return Ok(());
        }
        let rule =
            "production needs an https address (TLS ends at a trusted proxy) or a loopback one";
        Err(InvalidConfig::Rule {
            key: "WAYGATE_PUBLIC_URL",
            rule: rule.into(),
        })
    }
}

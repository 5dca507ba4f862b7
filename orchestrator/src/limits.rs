//! How often: sliding windows per key, user, organisation, service, rule, endpoint and address.
//!
//! No window of the given length, wherever it starts, admits more than its limit. A call is checked
//! against all its scopes first and counted in all of them only when each had room. Time is
//! monotonic: changes of the wall clock neither free nor lock anybody. Concurrency is `resilience`'s
//! matter.

mod redis;
mod store;
mod window;

pub use redis::RedisWindows;
pub use store::{Demand, MemoryWindows, WindowStore};
pub use window::{Rate, Room};

use crate::auth::CredentialKind;
use crate::caller::Caller;
use crate::policy::{Rates, RuleLimit};
use crate::redis::Redis;
use shared::id::ToolId;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Most windows held in memory.
const CAPACITY: usize = 50_000;

/// Limits of `interfaces.md` 9; 0 switches one off.
#[derive(Debug, Clone)]
pub struct LimitsConfig {
    /// Requests without a valid credential, per address and minute.
    pub ip_per_minute: u32,
    /// Calls per user (of a user's key, or the local operator) and minute.
    pub user_per_minute: u32,
    /// Calls per organisation.
    pub organization: Rates,
    /// Calls per principal, minute and service, by folder name or by its middle (`16_ai_models_mcp` or
    /// `ai_models`).
    pub services: BTreeMap<String, u32>,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            ip_per_minute: 60,
            user_per_minute: 300,
            organization: Rates {
                per_minute: 1000,
                per_hour: 10_000,
                per_day: 100_000,
                burst: 0,
            },
            services: BTreeMap::from([("ai_models".into(), 10), ("web_search".into(), 60)]),
        }
    }
}

/// Over a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limited {
    /// Which one: ip, `api_key`, user, organization, service, rule or endpoint.
    pub scope: &'static str,
    /// When one more is admitted; more than zero.
    pub retry_after: Duration,
    /// The limit.
    pub limit: u32,
    /// Always 0; kept so that both answers have the same headers.
    pub remaining: u32,
    /// When the whole limit is free again.
    pub reset: Duration,
}

/// Admitted; these are the figures of the scope with the least room, for `X-RateLimit-*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Which scope; `none` when nothing limits the caller.
    pub scope: &'static str,
    /// The limit; `u32::MAX` when nothing limits the caller.
    pub limit: u32,
    /// How many more are admitted now.
    pub remaining: u32,
    /// When the whole limit is free again.
    pub reset: Duration,
}

/// Every limit, over one store of windows.
pub struct Limits {
    config: LimitsConfig,
    windows: Arc<dyn WindowStore>,
}

impl Limits {
    /// Limits in memory.
    #[must_use]
    pub fn new(config: LimitsConfig) -> Self {
        Self::over(config, Arc::new(MemoryWindows::new(CAPACITY)))
    }

    /// Limits that hubs share through Redis.
    #[must_use]
    pub fn shared(config: LimitsConfig, redis: Arc<Redis>) -> Self {
        Self::over(config, Arc::new(RedisWindows::new(redis, CAPACITY)))
    }

    /// Limits over another store.
    #[must_use]
    pub fn over(config: LimitsConfig, windows: Arc<dyn WindowStore>) -> Self {
        Self { config, windows }
    }

    /// Counts one tool call.
    ///
    /// # Errors
    /// [`Limited`] names the scope with the longest wait; nothing was counted.
    pub async fn admit(
        &self,
        caller: &Caller,
        tool: &ToolId,
        service: &str,
    ) -> Result<Allowance, Limited> {
        self.admit_with(caller, tool, service, &[]).await
    }

    /// Counts one tool call under the limits of policy rules too (see
    /// [`crate::policy::Permit::limits`]).
    ///
    /// # Errors
    /// As [`Limits::admit`].
    pub async fn admit_with(
        &self,
        caller: &Caller,
        tool: &ToolId,
        service: &str,
        rules: &[RuleLimit],
    ) -> Result<Allowance, Limited> {
        let principal = &caller.principal;
        let mut demands = Vec::with_capacity(8);
        let mut add = |scope, key: String, rates: Rates| {
            demands.extend(windows(rates).map(|rate| Demand {
                scope,
                key: key.clone(),
                rate,
            }));
        };
        let is_key = principal.kind != CredentialKind::Local;
        if is_key {
            let own = Rates::per_minute(principal.rate_limit);
            add("api_key", principal.id.to_string(), own);
        }
        if principal.kind != CredentialKind::A2aKey {
            let user = Rates::per_minute(self.config.user_per_minute);
            add("user", principal.id.to_string(), user);
        }
        add(
            "organization",
            principal.organization.to_string(),
            self.config.organization,
        );
        let of_service = Rates::per_minute(self.service_limit(service));
        add(
            "service",
            format!("{}\n{service}", principal.id),
            of_service,
        );
        for rule in rules {
            let key = format!("{}\n{}\n{tool}", rule.rule, principal.id);
            add("rule", key, rule.rates);
        }
        self.take(&demands).await
    }

    /// Counts one request without a valid credential. Addresses of one IPv6 /64 are one.
    ///
    /// # Errors
    /// [`Limited`].
    pub async fn admit_ip(&self, address: IpAddr) -> Result<Allowance, Limited> {
        let demands: Vec<Demand> = windows(Rates::per_minute(self.config.ip_per_minute))
            .map(|rate| Demand {
                scope: "ip",
                key: network(address),
                rate,
            })
            .collect();
        self.take(&demands).await
    }

    /// Counts one request of a principal to a route with `limit` a minute; 0 means no limit.
    ///
    /// # Errors
    /// [`Limited`].
    pub async fn admit_endpoint(
        &self,
        principal: &str,
        route: &str,
        limit: u32,
    ) -> Result<Allowance, Limited> {
        let demands: Vec<Demand> = windows(Rates::per_minute(limit))
            .map(|rate| Demand {
                scope: "endpoint",
                key: format!("{principal}\n{route}"),
                rate,
            })
            .collect();
        self.take(&demands).await
    }

    async fn take(&self, demands: &[Demand]) -> Result<Allowance, Limited> {
        match self.windows.take(demands).await {
            Ok(rooms) => {
                let tightest = demands
                    .iter()
                    .zip(rooms)
                    .min_by_key(|(_, room)| room.remaining);
                Ok(tightest.map_or(UNLIMITED, |(demand, room)| Allowance {
                    scope: demand.scope,
                    limit: room.limit,
                    remaining: room.remaining,
                    reset: room.reset,
                }))
            }
            Err((index, room)) => Err(Limited {
                scope: demands.get(index).map_or("none", |demand| demand.scope),
                retry_after: room.retry_after,
                limit: room.limit,
                remaining: 0,
                reset: room.reset,
            }),
        }
    }

    fn service_limit(&self, service: &str) -> u32 {
        let middle = service
            .trim_start_matches(|c: char| c.is_ascii_digit() || c == '_')
            .trim_end_matches("_mcp");
        let found = [service, middle]
            .into_iter()
            .find_map(|name| self.config.services.get(name));
        found.copied().unwrap_or(0)
    }
}

const UNLIMITED: Allowance = Allowance {
    scope: "none",
    limit: u32::MAX,
    remaining: u32::MAX,
    reset: Duration::ZERO,
};

fn windows(rates: Rates) -> impl Iterator<Item = Rate> {
    [
        (rates.burst, SECOND),
        (rates.per_minute, MINUTE),
        (rates.per_hour, HOUR),
        (rates.per_day, DAY),
    ]
    .into_iter()
    .filter(|(limit, _)| *limit > 0)
    .map(|(limit, per)| Rate { limit, per })
}

fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("{:x}", u128::from(v6) >> 64),
    }
}

#[cfg(test)]
mod tests;

//! Windows that several hubs share, in Redis; in memory while it is away.

use super::store::{Demand, MemoryWindows, WindowStore};
use super::window::{Rate, Room};
use crate::redis::Redis;
use ::redis::Script;
use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use std::sync::Arc;
use std::time::Duration;

/// Limits up to this are kept in fine grains.
const FINE: u32 = 128;

/// One script call a request: all its windows together.
pub struct RedisWindows {
    redis: Arc<Redis>,
    memory: MemoryWindows,
    take: Script,
}

impl RedisWindows {
    /// Windows in Redis, and room for `capacity` of them in memory for while it is away.
    #[must_use]
    pub fn new(redis: Arc<Redis>, capacity: usize) -> Self {
        Self {
            redis,
            memory: MemoryWindows::new(capacity),
            take: Script::new(include_str!("windows.lua")),
        }
    }

    async fn ask(&self, demands: &[Demand]) -> Option<Vec<i64>> {
        let mut call = self.take.prepare_invoke();
        for demand in demands {
            call.key(key(demand))
                .arg(demand.rate.limit)
                .arg(milliseconds(demand.rate.per))
                .arg(grain(demand.rate));
        }
        let mut connection = self.redis.connection();
        let question = async move { call.invoke_async(&mut connection).await };
        self.redis.ask(question).await
    }
}

#[async_trait]
impl WindowStore for RedisWindows {
    async fn take(&self, demands: &[Demand]) -> Result<Vec<Room>, (usize, Room)> {
        if demands.is_empty() {
            return Ok(Vec::new());
        }
        match self
            .ask(demands)
            .await
            .and_then(|said| read(demands, &said))
        {
            Some(answer) => answer,
            None => self.memory.take(demands).await,
        }
    }
}

/// Names of callers do not stand in Redis in clear. The braces keep all windows on one node.
fn key(demand: &Demand) -> String {
    let whose = hex::encode(digest(&SHA256, demand.key.as_bytes()));
    let per = milliseconds(demand.rate.per);
    format!("{{waygate:windows}}:{}:{per}:{whose}", demand.scope)
}

/// Length of what is counted together, in milliseconds.
fn grain(rate: Rate) -> u64 {
    let grains = if rate.limit <= FINE { 4096 } else { 128 };
    (milliseconds(rate.per) / grains).max(1)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What the script said; `None` for something else.
fn read(demands: &[Demand], said: &[i64]) -> Option<Result<Vec<Room>, (usize, Room)>> {
    let wait = |milliseconds: i64| Duration::from_millis(milliseconds.max(0).unsigned_abs());
    let (first, rest) = said.split_first()?;
    if *first == 0 {
        let rooms: Vec<Room> = demands
            .iter()
            .zip(rest.chunks_exact(2))
            .filter_map(|(demand, said)| {
                let [remaining, reset] = said else {
                    return None;
                };
                Some(Room {
                    limit: demand.rate.limit,
                    remaining: u32::try_from(*remaining).ok()?,
                    retry_after: Duration::ZERO,
                    reset: wait(*reset),
                })
            })
            .collect();
        return (rooms.len() == demands.len()).then_some(Ok(rooms));
    }
    let index = usize::try_from(*first).ok()?.checked_sub(1)?;
    let [retry_after, reset] = rest else {
        return None;
    };
    let room = Room {
        limit: demands.get(index)?.rate.limit,
        remaining: 0,
        retry_after: wait((*retry_after).max(1)),
        reset: wait(*reset),
    };
    Some(Err((index, room)))
}

//! Finance on chains: yields and deposits (`DefiLlama`), the price of gas (a node of Ethereum).

use crate::source::Source;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::error::Code;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// Blocks whose fees are looked at.
const BLOCKS: &str = "0x14";
const GWEI: f64 = 1e9;

/// Who is asked; `None` for who has no address.
pub(crate) struct Chains {
    pub(crate) yields: Option<Source>,
    pub(crate) llama: Option<Source>,
    pub(crate) ethereum: Option<Source>,
}

/// `crypto.defi.yields`.
pub(crate) struct Yields(pub(crate) Arc<Chains>);
/// `crypto.defi.liquidity`.
pub(crate) struct Liquidity(pub(crate) Arc<Chains>);
/// `crypto.defi.gas`.
pub(crate) struct Gas(pub(crate) Arc<Chains>);

fn set<'a>(source: Option<&'a Source>, setting: &str) -> Result<&'a Source, ToolError> {
    source.ok_or_else(|| ToolError::not_configured(setting))
}

/// Arguments of `yields`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct YieldArguments {
    /// Only pools of this chain, such as Ethereum.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64))]
    chain: Option<String>,
    /// Smallest deposits of a pool, in US dollars.
    #[serde(default = "million")]
    #[schemars(range(min = 0.0))]
    min_tvl_usd: f64,
    /// Most pools to give, 1 to 1000.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
}

const fn million() -> f64 {
    1_000_000.0
}

const fn twenty() -> usize {
    20
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Pool>,
}

#[derive(Deserialize)]
struct Pool {
    pool: String,
    project: String,
    chain: String,
    symbol: String,
    apy: Option<f64>,
    #[serde(rename = "tvlUsd")]
    tvl_usd: Option<f64>,
}

/// Result of `yields`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Pools {
    /// Highest yield first.
    pools: Vec<PoolEntry>,
    /// How many these are.
    count: usize,
}

/// One pool.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PoolEntry {
    /// Id at `DefiLlama`.
    pool: String,
    project: String,
    chain: String,
    /// What is deposited.
    symbol: String,
    /// Yield of a year, in percent.
    apy: f64,
    /// Deposits, in US dollars.
    tvl_usd: f64,
}

#[async_trait]
impl TypedTool for Yields {
    type Arguments = YieldArguments;
    type Output = Pools;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.defi.yields",
            Effect::Read,
            "List pools of decentralised finance by yield. High yields are high risks.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: YieldArguments, _: &Call) -> Result<Pools, ToolError> {
        let source = set(self.0.yields.as_ref(), "LLAMA_URL")?;
        let answer: Answer = source.get(&["pools"], &[]).await?;
        let chain = arguments.chain.as_deref();
        let fits = |pool: &Pool| chain.is_none_or(|it| pool.chain.eq_ignore_ascii_case(it));
        let entry = |pool: Pool| {
            Some(PoolEntry {
                pool: pool.pool,
                project: pool.project,
                chain: pool.chain,
                symbol: pool.symbol,
                apy: pool.apy?,
                tvl_usd: pool.tvl_usd.filter(|it| *it >= arguments.min_tvl_usd)?,
            })
        };
        let pools = answer.data.into_iter().filter(fits);
        let mut pools: Vec<PoolEntry> = pools.filter_map(entry).collect();
        pools.sort_by(|a, b| b.apy.total_cmp(&a.apy).then_with(|| a.pool.cmp(&b.pool)));
        pools.truncate(arguments.limit);
        Ok(Pools {
            count: pools.len(),
            pools,
        })
    }
}

/// Arguments of `liquidity`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LiquidityArguments {
    /// Only protocols whose name has this in it.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64))]
    protocol: Option<String>,
    /// Most protocols to give, 1 to 1000.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
}

#[derive(Deserialize)]
struct Protocol {
    name: String,
    chain: Option<String>,
    tvl: Option<f64>,
    change_1d: Option<f64>,
}

/// Result of `liquidity`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Protocols {
    /// Largest first.
    protocols: Vec<ProtocolEntry>,
    /// How many these are.
    count: usize,
}

/// One protocol.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ProtocolEntry {
    name: String,
    /// `Multi-Chain` for several.
    chain: String,
    /// Deposits, in US dollars.
    tvl_usd: f64,
    /// Their change within a day in percent; 0 when it is not known.
    change_1d: f64,
}

#[async_trait]
impl TypedTool for Liquidity {
    type Arguments = LiquidityArguments;
    type Output = Protocols;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.defi.liquidity",
            Effect::Read,
            "List protocols of decentralised finance by what is deposited there.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: LiquidityArguments, _: &Call) -> Result<Protocols, ToolError> {
        let source = set(self.0.llama.as_ref(), "LLAMA_URL")?;
        let all: Vec<Protocol> = source.get(&["protocols"], &[]).await?;
        let wanted = arguments.protocol.map(|it| it.to_lowercase());
        let fits = |it: &Protocol| {
            let name = it.name.to_lowercase();
            wanted
                .as_ref()
                .is_none_or(|wanted| name.contains(wanted.as_str()))
        };
        let entry = |it: Protocol| {
            Some(ProtocolEntry {
                tvl_usd: it.tvl?,
                name: it.name,
                chain: it.chain.unwrap_or_default(),
                change_1d: it.change_1d.unwrap_or_default(),
            })
        };
        let mut protocols: Vec<ProtocolEntry> =
            all.into_iter().filter(fits).filter_map(entry).collect();
        protocols.sort_by(|a, b| b.tvl_usd.total_cmp(&a.tvl_usd));
        protocols.truncate(arguments.limit);
        Ok(Protocols {
            count: protocols.len(),
            protocols,
        })
    }
}

/// A chain whose gas is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Chain {
    Ethereum,
}

/// Arguments of `gas`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GasArguments {
    /// ethereum.
    #[serde(default = "ethereum")]
    chain: Chain,
}

const fn ethereum() -> Chain {
    Chain::Ethereum
}

/// Result of `gas`; fees per unit of gas, in gwei.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Fees {
    chain: Chain,
    /// Base fee of the next block.
    base_fee_gwei: f64,
    /// Base fee and the tip a tenth of the last 20 blocks' gas was content with.
    slow: f64,
    /// The same for half of it.
    standard: f64,
    /// The same for nine tenths.
    fast: f64,
    /// The last block.
    block: u64,
}

#[derive(Deserialize)]
struct Rpc {
    result: Option<History>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct History {
    oldest_block: String,
    base_fee_per_gas: Vec<String>,
    #[serde(default)]
    reward: Vec<[String; 3]>,
}

/// A number of the RPC; wei of the size of fees fit.
fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn fees(history: &History) -> Option<Fees> {
    let gwei = |text: &String| hex(text).map(|wei| wei as f64 / GWEI);
    let base = gwei(history.base_fee_per_gas.last()?)?;
    let tip = |pick: fn(&[String; 3]) -> &String| {
        let mut tips: Vec<f64> = history
            .reward
            .iter()
            .filter_map(|it| gwei(pick(it)))
            .collect();
        tips.sort_by(f64::total_cmp);
        tips.get(tips.len() / 2).copied().unwrap_or_default()
    };
    let blocks = u64::try_from(history.base_fee_per_gas.len()).ok()?;
    Some(Fees {
        chain: Chain::Ethereum,
        base_fee_gwei: base,
        slow: base + tip(|[slow, _, _]| slow),
        standard: base + tip(|[_, standard, _]| standard),
        fast: base + tip(|[_, _, fast]| fast),
        block: hex(&history.oldest_block)? + blocks.saturating_sub(2),
    })
}

#[async_trait]
impl TypedTool for Gas {
    type Arguments = GasArguments;
    type Output = Fees;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.defi.gas",
            Effect::Read,
            "Tell what a unit of gas costs on Ethereum now.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: GasArguments, _: &Call) -> Result<Fees, ToolError> {
        let Chain::Ethereum = arguments.chain;
        let source = set(self.0.ethereum.as_ref(), "ETH_RPC_URL")?;
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_feeHistory",
                          "params": [BLOCKS, "latest", [10, 50, 90]]});
        let request = source.remote.post(source.base()).json(&body);
        let answer: Rpc = source.send(request).await?;
        let history = answer.result.ok_or_else(|| {
            ToolError::refused(
                Code::BadGateway,
                "the node of Ethereum refused eth_feeHistory",
            )
        })?;
        fees(&history).ok_or_else(|| source.remote.nonsense())
    }
}

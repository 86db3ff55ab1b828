//! `/v1/cache`: what is in memory and how it is used, and an operator's word to drop some of it (CCH-7, CCH-8).

use std::collections::BTreeMap;

use domain::Adjustment;
use gateway::budget::Part;
use gateway::cache::statistics::NamespaceStats;
use gateway::cache::tags::{Namespace, Tags};
use resilience::freshness::Adapts;
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::{Call, Reply};
use crate::error::{Fault, Problem};
use crate::vendors_told::ListMeta;
use crate::words::read_vendor;

/// What is in memory.
#[derive(Serialize, ToSchema)]
pub struct CacheHeld {
    /// `adaptive`, `lfu`, `lru`, `ttl`.
    pub strategy: &'static str,
    /// What times follow: `change`, `access`; `null` where they are fixed.
    pub adaptive_ttl: Option<&'static str>,
    /// Answers at most.
    pub max_entries: u64,
    /// Bytes that answers may occupy.
    pub max_bytes: u64,
    /// All kinds of questions together.
    pub total: UseTold,
    /// Each kind of question.
    pub namespaces: BTreeMap<&'static str, UseTold>,
    /// Symbols remembered that nobody knows.
    pub unknown_symbols: UnknownTold,
    /// The budget of everything held in memory.
    pub memory: MemoryTold,
}

/// How answers of one kind are kept and used, since the start.
#[derive(Serialize, ToSchema)]
pub struct UseTold {
    /// Answers kept.
    pub entries: u64,
    /// Rough bytes they occupy.
    pub bytes: u64,
    /// Share of callers served from memory, in `[0, 1]`; `null` before the first.
    pub hit_rate: Option<f64>,
    /// Callers served from memory inside the time.
    pub hits: u64,
    /// Callers served from memory past the time, and told so.
    pub stale: u64,
    /// Callers for whom a vendor was asked.
    pub misses: u64,
    /// Callers served from the store.
    pub stored: u64,
    /// Callers who joined another's flight.
    pub coalesced: u64,
    /// Callers told from memory that nobody knows the symbol.
    pub refused_unknown: u64,
    /// Answers fetched before anybody had to wait.
    pub fetched_ahead: u64,
    /// Answers that gave way to others.
    pub evictions: u64,
    /// Answers given up after their end.
    pub expired: u64,
    /// Answers dropped on purpose.
    pub invalidated: u64,
    /// Answers too large to be kept.
    pub too_large: u64,
    /// Mean time of a hit in memory, in microseconds; `null` before the first.
    pub access_us: Option<f64>,
}

/// Symbols remembered that nobody knows.
#[derive(Serialize, ToSchema)]
pub struct UnknownTold {
    /// How many.
    pub entries: u64,
    /// Rough bytes they occupy.
    pub bytes: u64,
}

/// The budget of everything held in memory.
#[derive(Serialize, ToSchema)]
pub struct MemoryTold {
    /// All of it, in bytes.
    pub budget_bytes: u64,
    /// What each part may hold of it, in bytes.
    pub parts: BTreeMap<&'static str, u64>,
}

/// The answer.
#[derive(Serialize, ToSchema)]
pub struct CacheAnswer {
    /// What is in memory.
    pub data: CacheHeld,
    /// Facts about the answer.
    pub meta: ListMeta,
}

impl UseTold {
    fn of(stats: &NamespaceStats) -> UseTold {
        UseTold {
            entries: stats.entries,
            bytes: stats.bytes,
            hit_rate: stats.hit_rate(),
            hits: stats.hits,
            stale: stats.stale,
            misses: stats.misses,
            stored: stats.stored,
            coalesced: stats.coalesced,
            refused_unknown: stats.refused_unknown,
            fetched_ahead: stats.fetched_ahead,
            evictions: stats.evictions,
            expired: stats.expired,
            invalidated: stats.invalidated,
            too_large: stats.too_large,
            access_us: stats.access().map(|time| time.as_nanos() as f64 / 1e3),
        }
    }
}

/// What is in memory, and how it is used.
pub async fn cache(call: Call) -> Result<Reply, Problem> {
    call.words().finish().map_err(Problem::malformed)?;
    let (settings, stats) = (call.gateway.caching(), call.gateway.cache_stats());
    let data = CacheHeld {
        strategy: settings.strategy.as_str(),
        adaptive_ttl: settings.strategy.adapts().then_some(match settings.adaptive_ttl {
            Adapts::ToChange => "change",
            Adapts::ToAccess => "access",
        }),
        max_entries: stats.max_entries,
        max_bytes: stats.max_bytes,
        total: UseTold::of(&stats.total()),
        namespaces: stats.namespaces.iter().map(|one| (one.name, UseTold::of(one))).collect(),
        unknown_symbols: UnknownTold { entries: stats.unknown_entries, bytes: stats.unknown_bytes },
        memory: MemoryTold {
            budget_bytes: settings.memory_bytes,
            parts: Part::ALL.map(|part| (part.as_str(), part.of(settings.memory_bytes))).into(),
        },
    };
    let meta = ListMeta::of(&call, usize::try_from(stats.total().entries).unwrap_or(usize::MAX));
    Ok(Reply::json(&CacheAnswer { data, meta }))
}

/// What was dropped.
#[derive(Serialize, ToSchema)]
pub struct InvalidatedTold {
    /// Entries that carried all of the tags, and are dropped.
    pub matched: u64,
    /// Answers among them.
    pub answers: u64,
    /// Symbols among them that nobody knew.
    pub unknown_symbols: u64,
    /// What happened, for people.
    pub message: String,
}

/// The answer.
#[derive(Serialize, ToSchema)]
pub struct InvalidateAnswer {
    /// What was dropped.
    pub data: InvalidatedTold,
    /// Facts about the answer.
    pub meta: ListMeta,
}

/// Drops from memory every answer that carries all of the tags. The store keeps what it has.
pub async fn invalidate(call: Call) -> Result<Reply, Problem> {
    let mut words = call.words();
    let symbol = words.take("instrument");
    let vendor = words.parse("vendor", |text| read_vendor(text, &call.gateway));
    let basis = words.choose("basis", &Adjustment::ASKABLE, Adjustment::as_str);
    let namespace = words.choose("namespace", &Namespace::ALL, Namespace::as_str);
    let all = words.flag("all").unwrap_or(false);
    words.finish().map_err(Problem::malformed)?;
    let instrument = symbol.map(|text| call.resolve(&text, None)).transpose()?;
    let tags = Tags { instrument, vendor, basis, namespace };
    if (tags == Tags::default()) != all {
        let detail =
            "name what is meant by instrument, vendor, basis or namespace, or all=true for everything";
        return Err(Problem::malformed(vec![Fault { parameter: "all".into(), detail: detail.into() }]));
    }
    let dropped = call.gateway.invalidate(&tags);
    let matched = dropped.answers + dropped.unknown;
    let message = match matched {
        0 => "nothing in memory carries all of these tags; nothing was dropped".to_owned(),
        1 => "one entry was dropped".to_owned(),
        many => format!("{many} entries were dropped"),
    };
    let data =
        InvalidatedTold { matched, answers: dropped.answers, unknown_symbols: dropped.unknown, message };
    let meta = ListMeta::of(&call, usize::try_from(matched).unwrap_or(usize::MAX));
    Ok(Reply::json(&InvalidateAnswer { data, meta }))
}

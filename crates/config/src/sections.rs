//! Sections of the gateway that are no vendor's: routing, cache, deadlines, grades.

use std::time::Duration;

use gateway::budget::Part;
use gateway::settings::{Caching, Deadlines, Eviction, Routing, ScoreWeights};
use gateway::{Failover, Strategy};
use quality::grade::{Thresholds, Weights};
use resilience::freshness::Adapts;
use secrecy::{ExposeSecret, SecretString};

use crate::reader::Reader;

/// How vendors are chosen.
pub(crate) fn routing(reader: &Reader<'_>) -> Routing {
    let usual = Routing::default();
    let weights = reader.section("weights");
    let weight = |key, usual| weights.number(key, 0.0, 1.0).unwrap_or(usual);
    let strategies: Vec<(&str, Strategy)> = Strategy::ALL.into_iter().map(|s| (s.as_str(), s)).collect();
    let failovers: Vec<(&str, Failover)> = Failover::ALL.into_iter().map(|f| (f.as_str(), f)).collect();
    Routing {
        strategy: reader.word("strategy", &strategies).unwrap_or(usual.strategy),
        failover: reader.word("failover", &failovers).unwrap_or(usual.failover),
        cross_check: reader.flag("cross_check").unwrap_or(usual.cross_check),
        page_budget: reader.count("page_budget", 1, 10_000).map_or(usual.page_budget, |count| count as u32),
        weights: ScoreWeights {
            quality: weight("quality", usual.weights.quality),
            reliability: weight("reliability", usual.weights.reliability),
            freshness: weight("freshness", usual.weights.freshness),
            latency: weight("latency", usual.weights.latency),
            headroom: weight("headroom", usual.weights.headroom),
            cost: weight("cost", usual.weights.cost),
            load: weight("load", usual.weights.load),
        },
    }
}

/// How answers are kept in memory.
pub(crate) fn caching(reader: &Reader<'_>) -> Caching {
    let usual = Caching::default();
    let strategies: Vec<(&str, Eviction)> = Eviction::ALL.into_iter().map(|s| (s.as_str(), s)).collect();
    let adapts = [("change", Adapts::ToChange), ("access", Adapts::ToAccess)];
    let memory_bytes =
        reader.count("memory_megabytes", 8, 1 << 20).map_or(usual.memory_bytes, |megabytes| megabytes << 20);
    let most = Part::Answers.of(memory_bytes);
    let max_bytes = reader.count("max_megabytes", 1, 65_536).map_or(most, |megabytes| megabytes << 20);
    if max_bytes > most.next_multiple_of(1 << 20) {
        let right =
            format!("at most {}, half of cache.memory_megabytes", most.next_multiple_of(1 << 20) >> 20);
        reader.problem("max_megabytes", format!("is more than its part of the memory, and must be {right}"));
    }
    let negative = reader.duration("unknown_symbol").unwrap_or(usual.negative);
    if !(Duration::from_secs(300)..=Duration::from_secs(900)).contains(&negative) {
        reader.problem("unknown_symbol", "must be from 5m to 15m");
    }
    Caching {
        strategy: reader.word("strategy", &strategies).unwrap_or(usual.strategy),
        adaptive_ttl: reader.word("adaptive_ttl", &adapts).unwrap_or(usual.adaptive_ttl),
        quote: reader.duration("quote").unwrap_or(usual.quote),
        quote_realtime: reader.duration("quote_realtime").unwrap_or(usual.quote_realtime),
        compatibility_price: reader.duration("compatibility_price").unwrap_or(usual.compatibility_price),
        history: reader.duration("history").unwrap_or(usual.history),
        aggregates: reader.duration("aggregates").unwrap_or(usual.aggregates),
        reference: reader.duration("reference").unwrap_or(usual.reference),
        status: reader.duration("status").unwrap_or(usual.status),
        negative,
        max_entries: reader.count("max_entries", 1, 10_000_000).unwrap_or(usual.max_entries),
        max_bytes: max_bytes.min(most),
        eviction_share: reader.number("eviction_share", 0.001, 0.19).unwrap_or(usual.eviction_share),
        refresh_ahead: reader.flag("refresh_ahead").unwrap_or(usual.refresh_ahead),
        prefetch: reader.flag("prefetch").unwrap_or(usual.prefetch),
        warm_up: reader.texts("warm_up").unwrap_or(usual.warm_up),
        warm_up_remembered: reader
            .count("warm_up_remembered", 0, 10_000)
            .map_or(usual.warm_up_remembered, |count| count as u32),
        memory_bytes,
    }
}

/// Where several instances meet, and how many they are (LIM-10).
#[derive(Clone, Debug)]
pub struct Sharing {
    /// Address of the Redis or Valkey server; it may hold a password.
    pub redis_url: SecretString,
    /// How many instances share the vendors' accounts at most.
    pub max_instances: u32,
}

/// What several instances share; `None` where this one is alone.
pub(crate) fn sharing(reader: &Reader<'_>) -> Option<Sharing> {
    let redis_url = reader.secret("redis_url").filter(|url| !url.expose_secret().is_empty());
    let max_instances = reader.count("max_instances", 1, 1_000);
    if let Some(url) = &redis_url {
        let rest =
            ["redis://", "rediss://"].iter().find_map(|scheme| url.expose_secret().strip_prefix(scheme));
        if rest.is_none_or(|rest| rest.is_empty() || rest.contains(char::is_whitespace)) {
            reader.problem("redis_url", "must be an address like redis://host:6379/0, or rediss:// for TLS");
        }
        if !reader.has("max_instances") {
            let what = "is needed beside `redis_url`: how many instances share the vendors' accounts at most";
            reader.problem("max_instances", what);
        }
    } else if max_instances.is_some() {
        let what = "is needed beside `max_instances`: where the instances meet, like `${REDIS_URL}`";
        reader.problem("redis_url", what);
    }
    Some(Sharing { redis_url: redis_url?, max_instances: max_instances? as u32 })
}

/// How long a request may take.
pub(crate) fn deadlines(reader: &Reader<'_>) -> Deadlines {
    let usual = Deadlines::default();
    Deadlines {
        quote: reader.duration("quote").unwrap_or(usual.quote),
        bars: reader.duration("bars").unwrap_or(usual.bars),
        background: reader.duration("background").unwrap_or(usual.background),
    }
}

/// Which outer bounds give verdicts (VAL-3).
pub(crate) fn bounds(reader: &Reader<'_>) -> quality::Bounds {
    let presets = [
        ("volatility_scaled", quality::Bounds::VolatilityScaled),
        ("compatibility", quality::Bounds::Compatibility),
    ];
    reader.word("preset", &presets).unwrap_or_default()
}

/// How grades are composed.
pub(crate) fn grading(reader: &Reader<'_>) -> quality::grade::Settings {
    let (weights, thresholds) = (reader.section("weights"), reader.section("thresholds"));
    let dimensions = ["accuracy", "timeliness", "completeness", "consistency", "reliability"];
    let usual = Weights::default().as_array();
    let given: Vec<f32> = dimensions
        .iter()
        .zip(usual)
        .map(|(name, usual)| weights.number(name, 0.0, 1.0).map_or(usual, |weight| weight as f32))
        .collect();
    let letters =
        [("grade_a_min", 90.0), ("grade_b_min", 80.0), ("grade_c_min", 70.0), ("grade_d_min", 60.0)];
    let lowest =
        letters.map(|(name, usual)| thresholds.number(name, 1.0, 100.0).map_or(usual, |low| low as f32));
    let weights = Weights::new([given[0], given[1], given[2], given[3], given[4]]).unwrap_or_else(|error| {
        reader.problem("weights", error.to_string());
        Weights::default()
    });
    let thresholds = Thresholds::new(lowest).unwrap_or_else(|error| {
        reader.problem("thresholds", error.to_string());
        Thresholds::default()
    });
    quality::grade::Settings { weights, thresholds }
}

//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Market Data Agent: one gateway between your programs and every market-data vendor.
#[derive(Parser)]
#[command(name = "mda", version, about, long_about = None, propagate_version = true)]
pub(crate) struct Arguments {
    /// Print JSON instead of tables
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run everything from nothing: simulated vendors and the gateway, ready to be asked
    Demo(Demo),
    /// Run the gateway
    Serve(Serve),
    /// Run simulated vendors only, for a gateway elsewhere
    Simulate(Simulate),
    /// Make a simulated vendor fail for a while
    Chaos(Chaos),
    /// Ask for the latest quotes
    Quote(Quote),
    /// Ask for bars
    Bars(Bars),
    /// Show what each vendor says of one symbol
    Compare(Compare),
    /// Show how a request was answered
    Explain(Explain),
    /// Show vendors, their health, quotas and breakers
    Vendors(Vendors),
    /// Show what was spent, what may still be spent, and what could be saved
    #[command(visible_alias = "cost")]
    Budget(Budget),
    /// Show what the gateway makes of a vendor's payload
    Decode(Decode),
    /// Check configuration and environment without starting anything
    Check(Check),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// What a simulation plays in front of.
#[derive(Args)]
pub(crate) struct Scenery {
    /// Replay a folder of recorded bars instead of the synthetic market
    #[arg(long)]
    pub market: Option<PathBuf>,
    /// Seed of the synthetic market and of everything random
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Start the clock here (RFC 3339 or a date)
    #[arg(long)]
    pub at: Option<String>,
    /// Let the clock run so many times faster
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
    /// A fault to come, as VENDOR:FAULT@AFTER+FOR (polygon:outage@30s+60s); may be given several times
    #[arg(long = "fault", value_name = "VENDOR:FAULT@AFTER+FOR")]
    pub faults: Vec<String>,
    /// Draw faults of every kind for a week from this seed
    #[arg(long, value_name = "SEED")]
    pub chaos_seed: Option<u64>,
}

/// Run everything from nothing.
#[derive(Args)]
pub(crate) struct Demo {
    /// Address of the gateway
    #[arg(long, default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,
    /// Folder for data; a temporary one, removed at the end, unless given
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Market, clock and faults
    #[command(flatten)]
    pub scenery: Scenery,
    /// Only come up; do not tell the story of a failing vendor
    #[arg(long)]
    pub quiet: bool,
}

/// Where the configuration comes from.
#[derive(Args, Clone, Default)]
pub(crate) struct Configured {
    /// Configuration file (YAML or JSON)
    #[arg(long, short, env = "MDA_CONFIG")]
    pub config: Option<PathBuf>,
    /// Overlay beside it: development, staging or production
    #[arg(long)]
    pub environment: Option<String>,
    /// Address to listen on
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// Folder for data
    #[arg(long)]
    pub data: Option<PathBuf>,
}

/// Run the gateway.
#[derive(Args)]
pub(crate) struct Serve {
    /// Where the configuration comes from
    #[command(flatten)]
    pub configured: Configured,
}

/// Run simulated vendors only.
#[derive(Args)]
pub(crate) struct Simulate {
    /// Address of the simulated vendors
    #[arg(long, default_value = "127.0.0.1:9000")]
    pub listen: SocketAddr,
    /// Market, clock and faults
    #[command(flatten)]
    pub scenery: Scenery,
    /// Plan of a vendor, as VENDOR=PLAN; may be given several times
    #[arg(long = "plan", value_name = "VENDOR=PLAN")]
    pub plans: Vec<String>,
    /// Add so many invented shares to the synthetic market: ZAAA, ZAAB, …
    #[arg(long, default_value_t = 0, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(0..=17_576))]
    pub symbols: u16,
    /// Answer without delay
    #[arg(long)]
    pub no_latency: bool,
    /// Enforce no limits
    #[arg(long)]
    pub unlimited: bool,
    /// Print a configuration for `mda serve` that uses these vendors, and exit
    #[arg(long)]
    pub print_config: bool,
}

/// Make a simulated vendor fail for a while.
#[derive(Args)]
pub(crate) struct Chaos {
    /// outage, slow, hang, 429, html, truncate, wrong, stale, pence; or `end` to end what runs
    pub fault: String,
    /// Which vendor
    pub vendor: String,
    /// How long, with its unit
    #[arg(long = "for", default_value = "60s")]
    pub duration: String,
    /// The simulated vendors: the address of `mda simulate`, or of the vendors of `mda demo`
    #[arg(long, default_value = "http://127.0.0.1:9000")]
    pub simulator: String,
}

/// Where a question goes.
#[derive(Args, Clone)]
pub(crate) struct Asked {
    /// A running gateway. Unless given, one at 127.0.0.1:8000 is asked, and where there is none the question
    /// is answered in this process
    #[arg(long, env = "MDA_SERVER")]
    pub server: Option<String>,
    /// Key of a gateway that asks for one
    #[arg(long, env = "MDA_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// Policy words, as NAME=VALUE: vendor, vendors, failover, strategy, min_grade, max_age, stale, …
    #[arg(long = "with", value_name = "NAME=VALUE")]
    pub policy: Vec<String>,
    /// Where the configuration comes from, if it is answered in this process
    #[command(flatten)]
    pub configured: Configured,
}

/// Ask for the latest quotes.
#[derive(Args)]
pub(crate) struct Quote {
    /// Symbols: AAPL, AAPL.XNAS, BTC/USDT
    #[arg(required = true)]
    pub symbols: Vec<String>,
    /// Show what it would take, and ask nobody
    #[arg(long)]
    pub dry_run: bool,
    /// Where the question goes
    #[command(flatten)]
    pub asked: Asked,
}

/// Ask for bars.
#[derive(Args)]
pub(crate) struct Bars {
    /// Symbols: AAPL, AAPL.XNAS, BTC/USDT
    #[arg(required = true)]
    pub symbols: Vec<String>,
    /// 1s 1m 5m 15m 30m 1h 4h 1d 1w 1mo
    #[arg(long, short, default_value = "1d")]
    pub interval: String,
    /// First instant or date
    #[arg(long)]
    pub start: Option<String>,
    /// First instant or date after
    #[arg(long)]
    pub end: Option<String>,
    /// raw, split, dividend or all
    #[arg(long)]
    pub adjustment: Option<String>,
    /// Show what it would take, and ask nobody
    #[arg(long)]
    pub dry_run: bool,
    /// Where the question goes
    #[command(flatten)]
    pub asked: Asked,
}

/// Show what each vendor says of one symbol.
#[derive(Args)]
pub(crate) struct Compare {
    /// The symbol
    pub symbol: String,
    /// Where the question goes
    #[command(flatten)]
    pub asked: Asked,
}

/// Show how a request was answered.
#[derive(Args)]
pub(crate) struct Explain {
    /// The request id: `meta.request_id`, or the header X-Request-Id
    pub request_id: String,
    /// Where the question goes
    #[command(flatten)]
    pub asked: Asked,
}

/// Show vendors.
#[derive(Args)]
pub(crate) struct Vendors {
    /// Only this one, in full
    pub vendor: Option<String>,
    /// What to order of it, at a running gateway
    #[command(subcommand)]
    pub order: Option<VendorOrder>,
    /// Where the question goes
    #[command(flatten)]
    pub asked: Asked,
}

/// Show what was spent and what may still be.
#[derive(Args)]
pub(crate) struct Budget {
    /// Sum up by vendor, consumer, endpoint, symbol or day
    #[arg(long, default_value = "vendor")]
    pub by: String,
    /// Where the question goes
    #[command(flatten)]
    pub asked: Asked,
}

/// What an operator orders of a vendor. Each order is on record with who gave it and why.
#[derive(Subcommand)]
pub(crate) enum VendorOrder {
    /// Take it out: what is running ends, nothing new is asked of it
    Drain(Because),
    /// Put it back
    Undrain(Because),
    /// Ask it one question now, inside its quota
    Probe,
    /// Give it another place in the order: 1 primary, 2 secondary, 3 backup, 999 off
    Priority {
        /// The place
        place: u32,
        /// Who and why
        #[command(flatten)]
        because: Because,
    },
    /// Put it into maintenance: nobody is alerted meanwhile, and a probe decides afterwards
    Maintenance {
        /// Until when: RFC 3339 or a date; until `--end now` unless given, which ends it
        #[arg(long)]
        end: Option<String>,
        /// Instead of an end, a span with its unit: 2h
        #[arg(long = "for", conflicts_with = "end")]
        span: Option<String>,
        /// Who and why
        #[command(flatten)]
        because: Because,
    },
    /// Force its circuit breaker open, or reset it
    Breaker {
        /// open or closed
        state: String,
        /// That of one kind of question: quote, bars, trades, …
        #[arg(long)]
        endpoint: Option<String>,
        /// How long it is forced open, with its unit; ten minutes unless given
        #[arg(long = "for")]
        span: Option<String>,
        /// Who and why
        #[command(flatten)]
        because: Because,
    },
}

/// Who orders, and why.
#[derive(Args, Clone, Default)]
pub(crate) struct Because {
    /// Why
    #[arg(long)]
    pub reason: Option<String>,
    /// Who orders it
    #[arg(long, env = "USER")]
    pub by: Option<String>,
}

/// Show what the gateway makes of a vendor's payload.
#[derive(Args)]
pub(crate) struct Decode {
    /// Whose payload
    #[arg(long)]
    pub vendor: String,
    /// The endpoint it came from: a path with or without query, a full URL, a function's name
    #[arg(long)]
    pub endpoint: String,
    /// HTTP status it came with
    #[arg(long, default_value_t = 200)]
    pub status: u16,
    /// The payload; `-` reads standard input
    pub file: PathBuf,
}

/// Check configuration and environment.
#[derive(Args)]
pub(crate) struct Check {
    /// Where the configuration comes from
    #[command(flatten)]
    pub configured: Configured,
}

//! Speed, each figure beside its yardstick in one run: servers take turns on the first core, the client has the
//! second. Machines differ and share their cores; the ratios are what counts.

mod open_loop;
mod server;

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{components, run};
use server::{Server, throughput};

/// Core of the server under measurement.
const SERVER_CORE: &str = "0";
/// Core of the client, and of what stands in for vendors.
const CLIENT_CORE: &str = "1";
/// Real-time priority of everything measured, where we may set it.
const PRIORITY: &str = "40";
/// What every server is asked.
const QUOTE: &str = "/v1/quotes/latest?symbols=AAPL";
/// Turns of every server; the best one counts, as it is the least disturbed.
const TURNS: usize = 3;
/// Seconds of one turn.
const TURN_SECS: u32 = 3;
/// Requests a second of the open loop.
const STEADY: u32 = 20_000;
/// Symbols in memory when it is weighed.
const SYMBOLS: usize = 1_000;

/// One figure, its bar, and whether it is cleared.
struct Row {
    what: &'static str,
    measured: String,
    bar: String,
    met: Option<bool>,
}

/// Runs everything and prints the table.
pub(crate) fn run() -> Result<()> {
    components::ensure_bench()?;
    if std::thread::available_parallelism()?.get() < 2 {
        bail!("the bench needs two cores: one for the server, one for the client");
    }
    run::cargo(&["build", "--release", "-q", "-p", "mda"])?;
    run::cargo(&["build", "--release", "-q", "-p", "api", "--example", "baseline"])?;
    pin_to_client_core()?;
    let folder = tempfile::tempdir()?;
    let programs = Programs::find()?;
    let mut rows = cached(&programs, folder.path())?;
    rows.extend(asking_vendors(&programs, folder.path())?);
    print(&rows);
    Ok(())
}

/// Whether we may run ahead of other programs.
fn is_favoured() -> bool {
    run::answers("chrt", &["-f", PRIORITY, "true"])
}

/// The open loop runs in this process, which must not share the server's core.
fn pin_to_client_core() -> Result<()> {
    let id = std::process::id().to_string();
    if is_favoured() {
        Command::new("chrt").args(["-f", "-p", PRIORITY, &id]).status()?;
    }
    let output = Command::new("taskset").args(["-acp", CLIENT_CORE, &id]).output()?;
    if !output.status.success() {
        bail!("taskset: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// What is measured.
struct Programs {
    mda: String,
    baseline: String,
}

impl Programs {
    fn find() -> Result<Programs> {
        let target: std::path::PathBuf =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| run::root().join("target"), Into::into);
        let path = |name: &str| -> Result<String> {
            Ok(target.join("release").join(name).to_str().context("a path in UTF-8")?.to_owned())
        };
        Ok(Programs { mda: path("mda")?, baseline: path("examples/baseline")? })
    }

    fn baseline(&self, kind: &str) -> Result<Server> {
        let address = free_address()?;
        Server::start(SERVER_CORE, &[&self.baseline, kind, &address.to_string()], address, QUOTE)
    }

    /// Simulated vendors without delays and limits, on the client's core.
    fn vendors(&self) -> Result<Server> {
        let address = free_address()?;
        let (listen, count) = (address.to_string(), SYMBOLS.to_string());
        let command =
            [&self.mda, "simulate", "--no-latency", "--unlimited", "--symbols", &count, "--listen", &listen];
        Server::start(CLIENT_CORE, &command, address, "/_sim/journal")
    }

    /// The gateway over simulated vendors; `tune` is added to its configuration.
    fn gateway(&self, vendors: SocketAddr, folder: &Path, name: &str, tune: &str) -> Result<Server> {
        let output = Command::new(&self.mda)
            .args(["simulate", "--no-latency", "--unlimited", "--print-config", "--listen"])
            .arg(vendors.to_string())
            .output()?;
        let text = with_only("polygon", &String::from_utf8(output.stdout)?);
        let file = folder.join(format!("{name}.yaml"));
        fs::write(&file, format!("{text}{tune}monitoring:\n  log_level: warn\n"))?;
        let (address, data) = (free_address()?, folder.join(name));
        let (file, data) = (file.display().to_string(), data.display().to_string());
        let listen = address.to_string();
        let command = [&self.mda, "serve", "--config", &file, "--data", &data, "--listen", &listen];
        Server::start(SERVER_CORE, &command, address, QUOTE)
    }
}

/// A configuration with all vendors but one switched off.
fn with_only(vendor: &str, text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        out.push_str(line);
        out.push('\n');
        let name =
            line.strip_prefix("  ").filter(|name| !name.starts_with(' ')).and_then(|n| n.strip_suffix(':'));
        if name.is_some_and(|name| name != vendor) {
            out.push_str("    enabled: false\n");
        }
    }
    out
}

/// nginx on one worker, answering from its cache what the origin gave once.
fn nginx(origin: SocketAddr, folder: &Path) -> Result<Server> {
    let address = free_address()?;
    let home = folder.display();
    let text = format!(
        "daemon off; user root; worker_processes 1; pid {home}/nginx.pid; error_log {home}/nginx.log crit;
events {{ worker_connections 256; }}
http {{
  access_log off; keepalive_requests 100000000; tcp_nodelay on;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
  proxy_cache_path {home}/cache keys_zone=answers:8m;
  server {{
    listen {address};
    location / {{ proxy_pass http://{origin}; proxy_cache answers; proxy_cache_valid 200 1h; }}
  }}
}}\n"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, text)?;
    Server::start(SERVER_CORE, &["nginx", "-c", file.to_str().context("a path in UTF-8")?], address, QUOTE)
}

/// What costs nothing at a vendor: a quote from memory, graded afresh, beside servers that do less.
fn cached(programs: &Programs, folder: &Path) -> Result<Vec<Row>> {
    let vendors = programs.vendors()?;
    let servers = [
        ("bare hyper, a constant kilobyte", programs.baseline("hyper")?),
        ("axum with serde per request", programs.baseline("axum")?),
        ("nginx proxy_cache hit", nginx(programs.baseline("hyper")?.address, folder)?),
        ("mda, cached quote graded per request", programs.gateway(vendors.address, folder, "cached", "")?),
    ];
    let (mut best, mut p99) = ([0.0_f64; 4], [Duration::MAX; 4]);
    for _ in 0..TURNS {
        for (index, (_, server)) in servers.iter().enumerate() {
            best[index] = best[index].max(throughput(server.address, QUOTE, None, TURN_SECS)?);
        }
    }
    for _ in 0..TURNS {
        for index in [0, 3] {
            let latencies = open_loop::run(servers[index].1.address, QUOTE, STEADY, Duration::from_secs(4))?;
            p99[index] = p99[index].min(latencies.at(0.99));
        }
    }
    let [hyper, axum, nginx, mda] = best;
    let mut rows: Vec<Row> = servers
        .iter()
        .zip(best)
        .map(|((what, _), rate)| Row { what, measured: per_second(rate), bar: String::new(), met: None })
        .collect();
    let ratio = |what, of: f64, bar: f64| Row {
        what,
        measured: format!("{of:.2}"),
        bar: format!("≥ {bar:.2}"),
        met: Some(of >= bar),
    };
    rows.push(ratio("  mda ÷ nginx proxy_cache", mda / nginx, 1.0));
    rows.push(ratio("  mda ÷ axum with serde (aim)", mda / axum, 0.85));
    rows.push(Row {
        what: "  mda ÷ bare hyper",
        measured: format!("{:.2}", mda / hyper),
        bar: String::new(),
        met: None,
    });
    let (yardstick, own) = (p99[0].as_secs_f64(), p99[3].as_secs_f64());
    rows.push(Row {
        what: "p99 at 20,000/s: bare hyper",
        measured: format!("{:.3} ms", yardstick * 1e3),
        bar: String::new(),
        met: None,
    });
    rows.push(Row {
        what: "p99 at 20,000/s: mda",
        measured: format!("{:.3} ms, {:.2} × hyper", own * 1e3, own / yardstick),
        bar: "≤ 1.50 × hyper".to_owned(),
        met: Some(own <= 1.5 * yardstick),
    });
    Ok(rows)
}

/// What involves vendors or the store.
fn asking_vendors(programs: &Programs, folder: &Path) -> Result<Vec<Row>> {
    let vendors = programs.vendors()?;
    let mut starts = Vec::new();
    for turn in 0..5 {
        starts.push(programs.gateway(vendors.address, folder, &format!("start-{turn}"), "")?.cold_start);
    }
    starts.sort_unstable();

    let gateway =
        programs.gateway(vendors.address, folder, "held", "cache:\n  quote: 1h\n  quote_realtime: 1h\n")?;
    let symbols: Vec<String> = (0..SYMBOLS).map(symbol).collect();
    let mut stream = TcpStream::connect(gateway.address)?;
    for some in symbols.chunks(50) {
        open_loop::ask(&mut stream, &format!("/v1/quotes/latest?symbols={}", some.join(",")))?;
    }
    let resident = gateway.resident_mib()?;
    let bars = stored_bars(&mut stream)?;
    drop(gateway);

    let uncached = programs.gateway(
        vendors.address,
        folder,
        "uncached",
        "cache:\n  quote: 1ms\n  quote_realtime: 1ms\n",
    )?;
    let script = folder.join("each.lua");
    fs::write(&script, script_over(&symbols))?;
    let mut rate = 0.0_f64;
    for _ in 0..TURNS {
        rate = rate.max(throughput(uncached.address, QUOTE, Some(&script), TURN_SECS)?);
    }
    Ok(vec![
        Row {
            what: "uncached quote through one zero-delay vendor",
            measured: per_second(rate),
            bar: "≥ 10,000/s".to_owned(),
            met: Some(rate >= 10_000.0),
        },
        Row {
            what: "5,000 stored bars, median answer",
            measured: format!("{:.2} ms", bars.as_secs_f64() * 1e3),
            bar: "< 5 ms".to_owned(),
            met: Some(bars < Duration::from_millis(5)),
        },
        Row {
            what: "cold start to the first answer, median",
            measured: format!("{:.0} ms", starts[2].as_secs_f64() * 1e3),
            bar: "< 300 ms".to_owned(),
            met: Some(starts[2] < Duration::from_millis(300)),
        },
        Row {
            what: "resident memory with 1,000 symbols cached",
            measured: format!("{resident:.1} MiB"),
            bar: "< 60 MiB".to_owned(),
            met: Some(resident < 60.0),
        },
    ])
}

/// Median time of 5,000 daily bars that the store holds; every question has a range of its own, so that memory
/// has no answer to it.
fn stored_bars(stream: &mut TcpStream) -> Result<Duration> {
    let path =
        |day: usize| format!("/v1/bars?symbols=MSFT&interval=1d&start=2004-01-{:02}&end=2023-12-01", day + 1);
    open_loop::ask(stream, &path(0))?;
    let mut took =
        (1..31).map(|day| open_loop::ask(stream, &path(day))).collect::<Result<Vec<Duration>>>()?;
    took.sort_unstable();
    Ok(took[took.len() / 2])
}

/// The names `mda simulate --symbols` adds.
fn symbol(index: usize) -> String {
    let letter = |power: u32| char::from(b'A' + (index / 26_usize.pow(power) % 26) as u8);
    ['Z', letter(2), letter(1), letter(0)].iter().collect()
}

/// Asks for one symbol after the other.
fn script_over(symbols: &[String]) -> String {
    format!(
        "local names, next = {{'{}'}}, 0
request = function()
  next = next % #names + 1
  return wrk.format('GET', '/v1/quotes/latest?symbols=' .. names[next])
end\n",
        symbols.join("','")
    )
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A rate with its thousands apart.
fn per_second(rate: f64) -> String {
    let whole = rate.round() as u64;
    if whole < 1_000 { format!("{whole}/s") } else { format!("{},{:03}/s", whole / 1_000, whole % 1_000) }
}

fn print(rows: &[Row]) {
    println!("\n{:<46} {:>28}  {:<16}", "", "measured", "bar");
    for row in rows {
        let met = match row.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        println!("{:<46} {:>28}  {:<16} {met}", row.what, row.measured, row.bar);
    }
}

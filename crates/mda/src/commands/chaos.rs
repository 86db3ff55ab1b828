//! Makes a simulated vendor fail for a while.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use simulator::Fault;

use crate::arguments::Chaos;
use crate::client::Refused;
use crate::exit;

/// Begins (or ends) a fault at the simulator.
pub(crate) async fn run(chaos: Chaos, as_json: bool) -> Result<u8> {
    let Some(codec) = vendors::find(&chaos.vendor) else {
        return Err(exit::no_vendor(&chaos.vendor).into());
    };
    let vendor = codec.profile().id;
    let base = chaos.simulator.trim_end_matches('/').to_owned();
    runtime::install_tls();
    let http = reqwest::Client::builder().no_proxy().build().context("no HTTP client")?;
    let request = if chaos.fault == "end" {
        http.delete(format!("{base}/_sim/chaos/{vendor}"))
    } else {
        if Fault::parse(&chaos.fault).is_none() {
            let words = Fault::WORDS.join(", ");
            let what = format!("`{}` is no fault; there are {words} and end", chaos.fault);
            return Err(exit::malformed(what).into());
        }
        let span = config::text::duration(&chaos.duration).ok_or_else(|| {
            exit::malformed(format!("`{}` is no duration: write 60s or 5m", chaos.duration))
        })?;
        http.post(format!("{base}/_sim/chaos")).json(&json!({
            "vendor": vendor.as_str(), "fault": chaos.fault, "for_ms": span.as_millis() as u64,
        }))
    };
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() => return Err(Refused(base).into()),
        Err(error) => return Err(error.without_url()).context("the simulator did not answer"),
    };
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap_or(Value::Null);
    if as_json {
        println!("{body}");
    } else if status < 300 {
        match chaos.fault.as_str() {
            "end" => println!("{vendor} works again"),
            fault => println!("{vendor}: {fault} for {}", chaos.duration),
        }
    } else {
        eprintln!("mda: the simulator refused: {body}");
    }
    Ok(exit::of_status(status))
}

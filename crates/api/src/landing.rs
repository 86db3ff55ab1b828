//! The page at `/` for people: what this is, where things are, how each vendor stands. Self-contained.

use std::fmt::Write;

use crate::call::Call;
use crate::vendors_told::{VendorTold, told};

const HEAD: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Market Data Agent</title><style>
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1d2733;background:#fff}
h1{font-size:1.5rem;margin:0}table{border-collapse:collapse;width:100%;margin-top:1rem}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #d9e0e6;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}code{background:#eef2f5;padding:.1rem .3rem;border-radius:.2rem}
.simulated{background:#7a3b00;color:#fff;padding:.5rem 1rem;border-radius:.3rem;font-weight:600}
@media(prefers-color-scheme:dark){body{background:#12181f;color:#dbe3ea}th,td{border-color:#2a3540}code{background:#1f2831}a{color:#7db8ff}}
</style></head><body><h1>Market Data Agent</h1>
"#;

const LINKS: &str = r#"<ul>
<li><a href="/docs">Interactive documentation</a>, <a href="/openapi.json">OpenAPI 3.1</a></li>
<li><a href="/v1/quotes/latest?symbols=AAPL,MSFT">Latest quotes</a>,
<a href="/v1/bars?symbols=AAPL&amp;interval=1d">daily bars</a>,
<a href="/v1/compare?symbol=AAPL">vendors side by side</a></li>
<li><a href="/v1/vendors">Vendors</a>, <a href="/v1/attempts">exchanges</a>, <a href="/v1/events">events</a>,
<a href="/v1/failures">failures</a>, <a href="/healthz">health</a></li>
</ul>
"#;

/// The page.
pub fn page(call: &Call) -> String {
    let now = call.gateway.now();
    let mut page = String::with_capacity(8_192);
    page.push_str(HEAD);
    if call.about.simulated {
        page.push_str("<p class=\"simulated\">SIMULATED: every value here is made up.</p>\n");
    }
    write_line(&mut page, format_args!("<p>Version {}, {}</p>\n", escaped(call.about.version), now));
    page.push_str(LINKS);
    page.push_str("<table><thead><tr><th>Vendor</th><th>State</th><th>Breaker</th><th>Health</th><th>p50 ms</th><th>p95 ms</th><th>Quota left</th></tr></thead><tbody>\n");
    for upstream in call.gateway.upstreams() {
        write_row(&mut page, &told(upstream, now));
    }
    page.push_str("</tbody></table></body></html>\n");
    page
}

fn write_row(page: &mut String, vendor: &VendorTold) {
    let latency = |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.0}"));
    let quota: Vec<String> = vendor
        .quota
        .iter()
        .map(|window| format!("{} of {} per {}", window.remaining, window.limit, window.window))
        .collect();
    let reason = vendor.reason.as_ref().map(|why| format!(": {}", escaped(why))).unwrap_or_default();
    write_line(
        page,
        format_args!(
            "<tr><td><a href=\"/v1/vendors/{id}\">{id}</a></td><td>{}{reason}</td><td>{}</td><td>{} ({} errors)</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>\n",
            vendor.state,
            vendor.circuit_breaker.state,
            vendor.health.status,
            vendor.health.error_count,
            latency(vendor.health.latency_ms_p50),
            latency(vendor.health.latency_ms_p95),
            if quota.is_empty() { "no limit".to_owned() } else { quota.join(", ") },
            id = vendor.id,
        ),
    );
}

fn write_line(page: &mut String, line: std::fmt::Arguments<'_>) {
    page.write_fmt(line).expect("writing to a string does not fail");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

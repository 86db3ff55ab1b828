//! Checks configuration and environment without starting anything.

use anyhow::Result;
use serde_json::json;

use crate::arguments::Check;
use crate::{exit, wiring};

/// Prints what is wrong, or how each vendor stands.
pub(crate) fn run(check: Check, as_json: bool) -> Result<u8> {
    let configuration = match wiring::configuration(&check.configured) {
        Ok(configuration) => configuration,
        Err(error) => match error.downcast::<config::Problems>() {
            Ok(problems) => {
                if as_json {
                    let list: Vec<_> =
                        problems.0.iter().map(|p| json!({"key": p.key, "problem": p.what})).collect();
                    println!("{}", json!({"ok": false, "problems": list}));
                } else {
                    eprintln!("{problems}");
                }
                return Ok(exit::CONFIGURATION);
            }
            Err(error) => return Err(error),
        },
    };
    wiring::calendars(&configuration.calendars)?;
    let vendors: Vec<(String, String)> = configuration
        .gateway
        .upstreams
        .iter()
        .map(|settings| {
            let state = match (settings.enabled, settings.is_retired(), settings.missing_key()) {
                (false, ..) => "disabled".to_owned(),
                (_, true, _) => "retired".to_owned(),
                (_, _, Some(variable)) => format!("unconfigured: set {variable}"),
                _ => format!("ready, plan {}", settings.plan.name),
            };
            (settings.vendor().to_string(), state)
        })
        .collect();
    if as_json {
        let states: serde_json::Map<String, serde_json::Value> =
            vendors.into_iter().map(|(vendor, state)| (vendor, state.into())).collect();
        println!(
            "{}",
            json!({"ok": true, "environment": configuration.environment, "listen": configuration.listen.to_string(),
                   "vendors": states, "notices": configuration.notices})
        );
    } else {
        println!(
            "configuration is right; environment {}, listens on {}",
            configuration.environment, configuration.listen
        );
        crate::table::print(&["vendor", "state"], vendors.into_iter().map(|(a, b)| vec![a, b]).collect());
        for notice in &configuration.notices {
            println!("notice: {notice}");
        }
    }
    Ok(exit::OK)
}

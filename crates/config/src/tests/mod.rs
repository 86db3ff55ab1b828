//! Whole configurations: text in, settings or problems out. CFG-1 to CFG-5, CFG-8, CFG-11, CFG-12, CLI-4,
//! LIM-5, RTE-4, SRC-6, SRC-12.

mod accepted;
mod layering;
mod page;
mod promises;
mod refusals;
mod samples;
mod spending;

use gateway::settings::UpstreamSettings;

use crate::{Configuration, Flags, Problems, load};

/// Variables of a test, by name.
type Variables<'a> = &'a [(&'a str, &'a str)];

fn read_with(
    base: &str,
    overlay: &str,
    variables: Variables<'_>,
    flags: &Flags,
) -> Result<Configuration, Problems> {
    let variable =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    load(Some(("mda.yaml", base)), Some(("overlay.yaml", overlay)), &variable, flags)
}

fn read(base: &str, variables: Variables<'_>) -> Result<Configuration, Problems> {
    read_with(base, "", variables, &Flags::default())
}

/// What is wrong with a base file, a line each.
fn refused(base: &str, variables: Variables<'_>) -> String {
    match read(base, variables) {
        Ok(_) => "accepted".to_owned(),
        Err(problems) => problems.to_string(),
    }
}

/// What a user is told of an accepted base file, a line each; unconfigured vendors left out.
fn notices(base: &str, variables: Variables<'_>) -> String {
    let configuration = read(base, variables).unwrap_or_else(|problems| panic!("{problems}"));
    let told = configuration.notices.iter().filter(|notice| !notice.contains("unconfigured"));
    told.cloned().collect::<Vec<_>>().join("\n")
}

fn upstream<'a>(configuration: &'a Configuration, vendor: &str) -> &'a UpstreamSettings {
    let id = vendors::find(vendor).unwrap().profile().id;
    configuration.gateway.upstreams.iter().find(|upstream| upstream.vendor() == id).unwrap()
}

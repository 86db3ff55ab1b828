//! CFG-1: defaults, base, overlay, environment, flags; a later one wins key by key.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::{Variables, read_with, upstream};
use crate::Flags;
use crate::configuration::environment;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn each_source_wins_over_those_before_it() {
    let base = "
        environment: staging
        api: {listen: 127.0.0.2:1001}
        storage: {data_dir: base}
        monitoring: {log_level: warn}
        vendors: {massive: {priority: 4, weight: 3, api_key: key-of-the-base}}
    ";
    let overlay = "
        api: {listen: 127.0.0.3:1002}
        storage:
        monitoring: {log_level: error}
        data_sources: {polygon: {priority: 5}}
    ";
    let variables: Variables<'_> = &[
        ("ENVIRONMENT", "prod"),
        ("API_PORT", "1003"),
        ("DATABASE_URL", "sqlite:///var/lib/outside"),
        ("LOG_LEVEL", "DEBUG"),
        ("POLYGON_API_KEY", "key-of-the-environment"),
    ];
    let flags = Flags {
        environment: Some("dev".to_owned()),
        listen: Some(address("127.0.0.5:1004")),
        data: Some(PathBuf::from("flagged")),
    };
    let none = Flags::default();
    let read = |overlay: &str, variables: Variables<'_>, flags: &Flags| {
        read_with(base, overlay, variables, flags).unwrap_or_else(|problems| panic!("{problems}"))
    };
    let seen = |overlay: &str, variables: Variables<'_>, flags: &Flags| {
        let c = read(overlay, variables, flags);
        let polygon = upstream(&c, "polygon");
        format!(
            "{} {} {} {} {} {} {}",
            c.environment,
            c.listen,
            c.data.display(),
            c.log_level,
            polygon.priority,
            polygon.weight,
            polygon.key.as_ref().unwrap().expose_secret()
        )
    };
    let told = [
        seen("", &[], &none),
        seen(overlay, &[], &none),
        seen(overlay, variables, &none),
        seen(overlay, variables, &flags),
    ];
    insta::assert_snapshot!(told.join("\n"), @r"
    staging 127.0.0.2:1001 base warn 4 3 key-of-the-base
    staging 127.0.0.3:1002 base error 5 3 key-of-the-base
    production 127.0.0.3:1003 /var/lib/outside debug 5 3 key-of-the-environment
    development 127.0.0.5:1004 flagged debug 5 3 key-of-the-environment
    ");
}

#[test]
fn a_file_named_as_the_database_lends_its_folder() {
    let data = |url: &str| read_with("", "", &[("DATABASE_URL", url)], &Flags::default()).unwrap().data;
    assert_eq!(data("sqlite:///var/lib/mda/agent.db"), Path::new("/var/lib/mda"));
    assert_eq!(data("sqlite:agent.db"), Path::new("."));
    assert_eq!(data("folder/of/data"), Path::new("folder/of/data"));
}

#[test]
fn the_overlay_is_chosen_by_flag_then_variable_then_file() {
    let flags = Flags { environment: Some("production".to_owned()), ..Flags::default() };
    let variable = |name: &str| (name == "ENVIRONMENT").then(|| "Staging".to_owned());
    let file = Some("environment: ${WHERE:-dev}\n");
    assert_eq!(environment(file, &variable, &flags).as_deref(), Some("production"));
    assert_eq!(environment(file, &variable, &Flags::default()).as_deref(), Some("staging"));
    assert_eq!(environment(file, &|_| None, &Flags::default()).as_deref(), Some("development"));
    assert_eq!(environment(None, &|_| None, &Flags::default()), None);
    let unknown = Flags { environment: Some("prodution".to_owned()), ..Flags::default() };
    insta::assert_snapshot!(read_with("", "", &[], &unknown).err().unwrap(), @"--environment: is no such word; did you mean `production`?");
}

#[test]
fn json_is_a_configuration_too() {
    let text = r#"{"cache": {"quote": "7s"}, "data_sources": {"yahoo": {"priority": 1}}}"#;
    let configuration = read_with(text, "", &[], &Flags::default()).unwrap();
    assert_eq!(configuration.gateway.cache.quote.as_secs(), 7);
}

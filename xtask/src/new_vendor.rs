//! The skeleton of a vendor: one codec, its plans, a folder for examples. What is left to do fails the
//! conformance suite until it is done.

use std::fs;

use anyhow::{Result, bail, ensure};

use crate::run;

/// Writes the skeleton and says what to do next.
pub(crate) fn write(id: &str) -> Result<()> {
    let shape = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    ensure!(
        !id.is_empty() && id.chars().all(shape) && id.starts_with(|c: char| c.is_ascii_lowercase()),
        "`{id}` is no vendor id: write lower-case letters, digits and underscores, a letter first"
    );
    let vendors = run::root().join("crates/vendors");
    let code = vendors.join(format!("src/{id}.rs"));
    if code.exists() || vendors.join(format!("src/{id}")).exists() {
        bail!("there is already a vendor {id}");
    }
    let name: String = id
        .split('_')
        .map(|word| word[..1.min(word.len())].to_ascii_uppercase() + word.get(1..).unwrap_or_default())
        .collect();
    fs::write(&code, codec(id, &name))?;
    fs::write(vendors.join(format!("plans/{id}.yaml")), PLANS)?;
    fs::create_dir_all(vendors.join(format!("examples/{id}")))?;
    println!("wrote crates/vendors/src/{id}.rs, plans/{id}.yaml and examples/{id}/");
    println!(
        "next: add `pub mod {id};` and `&{id}::{name},` in alphabetical order to crates/vendors/src/lib.rs,"
    );
    println!("fill in the codec, and run `cargo xtask check -p vendors`");
    Ok(())
}

const PLANS: &str = "default: free
plans:
  free:
    verified_on: 1970-01-01
    limits: [{count: 1, per: minute}]
    delivery: {class: end_of_day}
    entitlements: []
    price_per_request_micros: 0
    price_per_month_usd: 0
    source: \"title of the vendor's page, date\"
";

fn codec(id: &str, name: &str) -> String {
    format!(
        r#"//! {name}. Source: title of the vendor's documents, section, date read.
//!
//! Quirk: say here what the format does not tell by itself.

use domain::{{Instant, VendorId}};

use crate::{{
    Ask, Codec, Data, Decoded, HttpRequest, HttpResponse, KeySlot, Profile, Question, Rejection, Status,
    VendorClass,
}};

/// The dialect of {name}.
pub(crate) struct {name};

static PROFILE: Profile = Profile {{
    id: VendorId("{id}"),
    aliases: &[],
    class: VendorClass::EquityDelayed,
    status: Status::Active,
    base_urls: &[],
    key: KeySlot::None,
    key_variables: &[],
    offers: &[],
    quota_zone: "UTC",
    feed: "{id}",
}};

impl Codec for {name} {{
    fn profile(&self) -> &'static Profile {{
        &PROFILE
    }}

    fn plans(&self) -> &'static str {{
        include_str!("../plans/{id}.yaml")
    }}

    fn encode_request(&self, _ask: &Ask<'_>) -> Result<HttpRequest, Rejection> {{
        Err(Rejection::Unsupported)
    }}

    fn decode_response(
        &self,
        _ask: &Ask<'_>,
        _sent: &HttpRequest,
        _response: &HttpResponse,
    ) -> Result<Decoded, Rejection> {{
        Err(Rejection::Unsupported)
    }}

    fn decode_request(&self, _request: &HttpRequest) -> Result<Question, Rejection> {{
        Err(Rejection::Unsupported)
    }}

    fn encode_response(
        &self,
        _request: &HttpRequest,
        _question: Option<&Question>,
        _outcome: &Result<Data, Rejection>,
        _now: Instant,
    ) -> HttpResponse {{
        HttpResponse::text(404, "")
    }}
}}
"#
    )
}

//! Vendor dialects. Each is one file that speaks both ends of the wire: our questions to its requests, its
//! replies to our data, and back. Data in, data out: no I/O, no clock, no retries, no limits.

pub mod wire;
pub mod question;
pub mod data;
pub mod rejection;
pub mod profile;
pub mod plan;
pub mod price;
pub mod codec;
pub mod reading;
pub mod shape;

mod number;
mod local_time;
mod symbol;
mod body;

pub mod alpha_vantage;
pub mod finnhub;
pub mod iex_cloud;
pub mod polygon;
pub mod twelve_data;
pub mod yahoo;

pub use codec::{Allowance, Ask, Codec, Decoded, Session};
pub use data::{Data, Quoted};
pub use plan::Plan;
pub use price::{ObjectKind, Tariff, Tier, Usage};
pub use profile::{KeySlot, Offer, Profile, Status, VendorClass};
pub use question::{Capability, Question};
pub use rejection::{Blame, Rejection, Window};
pub use wire::{HttpRequest, HttpResponse, Method};

/// Every vendor, by id: alphabetical, one a line, so that two new vendors merge without a conflict.
pub static ALL: &[&dyn Codec] = &[
    &alpha_vantage::AlphaVantage,
    &finnhub::Finnhub,
    &iex_cloud::IexCloud,
    &polygon::Polygon,
    &twelve_data::TwelveData,
    &yahoo::Yahoo,
];

/// The vendor of an id or alias, in any case.
pub fn find(name: &str) -> Option<&'static dyn Codec> {
    ALL.iter().copied().find(|codec| {
        let profile = codec.profile();
        profile.id.as_str().eq_ignore_ascii_case(name)
            || profile.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    })
}

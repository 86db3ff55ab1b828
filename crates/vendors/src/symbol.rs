//! Instruments and venues as requests and rows name them, whatever the vendor.

use domain::{InstrumentId, Venue};

/// Stands for the instrument where a request names none: a template's `{symbol}`, a payload alone.
pub(crate) fn unnamed() -> InstrumentId {
    InstrumentId::new("?", Venue::US)
}

/// Whether an instrument is [`unnamed`].
pub(crate) fn is_unnamed(instrument: &InstrumentId) -> bool {
    instrument.name() == "?"
}

/// A parameter's value unless it is missing, empty or a template's `{name}`.
pub(crate) fn given(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|text| !text.is_empty() && !text.starts_with('{'))
}

/// Venues that list shares of the United States, segments and consolidated tape included.
const UNITED_STATES: [&str; 18] = [
    "US", "XNAS", "XNGS", "XNMS", "XNCM", "XNYS", "XASE", "ARCX", "BATS", "IEXG", "OOTC", "OTCM", "PINX",
    "PSGM", "EXPM", "OTCQ", "OTCB", "XOTC",
];

/// Whether a venue lists shares of the United States, whose symbols vendors write bare.
pub(crate) fn is_united_states(venue: Venue) -> bool {
    UNITED_STATES.contains(&venue.as_str())
}

/// The venue of a market identifier code; a segment of Nasdaq is Nasdaq.
pub(crate) fn venue_of_mic(code: &str) -> Option<Venue> {
    match code {
        "XNGS" | "XNMS" | "XNCM" => Some(Venue::literal("XNAS")),
        code => Venue::new(code),
    }
}

//! Bytes for `vendors::finnhub`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| vendor_fuzz::check(&vendors::finnhub::Finnhub, input));

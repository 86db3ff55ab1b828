//! Bytes for `vendors::twelve_data`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| vendor_fuzz::check(&vendors::twelve_data::TwelveData, input));

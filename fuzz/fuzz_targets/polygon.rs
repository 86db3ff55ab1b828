//! Bytes for `vendors::polygon`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| vendor_fuzz::check(&vendors::polygon::Polygon, input));

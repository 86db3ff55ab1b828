//! Bytes for `vendors::alpha_vantage`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| vendor_fuzz::check(&vendors::alpha_vantage::AlphaVantage, input));

//! Bytes for `vendors::yahoo`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| vendor_fuzz::check(&vendors::yahoo::Yahoo, input));

//! Bytes for `vendors::iex_cloud`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| vendor_fuzz::check(&vendors::iex_cloud::IexCloud, input));

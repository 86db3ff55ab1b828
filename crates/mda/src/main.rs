//! mda
fn main() {}

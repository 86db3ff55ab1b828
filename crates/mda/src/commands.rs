//! One file per command.

pub mod ask;
pub mod chaos;
pub mod check;
pub mod decode;
pub mod demo;
pub mod serve;
pub mod simulate;

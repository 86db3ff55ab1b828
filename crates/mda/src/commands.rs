//! One file per command.

pub(crate) mod ask;
pub(crate) mod budget;
pub(crate) mod chaos;
pub(crate) mod check;
pub(crate) mod decode;
pub(crate) mod demo;
pub(crate) mod serve;
pub(crate) mod simulate;

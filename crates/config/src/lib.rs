//! Text to checked settings: layers of YAML or JSON, every problem reported at once, nothing guessed.

pub mod problem;
pub mod text;
pub mod layers;
pub mod reader;
pub mod plans;
pub mod vendor;
pub mod schedule;
pub mod sections;
pub mod service_levels;
mod spending;
pub mod configuration;
pub mod reference;
pub mod vendors_page;

#[cfg(test)]
mod tests;

pub use configuration::{Configuration, Flags, load};
pub use problem::{Problem, Problems};
pub use sections::Sharing;

//! Our answers in other programs' formats.

pub mod decoded;
pub mod door;
pub mod app;
pub mod server;
mod hot;
pub mod routes;
pub mod call;
pub mod words;
pub mod ask;
pub mod form;
pub mod meta;
pub mod grade;
pub mod envelope;
pub mod page;
pub mod error;
pub mod quotes;
pub mod bars;
pub mod lists;
pub mod reference;
pub mod compare;
pub mod records;
pub mod rollups;
pub mod costs;
pub mod estimate;
pub mod vendors_told;
pub mod health;
pub mod cache_told;
pub mod ops;
pub mod compat;
pub mod insights;
pub mod landing;
pub mod tables;
pub mod docs;

pub use app::{App, app};
pub use call::About;
pub use server::serve;

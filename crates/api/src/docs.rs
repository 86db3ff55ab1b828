//! The description of all addresses, and the page that shows it. Nothing is loaded from a network.

use axum::Router;

/// The pages of the documentation.
pub fn pages() -> Router {
    Router::new()
}

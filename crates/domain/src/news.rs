//! News.

use std::sync::Arc;

use crate::{Instant, InstrumentId};

/// One news item.
#[derive(Clone, Debug, PartialEq)]
pub struct NewsItem {
    /// The vendor's id.
    pub id: Option<Arc<str>>,
    /// When it was published.
    pub published: Instant,
    /// Headline.
    pub headline: Arc<str>,
    /// Summary.
    pub summary: Option<Arc<str>>,
    /// Publisher.
    pub publisher: Option<Arc<str>>,
    /// Where to read it.
    pub url: Option<Arc<str>>,
    /// Instruments it speaks of, as far as the vendor says.
    pub instruments: Vec<InstrumentId>,
}

//! How much a request matters when something is scarce.

/// Five classes of work, most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// First; never held back for a reserve.
    Critical,
    /// Before normal.
    High,
    /// The default.
    #[default]
    Normal,
    /// May wait.
    Low,
    /// Background work.
    Batch,
}

impl Priority {
    /// All, most important first.
    pub const ALL: [Priority; 5] =
        [Priority::Critical, Priority::High, Priority::Normal, Priority::Low, Priority::Batch];

    /// One class lower; batch stays batch.
    #[must_use]
    pub const fn lower(self) -> Priority {
        match self {
            Priority::Critical => Priority::High,
            Priority::High => Priority::Normal,
            Priority::Normal => Priority::Low,
            Priority::Low | Priority::Batch => Priority::Batch,
        }
    }

    /// Place in [`Priority::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

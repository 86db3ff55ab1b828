//! One budget for all that is held in memory (CCH-3): what each part may have of it adds up to the whole.

/// A part of the gateway that holds data in memory, bounded by its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Answers, the series among them.
    Answers,
    /// Symbols nobody knows.
    Unknown,
    /// What vendors last said.
    Voices,
    /// Decision records, events and exchanges.
    Records,
    /// What waits to be written behind.
    Queue,
    /// Quotes written out for the short way.
    Templates,
    /// What was learned about lifetimes and rhythms.
    Learned,
}

impl Part {
    /// All parts.
    pub const ALL: [Part; 7] = [
        Part::Answers,
        Part::Unknown,
        Part::Voices,
        Part::Records,
        Part::Queue,
        Part::Templates,
        Part::Learned,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Part::Answers => "answers",
            Part::Unknown => "unknown_symbols",
            Part::Voices => "voices",
            Part::Records => "records",
            Part::Queue => "queue",
            Part::Templates => "templates",
            Part::Learned => "learned",
        }
    }

    /// Its share of the budget, in percent.
    const fn percent(self) -> u64 {
        match self {
            Part::Answers => 50,
            Part::Unknown => 2,
            Part::Voices => 3,
            Part::Records => 20,
            Part::Queue => 8,
            Part::Templates => 13,
            Part::Learned => 4,
        }
    }

    /// Bytes it may hold of a budget.
    pub const fn of(self, budget: u64) -> u64 {
        budget / 100 * self.percent()
    }

    /// Items of a size it may hold of a budget, at least one.
    pub fn items(self, budget: u64, item_bytes: u64) -> usize {
        usize::try_from(self.of(budget) / item_bytes).unwrap_or(usize::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    // CCH-3.
    use super::*;

    #[test]
    fn the_parts_never_add_up_beyond_the_budget() {
        for budget in [1 << 20, 256 << 20, 1_000_000_007_u64] {
            let sum: u64 = Part::ALL.into_iter().map(|part| part.of(budget)).sum();
            assert!(sum <= budget, "{sum} of {budget}");
            assert!(sum + 100 >= budget / 100 * 100, "{sum} of {budget}");
        }
    }
}

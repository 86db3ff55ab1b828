//! What an answer can be told by when it is to be dropped (CCH-8).

use domain::{Adjustment, InstrumentId, VendorId};
use vendors::Question;

use crate::answer::Answer;
use crate::flight_key::FlightKey;

/// What kind of question an answer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// Latest quotes.
    Quotes,
    /// Bars.
    Bars,
    /// Executions.
    Trades,
    /// Splits and dividends.
    Actions,
    /// News.
    News,
    /// Symbols, searches, the state of markets.
    Reference,
}

impl Namespace {
    /// All namespaces.
    pub const ALL: [Namespace; 6] = [
        Namespace::Quotes,
        Namespace::Bars,
        Namespace::Trades,
        Namespace::Actions,
        Namespace::News,
        Namespace::Reference,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Namespace::Quotes => "quotes",
            Namespace::Bars => "bars",
            Namespace::Trades => "trades",
            Namespace::Actions => "actions",
            Namespace::News => "news",
            Namespace::Reference => "reference",
        }
    }

    /// The namespace of a question.
    pub const fn of(question: &Question) -> Namespace {
        match question {
            Question::Quotes { .. } => Namespace::Quotes,
            Question::Bars { .. } => Namespace::Bars,
            Question::Trades { .. } => Namespace::Trades,
            Question::Splits { .. } | Question::Dividends { .. } => Namespace::Actions,
            Question::News { .. } => Namespace::News,
            Question::Search { .. } | Question::Symbols | Question::MarketStatus => Namespace::Reference,
        }
    }
}

/// Which answers are meant: those that carry every tag that is given; without any, all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// About this instrument.
    pub instrument: Option<InstrumentId>,
    /// With a part by this vendor.
    pub vendor: Option<VendorId>,
    /// Of bars restated like this.
    pub basis: Option<Adjustment>,
    /// To questions of this kind.
    pub namespace: Option<Namespace>,
}

impl Tags {
    /// Everything about an instrument.
    pub fn about(instrument: &InstrumentId) -> Tags {
        Tags { instrument: Some(instrument.clone()), ..Tags::default() }
    }

    /// Whether an answer carries every tag.
    pub fn match_answer(&self, key: &FlightKey, answer: &Answer) -> bool {
        let is_bars = matches!(key.question, Question::Bars { .. });
        self.match_question(&key.question)
            && self.vendor.is_none_or(|vendor| answer.vendors.contains(&vendor))
            && self.basis.is_none_or(|basis| is_bars && answer.basis.adjustment == basis)
    }

    /// Whether the memory of an unknown symbol carries every tag: no vendor and no basis is part of it.
    pub fn match_unknown(&self, key: &FlightKey) -> bool {
        self.match_question(&key.question) && self.vendor.is_none() && self.basis.is_none()
    }

    fn match_question(&self, question: &Question) -> bool {
        self.instrument.as_ref().is_none_or(|id| question.instruments().contains(id))
            && self.namespace.is_none_or(|namespace| Namespace::of(question) == namespace)
    }
}

/// How many entries were dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Invalidated {
    /// Answers.
    pub answers: u64,
    /// Symbols that nobody knew.
    pub unknown: u64,
}

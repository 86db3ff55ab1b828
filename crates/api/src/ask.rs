//! Several symbols at once: each is asked for by itself and fails by itself.

use domain::{Instant, InstrumentId};
use futures_util::future::join_all;
use gateway::Policy;
use vendors::Question;

use crate::call::{Call, Refusal};
use crate::envelope::{Part, part_id};
use crate::error::{Code, Fault, Problem};
use crate::form::{Arrangement, Form, Format};
use crate::words::Words;

/// At most so many symbols in one request.
pub const MOST_SYMBOLS: usize = 2_000;

/// A request about symbols, read and without a fault.
pub struct Asked {
    /// The symbols in upper case, none twice, each with its instrument or why there is none.
    pub symbols: Vec<(String, Result<InstrumentId, Problem>)>,
    /// The conditions.
    pub policy: Policy,
    /// The form of the answer.
    pub form: Form,
}

impl Asked {
    /// Reads the words that every request about symbols takes and ends the reading: what is left is
    /// unknown. A malformed symbol spoils the request only where nothing else could be answered.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn read(call: &Call, name: &'static str, mut words: Words) -> Result<Asked, Problem> {
        let texts = words.symbols(name);
        let policy = words.policy(&call.gateway);
        let form = words.form(call.accept());
        if texts.len() > MOST_SYMBOLS {
            let detail = format!("{} symbols in one request: at most {MOST_SYMBOLS}", texts.len());
            return Err(Problem::new(Code::TooLarge, detail));
        }
        let mut symbols: Vec<(String, Result<InstrumentId, Problem>)> = Vec::new();
        for text in texts {
            let key = text.to_uppercase();
            if !symbols.iter().any(|(known, _)| *known == key) {
                let resolved = call.resolve(&text, policy.asof);
                symbols.push((key, resolved));
            }
        }
        let malformed: Vec<Fault> = symbols
            .iter()
            .filter_map(|(_, resolved)| resolved.as_ref().err())
            .filter(|problem| problem.code == Code::BadRequest)
            .map(|problem| Fault { parameter: name.to_owned(), detail: problem.detail.clone() })
            .collect();
        let all_malformed = !symbols.is_empty() && malformed.len() == symbols.len();
        match words.finish() {
            Ok(()) if all_malformed => Err(Problem::malformed(malformed)),
            Ok(()) => Ok(Asked { symbols, policy, form }),
            Err(mut faults) => {
                faults.extend(malformed);
                Err(Problem::malformed(faults))
            }
        }
    }
}

impl Asked {
    /// The same, with its lists arranged.
    ///
    /// # Errors
    /// Columns are a form of JSON: in NDJSON and CSV a line is a row.
    pub fn arranged(mut self, arrangement: Arrangement) -> Result<Asked, Problem> {
        if arrangement == Arrangement::Columns && self.form.format != Format::Json {
            let detail =
                format!("columns are a form of json: in {} a line is a row", self.form.format.as_str());
            return Err(Problem::malformed(vec![Fault { parameter: "shape".to_owned(), detail }]));
        }
        self.form.arrangement = arrangement;
        Ok(self)
    }
}

/// Asks for every symbol in parallel. `question` makes the question and policy about one of them.
pub async fn ask_each(
    call: &Call,
    symbols: Vec<(String, Result<InstrumentId, Problem>)>,
    question: impl Fn(usize, &InstrumentId) -> Result<(Question, Policy), Problem>,
) -> Vec<Part> {
    let count = symbols.len();
    let question = &question;
    join_all(symbols.into_iter().enumerate().map(|(index, (key, resolved))| async move {
        let asked = resolved.and_then(|instrument| question(index, &instrument));
        let outcome = match asked {
            Ok((question, policy)) => call.ask(part_id(call, index, count), question, policy).await,
            Err(problem) => Err(Refusal::from(problem)),
        };
        Part { key, outcome }
    }))
    .await
}

/// The record of a request about several symbols: that of each, one after the other, under its id.
pub fn remember_all(call: &Call, parts: &[Part]) {
    if parts.len() < 2 {
        return;
    }
    let decisions: Vec<_> =
        parts.iter().filter_map(|part| Some((part.key.as_str(), part.outcome.as_ref().ok()?))).collect();
    let at: Instant = call.received_at;
    let joined = gateway::Decision {
        id: call.id.clone(),
        at,
        question: parts.iter().map(|part| part.key.as_str()).collect::<Vec<_>>().join(", "),
        policy: decisions.first().map(|(_, s)| s.answer.decision.policy.clone()).unwrap_or_default(),
        candidates: Vec::new(),
        attempts: decisions.iter().flat_map(|(_, s)| s.attempts().to_vec()).collect(),
        answered_by: None,
        notes: (0..parts.len())
            .map(|index| {
                format!("{} is explained under {}", parts[index].key, part_id(call, index, parts.len()))
            })
            .collect(),
        cost_micros: decisions.iter().map(|(_, s)| crate::meta::cost_micros(s)).sum(),
    };
    call.gateway.remember(call.id.clone(), &std::sync::Arc::new(joined));
}

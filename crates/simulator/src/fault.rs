//! What can go wrong at a vendor, by command and by schedule.

mod schedule;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::{Instant, Price, Ratio, VendorId, number::Decimal};
use parking_lot::RwLock;
use vendors::{Data, HttpResponse};

pub use schedule::Schedule;

/// One way to fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// 503 in the vendor's words.
    Outage,
    /// The connection closes without a reply; in-process there is none.
    Refuse,
    /// The reply comes later by this.
    Slow(Duration),
    /// No reply while the fault lasts.
    Hang,
    /// The vendor's rate limit, whatever the quota.
    TooManyRequests,
    /// An HTML page with this status in place of the data.
    Html(u16),
    /// The body stops in the middle and the connection breaks.
    Truncate,
    /// Well-formed JSON whose fields have other names.
    Schema,
    /// Prices multiplied by this.
    Wrong(f64),
    /// The data of the moment the fault began, with its old times.
    Stale,
    /// Prices in hundredths, the currency code unchanged.
    Pence,
}

impl Fault {
    /// Every word [`Fault::parse`] reads.
    pub const WORDS: [&'static str; 11] =
        ["outage", "refuse", "slow", "hang", "429", "html", "truncate", "schema", "wrong", "stale", "pence"];

    /// The fault of a command's word, with its usual extent: 2 s slow, 3 % wrong, HTML with status 200.
    pub fn parse(word: &str) -> Option<Fault> {
        Some(match word {
            "outage" => Fault::Outage,
            "refuse" => Fault::Refuse,
            "slow" => Fault::Slow(Duration::from_secs(2)),
            "hang" => Fault::Hang,
            "429" => Fault::TooManyRequests,
            "html" => Fault::Html(200),
            "truncate" => Fault::Truncate,
            "schema" => Fault::Schema,
            "wrong" => Fault::Wrong(1.03),
            "stale" => Fault::Stale,
            "pence" => Fault::Pence,
            _ => return None,
        })
    }

    /// The word of a command.
    pub const fn as_str(self) -> &'static str {
        match self {
            Fault::Outage => "outage",
            Fault::Refuse => "refuse",
            Fault::Slow(_) => "slow",
            Fault::Hang => "hang",
            Fault::TooManyRequests => "429",
            Fault::Html(_) => "html",
            Fault::Truncate => "truncate",
            Fault::Schema => "schema",
            Fault::Wrong(_) => "wrong",
            Fault::Stale => "stale",
            Fault::Pence => "pence",
        }
    }

    /// What the vendor believes while it lasts: other prices than the true ones.
    pub(crate) fn distort(self, data: &mut Data) {
        let factor = match self {
            Fault::Wrong(factor) => Decimal::try_from(factor).ok().map(Ratio::new),
            Fault::Pence => Some(Ratio::new(Decimal::ONE_HUNDRED)),
            _ => None,
        };
        if let Some(factor) = factor {
            scale(data, factor);
        }
    }

    /// What becomes of a reply on its way out.
    pub(crate) fn spoil(self, response: &mut HttpResponse) {
        match self {
            Fault::Html(status) => {
                let page = "<!DOCTYPE html><html><head><title>Will be right back</title></head>\
                            <body><h1>We are making improvements</h1></body></html>";
                *response = HttpResponse::new(status, "text/html; charset=utf-8", page);
            }
            Fault::Schema => {
                let renamed = serde_json::from_slice(&response.body).map(|mut value| {
                    rename(&mut value);
                    value
                });
                response.body =
                    renamed.map_or_else(|_| b"v2\n".to_vec(), |value| value.to_string().into_bytes());
            }
            _ => (),
        }
    }
}

fn scale(data: &mut Data, factor: Ratio) {
    let change = |price: &mut Option<Price>| *price = price.map(|price| price * factor);
    let quote = |quote: &mut domain::Quote| {
        for price in [
            &mut quote.last,
            &mut quote.bid,
            &mut quote.ask,
            &mut quote.open,
            &mut quote.high,
            &mut quote.low,
            &mut quote.previous_close,
        ] {
            change(price);
        }
    };
    let series = |series: &mut domain::BarSeries| {
        for bar in &mut series.bars {
            for price in [
                &mut bar.open,
                &mut bar.high,
                &mut bar.low,
                &mut bar.close,
                &mut bar.vwap,
                &mut bar.vendor_adjusted_close,
            ] {
                change(price);
            }
        }
        if let Some(newest) = &mut series.quote {
            quote(newest);
        }
    };
    match data {
        Data::Quotes(rows) => rows.iter_mut().filter_map(|row| row.quote.as_mut().ok()).for_each(quote),
        Data::Bars(one) => series(one),
        Data::ManyBars(many) => many.iter_mut().for_each(series),
        Data::Trades(_, trades) => {
            for trade in trades {
                trade.price = trade.price * factor;
            }
        }
        Data::Actions(_) | Data::Instruments(_) | Data::News(_) | Data::MarketStatus(_) => (),
    }
}

fn rename(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            *fields = std::mem::take(fields)
                .into_iter()
                .map(|(name, mut value)| {
                    rename(&mut value);
                    (format!("{name}_v2"), value)
                })
                .collect();
        }
        serde_json::Value::Array(rows) => rows.iter_mut().for_each(rename),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => (),
    }
}

/// A fault at one vendor for a while: `[from, until)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spell {
    /// Where.
    pub vendor: VendorId,
    /// What.
    pub fault: Fault,
    /// First instant.
    pub from: Instant,
    /// First instant after.
    pub until: Instant,
}

/// The faults of all vendors, now and to come. Several may hold at one vendor at once.
#[derive(Default)]
pub struct Faults {
    spells: RwLock<Vec<Spell>>,
    any: AtomicBool,
}

impl Faults {
    /// None, ever.
    pub fn none() -> Faults {
        Faults::default()
    }

    /// These, by schedule.
    pub fn scheduled(spells: Vec<Spell>) -> Faults {
        Faults { any: AtomicBool::new(!spells.is_empty()), spells: RwLock::new(spells) }
    }

    /// Adds a spell; one of the same kind that holds at the same vendor when it begins ends there.
    pub fn begin(&self, spell: Spell) {
        let mut spells = self.spells.write();
        for other in spells.iter_mut().filter(|other| other.vendor == spell.vendor) {
            if other.fault.as_str() == spell.fault.as_str() && other.from <= spell.from {
                other.until = other.until.min(spell.from);
            }
        }
        spells.retain(|other| other.until > other.from && other.until > spell.from);
        spells.push(spell);
        self.any.store(true, Ordering::Release);
    }

    /// Adds spells to come, beside those there are.
    pub fn schedule(&self, more: &[Spell]) {
        self.spells.write().extend_from_slice(more);
        self.any.store(true, Ordering::Release);
    }

    /// Ends every spell at a vendor, those to come included, and says how many.
    pub fn end(&self, vendor: VendorId) -> usize {
        let mut spells = self.spells.write();
        let before = spells.len();
        spells.retain(|spell| spell.vendor != vendor);
        self.any.store(!spells.is_empty(), Ordering::Release);
        before - spells.len()
    }

    /// What holds at a vendor now, in the order of [`Faults::begin`].
    pub fn at(&self, vendor: VendorId, now: Instant) -> Vec<Spell> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let holds = |spell: &&Spell| spell.vendor == vendor && spell.from <= now && now < spell.until;
        self.spells.read().iter().filter(holds).copied().collect()
    }

    /// All that hold now or are to come.
    pub fn ahead(&self, now: Instant) -> Vec<Spell> {
        self.spells.read().iter().filter(|spell| now < spell.until).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACME: VendorId = VendorId("acme");

    fn spell(fault: Fault, from: i64, until: i64) -> Spell {
        Spell { vendor: ACME, fault, from: Instant::from_secs(from), until: Instant::from_secs(until) }
    }

    #[test]
    fn a_fault_holds_from_its_first_instant_to_just_before_its_last() {
        let faults = Faults::none();
        faults.begin(spell(Fault::Hang, 10, 20));
        faults.begin(spell(Fault::Pence, 15, 25));
        let words = |secs| {
            let at = faults.at(ACME, Instant::from_secs(secs));
            at.iter().map(|spell| spell.fault.as_str()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!([9, 10, 15, 19, 20, 25].map(words), ["", "hang", "hang pence", "hang pence", "pence", ""]);
        assert!(faults.at(VendorId("zenith"), Instant::from_secs(15)).is_empty());
        assert_eq!(faults.end(ACME), 2);
        assert!(faults.at(ACME, Instant::from_secs(15)).is_empty());
    }

    #[test]
    fn a_schedule_leaves_every_spell_as_it_is() {
        let faults = Faults::none();
        faults.schedule(&[spell(Fault::Hang, 10, 20), spell(Fault::Hang, 30, 40)]);
        let words = |secs| faults.at(ACME, Instant::from_secs(secs)).len();
        assert_eq!([9, 15, 25, 35, 45].map(words), [0, 1, 0, 1, 0]);
    }

    #[test]
    fn a_fault_begun_again_is_replaced() {
        let faults = Faults::none();
        faults.begin(spell(Fault::Wrong(2.0), 0, 100));
        faults.begin(spell(Fault::Wrong(3.0), 50, 60));
        let at = |secs| faults.at(ACME, Instant::from_secs(secs)).iter().map(|s| s.fault).collect::<Vec<_>>();
        assert_eq!(at(55), [Fault::Wrong(3.0)]);
        assert_eq!(at(70), []);
    }

    #[test]
    fn every_word_names_its_fault() {
        for word in Fault::WORDS {
            assert_eq!(Fault::parse(word).map(Fault::as_str), Some(word));
        }
        assert_eq!(Fault::parse("503"), None);
    }
}

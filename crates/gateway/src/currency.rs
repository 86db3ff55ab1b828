//! Prices in another currency or unit: once, on request, and declared (SYM-4). Memory and store keep what
//! the vendor told.

use std::sync::Arc;

use domain::{Currency, Denomination, InstrumentId, Price, Quote, Ratio, Unit, Venue, number::Decimal};
use vendors::{Data, Question};

use crate::answer::{Answer, CacheState, Decision, Served, Unanswered, Warning, Why};
use crate::gateway::Gateway;
use crate::request::{Policy, Request, RequestId};

/// Decimals of a rate that is the inverse of a quoted one.
const RATE_PLACES: u32 = 12;

/// Codes a caller may ask for: ISO 4217 list one (amendment 176, 2024-03-22) without funds, metals and test
/// codes, and the coins that pairs are quoted in.
const KNOWN: &str = "\
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD \
    CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ \
    GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR \
    LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN \
    PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB \
    TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL \
    BTC ETH USDC USDT";

/// The currency a caller's text means, in either case; `None` for what is no currency, and for codes of
/// hundredths such as `GBX`.
pub fn known(text: &str) -> Option<Currency> {
    let asked = Denomination::parse(text).filter(|asked| asked.unit == Unit::Major)?.currency;
    KNOWN.split_ascii_whitespace().any(|code| code == asked.as_str()).then_some(asked)
}

/// A rate and where it comes from.
struct Rate {
    /// Units of the asked currency for one of the vendor's.
    factor: Ratio,
    /// The quote it is taken from.
    served: Served,
    /// In words: pair, number, vendor, time.
    told: String,
}

impl Gateway {
    /// An answer with its prices in the major unit of a currency. Between units of one currency that is
    /// exact; between currencies it takes the newest quote of the pair, under the caller's own policy, and
    /// the grade is not better than that quote's. Quantities stay as they are.
    ///
    /// # Errors
    /// `Unsupported` where nobody states a currency, for rows of the past in another currency, and where
    /// no vendor has the pair; else why the rate has no answer.
    pub(crate) async fn in_currency(
        self: &Arc<Self>,
        request: &Request,
        served: Served,
        currency: Currency,
    ) -> Result<Served, Unanswered> {
        let to = Denomination { currency, unit: Unit::Major };
        let answer = &served.answer;
        if answer.data.rows() == 0 || answer.basis.denomination == Some(to) {
            return Ok(served);
        }
        let refused = |detail: String| Unanswered {
            why: Why::Unsupported { detail },
            decision: Arc::clone(&answer.decision),
        };
        let Some(from) = answer.basis.denomination else {
            return Err(refused(format!(
                "nobody states the currency of these prices, so they cannot be told in {currency}"
            )));
        };
        if from.currency == currency {
            let detail = format!("prices are in {currency}; the vendor tells them in hundredths of it");
            return Ok(self.serve_anew(restated(served, to, major(from), Warning::new("CONVERTED", detail))));
        }
        if !matches!(answer.data, Data::Quotes(_)) {
            return Err(refused(format!(
                "no historical rates are kept: rows in {} are not converted to {currency}; ask for {0}",
                from.currency
            )));
        }
        let rate = self.rate(request, &served, from.currency, currency).await?;
        let detail = format!(
            "prices are converted from {} ({} unit) to {currency} by {}",
            from.currency,
            from.unit.as_str(),
            rate.told
        );
        let factor = major(from).times(rate.factor);
        let converted = restated(served, to, factor, Warning::new("CONVERTED", detail));
        let converted = self.with_rate(request, converted, &rate);
        match self.unmet(&converted, &request.policy) {
            None => Ok(converted),
            Some(detail) => Err(Unanswered {
                decision: Arc::clone(&converted.answer.decision),
                why: Why::ConstraintUnmet { detail, best: Some(Box::new(converted)) },
            }),
        }
    }

    /// The newest rate between two currencies: from their pair, or from the inverse one.
    async fn rate(
        self: &Arc<Self>,
        request: &Request,
        served: &Served,
        from: Currency,
        to: Currency,
    ) -> Result<Rate, Unanswered> {
        let pair = |base, quote| InstrumentId::new(&format!("{base}/{quote}"), Venue::FX);
        let mut pairs = [(pair(from, to), false), (pair(to, from), true)];
        let directory = self.directory();
        pairs.sort_by_key(|(pair, inverse)| (directory.instrument(pair).is_none(), *inverse));
        let id = RequestId(format!("{}.rate", request.id).into());
        let mut decision = Arc::clone(&served.answer.decision);
        for (pair, inverse) in pairs {
            let question = Question::Quotes { instruments: vec![pair.clone()], bid_ask: true };
            let policy = Policy { currency: None, ..request.policy.clone() };
            let asked = Request { id: id.clone(), question, policy, received_at: request.received_at };
            let unanswered = match self.answer_as_told(&asked).await {
                Ok(quote) => match rate_of(quote, &pair, if inverse { from } else { to }, inverse) {
                    Some(rate) => return Ok(rate),
                    None => continue,
                },
                Err(unanswered) => unanswered,
            };
            let note = format!("the rate {pair} has no answer: {}", unanswered.why);
            decision = Arc::new(joined(request, &decision, &unanswered.decision.attempts, 0, note));
            let why = match unanswered.why {
                Why::UnknownSymbol | Why::Unsupported { .. } => continue,
                Why::ConstraintUnmet { detail, .. } => {
                    Why::ConstraintUnmet { detail: format!("of the rate {pair}, {detail}"), best: None }
                }
                other => other,
            };
            return Err(Unanswered { why, decision });
        }
        let detail = format!("no vendor has a rate from {from} to {to}");
        Err(Unanswered { why: Why::Unsupported { detail }, decision })
    }

    /// Adds to an answer what the rate brought along: exchanges, cost, warnings, a shorter life, and its
    /// grade where that is the worse one.
    fn with_rate(&self, request: &Request, converted: Served, rate: &Rate) -> Served {
        let mut converted = self.serve_anew(converted);
        let own = |served: &Served| matches!(served.cache, CacheState::Miss | CacheState::Stored);
        let (quote_is_own, rate_is_own) = (own(&converted), own(&rate.served));
        let brought = &rate.served.answer;
        let note = format!("converted by {}", rate.told);
        let (attempts, cost) = match rate_is_own {
            true => (brought.decision.attempts.as_slice(), brought.decision.cost_micros),
            false => (&[][..], 0),
        };
        let rate_is_stale = rate.served.cache == CacheState::Stale;
        let answer = Arc::make_mut(&mut converted.answer);
        let mut decision = Decision::clone(&answer.decision);
        if rate_is_own && !quote_is_own {
            // What the quote once took was another request's.
            (decision.attempts, decision.cost_micros) = (Vec::new(), 0);
            answer.quota.clear();
        }
        answer.decision = Arc::new(joined(request, &decision, attempts, cost, note));
        if rate_is_own {
            for (window, count) in &brought.quota {
                match answer.quota.iter_mut().find(|(name, _)| name == window) {
                    Some((_, known)) => *known += count,
                    None => answer.quota.push((window.clone(), *count)),
                }
            }
        }
        answer.simulated |= brought.simulated;
        answer.fresh_until = answer.fresh_until.min(brought.fresh_until);
        answer.stale_until = answer.stale_until.min(brought.stale_until);
        if rate_is_stale {
            answer.warnings.push(Warning::new("STALE", format!("past its time: {}", rate.told)));
        }
        for warning in brought.warnings.iter().filter(|warning| warning.code == "PLAN_OUTDATED") {
            if !answer.warnings.contains(warning) {
                answer.warnings.push(warning.clone());
            }
        }
        if rate.served.grade.score < converted.grade.score {
            answer.evidence = brought.evidence;
            answer.findings.clone_from(&brought.findings);
            converted.grade = rate.served.grade;
        }
        if rate_is_own {
            converted.cache = CacheState::Miss;
        } else if rate_is_stale && !quote_is_own {
            converted.cache = CacheState::Stale;
        }
        converted
    }
}

/// Units of the currency itself for one unit of a denomination.
fn major(from: Denomination) -> Ratio {
    Ratio::new(from.to_major(Price::new(Decimal::ONE)).decimal())
}

/// The rate a pair's quote gives; `None` where it has no price above zero in the pair's own currency.
fn rate_of(served: Served, pair: &InstrumentId, quoted_in: Currency, inverse: bool) -> Option<Rate> {
    let Data::Quotes(rows) = &served.answer.data else { return None };
    let quote = rows.first()?.quote.as_ref().ok()?;
    let price = quote.price().filter(|price| price.is_positive())?;
    let expected = Denomination { currency: quoted_in, unit: Unit::Major };
    if quote.denomination.is_some_and(|stated| stated != expected) {
        return None;
    }
    let quoted = Ratio::new(price.decimal());
    let factor = if inverse { quoted.inverse()?.round(RATE_PLACES) } else { quoted };
    let by = served.answer.vendor().map_or("store", |vendor| vendor.as_str());
    let at = served.answer.event_time.unwrap_or(served.answer.received_at);
    let inverted =
        if inverse { format!(", inverted {}", factor.decimal().normalize()) } else { String::new() };
    let told = format!("{} {}{inverted} from {by} at {at}", pair.name(), price.decimal().normalize());
    Some(Rate { factor, told, served })
}

/// The record of a request whose answer took a rate as well.
fn joined(
    request: &Request,
    decision: &Decision,
    attempts: &[crate::answer::Attempt],
    cost_micros: u64,
    note: String,
) -> Decision {
    let mut joined = decision.clone();
    if !attempts.is_empty() {
        joined.id = request.id.clone();
    }
    joined.attempts.extend(attempts.iter().cloned());
    joined.cost_micros += cost_micros;
    joined.notes.push(note);
    joined
}

/// An answer with every price multiplied, and the warning that says so.
fn restated(mut served: Served, to: Denomination, factor: Ratio, warning: Warning) -> Served {
    let answer: &mut Answer = Arc::make_mut(&mut served.answer);
    answer.basis.denomination = Some(to);
    answer.warnings.push(warning);
    match &mut answer.data {
        Data::Quotes(rows) => {
            for quote in rows.iter_mut().filter_map(|row| row.quote.as_mut().ok()) {
                restate_quote(quote, to, factor);
            }
        }
        Data::Bars(series) => {
            series.denomination = Some(to);
            for bar in &mut series.bars {
                let prices = [
                    &mut bar.open,
                    &mut bar.high,
                    &mut bar.low,
                    &mut bar.close,
                    &mut bar.vwap,
                    &mut bar.vendor_adjusted_close,
                ];
                multiply(prices, factor);
            }
            if let Some(quote) = &mut series.quote {
                restate_quote(quote, to, factor);
            }
        }
        _ => {}
    }
    served
}

fn restate_quote(quote: &mut Quote, to: Denomination, factor: Ratio) {
    let prices = [
        &mut quote.last,
        &mut quote.bid,
        &mut quote.ask,
        &mut quote.open,
        &mut quote.high,
        &mut quote.low,
        &mut quote.previous_close,
    ];
    multiply(prices, factor);
    quote.denomination = Some(to);
}

fn multiply<const N: usize>(prices: [&mut Option<Price>; N], factor: Ratio) {
    for price in prices.into_iter().flatten() {
        *price = *price * factor;
    }
}

#[cfg(test)]
mod tests {
    // SYM-4.
    use super::*;

    #[test]
    fn a_currency_is_known_by_its_code_and_a_hundredth_is_none() {
        assert_eq!(known("usd"), Some(Currency::USD));
        assert_eq!(known("GBP").map(|gbp| gbp.to_string()).as_deref(), Some("GBP"));
        for wrong in ["", "GBX", "GBp", "ZAc", "ILA", "US", "XYZ", "DOLLAR", "$", "USD "] {
            assert_eq!(known(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_price_of_a_quote_moves_and_no_quantity_does() {
        let price = |text| Price::parse(text);
        let pence = Denomination::parse("GBX").unwrap();
        let mut quote = Quote {
            last: price("610.05"),
            bid: price("610"),
            ask: price("610.5"),
            open: price("600"),
            high: price("615"),
            low: price("599"),
            previous_close: price("601"),
            volume: domain::Size::parse("5000"),
            bid_size: domain::Size::parse("100"),
            denomination: Some(pence),
            ..Quote::default()
        };
        let pounds = Denomination { unit: Unit::Major, ..pence };
        let sizes = (quote.volume, quote.bid_size);
        restate_quote(&mut quote, pounds, major(pence));
        assert_eq!(
            [quote.last, quote.bid, quote.ask, quote.open, quote.high, quote.low, quote.previous_close],
            ["6.1005", "6.10", "6.105", "6", "6.15", "5.99", "6.01"].map(price)
        );
        assert_eq!((quote.volume, quote.bid_size, quote.denomination), (sizes.0, sizes.1, Some(pounds)));
    }
}

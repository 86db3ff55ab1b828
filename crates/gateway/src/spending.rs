//! Money: taken from every budget that covers a call before it is sent, settled when it has ended, written down in
//! between (CST-1, CST-3), and what a call costs at the margin (CST-4).

use std::sync::Arc;

use domain::{Date, Instant, Range, VendorId};
use parking_lot::Mutex;
use resilience::budget::{Budget, Budgets, Limits, Passed, Status, Stopped, Taken};
use resilience::quota::{Cost, Window};
use resilience::{Forecast, Priority};
use telemetry::EventKind;
use vendors::price::{Charged, Unit};
use vendors::{Data, Plan, Question, Usage};

use crate::answer::{Answer, AttemptError, Decision, Skipped, Whose};
use crate::gateway::Gateway;
use crate::ledger::{Line, Of, Spend, Sum};
use crate::pipeline::Terms;
use crate::request::ConsumerId;
use crate::seams::{Store, StoreError};
use crate::settings;
use crate::trail::Trail;
use crate::upstream::Upstream;

/// Objects a reply may hold where the question names no limit.
const OBJECTS: u32 = 100;

/// What one vendor was used for in the present UTC month.
#[derive(Clone, Debug)]
pub struct Month {
    /// First day of the month.
    pub first: Date,
    /// Exchanges.
    pub calls: u64,
    /// Units charged.
    pub units: u64,
    /// Spent, in millionths of a US dollar.
    pub micros: u64,
    /// Answers of grade C or better.
    pub useful: u64,
    /// Questions not asked because quota or budget was spent.
    pub refused: u64,
    /// The first day of the month with anything in it.
    pub since: Option<Date>,
}

impl Month {
    fn of(first: Date) -> Month {
        Month { first, calls: 0, units: 0, micros: 0, useful: 0, refused: 0, since: None }
    }

    /// Starts the month of `now`, if it is a later one.
    fn at(&mut self, now: Instant) -> &mut Month {
        let first = now.utc_date().first_of_month();
        if first > self.first {
            *self = Month::of(first);
        }
        self
    }

    fn seen(&mut self, now: Instant) {
        self.since.get_or_insert(now.utc_date());
    }
}

struct Account {
    month: Month,
    forecast: Forecast,
    charged: Charged,
}

struct Books {
    budgets: Budgets,
    accounts: Vec<Account>,
}

/// Budgets and what is spent of them.
pub struct Spending {
    settings: settings::Spending,
    vendors: Vec<VendorId>,
    books: Mutex<Books>,
}

/// One budget as it stands.
#[derive(Clone, Debug)]
pub struct BudgetStatus {
    /// Whose.
    pub whose: Whose,
    /// Of which vendor or consumer.
    pub name: Option<String>,
    /// Its day and its month.
    pub periods: [Status; 2],
}

impl Spending {
    /// As the ledger left it.
    ///
    /// # Errors
    /// [`StoreError`] if the ledger cannot be read: no budget could be kept.
    pub async fn open(
        settings: settings::Spending,
        vendors: Vec<VendorId>,
        store: &dyn Store,
        now: Instant,
    ) -> Result<Spending, StoreError> {
        let today = now.utc_date();
        let first = today.first_of_month();
        let until = today.tomorrow().unwrap_or(today);
        let sums = store.spend_sums(first, until).await?;
        let restored = |limits: Limits, fits: &dyn Fn(&Of) -> bool| {
            let of = |from: Date| {
                let inside = sums.iter().filter(|sum| sum.of.date >= from && fits(&sum.of));
                inside.map(|sum| sum.micros).sum()
            };
            Budget::restored(limits, of(today), of(first), now)
        };
        let mut budgets = vec![restored(settings.overall, &|_| true)];
        for vendor in &vendors {
            let own = settings.vendors.iter().find(|(id, _)| id == vendor);
            budgets.push(restored(own.map_or(Limits::default(), |(_, l)| *l), &|of| of.vendor == *vendor));
        }
        for consumer in &settings.consumers {
            budgets.push(restored(consumer.budget, &|of| *of.consumer == *consumer.name));
        }
        let accounts = vendors
            .iter()
            .map(|vendor| {
                let mut month = Month::of(first);
                for sum in sums.iter().filter(|sum| sum.of.vendor == *vendor) {
                    month.calls += sum.calls;
                    month.units += sum.units;
                    month.micros += sum.micros;
                    month.useful += sum.useful;
                    month.refused += sum.refused;
                    month.since = Some(month.since.map_or(sum.of.date, |since| since.min(sum.of.date)));
                }
                Account { month, forecast: Forecast::new(), charged: Charged::default() }
            })
            .collect();
        let books = Mutex::new(Books { budgets: Budgets::new(budgets), accounts });
        Ok(Spending { settings, vendors, books })
    }

    /// Those who may ask, where keys are configured.
    pub fn consumers(&self) -> &[settings::Consumer] {
        &self.settings.consumers
    }

    fn place(&self, vendor: VendorId) -> usize {
        self.vendors.iter().position(|id| *id == vendor).expect("the vendor is one of the gateway's")
    }

    /// Places of the budgets that cover a call: the whole, the vendor's, the consumer's.
    fn which(&self, vendor: VendorId, consumer: Option<ConsumerId>) -> Vec<usize> {
        let mut which = vec![0, 1 + self.place(vendor)];
        which.extend(consumer.map(|id| 1 + self.vendors.len() + usize::from(id.0)));
        which
    }

    fn whose(&self, place: usize) -> (Whose, Option<String>) {
        match place.checked_sub(1) {
            None => (Whose::Overall, None),
            Some(index) => match self.vendors.get(index) {
                Some(vendor) => (Whose::Vendor, Some(vendor.to_string())),
                None => {
                    let consumer = &self.settings.consumers[index - self.vendors.len()];
                    (Whose::Consumer, Some(consumer.name.to_string()))
                }
            },
        }
    }

    fn name_of(&self, consumer: Option<ConsumerId>) -> Arc<str> {
        consumer.map_or_else(|| "".into(), |id| Arc::clone(&self.settings.consumers[usize::from(id.0)].name))
    }

    fn told(&self, place: usize, passed: &Passed) -> (Option<VendorId>, EventKind) {
        let (whose, name) = self.whose(place);
        let vendor = place.checked_sub(1).and_then(|index| self.vendors.get(index)).copied();
        let kind = EventKind::BudgetPassed {
            whose: match name {
                Some(name) => format!("{} {name}", whose.as_str()),
                None => whose.as_str().to_owned(),
            },
            period: passed.period.as_str(),
            percent: passed.percent,
            spent_micros: passed.spent,
            limit_micros: passed.limit,
        };
        (vendor, kind)
    }

    /// Every budget as it stands: the whole, each vendor's, each consumer's.
    pub fn budgets(&self, now: Instant) -> Vec<BudgetStatus> {
        let books = self.books.lock();
        (0..1 + self.vendors.len() + self.settings.consumers.len())
            .map(|place| {
                let (whose, name) = self.whose(place);
                BudgetStatus { whose, name, periods: books.budgets.get(place).status(now) }
            })
            .collect()
    }

    /// What a vendor was used for this month.
    pub fn month_of(&self, vendor: VendorId, now: Instant) -> Month {
        self.books.lock().accounts[self.place(vendor)].month.at(now).clone()
    }

    /// The budget that would stand in the way of so much for a vendor, and of `all` together.
    pub fn would_stop(
        &self,
        vendor: VendorId,
        consumer: Option<ConsumerId>,
        micros: u64,
        all: u64,
        priority: Priority,
        now: Instant,
    ) -> Option<Skipped> {
        let books = self.books.lock();
        let own = books.budgets.check(&[1 + self.place(vendor)], micros, priority, now);
        let mut common = self.which(vendor, consumer);
        common.remove(1);
        let refused = own.and_then(|()| books.budgets.check(&common, all, priority, now)).err();
        refused.map(|(place, stopped)| self.stopped(place, &stopped))
    }

    fn stopped(&self, place: usize, stopped: &Stopped) -> Skipped {
        Skipped::Budget { whose: self.whose(place).0, until: stopped.until }
    }
}

/// What a question to a vendor uses.
fn usage<'a>(question: &'a Question, weight: u32) -> Usage<'a> {
    let objects = match question {
        Question::News { limit, .. } | Question::Trades { limit, .. } | Question::Search { limit, .. } => {
            *limit
        }
        _ => OBJECTS,
    };
    let symbols = u32::try_from(question.instruments().len()).unwrap_or(u32::MAX);
    Usage { endpoint: question.capability().as_str(), symbols, weight, objects }
}

/// Ids of the instruments of a question.
fn symbol_of(question: &Question) -> Arc<str> {
    let ids: Vec<String> = question.instruments().iter().map(ToString::to_string).collect();
    ids.join(",").into()
}

/// Money on its way to be spent. Dropped before [`Money::sent`], it goes back; dropped later, it counts as spent.
#[must_use = "money is sent or goes back"]
pub(crate) struct Money<'a> {
    gateway: &'a Gateway,
    plan: &'a Plan,
    place: usize,
    taken: Option<Taken>,
    spend: Spend,
    /// Units counted when the money was taken.
    units: u64,
    is_sent: bool,
    trail: Trail,
}

impl Money<'_> {
    /// The request goes out now: what it costs is spent, whatever becomes of it. Returns the price.
    pub(crate) fn sent(&mut self) -> u64 {
        self.is_sent = true;
        self.spend.micros
    }

    /// The reply has come: what is billed by the piece is billed now.
    pub(crate) fn replied(&mut self, data: Option<&Data>, now: Instant) {
        if self.plan.tariff.unit != Unit::Object {
            return;
        }
        let mut books = self.gateway.spending.books.lock();
        let account = &mut books.accounts[self.place];
        let new = data.map(|data| account.charged.take(&data.objects(), now)).unwrap_or_default();
        drop(books);
        let before = self.spend.micros;
        self.spend.units = new.iter().map(|(_, count)| count).sum();
        self.spend.micros = self.plan.price_of_objects(&new);
        let words: Vec<String> =
            new.iter().map(|(kind, count)| format!("{} {count}", kind.as_str())).collect();
        self.spend.objects = words.join(", ");
        self.trail.corrected(before, self.spend.micros);
    }
}

impl Drop for Money<'_> {
    fn drop(&mut self) {
        let Some(taken) = self.taken.take() else { return };
        let gateway = self.gateway;
        let now = gateway.clock.now();
        let amount = taken.amount;
        if !self.is_sent {
            (self.spend.calls, self.spend.units, self.spend.micros) = (0, 0, 0);
        }
        self.spend.settled = true;
        let news = {
            let mut books = gateway.spending.books.lock();
            let month = books.accounts[self.place].month.at(now);
            if taken.at.utc_date() >= month.first {
                month.calls = (month.calls + u64::from(self.spend.calls)).saturating_sub(1);
                month.units = (month.units + self.spend.units).saturating_sub(self.units);
                month.micros = (month.micros + self.spend.micros).saturating_sub(amount);
            }
            books.budgets.settle(taken, self.spend.micros, now)
        };
        gateway.tell_passed(&news);
        gateway.scribe.spend(Line::Exchange(Box::new(self.spend.clone())));
    }
}

impl Gateway {
    /// Takes the money for one exchange from every budget that covers it, and writes that down: after a crash it
    /// counts as spent. What is free always goes on.
    ///
    /// # Errors
    /// [`AttemptError::BudgetSpent`].
    pub(crate) async fn reserve<'a>(
        &'a self,
        upstream: &'a Upstream,
        question: &Question,
        weight: u32,
        terms: Terms,
        trail: &Trail,
    ) -> Result<Money<'a>, AttemptError> {
        let (spending, plan, vendor) = (&self.spending, &upstream.settings.plan, upstream.vendor());
        let now = self.clock.now();
        let usage = usage(question, weight);
        let place = spending.place(vendor);
        let which = spending.which(vendor, trail.consumer());
        let units = plan.units(&usage);
        let taken = {
            let mut books = spending.books.lock();
            let used = books.accounts[place].month.at(now).units;
            let price = plan.price(&usage, used);
            let taken = match objects_left(plan, used, &usage, now) {
                Ok(()) => books.budgets.take(&which, price, terms.priority, now),
                Err(stopped) => Err((1 + place, stopped)),
            };
            if taken.is_ok() {
                let account = &mut books.accounts[place];
                account.month.seen(now);
                account.month.calls += 1;
                account.month.units += units;
                account.month.micros += price;
                account.forecast.spent(weight, now);
            }
            taken
        };
        let (taken, news) = match taken {
            Ok((taken, news)) => (taken, news),
            Err((place, stopped)) => {
                self.tell_passed(&stopped.news.map(|passed| (place, passed)).into_iter().collect::<Vec<_>>());
                let (whose, _) = spending.whose(place);
                return Err(AttemptError::BudgetSpent { whose, until: stopped.until });
            }
        };
        self.tell_passed(&news);
        let price = taken.amount;
        let spend = Spend {
            request: trail.id(),
            number: trail.next_number(),
            at: now,
            of: self.of(upstream, question, trail.consumer(), now),
            calls: 1,
            units,
            objects: String::new(),
            micros: price,
            settled: false,
        };
        let line = Line::Exchange(Box::new(spend.clone()));
        let trail = trail.clone();
        let money =
            Money { gateway: self, plan, place, taken: Some(taken), spend, units, is_sent: false, trail };
        if price > 0
            && let Err(error) = self.store.put_spends(vec![line]).await
        {
            self.store_failed(&error);
        }
        Ok(money)
    }

    fn of(&self, upstream: &Upstream, question: &Question, consumer: Option<ConsumerId>, now: Instant) -> Of {
        Of {
            date: now.utc_date(),
            vendor: upstream.vendor(),
            consumer: self.spending.name_of(consumer),
            endpoint: question.capability().as_str(),
            symbol: symbol_of(question),
        }
    }

    fn tell_passed(&self, news: &[(usize, Passed)]) {
        for (place, passed) in news {
            let (vendor, kind) = self.spending.told(*place, passed);
            self.tell(vendor, kind);
        }
    }

    /// Sums of the ledger, everything written behind included.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ledger_sums(&self, from: Date, until: Date) -> Result<Vec<Sum>, StoreError> {
        self.scribe.flush().await;
        self.store.spend_sums(from, until).await
    }

    /// Exchanges of the ledger: see [`Store::spends`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ledger(
        &self,
        range: Range,
        behind: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Spend)>, StoreError> {
        self.scribe.flush().await;
        self.store.spends(range, behind, limit).await
    }

    /// Money as it stands.
    pub fn spending(&self) -> &Spending {
        &self.spending
    }

    /// Price of a question to a vendor now, in millionths of a US dollar: an upper bound where only the reply tells.
    pub(crate) fn price_of(&self, upstream: &Upstream, question: &Question, now: Instant) -> u64 {
        let plan = &upstream.settings.plan;
        if !plan.is_metered() {
            return 0;
        }
        let asked = upstream.question_for(question, now);
        let weight = upstream.encode(&asked, now).map_or(1, |wire| upstream.settings.codec.weight(&wire));
        self.cost_of(upstream, &asked, weight).micros
    }

    /// What an exchange of this weight takes from a vendor's quota, and what it costs.
    pub(crate) fn cost_of(&self, upstream: &Upstream, question: &Question, weight: u32) -> Cost {
        let used = self.spending.month_of(upstream.vendor(), self.clock.now()).units;
        Cost { units: weight, micros: upstream.settings.plan.price(&usage(question, weight), used) }
    }

    /// Whether a budget stands in the way of a question (RTE-1).
    pub(crate) fn over_budget(
        &self,
        upstream: &Upstream,
        question: &Question,
        consumer: Option<ConsumerId>,
        priority: Priority,
        now: Instant,
    ) -> Option<Skipped> {
        let price = self.price_of(upstream, question, now);
        let (spending, plan) = (&self.spending, &upstream.settings.plan);
        let which = spending.which(upstream.vendor(), consumer);
        let mut books = spending.books.lock();
        let place = spending.place(upstream.vendor());
        let used = books.accounts[place].month.at(now).units;
        if let Err(stopped) = objects_left(plan, used, &usage(question, 1), now) {
            return Some(spending.stopped(1 + place, &stopped));
        }
        let refused = books.budgets.check(&which, price, priority, now).err();
        refused.map(|(place, stopped)| spending.stopped(place, &stopped))
    }

    /// What a question to a vendor costs at the margin, in millionths of a US dollar (algorithms, section 7). Money
    /// that runs ahead of the time counts for more, by the shadow price of the budgets. Quota that is free is not
    /// free near its end: it costs what the next plan would take for it, by the chance that it runs out.
    pub(crate) fn marginal_micros(&self, upstream: &Upstream, question: &Question, now: Instant) -> u64 {
        let price = self.price_of(upstream, question, now);
        let books = self.spending.books.lock();
        let place = self.spending.place(upstream.vendor());
        if price > 0 {
            let shadow = books.budgets.get(0).shadow(now).max(books.budgets.get(1 + place).shadow(now));
            return (price as f64 * (1.0 + shadow)) as u64;
        }
        let forecast = &books.accounts[place].forecast;
        let windows = upstream.limiter.status(now);
        let calendar =
            windows.iter().filter(|status| matches!(status.limit.window, Window::Day | Window::Month));
        let chance = calendar
            .map(|status| {
                let left = status.resets_at.unwrap_or(now).since(now);
                forecast.outlook(status.remaining, left, now).probability
            })
            .fold(0.0, f64::max);
        (upstream.settings.plan.next_call_micros() as f64 * chance) as u64
    }

    /// Writes down what became of a request besides its exchanges: who was not asked because quota or budget was
    /// spent, and whether the answer was of use (CST-6).
    pub(crate) fn book(
        &self,
        question: &Question,
        trail: &Trail,
        decision: &Decision,
        answer: Option<&Answer>,
    ) {
        let now = self.clock.now();
        let consumer = trail.consumer();
        for candidate in &decision.candidates {
            let spent = matches!(candidate.skipped, Some(Skipped::Quota(_) | Skipped::Budget { .. }));
            if let Some(upstream) = self.find_upstream(candidate.vendor).filter(|_| spent) {
                self.note(Line::Refused(self.of(upstream, question, consumer, now)), now);
            }
        }
        let Some(answer) = answer else { return };
        let brought = answer.vendor().filter(|vendor| decision.attempts.iter().any(|a| a.vendor == *vendor));
        let useful = self.grade_at(answer, now, false).letter <= quality::Letter::C;
        if let Some(upstream) = brought.filter(|_| useful).and_then(|vendor| self.find_upstream(vendor)) {
            self.note(Line::Useful(self.of(upstream, question, consumer, now)), now);
        }
    }

    fn note(&self, line: Line, now: Instant) {
        let place = self.spending.place(line.of().vendor);
        let mut books = self.spending.books.lock();
        let month = books.accounts[place].month.at(now);
        month.seen(now);
        match line {
            Line::Refused(_) => month.refused += 1,
            Line::Useful(_) => month.useful += 1,
            Line::Exchange(_) => {}
        }
        drop(books);
        self.scribe.spend(line);
    }
}

/// Whether a plan that bounds objects a month still has as many as may come back.
fn objects_left(plan: &Plan, used: u64, usage: &Usage<'_>, now: Instant) -> Result<(), Stopped> {
    match plan.tariff.objects_a_month {
        Some(most) if used.saturating_add(u64::from(usage.objects)) > most => {
            let last = now.utc_date().last_of_month();
            let until = Instant::from_utc_midnight(last.tomorrow().unwrap_or(last));
            Err(Stopped { period: resilience::budget::Period::Month, until, news: None })
        }
        _ => Ok(()),
    }
}

//! What may be spent: budgets of a day and a month in millionths of a US dollar, exact, by the calendar of UTC
//! (CST-3).
//!
//! Money is taken before a call and corrected when the bill is known: an amount nobody tells anything about stays
//! spent. Several budgets may cover one call (the vendor's, the consumer's, the whole): all give, or none.

use domain::{Date, Instant, Range};

use crate::Priority;

/// The usual budget of a month: 1,000 US dollars.
pub const USUAL_MONTH: u64 = 1_000_000_000;

/// What may be spent, in millionths of a US dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// On a UTC day.
    pub day: u64,
    /// In a UTC month.
    pub month: u64,
}

impl Limits {
    /// So much a month, and a thirtieth of it a day.
    pub const fn monthly(month: u64) -> Limits {
        Limits { day: month / 30, month }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::monthly(USUAL_MONTH)
    }
}

/// What a budget is kept over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// A day, UTC.
    Day,
    /// A month, UTC.
    Month,
}

impl Period {
    /// Both.
    pub const ALL: [Period; 2] = [Period::Day, Period::Month];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Period::Day => "day",
            Period::Month => "month",
        }
    }

    /// Shares worth telling when they are passed, in percent, ascending. The alert stands at 80 of a day and at 90
    /// of a month; 100 is the end.
    pub const fn marks(self) -> [u8; 4] {
        match self {
            Period::Day => [50, 80, 95, 100],
            Period::Month => [50, 90, 95, 100],
        }
    }

    /// The period that contains a date.
    fn around(self, date: Date) -> Range {
        let (first, last) = match self {
            Period::Day => (date, date),
            Period::Month => (date.first_of_month(), date.last_of_month()),
        };
        let next = last.tomorrow().expect("instants end long before the last date");
        Range::new(Instant::from_utc_midnight(first), Instant::from_utc_midnight(next))
    }
}

/// Share of a budget up to which a class may spend, in percent: background work leaves something to those who wait.
pub const fn ceiling(priority: Priority) -> u8 {
    match priority {
        Priority::Critical | Priority::High | Priority::Normal => 100,
        Priority::Low => 95,
        Priority::Batch => 80,
    }
}

/// A mark was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Of which period.
    pub period: Period,
    /// The mark in percent.
    pub percent: u8,
    /// Spent in the period.
    pub spent: u64,
    /// Its limit.
    pub limit: u64,
}

/// Why a budget does not give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Which period is spent.
    pub period: Period,
    /// When it starts anew.
    pub until: Instant,
    /// Told once a period: that the end is reached.
    pub news: Option<Passed>,
}

/// One period as it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Status {
    /// Which.
    pub period: Period,
    /// What may be spent.
    pub limit: u64,
    /// What is spent, calls in flight included.
    pub spent: u64,
    /// Of that, what is held for calls in flight.
    pub in_flight: u64,
    /// When it starts anew.
    pub resets_at: Instant,
    /// Share of the period that has passed, in `[0, 1]`.
    pub elapsed: f64,
    /// The highest mark passed, in percent; 0 before the first.
    pub mark: u8,
    /// Shadow price: a call counts so much more than it costs, because the money runs ahead of the time.
    pub shadow: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Account {
    period: Period,
    limit: u64,
    range: Range,
    spent: u64,
    told: u8,
    shadow: f64,
    stepped: u64,
}

/// Steps of the shadow price in a period.
const STEPS: [u64; 2] = [24, 720];

impl Account {
    fn new(period: Period, limit: u64) -> Account {
        let range = period.around(Instant::EPOCH.utc_date());
        Account { period, limit, range, spent: 0, told: 0, shadow: 0.0, stepped: 0 }
    }

    /// Starts the period of `now`, if it is a later one: a clock that steps back opens no former period.
    fn roll(&mut self, now: Instant) {
        if now >= self.range.end {
            let range = self.period.around(now.utc_date());
            *self = Account { range, ..Account::new(self.period, self.limit) };
        }
        self.step(now);
    }

    /// `μ ← max(0, μ + η·(spent/budget − elapsed/period))`, `η = 1/√T` with T steps in a period (Balseiro, Lu and
    /// Mirrokni, "The best of many worlds: dual mirror descent for online allocation problems", 2020).
    fn step(&mut self, now: Instant) {
        let steps = STEPS[self.period as usize];
        let due = ((self.elapsed(now) * steps as f64) as u64).min(steps);
        let eta = 1.0 / (steps as f64).sqrt();
        let used = if self.limit == 0 { 1.0 } else { self.spent as f64 / self.limit as f64 };
        while self.stepped < due {
            self.stepped += 1;
            let passed = self.stepped as f64 / steps as f64;
            self.shadow = (self.shadow + eta * (used - passed)).max(0.0);
        }
    }

    fn elapsed(&self, now: Instant) -> f64 {
        let length = self.range.length().as_secs_f64();
        (now.since(self.range.start).as_secs_f64() / length).clamp(0.0, 1.0)
    }

    /// Whether so much more fits below a class's ceiling.
    fn has_room(&self, amount: u64, priority: Priority) -> bool {
        let after = u128::from(self.spent) + u128::from(amount);
        after * 100 <= u128::from(self.limit) * u128::from(ceiling(priority))
            || domain::planted!(BudgetIgnored)
    }

    fn share_percent(&self) -> u128 {
        if self.limit == 0 { 100 } else { u128::from(self.spent) * 100 / u128::from(self.limit) }
    }

    /// The highest mark that is passed and was not told.
    fn news(&mut self) -> Option<Passed> {
        let share = self.share_percent();
        let mark = self.period.marks().into_iter().filter(|mark| u128::from(*mark) <= share).max()?;
        self.tell(mark)
    }

    fn tell(&mut self, percent: u8) -> Option<Passed> {
        if percent <= self.told {
            return None;
        }
        self.told = percent;
        Some(Passed { period: self.period, percent, spent: self.spent, limit: self.limit })
    }

    fn status(&self, in_flight: u64, now: Instant) -> Status {
        let mut rolled = *self;
        rolled.roll(now);
        Status {
            period: rolled.period,
            limit: rolled.limit,
            spent: rolled.spent,
            in_flight,
            resets_at: rolled.range.end,
            elapsed: rolled.elapsed(now),
            mark: rolled.told,
            shadow: rolled.shadow,
        }
    }
}

/// One budget: a day and a month of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    accounts: [Account; 2],
    in_flight: u64,
}

impl Budget {
    /// A budget of which nothing is spent.
    pub fn new(limits: Limits) -> Budget {
        Budget {
            accounts: [Account::new(Period::Day, limits.day), Account::new(Period::Month, limits.month)],
            in_flight: 0,
        }
    }

    /// A budget as it was left: what was spent on the day and in the month of `now`. Marks passed then are not told
    /// again.
    pub fn restored(limits: Limits, day: u64, month: u64, now: Instant) -> Budget {
        let mut budget = Budget::new(limits);
        for (account, spent) in budget.accounts.iter_mut().zip([day, month]) {
            account.roll(now);
            account.spent = spent;
            account.news();
        }
        budget
    }

    /// Whether so much could be spent by a class.
    ///
    /// # Errors
    /// The period that stands in the way longest.
    pub fn check(&self, amount: u64, priority: Priority, now: Instant) -> Result<(), Stopped> {
        let mut accounts = self.accounts;
        let stopped = accounts.iter_mut().filter_map(|account| {
            account.roll(now);
            let full = !account.has_room(amount, priority);
            full.then_some(Stopped { period: account.period, until: account.range.end, news: None })
        });
        match stopped.max_by_key(|stopped| stopped.until) {
            Some(stopped) if amount > 0 => Err(stopped),
            _ => Ok(()),
        }
    }

    fn add(&mut self, amount: u64, now: Instant) -> Vec<Passed> {
        self.in_flight = self.in_flight.saturating_add(amount);
        let mut news = Vec::new();
        for account in &mut self.accounts {
            account.roll(now);
            account.spent = account.spent.saturating_add(amount);
            news.extend(account.news());
        }
        news
    }

    /// The call has ended: `reserved`, taken at `at`, is no longer in flight, and `actual` is what it cost.
    fn settle(&mut self, reserved: u64, actual: u64, at: Instant, now: Instant) -> Vec<Passed> {
        self.in_flight = self.in_flight.saturating_sub(reserved);
        let mut news = Vec::new();
        for account in &mut self.accounts {
            account.roll(now);
            // A period that is over keeps what it was told; the present one was charged only if it is the same.
            if at >= account.range.start {
                account.spent = account.spent.saturating_sub(reserved).saturating_add(actual);
                news.extend(account.news());
            }
        }
        news
    }

    /// Both periods as they stand.
    pub fn status(&self, now: Instant) -> [Status; 2] {
        self.accounts.each_ref().map(|account| account.status(self.in_flight, now))
    }

    /// The greater shadow price of both periods.
    pub fn shadow(&self, now: Instant) -> f64 {
        self.status(now).iter().map(|status| status.shadow).fold(0.0, f64::max)
    }
}

/// Several budgets: a call is covered by some of them, by their place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Budgets {
    all: Vec<Budget>,
}

/// Marks that were passed, each with the place of its budget.
pub type News = Vec<(usize, Passed)>;

/// Money taken for a call.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "money that is taken is settled, or counts as spent"]
pub struct Taken {
    which: Vec<usize>,
    /// How much.
    pub amount: u64,
    /// When.
    pub at: Instant,
}

impl Budgets {
    /// Budgets by their places.
    pub fn new(all: Vec<Budget>) -> Budgets {
        Budgets { all }
    }

    /// One of them.
    pub fn get(&self, place: usize) -> &Budget {
        &self.all[place]
    }

    /// Whether every one of them would give so much: nothing is taken. What costs nothing always goes on.
    ///
    /// # Errors
    /// The place of the first that would not, and why.
    pub fn check(
        &self,
        which: &[usize],
        amount: u64,
        priority: Priority,
        now: Instant,
    ) -> Result<(), (usize, Stopped)> {
        for &place in which {
            self.all[place].check(amount, priority, now).map_err(|stopped| (place, stopped))?;
        }
        Ok(())
    }

    /// Takes so much from every one of them, or from none; with it the marks that were passed, by place.
    ///
    /// # Errors
    /// The place of the first that does not give, and why.
    pub fn take(
        &mut self,
        which: &[usize],
        amount: u64,
        priority: Priority,
        now: Instant,
    ) -> Result<(Taken, News), (usize, Stopped)> {
        if let Err((place, mut stopped)) = self.check(which, amount, priority, now) {
            // Only the hard stop is the end: below it a class above may still spend.
            let account = &mut self.all[place].accounts[stopped.period as usize];
            account.roll(now);
            if !account.has_room(amount, Priority::Critical) {
                stopped.news = account.tell(100);
            }
            return Err((place, stopped));
        }
        let mut news = Vec::new();
        for &place in which {
            news.extend(self.all[place].add(amount, now).into_iter().map(|passed| (place, passed)));
        }
        Ok((Taken { which: which.to_vec(), amount, at: now }, news))
    }

    /// What a call cost in the end; zero gives it all back. With it the marks that were passed, by place.
    pub fn settle(&mut self, taken: Taken, actual: u64, now: Instant) -> News {
        let mut news = Vec::new();
        for &place in &taken.which {
            let passed = self.all[place].settle(taken.amount, actual, taken.at, now);
            news.extend(passed.into_iter().map(|passed| (place, passed)));
        }
        news
    }
}

#[cfg(test)]
mod tests {
    //! CST-3.

    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    fn told(news: &[(usize, Passed)]) -> String {
        let one = |(place, passed): &(usize, Passed)| {
            format!("{place} {} {} %", passed.period.as_str(), passed.percent)
        };
        news.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_day_is_a_thirtieth_of_the_month() {
        assert_eq!(Limits::default(), Limits { day: 33_333_333, month: 1_000_000_000 });
    }

    #[test]
    fn marks_and_alerts_are_told_once_each_against_their_own_budget() {
        let wide = Limits { day: 10_000, month: 10_000 };
        let mut budgets =
            Budgets::new(vec![Budget::new(wide), Budget::new(Limits { day: 100, month: 1_000 })]);
        let now = at("2026-11-18T12:00:00Z");
        let mut spend = |amount| match budgets.take(&[0, 1], amount, Priority::Normal, now) {
            Ok((taken, mut news)) => {
                news.extend(budgets.settle(taken, amount, now));
                told(&news)
            }
            Err((place, stopped)) => {
                let news = stopped.news.map(|passed| (place, passed));
                format!("{place} stops; {}", told(news.as_slice()))
            }
        };
        assert_eq!(spend(49), "");
        assert_eq!(spend(1), "1 day 50 %");
        assert_eq!(spend(29), "");
        assert_eq!(spend(1), "1 day 80 %");
        assert_eq!(spend(14), "");
        assert_eq!(spend(1), "1 day 95 %");
        assert_eq!(spend(4), "", "99 % is not the end");
        assert_eq!(spend(2), "1 stops; 1 day 100 %");
        assert_eq!(spend(2), "1 stops; ", "told once");
        assert_eq!(spend(1), "", "what fits is given");
        assert_eq!(spend(1), "1 stops; ");
        assert_eq!(spend(0), "", "what is free goes on");
    }

    #[test]
    fn a_month_alerts_at_ninety_and_is_not_spent_before_a_hundred() {
        let mut budgets = Budgets::new(vec![Budget::new(Limits { day: 1_000, month: 1_000 })]);
        let mut now = at("2026-11-01T00:00:00Z");
        let mut heard = Vec::new();
        for _ in 0..100 {
            now += Duration::from_secs(6 * 3_600);
            let (taken, news) = budgets.take(&[0], 10, Priority::Normal, now).unwrap();
            heard.extend(news);
            heard.extend(budgets.settle(taken, 10, now));
        }
        assert_eq!(told(&heard), "0 month 50 %, 0 month 90 %, 0 month 95 %, 0 month 100 %");
        let (_, stopped) = budgets.take(&[0], 1, Priority::Critical, now).unwrap_err();
        assert_eq!((stopped.period, stopped.until), (Period::Month, at("2026-12-01T00:00:00Z")));
    }

    #[test]
    fn background_work_stops_first_and_nobody_is_stopped_at_ninety_who_waits() {
        let spend_up_to = |priority| {
            let mut budgets = Budgets::new(vec![Budget::new(Limits { day: 100, month: 100 })]);
            let now = at("2026-11-18T12:00:00Z");
            (0..200).take_while(|_| budgets.take(&[0], 1, priority, now).is_ok()).count()
        };
        assert_eq!(Priority::ALL.map(spend_up_to), [100, 100, 100, 95, 80]);
    }

    #[test]
    fn one_vendors_spend_is_not_held_against_another() {
        let small = Limits { day: 10, month: 10 };
        let mut budgets =
            Budgets::new(vec![Budget::new(Limits::default()), Budget::new(small), Budget::new(small)]);
        let now = at("2026-11-18T12:00:00Z");
        let _held = budgets.take(&[0, 1], 10, Priority::Normal, now).unwrap();
        assert_eq!(budgets.take(&[0, 1], 1, Priority::Normal, now).unwrap_err().0, 1);
        assert!(budgets.take(&[0, 2], 10, Priority::Normal, now).is_ok());
        // A refusal takes nothing from those that would have given.
        assert_eq!(budgets.get(0).status(now)[0].spent, 20);
    }

    #[test]
    fn days_and_months_start_anew_by_the_calendar_and_a_clock_that_steps_back_opens_none() {
        let mut budgets = Budgets::new(vec![Budget::new(Limits { day: 10, month: 1_000 })]);
        let evening = at("2026-11-30T23:59:59Z");
        let _held = budgets.take(&[0], 10, Priority::Normal, evening).unwrap();
        let stopped = budgets.check(&[0], 1, Priority::Normal, evening).unwrap_err().1;
        let midnight = at("2026-12-01T00:00:00Z");
        assert_eq!(stopped.until, midnight);
        let _held = budgets.take(&[0], 10, Priority::Normal, midnight).unwrap();
        assert_eq!(budgets.get(0).status(midnight).map(|s| s.spent), [10, 10]);
        assert!(budgets.check(&[0], 1, Priority::Normal, evening).is_err(), "the day before stays closed");
    }

    #[test]
    fn what_is_settled_after_midnight_leaves_the_new_day_alone() {
        let mut budgets = Budgets::new(vec![Budget::new(Limits { day: 10, month: 1_000 })]);
        let (taken, _) = budgets.take(&[0], 10, Priority::Normal, at("2026-11-18T23:59:59Z")).unwrap();
        let after = at("2026-11-19T00:00:01Z");
        let _held = budgets.take(&[0], 3, Priority::Normal, after).unwrap();
        budgets.settle(taken, 4, after);
        let [day, month] = budgets.get(0).status(after);
        assert_eq!((day.spent, month.spent, day.in_flight), (3, 7, 3));
    }

    #[test]
    fn a_budget_that_was_left_goes_on_and_tells_nothing_twice() {
        let now = at("2026-11-18T12:00:00Z");
        let restored = Budget::restored(Limits { day: 100, month: 1_000 }, 85, 910, now);
        assert_eq!(restored.status(now).map(|s| (s.spent, s.mark)), [(85, 80), (910, 90)]);
        let mut budgets = Budgets::new(vec![restored]);
        let (_, news) = budgets.take(&[0], 1, Priority::Normal, now).unwrap();
        assert_eq!(news, []);
        assert!(budgets.take(&[0], 15, Priority::Normal, now).is_err());
    }

    #[test]
    fn money_that_runs_ahead_of_time_gets_a_shadow_price_and_thrift_takes_it_away() {
        let mut budgets = Budgets::new(vec![Budget::new(Limits { day: 1_000_000, month: 1_000 })]);
        let start = at("2026-11-01T00:00:00Z");
        let _held = budgets.take(&[0], 600, Priority::Normal, start).unwrap();
        let after = |days: u64| start + Duration::from_secs(days * 86_400);
        let price = |days| budgets.get(0).shadow(after(days));
        assert_eq!(price(0), 0.0);
        assert!(price(3) > 0.5, "{}", price(3));
        assert!(price(29) < price(15), "{} {}", price(29), price(15));
    }

    /// The same written the obvious way: what every date was charged.
    #[derive(Default)]
    struct Reference {
        by_date: BTreeMap<Date, u64>,
    }

    impl Reference {
        fn spent(&self, today: Date) -> (u64, u64) {
            let month = self.by_date.range(today.first_of_month()..=today).map(|(_, spent)| spent).sum();
            (self.by_date.get(&today).copied().unwrap_or(0), month)
        }
    }

    #[test]
    fn a_million_random_calls_spend_what_the_obvious_count_says_and_never_more_than_the_budget() {
        let mut state = 7_u64;
        let mut draw = |most: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % most
        };
        let limits = [Limits { day: 9_000, month: 180_000 }, Limits { day: 4_000, month: 90_000 }];
        let mut budgets = Budgets::new(limits.map(Budget::new).to_vec());
        let mut references = [Reference::default(), Reference::default()];
        let mut flying: Vec<(Taken, Date)> = Vec::new();
        let mut now = at("2026-01-01T00:00:00Z");
        let (mut granted, mut refused) = (0, 0);
        for step in 0..1_000_000 {
            now += Duration::from_secs(draw(120));
            let today = now.utc_date();
            if draw(2) == 0 || flying.len() > 20 {
                if flying.is_empty() {
                    continue;
                }
                let (taken, date) = flying.swap_remove(draw(flying.len() as u64) as usize);
                // Never sent, less than was feared, or as much.
                let actual = [0, taken.amount / 2, taken.amount, taken.amount][draw(4) as usize];
                for &place in &taken.which {
                    *references[place].by_date.get_mut(&date).unwrap() -= taken.amount - actual;
                }
                budgets.settle(taken, actual, now);
            } else {
                let which: &[usize] = if draw(3) == 0 { &[0] } else { &[0, 1] };
                let amount = draw(40);
                let priority = Priority::ALL[draw(5) as usize];
                let fits = amount == 0
                    || which.iter().all(|&place| {
                        let (day, month) = references[place].spent(today);
                        let below = |spent: u64, limit: u64| {
                            (spent + amount) * 100 <= limit * u64::from(ceiling(priority))
                        };
                        below(day, limits[place].day) && below(month, limits[place].month)
                    });
                match budgets.take(which, amount, priority, now) {
                    Ok((taken, _)) => {
                        assert!(fits);
                        granted += 1;
                        for &place in which {
                            *references[place].by_date.entry(today).or_default() += amount;
                        }
                        flying.push((taken, today));
                    }
                    Err(_) => {
                        assert!(!fits);
                        refused += 1;
                    }
                }
            }
            if step % 8 != 0 {
                continue;
            }
            for (place, limit) in limits.iter().enumerate() {
                let [day, month] = budgets.get(place).status(now);
                assert_eq!((day.spent, month.spent), references[place].spent(today));
                assert!(day.spent <= limit.day && month.spent <= limit.month);
            }
        }
        assert!(granted > 100_000 && refused > 10_000, "{granted} {refused}");
    }
}

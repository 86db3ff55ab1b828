//! request → cache → single-flight → router → breaker → limiter → transport → codec
//!         → validation → grade → store → response

use std::sync::Arc;
use std::time::Duration;

use domain::Instant;
use resilience::circuit_breaker::Outcome as BreakerOutcome;
use resilience::quota::Cost;
use vendors::{Capability, Data, Decoded, HttpResponse, Question, Rejection};

use crate::ahead::Purpose;
use crate::answer::{Answer, AttemptError, CacheState, Outcome, Served, Unanswered, Why};
use crate::cache::Lookup;
use crate::cache::tags::Namespace;
use crate::consequence;
use crate::flight_key::{FlightKey, Sought};
use crate::gateway::Gateway;
use crate::request::{Priority, Request, StaleAllowance, Strategy};
use crate::seams::TransportError;
use crate::trail::{Trail, Wish};
use crate::upstream::Upstream;
use crate::walk::{Ranked, Walked};

/// Formalities (a cookie, a crumb) that may precede one reply.
const FORMALITIES: u32 = 4;

/// A vendor that has not replied within less than this, because its caller had no more time, has not failed.
const FAIR: Duration = Duration::from_secs(1);

/// What every attempt of one request must keep to.
#[derive(Clone, Copy)]
pub struct Terms {
    /// When the caller's time is over.
    pub deadline: Instant,
    /// How much it matters.
    pub priority: Priority,
    /// What all exchanges together may cost, in millionths of a US dollar.
    pub max_cost_micros: Option<u64>,
}

impl Terms {
    /// Whether a further exchange of this cost is more than the caller will pay.
    fn is_exceeded_by(&self, trail: &Trail, cost: Cost) -> bool {
        self.max_cost_micros.is_some_and(|most| trail.cost_micros().saturating_add(cost.micros) > most)
    }
}

/// What one vendor gave for one question.
pub struct Reply {
    /// Its data, all pages together.
    pub data: Data,
    /// When it was received.
    pub received_at: Instant,
    /// Whether it said that it is a simulation.
    pub simulated: bool,
    /// Whether the page budget, or what the caller will pay, ended before the pages did.
    pub cut_short: bool,
}

impl Gateway {
    /// Answers a request.
    ///
    /// # Errors
    /// [`Unanswered`], with the record of what was tried.
    pub async fn answer(self: &Arc<Self>, request: &Request) -> Result<Served, Unanswered> {
        let answered = self.answer_as_told(request).await;
        self.observe_answer(request, &answered);
        let served = answered?;
        match request.policy.currency {
            None => Ok(served),
            Some(currency) => self.in_currency(request, served, currency).await,
        }
    }

    /// Answers in the currency and unit the vendor tells.
    pub(crate) async fn answer_as_told(self: &Arc<Self>, request: &Request) -> Result<Served, Unanswered> {
        let key = FlightKey::of(&request.question, &request.policy);
        let namespace = Namespace::of(&request.question);
        let now = self.clock.now();
        let stale = match self.cache.look_up(&key, now, request.policy.fresh_for) {
            Lookup::Fresh(kept) => {
                if request.policy.fresh_for.is_none() {
                    self.was_read(&key, &kept, now);
                }
                let served = self.serve(Arc::clone(&kept.answer), CacheState::Hit);
                if self.unmet(&served, &request.policy).is_none() {
                    self.cache.served(namespace, CacheState::Hit, Some(served.now.since(now)));
                    return Ok(served);
                }
                None
            }
            Lookup::Stale(kept) => {
                let state = if domain::planted!(StaleUnmarked) { CacheState::Hit } else { CacheState::Stale };
                let served = self.serve(Arc::clone(&kept.answer), state);
                let fits = self.unmet(&served, &request.policy).is_none();
                let allowed =
                    request.policy.stale == StaleAllowance::Allow || domain::planted!(StaleDespiteForbid);
                if fits && allowed {
                    self.revalidate(&key, &kept, request.policy.priority); // stale-while-revalidate
                    self.cache.served(namespace, CacheState::Stale, None);
                    return Ok(served);
                }
                fits.then_some(served)
            }
            Lookup::Missing => None,
        };
        if self.cache.is_unknown(&key, now) {
            self.cache.refused_unknown(namespace);
            return Err(self.remembered_unknown(request));
        }
        // What the quota spares is spread over the day: the last answer stands in for longer then (LIM-7).
        let stale = stale.or_else(|| self.standing_in(request, &key, now));
        let stands_in = stale.is_some() && request.policy.stale != StaleAllowance::Forbid;
        match self.join_flight(request, key.clone(), stands_in).await {
            Ok((answer, cache)) => {
                self.cache.served(namespace, cache, None);
                let served = self.serve(answer, cache);
                match self.unmet(&served, &request.policy) {
                    None => Ok(served),
                    Some(detail) => Err(Unanswered {
                        decision: Arc::clone(&served.answer.decision),
                        why: Why::ConstraintUnmet { detail, best: Some(Box::new(served)) },
                    }),
                }
            }
            Err(unanswered) => match stale.filter(|_| request.policy.stale != StaleAllowance::Forbid) {
                Some(served) => self
                    .stale_on_error(served, request)
                    .or_else(|| self.standing_in(request, &key, self.clock.now()))
                    .ok_or(unanswered),
                None => {
                    self.cache.missed(namespace);
                    Err(unanswered)
                }
            },
        }
    }

    /// The answer past its time that was there before the vendors failed, if it may still be served.
    fn stale_on_error(&self, served: Served, request: &Request) -> Option<Served> {
        let namespace = Namespace::of(&request.question);
        let served = self.serve_anew(served);
        let may_be_served = served.now < served.answer.stale_until;
        let fits = may_be_served && self.unmet(&served, &request.policy).is_none();
        match fits {
            true => self.cache.served(namespace, CacheState::Stale, None),
            false => self.cache.missed(namespace),
        }
        fits.then_some(served)
    }

    async fn join_flight(
        self: &Arc<Self>,
        request: &Request,
        key: FlightKey,
        stands_in: bool,
    ) -> Result<(Arc<Answer>, CacheState), Unanswered> {
        let deadline = request.received_at + self.time_for(request);
        let wanted = (request.policy.priority, deadline);
        let mut again = false;
        loop {
            let start = |urgency| {
                let (gateway, request, key) = (Arc::clone(self), request.clone(), key.clone());
                let approach = matches!(request.question, Question::Quotes { .. })
                    .then(|| Arc::new(self.batches.approach()));
                let wish = Wish { urgency: Some(urgency), is_refresh: stands_in, approach };
                async move { gateway.fetch(&request, key, Purpose::Caller, wish).await }
            };
            let (flight, joined) =
                self.flights.board(Sought::of(key.clone(), &request.policy), wanted, start);
            let landed = if joined.is_some() {
                tokio::select! {
                    biased;
                    landed = flight => landed,
                    () = self.clock.sleep_until(deadline), if !domain::planted!(FollowerOutlivesDeadline) => {
                        return Err(self.too_late(request));
                    }
                }
            } else {
                flight.await
            };
            return match landed {
                Some(_) if joined.is_some() && domain::planted!(FollowerDropped) => {
                    Err(self.internal_error(request))
                }
                Some(Ok((answer, _))) if joined.is_some() => Ok((answer, CacheState::Coalesced)),
                Some(Ok(landed)) => Ok(landed),
                // Another's time was over, or another had something older to show: ours is not, or we have not.
                Some(Err(theirs)) if !again && self.clock.now() < deadline => {
                    let now = self.clock.now();
                    let is_theirs = joined.is_some_and(|ends| now >= ends)
                        || joined.is_some() && matches!(theirs.why, Why::NoHealthyVendor { .. });
                    if is_theirs {
                        again = true;
                        continue;
                    }
                    Err(Unanswered::clone(&theirs))
                }
                Some(Err(unanswered)) => Err(Unanswered::clone(&unanswered)),
                None => Err(self.internal_error(request)),
            };
        }
    }

    /// Asks vendors, in the router's order, and keeps what they say.
    pub(crate) async fn fetch(
        self: Arc<Self>,
        request: &Request,
        key: FlightKey,
        purpose: Purpose,
        wish: Wish,
    ) -> Result<(Arc<Answer>, CacheState), Arc<Unanswered>> {
        let began = self.clock.now();
        let trail = Trail::new(request.id.clone(), request.received_at, &request.question, &request.policy)
            .wished(wish);
        let terms = Terms {
            deadline: request.received_at + self.time_for(request),
            priority: request.policy.priority,
            max_cost_micros: request.policy.max_cost_micros(),
        };
        let others = self.ask_others(request, &trail).await;
        let made = match (&request.question, others.answer) {
            // What is fetched ahead is wanted newer than anybody has it.
            (_, Some(answer)) if purpose == Purpose::Caller => Ok((answer, CacheState::Hit)),
            (Question::Bars { .. }, _) => self.bars(request, terms, &trail).await,
            _ => self.single(request, terms, &trail).await,
        };
        match made {
            Ok((mut answer, cache)) => {
                answer.simulated &= !domain::planted!(SimulatedDropped);
                let by = answer.vendor().map_or("store", |vendor| vendor.as_str());
                answer.decision = trail.decision(Some(by.into()));
                self.recall.attempted(&trail.own(&answer.decision));
                self.book(&request.question, &trail, &answer.decision, Some(&answer));
                answer.quota = trail.quota();
                let answer = self.keep_in_memory(key, answer, began, purpose);
                self.keep(&answer);
                if cache != CacheState::Hit {
                    self.show_others(request, &answer, others.fence).await;
                    self.seek_second_opinion(&answer);
                }
                Ok((answer, cache))
            }
            Err(why) => {
                let decision = trail.decision(None);
                self.recall.attempted(&trail.own(&decision));
                self.book(&request.question, &trail, &decision, None);
                self.recall.keep(decision.id.clone(), Arc::clone(&decision));
                self.scribe.decision(Arc::clone(&decision));
                if matches!(why, Why::UnknownSymbol) || domain::planted!(FailureRemembered) {
                    self.remember_unknown(key);
                }
                Err(Arc::new(Unanswered { why, decision }))
            }
        }
    }

    /// A question that one vendor answers whole.
    async fn single(
        self: &Arc<Self>,
        request: &Request,
        terms: Terms,
        trail: &Trail,
    ) -> Result<(Answer, CacheState), Why> {
        let now = self.clock.now();
        let capability = match request.question.capability() {
            // A quote without bid and ask is a quote; the grade says what is missing.
            Capability::BidAsk => Capability::Quote,
            other => other,
        };
        let ranking = self.rank(capability, request, now, |_| 0.0);
        trail.ranked(&ranking.candidates);
        let asked = |upstream: Arc<Upstream>, wait| {
            let question = upstream.question_for(&request.question, now);
            async move {
                let reply = self.ask_in_company(&upstream, &question, terms, wait, trail).await?;
                self.judge(&upstream, &question, reply, trail).await
            }
        };
        self.probe_behind(&ranking, request, trail);
        let strategy = request.policy.strategy.unwrap_or(self.settings.routing.strategy);
        let walked = match (strategy, &request.question) {
            (Strategy::Consensus, Question::Quotes { .. }) => {
                self.consult(&ranking, terms, trail, &request.policy, asked).await
            }
            _ => self.walk(&ranking, terms, trail, &request.policy, asked).await,
        };
        self.verdict(walked, &ranking, request).map(|answer| (answer, CacheState::Miss))
    }

    /// One question to one vendor. The call goes to its own end, whoever has stopped waiting for it: a vendor that
    /// hangs is found out, and what comes too late is kept as evidence.
    pub(crate) async fn attempt(
        &self,
        upstream: &Upstream,
        question: &Question,
        terms: Terms,
        wait: bool,
        trail: &Trail,
    ) -> Result<Reply, AttemptError> {
        let gateway = self.me.upgrade().expect("a gateway that is asked exists");
        let upstream = Arc::clone(gateway.upstream(upstream.vendor()));
        let (question, trail) = (question.clone(), trail.clone());
        let (mut teller, told) = tokio::sync::oneshot::channel();
        let call = tokio::spawn(async move {
            let ended = gateway.call(&upstream, &question, terms, wait, &mut teller, &trail).await;
            if let Err(Ok(late)) = teller.send(ended) {
                gateway.keep_late(&upstream, &question, late, &trail).await;
            }
        });
        match told.await {
            Ok(ended) => ended,
            Err(_) => match call.await {
                Err(panic) if panic.is_panic() => std::panic::resume_unwind(panic.into_panic()),
                _ => Err(AttemptError::Deadline),
            },
        }
    }

    /// The exchanges of one question to one vendor: breaker, then for each of them limiter, transport and codec.
    async fn call(
        &self,
        upstream: &Upstream,
        question: &Question,
        terms: Terms,
        wait: bool,
        teller: &mut tokio::sync::oneshot::Sender<Result<Reply, AttemptError>>,
        trail: &Trail,
    ) -> Result<Reply, AttemptError> {
        let (admitted, moved) =
            upstream.admit(question, self.clock.now(), self.entropy.unit(), terms.priority)?;
        self.breakers_moved(upstream, moved);
        let mut wire = upstream.encode(question, self.clock.now()).map_err(AttemptError::Rejected)?;
        let (mut pages, mut page_count, mut formalities, mut hosts) = (None, 0, 0, Vec::new());
        let mut begun_at = None;
        let mut former = None;
        loop {
            let cost = self.cost_of(upstream, question, upstream.settings.codec.weight(&wire));
            if terms.is_exceeded_by(trail, cost) {
                return Err(AttemptError::TooExpensive);
            }
            let permit = self.permit(upstream, former, question, cost, terms, wait, trail);
            let mut permit = tokio::select! {
                biased;
                () = teller.closed() => return Err(AttemptError::Deadline), // nobody waits for what was not sent yet
                permit = permit => permit?,
            };
            let mut money = self.reserve(upstream, question, cost.units, terms, trail).await?;
            let sent_at = self.clock.now();
            if sent_at >= terms.deadline {
                return Err(AttemptError::Deadline);
            }
            let host = upstream.regions.lock().choose(&hosts, sent_at).unwrap_or_default();
            let begun_at = *begun_at.get_or_insert(sent_at);
            let exchange = trail.exchange(upstream.vendor(), question.capability().as_str(), sent_at);
            permit.sent();
            upstream.demand.lock().spent(cost.units, sent_at);
            trail.spent(upstream.vendor(), &self.windows_of(upstream), Cost { micros: money.sent(), ..cost });
            let until = sent_at + upstream.settings.timeout;
            let reply =
                self.transport.send(upstream.address(host), upstream.dress(wire.clone()), until).await;
            let now = self.clock.now();
            let latency = now.since(sent_at);
            let status = reply.as_ref().ok().map(|response| response.status);
            let session = upstream.session();
            if let Some(allowance) = reply.as_ref().ok().and_then(|r| upstream.settings.codec.allowance(r)) {
                self.heed(upstream, allowance, now).await;
            }
            // Who was not given the time a vendor may take has not failed.
            let hurried =
                now.since(sent_at) < FAIR.min(upstream.settings.timeout) && !domain::planted!(HurryBlamed);
            let no_reply = |error| match error {
                TransportError::Timeout if hurried => AttemptError::Deadline,
                error => AttemptError::Transport(error),
            };
            let decoded = reply.map_err(no_reply).and_then(|response| {
                let ask = upstream.ask(question, &session, now);
                let decoded = upstream.settings.codec.decode_response(&ask, &wire, &response);
                let decoded = decoded
                    .inspect(|data| self.watch_shape(upstream, question.capability(), data, &response.body));
                decoded.map(|decoded| (decoded, is_simulated(&response))).map_err(AttemptError::Rejected)
            });
            if decoded.is_ok() || !self.is_our_fault() {
                self.observe_call(upstream, question.capability(), &decoded, sent_at, now);
            }
            let another = upstream.host_ended(host, decoded.as_ref().err(), now.since(sent_at), now);
            money.replied(decoded.as_ref().ok().and_then(|(decoded, _)| decoded.data()), now);
            drop(money);
            if permit.ended(consequence::for_the_rate(decoded.as_ref().err(), status), latency, now) {
                self.keep_learned(upstream);
            }
            former = Some(permit);
            match decoded {
                Ok((Decoded::AskNext { learned, request }, _)) if formalities < FORMALITIES => {
                    exchange.ended(Outcome::Formality, status, None, now);
                    upstream.learn(learned);
                    formalities += 1;
                    wire = request;
                }
                Ok((Decoded::Page { data, next }, simulated)) => {
                    exchange.ended(Outcome::Page, status, None, now);
                    let all = join_pages(pages.take(), data);
                    page_count += 1;
                    let cost = self.cost_of(upstream, question, upstream.settings.codec.weight(&next));
                    if page_count >= self.settings.routing.page_budget || terms.is_exceeded_by(trail, cost) {
                        self.succeeded(upstream, admitted, question, (begun_at, sent_at), now);
                        return Ok(Reply { data: all, received_at: now, simulated, cut_short: true });
                    }
                    pages = Some(all);
                    wire = next;
                }
                Ok((Decoded::Whole(data), simulated)) => {
                    exchange.ended(Outcome::Answered, status, None, now);
                    self.succeeded(upstream, admitted, question, (begun_at, sent_at), now);
                    let data = join_pages(pages.take(), data);
                    return Ok(Reply { data, received_at: now, simulated, cut_short: false });
                }
                Ok((Decoded::AskNext { .. }, _)) => {
                    let error = AttemptError::Rejected(Rejection::Unauthorized);
                    exchange.ended(Outcome::Rejected("unauthorized"), status, None, now);
                    self.failed(upstream, admitted, question, &error, (begun_at, sent_at), now).await;
                    return Err(error);
                }
                Err(error) => {
                    let outcome = match &error {
                        AttemptError::Deadline => Outcome::TimedOut,
                        AttemptError::Transport(error) => Outcome::from(*error),
                        AttemptError::Rejected(rejection) => Outcome::Rejected(rejection.class()),
                        other => Outcome::Unfit(other.word()),
                    };
                    if another {
                        // One host's outage is not the vendor's: the next one is asked, in what time is left.
                        exchange.ended(outcome, status, None, now);
                        hosts.push(host);
                        continue;
                    }
                    self.failed(upstream, admitted, question, &error, (begun_at, sent_at), now).await;
                    let retry_at = error.retry_at().or_else(|| upstream.limiter.told_until(now));
                    exchange.ended(outcome, status, retry_at, now);
                    return Err(error);
                }
            }
        }
    }

    fn succeeded(
        &self,
        upstream: &Upstream,
        admitted: crate::upstream::Admitted<'_>,
        question: &Question,
        (begun_at, sent_at): (Instant, Instant),
        now: Instant,
    ) {
        let latency = now.since(sent_at);
        // Who waits, waits for all exchanges of the call.
        upstream.hedge.lock().answered(now.since(begun_at));
        upstream.health.lock().succeeded("answered", latency, now);
        self.world_answered(upstream.vendor(), now);
        let turbulent = self.is_turbulent(question, now);
        let outcome = BreakerOutcome::Succeeded { took: latency };
        self.breakers_moved(upstream, admitted.settle(outcome, turbulent, now));
    }

    /// Draws the consequences of a failure: breaker, health, limits, entitlements, events. While the failures are
    /// ours, the vendor is not blamed.
    async fn failed(
        &self,
        upstream: &Upstream,
        admitted: crate::upstream::Admitted<'_>,
        question: &Question,
        error: &AttemptError,
        (begun_at, sent_at): (Instant, Instant),
        now: Instant,
    ) {
        let consequence = consequence::of(error, now);
        let is_failure = consequence.breaker.weight() > 0.0;
        if is_failure && self.is_our_fault() {
            self.world_failed(upstream.vendor(), now);
            return; // leave is taken back
        }
        match consequence.breaker.weight() {
            0.0 if consequence.is_an_answer => {
                upstream.hedge.lock().answered(now.since(begun_at));
                upstream.health.lock().succeeded(error.word(), now.since(sent_at), now);
            }
            weight => upstream.health.lock().failed(error.word(), weight, now),
        }
        let turbulent = self.is_turbulent(question, now);
        let outcome = BreakerOutcome::Failed(consequence.breaker);
        self.breakers_moved(upstream, admitted.settle(outcome, turbulent, now));
        if is_failure {
            self.world_failed(upstream.vendor(), now);
        } else {
            self.world_answered(upstream.vendor(), now);
        }
        self.draw(upstream, question.capability(), consequence, now).await;
    }

    /// Turns the walk's end into an answer or a reason.
    pub(crate) fn verdict(&self, walked: Walked, ranking: &Ranked, request: &Request) -> Result<Answer, Why> {
        crate::verdict::of(walked, ranking, request, |answer| {
            Box::new(self.serve(Arc::new(answer), CacheState::Miss))
        })
    }
}

/// Whether a reply says that it comes from a simulation.
fn is_simulated(response: &HttpResponse) -> bool {
    response.header("mda-simulated").is_some_and(|value| value == "true")
}

/// Rows of a further page behind those of the former ones.
fn join_pages(former: Option<Data>, page: Data) -> Data {
    match former {
        None => page,
        Some(former) => former.join(page),
    }
}

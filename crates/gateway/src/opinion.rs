//! Second opinions: another vendor's quote of the same moment, bought in spare quota (GRD-5, CON-5).

use std::sync::Arc;

use domain::VendorId;
use vendors::{Capability, Data, Question};

use crate::answer::{Answer, Decision};
use crate::gateway::Gateway;
use crate::request::{Failover, Policy, Priority, Request, RequestId};
use crate::trail::Trail;
use crate::upstream::Upstream;
use crate::voices::Voices;

/// Independent voices of the same moment that are enough (the criterion for an A: several vendors).
const VOICES: usize = 2;

impl Gateway {
    /// Asks one independent vendor for its own quote, where no voice of the same moment is at hand and
    /// quota is to spare (GRD-5, CON-5). The next answer is judged with it; an answer already given keeps its
    /// evidence, so that the same answer never grades better later.
    pub(crate) fn seek_second_opinion(self: &Arc<Self>, answer: &Arc<Answer>) {
        let (Data::Quotes(_), Some(vendor)) = (&answer.data, answer.vendor()) else { return };
        if !self.settings.routing.cross_check {
            return;
        }
        let Some(instrument) = answer.instrument().cloned() else { return };
        let now = self.clock.now();
        let feed = self.upstream(vendor).settings.codec.profile().feed;
        let heard = self.voices.about(&instrument);
        // Values of another moment cannot be compared, so only vendors as fresh as this one are asked.
        let delay = answer.delivery.declared_delay();
        let fresh = |heard: &crate::voices::Heard| now.since(heard.received_at) < Voices::HEARD;
        let comparable = heard.iter().filter(|h| h.feed != feed && fresh(h) && Some(h.delay) == delay);
        if comparable.count() >= VOICES {
            return;
        }
        let other = self
            .upstreams
            .iter()
            .filter(|other| {
                let profile = other.settings.codec.profile();
                profile.feed != feed
                    && other.delivery().declared_delay() == delay
                    && other.barred(Capability::Quote, now).is_none()
                    && other.breaker.lock().check(now, Priority::Low).is_ok()
                    && other.limiter.room_at(other.cost(1), now).is_none()
                    && other.limiter.headroom(now) > 0.5
                    && !other.settings.plan.is_metered()
                    && !heard.iter().any(|voice| voice.vendor == other.vendor() && fresh(voice))
            })
            .max_by(|a, b| {
                let worth = |u: &Upstream| u.health.lock().quality() + u.limiter.headroom(now);
                worth(a).total_cmp(&worth(b))
            })
            .map(|other| other.vendor());
        let Some(other) = other else { return };
        let gateway = Arc::clone(self);
        let question = Question::Quotes { instruments: vec![instrument], bid_ask: false };
        let policy = Policy {
            vendors: vec![other],
            failover: Failover::None,
            priority: Priority::Low,
            ..Policy::default()
        };
        let original = Arc::clone(answer);
        tokio::spawn(async move {
            let now = gateway.clock.now();
            let request = Request { id: gateway.new_request_id(), question, policy, received_at: now };
            let trail = Trail::new(request.id.clone(), now, &request.question, &request.policy);
            trail.note("a second opinion, asked in spare quota");
            let terms = crate::pipeline::Terms {
                deadline: now + gateway.settings.deadlines.background,
                priority: Priority::Low,
                max_cost_micros: None,
            };
            let upstream = Arc::clone(gateway.upstream(other));
            let asked = upstream.question_for(&request.question, now);
            let opinion = match gateway.ask_in_company(&upstream, &asked, terms, true, &trail).await {
                Ok(reply) => gateway.judge(&upstream, &asked, reply, &trail).await.ok(),
                Err(_) => None,
            };
            let decision = trail.decision(opinion.as_ref().map(|_| other.as_str().into()));
            gateway.recall.attempted(&trail.own(&decision));
            gateway.recall.keep(request.id, Arc::clone(&decision));
            gateway.scribe.decision(decision);
            if let Some(opinion) = opinion {
                gateway.keep(&Arc::new(opinion));
                gateway.seek_second_opinion(&original);
            }
        });
    }

    /// Asks a vendor one question now, whoever else would be asked: its breaker and quota are kept to, and
    /// what follows from the answer follows. The record says how it went.
    pub async fn probe(&self, vendor: VendorId, id: RequestId) -> Arc<Decision> {
        let now = self.clock.now();
        let upstream = Arc::clone(self.upstream(vendor));
        let liquid = domain::InstrumentId::new("AAPL", domain::Venue::literal("XNAS"));
        let question = Question::Quotes { instruments: vec![liquid], bid_ask: false };
        let trail = Trail::new(id, now, &question, &Policy { vendors: vec![vendor], ..Policy::default() });
        trail.note("a probe, asked for by an operator");
        let terms = crate::pipeline::Terms {
            deadline: now + self.settings.deadlines.bars,
            priority: Priority::Normal,
            max_cost_micros: None,
        };
        let barred = upstream.barred(Capability::Quote, now);
        let answered = match barred {
            Some(why) => {
                trail.note(format!("{vendor} cannot be asked: {}", why.as_str()));
                None
            }
            None => match self.attempt(&upstream, &question, terms, false, &trail).await {
                Ok(_) => Some(vendor.as_str().into()),
                Err(error) => {
                    trail.note(format!("{vendor} did not answer: {error}"));
                    None
                }
            },
        };
        let decision = trail.decision(answered);
        self.scribe.decision(Arc::clone(&decision));
        decision
    }
}

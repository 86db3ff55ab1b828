//! A vendor that was out is tried behind an answer that others give: whoever asks does not wait for it, and it is
//! used again by itself (BRK-4, RTE-8). What comes too late for its caller is evidence all the same (RTY-4).

use std::sync::Arc;

use domain::VendorId;
use vendors::{Data, Question};

use crate::answer::Outcome;
use crate::breaker_facts::endpoint_of;
use crate::gateway::Gateway;
use crate::pipeline::{Reply, Terms};
use crate::request::{Failover, Policy, Request};
use crate::router::Ranking;
use crate::trail::Trail;
use crate::upstream::Upstream;

impl Gateway {
    /// Asks the question of those vendors that are due to be tried and stand behind another in the order. The
    /// breaker lets one such call through at a time.
    pub(crate) fn probe_behind(&self, ranking: &Ranking, request: &Request, trail: &Trail) {
        let Question::Quotes { .. } = &request.question else { return };
        let endpoint = endpoint_of(request.question.capability());
        if request.policy.failover == Failover::None || self.is_our_fault() {
            return;
        }
        for vendor in ranking.order.iter().skip(1) {
            let upstream = self.upstream(*vendor);
            let due = {
                let breaker = upstream.breaker.lock();
                breaker.is_to_be_tried(&endpoint)
                    && breaker.check(self.clock.now(), request.policy.priority).is_ok()
            };
            if due {
                trail.note(format!("{vendor} failed before; it is tried beside the answer"));
                self.probe_with(*vendor, request);
            }
        }
    }

    fn probe_with(&self, vendor: VendorId, request: &Request) {
        let gateway = self.me.upgrade().expect("a gateway that is asked exists");
        let (request, now) = (request.clone(), self.clock.now());
        tokio::spawn(async move {
            let upstream = Arc::clone(gateway.upstream(vendor));
            let question = upstream.question_for(&request.question, now);
            let policy = Policy { vendors: vec![vendor], failover: Failover::None, ..Policy::default() };
            let trail = Trail::new(gateway.new_request_id(), now, &question, &policy);
            trail.note("a probe of a vendor that failed before");
            let terms = Terms {
                deadline: now + gateway.settings.deadlines.background,
                priority: request.policy.priority,
                max_cost_micros: None,
            };
            let answer = match gateway.attempt(&upstream, &question, terms, false, &trail).await {
                Ok(reply) => gateway.judge(&upstream, &question, reply, &trail).await.ok(),
                Err(_) => None,
            };
            let decision = trail.decision(answer.as_ref().map(|_| vendor.as_str().into()));
            if decision.attempts.iter().all(|attempt| attempt.outcome == Outcome::Abandoned) {
                return; // another probe was under way
            }
            gateway.recall.attempted(&decision);
            gateway.recall.keep(decision.id.clone(), Arc::clone(&decision));
            gateway.scribe.decision(decision);
            if let Some(answer) = answer {
                gateway.keep(&Arc::new(answer));
            }
        });
    }

    /// Keeps a reply nobody waits for any more as that vendor's voice.
    pub(crate) async fn keep_late(
        &self,
        upstream: &Arc<Upstream>,
        question: &Question,
        reply: Reply,
        trail: &Trail,
    ) {
        if !matches!(reply.data, Data::Quotes(_)) {
            return;
        }
        if let Ok(answer) = self.judge(upstream, question, reply, trail).await {
            self.hear(&answer);
        }
    }
}

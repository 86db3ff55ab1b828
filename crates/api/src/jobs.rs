//! Questions answered later: `Prefer: respond-async` on any data address starts a job, `/v1/jobs/{job_id}`
//! tells what became of it (SCH-7, SCH-8).
//!
//! A job asks as any caller would, in a low class and with the deadline of background work; what can be tried
//! again is, after a wait, one class lower each time. Its answer is kept for a day, over restarts.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::Instant;
use futures_util::FutureExt;
use gateway::request::{ConsumerId, priority_word};
use gateway::{Gateway, Priority, RequestId};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use utoipa::ToSchema;

use crate::call::{About, Call, Reply};
use crate::error::{Code, Problem};
use crate::routes::{ROUTES, Route};
use crate::vendors_told::ListMeta;

/// Addresses that answer later where they are asked to.
const DATA: [&str; 7] = [
    "/v1/quotes/latest",
    "/v1/bars",
    "/v1/trades",
    "/v1/news",
    "/v1/corporate-actions",
    "/v1/rollups",
    "/v1/compare",
];
/// A result is kept for so long.
const KEPT: Duration = Duration::from_secs(86_400);
/// Jobs under way at most.
const MOST: usize = 1_000;
/// Time of one try unless the caller says otherwise.
const DEADLINE: &str = "30s";

/// One step of a job.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// `queued`, `dispatched`, `retried`, `done`, `dropped`.
    pub state: String,
    /// When (RFC 3339).
    pub at: String,
    /// The class it goes on in.
    pub priority: String,
    /// Why, where it was retried or dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it is dispatched again, where it was retried (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<String>,
}

/// What a job brought: an answer, or the refusal it ended with.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Brought {
    /// The status it would have had.
    pub status: u16,
    /// Its media type.
    pub media_type: String,
    /// Its headers.
    pub headers: BTreeMap<String, String>,
    /// The body, as it would have been answered.
    pub body: String,
}

/// A job as it is told and kept.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// The last step's word: `queued`, `dispatched`, `retried`, `done`, `dropped`.
    pub state: String,
    /// What was asked: address and query.
    pub asked: String,
    /// Every step, in order.
    pub steps: Vec<Step>,
    /// What it brought, once it has ended.
    pub result: Option<Brought>,
    /// Until when it is kept, once it has ended (RFC 3339).
    pub kept_until: Option<String>,
}

/// The answer of `/v1/jobs/{job_id}`.
#[derive(Serialize, ToSchema)]
pub struct OneJob {
    /// The job.
    pub data: Job,
    /// Facts about the answer.
    pub meta: ListMeta,
}

/// A job with what is needed to go on with it after a restart.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    job: Job,
    template: String,
    query: String,
    headers: Vec<(String, String)>,
    path: Vec<(String, String)>,
    priority: u8,
    /// Who asked, where consumers have keys: nobody else may see it.
    consumer: Option<u16>,
}

/// All jobs of a process.
#[derive(Default)]
pub struct Jobs {
    /// By slot of the store; a slot is used again once its job is old.
    slots: Mutex<Vec<Kept>>,
    is_loaded: OnceCell<()>,
}

impl Jobs {
    /// Reads what an earlier process left, and goes on with what it did not end. Once.
    pub async fn load(self: &Arc<Self>, gateway: &Arc<Gateway>, about: &Arc<About>) {
        self.is_loaded
            .get_or_init(|| async {
                let mut found = Vec::new();
                while let Ok(Some(text)) = gateway.kept_work(found.len() as u32).await {
                    let Ok(kept) = serde_json::from_str::<Kept>(&text) else { break };
                    found.push(kept);
                }
                *self.slots.lock() = found.clone();
                for (slot, kept) in
                    found.into_iter().enumerate().filter(|(_, kept)| kept.job.result.is_none())
                {
                    self.start(gateway, about, slot, kept);
                }
            })
            .await;
    }

    fn find(&self, id: &str, consumer: Option<ConsumerId>) -> Option<Job> {
        let is_it = |kept: &&Kept| kept.job.id == id && kept.consumer == consumer.map(|consumer| consumer.0);
        self.slots.lock().iter().find(is_it).map(|kept| kept.job.clone())
    }

    /// Takes in a new job.
    fn admit(&self, kept: Kept, now: Instant) -> Option<usize> {
        let mut slots = self.slots.lock();
        if slots.iter().filter(|kept| kept.job.result.is_none()).count() >= MOST {
            return None;
        }
        let is_old = |old: &Kept| {
            old.job.kept_until.as_deref().and_then(Instant::parse).is_some_and(|until| until <= now)
        };
        match slots.iter().position(is_old) {
            Some(slot) => {
                slots[slot] = kept;
                Some(slot)
            }
            None => {
                slots.push(kept);
                Some(slots.len() - 1)
            }
        }
    }

    fn start(self: &Arc<Self>, gateway: &Arc<Gateway>, about: &Arc<About>, slot: usize, kept: Kept) {
        let (jobs, gateway, about) = (Arc::clone(self), Arc::clone(gateway), Arc::clone(about));
        tokio::spawn(async move { jobs.run(&gateway, &about, slot, kept).await });
    }

    async fn run(self: Arc<Self>, gateway: &Arc<Gateway>, about: &Arc<About>, slot: usize, mut kept: Kept) {
        let Some(route) = ROUTES.iter().find(|route| route.template == kept.template) else { return };
        let mut retries = kept.job.steps.iter().filter(|step| step.state == "retried").count() as u32;
        loop {
            self.step(gateway, slot, &mut kept, "dispatched", None, None).await;
            let call = call_of(gateway, about, &self, &kept);
            let answered = AssertUnwindSafe((route.answer)(call)).catch_unwind().await;
            let problem = match answered {
                Ok(Ok(reply)) => {
                    kept.job.result = Some(brought(&reply));
                    return self.step(gateway, slot, &mut kept, "done", None, None).await;
                }
                Ok(Err(problem)) => problem,
                Err(_panic) => Problem::new(Code::Internal, "the gateway failed"),
            };
            let now = gateway.now();
            let reason = format!("{}: {}", problem.code.as_str(), problem.detail);
            let vendor = problem.attempts.last().map(|attempt| attempt.vendor);
            let wait =
                problem.code.is_retryable().then(|| gateway.wait_before_retry(vendor, retries)).flatten();
            // What is known to be shut is not knocked at before it opens.
            let again_at = wait.map(|wait| problem.retry_at.map_or(now + wait, |at| at.max(now + wait)));
            let Some(again_at) = again_at.filter(|at| *at < now + KEPT) else {
                kept.job.result = Some(refused(&problem, &kept.job.id, now));
                return self.step(gateway, slot, &mut kept, "dropped", Some(reason), None).await;
            };
            retries += 1;
            kept.priority = class(kept.priority).lower().index() as u8;
            self.step(gateway, slot, &mut kept, "retried", Some(reason), Some(again_at)).await;
            gateway.clock().sleep_until(again_at).await;
        }
    }

    async fn step(
        &self,
        gateway: &Gateway,
        slot: usize,
        kept: &mut Kept,
        state: &str,
        reason: Option<String>,
        again_at: Option<Instant>,
    ) {
        let now = gateway.now();
        kept.job.state = state.to_owned();
        kept.job.steps.push(Step {
            state: state.to_owned(),
            at: now.to_string(),
            priority: priority_word(class(kept.priority)).to_owned(),
            reason,
            again_at: again_at.map(|at| at.to_string()),
        });
        if kept.job.result.is_some() {
            kept.job.kept_until = Some((now + KEPT).to_string());
        }
        if let Some(place) = self.slots.lock().get_mut(slot) {
            place.clone_from(kept);
        }
        let text = serde_json::to_string(kept).expect("a job is plain data");
        // A store that cannot write is told of by the gateway; the job goes on in memory.
        let _told = gateway.keep_work(slot as u32, text).await;
    }
}

/// Whether a request asks to be answered later, at an address that does so.
pub fn is_wanted(route: &Route, headers: &HeaderMap) -> bool {
    let asks =
        headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok()).any(|value| {
            value.split([',', ';']).any(|word| word.trim().eq_ignore_ascii_case("respond-async"))
        });
    asks && route.method == Method::GET && DATA.contains(&route.template)
}

/// Starts a job for a request and says where it can be followed.
///
/// # Errors
/// Too many jobs are under way.
pub async fn accept(call: Call, template: &'static str) -> Result<Reply, Problem> {
    call.jobs.load(&call.gateway, &call.about).await;
    let now = call.received_at;
    let mut query = String::new();
    let mut priority =
        call.headers.get("mda-priority").and_then(|value| value.to_str().ok()).map(str::to_owned);
    for pair in call.query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.strip_prefix("priority=") {
            Some(word) => priority = Some(word.to_owned()),
            None => {
                query.push_str(if query.is_empty() { "" } else { "&" });
                query.push_str(pair);
            }
        }
    }
    let wanted = match &priority {
        Some(word) => Priority::ALL.into_iter().find(|class| priority_word(*class) == word.as_str()),
        None => Some(Priority::Low),
    };
    let Some(wanted) = wanted else {
        let fault = crate::error::Fault {
            parameter: "priority".to_owned(),
            detail: "must be one of critical, high, normal, low, batch".to_owned(),
        };
        return Err(Problem::malformed(vec![fault]));
    };
    let is_kept = |name: &HeaderName| name.as_str().starts_with("mda-") && name != "mda-priority";
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let mut headers: Vec<(String, String)> = call
        .headers
        .iter()
        .filter(|(name, _)| is_kept(name) || **name == header::ACCEPT)
        .filter_map(text)
        .collect();
    if !headers.iter().any(|(name, _)| name == "mda-deadline") && !query.contains("deadline=") {
        headers.push(("mda-deadline".to_owned(), DEADLINE.to_owned()));
    }
    let id = call.gateway.new_request_id().to_string();
    let asked = if query.is_empty() { template.to_owned() } else { format!("{template}?{query}") };
    let queued = Step {
        state: "queued".to_owned(),
        at: now.to_string(),
        priority: priority_word(wanted).to_owned(),
        reason: None,
        again_at: None,
    };
    let job = Job {
        id: id.clone(),
        state: "queued".to_owned(),
        asked,
        steps: vec![queued],
        result: None,
        kept_until: None,
    };
    let kept = Kept {
        job: job.clone(),
        template: template.to_owned(),
        query,
        headers,
        path: call.path.clone(),
        priority: wanted.index() as u8,
        consumer: call.consumer.map(|consumer| consumer.0),
    };
    let Some(slot) = call.jobs.admit(kept.clone(), now) else {
        return Err(Problem::new(Code::TooLarge, format!("{MOST} jobs are under way; ask again later")));
    };
    let text = serde_json::to_string(&kept).expect("a job is plain data");
    let _told = call.gateway.keep_work(slot as u32, text).await;
    call.jobs.start(&call.gateway, &call.about, slot, kept);
    let mut reply = Reply::json(&OneJob { data: job, meta: ListMeta::of(&call, 1) });
    reply.status = StatusCode::ACCEPTED;
    reply.push(header::LOCATION, &format!("/v1/jobs/{id}"));
    reply.push(HeaderName::from_static("preference-applied"), "respond-async");
    reply.push(header::RETRY_AFTER, "1");
    Ok(reply)
}

/// What became of a job.
pub async fn one(call: Call) -> Result<Reply, Problem> {
    call.words().finish().map_err(Problem::malformed)?;
    call.jobs.load(&call.gateway, &call.about).await;
    let job = call.jobs.find(call.path("job_id"), call.consumer).ok_or_else(|| {
        Problem::new(Code::NotFound, "no job has this id; what a job brought is kept for 24 hours")
    })?;
    Ok(Reply::json(&OneJob { data: job, meta: ListMeta::of(&call, 1) }))
}

fn class(index: u8) -> Priority {
    Priority::ALL.get(usize::from(index)).copied().unwrap_or(Priority::Batch)
}

/// The job's request as it is asked now.
fn call_of(gateway: &Arc<Gateway>, about: &Arc<About>, jobs: &Arc<Jobs>, kept: &Kept) -> Call {
    let mut headers = HeaderMap::new();
    let class = priority_word(class(kept.priority)).to_owned();
    let all = kept.headers.iter().cloned().chain([("mda-priority".to_owned(), class)]);
    for (name, value) in all {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            headers.insert(name, value);
        }
    }
    Call {
        gateway: Arc::clone(gateway),
        about: Arc::clone(about),
        jobs: Arc::clone(jobs),
        consumer: kept.consumer.map(ConsumerId),
        body: Bytes::new(),
        id: RequestId(kept.job.id.as_str().into()),
        received_at: gateway.now(),
        query: kept.query.clone(),
        headers,
        path: kept.path.clone(),
    }
}

fn brought(reply: &Reply) -> Brought {
    let header = |(name, value): &(HeaderName, HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    Brought {
        status: reply.status.as_u16(),
        media_type: reply.media_type.to_owned(),
        headers: reply.headers.iter().filter_map(header).collect(),
        body: String::from_utf8_lossy(&reply.body).into_owned(),
    }
}

fn refused(problem: &Problem, id: &str, now: Instant) -> Brought {
    let document = problem.document(&RequestId(id.into()), now);
    Brought {
        status: problem.code.status().as_u16(),
        media_type: "application/problem+json".to_owned(),
        headers: BTreeMap::new(),
        body: serde_json::to_string(&document).expect("problems are maps with text keys"),
    }
}

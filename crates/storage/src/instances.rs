//! What several instances share, on Redis or Valkey: permits counted by one script, by the server's own time, and
//! what vendors said a moment ago.

use std::time::Duration;

use domain::{Instant, InstrumentId, VendorId};
use futures_util::StreamExt;
use gateway::shared::{
    CommonCause, CommonWindow, Fence, Message, Reply, SharedLost, SharedQuote, Ticket, Told, Verdict, Wish,
};
use gateway::{Pending, Shared, StoredQuote};
use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSub};
use redis::{Client, Script, ScriptInvocation};
use resilience::quota::{Cost, Window};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::record;
use crate::record::quote::QuoteRecord;

/// A reply that has not come by then does not come.
const PATIENCE: Duration = Duration::from_millis(500);
/// An instance that is not heard for so long may be alone.
const SILENCE: Duration = Duration::from_secs(2);
/// Where instances tell what they forget.
const FORGOTTEN: &str = "mda:forgotten";
/// A permit this close to a boundary of days is charged on both sides of it.
const EDGE: Duration = Duration::from_secs(2);

/// The seam to other instances, over one connection that is opened when it is needed and opened again when it
/// breaks.
pub struct Redis {
    client: Client,
    connection: ConnectionManager,
    permits: Script,
    quotes: Script,
    /// The connection on which forgotten instruments are heard.
    listening: tokio::sync::Mutex<Option<PubSub>>,
    instances: u32,
    silence: Duration,
}

/// The address cannot be used. It is not repeated: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("the address of what instances share cannot be used: {0}")]
pub struct BadAddress(&'static str);

impl Redis {
    /// Over the server at `url` (`redis://` or `rediss://`), for at most so many instances. Nothing is sent yet.
    ///
    /// # Errors
    /// [`BadAddress`].
    pub fn new(url: &str, instances: u32) -> Result<Redis, BadAddress> {
        let client = Client::open(url).map_err(|_| BadAddress("it is no redis:// or rediss:// URL"))?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config)
            .map_err(|_| BadAddress("no connection can be prepared"))?;
        Ok(Redis {
            client,
            connection,
            permits: Script::new(include_str!("instances/permits.lua")),
            quotes: Script::new(include_str!("instances/quotes.lua")),
            listening: tokio::sync::Mutex::new(None),
            instances,
            silence: SILENCE,
        })
    }

    /// The same, but an instance that is not heard for `silence` may be alone, instead of for 2 s. All instances
    /// must agree on it.
    pub fn with_silence(self, silence: Duration) -> Redis {
        Redis { silence, ..self }
    }

    async fn permit(&self, message: Message<'_>) -> Result<Reply, SharedLost> {
        let tag = format!("mda:{{{}}}", message.account);
        let mut call = self.permits.prepare_invoke();
        call.key(&tag).key(format!("{tag}:members")).key(format!("{tag}:tickets"));
        for window in message.windows {
            if let Window::Sliding(_) = window.window {
                call.key(format!("{tag}:log:{}", name_of(window)));
            }
        }
        call.arg(written(&message).to_string());
        read(&self.run(&call).await?, &message).ok_or_else(unknown)
    }

    async fn run(&self, call: &ScriptInvocation<'_>) -> Result<Vec<String>, SharedLost> {
        let mut connection = self.connection.clone();
        in_time(call.invoke_async(&mut connection)).await
    }

    /// Runs the script over what is kept about an instrument.
    async fn about(
        &self,
        instrument: &InstrumentId,
        arguments: &[&str],
    ) -> Result<(Fence, u64, String), SharedLost> {
        let mut call = self.quotes.prepare_invoke();
        call.key(format!("mda:{{{instrument}}}:quotes")).arg(arguments);
        let [fence, number, text] = self.run(&call).await?.try_into().map_err(|_| unknown())?;
        match (fence.parse(), number.parse()) {
            (Ok(fence), Ok(number)) => Ok((Fence(fence), number, text)),
            _ => Err(unknown()),
        }
    }

    async fn found(
        &self,
        instrument: &InstrumentId,
        question: &str,
    ) -> Result<(Fence, Option<SharedQuote>), SharedLost> {
        let (fence, ago, text) = self.about(instrument, &["find", &digest(question)]).await?;
        let ago = Duration::from_micros(ago);
        Ok((fence, serde_json::from_str(&text).ok().and_then(|kept: Kept| kept.quote(instrument, ago))))
    }

    async fn kept(&self, question: &str, shared: &SharedQuote, fence: Fence) -> Result<bool, SharedLost> {
        let event = shared.quote.quote.event_time.map_or(-1, Instant::as_micros).to_string();
        let (fence, ago) = (fence.0.to_string(), micros(shared.ago).to_string());
        let (keep, text) = (micros(shared.keep).to_string(), record::write(&Kept::from(shared)));
        let question = digest(question);
        let arguments = ["keep", &question, &fence, &event, &ago, &keep, &text];
        self.about(&shared.quote.instrument, &arguments).await.map(|(_, is_kept, _)| is_kept == 1)
    }

    async fn hear(&self) -> Result<Option<InstrumentId>, SharedLost> {
        let mut listening = self.listening.lock().await;
        let Some(channel) = &mut *listening else {
            let mut channel = in_time(self.client.get_async_pubsub()).await?;
            in_time(channel.subscribe(FORGOTTEN)).await?;
            *listening = Some(channel);
            return Ok(None);
        };
        let message = channel.on_message().next().await;
        match message {
            Some(message) => {
                Ok(message.get_payload::<String>().ok().and_then(|text| InstrumentId::parse(&text)))
            }
            None => {
                *listening = None;
                Err(SharedLost("no connection".to_owned()))
            }
        }
    }
}

/// What is kept of a quote; its times of receipt and expiry are the server's.
#[derive(Serialize, Deserialize)]
struct Kept {
    account: String,
    vendor: String,
    simulated: bool,
    quote: QuoteRecord,
}

impl From<&SharedQuote> for Kept {
    fn from(shared: &SharedQuote) -> Kept {
        Kept {
            account: shared.account.clone(),
            vendor: shared.quote.vendor.to_string(),
            simulated: shared.quote.simulated,
            quote: QuoteRecord::from(&shared.quote.quote),
        }
    }
}

impl Kept {
    fn quote(self, instrument: &InstrumentId, ago: Duration) -> Option<SharedQuote> {
        Some(SharedQuote {
            quote: StoredQuote {
                instrument: instrument.clone(),
                vendor: vendors::find(&self.vendor)?.profile().id,
                simulated: self.simulated,
                quote: self.quote.quote()?,
                received_at: Instant::EPOCH,
                score: 0.0,
            },
            account: self.account,
            ago,
            keep: Duration::ZERO,
        })
    }
}

/// A question as the name of what is kept for it.
fn digest(question: &str) -> String {
    Sha256::digest(question).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn unknown() -> SharedLost {
    SharedLost("its reply is unknown".to_owned())
}

async fn in_time<T>(work: impl Future<Output = redis::RedisResult<T>>) -> Result<T, SharedLost> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(SharedLost(in_words(&error))),
        Err(_) => Err(SharedLost("no reply in time".to_owned())),
    }
}

impl Shared for Redis {
    fn instances(&self) -> Option<u32> {
        Some(self.instances)
    }

    fn account(&self, vendor: VendorId, base_url: &str, key: Option<&str>) -> String {
        let digest = Sha256::digest(format!("{base_url}\n{}", key.unwrap_or_default()));
        let short: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{vendor}-{short}")
    }

    fn ask<'a>(&'a self, message: Message<'a>) -> Pending<'a, Result<Reply, SharedLost>> {
        Box::pin(self.permit(message))
    }

    fn silence(&self) -> Duration {
        self.silence
    }

    fn find<'a>(
        &'a self,
        instrument: &'a InstrumentId,
        question: &'a str,
    ) -> Pending<'a, Result<(Fence, Option<SharedQuote>), SharedLost>> {
        Box::pin(self.found(instrument, question))
    }

    fn keep<'a>(
        &'a self,
        question: &'a str,
        quote: &'a SharedQuote,
        fence: Fence,
    ) -> Pending<'a, Result<bool, SharedLost>> {
        Box::pin(self.kept(question, quote, fence))
    }

    fn forget<'a>(&'a self, instrument: &'a InstrumentId) -> Pending<'a, Result<(), SharedLost>> {
        Box::pin(async move {
            let name = instrument.to_string();
            self.about(instrument, &["forget", FORGOTTEN, &name]).await.map(|_| ())
        })
    }

    fn forgotten(&self) -> Pending<'_, Result<Option<InstrumentId>, SharedLost>> {
        Box::pin(self.hear())
    }
}

/// What went wrong, in words that hold neither address nor password.
pub(crate) fn in_words(error: &redis::RedisError) -> String {
    if error.is_timeout() {
        "no reply in time".to_owned()
    } else if error.is_connection_refusal() || error.is_io_error() || error.is_connection_dropped() {
        "no connection".to_owned()
    } else {
        format!("it says {}", error.code().unwrap_or("what is no reply"))
    }
}

/// The message as the script reads it. Times and lengths are microseconds.
fn written(message: &Message<'_>) -> Value {
    let mut logs = 3;
    let windows: Vec<Value> = message
        .windows
        .iter()
        .map(|window| {
            if matches!(window.window, Window::Sliding(_)) {
                logs += 1;
            }
            window_of(window, logs)
        })
        .collect();
    let mut ask = Map::from_iter([
        ("member".to_owned(), json!(message.member)),
        ("id".to_owned(), json!(message.id)),
        ("heard".to_owned(), json!(message.heard.map_or(0, Instant::as_micros))),
        ("epoch".to_owned(), json!(message.epoch.unwrap_or_default())),
        ("fresh".to_owned(), json!(message.id)),
        ("slots".to_owned(), json!(message.instances)),
        ("silence".to_owned(), json!(micros(message.silence))),
        ("edge".to_owned(), json!(micros(EDGE))),
        ("windows".to_owned(), Value::Array(windows)),
        ("own".to_owned(), json!(message.own)),
        (
            "flights".to_owned(),
            message.flights.iter().map(|t| json!({"id": t.id, "cost": cost_of(t.cost)})).collect(),
        ),
    ]);
    let mut say = |key: &str, value: Value| ask.insert(key.to_owned(), value);
    match &message.wish {
        Wish::BeSeen => {
            say("op", json!("see"));
        }
        Wish::Leave => {
            say("op", json!("leave"));
        }
        Wish::Take { cost } => {
            say("op", json!("take"));
            say("cost", cost_of(*cost));
        }
        Wish::GiveBack(Ticket { id, cost, at }) => {
            say("op", json!("back"));
            say("ticket", json!(id));
            say("cost", cost_of(*cost));
            say("at", json!(at.as_micros()));
        }
        Wish::Tell(Told { block, halve, left }) => {
            say("op", json!("tell"));
            say("block", json!(block.map_or(0, micros)));
            say("halve", json!(halve));
            let (window, left, resets) = left.map_or((0, 0, None), |(index, left, at)| (index + 1, left, at));
            say("spent", json!(window));
            say("left", json!(left));
            say("resets", json!(resets.map_or(0, micros)));
        }
    }
    Value::Object(ask)
}

fn window_of(window: &CommonWindow, log: usize) -> Value {
    match window.window {
        Window::Sliding(length) => json!({
            "name": name_of(window),
            "money": window.is_money,
            "count": window.count,
            "length": micros(length),
            "margin": micros(window.margin),
            "capacity": window.capacity.unwrap_or(0),
            "log": log,
        }),
        Window::Day | Window::Month => json!({
            "name": name_of(window),
            "money": window.is_money,
            "count": window.count,
            "edges": window.periods.iter().map(|start| start.as_micros()).collect::<Vec<i64>>(),
        }),
    }
}

/// The window's name among those of an account.
fn name_of(window: &CommonWindow) -> String {
    let span = match window.window {
        Window::Sliding(length) => length.as_micros().to_string(),
        Window::Day => "day".to_owned(),
        Window::Month => "month".to_owned(),
    };
    if window.is_money { format!("usd-{span}") } else { span }
}

fn cost_of(cost: Cost) -> Value {
    json!({"units": cost.units, "micros": cost.micros})
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn read(words: &[String], message: &Message<'_>) -> Option<Reply> {
    let [verdict, wait, cause, window, now, epoch, told, used @ ..] = words else { return None };
    let now = Instant::from_micros(now.parse().ok()?);
    let told: u64 = told.parse().ok()?;
    let verdict = match verdict.as_str() {
        "stale" => Verdict::Stale,
        "crowded" => Verdict::Crowded,
        "calendar" => Verdict::OutOfCalendar,
        "seen" => Verdict::Done,
        "granted" => {
            let Wish::Take { cost } = message.wish else { return None };
            Verdict::Granted(Ticket { id: message.id.clone(), cost, at: now })
        }
        "refused" => Verdict::Refused {
            after: u64::try_from(wait.parse::<i64>().ok()?).ok().map(Duration::from_micros),
            cause: match cause.as_str() {
                "paced" => CommonCause::Paced,
                "told" => CommonCause::Told,
                "unknown" => CommonCause::Unknown,
                _ => CommonCause::Spent,
            },
            window: window.parse::<usize>().ok()?.checked_sub(1)?,
        },
        _ => return None,
    };
    Some(Reply {
        verdict,
        now,
        epoch: epoch.clone(),
        told: (told > 0).then(|| Duration::from_micros(told)),
        used: used.iter().map(|count| count.parse().ok()).collect::<Option<_>>()?,
    })
}

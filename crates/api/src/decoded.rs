//! A vendor's payload as we understand it, whole: what `mda decode --json` prints.

use domain::number::Decimal;
use domain::{
    ActionKind, Bar, BarSeries, CorporateAction, Denomination, Instant, Instrument, MarketStatus, NewsItem,
    Price, Quote, Size, Trade,
};
use serde_json::{Map, Number, Value, json};
use vendors::{Data, Quoted, Rejection};

/// `{"kind": "bars", "bars": […], …}` or `{"rejection": {"class": …}}`.
pub fn to_json(read: &Result<Data, Rejection>) -> Value {
    match read {
        Ok(data) => of_data(data),
        Err(rejection) => json!({ "rejection": of_rejection(rejection) }),
    }
}

fn of_data(data: &Data) -> Value {
    match data {
        Data::Quotes(rows) => {
            json!({"kind": "quotes", "quotes": rows.iter().map(of_quoted).collect::<Vec<_>>()})
        }
        Data::Bars(series) => of_series(series),
        Data::ManyBars(many) => {
            let rows: Vec<Value> = many
                .iter()
                .flat_map(|series| {
                    let symbol = series.instrument.to_string();
                    series.bars.iter().map(move |bar| {
                        let mut row = of_bar(bar);
                        row["instrument"] = symbol.clone().into();
                        row
                    })
                })
                .collect();
            json!({"kind": "bars", "bars": rows})
        }
        Data::Trades(instrument, rows) => json!({
            "kind": "trades", "instrument": instrument.to_string(),
            "trades": rows.iter().map(of_trade).collect::<Vec<_>>(),
        }),
        Data::Actions(rows) => {
            json!({"kind": "actions", "actions": rows.iter().map(of_action).collect::<Vec<_>>()})
        }
        Data::Instruments(rows) => {
            json!({"kind": "instruments", "instruments": rows.iter().map(of_instrument).collect::<Vec<_>>()})
        }
        Data::News(rows) => json!({"kind": "news", "news": rows.iter().map(of_news).collect::<Vec<_>>()}),
        Data::MarketStatus(rows) => {
            json!({"kind": "market_status", "market_status": rows.iter().map(of_status).collect::<Vec<_>>()})
        }
    }
}

/// A rejection: its class, and what else the reply told.
pub fn of_rejection(rejection: &Rejection) -> Value {
    let mut out =
        json!({"class": rejection.class(), "blame": format!("{:?}", rejection.blame()).to_lowercase()});
    match rejection {
        Rejection::RateLimited { retry_after, window } => {
            out["retry_after_ms"] = retry_after.map(|wait| wait.as_millis() as u64).into();
            out["window"] = window.map(window_word).into();
        }
        Rejection::QuotaSpent { window, resets } => {
            out["window"] = window.map(window_word).into();
            out["resets"] = resets.map(|at| at.to_string()).into();
        }
        Rejection::Banned { until } => out["until"] = until.map(|at| at.to_string()).into(),
        Rejection::VendorFault { status } => out["status"] = (*status).into(),
        Rejection::Unreadable { expected } => out["expected"] = (*expected).into(),
        Rejection::UnknownSymbol
        | Rejection::Unauthorized
        | Rejection::NotEntitled
        | Rejection::NoData
        | Rejection::Unsupported
        | Rejection::CallersMistake => {}
    }
    out
}

fn window_word(window: vendors::Window) -> &'static str {
    match window {
        vendors::Window::Second => "second",
        vendors::Window::Minute => "minute",
        vendors::Window::Day => "day",
        vendors::Window::Month => "month",
    }
}

/// A decimal as a JSON number with all its digits where a double holds it, which is wherever a vendor sent
/// a double.
fn number(value: Decimal) -> Value {
    let text = value.normalize().to_string();
    text.parse::<f64>().ok().and_then(Number::from_f64).map_or(Value::String(text), Value::Number)
}

fn price(value: Option<Price>) -> Value {
    value.map_or(Value::Null, |value| number(value.decimal()))
}

fn size(value: Option<Size>) -> Value {
    value.map_or(Value::Null, |value| number(value.decimal()))
}

fn at(value: Option<Instant>) -> Value {
    value.map(|at| at.to_string()).into()
}

fn text<T: ToString>(value: Option<T>) -> Value {
    value.map(|value| value.to_string()).into()
}

fn denominated(out: &mut Value, denomination: Option<Denomination>) {
    out["currency"] = text(denomination.map(|d| d.currency));
    out["unit"] = denomination.map(|d| d.unit.as_str()).into();
}

fn of_quoted(quoted: &Quoted) -> Value {
    let mut out = match &quoted.quote {
        Ok(quote) => of_quote(quote),
        Err(rejection) => json!({"rejection": of_rejection(rejection)}),
    };
    out["instrument"] = quoted.instrument.to_string().into();
    out["symbol"] = quoted.instrument.name().into();
    out
}

fn of_quote(quote: &Quote) -> Value {
    let mut out = json!({
        "last": price(quote.last), "last_size": size(quote.last_size),
        "bid": price(quote.bid), "bid_size": size(quote.bid_size),
        "ask": price(quote.ask), "ask_size": size(quote.ask_size),
        "open": price(quote.open), "high": price(quote.high), "low": price(quote.low),
        "previous_close": price(quote.previous_close), "volume": size(quote.volume),
        "t": at(quote.event_time), "date": text(quote.trading_date),
        "delay_ms": quote.stated_delay.map(|delay| delay.as_millis() as u64),
        "phase": quote.phase.map(|phase| phase.as_str()),
    });
    denominated(&mut out, quote.denomination);
    out
}

fn of_bar(bar: &Bar) -> Value {
    json!({
        "t": bar.start.to_string(), "date": text(bar.trading_date),
        "open": price(bar.open), "high": price(bar.high), "low": price(bar.low), "close": price(bar.close),
        "volume": size(bar.volume), "final": bar.is_final,
        "vwap": price(bar.vwap), "trades": bar.trade_count, "adjusted_close": price(bar.vendor_adjusted_close),
    })
}

fn of_series(series: &BarSeries) -> Value {
    let mut out = json!({
        "kind": "bars",
        "instrument": series.instrument.to_string(), "symbol": series.instrument.name(),
        "interval": series.interval.as_str(), "adjustment": series.adjustment.as_str(),
        "zone": series.zone.as_deref(),
        "bars": series.bars.iter().map(of_bar).collect::<Vec<_>>(),
        "actions": series.actions.iter().map(of_action).collect::<Vec<_>>(),
        "quote": series.quote.as_deref().map(of_quote),
    });
    denominated(&mut out, series.denomination);
    out
}

fn of_trade(trade: &Trade) -> Value {
    json!({
        "t": trade.at.to_string(), "price": number(trade.price.decimal()), "size": number(trade.size.decimal()),
        "id": trade.id.as_deref(), "exchange": trade.exchange.as_deref(),
        "conditions": trade.conditions.iter().map(|c| c.as_ref()).collect::<Vec<&str>>(),
    })
}

/// One corporate action.
pub fn of_action(action: &CorporateAction) -> Value {
    let mut out = Map::new();
    out.insert("instrument".into(), action.instrument.to_string().into());
    out.insert("symbol".into(), action.instrument.name().into());
    out.insert("type".into(), action.kind.as_str().into());
    out.insert("ex_date".into(), action.ex_date.to_string().into());
    match &action.kind {
        ActionKind::Split { new_per_old } => {
            out.insert("new_per_old".into(), number(new_per_old.decimal()));
        }
        ActionKind::Dividend { amount, denomination } => {
            out.insert("amount".into(), number(amount.decimal()));
            out.insert("currency".into(), text(denomination.map(|d| d.currency)));
            out.insert("unit".into(), denomination.map(|d| d.unit.as_str()).into());
        }
        ActionKind::Rename { to } => {
            out.insert("to".into(), to.to_string().into());
        }
        ActionKind::Merger { into, shares } => {
            out.insert("into".into(), text(into.as_ref()));
            out.insert("shares".into(), shares.map_or(Value::Null, |shares| number(shares.decimal())));
        }
    }
    out.insert("declared".into(), text(action.declared));
    out.insert("record".into(), text(action.record));
    out.insert("payable".into(), text(action.payable));
    out.insert("description".into(), action.description.as_deref().into());
    Value::Object(out)
}

/// One instrument.
pub fn of_instrument(instrument: &Instrument) -> Value {
    let mut out = json!({
        "id": instrument.id.to_string(), "name": instrument.id.name(), "venue": instrument.id.venue().as_str(),
        "symbol": instrument.vendor_symbol.as_deref().unwrap_or(instrument.id.name()),
        "kind": instrument.kind.as_str(), "description": instrument.description.as_deref(),
        "listed": text(instrument.listed), "delisted": text(instrument.delisted),
    });
    denominated(&mut out, instrument.denomination);
    out
}

fn of_news(item: &NewsItem) -> Value {
    json!({
        "id": item.id.as_deref(), "t": item.published.to_string(), "headline": item.headline.as_ref(),
        "summary": item.summary.as_deref(), "publisher": item.publisher.as_deref(), "url": item.url.as_deref(),
        "instruments": item.instruments.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn of_status(status: &MarketStatus) -> Value {
    json!({
        "market": status.market.as_ref(), "phase": status.phase.as_str(), "t": at(status.at),
        "holiday": status.holiday.as_deref(),
    })
}

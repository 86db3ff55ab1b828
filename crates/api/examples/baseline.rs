//! What our own answers are measured against by `cargo xtask bench`: `baseline hyper ADDRESS` gives a constant
//! kilobyte with nothing in between, `baseline axum ADDRESS` routes and serialises a kilobyte for every request.
//! Each on one thread.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program of its own")]

use std::convert::Infallible;

use axum::{Json, Router, routing::get};
use bytes::Bytes;
use http::{Response, header};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpListener;

/// An answer of about a kilobyte, shaped like a quote with its facts.
#[derive(Clone, Serialize)]
struct Told {
    symbol: &'static str,
    vendor: &'static str,
    at: u64,
    prices: Vec<Row>,
}

#[derive(Clone, Serialize)]
struct Row {
    name: &'static str,
    price: f64,
    size: u64,
    grade: &'static str,
}

fn told(at: u64) -> Told {
    let row = |n: u32| Row { name: "last", price: 227.5 + f64::from(n), size: 100, grade: "A" };
    Told { symbol: "AAPL", vendor: "baseline", at, prices: (0..19).map(row).collect() }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (kind, address) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
    let listener = TcpListener::bind(&address).await?;
    match kind.as_str() {
        "hyper" => hyper(listener).await,
        "axum" => Ok(axum::serve(listener, router()).await?),
        _ => Err("say `baseline hyper ADDRESS` or `baseline axum ADDRESS`".into()),
    }
}

/// Serialises the answer anew for each request.
fn router() -> Router {
    let count = std::sync::atomic::AtomicU64::new(0);
    let count = std::sync::Arc::new(count);
    let answer = move || {
        let at = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move { Json(told(at)) }
    };
    Router::new().route("/v1/quotes/latest", get(answer))
}

async fn hyper(listener: TcpListener) -> Result<(), Box<dyn std::error::Error>> {
    let body = Bytes::from(serde_json::to_vec(&told(0))?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let body = body.clone();
        let service = service_fn(move |_| {
            let response = Response::builder()
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::CACHE_CONTROL, "max-age=60")
                .body(Full::new(body.clone()))
                .expect("constant headers are valid");
            async move { Ok::<_, Infallible>(response) }
        });
        tokio::spawn(async move {
            // A client that leaves is no failure of ours.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

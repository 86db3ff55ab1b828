//! Our own accept loop: header timeout, connection cap, HTTP/1 keep-alive and HTTP/2, a stop in good order.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::app::App;

/// Connections at once; further ones wait in the listener's queue.
const CONNECTIONS: usize = 4_096;
/// A client sends all its headers within this time, or the connection is closed.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// An idle HTTP/2 connection is asked whether it lives.
const PING: Duration = Duration::from_secs(30);
/// Requests under way have this long to end once a stop is asked for.
const GRACE: Duration = Duration::from_secs(15);
/// Pause after a failed accept: out of file descriptors, most likely.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown` completes, then lets requests under way end, 15 s at most.
pub async fn serve(listener: TcpListener, app: App, shutdown: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let builder = connection_builder();
    let mut shutdown = pin!(shutdown);
    loop {
        let place = tokio::select! {
            () = &mut shutdown => break,
            place = Arc::clone(&places).acquire_owned() => place.expect("the semaphore is never closed"),
        };
        let stream = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _peer)) => stream,
                Err(_) => {
                    pause(PAUSE).await;
                    continue;
                }
            },
        };
        let (builder, app, watcher) = (builder.clone(), app.clone(), graceful.watcher());
        tokio::spawn(async move {
            if speaks(&stream).await {
                // A connection that breaks off harms nobody else; hyper has no one to tell.
                let _ = watcher.watch(connection(&builder, stream, app)).await;
            }
            drop(place);
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = pause(GRACE) => {}
    }
}

/// Whether a new client says anything in the time it has for its headers. Until its first byte nobody can
/// tell HTTP/1 from HTTP/2, and no timer of either runs.
async fn speaks(stream: &TcpStream) -> bool {
    matches!(tokio::time::timeout(HEADER_TIME, stream.peek(&mut [0])).await, Ok(Ok(1)))
}

fn connection_builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .keep_alive(true)
        .pipeline_flush(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(HEADER_TIME)
        .max_concurrent_streams(256);
    builder
}

fn connection(
    builder: &auto::Builder<TokioExecutor>,
    stream: TcpStream,
    app: App,
) -> auto::Connection<'static, TokioIo<TcpStream>, App, TokioExecutor> {
    // Small answers go out at once; failing to say so costs latency only.
    let _ = stream.set_nodelay(true);
    builder.serve_connection(TokioIo::new(stream), app).into_owned()
}

/// A pause by the machine's clock: sockets know no other.
#[expect(clippy::disallowed_methods, reason = "sockets live by the machine's clock, not by the seam's")]
async fn pause(span: Duration) {
    tokio::time::sleep(span).await;
}

//! The accept loop: slow clients are dropped, and a stop lets requests under way end. API-6, ACC-2.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::stage::Stage;

/// A server on a loopback port: its address, its stop, and its end.
async fn serving(stage: &Stage) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move {
        let _ = stopped.await;
    };
    let app = stage.app.clone();
    (address, stop, tokio::spawn(api::serve(listener, app, shutdown)))
}

/// What comes until the server closes.
async fn all_of(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_ends_its_headers_is_dropped_in_time() {
    let stage = Stage::new(&[]).await;
    let (address, stop, ended) = serving(&stage).await;
    for sent in ["", "GET /livez HTTP/1.1\r\nhost: here\r\n"] {
        let asked_at = Instant::now();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let told = all_of(stream).await;
        assert!(!told.contains("200 OK"), "{told}");
        let waited = asked_at.elapsed();
        assert!(waited <= Duration::from_secs(21), "{sent:?}: {waited:?}");
    }
    stop.send(()).unwrap();
    ended.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_a_request_under_way_end_and_idle_connections_go() {
    let stage = Stage::new(&[("polygon", "premium")]).await;
    let (address, stop, ended) = serving(&stage).await;
    let _silent = TcpStream::connect(address).await.unwrap();
    let mut asking = TcpStream::connect(address).await.unwrap();
    asking.write_all(b"GET /v1/quotes/latest?symbols=AAPL HTTP/1.1\r\nhost: here\r\n\r\n").await.unwrap();
    while stage.asked("polygon") == 0 {
        stage.pass(Duration::from_millis(1)).await;
    }
    stop.send(()).unwrap();
    let told = all_of(asking).await;
    assert!(told.starts_with("HTTP/1.1 200 OK"), "{told}");
    assert!(told.contains("\"AAPL\""), "{told}");
    ended.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

//! SRC-15: the shape of replies is watched, over restarts too.

use telemetry::EventKind;

use super::*;

fn appeared(gateway: &Gateway) -> Vec<String> {
    let events = gateway.events().into_iter();
    events
        .filter_map(|event| match event.kind {
            EventKind::FieldAppeared { capability, field } => Some(format!("{capability}: {field}")),
            _ => None,
        })
        .collect()
}

async fn ask_often(stage: &Stage, gateway: &Arc<Gateway>, turns: usize) {
    let names = ["AAPL", "MSFT", "NVDA", "AMZN", "INTC", "IBM", "KO"];
    for turn in 0..turns {
        quote(gateway, names[turn % names.len()]).await.unwrap();
        stage.pass(Duration::from_secs(20)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_field_that_no_earlier_reply_had_is_told_once_even_after_a_restart() {
    const FACT: &str = "shapes finnhub http://simulated";
    let stage = Stage::new(SESSION, &[("finnhub", "premium")]);
    let gateway = stage.open().await;
    ask_often(&stage, &gateway, 80).await;
    assert_eq!(appeared(&gateway), Vec::<String>::new(), "the same fields again and again");
    gateway.close().await;

    // The vendor as it was before it had the field of the last price.
    let learned = stage.store.fact(FACT).await.unwrap().expect("the names are kept");
    let line = learned.lines().find(|line| line.starts_with("quote\t") || line.starts_with("bid_ask\t"));
    let capability = line.and_then(|line| line.split('\t').next()).expect("quotes were asked for").to_owned();
    assert!(learned.contains("\tpc"), "{learned}");
    stage.store.put_fact(FACT, learned.replace("\tpc", "")).await.unwrap();

    let gateway = stage.open().await;
    ask_often(&stage, &gateway, 120).await;
    assert_eq!(
        appeared(&gateway),
        [format!("{capability}: pc")],
        "two exchanges a quote, and both have turns"
    );
    gateway.close().await;
    let gateway = stage.open().await;
    ask_often(&stage, &gateway, 60).await;
    assert_eq!(appeared(&gateway), Vec::<String>::new(), "it is known by now");
}

//! What one connection keeps for its reader.

use super::*;
use crate::caller::testing;

fn channel() -> (Arc<Channel>, mpsc::Receiver<Bytes>) {
    let (inbox, messages) = mpsc::channel(1);
    let channel = Channel {
        id: "c".into(),
        principal: Arc::new(testing::principal("key:a")),
        since: Timestamp::UNIX_EPOCH,
        over: CancellationToken::new(),
        inbox,
        history: Mutex::default(),
        grown: watch::Sender::new(0),
        readers: AtomicUsize::new(0),
    };
    (Arc::new(channel), messages)
}

fn add(channel: &Channel, text: &'static str) {
    channel.add(
        MESSAGE.into(),
        Bytes::from_static(text.as_bytes()),
        Timestamp::UNIX_EPOCH,
    );
}

#[tokio::test]
async fn a_reader_gets_what_it_missed_and_what_comes() {
    let (channel, _messages) = channel();
    add(&channel, "1");
    add(&channel, "2");
    let mut reader = channel.read(1);
    assert_eq!(reader.next().await.unwrap()[0].data, "2");
    add(&channel, "3");
    assert_eq!(reader.next().await.unwrap()[0].number, 3);
    channel.over.cancel();
    assert!(reader.next().await.is_none());
}

#[tokio::test]
async fn a_reader_that_falls_out_of_the_history_is_cut() {
    let (channel, _messages) = channel();
    add(&channel, "first");
    let mut reader = channel.read(0);
    assert_eq!(reader.next().await.unwrap().len(), 1);
    for _ in 0..=MAX_EVENTS {
        add(&channel, "x");
    }
    assert_eq!(channel.after(0, usize::MAX).len(), MAX_EVENTS);
    assert!(reader.next().await.is_none());
}

/// Acceptance: 274
#[test]
fn broadcasts_stay_with_the_organisation_and_namespace_of_the_sender() {
    let channels = Channels::new("sse");
    let sender = testing::principal("key:a");
    let mut open = Vec::new();
    for (id, organization, namespace) in [
        ("near", "default", "default"),
        ("far", "other", "default"),
        ("beside", "default", "beside"),
    ] {
        let (channel, messages) = channel();
        let mut channel = Arc::into_inner(channel).unwrap();
        channel.principal = Arc::new(Principal {
            organization: organization.into(),
            namespace: namespace.into(),
            ..testing::principal(id)
        });
        let channel = Arc::new(channel);
        channels
            .open
            .lock()
            .insert(id.to_owned(), Arc::clone(&channel));
        open.push((channel, messages));
    }
    let name: Arc<str> = "news".into();
    let sent = channels.broadcast(
        &sender,
        &name,
        &Bytes::from_static(b"1"),
        Timestamp::UNIX_EPOCH,
    );
    assert_eq!(sent, 1);
    let heard: Vec<usize> = open.iter().map(|(it, _)| it.after(0, 9).len()).collect();
    assert_eq!(heard, [1, 0, 0]);
    assert!(channels.find("far", &sender, true).is_none());
    assert!(channels.find("beside", &sender, false).is_none());
    assert!(channels.find("beside", &sender, true).is_some());
}

#[test]
fn messages_of_a_client_that_floods_are_refused() {
    let (channel, _messages) = channel();
    assert!(channel.take(Bytes::from_static(b"1")));
    assert!(!channel.take(Bytes::from_static(b"2")));
}

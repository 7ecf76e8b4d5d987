//! The same octets, whatever the pieces; and never a peer that waits for what lies here.

use proptest::prelude::*;
use tokio::io::{AsyncWriteExt as _, duplex};

use super::*;

fn gathered(size: usize) -> (Gathered<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
    let (ours, theirs) = duplex(size);
    (Gathered::new(ours, Arc::default()), theirs)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_written_is_read_in_any_split(
        pieces in proptest::collection::vec(1usize..150_000, 1..6),
        socket in 700usize..70_000,
        piece in 16usize..300_000,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let total: usize = pieces.iter().sum();
            let sent: Vec<u8> = (0..=250).cycle().take(total).collect();
            let (mut ours, theirs) = gathered(socket);
            let mut theirs = Gathered::new(theirs, Arc::default());
            let write = async {
                let mut left = &sent[..];
                for piece in &pieces {
                    let (now, later) = left.split_at(*piece);
                    ours.write_all(now).await.unwrap();
                    left = later;
                }
                ours.shutdown().await.unwrap();
            };
            let read = async {
                let mut got = Vec::new();
                let mut buffer = vec![0; piece];
                loop {
                    let count = theirs.read(&mut buffer).await.unwrap();
                    if count == 0 {
                        return got;
                    }
                    got.extend_from_slice(&buffer[..count]);
                }
            };
            let ((), got) = tokio::join!(write, read);
            assert!(got == sent, "{} octets of {}", got.len(), sent.len());
        });
    }
}

#[tokio::test]
async fn an_answer_goes_out_before_the_next_question_is_waited_for() {
    let (mut ours, mut theirs) = gathered(4096);
    let us = async {
        let mut question = [0; 4];
        for _ in 0..10 {
            ours.read_exact(&mut question).await.unwrap();
            ours.write_all(b"an").await.unwrap();
            ours.write_all(b"swer").await.unwrap();
            ours.flush().await.unwrap();
        }
        // The last one goes out while we wait for what never comes.
        assert_eq!(ours.read(&mut question).await.unwrap(), 0);
    };
    let them = async {
        let mut answer = [0; 6];
        for _ in 0..10 {
            theirs.write_all(b"what").await.unwrap();
            theirs.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"answer");
        }
        drop(theirs);
    };
    tokio::join!(us, them);
}

#[tokio::test]
async fn small_writes_gather_until_there_is_nothing_to_read() {
    let (mut ours, mut theirs) = gathered(1 << 20);
    theirs.write_all(b"12").await.unwrap();
    let mut one = [0; 1];
    ours.read_exact(&mut one).await.unwrap();
    ours.write_all(b"first").await.unwrap();
    ours.flush().await.unwrap();
    let mut got = [0; 11];
    let early = std::future::poll_fn(|context| {
        let mut space = ReadBuf::new(&mut got);
        Poll::Ready(
            Pin::new(&mut theirs)
                .poll_read(context, &mut space)
                .is_ready(),
        )
    });
    assert!(!early.await, "there was more to read");
    ours.read_exact(&mut one).await.unwrap();
    ours.write_all(b"second").await.unwrap();
    tokio::select! {
        biased;
        _ = ours.read_exact(&mut one) => unreachable!("nothing more was sent"),
        _ = theirs.read_exact(&mut got) => {}
    }
    assert_eq!(&got, b"firstsecond");
    assert_eq!(ours.input.capacity() + ours.output.capacity(), 0, "idle");
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_heard_all_the_same() {
    let (mut ours, mut theirs) = gathered(16);
    ours.write_all(&[7; 1000]).await.unwrap();
    theirs.write_all(b"still here").await.unwrap();
    let mut got = [0; 10];
    ours.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"still here");
}

#[tokio::test]
async fn a_hold_stops_reading_and_only_that() {
    let (mut ours, mut theirs) = gathered(4096);
    let brake = Arc::clone(&ours.brake);
    theirs.write_all(b"input").await.unwrap();
    let hold = brake.hold();
    ours.write_all(b"output").await.unwrap();
    let mut input = [0; 5];
    let mut output = [0; 6];
    tokio::select! {
        biased;
        _ = ours.read_exact(&mut input) => panic!("read while held"),
        _ = theirs.read_exact(&mut output) => {}
    }
    let free = async {
        tokio::task::yield_now().await;
        drop(hold);
    };
    let (read, ()) = tokio::join!(ours.read_exact(&mut input), free);
    read.unwrap();
    assert_eq!((&input, &output), (b"input", b"output"));
}

#[tokio::test]
async fn a_cut_ends_whoever_waits() {
    let (mut ours, _theirs) = gathered(16);
    let brake = Arc::clone(&ours.brake);
    let mut octet = [0; 1];
    let cut = async {
        tokio::task::yield_now().await;
        brake.cut();
    };
    let (read, ()) = tokio::join!(ours.read(&mut octet), cut);
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    assert!(ours.write(&[0; 1]).await.is_err());
}

/// What was put off is done before the stream waits for its peer, once, and not when it was forgotten.
#[tokio::test]
async fn what_was_put_off_is_done_when_the_input_has_run_dry() {
    let brake = Arc::new(Brake::default());
    let (ours, mut theirs) = duplex(4096);
    let mut ours = Gathered::new(ours, Arc::clone(&brake));
    let done = Arc::new(Mutex::new(Vec::new()));
    let put_off = |number: u32| {
        let done = Arc::clone(&done);
        brake.when_dry(number, || {
            PutOff(Box::new(move || done.lock().unwrap().push(number)))
        });
    };
    theirs.write_all(b"firstsecond").await.unwrap();
    let mut word = [0; 5];
    ours.read_exact(&mut word).await.unwrap();
    assert!(brake.has_more());
    put_off(1);
    put_off(2);
    put_off(1);
    brake.forget(2);
    let mut rest = [0; 6];
    ours.read_exact(&mut rest).await.unwrap();
    assert!(!brake.has_more());
    assert!(done.lock().unwrap().is_empty());
    let read = ours.read_exact(&mut word);
    let answer = async {
        while done.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        theirs.write_all(b"third").await.unwrap();
    };
    tokio::join!(async { read.await.unwrap() }, answer);
    assert_eq!(
        (word, done.lock().unwrap().as_slice()),
        (*b"third", &[1][..])
    );
}

//! A public port under strangers.

use super::*;

#[test]
fn a_head_asks_for_a_challenge_or_for_nothing() {
    let line = |line: &str| format!("{line}\r\nHost: ftp.example\r\n\r\n");
    let path = "/.well-known/acme-challenge/abc";
    assert_eq!(
        request(line(&format!("GET {path} HTTP/1.1")).as_bytes()),
        Request::Challenge("abc")
    );
    for other in ["/", "/etc/passwd", "/.well-known/acme-challeng/abc"] {
        let head = line(&format!("GET {other} HTTP/1.1"));
        assert_eq!(request(head.as_bytes()), Request::Other, "{other}");
    }
    let head = line(&format!("POST {path} HTTP/1.1"));
    assert_eq!(request(head.as_bytes()), Request::OtherMethod);
    for bad in [
        "",
        "GET",
        "GET / HTTP/2.0",
        "GET  / HTTP/1.1",
        "GET / x HTTP/1.1",
    ] {
        assert_eq!(request(line(bad).as_bytes()), Request::Bad, "{bad}");
    }
    assert_eq!(request(b"GET / HTTP/1.1\r\n"), Request::Bad);
    assert_eq!(request(b"\xff\xfe HTTP/1.1\r\n\r\n"), Request::Bad);
}

/// Serves `requests`, one connection each, and gives the answers.
async fn exchange(tokens: Tokens, requests: Vec<Vec<u8>>) -> Vec<String> {
    let any = "127.0.0.1:0".parse().unwrap();
    let responder = Responder::bind(any, Speech::Http(tokens)).unwrap();
    let talk = async {
        let mut answers = Vec::new();
        for request in requests {
            let mut stream = TcpStream::connect(responder.address()).await.unwrap();
            stream.write_all(&request).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answers.push(answer);
        }
        answers
    };
    tokio::select! {
        answers = talk => answers,
        never = responder.serve() => match never {},
    }
}

fn get(token: &str) -> Vec<u8> {
    format!("GET {WELL_KNOWN}{token} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn only_tokens_that_are_up_are_answered() {
    let tokens = Tokens::default();
    tokens.put("up", "up.thumbprint");
    tokens.put("down", "down.thumbprint");
    tokens.forget("down");
    let answers = exchange(tokens, vec![get("up"), get("down"), get(""), get("up/")]).await;
    assert!(
        answers[0].starts_with("HTTP/1.1 200 ") && answers[0].ends_with("\r\n\r\nup.thumbprint")
    );
    for answer in &answers[1..] {
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    }
}

#[tokio::test]
async fn a_head_is_bounded_and_a_cut_one_is_refused() {
    let mut long = get("up");
    long.truncate(long.len() - 2);
    long.resize(MAX_HEAD, b'a');
    let answers = exchange(Tokens::default(), vec![long, b"GET /".to_vec()]).await;
    for answer in &answers {
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

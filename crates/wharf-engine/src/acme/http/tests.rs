//! What the client sends and hears, without a connection.

use super::*;

fn request(url: &str) -> Request<BodyWrapper<Bytes>> {
    Request::builder()
        .uri(url)
        .body(BodyWrapper::default())
        .unwrap()
}

#[test]
fn a_request_goes_to_its_host_with_the_path_alone() {
    let (host, port, request) = address(request("https://[::1]:14000/order/1?page=2")).unwrap();
    assert_eq!((host.as_str(), port), ("::1", 14000));
    assert_eq!(request.uri(), "/order/1?page=2");
    assert_eq!(request.headers()[HOST], "[::1]:14000");
    let (host, port, request) = address(self::request("https://ca.example")).unwrap();
    assert_eq!((host.as_str(), port), ("ca.example", 443));
    assert_eq!(request.uri(), "/");
}

#[test]
fn a_directory_cannot_lead_out_of_https() {
    assert!(address(request("http://ca.example/order")).is_err());
    assert!(address(request("/order")).is_err());
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let heard = |value: &'static str| {
        wait_of(&HeaderMap::from_iter([(
            RETRY_AFTER,
            HeaderValue::from_static(value),
        )]))
    };
    assert_eq!(heard("120"), Some(Wait::For(Duration::from_secs(120))));
    assert_eq!(
        heard("Thu, 01 Jan 1970 01:00:00 GMT"),
        Some(Wait::Until(
            SystemTime::UNIX_EPOCH + Duration::from_secs(3600)
        ))
    );
    assert_eq!(heard("-1"), None);
    assert_eq!(heard("soon"), None);
    assert_eq!(wait_of(&HeaderMap::new()), None);
}

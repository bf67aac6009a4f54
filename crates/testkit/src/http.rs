//! HTTP/1.1 requests, one per connection.

use crate::wait;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The status line and the header fields.
    pub head: String,
    /// The body, without the framing of a chunked one.
    pub body: String,
}

/// Sends a GET request.
///
/// # Errors
/// The network's; [`ErrorKind::InvalidData`] if the answer is not HTTP.
pub fn get(server: SocketAddr, path: &str) -> Result<Answer> {
    request(server, "GET", path, "")
}

/// Sends a request without a body. `fields` are more header fields, each ended by CR LF.
///
/// # Errors
/// As [`get`].
pub fn request(server: SocketAddr, method: &str, path: &str, fields: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(wait::DEADLINE))?;
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: test\r\n{fields}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    parse(&answer).ok_or_else(|| Error::new(ErrorKind::InvalidData, answer))
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok()?;
    let chunked = head.to_ascii_lowercase().contains("\r\ntransfer-encoding: chunked");
    let body = if chunked { unchunk(body)? } else { body.to_owned() };
    Some(Answer { status, head: head.to_owned(), body })
}

fn unchunk(mut body: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole.push_str(rest.get(..size)?);
        body = rest[size..].strip_prefix("\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_apart() {
        let plain = parse("HTTP/1.1 404 Not Found\r\nA: b\r\n\r\nnone").unwrap();
        assert_eq!((plain.status, plain.body.as_str()), (404, "none"));
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked";
        let chunked = parse(&format!("{head}\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n"));
        assert_eq!(chunked.unwrap().body, "abc0123456789");
        for bad in ["", "HTTP/1.1 200 OK\r\n", &format!("{head}\r\n\r\n9\r\nabc")] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}

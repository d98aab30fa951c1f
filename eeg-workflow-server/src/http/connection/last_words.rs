//! The last answer on a connection that cannot go on, and how it is closed.

use std::io;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// For how long a closed connection is still read, and how often.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_READS: usize = 512;

/// An answer to what never became a request.
pub(super) struct LastWords {
    status: &'static str,
    error: String,
}

impl LastWords {
    /// There are too many connections.
    pub(super) fn busy() -> Self {
        let error = "the server has too many connections, try again later".into();
        Self { status: "503 Service Unavailable", error }
    }

    /// The answer to a head that could not be read for this reason, if any was begun.
    pub(super) fn to_head(error: &hyper::Error, has_begun: bool) -> Option<Self> {
        let reason = error.to_string();
        let (status, error) = if error.is_timeout() && has_begun {
            ("408 Request Timeout", "the request did not arrive in time".into())
        } else if error.is_parse_too_large() && reason.starts_with("URI") {
            ("414 URI Too Long", "the address is too long".into())
        } else if error.is_parse_too_large() {
            ("431 Request Header Fields Too Large", "the head of the request is too large".into())
        } else if reason.starts_with("invalid transfer-encoding") {
            ("501 Not Implemented", "the only transfer coding known here is \"chunked\"".into())
        } else if error.is_parse() {
            ("400 Bad Request", format!("this is not a request of HTTP/1.1: {reason}"))
        } else {
            return None;
        };
        Some(Self { status, error })
    }

    /// Says them if they can be sent without a wait.
    pub(super) fn say_at_once(&self, stream: &TcpStream) {
        // Whoever does not get them is left without an answer, as there are too many.
        let _ = stream.try_write(self.text().as_bytes());
    }

    fn text(&self) -> String {
        let Self { status, error } = self;
        let body = json!({ "error": error }).to_string();
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n{body}"
        )
    }
}

/// Closes a connection so that the client can still read the last answer: what it goes on
/// sending is read and dropped for a moment, where closing at once would reset the connection.
pub(super) async fn close(mut stream: TcpStream, last_words: Option<LastWords>) {
    let end = async {
        if let Some(words) = last_words {
            stream.write_all(words.text().as_bytes()).await?;
        }
        stream.shutdown().await?;
        let mut sink = [0; 8 * 1024];
        for _ in 0..LINGER_READS {
            if stream.read(&mut sink).await? == 0 {
                break;
            }
        }
        io::Result::Ok(())
    };
    // Nobody is left to tell about an error here.
    let _ = timeout(LINGER, end).await;
}

//! Connections: taking them in, serving them, and ending them.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};

use crate::http::router;
use crate::http::state::App;

/// How connections are served.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionLimits {
    /// So many at once; others wait in the system's queue.
    pub(crate) connections: usize,
    /// For the whole head of a request, and how long a kept connection may be idle.
    pub(crate) head: Duration,
    /// How long a client may take nothing of an answer.
    pub(crate) write: Duration,
    /// Bytes of a request's head.
    pub(crate) head_bytes: usize,
    /// Headers of a request.
    pub(crate) headers: usize,
}

/// Serves connections until the server is to stop, then waits for those that are busy, but not
/// longer than `grace`.
pub(crate) async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    limits: ConnectionLimits,
    grace: Duration,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(limits.headers)
        .max_header_size(limits.head_bytes);
    let http = Arc::new(http);
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut stopped = pin!(app.stopped());
    loop {
        let next = async {
            // The semaphore is never closed.
            let place = places.clone().acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let (place, accepted) = tokio::select! {
            next = next => match next {
                Some(next) => next,
                None => break,
            },
            () = &mut stopped => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                // Out of file descriptors, most likely: some will be freed.
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (app, http) = (app.clone(), http.clone());
        tokio::spawn(async move {
            serve_one(app, &http, stream, peer, limits.write).await;
            drop(place);
        });
    }
    drop(listener);
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    if timeout(grace, places.acquire_many(all)).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
}

async fn serve_one(
    app: Arc<App>,
    http: &http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    write: Duration,
) {
    // Small answers leave at once; where that cannot be set they leave a little later.
    let _ = stream.set_nodelay(true);
    let stopped = app.stopped();
    let service = service_fn(move |request| {
        let answer = router::answer(app.clone(), request, peer.ip());
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let io = TokioIo::new(Patient::new(stream, write));
    let mut connection = http.serve_connection(io, service);
    let result = tokio::select! {
        result = &mut connection => result,
        () = stopped => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let parts = connection.into_parts();
    let stream = parts.io.into_inner().stream;
    let is_late = result.as_ref().is_err_and(hyper::Error::is_timeout);
    if let Err(error) = result {
        tracing::debug!(client = %peer, %error, "a connection ended early");
    }
    // An idle connection is closed without a word, a slow request is answered.
    linger(stream, (is_late && !parts.read_buf.is_empty()).then_some(TOO_SLOW)).await;
}

const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\n\
    content-type: application/json\r\ncontent-length: 47\r\nconnection: close\r\n\r\n\
    {\"error\":\"the request did not arrive in time\"}\n";

/// Closes a connection so that the client can still read the last answer: what it goes on
/// sending is read and dropped for a moment, where closing at once would reset the connection.
async fn linger(mut stream: TcpStream, last_words: Option<&[u8]>) {
    let end = async {
        if let Some(words) = last_words {
            stream.write_all(words).await?;
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

const LINGER: Duration = Duration::from_secs(1);
const LINGER_READS: usize = 512;

/// A stream whose other end must take something now and then, or the connection ends.
struct Patient {
    stream: TcpStream,
    patience: Duration,
    /// Armed only while the other end is waited for.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn new(stream: TcpStream, patience: Duration) -> Self {
        Self { stream, patience, timer: None }
    }

    /// Ends the patience when it is over, and starts it anew when something went out.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.timer = None;
            return written;
        }
        let patience = self.patience;
        let timer =
            self.timer.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + patience)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, buffers);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

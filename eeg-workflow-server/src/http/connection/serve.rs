//! The loop that takes connections in, and the life of each.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::activity::WatchedBody;
use super::last_words::{self, LastWords};
use super::registry::{Connections, Place};
use super::stream::ClientStream;
use crate::http::network::Network;
use crate::http::router::{self, ListenerKind};
use crate::http::state::App;

/// Connections that wait for a place when all are taken and none is idle: one for this number of
/// places, and at least a few; and for how long.
const PLACES_PER_WAITING: usize = 8;
const MIN_WAITING: usize = 8;
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause after a connection that could not be accepted.
const PAUSE: Duration = Duration::from_millis(10);

/// The least time between two lines in the log about that.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(5);

/// How connections are served.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionLimits {
    /// Connections at once.
    pub(crate) connections: usize,
    /// Connections of one network at once.
    pub(crate) per_network: usize,
    /// For the whole head of a request, and how long a kept connection may be idle.
    pub(crate) head: Duration,
    /// How long a client may take nothing of an answer.
    pub(crate) write: Duration,
    /// Bytes of a request's head.
    pub(crate) head_bytes: usize,
    /// Headers of a request.
    pub(crate) headers: usize,
    /// How long requests may go on when the server stops.
    pub(crate) grace: Duration,
}

/// What all connections of a listener share.
struct Server {
    app: Arc<App>,
    kind: ListenerKind,
    http: http1::Builder,
    connections: Arc<Connections>,
    waiting: Arc<Semaphore>,
    limits: ConnectionLimits,
}

/// Serves connections until the server is to stop, then waits for those that are busy, but not
/// longer than the time that they have.
///
/// Connections are always taken in at once, so that whoever comes next is not kept waiting by
/// those who came before and say nothing.
pub(crate) async fn serve(
    app: Arc<App>,
    kind: ListenerKind,
    listener: TcpListener,
    limits: ConnectionLimits,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(limits.headers)
        .max_header_size(limits.head_bytes);
    let connections = Connections::new(limits.connections, limits.per_network);
    let mut stopped = pin!(app.stopped());
    let waiting =
        Arc::new(Semaphore::new((limits.connections / PLACES_PER_WAITING).max(MIN_WAITING)));
    let server = Arc::new(Server { app, kind, http, connections, waiting, limits });
    let mut last_warning: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopped => break,
        };
        match accepted {
            Ok((stream, peer)) => server.take_in(stream, peer),
            Err(error) => {
                // Out of file descriptors, most likely: a connection that says nothing gives one.
                let gave_way = server.connections.evict_one();
                if last_warning.is_none_or(|last| last.elapsed() > BETWEEN_WARNINGS) {
                    last_warning = Some(Instant::now());
                    tracing::warn!(%error, gave_way, "a connection could not be accepted");
                }
                sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    if timeout(limits.grace, server.connections.all_ended()).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
}

impl Server {
    /// Serves a connection in a task of its own, as soon as there is a place.
    fn take_in(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let (server, network) = (Arc::clone(self), Network::of(peer.ip()));
        if let Some(place) = self.connections.admit(network) {
            tokio::spawn(async move { server.serve_one(stream, peer, place).await });
            return;
        }
        let Ok(waiting) = Arc::clone(&self.waiting).try_acquire_owned() else {
            tracing::debug!(client = %peer, "there are too many connections");
            LastWords::busy().say_at_once(&stream);
            return;
        };
        tokio::spawn(async move {
            match server.wait_for_place(network, waiting).await {
                Some(place) => server.serve_one(stream, peer, place).await,
                None => last_words::close(stream, Some(LastWords::busy())).await,
            }
        });
    }

    async fn wait_for_place(
        &self,
        network: Network,
        _waiting: OwnedSemaphorePermit,
    ) -> Option<Place> {
        let place = async {
            loop {
                let mut changed = pin!(self.connections.changed());
                changed.as_mut().enable();
                if let Some(place) = self.connections.admit(network) {
                    return place;
                }
                // One may have become idle meanwhile, of which nobody is told.
                let _ = timeout(Duration::from_millis(200), changed).await;
            }
        };
        timeout(PATIENCE, place).await.ok()
    }

    async fn serve_one(&self, stream: TcpStream, peer: SocketAddr, place: Place) {
        // Small answers leave at once; where that cannot be set they leave a little later.
        let _ = stream.set_nodelay(true);
        let activity = &place.activity;
        let must_close = async {
            tokio::select! {
                () = place.close.notified() => {}
                () = self.app.stopped() => {}
            }
        };
        let service = service_fn(|request| {
            activity.begin();
            let answer = router::answer(self.app.clone(), self.kind, request, peer.ip());
            let activity = Arc::clone(activity);
            async move {
                let answer = answer.await;
                Ok::<_, Infallible>(answer.map(|body| WatchedBody::new(body, activity)))
            }
        });
        let stream = ClientStream::new(stream, Arc::clone(activity), self.limits.write);
        let mut connection = self.http.serve_connection(TokioIo::new(stream), service);
        let result = tokio::select! {
            result = &mut connection => result,
            () = must_close => {
                // Whoever has not asked for anything yet may do so elsewhere, or later.
                if activity.is_idle() {
                    tracing::debug!(client = %peer, "an idle connection was closed");
                    return;
                }
                Pin::new(&mut connection).graceful_shutdown();
                (&mut connection).await
            }
        };
        let parts = connection.into_parts();
        let stream = parts.io.into_inner().into_inner();
        let mut words = None;
        if let Err(error) = result {
            tracing::debug!(client = %peer, %error, "a connection ended early");
            // An idle connection is closed without a word.
            let has_begun = !parts.read_buf.is_empty();
            words = LastWords::to_head(&error, has_begun).filter(|_| activity.is_idle());
        }
        last_words::close(stream, words).await;
    }
}

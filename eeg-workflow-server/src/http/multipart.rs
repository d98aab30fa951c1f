//! Multipart bodies, part after part, of which little is held in memory at once.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use multer::{Constraints, Field, Multipart, SizeLimit};

use crate::http::frames::{BodyError, Frames};
use crate::http::rejection::Rejection;

/// Bytes that the parser may hold of a body, beyond the contents of parts that were taken.
const MAX_AHEAD: u64 = 1 << 20;
/// How often the parser may ask for more while it holds that, before it is clear that what it
/// holds is no content of a part.
const PATIENCE: u32 = 64;

/// The parts of a multipart body.
pub(crate) struct Parts {
    multipart: Multipart<'static>,
    taken: Arc<Taken>,
}

/// One part.
pub(crate) struct PartReader {
    field: Field<'static>,
    taken: Arc<Taken>,
}

/// The bytes of contents that were taken from the parser, and how often.
#[derive(Default)]
struct Taken {
    bytes: AtomicU64,
    times: AtomicU64,
}

impl Parts {
    /// The parts of this body, whose content type is a multipart form's.
    pub(crate) fn new(frames: Frames, content_type: &str) -> Result<Self, Rejection> {
        let boundary = multer::parse_boundary(content_type)
            .map_err(|error| Rejection::BadBody(format!("the multipart body: {error}")))?;
        let limit = frames.limit();
        let sizes = SizeLimit::new().whole_stream(limit).per_field(limit);
        let constraints = Constraints::new().size_limit(sizes);
        let taken = Arc::new(Taken::default());
        let body = Paced { frames, taken: Arc::clone(&taken), given: 0, asked: (0, 0) };
        Ok(Self { multipart: Multipart::with_constraints(body, boundary, constraints), taken })
    }

    /// The next part, or none after the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<PartReader>, Rejection> {
        let field = self.multipart.next_field().await?;
        Ok(field.map(|field| PartReader { field, taken: Arc::clone(&self.taken) }))
    }
}

impl PartReader {
    pub(crate) fn name(&self) -> Option<&str> {
        self.field.name()
    }

    pub(crate) fn file_name(&self) -> Option<&str> {
        self.field.file_name()
    }

    /// The next bytes of its content, or none at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Rejection> {
        let chunk = self.field.chunk().await?;
        if let Some(chunk) = &chunk {
            self.taken.bytes.fetch_add(chunk.len() as u64, SeqCst);
        }
        self.taken.times.fetch_add(1, SeqCst);
        Ok(chunk)
    }
}

/// A body that the parser gets no faster than the contents of parts are taken from it. The parser
/// itself would hold whatever comes: all that is before the first part, and all of a part's head.
struct Paced {
    frames: Frames,
    taken: Arc<Taken>,
    given: u64,
    /// How often contents had been taken when the parser was told to wait, and how often it has
    /// asked since.
    asked: (u64, u32),
}

impl Stream for Paced {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.given.saturating_sub(this.taken.bytes.load(SeqCst)) > MAX_AHEAD {
            let times = this.taken.times.load(SeqCst);
            this.asked = if this.asked.0 == times { (times, this.asked.1 + 1) } else { (times, 0) };
            if this.asked.1 > PATIENCE {
                return Poll::Ready(Some(Err(BodyError::NotInParts(MAX_AHEAD))));
            }
            // It looks at what it holds, and asks again.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = Pin::new(&mut this.frames).poll_next(cx);
        if let Poll::Ready(Some(Ok(bytes))) = &next {
            this.given += bytes.len() as u64;
        }
        next
    }
}

impl From<multer::Error> for Rejection {
    fn from(error: multer::Error) -> Self {
        match error {
            multer::Error::FieldSizeExceeded { limit, field_name } => Self::TooLarge {
                what: format!("the field \"{}\"", field_name.unwrap_or_default()),
                limit,
            },
            multer::Error::StreamSizeExceeded { limit } => {
                Self::TooLarge { what: "the body".into(), limit }
            }
            multer::Error::StreamReadFailed(cause) => match cause.downcast::<BodyError>() {
                Ok(error) => (*error).into(),
                Err(_) => Self::BodyCutOff,
            },
            other => Self::BadBody(format!("the multipart body is malformed: {other}")),
        }
    }
}

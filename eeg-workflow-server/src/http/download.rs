//! Files on their way out: type, caching, ranges, and a body that is read as it is sent.

use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
    IF_RANGE, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncSeekExt, ReadBuf};

use crate::http::rejection::Rejection;
use crate::http::request::Call;
use crate::http::response::{self, Body, ChunkSource, Response};

const CHUNK: usize = 64 * 1024;

/// How an answer may be cached.
#[derive(Clone, Copy)]
pub(crate) enum Caching {
    /// The file of this name never changes.
    Fixed,
    /// Ask each time whether it changed.
    Checked,
}

/// Answers with a file: all of it, the range that was asked for, or that it has not changed.
pub(crate) async fn send(
    call: &Call,
    path: &Path,
    caching: Caching,
) -> Result<Response, Rejection> {
    // A link that has taken the place of a file since it was found leads nowhere.
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let opened = File::options().read(true).custom_flags(flags).open(path).await;
    let mut file = opened.map_err(|error| {
        let is_link = error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
        match error.kind() {
            io::ErrorKind::NotFound => Rejection::NoSuchFile,
            _ if is_link => Rejection::NoSuchFile,
            _ => Rejection::unavailable(error),
        }
    })?;
    let metadata = file.metadata().await.map_err(Rejection::unavailable)?;
    if !metadata.is_file() {
        return Err(Rejection::NoSuchFile);
    }
    let size = metadata.len();
    let etag = etag(&metadata);
    let headers = &call.head.headers;
    if is_known(headers, &etag) {
        let mut response = response::empty(StatusCode::NOT_MODIFIED);
        describe(&mut response, path, &etag, caching);
        response.headers_mut().remove(CONTENT_TYPE);
        return Ok(response);
    }
    let range = wanted_range(headers, &etag, size)?;
    let (status, start, length) = match range {
        Some((start, end)) => (StatusCode::PARTIAL_CONTENT, start, end - start + 1),
        None => (StatusCode::OK, 0, size),
    };
    let body = if call.head.method == Method::HEAD {
        Body::Full(None)
    } else {
        if start > 0 {
            file.seek(io::SeekFrom::Start(start)).await.map_err(Rejection::unavailable)?;
        }
        Body::streamed(FileBody { file, remaining: length, buffer: BytesMut::new() })
    };
    let mut response = hyper::Response::new(body);
    *response.status_mut() = status;
    describe(&mut response, path, &etag, caching);
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, length.into());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if range.is_some() {
        let end = start + length - 1;
        insert(headers, CONTENT_RANGE, &format!("bytes {start}-{end}/{size}"));
    }
    Ok(response)
}

/// A body that is read from a file as it is sent.
struct FileBody {
    file: File,
    remaining: u64,
    buffer: BytesMut,
}

impl ChunkSource for FileBody {
    fn remaining(&self) -> Option<u64> {
        Some(self.remaining)
    }

    fn poll_chunk(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        let this = &mut *self;
        if this.remaining == 0 {
            return Poll::Ready(None);
        }
        let size = usize::try_from(this.remaining).map_or(CHUNK, |left| left.min(CHUNK));
        this.buffer.resize(size, 0);
        let mut buffer = ReadBuf::new(&mut this.buffer);
        if let Err(error) = ready!(Pin::new(&mut this.file).poll_read(cx, &mut buffer)) {
            return Poll::Ready(Some(Err(error)));
        }
        let read = buffer.filled().len();
        if read == 0 {
            // The file became shorter: the client must not take what it has for the whole.
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        this.remaining -= read as u64;
        Poll::Ready(Some(Ok(this.buffer.split_to(read).freeze())))
    }
}

/// Changes whenever the file does.
fn etag(metadata: &Metadata) -> String {
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let nanos = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("\"{:x}-{nanos:x}\"", metadata.len())
}

fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|known| {
        let known = known.trim();
        known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag
    })
}

/// The first and the last byte that are wanted, if it is not all of them. Several ranges at
/// once, and units other than bytes, are answered with the whole file, as the standard allows.
fn wanted_range(
    headers: &HeaderMap,
    etag: &str,
    size: u64,
) -> Result<Option<(u64, u64)>, Rejection> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let Some(ranges) = text(RANGE).and_then(|range| range.trim().strip_prefix("bytes=")) else {
        return Ok(None);
    };
    if text(IF_RANGE).is_some_and(|known| known.trim() != etag) {
        return Ok(None);
    }
    let Some((first, last)) = ranges.trim().split_once('-') else { return Ok(None) };
    let (first, last) = (first.trim(), last.trim());
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.min(size.saturating_sub(1))),
        (Ok(first), Err(_)) if last.is_empty() => (first, size.saturating_sub(1)),
        (Err(_), Ok(count)) if first.is_empty() => {
            if count == 0 {
                return Err(Rejection::RangeNotSatisfiable(size));
            }
            (size.saturating_sub(count), size.saturating_sub(1))
        }
        _ => return Ok(None),
    };
    if range.0 >= size {
        return Err(Rejection::RangeNotSatisfiable(size));
    }
    Ok(Some(range))
}

/// The headers that tell what the file is. Only pictures are shown by a browser; anything
/// else, which may hold a script, is saved.
fn describe(response: &mut Response, path: &Path, etag: &str, caching: Caching) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let content_type = content_type(&name);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    let disposition = if content_type.starts_with("image/") { "inline" } else { "attachment" };
    let encoded = utf8_percent_encode(&name, NON_ALPHANUMERIC);
    insert(headers, CONTENT_DISPOSITION, &format!("{disposition}; filename*=UTF-8''{encoded}"));
    insert(headers, ETAG, etag);
    let caching = match caching {
        Caching::Fixed => "private, max-age=86400, immutable",
        Caching::Checked => "private, no-cache",
    };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn content_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some("csv") => "text/csv; charset=utf-8",
        Some("txt" | "log") => "text/plain; charset=utf-8",
        Some("pdf") => "application/pdf",
        Some("zip") => "application/zip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(value: &'static str, size: u64) -> Result<Option<(u64, u64)>, ()> {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static(value));
        wanted_range(&headers, "\"x\"", size).map_err(|_| ())
    }

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        assert_eq!(range("bytes=0-9", 100), Ok(Some((0, 9))));
        assert_eq!(range("bytes=90-", 100), Ok(Some((90, 99))));
        assert_eq!(range("bytes=-10", 100), Ok(Some((90, 99))));
        assert_eq!(range("bytes=-1000", 100), Ok(Some((0, 99))));
        assert_eq!(range("bytes=5-1000", 100), Ok(Some((5, 99))));
        assert_eq!(range("bytes=100-", 100), Err(()));
        assert_eq!(range("bytes=-0", 100), Err(()));
        assert_eq!(range("bytes=0-", 0), Err(()));
        for whole in ["bytes=9-5", "bytes=0-1,5-6", "lines=1-2", "bytes=x-y", "bytes="] {
            assert_eq!(range(whole, 100), Ok(None), "{whole}");
        }
    }
}

//! Why a request is refused: one name a reason, with its status and its answer.

use std::error::Error;
use std::time::Duration;

use eeg_workflow_core::workflow::{Diagnostic, InvalidWorkflow};
use hyper::StatusCode;
use hyper::header::{ALLOW, CONNECTION, CONTENT_RANGE, HeaderName, HeaderValue, RETRY_AFTER};
use serde::Serialize;

use crate::http::response::{self, Response};
use crate::text::{bounded, with_causes};

/// Bytes of a reason in an answer, whatever it echoes.
const MAX_REASON: usize = 8 * 1024;

/// A refused request. Its display is the answer's `error`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Rejection {
    #[error("Authentication token is not available, please login to get one")]
    NoToken,
    #[error("Invalid token, please try again with a new token")]
    InvalidToken,
    #[error("token expired, please login again")]
    ExpiredToken,
    #[error("user does not exist, invalid token")]
    UserGone,
    #[error("Error with your e-mail/password combination")]
    WrongCredentials,
    #[error("Incorrect Password")]
    WrongPassword,
    /// Spelt as clients know it.
    #[error("user exsists")]
    UserExists,
    #[error("this account is disabled")]
    AccountDisabled,
    #[error("only administrators may do this")]
    NotAdmin,
    #[error("registration is closed")]
    RegistrationClosed,
    #[error("registration needs an invitation: ask whoever runs the server for one")]
    InvitationNeeded,
    #[error("the invitation has been used, has expired, or is for another e-mail address")]
    InvitationRefused,
    #[error("the administrator's token is wrong or has been used")]
    AdminTokenRefused,
    #[error("too many attempts, try again in {} s", seconds(*.0))]
    TooManyAttempts(Duration),
    #[error("the server is busy, try again in {} s", seconds(*.0))]
    Busy(Duration),
    #[error("requests that change something are not taken from the page of another site")]
    ForeignOrigin,
    #[error(
        "this server is not known by the name \"{0}\"; whoever runs it can allow the name with \
         --origin or --allowed-host"
    )]
    UnknownHost(String),

    #[error("a request must name its host exactly once, in the header \"Host\"")]
    BadHost,
    #[error("the only transfer coding known here is \"chunked\"")]
    UnknownCoding,
    #[error("there is nothing at this address")]
    NoSuchPath,
    #[error("the method {method} is not allowed here")]
    MethodNotAllowed { method: String, allow: String },
    #[error("there is no such user")]
    NoSuchUser,
    #[error("there is no such session")]
    NoSuchSession,
    #[error("there is no such job")]
    NoSuchJob,
    #[error("there is no such file")]
    NoSuchFile,
    #[error("there is no module archive \"{0}\" of yours")]
    NoSuchModule(String),

    #[error("the field \"{0}\" is missing")]
    MissingField(&'static str),
    #[error("the field \"{field}\" {problem}")]
    BadField { field: &'static str, problem: String },
    #[error("the query parameter \"{name}\" {problem}")]
    BadQuery { name: &'static str, problem: &'static str },
    #[error("{0}")]
    BadBody(String),
    #[error("the client closed the connection before the body was complete")]
    BodyCutOff,
    #[error("the file name {0}")]
    BadFileName(&'static str),
    #[error("a body of type \"{0}\" is not taken here")]
    UnsupportedMediaType(String),
    #[error("{what} is larger than the limit of {limit} bytes")]
    TooLarge { what: String, limit: u64 },
    #[error("the files would take more than your quota of {0} bytes")]
    OverQuota(u64),
    #[error("you would have more than {0} files: delete some of them")]
    TooManyFiles(u64),
    #[error("whoever runs the server does not let you change the files of all users")]
    SharedNotAllowed,
    #[error("{0}")]
    Conflict(String),
    #[error("the request did not arrive in time")]
    TooSlow,
    #[error("the range is outside the file of {0} bytes")]
    RangeNotSatisfiable(u64),

    #[error("{0}")]
    InvalidWorkflow(InvalidWorkflow),
    #[error("{0}")]
    ModuleExists(String),
    #[error("{0}")]
    BadArchive(String),
    /// The code of a module cannot be loaded.
    #[error("{error}")]
    BadCode { error: String, details: String },
    /// Whoever runs the server does not let this user upload code, or nobody.
    #[error("{0}")]
    CodeNotAllowed(String),
    /// Modules that are code cannot be loaded, for a reason that is the server's and no secret.
    #[error("Python modules cannot be loaded here: {0}")]
    NoPython(String),

    #[error("you have {0} unfinished jobs: wait until some of them have ended")]
    TooManyJobs(usize),
    #[error("you have {0} event streams open: close some of them")]
    TooManyStreams(usize),
    #[error("your requests in progress hold too much memory: wait until some of them are answered")]
    TooMuchMemory,
    #[error("you have {0} requests in progress: wait until some of them are answered")]
    TooManyRequests(usize),
    #[error("the server is shutting down")]
    ShuttingDown,
    /// Something that the server depends on is not in order.
    #[error("the server is not well: {0}")]
    Unhealthy(String),
    /// Something of the server's own failed; the cause is logged, not told.
    #[error("the server cannot do this at the moment")]
    Unavailable(String),
}

impl Rejection {
    /// A failure of the server's own store or disk.
    pub(crate) fn unavailable(cause: impl Error) -> Self {
        Self::Unavailable(with_causes(&cause))
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NoToken
            | Self::WrongCredentials
            | Self::WrongPassword
            | Self::UserExists
            | Self::AccountDisabled
            | Self::NotAdmin
            | Self::RegistrationClosed
            | Self::InvitationNeeded
            | Self::InvitationRefused
            | Self::AdminTokenRefused
            | Self::ForeignOrigin
            | Self::UnknownHost(_)
            | Self::CodeNotAllowed(_)
            | Self::SharedNotAllowed
            | Self::ModuleExists(_) => StatusCode::FORBIDDEN,
            Self::InvalidToken
            | Self::ExpiredToken
            | Self::BadHost
            | Self::MissingField(_)
            | Self::BadField { .. }
            | Self::BadQuery { .. }
            | Self::BadBody(_)
            | Self::BodyCutOff
            | Self::BadFileName(_)
            | Self::InvalidWorkflow(_)
            | Self::BadArchive(_)
            | Self::BadCode { .. } => StatusCode::BAD_REQUEST,
            Self::UserGone
            | Self::NoSuchPath
            | Self::NoSuchUser
            | Self::NoSuchSession
            | Self::NoSuchJob
            | Self::NoSuchFile
            | Self::NoSuchModule(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnknownCoding => StatusCode::NOT_IMPLEMENTED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge { .. } | Self::OverQuota(_) | Self::TooManyFiles(_) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RangeNotSatisfiable(_) => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::TooManyAttempts(_)
            | Self::TooManyJobs(_)
            | Self::TooManyStreams(_)
            | Self::TooManyRequests(_)
            | Self::TooMuchMemory
            | Self::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::ShuttingDown | Self::NoPython(_) | Self::Unhealthy(_) | Self::Unavailable(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// The answer: `{"error": …}`, with what else clients of this reason expect.
    pub(crate) fn into_response(self) -> Response {
        let error = self.to_string();
        let error = bounded(&error, MAX_REASON);
        let body = Refused {
            // Clients of the first system read this key here.
            message: matches!(self, Self::InvalidToken | Self::ExpiredToken).then_some(&*error),
            error: &error,
            diagnostics: match &self {
                Self::InvalidWorkflow(invalid) => Some(invalid.diagnostics.as_slice()),
                _ => None,
            },
            details: match &self {
                Self::BadCode { details, .. } if !details.is_empty() => Some(details),
                _ => None,
            },
        };
        let mut response = response::json(self.status(), &body);
        if let Some((name, value)) = self.header()
            && let Ok(value) = HeaderValue::try_from(value)
        {
            response.headers_mut().insert(name, value);
        }
        response
    }

    fn header(&self) -> Option<(HeaderName, String)> {
        match self {
            Self::MethodNotAllowed { allow, .. } => Some((ALLOW, allow.clone())),
            Self::TooManyAttempts(wait) | Self::Busy(wait) => {
                Some((RETRY_AFTER, seconds(*wait).to_string()))
            }
            // What follows on the connection may be the rest of such a request.
            Self::BadHost | Self::UnknownCoding => Some((CONNECTION, "close".into())),
            Self::RangeNotSatisfiable(size) => Some((CONTENT_RANGE, format!("bytes */{size}"))),
            _ => None,
        }
    }
}

/// The answer to a refused request.
#[derive(Serialize)]
struct Refused<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnostics: Option<&'a [Diagnostic]>,
    /// A traceback, or what was printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a str>,
}

/// Whole seconds, rounded up: what to wait at least.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

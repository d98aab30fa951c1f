//! Where a job stands.

/// Where a job stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobStatus {
    /// Accepted; nothing of it runs yet.
    #[default]
    Queued,
    /// It runs.
    Running,
    /// Every block has finished.
    Completed,
    /// A block, or the job itself, has failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl JobStatus {
    /// Whether it has ended, in whichever way.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// The status as clients of the wire format know it: a queued job is RUNNING too.
    pub fn wire(self) -> &'static str {
        match self {
            Self::Queued | Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The status in one lowercase word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

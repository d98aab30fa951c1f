//! The environment variables of a worker.

use std::ffi::OsString;
use std::path::Path;

/// All that a worker sees of environment variables.
pub(crate) fn variables(program: &Path, scratch: &Path) -> Vec<(OsString, OsString)> {
    let mut path = OsString::new();
    if let Some(folder) = program.parent() {
        path.push(folder);
        path.push(":");
    }
    path.push("/usr/local/bin:/usr/bin:/bin");
    let cache = scratch.join(".cache");
    let mut variables: Vec<(OsString, OsString)> = vec![("PATH".into(), path)];
    for (name, value) in [
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("USER", "worker"),
        ("LOGNAME", "worker"),
        ("MPLBACKEND", "Agg"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("MNE_DONTWRITE_HOME", "true"),
    ] {
        variables.push((name.into(), value.into()));
    }
    for name in ["HOME", "TMPDIR"] {
        variables.push((name.into(), scratch.into()));
    }
    for name in ["MPLCONFIGDIR", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"] {
        variables.push((name.into(), cache.clone().into()));
    }
    variables
}

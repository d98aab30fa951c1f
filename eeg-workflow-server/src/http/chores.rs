//! Does what is left to do after a user was disabled or deleted, by an administrator or by the
//! command `users`: ends jobs, and removes what belonged to the user.

use std::sync::Arc;
use std::time::Duration;

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::module::Owner;
use tokio::time::{Instant, sleep};

use crate::account_store::Chore;
use crate::http::rejection::Rejection;
use crate::http::state::{App, blocking};
use crate::http::user_files::Space;

/// How often it is looked for chores that the command line has asked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often expired tokens and invitations are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(3600);

/// Does chores until the server is to stop.
pub(crate) async fn run(app: Arc<App>) {
    let mut forgotten = Instant::now();
    loop {
        tokio::select! {
            () = app.chores.notified() => {}
            () = sleep(LOOK_EVERY) => {}
            () = app.stopped() => return,
        }
        if let Err(rejection) = blocking(&app, do_all).await {
            tracing::error!(?rejection, "it cannot be told what is left to do for users");
        }
        if forgotten.elapsed() >= FORGET_EVERY {
            forgotten = Instant::now();
            if let Err(rejection) = app.accounts.with_store(|store| store.forget_expired()).await {
                tracing::warn!(?rejection, "expired tokens are not forgotten");
            }
        }
    }
}

fn do_all(app: &App) -> Result<(), Rejection> {
    let store = app.accounts.store();
    for (user, chore) in store.chores().map_err(Rejection::unavailable)? {
        let result = match chore {
            Chore::EndJobs => end_jobs(app, user),
            Chore::RemoveAll => remove_all(app, user),
        };
        match result {
            Ok(false) => {}
            Ok(true) => {
                store.chore_is_done(user, chore).map_err(Rejection::unavailable)?;
                tracing::info!(%user, ?chore, "done for a user");
            }
            // It is tried again, and others are not kept waiting.
            Err(rejection) => tracing::error!(%user, ?chore, ?rejection, "not done for a user"),
        }
    }
    Ok(())
}

/// Cancels the user's jobs; says whether all of them have ended.
fn end_jobs(app: &App, user: OwnerId) -> Result<bool, Rejection> {
    let unfinished = app.jobs.unfinished();
    let ids: Vec<_> = unfinished.iter().filter(|(owner, _)| *owner == user).collect();
    for (_, job) in &ids {
        app.jobs.cancel(user, job.id).map_err(Rejection::unavailable)?;
    }
    Ok(ids.is_empty())
}

/// Removes the user's jobs, files and modules; says whether nothing is left.
fn remove_all(app: &App, user: OwnerId) -> Result<bool, Rejection> {
    let have_ended = end_jobs(app, user)?;
    app.jobs.delete_finished(user).map_err(Rejection::unavailable)?;
    let owner = Owner { id: user, email: String::new() };
    let view = app.library.view(user);
    let own = view.modules().filter(|module| module.owner_id == Some(user));
    let mut archives: Vec<_> = own.filter_map(|module| module.archive.clone()).collect();
    archives.dedup();
    for archive in archives {
        // It may be gone already.
        if let Err(error) = app.library.remove(&owner, &archive) {
            tracing::warn!(%user, %archive, %error, "a module archive of a deleted user stays");
        }
    }
    app.files.remove_all(Space::User(user)).map_err(Rejection::unavailable)?;
    Ok(have_ended)
}

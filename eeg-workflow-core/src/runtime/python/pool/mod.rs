//! The workers: who has one, who may have one, and when one is ended.

pub(crate) mod lease;

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use foldhash::HashMap;

use crate::block::{OwnerId, Stop};
use crate::runtime::python::PythonError;
use crate::runtime::python::code::Code;
use crate::runtime::python::files::StagedFolder;
use crate::runtime::python::pool::lease::{Lease, NoWorker};
use crate::runtime::python::settings::Settings;
use crate::runtime::python::worker::Worker;
use crate::runtime::python::worker::link::WorkerLink;
use crate::runtime::python::worker::waiter::{Limit, Waiter};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// How often whoever waits for a worker looks whether its run must stop.
const SLICE: Duration = Duration::from_millis(25);
/// How often idle workers are looked after.
const TICK: Duration = Duration::from_millis(500);

/// A block waits no longer than this for a worker that is busy before it gets a new one, as long
/// as there is a core for it.
const PATIENCE: Duration = Duration::from_millis(300);

/// Workers are shared only between blocks of one archive (and so of one interpreter) and one
/// owner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    digest: Arc<str>,
    owner: OwnerId,
}

impl Key {
    pub(crate) fn new(code: &Code, owner: OwnerId) -> Self {
        Self { digest: Arc::clone(&code.digest), owner }
    }
}

/// The workers of a runtime.
pub(crate) struct Pool {
    pub(crate) settings: Settings,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    last: u64,
    is_watched: bool,
    is_closed: bool,
    /// Of whose workers one more is to be started ahead.
    ahead: VecDeque<(Key, Arc<Code>)>,
    /// How long a worker of an archive took to start, last time.
    start_times: HashMap<Arc<str>, Duration>,
    /// The owners who wait for a place for a new worker, and how often each does.
    wishes: HashMap<OwnerId, usize>,
    /// When each owner got a worker last, counted in turns.
    turns: HashMap<OwnerId, u64>,
    last_turn: u64,
    /// Where all workers of an owner see the same folder of files.
    staged_folders: HashMap<OwnerId, Weak<StagedFolder>>,
}

/// Somebody who waits for a place for a new worker.
struct Wish {
    pool: Arc<Pool>,
    owner: OwnerId,
}

impl Drop for Wish {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        if let Some(count) = state.wishes.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                state.wishes.remove(&self.owner);
            }
        }
        drop(state);
        self.pool.changed.notify_all();
    }
}

struct Entry {
    id: u64,
    key: Key,
    link: Option<Arc<WorkerLink>>,
    /// The worker, unless somebody uses it or it is being started.
    idle: Option<(Worker, Instant)>,
}

impl Pool {
    pub(crate) fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self { settings, state: Mutex::default(), changed: Condvar::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The worker that holds a value, as soon as it is free.
    pub(crate) fn holder(
        self: &Arc<Self>,
        link: &WorkerLink,
        waiter: &dyn Waiter,
    ) -> Result<Lease, NoWorker> {
        let mut state = self.state();
        loop {
            if let Some(stop) = waiter.stop() {
                return Err(NoWorker::Stopped(stop));
            }
            let entry = state.entries.iter_mut().find(|entry| entry.id == link.id);
            let Some(entry) = entry else { return Err(NoWorker::Gone) };
            if let Some((mut worker, _)) = entry.idle.take() {
                drop(state);
                let is_well = worker.is_well();
                let lease = Lease::new(self, worker);
                return if is_well { Ok(lease) } else { Err(NoWorker::Gone) };
            }
            state = self.wait(state);
        }
    }

    /// Some worker: an idle one that holds as little as may be, otherwise a new one. Where there
    /// are some that are busy, it is not started before waiting for one of those has taken as long
    /// as it takes to start one: imports of large libraries cost seconds of a core. As long as
    /// there are fewer than cores, `PATIENCE` is enough.
    ///
    /// Where all places are taken, owners take turns: who has the fewest busy workers is next.
    pub(crate) fn any(
        self: &Arc<Self>,
        code: &Arc<Code>,
        owner: OwnerId,
        waiter: &dyn Waiter,
    ) -> Result<Lease, NoWorker> {
        self.any_of(code, owner, waiter, self.settings.max_workers)
    }

    /// As [`any`](Self::any), to look at an archive that is uploaded: there is one place more for
    /// it, so that it need not wait for blocks.
    pub(crate) fn for_inspection(
        self: &Arc<Self>,
        code: &Arc<Code>,
        owner: OwnerId,
        waiter: &dyn Waiter,
    ) -> Result<Lease, NoWorker> {
        self.any_of(code, owner, waiter, self.settings.max_workers + 1)
    }

    fn any_of(
        self: &Arc<Self>,
        code: &Arc<Code>,
        owner: OwnerId,
        waiter: &dyn Waiter,
        max_workers: usize,
    ) -> Result<Lease, NoWorker> {
        let key = Key::new(code, owner);
        let mut since = Instant::now();
        // Said once to those who wait, and taken back however this ends.
        let mut wish = None;
        let mut state = self.state();
        loop {
            if let Some(stop) = waiter.stop() {
                return Err(NoWorker::Stopped(stop));
            }
            let is_anothers_turn = state.is_anothers_turn(owner, max_workers);
            if !is_anothers_turn && let Some(mut worker) = state.take_idle(&key) {
                let same = state.entries.iter().filter(|entry| entry.key == key);
                let is_last = !same.clone().any(|entry| entry.idle.is_some());
                if is_last && same.count() < self.cores() {
                    state.ahead.push_back((key.clone(), Arc::clone(code)));
                }
                state.count_turn(owner);
                drop(state);
                if worker.is_well() {
                    return Ok(Lease::new(self, worker));
                }
                drop(Lease::new(self, worker));
                state = self.state();
                continue;
            }
            let same = state.entries.iter().filter(|entry| entry.key == key);
            let is_starting = same.clone().all(|entry| entry.link.is_none());
            let same = same.count();
            let patience = if same < self.cores() { PATIENCE } else { Duration::MAX };
            let may_start = same == 0
                || match state.start_times.get(&key.digest) {
                    Some(time) => since.elapsed() >= (*time).min(patience),
                    None if is_starting => {
                        // The first one is being started.
                        since = Instant::now();
                        false
                    }
                    // The archive was removed while it ran, and is there again.
                    None => since.elapsed() >= PATIENCE,
                };
            if may_start && wish.is_none() {
                *state.wishes.entry(owner).or_default() += 1;
                wish = Some(Wish { pool: Arc::clone(self), owner });
            }
            if may_start
                && !is_anothers_turn
                && let Some(gone) = state.make_room(max_workers)
            {
                let id = state.reserve(key.clone());
                state.count_turn(owner);
                drop(state);
                drop(wish);
                drop(gone);
                return self.start(code, owner, id, waiter);
            }
            state = self.wait(state);
        }
    }

    fn cores(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from).min(self.settings.max_workers)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, SLICE).0
    }

    /// Starts the worker for which a place was reserved.
    fn start(
        self: &Arc<Self>,
        code: &Arc<Code>,
        owner: OwnerId,
        id: u64,
        waiter: &dyn Waiter,
    ) -> Result<Lease, NoWorker> {
        let began = Instant::now();
        let start = Starting { waiter, limit: Limit::new(self.settings.start_timeout) };
        let started = self.staged_folder(owner).and_then(|staged_folder| {
            Worker::start(&self.settings, code, id, staged_folder, &start)
        });
        let mut state = self.state();
        match started {
            Ok(worker) => {
                if let Some(entry) = state.entries.iter_mut().find(|entry| entry.id == id) {
                    entry.link = Some(Arc::clone(&worker.link));
                }
                state.start_times.insert(Arc::clone(&code.digest), began.elapsed());
                self.look_after(&mut state);
                drop(state);
                Ok(Lease::new(self, worker))
            }
            Err(error) => {
                state.entries.retain(|entry| entry.id != id);
                drop(state);
                self.changed.notify_all();
                Err(waiter.stop().map_or(NoWorker::Failed(error), NoWorker::Stopped))
            }
        }
    }

    /// The folder of files that all workers of an owner share, where each cannot have its own at
    /// one and the same place.
    fn staged_folder(&self, owner: OwnerId) -> Result<Option<Arc<StagedFolder>>, PythonError> {
        let folder = self.settings.folder.join("files").join(owner.to_string());
        if self.settings.sandbox.files_path(&folder) != folder {
            return Ok(None);
        }
        let mut state = self.state();
        if let Some(staged_folder) = state.staged_folders.get(&owner).and_then(Weak::upgrade) {
            return Ok(Some(staged_folder));
        }
        let staged_folder = StagedFolder::new(folder.clone(), self.settings.sandbox.changes_user());
        let staged_folder = Arc::new(staged_folder.map_err(PythonError::storage(folder))?);
        state.staged_folders.insert(owner, Arc::downgrade(&staged_folder));
        Ok(Some(staged_folder))
    }

    /// Takes a worker back, or ends it if it is not to be used again.
    pub(crate) fn give_back(&self, worker: Worker) {
        let held = worker.link.held();
        #[expect(clippy::cast_precision_loss, reason = "seconds")]
        let is_used_up = worker.cpu > self.settings.limits.cpu_seconds as f64 / 2.0;
        let stays = !worker.is_ended() && (held > 0 || !(worker.is_tainted || is_used_up));
        if stays && held == 0 {
            worker.tidy();
        }
        let id = worker.link.id;
        let mut state = self.state();
        // The place of an inspection is for inspections only.
        let is_one_too_many = held == 0 && state.entries.len() > self.settings.max_workers;
        let stays = stays && !state.is_closed && !is_one_too_many;
        let mut gone = None;
        if stays {
            if let Some(entry) = state.entries.iter_mut().find(|entry| entry.id == id) {
                entry.idle = Some((worker, Instant::now()));
            }
        } else {
            state.entries.retain(|entry| entry.id != id);
            gone = Some(worker);
        }
        drop(state);
        self.changed.notify_all();
        drop(gone);
    }

    /// Ends the idle workers of an archive; busy ones end when they are free.
    pub(crate) fn forget(&self, digest: &str) {
        let mut state = self.state();
        let gone = state.remove_idle(|entry, _| &*entry.key.digest == digest);
        state.start_times.remove(digest);
        drop(state);
        drop(gone);
        self.changed.notify_all();
    }

    /// The number of workers, and of those that are busy.
    pub(crate) fn count(&self) -> (usize, usize) {
        let state = self.state();
        let busy = state.entries.iter().filter(|entry| entry.idle.is_none()).count();
        (state.entries.len(), busy)
    }

    /// Ends all idle workers, and the others as they become free.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        let gone = state.remove_idle(|_, _| true);
        drop(state);
        drop(gone);
        self.changed.notify_all();
    }

    /// Starts the thread that looks after idle workers, unless it is there.
    fn look_after(self: &Arc<Self>, state: &mut State) {
        if state.is_watched {
            return;
        }
        let pool = Arc::downgrade(self);
        let thread = std::thread::Builder::new().name("python-pool".to_owned());
        // Without it workers live longer; the next one that is started tries again.
        state.is_watched = thread.spawn(move || look_after(&pool)).is_ok();
    }

    /// Ends workers that nobody has needed for long, and starts those that will be needed; false
    /// when there is nothing to look after any more.
    fn tick(self: &Arc<Self>) -> bool {
        let mut state = self.state();
        let idle = self.settings.idle_timeout;
        let gone = state.remove_idle(|entry, (worker, since)| {
            let held = entry.link.as_ref().map_or(0, |link| link.held());
            held == 0 && (worker.is_tainted || since.elapsed() >= idle)
        });
        let ahead: Vec<_> = state.ahead.drain(..).collect();
        let mut starts = Vec::new();
        for (key, code) in ahead {
            let mut same = state.entries.iter().filter(|entry| entry.key == key);
            let wanted = !state.is_closed && !same.any(|entry| entry.idle.is_some());
            if wanted && state.entries.len() < self.settings.max_workers {
                let owner = key.owner;
                let id = state.reserve(key);
                starts.push((code, owner, id));
            }
        }
        let more = !state.entries.is_empty();
        state.is_watched = more;
        drop(state);
        drop(gone);
        for (code, owner, id) in starts {
            let nobody = Limit::new(self.settings.start_timeout);
            // If it cannot be started, whoever needs it will be told why.
            drop(self.start(&code, owner, id, &nobody));
        }
        more
    }
}

fn look_after(pool: &Weak<Pool>) {
    loop {
        std::thread::sleep(TICK);
        let Some(pool) = pool.upgrade() else { return };
        if !pool.tick() {
            return;
        }
    }
}

impl Entry {
    /// Whether it is idle and nobody misses it: it holds no values.
    fn is_spare(&self) -> bool {
        self.idle.is_some() && self.link.as_ref().is_none_or(|link| link.held() == 0)
    }
}

impl State {
    /// Takes the idle worker of this key that holds the least.
    fn take_idle(&mut self, key: &Key) -> Option<Worker> {
        let fits = |entry: &&mut Entry| {
            entry.key == *key && entry.idle.as_ref().is_some_and(|(worker, _)| !worker.is_tainted)
        };
        let held = |entry: &&mut Entry| entry.link.as_ref().map_or(0, |link| link.held());
        let entry = self.entries.iter_mut().filter(fits).min_by_key(held)?;
        entry.idle.take().map(|(worker, _)| worker)
    }

    /// Makes room for one more worker, if there is none: the idle worker that goes for it, if
    /// one must go. None while all are busy. Idle ones that hold values do not count.
    fn make_room(&mut self, most: usize) -> Option<Option<Worker>> {
        if self.has_room(most) {
            return Some(None);
        }
        let oldest = self.entries.iter().filter(|entry| entry.is_spare());
        let oldest = oldest.min_by_key(|entry| entry.idle.as_ref().map(|(_, since)| *since))?.id;
        let at = self.entries.iter().position(|entry| entry.id == oldest)?;
        Some(self.entries.remove(at).idle.map(|(worker, _)| worker))
    }

    fn has_room(&self, most: usize) -> bool {
        self.entries.iter().filter(|entry| entry.idle.is_none() || entry.is_spare()).count() < most
    }

    /// Whether somebody else is to get the next place: all places are taken, one could be made
    /// free, and another owner who waits for it has fewer busy workers, or as many and has waited
    /// longer.
    fn is_anothers_turn(&self, owner: OwnerId, most: usize) -> bool {
        if self.wishes.keys().all(|other| *other == owner)
            || self.has_room(most)
            || !self.entries.iter().any(Entry::is_spare)
        {
            return false;
        }
        let rank = |owner: OwnerId| {
            let is_busy = |entry: &&Entry| entry.key.owner == owner && entry.idle.is_none();
            let busy = self.entries.iter().filter(is_busy).count();
            (busy, self.turns.get(&owner).copied().unwrap_or_default())
        };
        let own = rank(owner);
        self.wishes.keys().any(|other| *other != owner && rank(*other) < own)
    }

    /// The owner gets a worker.
    fn count_turn(&mut self, owner: OwnerId) {
        self.last_turn += 1;
        self.turns.insert(owner, self.last_turn);
    }

    fn reserve(&mut self, key: Key) -> u64 {
        self.last += 1;
        self.entries.push(Entry { id: self.last, key, link: None, idle: None });
        self.last
    }

    fn remove_idle(&mut self, goes: impl Fn(&Entry, &(Worker, Instant)) -> bool) -> Vec<Worker> {
        let mut gone = Vec::new();
        self.entries.retain_mut(|entry| {
            let is_out = entry.idle.as_ref().is_some_and(|idle| goes(entry, idle));
            if is_out {
                gone.extend(entry.idle.take().map(|(worker, _)| worker));
            }
            !is_out
        });
        gone
    }
}

/// Somebody waits for a worker to start: as long as they may, and no longer than a start takes.
struct Starting<'a> {
    waiter: &'a dyn Waiter,
    limit: Limit,
}

impl Waiter for Starting<'_> {
    fn stop(&self) -> Option<Stop> {
        self.waiter.stop().or_else(|| self.limit.stop())
    }

    fn log(&self, line: &str) {
        self.waiter.log(line);
    }
}

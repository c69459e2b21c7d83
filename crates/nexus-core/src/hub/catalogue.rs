//! Which reactors there are: the rules of the folder and the webhooks of the database, each with its foreman.
//!
//! The folder is looked at every second, and a rule that changed is in force with the next event. A rule that can't be read any more
//! stays as it was, and what is wrong with it is shown.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use nexus_store::sql::reactors as rows;
use nexus_store::{StoreError, Tx};
use nexus_types::ErrorCode;
use nexus_types::hub::{HubEvent, Pattern};
use nexus_types::limits::ROWS_PER_JOB_MAX;
use serde::Serialize;
use tokio::sync::watch;

use super::Hub;
use super::rules::{self, Fingerprint, LoadedRules, Rule, RuleError};
use super::webhooks::reactor_name;
use crate::errors::Result;
use crate::reactors::{Reactor, WEBHOOK_PREFIX, Work, foreman};

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// All reactors, and what else there is to say of rules.
#[derive(Default)]
pub(super) struct Catalogue {
    state: RwLock<State>,
    /// Held by whoever makes a new list.
    alone: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// Those that get events, in the order of their names. Each has a foreman.
    active: Arc<[Arc<Reactor>]>,
    rules: LoadedRules,
    /// Rules whose files were not there at the last look, and that go on until the next.
    missing: HashSet<String>,
    fingerprint: Option<Fingerprint>,
}

/// Where a reactor comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Rules,
    Webhooks,
}

impl Family {
    fn of(name: &str) -> Self {
        if name.starts_with(WEBHOOK_PREFIX) {
            Self::Webhooks
        } else {
            Self::Rules
        }
    }

    /// Why one that ended does nothing more.
    fn reason(self) -> &'static str {
        match self {
            Self::Rules => {
                "The rule does not run any more: it was removed, switched off or can't be read. Let it run again, then replay this."
            }
            Self::Webhooks => "The webhook was switched off. Switch it on, then replay this.",
        }
    }
}

impl State {
    /// Takes over what was read. A rule that can't be read any more stays as it was, and so does one whose file was there until now: an
    /// editor may be writing it. Says whether there is nothing to look at again.
    fn take_over(&mut self, mut loaded: LoadedRules) -> bool {
        let before = std::mem::take(&mut self.rules);
        let missing_before = std::mem::take(&mut self.missing);
        let mut is_final = !loaded.is_unknown;
        for rule in before.rules {
            let name = rule.name();
            let is_named = |rules: &[Arc<Rule>]| rules.iter().any(|one| one.name() == name);
            if is_named(&loaded.rules) || is_named(&loaded.idle) || is_named(&loaded.off) {
                continue;
            }
            let file = format!("{name}.toml");
            let is_refused = loaded.refused.iter().any(|fault| fault.file == file);
            if !is_refused && !loaded.is_unknown {
                if missing_before.contains(name) {
                    continue;
                }
                self.missing.insert(name.to_owned());
                is_final = false;
            }
            loaded.rules.push(rule);
        }
        self.rules = loaded;
        is_final
    }
}

/// How it stands with a reactor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReactorState {
    /// It gets events.
    Active,
    /// A person paused it; its jobs wait.
    Paused,
    /// Something that it needs is not set.
    Idle,
    /// Its file can't be read. If it could be before, that version goes on.
    Refused,
    /// The other side is not there; it tries again soon.
    Resting,
    /// A person switched it off.
    Off,
}

/// # Shape
/// `{"state": "delivered"|"failed", "at": ms, "took_ms"}`
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the shape says it")]
pub struct LastRun {
    pub state: &'static str,
    pub at: i64,
    pub took_ms: f64,
}

/// A reactor as it is listed.
///
/// # Shape
/// `{"name", "kind": "rule"|"webhook", "description", "on": [pattern], "state", "reason": string|null, "file": string|null,
/// "line": int|null, "waiting", "dead", "rest_since": ms|null, "rest_until": ms|null,
/// "last": {..}|null}`
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the shape says it")]
pub struct ReactorInfo {
    pub name: String,
    pub kind: &'static str,
    pub description: String,
    pub on: Vec<Pattern>,
    pub state: ReactorState,
    pub reason: Option<String>,
    pub file: Option<String>,
    pub line: Option<usize>,
    pub waiting: i64,
    pub dead: i64,
    pub rest_since: Option<i64>,
    pub rest_until: Option<i64>,
    pub last: Option<LastRun>,
}

/// Looks at the folder, and hears of webhooks that were switched off, until told to stop.
pub(super) async fn watch(hub: Hub, mut stop: watch::Receiver<bool>) {
    loop {
        let webhooks = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(LOOK) => false,
            () = hub.0.webhooks_changed.notified() => true,
        };
        let done = if webhooks {
            hub.reload_webhooks().await
        } else {
            hub.reload_rules().await
        };
        if let Err(error) = done {
            tracing::warn!(error = &error as &dyn std::error::Error, "the reactors could not be loaded anew");
        }
    }
}

impl Hub {
    pub(super) async fn load_catalogue(&self) -> Result<()> {
        self.reload_rules().await?;
        self.reload_webhooks().await?;
        self.give_up_orphans().await
    }

    /// The reactors that get events.
    pub(crate) fn reactors_now(&self) -> Arc<[Arc<Reactor>]> {
        self.catalogue().active.clone()
    }

    /// Was this written by the hub's own bot?
    pub(super) fn is_own_message(&self, event: &HubEvent) -> bool {
        let bot = self.0.bot.load(Ordering::Acquire);
        bot != 0 && event.kind.is_platform() && event.payload.get().contains(&format!("\"author_id\":\"{bot}\""))
    }

    /// Reads the rules anew if a file changed.
    pub(super) async fn reload_rules(&self) -> Result<()> {
        let _alone = self.0.catalogue.alone.lock().await;
        let hub = self.clone();
        // Files may be on a slow disk.
        let read = tokio::task::spawn_blocking(move || hub.read_rules()).await;
        let Some((fingerprint, loaded)) = read.map_err(|cause| crate::Error::internal("read the rules", cause))? else {
            return Ok(());
        };
        for fault in &loaded.refused {
            tracing::warn!(file = %fault.file, line = fault.line, reason = %fault.reason, "a rule is refused: {fault}");
        }
        let wanted: Vec<_> = {
            let mut state = self.catalogue_mut();
            let is_final = state.take_over(loaded);
            // What may have been a moment of the file system is looked at once more.
            state.fingerprint = is_final.then_some(fingerprint);
            let works = state
                .rules
                .rules
                .iter()
                .map(|rule| (Arc::<str>::from(rule.name()), Work::Rule(rule.clone())));
            works.collect()
        };
        self.install(wanted, &Family::Rules).await
    }

    fn read_rules(&self) -> Option<(Fingerprint, LoadedRules)> {
        let folder = &self.0.settings.reactors_dir;
        let fingerprint = rules::fingerprint(folder);
        let known = self.catalogue().fingerprint;
        if known.as_ref() == Some(&fingerprint) {
            return None;
        }
        let loaded = rules::load(folder, self.types(), &|name| self.0.settings.environment.get(name).cloned());
        Some((fingerprint, loaded))
    }

    /// Reads the webhooks anew.
    pub(super) async fn reload_webhooks(&self) -> Result<()> {
        // From the reading to the end: of two that overlap, the later reading is the later list.
        let _alone = self.0.catalogue.alone.lock().await;
        let endpoints = self.endpoints().await?;
        let wanted: Vec<_> = endpoints
            .into_iter()
            .map(|endpoint| (Arc::<str>::from(reactor_name(endpoint.id)), Work::Webhook(Arc::new(endpoint))))
            .collect();
        self.install(wanted, &Family::Webhooks).await
    }

    /// Makes dead letters of what waits for a reactor that is not served any more.
    pub(super) async fn give_up(&self, reactor: &Reactor) -> Result<()> {
        let reason = Family::of(&reactor.name).reason();
        self.give_up_named(&reactor.name, reason).await.map(drop)
    }

    async fn give_up_named(&self, name: &Arc<str>, reason: &'static str) -> Result<()> {
        let now_ms = self.0.clock.now_ms();
        loop {
            let (rows_max, owned) = (ROWS_PER_JOB_MAX as i64, name.clone());
            let job = async move |tx: &mut Tx<'_>| rows::give_up(tx, &owned, reason, rows_max, now_ms).await;
            if self.0.db.write_background::<_, StoreError, _>(job).await? == 0 {
                return Ok(());
            }
        }
    }

    /// What waits for reactors that there are not has nobody to do it.
    pub(super) async fn give_up_orphans(&self) -> Result<()> {
        let waiting = self
            .0
            .db
            .read::<_, StoreError, _>(async |tx: &mut Tx<'_>| rows::with_waiting(tx).await)
            .await?;
        let is_unknown = self.catalogue().rules.is_unknown;
        for name in waiting {
            let name: Arc<str> = name.into();
            let family = Family::of(&name);
            if self.reactor(&name).is_none() && !(is_unknown && family == Family::Rules) {
                self.give_up_named(&name, family.reason()).await?;
            }
        }
        Ok(())
    }

    fn catalogue(&self) -> RwLockReadGuard<'_, State> {
        self.0.catalogue.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn catalogue_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.0.catalogue.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reactor of that name, if it gets events.
    fn reactor(&self, name: &str) -> Option<Arc<Reactor>> {
        self.catalogue().active.iter().find(|reactor| *reactor.name == *name).cloned()
    }

    /// Lets these be the active ones of a family. Those that were and are not any more end, and what waits for them is given up.
    async fn install(&self, wanted: Vec<(Arc<str>, Work)>, family: &Family) -> Result<()> {
        let mut active = vec![];
        for (name, work) in wanted {
            if let Some(reactor) = self.reactor(&name) {
                reactor.change(work);
                active.push(reactor);
                continue;
            }
            let owned = name.clone();
            let job = async move |tx: &mut Tx<'_>| {
                let paused = rows::paused(tx).await?.iter().any(|paused| **paused == *owned);
                Ok::<_, StoreError>((paused, rows::counts(tx, &owned).await?))
            };
            let (paused, counts) = self.0.db.read(job).await?;
            let reactor = Arc::new(Reactor::new(name, work, paused));
            reactor.waiting.store(counts.waiting, Ordering::Relaxed);
            reactor.dead.store(counts.dead, Ordering::Relaxed);
            self.spawn(foreman::run(self.clone(), reactor.clone(), self.stopped()));
            active.push(reactor);
        }
        let ended: Vec<_> = {
            let mut state = self.catalogue_mut();
            let (same_family, others): (Vec<_>, Vec<_>) = state
                .active
                .iter()
                .cloned()
                .partition(|reactor| Family::of(&reactor.name) == *family);
            let stays = |reactor: &Arc<Reactor>| active.iter().any(|one| one.name == reactor.name);
            let ended = same_family.into_iter().filter(|reactor| !stays(reactor)).collect();
            active.extend(others);
            active.sort_by(|one, other| one.name.cmp(&other.name));
            state.active = active.into();
            ended
        };
        for reactor in ended {
            // Before what waits is given up: whoever adds a job after that sees that it has to do the same.
            reactor.end();
            self.give_up(&reactor).await?;
        }
        Ok(())
    }

    /// All reactors, also those that can't run.
    pub fn reactors(&self) -> Vec<ReactorInfo> {
        let state = self.catalogue();
        let mut infos: Vec<_> = state.active.iter().map(|reactor| info(reactor, &state.rules)).collect();
        let is_known = |infos: &[ReactorInfo], name: &str| infos.iter().any(|info| info.name == name);
        for rule in &state.rules.idle {
            infos.push(still(rule, ReactorState::Idle, rule.idle().map(str::to_owned)));
        }
        for rule in &state.rules.off {
            infos.push(still(rule, ReactorState::Off, Some("enabled = false in its file.".to_owned())));
        }
        for fault in &state.rules.refused {
            let name = fault.file.trim_end_matches(".toml");
            if !is_known(&infos, name) {
                infos.push(refused(name, fault));
            }
        }
        infos.sort_by(|one, other| one.name.cmp(&other.name));
        infos
    }

    /// Pauses a reactor: its jobs wait, and new ones are made.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownEvent`].
    pub async fn pause(&self, name: &str) -> Result<()> {
        self.set_paused(name, true).await
    }

    /// Lets a reactor go on, at once also if it was resting.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownEvent`].
    pub async fn resume(&self, name: &str) -> Result<()> {
        self.set_paused(name, false).await
    }

    async fn set_paused(&self, name: &str, paused: bool) -> Result<()> {
        let reactor = self.reactor(name).ok_or(ErrorCode::UnknownEvent)?;
        let owned = reactor.name.clone();
        let job = async move |tx: &mut Tx<'_>| rows::set_paused(tx, &owned, paused).await;
        self.0.db.write::<_, StoreError, _>(job).await?;
        let was_paused = reactor.paused.swap(paused, Ordering::Relaxed);
        if was_paused && !paused {
            reactor.resumed_ms.store(self.0.clock.now_ms(), Ordering::Relaxed);
        }
        if !paused {
            reactor.breaker().succeeded();
        }
        reactor.wake.notify_one();
        Ok(())
    }

    /// The reactor of that name, if there is one that runs.
    pub(super) fn running(&self, name: &str) -> Result<Arc<Reactor>> {
        self.reactor(name).ok_or_else(|| ErrorCode::UnknownEvent.into())
    }

    /// The rule of that name, whether it can run or not.
    pub(super) fn rule(&self, name: &str) -> Option<Arc<Rule>> {
        let state = self.catalogue();
        let all = state.rules.rules.iter().chain(&state.rules.idle).chain(&state.rules.off);
        all.into_iter().find(|rule| rule.name() == name).cloned()
    }
}

fn info(reactor: &Reactor, rules: &LoadedRules) -> ReactorInfo {
    let work = reactor.work();
    let file = match &work {
        Work::Rule(rule) => Some(format!("{}.toml", rule.name())),
        Work::Webhook(_) => None,
    };
    let fault = file
        .as_ref()
        .and_then(|file| rules.refused.iter().find(|fault| fault.file == *file));
    let (rest, last) = (reactor.breaker().rest(), reactor.last());
    let trouble = last.as_ref().and_then(|last| last.trouble.as_deref());
    let (state, reason) = if reactor.is_paused() {
        (ReactorState::Paused, Some("A person paused it.".to_owned()))
    } else if let Some(fault) = fault {
        (
            ReactorState::Refused,
            Some(format!("{fault} The version before is still in force.")),
        )
    } else if rest.is_some() {
        (
            ReactorState::Resting,
            Some(format!("{} That was so several times in a row.", trouble.unwrap_or("No answer."))),
        )
    } else {
        (ReactorState::Active, trouble.map(str::to_owned))
    };
    let description = match &work {
        Work::Rule(rule) => rule.description().to_owned(),
        Work::Webhook(endpoint) if endpoint.description.is_empty() => endpoint.url.clone(),
        Work::Webhook(endpoint) => endpoint.description.clone(),
    };
    ReactorInfo {
        name: reactor.name.to_string(),
        kind: if file.is_some() { "rule" } else { "webhook" },
        description,
        on: work.patterns().to_vec(),
        state,
        reason,
        line: fault.map(|fault| fault.line),
        file,
        waiting: reactor.waiting.load(Ordering::Relaxed).max(0),
        dead: reactor.dead.load(Ordering::Relaxed).max(0),
        rest_since: rest.map(|(since_ms, _)| since_ms),
        rest_until: rest.map(|(_, until_ms)| until_ms),
        last: last.map(|last| LastRun {
            state: if last.trouble.is_none() { "delivered" } else { "failed" },
            at: last.at_ms,
            took_ms: last.took_us as f64 / 1_000.0,
        }),
    }
}

/// A rule that gets no events.
fn still(rule: &Rule, state: ReactorState, reason: Option<String>) -> ReactorInfo {
    ReactorInfo {
        name: rule.name().to_owned(),
        kind: "rule",
        description: rule.description().to_owned(),
        on: rule.patterns().to_vec(),
        state,
        reason,
        file: Some(format!("{}.toml", rule.name())),
        line: None,
        waiting: 0,
        dead: 0,
        rest_since: None,
        rest_until: None,
        last: None,
    }
}

fn refused(name: &str, fault: &RuleError) -> ReactorInfo {
    ReactorInfo {
        name: name.to_owned(),
        kind: "rule",
        description: String::new(),
        on: vec![],
        state: ReactorState::Refused,
        reason: Some(fault.to_string()),
        file: Some(fault.file.clone()),
        line: Some(fault.line),
        waiting: 0,
        dead: 0,
        rest_since: None,
        rest_until: None,
        last: None,
    }
}

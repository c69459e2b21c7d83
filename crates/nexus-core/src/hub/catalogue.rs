//! Which reactors there are: the rules of the folder and the webhooks of the database, each with its foreman.
//!
//! The folder is looked at every second, and a rule that changed is in force with the next event. A rule that can't be read any more
//! stays as it was, and what is wrong with it is shown.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
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

/// All reactors. Those that are served, in the order of their names, and what else there is to say.
#[derive(Default)]
pub(super) struct Catalogue(RwLock<State>);

#[derive(Default)]
struct State {
    /// Those that get events.
    active: Arc<[Arc<Reactor>]>,
    /// Every reactor that had a foreman since the start; its foreman goes on with what waits.
    known: HashMap<Arc<str>, Arc<Reactor>>,
    rules: LoadedRules,
    fingerprint: Option<Fingerprint>,
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
    /// Its file is gone, and jobs of it wait.
    Gone,
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
/// "line": int|null, "waiting", "dead", "rest_until": ms|null, "last": {..}|null}`
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
        self.reload_webhooks().await
    }

    /// The reactors that get events.
    pub(crate) fn reactors_now(&self) -> Arc<[Arc<Reactor>]> {
        self.0.catalogue.0.read().unwrap_or_else(PoisonError::into_inner).active.clone()
    }

    /// Was this written by the hub's own bot?
    pub(super) fn is_own_message(&self, event: &HubEvent) -> bool {
        let bot = self.0.bot.load(Ordering::Acquire);
        bot != 0 && event.kind.is_platform() && event.payload.get().contains(&format!("\"author_id\":\"{bot}\""))
    }

    /// Reads the rules anew if a file changed.
    async fn reload_rules(&self) -> Result<()> {
        let hub = self.clone();
        // Files may be on a slow disk.
        let read = tokio::task::spawn_blocking(move || hub.read_rules()).await;
        let Some((fingerprint, loaded)) = read.map_err(|cause| crate::Error::internal("read the rules", cause))? else {
            return Ok(());
        };
        for fault in &loaded.refused {
            tracing::warn!(file = %fault.file, line = fault.line, reason = %fault.reason, "a rule is refused: {fault}");
        }
        let before = std::mem::take(&mut self.catalogue_mut().rules);
        let loaded = keep_refused(loaded, &before);
        let wanted: Vec<_> = loaded
            .rules
            .iter()
            .map(|rule| (Arc::<str>::from(rule.name()), Work::Rule(rule.clone())))
            .collect();
        {
            let mut state = self.catalogue_mut();
            state.fingerprint = Some(fingerprint);
            state.rules = loaded;
        }
        self.install(wanted, |name| !name.starts_with(WEBHOOK_PREFIX)).await
    }

    fn read_rules(&self) -> Option<(Fingerprint, LoadedRules)> {
        let folder = &self.0.settings.reactors_dir;
        let fingerprint = rules::fingerprint(folder);
        let known = self.0.catalogue.0.read().unwrap_or_else(PoisonError::into_inner).fingerprint;
        if known.as_ref() == Some(&fingerprint) {
            return None;
        }
        let loaded = rules::load(folder, self.types(), &|name| self.0.settings.environment.get(name).cloned());
        Some((fingerprint, loaded))
    }

    /// Reads the webhooks anew.
    pub(super) async fn reload_webhooks(&self) -> Result<()> {
        let endpoints = self.endpoints().await?;
        let wanted: Vec<_> = endpoints
            .into_iter()
            .map(|endpoint| (Arc::<str>::from(reactor_name(endpoint.id)), Work::Webhook(Arc::new(endpoint))))
            .collect();
        let served: HashSet<_> = wanted.iter().map(|(name, _)| name.clone()).collect();
        self.install(wanted, |name| name.starts_with(WEBHOOK_PREFIX)).await?;
        self.give_up_unserved(&served).await
    }

    /// What waits for a webhook that is not served any more has nobody to go to.
    async fn give_up_unserved(&self, served: &HashSet<Arc<str>>) -> Result<()> {
        let known: Vec<_> = self.catalogue_mut().known.keys().cloned().collect();
        for name in known
            .into_iter()
            .filter(|name| name.starts_with(WEBHOOK_PREFIX) && !served.contains(name))
        {
            self.give_up(&name, "The webhook was switched off. Switch it on, then replay this.")
                .await?;
        }
        Ok(())
    }

    async fn give_up(&self, name: &Arc<str>, reason: &'static str) -> Result<()> {
        let now_ms = self.0.clock.now_ms();
        loop {
            let (rows_max, owned) = (ROWS_PER_JOB_MAX as i64, name.clone());
            let job = async move |tx: &mut Tx<'_>| rows::give_up(tx, &owned, reason, rows_max, now_ms).await;
            let given_up = self.0.db.write_background::<_, StoreError, _>(job).await?;
            if let Some(reactor) = self.reactor(name) {
                reactor.waiting.fetch_sub(given_up as i64, Ordering::Relaxed);
                reactor.dead.fetch_add(given_up as i64, Ordering::Relaxed);
            }
            if given_up == 0 {
                return Ok(());
            }
        }
    }

    fn catalogue_mut(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.0.catalogue.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn reactor(&self, name: &str) -> Option<Arc<Reactor>> {
        self.0
            .catalogue
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .known
            .get(name)
            .cloned()
    }

    /// Lets these be the active ones among those of a kind.
    async fn install(&self, wanted: Vec<(Arc<str>, Work)>, is_of_kind: impl Fn(&str) -> bool) -> Result<()> {
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
            let reactor = Arc::new(Reactor::new(name.clone(), work, paused));
            reactor.waiting.store(counts.waiting, Ordering::Relaxed);
            reactor.dead.store(counts.dead, Ordering::Relaxed);
            self.catalogue_mut().known.insert(name, reactor.clone());
            self.spawn(foreman::run(self.clone(), reactor.clone(), self.stopped()));
            active.push(reactor);
        }
        let mut state = self.catalogue_mut();
        active.extend(state.active.iter().filter(|reactor| !is_of_kind(&reactor.name)).cloned());
        active.sort_by(|one, other| one.name.cmp(&other.name));
        state.active = active.into();
        Ok(())
    }

    /// All reactors, also those that can't run.
    pub fn reactors(&self) -> Vec<ReactorInfo> {
        let state = self.0.catalogue.0.read().unwrap_or_else(PoisonError::into_inner);
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
        let gone = state.known.values().filter(|reactor| reactor.waiting.load(Ordering::Relaxed) > 0);
        for reactor in gone {
            if !is_known(&infos, &reactor.name) {
                let reason = Some("Its file is gone. What waits is still done as it said.".to_owned());
                infos.push(ReactorInfo {
                    state: ReactorState::Gone,
                    reason,
                    ..info(reactor, &state.rules)
                });
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
        reactor.paused.store(paused, Ordering::Relaxed);
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
        let state = self.0.catalogue.0.read().unwrap_or_else(PoisonError::into_inner);
        let all = state.rules.rules.iter().chain(&state.rules.idle).chain(&state.rules.off);
        all.into_iter().find(|rule| rule.name() == name).cloned()
    }
}

/// A rule whose file can't be read now stays as it was.
fn keep_refused(mut loaded: LoadedRules, before: &LoadedRules) -> LoadedRules {
    for rule in &before.rules {
        let file = format!("{}.toml", rule.name());
        if loaded.refused.iter().any(|fault| fault.file == file) {
            loaded.rules.push(rule.clone());
        }
    }
    loaded
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
    let rest = reactor.breaker().rest();
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
            Some("The other side did not answer several times in a row.".to_owned()),
        )
    } else {
        (ReactorState::Active, None)
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
        rest_until: rest.map(|(_, until_ms)| until_ms),
        last: reactor.last().map(|last| LastRun {
            state: if last.delivered { "delivered" } else { "failed" },
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
        rest_until: None,
        last: None,
    }
}

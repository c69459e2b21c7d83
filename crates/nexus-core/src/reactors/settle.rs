//! Settling: one write with the attempt, what becomes of the job, and what follows from it here.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use nexus_store::sql::hub::webhooks;
use nexus_store::sql::reactors::{Attempt, LeasedJob, Settled, settle};
use nexus_store::{StoreError, Tx, sql};
use nexus_types::ErrorCode;
use nexus_types::hub::WebhookState;
use nexus_types::ids::ChannelId;
use nexus_types::limits::DAY_MS;
use nexus_types::messages::Body;

use super::perform::{Performed, Verdict};
use super::schedule::{Failure, next_try};
use super::{Reactor, Work};
use crate::bots;
use crate::errors::{Error, Result};
use crate::hub::ingest::{self, Maker};
use crate::hub::rules::Effect;
use crate::hub::{HUB_BOT, Hub};
use crate::messages::send::{Draft, send_in};

/// How it stands with a job after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Done.
    Done,
    /// It is tried again then.
    Retry {
        /// When.
        due_ms: i64,
        /// Why it did not work.
        reason: String,
    },
    /// Nobody tries any more.
    Dead {
        /// Why not.
        reason: String,
    },
    /// It need not be done.
    Discarded,
    /// It was another's, or over, meanwhile. Nothing was written.
    Lost,
}

/// A job with the attempt that was made of it.
pub(crate) struct Tried {
    pub(crate) job: LeasedJob,
    pub(crate) performed: Performed,
}

/// What is written besides.
struct Verdicts<'a> {
    settled: Settled<'a>,
    ended: Ended,
}

impl Hub {
    /// Settles one attempt. If what follows is refused or can't be written, the attempt failed, and that is what is written.
    pub(crate) async fn settle(&self, reactor: &Reactor, tried: Tried) -> Result<Ended> {
        let mut tried = Arc::new(tried);
        let first = self.write_settled(reactor, vec![tried.clone()]).await;
        let reason = match first {
            Ok(mut ended) => return Ok(ended.pop().expect("one went in, so one came out")),
            Err(Error::Refused(refusal)) => refused_words(refusal.code),
            // The store is away: the lease ends, and the job is done again.
            Err(error) if is_away(&error) => return Err(error),
            Err(error) => {
                tracing::error!(reactor = %reactor.name, error = &error as &dyn std::error::Error, "what a reactor did could not be written");
                "What followed could not be written. The server's operator finds why in the log.".to_owned()
            }
        };
        let again = Arc::get_mut(&mut tried).expect("the write let go of it");
        again.performed.verdict = Verdict::Retry { reason, asked_ms: None };
        let mut ended = self.write_settled(reactor, vec![tried]).await?;
        Ok(ended.pop().expect("one went in, so one came out"))
    }

    /// Settles several in one write. If what follows from one is refused, nothing of any was written.
    pub(crate) async fn write_settled(&self, reactor: &Reactor, tried: Vec<Arc<Tried>>) -> Result<Vec<Ended>> {
        let (hub, name, work) = (self.clone(), reactor.name.clone(), reactor.work());
        let resumed_ms = reactor.resumed_ms.load(Ordering::Relaxed);
        let job = async move |tx: &mut Tx<'_>| -> Result<Vec<Ended>> {
            let mut ended = Vec::with_capacity(tried.len());
            for tried in &tried {
                ended.push(hub.settle_in(tx, (&name, &work), tried, resumed_ms).await?);
            }
            Ok(ended)
        };
        let ended = self.0.db.write(job).await?;
        if let Work::Webhook(endpoint) = reactor.work()
            && endpoint.disabled.load(Ordering::Relaxed)
        {
            self.0.webhooks_changed.notify_one();
        }
        Ok(ended)
    }

    async fn settle_in(&self, tx: &mut Tx<'_>, (reactor, work): (&str, &Work), tried: &Tried, resumed_ms: i64) -> Result<Ended> {
        let Tried { job, performed } = tried;
        let now_ms = self.0.clock.now_ms();
        let verdicts = self.verdicts(job.first_ms.max(resumed_ms), performed, now_ms);
        let attempt = Attempt {
            number: job.attempts + 1,
            began_ms: performed.began_ms,
            took_us: performed.took_us,
            outcome: performed.outcome(),
            status: performed.status,
            request: performed.request.clone(),
            answer: performed.answer.clone(),
            error: performed.error().map(str::to_owned),
        };
        if !settle(tx, job.id, &attempt, verdicts.settled, now_ms).await? {
            return Ok(Ended::Lost);
        }
        if let Verdict::Done(effects) = &performed.verdict {
            for effect in effects {
                self.apply(tx, reactor, job, effect).await?;
            }
        }
        if let Work::Webhook(endpoint) = work {
            let delivered = verdicts.ended == Ended::Done;
            // What did not even get out says nothing about the endpoint.
            let is_ours = performed.reached.is_none() && matches!(performed.verdict, Verdict::Retry { .. });
            let turned = if is_ours { None } else { endpoint.note(delivered, now_ms) };
            if let Some(turned) = turned {
                webhooks::failing(tx, endpoint.id, turned.since_ms()).await?;
            }
            if let Some(reason) = self.reason_to_disable(endpoint.failing_since_ms.load(Ordering::Relaxed), performed, now_ms) {
                webhooks::set_state(tx, endpoint.id, WebhookState::Disabled, Some(&reason)).await?;
                endpoint.disabled.store(true, Ordering::Relaxed);
            }
        }
        Ok(verdicts.ended)
    }

    fn verdicts<'a>(&self, since_ms: i64, performed: &'a Performed, now_ms: i64) -> Verdicts<'a> {
        let dead = |reason: &'a str| Verdicts {
            settled: Settled::Dead { reason },
            ended: Ended::Dead { reason: reason.to_owned() },
        };
        match &performed.verdict {
            Verdict::Done(_) => Verdicts {
                settled: Settled::Done,
                ended: Ended::Done,
            },
            Verdict::Unwanted => Verdicts {
                settled: Settled::Discarded {
                    reason: performed.error().unwrap_or_default(),
                },
                ended: Ended::Discarded,
            },
            Verdict::Dead { .. } | Verdict::Gone => dead(performed.error().unwrap_or_default()),
            Verdict::Retry { reason, asked_ms } => {
                let failure = Failure {
                    since_ms,
                    now_ms,
                    asked_ms: *asked_ms,
                    chance: self.0.clock.random::<1>()[0],
                };
                match next_try(failure) {
                    Some(due_ms) => Verdicts {
                        settled: Settled::Retry { due_ms, reason },
                        ended: Ended::Retry {
                            due_ms,
                            reason: reason.clone(),
                        },
                    },
                    None => dead(reason),
                }
            }
        }
    }

    /// Why an endpoint is not served any more, if so.
    fn reason_to_disable(&self, failing_since_ms: i64, performed: &Performed, now_ms: i64) -> Option<String> {
        if performed.verdict == Verdict::Gone {
            return performed.error().map(str::to_owned);
        }
        let days = i64::from(self.0.settings.webhook_failure_days);
        let over = failing_since_ms != 0 && days > 0 && now_ms - failing_since_ms >= days * DAY_MS;
        over.then(|| {
            let last = performed.error().unwrap_or_default();
            format!("No delivery succeeded for {days} days. {last} Mend the receiver, then switch it on.")
        })
    }

    async fn apply(&self, tx: &mut Tx<'_>, reactor: &str, job: &LeasedJob, effect: &Effect) -> Result<()> {
        match effect {
            Effect::Emit { kind, payload } => {
                let maker = Maker {
                    reactor,
                    cause: job.event.event.position,
                    hops: job.event.hops + 1,
                };
                Ok(ingest::emit(tx, &self.0.clock, &maker, (kind, payload)).await?)
            }
            Effect::Message { channel, text } => self.write_message(tx, *channel, text).await,
        }
    }

    /// Writes a message as the hub's own bot, which joins the community of the channel the first time.
    async fn write_message(&self, tx: &mut Tx<'_>, channel: ChannelId, text: &str) -> Result<()> {
        let clock = &self.0.clock;
        let guild = sql::channels::load(tx, channel).await?.ok_or(ErrorCode::UnknownChannel)?.guild_id;
        let bot = bots::ensure(tx, clock, HUB_BOT).await?;
        // Known before anybody can hear of its messages.
        self.0.bot.store(bot.0, Ordering::Release);
        bots::join_once(tx, clock, bot, guild).await?;
        let draft = Draft {
            channel,
            body: Body::parse(text)?,
            nonce: None,
        };
        send_in(tx, clock, bot, draft).await.map(drop)
    }
}

/// Can the store write nothing at the moment?
fn is_away(error: &Error) -> bool {
    use StoreError::{Closed, Full, Lost, QueueFull, Unavailable};
    matches!(error, Error::Store(Closed | Full | Lost { .. } | QueueFull | Unavailable))
}

/// Why a message was not written, and what to do.
fn refused_words(code: ErrorCode) -> String {
    match code {
        ErrorCode::UnknownChannel => {
            format!("There is no such channel, or {HUB_BOT} may not see it. Correct the id, or let it see the channel.")
        }
        ErrorCode::MissingPermission => format!("{HUB_BOT} may not write in this channel. Give it the permission."),
        ErrorCode::BotRemoved => {
            format!("{HUB_BOT} was removed from this community. Invite it again: nexus admin bot create {HUB_BOT} --guild ID")
        }
        ErrorCode::NotABot => format!("A person has the name {HUB_BOT}, so the hub can't write."),
        other => other.message().to_owned(),
    }
}

//! One attempt: ask, judge, say what follows. Nothing is written here.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt as _;
use nexus_store::sql::reactors::LeasedJob;
use nexus_types::hub::AttemptOutcome;

use super::{Work, notes};
use crate::clock::Clock;
use crate::hub::rules::{self, Effect, Facts, Rule, TemplateError};
use crate::hub::webhooks::Endpoint;
use crate::outbound::{Answer, CallError, Outbound};

/// What becomes of the job.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// It was done, and this follows.
    Done(Vec<Effect>),
    /// It may work later.
    Retry {
        /// Why it did not.
        reason: String,
        /// For how long the other side asks to be left alone.
        asked_ms: Option<i64>,
    },
    /// It never will as it is.
    Dead {
        /// Why.
        reason: String,
    },
    /// The rule does not want it any more.
    Unwanted,
    /// The endpoint says that it is gone for good.
    Gone,
}

/// An attempt that was made.
pub(crate) struct Performed {
    pub(crate) verdict: Verdict,
    pub(crate) began_ms: i64,
    pub(crate) took_us: i64,
    pub(crate) status: Option<i64>,
    pub(crate) request: Option<String>,
    pub(crate) answer: Option<String>,
    /// Was the other side there? `None` if nobody was asked.
    pub(crate) reached: Option<bool>,
}

impl Performed {
    /// How the attempt ended, in the words of the delivery log.
    pub(crate) fn outcome(&self) -> AttemptOutcome {
        match self.verdict {
            Verdict::Done(_) => AttemptOutcome::Delivered,
            Verdict::Retry { .. } => AttemptOutcome::Failed,
            Verdict::Dead { .. } | Verdict::Unwanted | Verdict::Gone => AttemptOutcome::Refused,
        }
    }

    /// What went wrong.
    pub(crate) fn error(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::Done(_) => None,
            Verdict::Retry { reason, .. } | Verdict::Dead { reason } => Some(reason),
            Verdict::Unwanted => Some("The rule was changed and does not want this event any more."),
            Verdict::Gone => Some("The endpoint answered 410: it is gone. Switch the webhook on again if that was a mistake."),
        }
    }
}

/// What asking came to.
struct Asked {
    verdict: Verdict,
    request: Option<String>,
    answer: Option<Result<Answer, CallError>>,
}

/// Makes an attempt. A panic is a failure of this attempt alone.
pub(crate) async fn perform(work: &Work, job: &LeasedJob, outbound: &Outbound, clock: &Clock) -> Performed {
    let (began_ms, began) = (clock.now_ms(), Instant::now());
    let asked = AssertUnwindSafe(attempt(work, job, outbound, clock)).catch_unwind().await;
    let asked = asked.unwrap_or_else(|_| Asked {
        verdict: Verdict::Retry {
            reason: "The reactor panicked. The server's operator finds it in the log.".to_owned(),
            asked_ms: None,
        },
        request: None,
        answer: None,
    });
    let (status, reached) = match &asked.answer {
        None => (None, None),
        // Who answers that it is overloaded is there, and shall rest all the same.
        Some(Ok(answer)) => (Some(i64::from(answer.status)), Some(answer.status < 500 && answer.status != 429)),
        Some(Err(fault)) => (None, fault.is_outage().then_some(false)),
    };
    Performed {
        verdict: asked.verdict,
        began_ms,
        took_us: began.elapsed().as_micros() as i64,
        status,
        request: asked.request,
        answer: asked.answer.and_then(Result::ok).map(|answer| notes::answer(work, &answer)),
        reached,
    }
}

async fn attempt(work: &Work, job: &LeasedJob, outbound: &Outbound, clock: &Clock) -> Asked {
    match work {
        Work::Rule(rule) => by_rule(work, rule, job, outbound, clock).await,
        Work::Webhook(endpoint) => by_webhook(work, endpoint, job, outbound, clock).await,
    }
}

fn unmade(fault: &TemplateError) -> Verdict {
    Verdict::Dead {
        reason: format!("{fault} Mend the rule, then replay this."),
    }
}

/// What a rule without a call comes to.
pub(crate) fn at_once(rule: &Rule, job: &LeasedJob) -> Verdict {
    rule.effects(&Facts::new(&job.event.event), None)
        .map_or_else(|fault| unmade(&fault), Verdict::Done)
}

async fn by_rule(work: &Work, rule: &Rule, job: &LeasedJob, outbound: &Outbound, clock: &Clock) -> Asked {
    let facts = Facts::new(&job.event.event);
    // It may have been changed since, or could not say what it wants until it was mended.
    match rule.wants(&facts) {
        Ok(Some(_)) => {}
        Ok(None) => return plain(Verdict::Unwanted),
        Err(fault) => return plain(unmade(&fault)),
    }
    let call = match rule.call(&facts, &job.key) {
        Ok(Some(call)) => call,
        Ok(None) => return plain(at_once(rule, job)),
        Err(fault) => return plain(unmade(&fault)),
    };
    let request = Some(notes::request(work, &call));
    let answer = outbound.send(call).await;
    let verdict = match &answer {
        Ok(answer) => match rule.judge(answer, clock.now_ms()) {
            rules::Verdict::Done => rule
                .effects(&facts, Some(answer))
                .map_or_else(|fault| unmade(&fault), Verdict::Done),
            rules::Verdict::Retry { after_ms } => Verdict::Retry {
                reason: answered(answer.status),
                asked_ms: after_ms,
            },
            rules::Verdict::Final => Verdict::Dead {
                reason: format!("{} The rule says not to try again.", answered(answer.status)),
            },
        },
        Err(fault) => unanswered(fault, |text| rule.redact(text)),
    };
    Asked {
        verdict,
        request,
        answer: Some(answer),
    }
}

async fn by_webhook(work: &Work, endpoint: &Endpoint, job: &LeasedJob, outbound: &Outbound, clock: &Clock) -> Asked {
    let call = endpoint.call(&job.event.event, &job.key, clock.now_ms());
    let request = Some(notes::request(work, &call));
    let answer = outbound.send(call).await;
    let verdict = match &answer {
        Ok(answer) if (200..300).contains(&answer.status) => Verdict::Done(vec![]),
        Ok(answer) if answer.status == 410 => Verdict::Gone,
        Ok(answer) => Verdict::Retry {
            reason: answered(answer.status),
            asked_ms: rules::retry_after_ms(answer, clock.now_ms()),
        },
        Err(fault) => unanswered(fault, str::to_owned),
    };
    Asked {
        verdict,
        request,
        answer: Some(answer),
    }
}

fn plain(verdict: Verdict) -> Asked {
    Asked {
        verdict,
        request: None,
        answer: None,
    }
}

fn answered(status: u16) -> String {
    format!("The other side answered {status}.")
}

fn unanswered(fault: &CallError, redact: impl Fn(&str) -> String) -> Verdict {
    let reason = redact(&fault.to_string());
    if fault.is_final() {
        Verdict::Dead { reason }
    } else {
        Verdict::Retry { reason, asked_ms: None }
    }
}

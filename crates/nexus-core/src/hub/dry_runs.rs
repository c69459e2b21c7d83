//! Dry runs: what a rule would have done for past events. Nothing is sent or written. Running one rule dry is [`super::rules`].

use nexus_store::sql::hub::events::{self as event_rows, Filter};
use nexus_store::{StoreError, Tx};
use nexus_types::ErrorCode;
use nexus_types::limits::DRY_RUN_EVENTS_MAX;
use serde::{Deserialize, Serialize};

use super::Hub;
use super::rules::{DryRunLine, Rule, RuleError, dry_run};
use super::views::page_limit;
use crate::errors::Result;

/// What shall be run dry.
#[derive(Debug, Clone, Deserialize)]
pub struct DryRun {
    /// A rule of the folder.
    pub name: Option<String>,
    /// Or a rule's text.
    pub rule: Option<String>,
    /// Past events to look at, the newest.
    #[serde(default = "dry_limit")]
    pub limit: i64,
}

fn dry_limit() -> i64 {
    50
}

/// What a rule would have done.
///
/// # Shape
/// `{"errors": [{"file", "line", "column", "reason", "hint"}], "idle": string|null, "events": [..]}`
#[derive(Serialize)]
pub struct DryRunReport {
    errors: Vec<RuleError>,
    idle: Option<String>,
    events: Vec<DryRunLine>,
}

impl Hub {
    /// What a rule would have done for past events. Nothing is sent or written.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidLimit`], [`ErrorCode::InvalidRule`] without a name or a text, [`ErrorCode::UnknownEvent`] for a rule that is
    /// not there.
    pub async fn dry_run(&self, wanted: DryRun) -> Result<DryRunReport> {
        page_limit(wanted.limit, DRY_RUN_EVENTS_MAX)?;
        // Whoever tries a rule has mostly just written it.
        self.reload_rules().await?;
        let read = match (&wanted.name, &wanted.rule) {
            (_, Some(text)) => {
                let name = wanted.name.as_deref().unwrap_or("rule");
                let environment = |name: &str| self.named_variable(name);
                Rule::read(name, text, self.types(), &environment).map(std::sync::Arc::new)
            }
            (Some(name), None) => Ok(self.rule(name).ok_or(ErrorCode::UnknownEvent)?),
            (None, None) => return Err(ErrorCode::InvalidRule.into()),
        };
        let rule = match read {
            Ok(rule) => rule,
            Err(errors) => {
                return Ok(DryRunReport {
                    errors,
                    idle: None,
                    events: vec![],
                });
            }
        };
        let filter = Filter {
            kinds: rule.patterns().to_vec(),
            source: None,
            before: None,
            limit: wanted.limit,
        };
        let job = async move |tx: &mut Tx<'_>| event_rows::page(tx, &filter).await;
        let stored = self.0.db.read::<_, StoreError, _>(job).await?;
        let events: Vec<_> = stored.into_iter().map(|stored| stored.event).collect();
        let idle = rule.idle().map(str::to_owned);
        let lines = tokio::task::spawn_blocking(move || dry_run(&rule, &events)).await;
        Ok(DryRunReport {
            errors: vec![],
            idle,
            events: lines.map_err(|cause| crate::Error::internal("run a rule dry", cause))?,
        })
    }
}

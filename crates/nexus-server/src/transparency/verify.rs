//! `nexus log verify`: recomputes a log from a server or from files, every leaf, root, link and signature.
//!
//! What is checked is `nexus_crypto::audits`; here it is fed, page by page, with signatures on all cores while the next page comes.

use std::path::PathBuf;

use nexus_crypto::audits::{Audit, Fault, FaultCode, since};
use nexus_crypto::logs::{KeyDocument, ONE_OWN_COSIGNER, keys_follow};
use nexus_crypto::tree_heads::TreeHead;

use super::now_s;
use super::progress::Progress;
use super::sources::{Page, Source};
use super::states::Saved;
use crate::exits::{Exit, Failure};

/// Leaves in a page.
const PAGE: u64 = 1_000;
/// After so many pages what was verified is saved, so that it is not verified again.
const SAVE_EVERY: u64 = 50;

/// Which heads' signatures are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signatures {
    /// Those of all heads.
    All,
    /// Those of the heads of the newest leaves.
    Newest(u64),
}

impl Signatures {
    /// Reads `all` or `newest:N`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let newest = text.strip_prefix("newest:").and_then(|count| count.parse().ok());
        match (text, newest) {
            ("all", _) => Ok(Self::All),
            (_, Some(count)) => Ok(Self::Newest(count)),
            _ => Err("use all, or newest:N such as newest:1000".to_owned()),
        }
    }

    fn include(self, head: &TreeHead, target: u64) -> bool {
        match self {
            Self::All => true,
            Self::Newest(count) => head.head.tree_size > target.saturating_sub(count),
        }
    }
}

/// Why an auditor stopped.
#[derive(Debug)]
pub enum Stopped {
    /// The log is at fault, or can't be reached.
    Fault(Box<Fault>),
    /// We are.
    Failure(Failure),
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// A fault as one line: its word and the exact entry.
pub fn line(fault: &Fault) -> String {
    let leaf = fault.leaf_index.map_or_else(String::new, |index| format!(" at leaf {index}"));
    let head = fault
        .tree_size
        .map_or_else(String::new, |size| format!(" at the head of {size} leaves"));
    format!("{}{leaf}{head}: {}", fault.code, fault.detail)
}

/// What an auditor goes by.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Where it remembers what it saw.
    pub state: Option<PathBuf>,
    /// Keys that it was given, in place of those that the log shows first.
    pub pinned: Option<KeyDocument>,
    /// Which signatures are checked.
    pub signatures: Signatures,
}

/// Somebody who verifies a log, once or again and again.
pub struct Auditor {
    rules: Rules,
    document: KeyDocument,
    audit: Audit,
    /// Did nothing but the log itself say whose signatures count?
    trusted_at_first_use: bool,
    /// Leaves that were verified in an earlier run.
    resumed_at: u64,
}

impl Auditor {
    /// Begins, where the state file says or at the first leaf.
    ///
    /// # Errors
    /// The fault that the keys show, or why the state file can't be used.
    pub async fn begin(source: &Source, rules: Rules) -> Result<Self, Stopped> {
        let document = source.document().await?;
        let saved = match &rules.state {
            Some(path) => Saved::read(path)?,
            None => None,
        };
        for known in rules.pinned.iter().chain(saved.as_ref().map(|saved| &saved.document)) {
            follow(known, &document)?;
        }
        let (id, keys) = (document.log_id, document.keys());
        let resumed = saved
            .as_ref()
            .and_then(|saved| Audit::resume(id, keys.clone(), saved.edge()?, saved.head.clone()?));
        Ok(Self {
            trusted_at_first_use: rules.pinned.is_none() && saved.is_none(),
            resumed_at: resumed.as_ref().map_or(0, Audit::size),
            audit: resumed.unwrap_or_else(|| Audit::begin(id, keys)),
            rules,
            document,
        })
    }

    /// What the log says of its cosigners.
    pub fn document(&self) -> &KeyDocument {
        &self.document
    }

    /// The last head that was verified.
    pub fn last(&self) -> Option<&TreeHead> {
        self.audit.last()
    }

    /// Goes on to the log's latest head, and remembers it.
    ///
    /// # Errors
    /// The first fault, or why the state file can't be written.
    pub async fn advance(&mut self, source: &mut Source, mut progress: Progress) -> Result<(), Stopped> {
        let now = source.document().await?;
        follow(&self.document, &now)?;
        if now != self.document {
            self.audit.set_keys(now.keys());
            self.document = now;
        }
        let latest = source.latest().await?;
        let target = latest.as_ref().map_or(0, |head| head.head.tree_size);
        self.compare(source, latest.as_ref()).await?;
        let mut pages = 0;
        let mut next = (self.audit.size() < target).then_some(());
        let mut page = match next {
            Some(()) => source.page(self.audit.size(), (self.audit.size() + PAGE).min(target)).await?,
            None => Page::default(),
        };
        while next.take().is_some() {
            let from = self.audit.size() + page.leaves.len() as u64;
            // Without leaves there is no further page: the audit says what is missing.
            let more = from < target && !page.leaves.is_empty();
            let heads = std::mem::take(&mut page);
            let work = self.take_in(heads, target);
            let fetch = async {
                if more {
                    source.page(from, (from + PAGE).min(target)).await
                } else {
                    Ok(Page::default())
                }
            };
            let (done, fetched) = tokio::join!(work, fetch);
            done?;
            page = fetched?;
            next = more.then_some(());
            pages += 1;
            progress.show(self.audit.size(), target);
            if pages % SAVE_EVERY == 0 {
                self.save()?;
            }
        }
        if let Some(latest) = &latest {
            self.finish(source, latest).await?;
        }
        self.save()
    }

    /// Is what the log shows now the log that was seen last?
    async fn compare(&self, source: &Source, latest: Option<&TreeHead>) -> Result<(), Stopped> {
        let Some(seen) = self.audit.last() else { return Ok(()) };
        let size = seen.head.tree_size;
        let Some(latest) = latest else {
            let detail = format!("the log had {size} leaves when it was last seen, and shows no head now");
            return Err(Fault::at_head(FaultCode::Rollback, 0, detail).into());
        };
        // What is smaller or another for the same size needs no proof.
        let path = if latest.head.tree_size > size {
            source.consistency(size, latest.head.tree_size).await?
        } else {
            Some(vec![])
        };
        match path {
            Some(path) => Ok(since(seen, latest, &path)?),
            None => Ok(()),
        }
    }

    /// Judges a page on other threads.
    async fn take_in(&mut self, page: Page, target: u64) -> Result<(), Stopped> {
        let rules = self.rules.signatures;
        let blank = Audit::begin(self.document.log_id, self.document.keys());
        let mut audit = std::mem::replace(&mut self.audit, blank);
        let judged = tokio::task::spawn_blocking(move || {
            let judged = judge(&mut audit, &page, |head| rules.include(head, target));
            (audit, judged)
        });
        let (audit, judged) = judged.await.map_err(|_| {
            Failure::new(
                Exit::Failed,
                "Verifying panicked; that is a fault of this program.",
                "Report it with what stands above.",
            )
        })?;
        self.audit = audit;
        Ok(judged?)
    }

    async fn finish(&self, source: &mut Source, latest: &TreeHead) -> Result<(), Stopped> {
        self.audit.finish(latest)?;
        if self.audit.last() != Some(latest) {
            // The same head with other signatures; they must count as well.
            self.audit.signatures(latest)?;
        }
        let size = latest.head.tree_size;
        if source.has_leaf(size).await? {
            let again = source.latest().await?;
            if again.is_none_or(|again| again.head.tree_size <= size) {
                let detail = format!("the log shows leaf {size}, and its latest head has {size} leaves");
                return Err(Fault {
                    leaf_index: Some(size),
                    ..Fault::at_head(FaultCode::StaleHead, size, detail)
                }
                .into());
            }
        }
        Ok(())
    }

    fn save(&self) -> Result<(), Stopped> {
        if let Some(path) = &self.rules.state
            && let Some(saved) = Saved::of(&self.document, &self.audit, now_s())
        {
            saved.write(path)?;
        }
        Ok(())
    }

    /// What was found out, in words.
    pub fn verdict(&self) -> String {
        let (leaves, ids) = (self.audit.size(), self.audit.ids());
        let mut lines = vec![];
        let scope = match (self.resumed_at, self.rules.signatures) {
            (0, Signatures::All) => "every leaf, root, link and signature was recomputed".to_owned(),
            (0, Signatures::Newest(count)) => {
                format!("every leaf, root and link was recomputed, and the signatures of the newest {count} heads")
            }
            (seen, _) => format!("it goes on from the {seen} leaves that were verified before"),
        };
        lines.push(format!("honest: {leaves} leaves; {scope}."));
        if self.resumed_at == 0 {
            lines.push(format!("ids: {ids}"));
        }
        if let Some(last) = self.last() {
            lines.push(format!(
                "latest head: {} leaves, root {}, time {}",
                last.head.tree_size, last.head.root, last.head.timestamp
            ));
        }
        lines.push(format!("log: {}", self.document.log_id));
        lines.push(format!("{}: {}", self.document.statement, self.document.operators.join(", ")));
        if self.document.single_operator {
            lines.push("One operator holds enough keys to sign alone, so no fork that is shown to others can be ruled out.".to_owned());
        } else if self.document.statement == ONE_OWN_COSIGNER {
            lines.push("Any two quorums share a cosigner, which may be the log's own: its operator could still fork it.".to_owned());
        }
        if self.trusted_at_first_use {
            lines.push(
                "The cosigners' keys were taken from the log itself, at first use. Compare them with another source, and pin them with --keys or --state."
                    .to_owned(),
            );
        }
        lines.join("\n")
    }
}

fn follow(known: &KeyDocument, now: &KeyDocument) -> Result<(), Fault> {
    if known.log_id != now.log_id {
        return Err(Fault::new(
            FaultCode::WrongLog,
            format!("this is the log {}, and {} was expected", now.log_id, known.log_id),
        ));
    }
    Ok(keys_follow(&now.log_id, &known.keys(), &now.keys())?)
}

/// Takes in a page: first what is cheap, in order; then signatures, on all cores. The earliest fault counts.
fn judge(audit: &mut Audit, page: &Page, signed: impl Fn(&TreeHead) -> bool) -> Result<(), Fault> {
    let structure = audit.page(&page.leaves, &page.heads, |_, _| ());
    let accepted = match &structure {
        Ok(()) => page.heads.len(),
        Err(_) => page
            .heads
            .iter()
            .position(|head| audit.last() == Some(head))
            .map_or(0, |last| last + 1),
    };
    let heads: Vec<&TreeHead> = page.heads[..accepted].iter().filter(|head| signed(head)).collect();
    signatures(audit, &heads)?;
    structure
}

fn signatures(audit: &Audit, heads: &[&TreeHead]) -> Result<(), Fault> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = heads.len().div_ceil(threads).max(1);
    let check = |share: &[&TreeHead]| share.iter().try_for_each(|head| audit.signatures(head));
    std::thread::scope(|scope| {
        let shares: Vec<_> = heads.chunks(share).map(|share| scope.spawn(move || check(share))).collect();
        let judged = shares
            .into_iter()
            .map(|share| share.join().expect("checking a signature does not panic"));
        judged.collect::<Result<Vec<()>, Fault>>().map(drop)
    })
}

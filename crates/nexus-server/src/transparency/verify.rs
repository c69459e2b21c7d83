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
    /// The last head of an earlier run.
    seen: Option<TreeHead>,
    /// Leaves whose heads were verified in an earlier run. The leaves themselves are read again: later ones are judged by them.
    resumed_at: u64,
}

/// Some leaves to be read.
#[derive(Clone, Copy)]
struct Step {
    from: u64,
    end: u64,
    /// Their heads too?
    heads: bool,
}

fn size(head: Option<&TreeHead>) -> u64 {
    head.map_or(0, |head| head.head.tree_size)
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
        let whole = rules.signatures == Signatures::All;
        let trusted_at_first_use = rules.pinned.is_none() && saved.is_none();
        // Whoever asks for every signature is not told of some that nobody checked.
        let resumes = saved.as_ref().is_some_and(|saved| saved.all_signed || !whole);
        let seen = saved.and_then(|saved| saved.head);
        Ok(Self {
            trusted_at_first_use,
            resumed_at: if resumes { size(seen.as_ref()) } else { 0 },
            audit: Audit::begin(document.log_id, document.keys()),
            seen,
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
        let target = size(latest.as_ref());
        self.compare(source, latest.as_ref()).await?;
        let mut pages = 0;
        let mut next = self.step(self.audit.size(), target);
        let mut page = fetch(source, next).await?;
        while next.is_some() {
            let from = self.audit.size() + page.leaves.len() as u64;
            // Without leaves there is no further page: the audit says what is missing.
            next = self.step(from, target).filter(|_| !page.leaves.is_empty());
            let (done, fetched) = tokio::join!(self.take_in(page, target), fetch(source, next));
            done?;
            page = fetched?;
            pages += 1;
            progress.show(self.audit.size(), target);
            if pages % SAVE_EVERY == 0 {
                self.save()?;
            }
        }
        if let Some(latest) = &latest {
            self.finish(source, latest).await?;
        } else if source.has_leaf(0).await? && source.latest().await?.is_none() {
            let detail = "the log shows leaves, and no head";
            return Err(Fault::at_leaf(FaultCode::StaleHead, 0, detail).into());
        }
        self.save()
    }

    /// What to read next. A page ends where an earlier run ended, so that what was seen there can be compared.
    fn step(&self, from: u64, target: u64) -> Option<Step> {
        let seen = size(self.seen.as_ref());
        let end = (from + PAGE).min(if from < seen { seen } else { target });
        (from < end.min(target)).then_some(Step {
            from,
            end: end.min(target),
            heads: from >= self.resumed_at,
        })
    }

    /// Is what the log shows now the log that was seen last?
    async fn compare(&self, source: &Source, latest: Option<&TreeHead>) -> Result<(), Stopped> {
        let Some(seen) = self.audit.last().or(self.seen.as_ref()) else {
            return Ok(());
        };
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
        judged?;
        match &self.seen {
            Some(seen) if seen.head.tree_size != self.audit.size() => Ok(()),
            Some(seen) if self.audit.last().is_none() => Ok(self.audit.go_on_after(seen)?),
            Some(seen) if self.audit.edge().root() != seen.head.root => {
                let detail = format!(
                    "the {} leaves seen last are not the beginning of the log of today",
                    self.audit.size()
                );
                Err(Fault::at_head(FaultCode::SplitView, self.audit.size(), detail).into())
            }
            _ => Ok(()),
        }
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
            && let Some(saved) = Saved::of(&self.document, &self.audit, self.rules.signatures == Signatures::All, now_s())
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
            (seen, _) => {
                format!("it goes on from the {seen} leaves whose heads were verified before; every leaf was read again")
            }
        };
        lines.push(format!("honest: {leaves} leaves; {scope}."));
        lines.push(format!("ids: {ids}"));
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
        for cosigner in self.document.unendorsed() {
            lines.push(format!(
                "A key of {cosigner} has no word of the key before it. Whoever saw the old one is right to be alarmed; ask the operator why."
            ));
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

async fn fetch(source: &mut Source, step: Option<Step>) -> Result<Page, Fault> {
    match step {
        Some(Step { from, end, heads: true }) => source.page(from, end).await,
        Some(Step { from, end, heads: false }) => source.leaves(from, end).await,
        None => Ok(Page::default()),
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

//! Where an auditor reads a log: from a server, or from the files of an export. Both hand out the same pages.
//!
//! A source is not believed: whatever it says is judged by the audit. Here is only what can't be read at all.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nexus_crypto::audits::{Fault, FaultCode};
use nexus_crypto::hashes::Hash;
use nexus_crypto::logs::KeyDocument;
use nexus_crypto::registrations::Registration;
use nexus_crypto::tree_heads::TreeHead;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::remotes::{self, chain};
use crate::config;
use crate::exits::{Exit, Failure};

/// The leaves of an export, one a line.
pub const LEAVES: &str = "users.jsonl";
/// The heads of an export, one a line.
pub const HEADS: &str = "sth.jsonl";
/// The cosigners' keys of an export.
pub const DOCUMENT: &str = "key-transparency.json";
/// Bytes of the longest answer that is read: 1,000 leaves or heads take less than one.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of the longest line of a file.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// How often a server that is busy is asked again, and after which pause.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);

/// Where a log is read.
pub enum Source {
    /// A server.
    Server(Server),
    /// The files of an export.
    Folder(Box<Folder>),
}

impl Source {
    /// A server if it looks like an address, else a folder.
    ///
    /// # Errors
    /// A [`Failure`] if it is neither.
    pub fn open(text: &str) -> Result<Self, Failure> {
        if text.contains("://") {
            let wrong = |what| Failure::new(Exit::Usage, what, "Name a server such as https://chat.example.org, or a folder.");
            let url = if text.starts_with("http://") {
                plain(text)
            } else {
                config::base(text)
            };
            let client = remotes::client(DEADLINE)?;
            return Ok(Self::Server(Server {
                client,
                url: url.map_err(wrong)?,
            }));
        }
        Folder::open(Path::new(text)).map(|folder| Self::Folder(Box::new(folder)))
    }

    /// Whose signatures count.
    ///
    /// # Errors
    /// [`FaultCode::Unreachable`] or [`FaultCode::Unreadable`], or what is wrong with the keys.
    pub async fn document(&self) -> Result<KeyDocument, Fault> {
        let document: KeyDocument = match self {
            Self::Server(server) => server.get("/.well-known/key-transparency").await?,
            Self::Folder(folder) => folder.document()?,
        };
        Ok(document.judged()?)
    }

    /// The latest head and, asked for before it, the newest of the chain: an honest log never shows a latest that is older.
    ///
    /// # Errors
    /// As [`Source::document`], or [`FaultCode::StaleHead`].
    pub async fn latest(&self) -> Result<Option<TreeHead>, Fault> {
        match self {
            Self::Server(server) => server.latest().await,
            Self::Folder(folder) => folder.latest(),
        }
    }

    /// Does it hold leaves from this index on?
    ///
    /// # Errors
    /// As [`Source::document`].
    pub async fn has_leaf(&mut self, index: u64) -> Result<bool, Fault> {
        match self {
            Self::Server(server) => Ok(!server.leaves(index, 1).await?.is_empty()),
            Self::Folder(folder) => Ok(!folder.page(index, index + 1)?.leaves.is_empty()),
        }
    }

    /// The proof that a tree is the beginning of another; a folder needs none, because all of it is read.
    ///
    /// # Errors
    /// As [`Source::document`].
    pub async fn consistency(&self, first: u64, second: u64) -> Result<Option<Vec<Hash>>, Fault> {
        #[derive(Deserialize)]
        struct Answer {
            path: Vec<Hash>,
        }
        match self {
            Self::Server(server) => {
                let answer: Answer = server.get(&format!("/sth/proof/consistency?first={first}&second={second}")).await?;
                Ok(Some(answer.path))
            }
            Self::Folder(_) => Ok(None),
        }
    }

    /// Leaves from an index up to another, without heads.
    ///
    /// # Errors
    /// As [`Source::document`].
    pub async fn leaves(&mut self, from: u64, end: u64) -> Result<Page, Fault> {
        let leaves = match self {
            Self::Server(server) => server.leaves(from, end - from).await?,
            Self::Folder(folder) => folder.page(from, end)?.leaves,
        };
        Ok(Page { leaves, heads: vec![] })
    }

    /// Leaves from an index on, and the heads of more than that many leaves up to `end`, both in the order of the log. A folder is read
    /// forward only.
    ///
    /// # Errors
    /// As [`Source::document`].
    pub async fn page(&mut self, from: u64, end: u64) -> Result<Page, Fault> {
        match self {
            Self::Server(server) => {
                let (leaves, heads) = tokio::try_join!(server.leaves(from, end - from), server.heads(from, end))?;
                Ok(Page { leaves, heads })
            }
            Self::Folder(folder) => folder.page(from, end),
        }
    }
}

/// Some leaves and the heads among them.
#[derive(Debug, Default)]
pub struct Page {
    /// In the order of the log.
    pub leaves: Vec<Registration>,
    /// The same.
    pub heads: Vec<TreeHead>,
}

/// `http://` anywhere: an auditor believes signatures, not connections.
fn plain(text: &str) -> Result<String, String> {
    let secure = text.replacen("http://", "https://", 1);
    config::base(&secure).map(|url| url.replacen("https://", "http://", 1))
}

fn unreadable(detail: impl Into<String>) -> Fault {
    Fault::new(FaultCode::Unreadable, detail)
}

/// A leaf as a server lists it.
#[derive(Deserialize)]
struct Listed {
    leaf_index: u64,
    #[serde(flatten)]
    registration: Registration,
}

/// A log on a server.
#[derive(Clone)]
pub struct Server {
    client: reqwest::Client,
    url: String,
}

impl Server {
    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        match self.fetch(path).await? {
            (200, body) => serde_json::from_slice(&body).map_err(|cause| unreadable(format!("{path}: {cause}"))),
            (status, _) => Err(unreadable(format!("{path} answered {status}"))),
        }
    }

    async fn fetch(&self, path: &str) -> Result<(u16, Vec<u8>), Fault> {
        let mut tries = 0;
        loop {
            tries += 1;
            let answer = self.once(path).await;
            let busy = match &answer {
                Ok((status, _)) => *status == 429 || *status >= 500,
                Err(fault) => fault.code == FaultCode::Unreachable,
            };
            if !busy || tries >= TRIES {
                return match answer {
                    Ok((status, _)) if busy => Err(Fault::new(FaultCode::Unreachable, format!("{path} answered {status}"))),
                    answer => answer,
                };
            }
            tokio::time::sleep(PAUSE * tries).await;
        }
    }

    async fn once(&self, path: &str) -> Result<(u16, Vec<u8>), Fault> {
        let unreachable = |cause: reqwest::Error| Fault::new(FaultCode::Unreachable, chain(&cause));
        let mut response = self.client.get(format!("{}{path}", self.url)).send().await.map_err(unreachable)?;
        let mut body = vec![];
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(unreadable(format!("{path}: the answer is too long")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status().as_u16(), body))
    }

    async fn latest(&self) -> Result<Option<TreeHead>, Fault> {
        let newest: Vec<TreeHead> = self.get("/sth/chain?limit=1").await?;
        let latest = match self.fetch("/sth/latest").await? {
            (404, _) => None,
            (200, body) => Some(serde_json::from_slice(&body).map_err(|cause| unreadable(format!("/sth/latest: {cause}")))?),
            (status, _) => return Err(unreadable(format!("/sth/latest answered {status}"))),
        };
        let size = |head: Option<&TreeHead>| head.map_or(0, |head| head.head.tree_size);
        let (newest, shown) = (size(newest.first()), size(latest.as_ref()));
        if shown < newest {
            let detail = format!("the log calls the head of {shown} leaves its latest, and shows one of {newest}");
            return Err(Fault::at_head(FaultCode::StaleHead, shown, detail));
        }
        Ok(latest)
    }

    async fn leaves(&self, from: u64, limit: u64) -> Result<Vec<Registration>, Fault> {
        let listed: Vec<Listed> = self.get(&format!("/did/leaves?from={from}&limit={limit}")).await?;
        if listed.len() as u64 > limit {
            return Err(unreadable(format!("/did/leaves answered more than {limit} leaves")));
        }
        let in_order = |(listed, index): (Listed, u64)| {
            let found = listed.leaf_index;
            let detail = format!("leaf {index} is missing: after it was asked, the log answered leaf {found}");
            let fault = || Fault::at_leaf(FaultCode::MissingLeaf, index, detail);
            (found == index).then_some(listed.registration).ok_or_else(fault)
        };
        listed.into_iter().zip(from..).map(in_order).collect()
    }

    /// The heads above one size up to another. There is at most one for each size.
    async fn heads(&self, above: u64, end: u64) -> Result<Vec<TreeHead>, Fault> {
        let path = format!("/sth/chain?limit={}&before={}", (end - above).max(1), end + 1);
        let mut heads: Vec<TreeHead> = self.get(&path).await?;
        heads.reverse();
        // What is older was audited before.
        let first = heads.iter().position(|head| head.head.tree_size > above).unwrap_or(heads.len());
        Ok(heads.split_off(first))
    }
}

/// A log in files.
pub struct Folder {
    path: PathBuf,
    leaves: Lines<Registration>,
    heads: Peekable<Lines<TreeHead>>,
    /// Leaves read.
    at: u64,
    /// Are heads passed over that were audited before?
    resuming: bool,
}

impl Folder {
    fn open(path: &Path) -> Result<Self, Failure> {
        let open = |name: &str| {
            let file = path.join(name);
            File::open(&file).map_err(|cause| {
                Failure::new(
                    Exit::Usage,
                    format!("Can't read {}: {cause}.", file.display()),
                    format!("Name a folder that holds {LEAVES}, {HEADS} and {DOCUMENT}: what nexus log export wrote."),
                )
            })
        };
        open(DOCUMENT)?;
        Ok(Self {
            path: path.to_owned(),
            leaves: Lines::new(LEAVES, open(LEAVES)?),
            heads: Lines::new(HEADS, open(HEADS)?).peekable(),
            at: 0,
            resuming: true,
        })
    }

    fn document(&self) -> Result<KeyDocument, Fault> {
        let text = std::fs::read(self.path.join(DOCUMENT)).map_err(|cause| unreadable(format!("{DOCUMENT}: {cause}")))?;
        serde_json::from_slice(&text).map_err(|cause| unreadable(format!("{DOCUMENT}: {cause}")))
    }

    /// The last line. What is wrong in the lines before is found when they are read.
    fn latest(&self) -> Result<Option<TreeHead>, Fault> {
        let text = tail(&self.path.join(HEADS)).map_err(|cause| unreadable(format!("{HEADS}: {cause}")))?;
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        let head = last.map(|line| serde_json::from_str(line.trim())).transpose();
        head.map_err(|cause| unreadable(format!("{HEADS}, last line: {cause}")))
    }

    fn page(&mut self, from: u64, end: u64) -> Result<Page, Fault> {
        let mut page = Page::default();
        while self.at < end {
            let Some(leaf) = self.leaves.next() else { break };
            if self.at >= from {
                page.leaves.push(leaf?);
            } else {
                leaf?;
            }
            self.at += 1;
        }
        let within = |head: &Result<TreeHead, Fault>| head.as_ref().map_or(true, |head| head.head.tree_size <= end);
        while let Some(head) = self.heads.next_if(within) {
            let head = head?;
            self.resuming &= from > 0 && head.head.tree_size <= from;
            if !self.resuming {
                page.heads.push(head);
            }
        }
        Ok(page)
    }
}

/// The end of a file, with at least one whole line.
fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let from = file.metadata()?.len().saturating_sub(2 * LINE_BYTES_MAX as u64);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = vec![];
    file.read_to_end(&mut bytes)?;
    // It may begin in the middle of a letter.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The lines of a file, each a JSON value.
struct Lines<T> {
    name: &'static str,
    file: BufReader<File>,
    line: u64,
    of: std::marker::PhantomData<T>,
}

impl<T> Lines<T> {
    fn new(name: &'static str, file: File) -> Self {
        Self {
            name,
            file: BufReader::with_capacity(1024 * 1024, file),
            line: 0,
            of: std::marker::PhantomData,
        }
    }
}

impl<T: DeserializeOwned> Iterator for Lines<T> {
    type Item = Result<T, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut text = String::new();
        loop {
            text.clear();
            self.line += 1;
            let at = |cause: String| unreadable(format!("{}, line {}: {cause}", self.name, self.line));
            let most = LINE_BYTES_MAX as u64;
            match (&mut self.file).take(most).read_line(&mut text) {
                Ok(0) => return None,
                Ok(bytes) if bytes == LINE_BYTES_MAX => return Some(Err(at("the line is too long".to_owned()))),
                Ok(_) if text.trim().is_empty() => {}
                Ok(_) => return Some(serde_json::from_str(text.trim()).map_err(|cause| at(cause.to_string()))),
                Err(cause) => return Some(Err(at(cause.to_string()))),
            }
        }
    }
}

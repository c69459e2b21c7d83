//! The blocks of a page, and what their first lines say is to be done with them.

const SHELLS: &[&str] = &["sh", "bash", "shell", "console", "zsh"];

/// A language in which a page has programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Js,
    Python,
}

/// What is done with a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    Run,
    Stopped,
    Serve,
    Elsewhere,
    Program(Language),
    Receiver(Language),
    Answer,
    File(String),
}

#[derive(Debug)]
pub(super) struct Block {
    pub(super) line: usize,
    pub(super) mode: Mode,
    pub(super) body: String,
}

/// # Errors
/// A sentence about the first block whose opening nobody understands, or that is never closed.
pub(super) fn read(content: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut lines = content.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else {
            continue;
        };
        let mut body = String::new();
        let closed = lines.by_ref().map(|(_, line)| line).any(|line| {
            let end = line.trim_start().starts_with("```");
            if !end {
                body.push_str(line);
                body.push('\n');
            }
            end
        });
        if !closed {
            return Err(format!("line {}: the block is never closed", index + 1));
        }
        let Some(mode) = mode(info).map_err(|fault| format!("line {}: {fault}", index + 1))? else {
            continue;
        };
        blocks.push(Block {
            line: index + 1,
            mode,
            body,
        });
    }
    Ok(blocks)
}

/// What is to be done with a block that opens so; `None` for one that is only shown.
fn mode(info: &str) -> Result<Option<Mode>, String> {
    let words: Vec<&str> = info.split_whitespace().collect();
    Ok(Some(match words.as_slice() {
        ["sh"] => Mode::Elsewhere,
        ["sh", "run"] => Mode::Run,
        ["sh", "stopped"] => Mode::Stopped,
        ["sh", "serve"] => Mode::Serve,
        ["js", "run"] => Mode::Program(Language::Js),
        ["js", "serve"] => Mode::Receiver(Language::Js),
        ["python", "run"] => Mode::Program(Language::Python),
        ["python", "serve"] => Mode::Receiver(Language::Python),
        ["json", "answer"] => Mode::Answer,
        ["toml" | "json", "file", name] => Mode::File((*name).to_owned()),
        [shell, ..] if SHELLS.contains(shell) => {
            return Err(format!("write `sh`, `sh run`, `sh stopped` or `sh serve`, not `{info}`"));
        }
        ["js" | "python" | "json" | "toml", _, ..] => {
            return Err(format!("nobody knows what to do with `{info}`"));
        }
        _ => return Ok(None),
    }))
}

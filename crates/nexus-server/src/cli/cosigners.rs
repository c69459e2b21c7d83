//! `nexus cosigner`: what a cosigner's operator types.

use std::net::SocketAddr;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use nexus_crypto::keys::{PublicKey, Signature};
use nexus_crypto::logs::LogId;

use super::{Signals, runtime, say, stopped, watch_over_the_stop};
use crate::boot::LogAccess;
use crate::config::LogFormat;
use crate::data::DataDir;
use crate::exits::{Exit, Failure};
use crate::logs;
use crate::transparency::processes::{self, CosignerSettings, RunningCosigner};
use crate::transparency::rotations::{self, Prepared};
use crate::transparency::{evidence, keys, spelled, spelled_signature};

#[derive(Debug, Subcommand)]
pub(super) enum CosignerCommand {
    /// Serve: check that a log only grew, and sign its heads.
    Serve(Box<ServeCosigner>),
    /// Print the public key, made at the first use.
    Key {
        /// The directory that holds the cosigner's key and memory.
        #[arg(long = "data", value_name = "DIR")]
        directory: PathBuf,
    },
    /// Give a cosigner a new key. The server or cosigner of the directory must be stopped.
    Rotate(Box<Rotate>),
    /// Print what a cosigner refused to sign, a JSON object a line, the last first. The server or cosigner of the directory must be
    /// stopped.
    Evidence {
        /// The data directory of a cosigner's own program, or of the log's server.
        #[arg(long = "data", value_name = "DIR")]
        directory: PathBuf,
        /// In the log's directory: cosigner_0, cosigner_1 or cosigner_2.
        #[arg(long, value_name = "NAME")]
        cosigner: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct ServeCosigner {
    /// The directory that holds the cosigner's key and memory.
    #[arg(long = "data", value_name = "DIR")]
    directory: PathBuf,
    /// Where to listen, once or more; put TLS in front for others.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8001")]
    listen: Vec<SocketAddr>,
    /// `log_key` of the log's /.well-known/key-transparency: whose questions are answered.
    #[arg(long, value_name = "BASE64", value_parser = public_key)]
    log_key: PublicKey,
    /// `log_id` of the log's /.well-known/key-transparency.
    #[arg(long, value_name = "BASE64", value_parser = log_id)]
    log_id: LogId,
    /// For how many days refused proposals are kept after they were asked last; 0 for ever.
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    evidence_days: u32,
}

#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// The data directory of the log's server, or of a cosigner's own program.
    #[arg(long = "data", value_name = "DIR")]
    directory: PathBuf,
    /// cosigner_0, cosigner_1 or cosigner_2.
    #[arg(long, value_name = "NAME", required_unless_present = "finish")]
    cosigner: Option<String>,
    /// In a cosigner's own directory: the log it signs for.
    #[arg(long, value_name = "BASE64", value_parser = log_id)]
    log_id: Option<LogId>,
    /// In a cosigner's own directory: use the new key from now on. Do this once the log's operator has entered it.
    #[arg(long, conflicts_with_all = ["cosigner", "log_id", "public_key"])]
    finish: bool,
    /// In the log's directory: the new key of a cosigner elsewhere.
    #[arg(long, value_name = "BASE64", value_parser = public_key)]
    public_key: Option<PublicKey>,
    /// What the old key signed about it.
    #[arg(long, value_name = "BASE64", value_parser = signature, requires_all = ["public_key", "from"])]
    endorsement: Option<Signature>,
    /// The second, since 1970, from which on it counts.
    #[arg(long, value_name = "SECONDS", requires_all = ["public_key", "endorsement"])]
    from: Option<i64>,
    /// In the log's directory: the old key is lost and can't speak for the new one. Everybody who saw it is alarmed.
    #[arg(long, conflicts_with_all = ["finish", "log_id", "endorsement", "from"])]
    lost: bool,
    /// What the key log is kept in: sql or jsonl; as its server is started.
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
}

fn public_key(text: &str) -> Result<PublicKey, String> {
    PublicKey::parse(text).map_err(|cause| cause.to_string())
}

fn log_id(text: &str) -> Result<LogId, String> {
    LogId::parse(text).ok_or_else(|| "a log id is 32 bytes in base64".to_owned())
}

fn signature(text: &str) -> Result<Signature, String> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map(Signature).ok_or_else(|| "a signature is 64 bytes in base64".to_owned())
}

pub(super) fn cosigner(command: CosignerCommand) -> Result<(), Failure> {
    match command {
        CosignerCommand::Serve(serve) => serve_cosigner(&serve),
        CosignerCommand::Key { directory } => {
            let data = DataDir::open(&directory)?;
            say(spelled(&processes::own_key(&data)?.public()));
            Ok(())
        }
        CosignerCommand::Rotate(rotate) => rotating(&rotate),
        CosignerCommand::Evidence { directory, cosigner } => {
            let data = DataDir::open(&directory)?;
            evidence::lines(&data, cosigner.as_deref())?.iter().for_each(say);
            Ok(())
        }
    }
}

fn serve_cosigner(serve: &ServeCosigner) -> Result<(), Failure> {
    let data = DataDir::open(&serve.directory)?;
    logs::start(LogFormat::Auto, "info")?;
    let settings = CosignerSettings {
        listen: serve.listen.clone(),
        log_key: serve.log_key,
        log_id: serve.log_id,
        evidence_days: serve.evidence_days,
    };
    runtime()?.block_on(async {
        let mut signals = Signals::new()?;
        let running = RunningCosigner::start(data, &settings)?;
        say(format_args!("Public key: {}", spelled(&running.public_key)));
        let address = running.addresses.first().map_or_else(String::new, ToString::to_string);
        // The last line on stdout, so that a script may stop reading here.
        say(format_args!("This cosigner is running at http://{address}"));
        signals.next().await;
        tokio::spawn(async move {
            signals.next().await;
            std::process::exit(130);
        });
        watch_over_the_stop();
        if running.stop().await {
            Ok(())
        } else {
            Err(Failure::new(
                Exit::Drain,
                "A question did not finish in time and was cut off.",
                "The log will ask again.",
            ))
        }
    })
}

fn rotating(rotate: &Rotate) -> Result<(), Failure> {
    let directory = rotate.directory.clone();
    let own = directory.join(processes::KEY).exists();
    if rotate.finish {
        let key = rotations::finish(&DataDir::open(&directory)?)?;
        say(format_args!("This cosigner signs with {} from its next start on.", spelled(&key)));
        return Ok(());
    }
    let name = rotate.cosigner.clone().unwrap_or_default();
    if own {
        let log_id = rotate.log_id.ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                "Which log does it sign for?",
                "Add --log-id, as the log's /.well-known/key-transparency has it.",
            )
        })?;
        let prepared = rotations::prepare(&DataDir::open(&directory)?, &name, log_id)?;
        say("Within four minutes, while the log's server is stopped, its operator runs:");
        say(format_args!("nexus cosigner rotate --data DATA {}", flags(&name, &prepared)));
        say("and puts the new key in the place of the old one in nexus.toml. Then run here:");
        say(format_args!("nexus cosigner rotate --data {} --finish", directory.display()));
        return Ok(());
    }
    let (data, settings) = stopped(&directory, rotate.store.clone())?;
    runtime()?.block_on(async {
        let access = LogAccess::open(&data, &settings).await?;
        let done = rotate_in_log(&data, &access, &name, rotate).await;
        access.close().await;
        done
    })
}

async fn rotate_in_log(data: &DataDir, access: &LogAccess, name: &str, rotate: &Rotate) -> Result<(), Failure> {
    if let (Some(public_key), Some(endorsement), Some(from_s)) = (rotate.public_key, rotate.endorsement, rotate.from) {
        let prepared = Prepared {
            public_key,
            endorsement,
            from_s,
        };
        rotations::enter(&access.store, name, &prepared).await?;
        say(format_args!(
            "{name} has a new key. In nexus.toml, transparency.cosigners, it is now: {}",
            spelled(&public_key)
        ));
        return Ok(());
    }
    if rotate.lost {
        let key = rotations::replace(data, &access.store, name, rotate.public_key).await?;
        say(format_args!("{name} has a new key: {}", spelled(&key)));
        say("Nothing that the old key signed says so. Tell everybody who verifies this log, by another way than this server.");
        return Ok(());
    }
    if rotate.public_key.is_some() {
        return Err(Failure::new(
            Exit::Usage,
            "The old key has not spoken for this one.",
            "Add --endorsement and --from, as the cosigner's operator sent them; or --lost, if the old key is lost.",
        ));
    }
    let environment = |variable: &str| std::env::var(variable).ok();
    let (prepared, file) = rotations::rotate_own(data, &access.store, name, environment).await?;
    say(format_args!("{name} has a new key: {}", spelled(&prepared.public_key)));
    if let Some(file) = file {
        let variable = keys::variable(name);
        say(format_args!(
            "Its old key came from {variable}. Set that to the new one, base64 of the file {}, and delete the file.",
            file.display()
        ));
    }
    say("Old heads stay valid under the old key. Start the server now.");
    Ok(())
}

fn flags(name: &str, prepared: &Prepared) -> String {
    format!(
        "--cosigner {name} --public-key {} --endorsement {} --from {}",
        spelled(&prepared.public_key),
        spelled_signature(&prepared.endorsement),
        prepared.from_s
    )
}

//! The keys that may be offered, in OpenSSH's order: those of the agent that were named, the agent's
//! others, then those in files alone. A certificate goes before the bare key.

use std::{collections::VecDeque, path::PathBuf, sync::Arc};

use russh::{
    client,
    keys::{Certificate, PublicKey, agent::AgentIdentity},
};
use tokio::{net::UnixStream, time::timeout};

use super::{
    Context,
    keys::{self, Half, KeyFile},
    signer::Agent,
    target::Target,
    watch::Watch,
};
use crate::{Result, local::blocking_result};

/// Keys of the agent that are looked at.
const MOST_OF_AGENT: usize = 64;

/// A key to offer.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// What it is called, for people.
    pub(super) name: String,
    pub(super) public: PublicKey,
    pub(super) certificate: Option<Certificate>,
    pub(super) secret: Holder,
}

/// Who holds the private half.
#[derive(Clone, Debug)]
pub(super) enum Holder {
    File(Arc<KeyFile>),
    Agent(Box<AgentIdentity>),
}

/// All of them.
#[derive(Default)]
pub(super) struct Candidates {
    pub(super) queue: VecDeque<Candidate>,
    pub(super) agent: Option<Agent>,
    /// What stays unused, and why.
    pub(super) unused: Vec<String>,
}

impl Candidates {
    pub(super) async fn gather(
        context: &Context,
        target: &Target,
        handle: &client::Handle<Watch>,
    ) -> Result<Self> {
        let mut this = Self::default();
        let mut files = Vec::new();
        for identity in target.identities.iter().cloned() {
            match Box::pin(KeyFile::load(context, identity)).await? {
                None => {}
                Some(Ok(file)) => files.push(Arc::new(file)),
                Some(Err(why)) => this.unused.push(why),
            }
        }
        let certificates = this.certificates(target.certificates.clone()).await?;
        let held = this.ask_agent(context, target, handle).await;
        this.line_up(&files, &certificates, &held, target.identities_only);
        for why in &this.unused {
            context.tell(why);
        }
        Ok(this)
    }

    async fn certificates(&mut self, paths: Vec<PathBuf>) -> Result<Vec<Certificate>> {
        let read = blocking_result(move || {
            let read = paths.into_iter().map(|path| {
                keys::certificate(&path).map_err(|error| format!("{}: {error}", path.display()))
            });
            Ok(read.collect::<Vec<_>>())
        })
        .await?;
        let mut found = Vec::new();
        for certificate in read {
            match certificate {
                Ok(certificate) => found.push(certificate),
                Err(why) => self.unused.push(why),
            }
        }
        Ok(found)
    }

    /// What the agent holds; an agent that does not answer is none.
    async fn ask_agent(
        &mut self,
        context: &Context,
        target: &Target,
        handle: &client::Handle<Watch>,
    ) -> Vec<AgentIdentity> {
        let Some(path) = &target.agent else {
            return Vec::new();
        };
        let asking = async {
            let mut agent = Agent::connect(UnixStream::connect(path).await.ok()?);
            if let Some(binding) = handle.agent_session_binding() {
                // Only keys that are bound to hosts need it; an agent that does not know it has none.
                let _ = agent.bind_session(binding, false).await;
            }
            let held = agent.request_identities().await.ok()?;
            Some((agent, held))
        };
        match timeout(context.options.connect_timeout, asking).await {
            Ok(Some((agent, mut held))) => {
                held.truncate(MOST_OF_AGENT);
                context.tell(&format!("the agent holds {} key(s)", held.len()));
                self.agent = Some(agent);
                held
            }
            _ => {
                self.unused
                    .push(format!("the agent at {} does not answer", path.display()));
                Vec::new()
            }
        }
    }

    fn line_up(
        &mut self,
        files: &[Arc<KeyFile>],
        certificates: &[Certificate],
        held: &[AgentIdentity],
        named_only: bool,
    ) {
        let is_named = |identity: &AgentIdentity| {
            let key = identity.public_key();
            files
                .iter()
                .any(|file| file.public.key_data() == key.key_data())
                || certificates
                    .iter()
                    .any(|certificate| certificate.public_key() == key.key_data())
        };
        let (named, others): (Vec<_>, Vec<_>) = held.iter().partition(|held| is_named(held));
        let others = if named_only { Vec::new() } else { others };
        for identity in named.into_iter().chain(others) {
            let public = identity.public_key().into_owned();
            let holder = Holder::Agent(Box::new(identity.clone()));
            let name = format!("{} (agent)", super::plain(identity.comment()));
            let of_agent = match identity {
                AgentIdentity::Certificate { certificate, .. } => Some(certificate),
                AgentIdentity::PublicKey { .. } => None,
            };
            let beside = files.iter().filter_map(|file| file.certificate.as_ref());
            let fitting = certificates
                .iter()
                .chain(beside)
                .filter(|certificate| certificate.public_key() == public.key_data());
            let fitting: Vec<&Certificate> = of_agent.into_iter().chain(fitting).collect();
            self.push_all(&name, &public, fitting, &holder, of_agent.is_none());
        }
        for file in files {
            let name = file.path.display().to_string();
            if held.iter().any(|held| {
                held.public_key().key_data() == file.public.key_data()
                    && matches!(held, AgentIdentity::PublicKey { .. })
            }) {
                continue;
            }
            if matches!(file.half, Half::Elsewhere) {
                self.unused.push(format!(
                    "{name}: its private half is not there, and the agent does not have it"
                ));
                continue;
            }
            let fitting = certificates
                .iter()
                .chain(&file.certificate)
                .filter(|certificate| certificate.public_key() == file.public.key_data())
                .collect();
            let holder = Holder::File(Arc::clone(file));
            self.push_all(&name, &file.public, fitting, &holder, true);
        }
    }

    fn push_all(
        &mut self,
        name: &str,
        public: &PublicKey,
        certificates: Vec<&Certificate>,
        holder: &Holder,
        bare: bool,
    ) {
        let with = certificates.into_iter().cloned().map(Some);
        for certificate in with.chain(bare.then_some(None)) {
            let name = if certificate.is_some() {
                format!("{name} with its certificate")
            } else {
                name.to_owned()
            };
            self.queue.push_back(Candidate {
                name,
                public: public.clone(),
                certificate,
                secret: holder.clone(),
            });
        }
    }
}

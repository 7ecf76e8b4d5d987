//! Logging in (RFC 4252, RFC 4256): what is tried, in which order, and when to stop.
//!
//! A password that was given goes first, then keys, then questions; a server that wants several proofs
//! is given them in turn. All of this happens behind the verified host key.

use std::{pin::pin, sync::Arc, time::Duration};

use russh::{
    MethodKind, MethodSet,
    client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Interactive, Prompt as Asked},
    keys::HashAlg,
};
use tokio::{sync::MutexGuard, time::timeout};

use super::{
    Context,
    candidates::{Candidate, Candidates, Holder},
    diagnosis::{self, Tried},
    plain,
    signer::{AgentSigner, FileSigner, SignError},
    target::Target,
    watch::{Ended, Told, Watch},
};
use crate::{Error, Kind, Prompt, Result, Secret, Step};

/// Keys that are offered at the most: what servers usually let one try.
const MOST_KEYS: usize = 6;

/// Passwords that are asked for at the most.
const MOST_PASSWORDS: usize = 3;

/// Steps of one login; servers that want ever more proofs are left.
const MOST_STEPS: usize = 40;

/// Rounds of questions within one step (RFC 4256), and questions of one round.
const MOST_ROUNDS: usize = 16;
const MOST_QUESTIONS: usize = 16;

/// Logs in.
pub(super) async fn log_in(
    context: &Arc<Context>,
    target: &Target,
    handle: &mut Handle<Watch>,
    told: &Told,
) -> Result<()> {
    let login = target.login();
    let place = format!("{login}:{}", target.site.port);
    let known = target.password.clone().or_else(|| context.password(&place));
    let mut attempt = Attempt {
        context,
        target,
        handle,
        told,
        login,
        place,
        given: known,
        offered: None,
        turn: None,
        typed: None,
        candidates: None,
        rsa: None,
        asked: 0,
        interactive: true,
        tried: Tried::default(),
    };
    Box::pin(attempt.run()).await
}

/// One login.
struct Attempt<'a> {
    context: &'a Arc<Context>,
    target: &'a Target,
    handle: &'a mut Handle<Watch>,
    told: &'a Told,
    login: String,
    /// With the port: what a password is remembered by.
    place: String,
    /// A password that nobody need be asked for; used once.
    given: Option<Secret>,
    /// The password that was offered last.
    offered: Option<Secret>,
    /// Held from the first prompt on.
    turn: Option<MutexGuard<'a, ()>>,
    /// What a person typed last; remembered when it was right.
    typed: Option<Secret>,
    candidates: Option<Candidates>,
    /// The hash for RSA, once the server was asked; none within: it takes none that is safe.
    rsa: Option<Option<HashAlg>>,
    asked: usize,
    interactive: bool,
    tried: Tried,
}

/// What became of one step.
enum Outcome {
    LoggedIn,
    /// Refused, or right and not enough.
    GoOn {
        methods: MethodSet,
        partial: bool,
    },
    /// Nothing was sent.
    Unused,
    /// There is nobody to answer, and the server waits for one.
    Nobody,
}

impl Attempt<'_> {
    async fn run(&mut self) -> Result<()> {
        let user = self.target.user.clone();
        let none = self.handle.authenticate_none(user);
        let first = patiently(self.context, self.context.options.idle_timeout, none)
            .await
            .ok_or_else(|| self.silent())?
            .map_err(|_| self.lost())?;
        let Outcome::GoOn { mut methods, .. } = outcome(first) else {
            return Ok(());
        };
        for _ in 0..MOST_STEPS {
            let names = methods.iter().map(<&str>::from);
            self.tried.methods = names.filter(|name| *name != "none").collect();
            let Some(step) = self.step(&methods).await? else {
                break;
            };
            match step {
                Outcome::LoggedIn => {
                    if let Some(password) = self.typed.take() {
                        self.context.accepted(self.place.clone(), password);
                    }
                    return Ok(());
                }
                Outcome::GoOn {
                    methods: left,
                    partial,
                } => {
                    self.tried.partial |= partial;
                    methods = left;
                }
                Outcome::Unused => {}
                Outcome::Nobody => break,
            }
            if methods.is_empty() {
                break;
            }
        }
        if self.tried.keys.is_empty() && self.tried.passwords == 0 && self.ended().is_some() {
            return Err(self.lost());
        }
        Err(diagnosis::refused(
            &self.login,
            &self.tried,
            self.ended().as_ref(),
        ))
    }

    /// The next thing to try; none when all is used up.
    async fn step(&mut self, methods: &MethodSet) -> Result<Option<Outcome>> {
        let permitted = self.target.methods;
        let takes = |kind| methods.contains(&kind);
        if permitted.password
            && takes(MethodKind::Password)
            && let Some(password) = self.given.take()
        {
            return self.offer_password(password).await.map(Some);
        }
        if permitted.public_key
            && takes(MethodKind::PublicKey)
            && let Some(candidate) = self.next_candidate().await?
        {
            return Box::pin(self.offer_key(candidate)).await.map(Some);
        }
        if permitted.interactive && takes(MethodKind::KeyboardInteractive) && self.interactive {
            return Box::pin(self.answer_questions()).await.map(Some);
        }
        if permitted.password && takes(MethodKind::Password) && self.asked < MOST_PASSWORDS {
            self.asked += 1;
            if let Some(password) = self.take_turn().await {
                return self.offer_password(password).await.map(Some);
            }
            let prompt = Prompt::Password {
                login: self.login.clone(),
                again: self.tried.passwords > 0,
            };
            let Some(password) = self.context.answer(prompt).await? else {
                return Ok(None);
            };
            self.typed = Some(password.clone());
            return self.offer_password(password).await.map(Some);
        }
        Ok(None)
    }

    /// Waits until no other login prompts; gives the password that another one found meanwhile.
    async fn take_turn(&mut self) -> Option<Secret> {
        if self.turn.is_some() {
            return None;
        }
        self.turn = Some(self.context.typing.lock().await);
        // One that was offered already is known not to do.
        self.context
            .password(&self.place)
            .filter(|found| self.offered.as_ref() != Some(found))
    }

    async fn next_candidate(&mut self) -> Result<Option<Candidate>> {
        if self.candidates.is_none() {
            let gathering = Candidates::gather(self.context, self.target, self.handle);
            let found = Box::pin(gathering).await?;
            self.tried.unused.clone_from(&found.unused);
            self.candidates = Some(found);
        }
        let queue = self.candidates.as_mut().map(|found| &mut found.queue);
        if self.tried.keys.len() == MOST_KEYS {
            if let Some(queue) = queue.filter(|queue| !queue.is_empty()) {
                let left = queue.len();
                queue.clear();
                self.tried.unused.push(format!(
                    "{left} more key(s) were not tried after {MOST_KEYS}; --identity FILE names the right one"
                ));
            }
            return Ok(None);
        }
        Ok(queue.and_then(std::collections::VecDeque::pop_front))
    }

    async fn offer_password(&mut self, password: Secret) -> Result<Outcome> {
        self.offered = Some(password.clone());
        let text = String::from_utf8(password.expose().to_vec()).map_err(|_| {
            Error::new(
                Step::Login,
                Kind::Usage,
                "SSH's passwords are UTF-8, this one is not",
            )
        })?;
        self.tried.passwords += 1;
        self.context.tell("a password is offered");
        let user = self.target.user.clone();
        let offering = self.handle.authenticate_password(user, text);
        patiently(self.context, self.context.options.idle_timeout, offering)
            .await
            .ok_or_else(|| self.silent())?
            .map(outcome)
            .map_err(|_| self.lost())
    }

    async fn offer_key(&mut self, candidate: Candidate) -> Result<Outcome> {
        let is_rsa = candidate.public.algorithm().is_rsa();
        let hash = if is_rsa { self.rsa_hash().await? } else { None };
        if is_rsa && hash.is_none() && !self.context.options.ssh.legacy {
            self.tried.unused.push(format!(
                "{}: the server takes RSA keys only with SHA-1; --ssh-legacy permits that",
                candidate.name
            ));
            return Ok(Outcome::Unused);
        }
        self.context.tell(&format!(
            "key {} {} is offered",
            candidate.public.algorithm(),
            candidate.name
        ));
        self.tried.keys.push(candidate.name.clone());
        let user = self.target.user.clone();
        let limit = self.context.options.idle_timeout;
        let (key, certificate) = (candidate.public, candidate.certificate);
        let context = Arc::clone(self.context);
        let agent = self
            .candidates
            .as_mut()
            .and_then(|found| found.agent.as_mut());
        let handle = &mut *self.handle;
        let offering = async {
            match (&candidate.secret, agent) {
                (Holder::File(file), _) => {
                    let mut signer = FileSigner {
                        context: &context,
                        file,
                    };
                    match certificate {
                        Some(certificate) => {
                            handle
                                .authenticate_certificate_with(user, certificate, hash, &mut signer)
                                .await
                        }
                        None => {
                            handle
                                .authenticate_publickey_with(user, key, hash, &mut signer)
                                .await
                        }
                    }
                }
                (Holder::Agent(identity), Some(agent)) => {
                    let mut signer = AgentSigner { agent, identity };
                    match certificate {
                        Some(certificate) => {
                            handle
                                .authenticate_certificate_with(user, certificate, hash, &mut signer)
                                .await
                        }
                        None => {
                            handle
                                .authenticate_publickey_with(user, key, hash, &mut signer)
                                .await
                        }
                    }
                }
                (Holder::Agent(_), None) => Err(SignError::Agent("it is gone".to_owned())),
            }
        };
        let result = patiently(&context, limit, Box::pin(offering)).await;
        match result {
            None => Err(self.silent()),
            Some(Ok(result)) => Ok(outcome(result)),
            Some(Err(SignError::Gone)) => Err(self.lost()),
            Some(Err(SignError::Asking(error))) => Err(error),
            Some(Err(error)) => {
                let why = format!("{}: {error}", candidate.name);
                self.context.tell(&why);
                self.tried.unused.push(why);
                Ok(Outcome::Unused)
            }
        }
    }

    /// The hash to sign with RSA (RFC 8332), by what the server says it takes (RFC 8308).
    async fn rsa_hash(&mut self) -> Result<Option<HashAlg>> {
        if let Some(known) = self.rsa {
            return Ok(known);
        }
        let told = self
            .handle
            .best_supported_rsa_hash()
            .await
            .map_err(|_| self.lost())?;
        // A server that says nothing is taken to be of this century.
        let hash = told.unwrap_or(Some(HashAlg::Sha512));
        self.rsa = Some(hash);
        Ok(hash)
    }

    async fn answer_questions(&mut self) -> Result<Outcome> {
        let limit = self.context.options.idle_timeout;
        let user = self.target.user.clone();
        let starting = self
            .handle
            .authenticate_keyboard_interactive_start(user, None);
        let mut answer = patiently(self.context, limit, starting)
            .await
            .ok_or_else(|| self.silent())?
            .map_err(|_| self.lost())?;
        for _ in 0..MOST_ROUNDS {
            let (name, instructions, prompts) = match answer {
                Interactive::Success => return Ok(Outcome::LoggedIn),
                Interactive::Failure {
                    remaining_methods: methods,
                    partial_success: partial,
                } => {
                    self.asked += 1;
                    self.interactive = self.asked < MOST_PASSWORDS;
                    return Ok(Outcome::GoOn { methods, partial });
                }
                Interactive::InfoRequest {
                    name,
                    instructions,
                    prompts,
                } => (name, instructions, prompts),
            };
            if prompts.len() > MOST_QUESTIONS {
                break;
            }
            let Some(responses) = self.responses(&name, &instructions, &prompts).await? else {
                return Ok(Outcome::Nobody);
            };
            let responding = self
                .handle
                .authenticate_keyboard_interactive_respond(responses);
            answer = patiently(self.context, limit, responding)
                .await
                .ok_or_else(|| self.silent())?
                .map_err(|_| self.lost())?;
        }
        Err(Error::new(
            Step::Login,
            Kind::Protocol,
            format!("{}: the server asks without end", self.login),
        ))
    }

    /// Answers to one round; none when there is nobody to ask.
    async fn responses(
        &mut self,
        name: &str,
        instructions: &str,
        prompts: &[Asked],
    ) -> Result<Option<Vec<String>>> {
        let hidden_alone = matches!(prompts, [one] if !one.echo);
        if !prompts.is_empty() && self.given.is_none() {
            self.given = self.take_turn().await;
        }
        if hidden_alone && let Some(password) = self.given.take() {
            self.tried.passwords += 1;
            self.offered = Some(password.clone());
            let text = String::from_utf8_lossy(password.expose()).into_owned();
            return Ok(Some(vec![text]));
        }
        let mut instruction = [plain(name), plain(instructions)]
            .join(" ")
            .trim()
            .to_owned();
        let mut responses = Vec::with_capacity(prompts.len());
        for asked in prompts {
            let prompt = Prompt::Interactive {
                login: self.login.clone(),
                instruction: std::mem::take(&mut instruction),
                text: plain(&asked.prompt),
                echo: asked.echo,
            };
            let Some(answer) = self.context.answer(prompt).await? else {
                return Ok(None);
            };
            responses.push(String::from_utf8_lossy(answer.expose()).into_owned());
            if hidden_alone {
                self.typed = Some(answer);
            }
        }
        if !prompts.is_empty() {
            self.tried.passwords += 1;
        }
        Ok(Some(responses))
    }

    fn ended(&self) -> Option<Ended> {
        self.told.ended()
    }

    fn lost(&self) -> Error {
        diagnosis::lost(Step::Login, &self.login, self.ended().as_ref())
    }

    fn silent(&self) -> Error {
        let limit = self.context.options.idle_timeout;
        diagnosis::silent(Step::Login, &self.login, limit)
    }
}

fn outcome(result: AuthResult) -> Outcome {
    match result {
        AuthResult::Success => Outcome::LoggedIn,
        AuthResult::Failure {
            remaining_methods: methods,
            partial_success: partial,
        } => Outcome::GoOn { methods, partial },
    }
}

/// Waits for a server that must answer within `limit`; the time that a person takes does not count.
async fn patiently<T>(
    context: &Context,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    loop {
        match timeout(limit, work.as_mut()).await {
            Ok(done) => return Some(done),
            Err(_) if context.is_asking() => {}
            Err(_) => return None,
        }
    }
}

//! The running service: from open sockets to the last session, with signals between.
//!
//! SIGHUP reads the configuration again (a bad one is refused and the old one stays) and opens the
//! logs anew; SIGTERM and SIGINT drain, a second one ends at once.

mod certificates;

use std::{
    fs::{File, OpenOptions},
    future::Future,
    io::{self, Write as _},
    net::UdpSocket,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use wharf_accounts::Store;
use wharf_engine::{
    Ending, Engine, FrontEnd, Listener, Workers,
    acme::Acme,
    engine::Current,
    events::{Bus, Event, Format, Level, LineWriter, LogSink, Sink, XferlogSink},
    tls::Tls,
};
use wharf_ftp::{FtpFrontEnd, advertised};
use wharf_ssh::{HostKeys, SshFrontEnd};
use wharf_tftp::TftpFrontEnd;

use self::certificates::{tell_acme, tell_refreshed, time_of_day, watch_certificates};
use crate::{
    compose::{self, OpenVolumes, ViewBuilder},
    config::{Config, LogFormat, LogLevel},
};

/// Reads the configuration again.
pub(crate) type Reread = Box<dyn Fn() -> Result<Config, String> + Send + Sync>;

/// Everything that was prepared while the process could still do it.
pub(crate) struct Service {
    pub(crate) config: Config,
    /// Listeners whose connections begin in clear.
    pub(crate) explicit: Vec<Listener>,
    /// Listeners whose connections begin with TLS.
    pub(crate) implicit: Vec<Listener>,
    /// Listeners whose connections are SSH.
    pub(crate) ssh: Vec<Listener>,
    /// Sockets on which requests of TFTP come.
    pub(crate) tftp: Vec<UdpSocket>,
    /// Host keys, read while the process could; none where nobody listens for SSH.
    pub(crate) host_keys: Option<Arc<HostKeys>>,
    /// Certificates, read while the process could.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Certificates from an authority, with the port for its check.
    pub(crate) acme: Option<Acme>,
    pub(crate) reread: Reread,
    /// Runs once the listeners are served.
    pub(crate) ready: Box<dyn FnOnce() -> io::Result<()> + Send>,
}

impl Service {
    /// Serves until it is told to stop.
    ///
    /// # Errors
    /// What keeps the service from starting, as a sentence.
    pub(crate) fn run(self) -> Result<(), String> {
        let threads = self.config.server.threads;
        let threads =
            threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        // This thread accepts, hears signals and keeps the time; the workers serve sessions.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("cannot start: {error}"))?;
        let result = runtime.block_on(async {
            wharf_transfer::timer::keep_on(tokio::runtime::Handle::current());
            let workers = Workers::start(threads);
            let workers = workers.map_err(|error| format!("cannot start threads: {error}"))?;
            self.serve(Arc::new(workers)).await
        });
        // A blocked disk call must not keep the process from ending.
        runtime.shutdown_timeout(Duration::from_secs(2));
        result
    }

    async fn serve(self, workers: Arc<Workers>) -> Result<(), String> {
        let Self {
            config,
            explicit,
            implicit,
            ssh,
            tftp,
            host_keys,
            tls,
            acme,
            reread,
            ready,
        } = self;
        let open = Arc::new(OpenVolumes::default());
        let store = Store::open(&config.account_store())
            .map(Arc::new)
            .map_err(|error| {
                format!(
                    "cannot open the account store {}: {error}",
                    config.account_store().display()
                )
            })?;
        let bus = Bus::new(sinks(&config)?);
        let accounts = compose::accounts(&config, Some(&store))?;
        let views = ViewBuilder::new(&config, Arc::clone(&open));
        check_trees(&config, &views)?;
        let engine = Arc::new(Engine::new(
            bus,
            accounts,
            Box::new(views),
            compose::policy(&config),
        ));
        let settings = compose::ftp(&config, tls.as_ref());
        let ftp = FtpFrontEnds {
            explicit: Arc::new(FtpFrontEnd::new(Arc::clone(&engine), settings.clone())),
            implicit: Arc::new(FtpFrontEnd::implicit(Arc::clone(&engine), settings)),
        };
        let (stop, stopped) = watch::channel(false);
        let mut tasks = Vec::new();
        let fronts = [(explicit, &ftp.explicit), (implicit, &ftp.implicit)];
        for (listeners, front) in fronts {
            for listener in listeners {
                tasks.push(listen(listener, &workers, &engine, front, &stopped));
            }
        }
        let ssh_front = host_keys.map(|keys| {
            let settings = compose::ssh(&config, &keys);
            let front = Arc::new(SshFrontEnd::new(Arc::clone(&engine), settings));
            for listener in ssh {
                tasks.push(listen(listener, &workers, &engine, &front, &stopped));
            }
            (front, keys)
        });
        let tftp_front = (!tftp.is_empty()).then(|| {
            let settings = compose::tftp::settings(&config);
            Arc::new(TftpFrontEnd::new(Arc::clone(&engine), settings))
        });
        if let Some(front) = &tftp_front {
            for socket in tftp {
                let stop = told(stopped.clone());
                let serving = Arc::clone(front).serve(socket, Arc::clone(&workers), stop);
                tasks.push(tokio::spawn(async move {
                    // A socket that the reactor refuses leaves the others alone.
                    let _ = serving.await;
                }));
            }
        }
        let watched = Arc::new(Current::new(tls.clone()));
        tasks.push(tokio::spawn(watch_certificates(
            Arc::clone(&engine),
            Arc::clone(&watched),
            told(stopped.clone()),
        )));
        if let Some(acme) = acme {
            let told_to = Arc::clone(&engine);
            let report = move |report| tell_acme(&told_to, &report);
            tasks.push(tokio::spawn(acme.run(
                time_of_day,
                report,
                told(stopped.clone()),
            )));
        }
        tasks.push(tokio::spawn(refresh_names(
            Arc::clone(&ftp.explicit),
            told(stopped.clone()),
        )));
        if let Some(path) = config.server.metrics_file.clone() {
            let interval = config.server.metrics_interval;
            tasks.push(tokio::spawn(write_metrics(
                Arc::clone(&engine),
                path,
                interval,
                told(stopped),
            )));
        }
        ready().map_err(|error| format!("cannot write to standard output: {error}"))?;
        let mut running = Running {
            config,
            engine,
            ftp,
            ssh: ssh_front,
            tftp: tftp_front,
            tls: watched,
            store,
            open,
            reread,
        };
        running.until_told_to_stop().await?;
        // Who comes now is told so (ADM-02); then nobody is listened to any more.
        running.drain().await;
        let _ = stop.send(true);
        for task in tasks {
            let _ = task.await;
        }
        Ok(())
    }
}

/// Serves what comes to a listener.
fn listen<F: FrontEnd>(
    listener: Listener,
    workers: &Arc<Workers>,
    engine: &Arc<Engine>,
    front: &Arc<F>,
    stopped: &watch::Receiver<bool>,
) -> tokio::task::JoinHandle<()> {
    let serving = listener.serve_on(
        Arc::clone(workers),
        Arc::clone(engine),
        Arc::clone(front),
        told(stopped.clone()),
    );
    tokio::spawn(async move {
        // A listener that the reactor refuses leaves the others alone.
        let _ = serving.await;
    })
}

/// The same service on two kinds of listeners.
struct FtpFrontEnds {
    explicit: Arc<FtpFrontEnd>,
    implicit: Arc<FtpFrontEnd>,
}

struct Running {
    config: Config,
    engine: Arc<Engine>,
    ftp: FtpFrontEnds,
    /// SSH, where it is served, with the host keys of the start.
    ssh: Option<(Arc<SshFrontEnd>, Arc<HostKeys>)>,
    /// TFTP, where it is served.
    tftp: Option<Arc<TftpFrontEnd>>,
    /// The certificates of now, which a task watches.
    tls: Arc<Current<Option<Arc<Tls>>>>,
    store: Arc<Store>,
    open: Arc<OpenVolumes>,
    reread: Reread,
}

impl Running {
    async fn until_told_to_stop(&mut self) -> Result<(), String> {
        let watch = |kind| signal(kind).map_err(|error| format!("cannot watch signals: {error}"));
        let mut hangup = watch(SignalKind::hangup())?;
        let mut terminate = watch(SignalKind::terminate())?;
        let mut interrupt = watch(SignalKind::interrupt())?;
        loop {
            tokio::select! {
                _ = hangup.recv() => self.reload(),
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
            }
        }
    }

    /// A second signal does not wait.
    async fn drain(&self) {
        let grace = self.config.server.shutdown_grace;
        let again = async {
            let (mut terminate, mut interrupt) = (
                signal(SignalKind::terminate()).ok()?,
                signal(SignalKind::interrupt()).ok()?,
            );
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            Some(())
        };
        tokio::select! {
            () = self.engine.drain(grace) => {}
            _ = again => {
                self.engine.registry.end_all(Ending::Now);
                let _ = tokio::time::timeout(Duration::from_secs(10), self.engine.registry.emptied()).await;
            }
        }
    }

    fn reload(&mut self) {
        self.engine.bus.reopen();
        let refuse = |engine: &Engine, cause: &str| engine.tell("", &Event::ReloadFailed { cause });
        let mut config = match (self.reread)() {
            Ok(config) => config,
            Err(cause) => return refuse(&self.engine, &cause),
        };
        let changes = self.config.restart_changes(&config);
        // Where certificates come from was settled at the start.
        config.acme.clone_from(&self.config.acme);
        config.tls.auto_self_signed = self.config.tls.auto_self_signed;
        let views = ViewBuilder::new(&config, Arc::clone(&self.open));
        let accounts = match compose::accounts(&config, Some(&self.store)) {
            Ok(accounts) => accounts,
            Err(cause) => return refuse(&self.engine, &cause),
        };
        if let Err(cause) = check_trees(&config, &views) {
            return refuse(&self.engine, &cause);
        }
        let tls = match self.reload_tls(&config) {
            Ok(tls) => tls,
            Err(cause) => return refuse(&self.engine, &cause),
        };
        for key in changes {
            let text = format!("{key} has changed; that takes effect with a restart");
            self.engine.tell(
                "",
                &Event::Notice {
                    level: Level::Warning,
                    text: &text,
                },
            );
        }
        let settings = compose::ftp(&config, tls.as_ref());
        self.ftp.explicit.reload(settings.clone());
        self.ftp.implicit.reload(settings);
        if let Some((ssh, keys)) = &self.ssh {
            ssh.reload(compose::ssh(&config, keys));
        }
        self.tls.store(tls);
        self.engine
            .reload(accounts, Box::new(views), compose::policy(&config));
        // After the engine, which then knows the volumes of new rules.
        if let Some(tftp) = &self.tftp {
            tftp.reload(compose::tftp::settings(&config));
        }
        self.config = config;
    }

    /// New keys are taken over or refuse the reload. Under the same keys only changed files are read
    /// again: what they hold is no reason to refuse the rest.
    fn reload_tls(&self, config: &Config) -> Result<Option<Arc<Tls>>, String> {
        let current = self.tls.load();
        let Some(settings) = compose::tls(config) else {
            return Ok(None);
        };
        let Some(tls) = current.as_ref().as_ref() else {
            let tls = Tls::load(settings).map_err(|error| error.to_string())?;
            return Ok(Some(Arc::new(tls)));
        };
        if config.tls == self.config.tls {
            tell_refreshed(&self.engine, tls, tls.refresh(), &mut String::new());
        } else {
            tls.reload(settings).map_err(|error| error.to_string())?;
        }
        Ok(Some(Arc::clone(tls)))
    }
}

/// Every tree of the configuration can be opened: a folder that is missing is an error now, not at
/// the first login.
fn check_trees(config: &Config, views: &ViewBuilder) -> Result<(), String> {
    use wharf_engine::Views as _;
    let of_tftp: Vec<_> = compose::tftp::accounts(config).collect();
    for account in config
        .accounts
        .iter()
        .chain(of_tftp.iter().map(Arc::as_ref))
    {
        views
            .view(account)
            .map_err(|cause| format!("the tree of {} cannot be served: {cause}", account.name))?;
    }
    Ok(())
}

async fn told(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop as well.
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn refresh_names(ftp: Arc<FtpFrontEnd>, stop: impl Future<Output = ()>) {
    let refreshing = async {
        loop {
            let settings = ftp.settings();
            if settings.data.advertised.has_names() {
                for host in settings.data.advertised.refresh().await {
                    let text = format!(
                        "{host} has no IPv4 address now; PASV goes on with the last one known"
                    );
                    ftp.tell(&Event::Notice {
                        level: Level::Warning,
                        text: &text,
                    });
                }
            }
            tokio::time::sleep(advertised::REFRESH).await;
        }
    };
    tokio::select! {
        () = refreshing => {}
        () = stop => {}
    }
}

async fn write_metrics(
    engine: Arc<Engine>,
    path: PathBuf,
    interval: Duration,
    stop: impl Future<Output = ()>,
) {
    let writing = async {
        loop {
            let mut text = engine.bus.counters().render();
            let sessions = engine.registry.len();
            text.push_str(&format!(
                "# HELP wharf_sessions Sessions of now.\n# TYPE wharf_sessions gauge\nwharf_sessions {sessions}\n"
            ));
            let (path, told) = (path.clone(), Arc::clone(&engine));
            let written =
                tokio::task::spawn_blocking(move || replace_file(&path, text.as_bytes())).await;
            if let Ok(Err(error)) = written {
                let text = format!("the metrics file cannot be written: {error}");
                told.tell(
                    "",
                    &Event::Notice {
                        level: Level::Warning,
                        text: &text,
                    },
                );
            }
            tokio::time::sleep(interval).await;
        }
    };
    tokio::select! {
        () = writing => {}
        () = stop => {}
    }
}

/// A reader sees the old file or the new one, never half of one.
#[expect(
    clippy::disallowed_methods,
    reason = "the metrics file is the service's own, not a volume's"
)]
fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    std::fs::write(&fresh, content)?;
    std::fs::rename(&fresh, path)
}

fn sinks(config: &Config) -> Result<Vec<Box<dyn Sink>>, String> {
    let server = &config.server;
    let format = match server.log_format {
        LogFormat::Human => Format::Human,
        LogFormat::Json => Format::Json,
    };
    let level = match server.log_level {
        LogLevel::Error => Level::Error,
        LogLevel::Warning => Level::Warning,
        LogLevel::Info => Level::Info,
        LogLevel::Debug => Level::Debug,
    };
    let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(LogSink::new(
        format,
        level,
        writer(server.log_file.as_deref())?,
    ))];
    if let Some(path) = &server.xferlog_file {
        sinks.push(Box::new(XferlogSink::new(writer(Some(path))?)));
    }
    Ok(sinks)
}

/// A log in a file, or on standard error.
fn writer(path: Option<&Path>) -> Result<LineWriter, String> {
    let Some(path) = path.map(Path::to_owned) else {
        return LineWriter::start(Box::new(|| Ok(Box::new(io::stderr()))))
            .map_err(|error| error.to_string());
    };
    let shown = path.display().to_string();
    let open = move || -> io::Result<Box<dyn io::Write + Send>> {
        Ok(Box::new(io::BufWriter::new(open_log(&path)?)))
    };
    LineWriter::start(Box::new(open))
        .map_err(|error| format!("cannot open the log {shown}: {error}"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "logs are the service's own files, not a volume's"
)]
fn open_log(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)?;
    file.flush()?;
    Ok(file)
}

//! The stage of the demo: a folder, a data centre, a daemon.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use telegram_sim::{DataCentre, World};
use tgsignd::daemon::control::{Client, Reply, Request};
use tgsignd::kernel::record::RunRecord;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::AS_DAEMON;

/// Long enough for a slow machine; the runs take two seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// From writing the tasks to their slot: the time the daemon has to start.
const HEAD_START: chrono::TimeDelta = chrono::TimeDelta::seconds(4);

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    /// Files, processes or sockets.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The world file of the demo itself.
    #[error("{0}")]
    World(#[from] telegram_sim::WorldError),
    /// A command failed.
    #[error("`tgsignd {0}` failed")]
    Command(String),
    /// The daemon ended, or did not do its work in time.
    #[error("{0}")]
    Daemon(&'static str),
    /// Some runs ended differently.
    #[error("not as scripted:\n{0}")]
    NotAsScripted(String),
}

pub(super) struct Stage {
    folder: PathBuf,
    centre: DataCentre,
    /// Where the backup goes.
    webdav: webdav_sim::Server,
    daemon: Option<Child>,
    metrics: watch::Receiver<Option<SocketAddr>>,
    announce: watch::Sender<Option<SocketAddr>>,
}

impl Stage {
    /// A fresh folder with a workdir, and a data centre.
    pub(super) async fn build() -> Result<Self, StageError> {
        let folder = tempfile::Builder::new().prefix("tgsignd-demo-").tempdir()?.keep();
        let centre = DataCentre::start(World::from_toml(include_str!("world.toml"))?).await?;
        let workdir = folder.join("workdir");
        std::fs::create_dir(&workdir)?;
        let webdav = webdav_sim::Server::start(webdav_sim::profiles::APACHE).await?;
        let settings = include_str!("tgsignd.toml")
            .replace("{data_centre}", centre.daemon_config().trim())
            .replace("http://127.0.0.1:1/", &webdav.url())
            .replace("{webdav_username}", webdav.username())
            .replace("{webdav_password}", webdav.password());
        std::fs::write(workdir.join("tgsignd.toml"), settings)?;
        let (announce, metrics) = watch::channel(None);
        Ok(Self { folder, centre, webdav, daemon: None, metrics, announce })
    }

    pub(super) fn data_centre(&self) -> SocketAddr {
        self.centre.address()
    }

    fn tgsignd(&self, arguments: &[&str]) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(AS_DAEMON).args(arguments).arg("--workdir").arg(self.folder.join("workdir"));
        command.arg("--datadir").arg(self.folder.join("data")).kill_on_drop(true);
        // The demo must not depend on what the shell happens to export.
        for name in tgsignd::config::ENVIRONMENT {
            command.env_remove(name);
        }
        Ok(command)
    }

    /// Runs a command to its end, its output shown.
    pub(super) async fn command(&self, arguments: &[&str]) -> Result<(), StageError> {
        let ended = self.tgsignd(arguments)?.stdin(Stdio::null()).status().await?;
        if ended.success() { Ok(()) } else { Err(StageError::Command(arguments.join(" "))) }
    }

    /// Signs an account in; `answers` are what a person would type.
    pub(super) async fn login(&self, account: &str, answers: &str) -> Result<(), StageError> {
        let mut login = self.tgsignd(&["login", account])?.stdin(Stdio::piped()).spawn()?;
        if let Some(mut terminal) = login.stdin.take() {
            terminal.write_all(answers.as_bytes()).await?;
        }
        if login.wait().await?.success() { Ok(()) } else { Err(StageError::Command(format!("login {account}"))) }
    }

    /// Writes the tasks, whose time comes in a moment.
    pub(super) fn write_tasks(&self) -> Result<(), StageError> {
        let time = (chrono::Utc::now() + HEAD_START).format("%H:%M:%S").to_string();
        let tasks = include_str!("tasks.toml").replace("{time}", &time);
        Ok(std::fs::write(self.folder.join("workdir/tasks.toml"), tasks)?)
    }

    /// Stops the daemon, which saves what it has, and deletes the data directory with sessions and memory.
    pub(super) async fn lose_the_disk(&mut self) -> Result<(), StageError> {
        self.stop_daemon().await?;
        Ok(std::fs::remove_dir_all(self.folder.join("data"))?)
    }

    /// Names of the files on the WebDAV server.
    pub(super) fn remote_files(&self) -> Vec<String> {
        self.webdav.files()
    }

    /// Starts the daemon and waits until it is ready.
    pub(super) async fn start_daemon(&mut self) -> Result<(), StageError> {
        self.announce.send_replace(None);
        let mut daemon = self.tgsignd(&["run"])?.stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let log = daemon.stderr.take().ok_or(StageError::Daemon("the daemon has no log"))?;
        let announce = self.announce.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(log).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let address = line.split_once("metrics=").and_then(|(_, rest)| rest.split_whitespace().next());
                if let Some(address) = address.and_then(|address| address.trim_matches('"').parse().ok()) {
                    announce.send_replace(Some(address));
                }
                super::say(&format!("  {line}"));
            }
        });
        self.daemon = Some(daemon);
        let ready = self.metrics.wait_for(Option::is_some);
        match tokio::time::timeout(PATIENCE, ready).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(StageError::Daemon("the daemon did not get ready")),
        }
    }

    /// The runs, oldest first, once there are `count` of them.
    pub(super) async fn runs(&self, count: usize) -> Result<Vec<RunRecord>, StageError> {
        let datadir = self.folder.join("data");
        let asked = async {
            loop {
                let request = Request::Runs { task: None, limit: 100 };
                let client = Client::call(&datadir, &request).await?;
                let mut client = client.ok_or(StageError::Daemon("the daemon has ended"))?;
                if let Some(Reply::Runs { mut runs }) = client.next().await?
                    && runs.len() >= count
                {
                    runs.reverse();
                    return Ok(runs);
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Err(StageError::Daemon("the runs did not end in time")))
    }

    pub(super) async fn metrics(&self) -> Result<String, StageError> {
        let address = (*self.metrics.borrow()).ok_or(StageError::Daemon("the daemon is not ready"))?;
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n").await?;
        let mut page = String::new();
        stream.read_to_string(&mut page).await?;
        Ok(page)
    }

    /// Where everything is.
    pub(super) fn places(&self) -> String {
        let metrics = self.metrics.borrow().map(|address| format!("http://{address}/metrics")).unwrap_or_default();
        let folder = self.folder.display();
        format!(
            "workdir      {folder}/workdir\nmetrics      {metrics}\ntranscripts  {folder}/data/logs/runs\n\
             status       tgsignd status --workdir {folder}/workdir --datadir {folder}/data\n"
        )
    }

    /// Ends the daemon as systemd would.
    pub(super) async fn stop_daemon(&mut self) -> Result<(), StageError> {
        let Some(mut daemon) = self.daemon.take() else { return Ok(()) };
        if let Some(id) = daemon.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
            rustix::process::kill_process(id, rustix::process::Signal::TERM).map_err(io::Error::from)?;
        }
        match tokio::time::timeout(PATIENCE, daemon.wait()).await {
            Ok(Ok(ended)) if ended.success() => Ok(()),
            _ => Err(StageError::Daemon("the daemon did not stop cleanly")),
        }
    }

    /// Waits for Ctrl-C, or for the daemon's end.
    pub(super) async fn stay(&mut self) -> Result<(), StageError> {
        let Some(daemon) = &mut self.daemon else { return Ok(()) };
        tokio::select! {
            ended = daemon.wait() => {
                ended?;
                return Err(StageError::Daemon("the daemon has ended"));
            }
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
        // A terminal sends Ctrl-C to the daemon too, anybody else only to us.
        self.stop_daemon().await
    }

    /// Removes the folder.
    pub(super) fn remove(self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

//! Real WebDAV servers, each with a password and a folder of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{LOOK_AGAIN, authority, tool, within_limit};

/// Who may enter all of them.
pub(crate) const USERNAME: &str = "alice";
/// With which password.
pub(crate) const PASSWORD: &str = "hunter2";

/// `alice` and `hunter2` as both Apache and nginx read them.
const HTPASSWD: &str = "alice:{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=\n";

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Apache,
    Nginx,
    /// With the certificate of `tests/cases/tls`; not among [`Kind::ALL`].
    NginxTls,
    Rclone,
    Wsgidav,
    Dufs,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Apache, Self::Nginx, Self::Rclone, Self::Wsgidav, Self::Dufs];

    /// The program, when it is here. Apache and nginx lie where only root's PATH may look.
    fn program(self) -> Option<PathBuf> {
        let name = match self {
            Self::Apache => "apache2",
            Self::Nginx | Self::NginxTls => "nginx",
            Self::Rclone => "rclone",
            Self::Wsgidav => "wsgidav",
            Self::Dufs => "dufs",
        };
        let usual = Path::new("/usr/sbin").join(name);
        if usual.is_file() { Some(usual) } else { tool(name) }
    }
}

/// A running server. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct WebdavServer {
    kind: Kind,
    program: PathBuf,
    folder: TempDir,
    port: u16,
    process: Child,
}

impl WebdavServer {
    /// Starts it and waits until it answers; `None` when it is not installed.
    pub(crate) async fn start(kind: Kind) -> Option<Self> {
        let program = kind.program()?;
        // Not the usual place for temporary files, which may be closed to the user Apache becomes.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for path in [folder.path().to_owned(), folder.path().join("root"), folder.path().join("scratch")] {
            fs::create_dir_all(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        }
        let port = free_port();
        let process = launch(kind, &program, folder.path(), port);
        let mut server = Self { kind, program, folder, port, process };
        server.wait().await;
        Some(server)
    }

    /// The address of the root.
    pub(crate) fn url(&self) -> String {
        match self.kind {
            Kind::NginxTls => format!("https://localhost:{}/", self.port),
            _ => format!("http://127.0.0.1:{}/", self.port),
        }
    }

    /// What it serves.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Kills it in whatever it is doing, and starts it anew at the same address.
    pub(crate) async fn kill_and_restart(&mut self) {
        self.end();
        self.process = launch(self.kind, &self.program, self.folder.path(), self.port);
        self.wait().await;
    }

    async fn wait(&mut self) {
        let (port, log) = (self.port, self.folder.path().join("log"));
        let process = &mut self.process;
        let answers = async {
            while !answers(port).await {
                assert!(process.try_wait().unwrap().is_none(), "{}", fs::read_to_string(&log).unwrap_or_default());
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        within_limit(answers, || fs::read_to_string(&log).unwrap_or_default()).await;
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for WebdavServer {
    fn drop(&mut self) {
        self.end();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

async fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let request = format!("OPTIONS / HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
    let mut answer = [0; 5];
    stream.write_all(request.as_bytes()).await.is_ok()
        && stream.read_exact(&mut answer).await.is_ok()
        && answer == *b"HTTP/"
}

fn launch(kind: Kind, program: &Path, folder: &Path, port: u16) -> Child {
    let here = folder.display();
    let root = folder.join("root");
    let mut command = Command::new(program);
    match kind {
        Kind::Apache => {
            fs::write(folder.join("htpasswd"), HTPASSWD).unwrap();
            fs::write(folder.join("apache.conf"), apache(&here.to_string(), port)).unwrap();
            // One process, so that killing it kills all of it.
            command.arg("-X").arg("-f").arg(folder.join("apache.conf"));
        }
        Kind::Nginx | Kind::NginxTls => {
            fs::write(folder.join("htpasswd"), HTPASSWD).unwrap();
            let tls = if kind == Kind::NginxTls { certificate() } else { String::new() };
            fs::write(folder.join("nginx.conf"), nginx(&here.to_string(), port, &tls)).unwrap();
            command.arg("-c").arg(folder.join("nginx.conf")).arg("-p").arg(folder);
        }
        Kind::Rclone => {
            command.args(["serve", "webdav", "--addr", &format!("127.0.0.1:{port}"), "--config", "/dev/null"]);
            // What changes behind its back would else be seen after five minutes.
            command.args(["--dir-cache-time", "0s", "--user", USERNAME, "--pass", PASSWORD]).arg(root);
        }
        Kind::Wsgidav => {
            fs::write(folder.join("wsgidav.json"), wsgidav(&root.display().to_string(), port)).unwrap();
            command.arg("--config").arg(folder.join("wsgidav.json"));
        }
        Kind::Dufs => {
            command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--allow-all"]);
            command.args(["--auth", &format!("{USERNAME}:{PASSWORD}@/:rw")]).arg(root);
        }
    }
    let log = fs::File::create(folder.join("log")).unwrap();
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    command.spawn().unwrap()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn apache(here: &str, port: u16) -> String {
    let modules: String =
        ["mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic", "dav", "dav_fs"]
            .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
            .concat();
    let user = if is_root() { "User www-data\nGroup www-data\n" } else { "" };
    format!(
        "{modules}{user}ServerRoot {here}\nServerName 127.0.0.1\nListen 127.0.0.1:{port}\nPidFile {here}/pid\n\
         DefaultRuntimeDir {here}/scratch\nErrorLog {here}/log\nDavLockDB {here}/scratch/locks\n\
         DocumentRoot {here}/root\n<Directory {here}/root>\nDav On\nAuthType Basic\nAuthName dav\n\
         AuthUserFile {here}/htpasswd\nRequire valid-user\n</Directory>\n"
    )
}

/// What makes nginx listen for TLS.
fn certificate() -> String {
    let folder = authority().with_file_name("");
    let here = folder.display();
    format!(" ssl;\nssl_certificate {here}localhost.pem;\nssl_certificate_key {here}localhost.key")
}

fn nginx(here: &str, port: u16, tls: &str) -> String {
    let user = if is_root() { "user root;\n" } else { "" };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {here}/scratch/{name};\n"))
        .concat();
    format!(
        "load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;\n{user}daemon off;\nmaster_process off;\n\
         pid {here}/pid;\nerror_log {here}/log;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\
         dav_ext_lock_zone zone=locks:1m;\nserver {{\nlisten 127.0.0.1:{port}{tls};\nroot {here}/root;\n\
         client_max_body_size 0;\nlocation / {{\nauth_basic dav;\nauth_basic_user_file {here}/htpasswd;\n\
         dav_methods PUT DELETE MKCOL COPY MOVE;\ndav_ext_methods PROPFIND OPTIONS LOCK UNLOCK;\n\
         dav_ext_lock zone=locks;\n}}\n}}\n}}\n"
    )
}

fn wsgidav(root: &str, port: u16) -> String {
    serde_json::json!({
        "host": "127.0.0.1",
        "port": port,
        "server": "cheroot",
        "provider_mapping": { "/": root },
        "simple_dc": { "user_mapping": { "*": { USERNAME: { "password": PASSWORD } } } },
        "http_authenticator": { "accept_basic": true, "accept_digest": false, "default_to_digest": false },
        "lock_storage": true,
        "dir_browser": { "enable": false },
    })
    .to_string()
}

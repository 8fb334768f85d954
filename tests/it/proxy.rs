//! The shipped proxy configurations, in a real Caddy and a real nginx, in front of the real daemon, by TLS.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use super::kit::{Answer, Daemon, Stage, ask, ask_tls, certificate, tool, within_limit};

/// `prometheus:scrape me`, and what is wrong about the other two.
const RIGHT: &str = "Authorization: Basic cHJvbWV0aGV1czpzY3JhcGUgbWU=";
const WRONG_PASSWORD: &str = "Authorization: Basic cHJvbWV0aGV1czpndWVzcw==";
const GARBAGE: &str = "Authorization: Basic !!!";

/// A proxy on a port of its own; ended when dropped.
struct Proxy {
    port: u16,
    _process: Child,
    _folder: TempDir,
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/proxy").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// Replaces what an administrator replaces, and fails when it is not there.
fn replace(text: &mut String, shipped: &str, here: &str) {
    assert!(text.contains(shipped), "the shipped configuration no longer has {shipped}");
    *text = text.replace(shipped, here);
}

impl Proxy {
    async fn started(mut command: Command, folder: TempDir, port: u16) -> Self {
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = process.kill_on_drop(true).spawn().unwrap();
        let listens = async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(super::kit::LOOK_AGAIN).await;
            }
        };
        within_limit(listens, || format!("a proxy on port {port}")).await;
        Self { port, _process: process, _folder: folder }
    }

    async fn caddy(program: &Path, daemon: &Daemon) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port().await);
        let mut text = shipped("Caddyfile");
        // A certificate of our own instead of one that Caddy asks Let's Encrypt for.
        let (chain, key) = certificate();
        let site =
            format!("https://localhost:{port} {{\n\tbind 127.0.0.1\n\ttls {} {}", chain.display(), key.display());
        replace(&mut text, "tgsignd.example.com {", &site);
        replace(&mut text, "127.0.0.1:9464", &daemon.address);
        replace(&mut text, "$2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG", &hash(program).await);
        let file = folder.path().join("Caddyfile");
        std::fs::write(&file, format!("{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{text}")).unwrap();
        let mut command = Command::new(program);
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file).env("HOME", folder.path());
        Self::started(command, folder, port).await
    }

    async fn nginx(program: &Path, daemon: &Daemon) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port().await);
        let here = folder.path().display();
        let mut text = shipped("nginx.conf");
        replace(
            &mut text,
            "    listen 443 ssl;\n    listen [::]:443 ssl;\n",
            &format!("    listen 127.0.0.1:{port} ssl;\n"),
        );
        let (chain, key) = certificate();
        replace(&mut text, "/etc/letsencrypt/live/tgsignd.example.com/fullchain.pem", &chain.display().to_string());
        replace(&mut text, "/etc/letsencrypt/live/tgsignd.example.com/privkey.pem", &key.display().to_string());
        replace(&mut text, "/etc/nginx/tgsignd.htpasswd", &format!("{here}/htpasswd"));
        replace(&mut text, "127.0.0.1:9464", &daemon.address);
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {here}/{kind};\n"))
            .concat();
        let whole = format!(
            "daemon off;\nmaster_process off;\npid {here}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{text}}}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), whole).unwrap();
        std::fs::write(folder.path().join("htpasswd"), "prometheus:{PLAIN}scrape me\n").unwrap();
        let mut command = Command::new(program);
        command.arg("-c").arg(folder.path().join("nginx.conf")).arg("-p").arg(folder.path());
        Self::started(command, folder, port).await
    }

    async fn ask(&self, request: &str, headers: &[&str]) -> Answer {
        ask_tls(self.port, request, headers).await
    }

    /// What every proxy has to hold.
    async fn guards(&self) {
        for path in ["/metrics", "/livez", "/readyz", "/healthz"] {
            let request = format!("GET {path}");
            for wrong in [&[][..], &[WRONG_PASSWORD], &[GARBAGE]] {
                assert_eq!(self.ask(&request, wrong).await.status, 401, "{path} {wrong:?}");
            }
            assert_eq!(self.ask(&request, &[RIGHT]).await.status, 200, "{path}");
        }
        assert!(self.ask("GET /metrics", &[RIGHT]).await.body.contains("tgsignd_build_info"));
        for path in ["/", "/metrics/", "/metricsx", "/status"] {
            for headers in [&[][..], &[RIGHT]] {
                assert_eq!(self.ask(&format!("GET {path}"), headers).await.status, 404, "{path} {headers:?}");
            }
        }
        let plain = ask(&format!("127.0.0.1:{}", self.port), "GET /metrics", &[RIGHT]).await;
        assert_eq!(plain.status, 400, "without TLS there is nothing: {plain:?}");
        assert_eq!(self.ask("POST /metrics", &[RIGHT, "Content-Length: 0"]).await.status, 405);
    }
}

/// Caddy's hash of the right password.
async fn hash(caddy: &Path) -> String {
    let output = Command::new(caddy).args(["hash-password", "--plaintext", "scrape me"]).output().await.unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// nginx lies where only root's PATH may look.
fn nginx() -> Option<PathBuf> {
    let usual = PathBuf::from("/usr/sbin/nginx");
    if usual.is_file() { Some(usual) } else { tool("nginx") }
}

#[tokio::test]
async fn caddy_lets_only_the_four_paths_through_and_only_with_the_password() {
    let Some(caddy) = tool("caddy") else { return };
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    Proxy::caddy(&caddy, &daemon).await.guards().await;
}

#[tokio::test]
async fn nginx_does_the_same_and_limits_the_rate() {
    let Some(nginx) = nginx() else { return };
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    let proxy = Proxy::nginx(&nginx, &daemon).await;
    proxy.guards().await;
    let mut limited = 0;
    // More in one go than the burst and the rate allow.
    for _ in 0..40 {
        limited += usize::from(proxy.ask("GET /livez", &[RIGHT]).await.status == 429);
    }
    assert!(limited > 0);
}

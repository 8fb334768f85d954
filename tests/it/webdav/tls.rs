//! HTTPS with a certificate of one's own authority.

use std::path::PathBuf;

use tgsignd::backup::remote::{Problem, Remote};

use super::{content, settings};
use crate::kit::webdav_servers::{Kind, WebdavServer};
use crate::kit::{Https, authority};

/// Another authority than that of the server.
fn another() -> PathBuf {
    authority().with_file_name("another.pem")
}

/// The directory, as it is seen by one who trusts `ca` besides the usual ones.
fn trusting(url: &str, ca: Option<PathBuf>) -> Remote {
    let extra_ca = ca.map(|file| std::fs::read(file).unwrap());
    Remote::new(super::RemoteSettings { extra_ca, ..settings(url) }.check().unwrap()).unwrap()
}

#[tokio::test]
async fn a_server_is_believed_with_its_own_authority_and_with_no_other() {
    let server = Https::start(|request| {
        assert!(request.line.starts_with("PROPFIND "), "{}", request.line);
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
    });
    let url = format!("https://localhost:{}/dav/", server.address.port());
    let problem = trusting(&url, Some(authority())).list().await.unwrap_err().problem;
    assert_eq!(problem, Problem::MissingDirectory, "the server was asked and answered");
    let asked = server.requests().len();
    assert!(
        server.requests()[0].headers.iter().any(|header| header.to_ascii_lowercase().starts_with("authorization: "))
    );

    for ca in [None, Some(another())] {
        let error = trusting(&url, ca).list().await.unwrap_err();
        assert!(matches!(error.problem, Problem::Untrusted(_)), "{error}");
        let text = error.to_string();
        assert!(text.contains("certificate") && text.contains("`ca` in [backup]"), "{text}");
        assert!(error.is_transient(), "a certificate that expired is renewed");
    }
    assert_eq!(server.requests().len(), asked, "no password is sent to a server that is not trusted");
}

#[tokio::test]
async fn a_port_without_tls_is_told() {
    let server = webdav_sim::Server::start(webdav_sim::profiles::APACHE).await.unwrap();
    let error = trusting(&server.url().replace("http://", "https://"), None).list().await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("nobody speaks TLS there"), "{error}");
}

#[tokio::test]
async fn a_whole_object_goes_to_a_real_server_and_back() {
    let Some(server) = WebdavServer::start(Kind::NginxTls).await else { return };
    let remote = trusting(&server.url(), Some(authority()));
    remote.ensure_directory().await.unwrap();
    remote.put("a", content(300_000), tgsignd::backup::remote::Creation::Plain).await.unwrap();
    assert_eq!(remote.get("a", 300_000).await.unwrap().bytes, content(300_000));
    assert!(remote.list().await.unwrap().get("a").is_some());
    let error = trusting(&server.url(), Some(another())).list().await.unwrap_err();
    assert!(matches!(error.problem, Problem::Untrusted(_)), "{error}");
}

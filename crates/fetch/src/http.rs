//! HTTP with plain GET, `Range`, redirects and proxies.
use crate::{FetchError, Location, Opened};
use std::fmt;
use std::io;
use std::time::Duration;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy};

/// How to reach servers. Nothing of this is read from the environment here: a binary that wants
/// `http_proxy` and its relatives to count reads them and passes them on.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct HttpOptions {
    /// The proxy for `http://`, as a URL; it must allow `CONNECT` to the port of the server. May hold a
    /// password, and is never printed.
    pub http_proxy: Option<String>,
    /// The proxy for `https://`, as a URL.
    pub https_proxy: Option<String>,
    /// Hosts that are reached without a proxy: names or `.domain` suffixes with commas between, or `*`.
    pub no_proxy: String,
    /// CA certificates in PEM (the host's bundle); without them a built-in list of the web's CAs.
    pub ca_certificates: Option<Vec<u8>>,
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOptions")
            .field("http_proxy", &self.http_proxy.as_ref().map(|_| "***"))
            .field("https_proxy", &self.https_proxy.as_ref().map(|_| "***"))
            .field("no_proxy", &self.no_proxy)
            .field("ca_certificates", &self.ca_certificates.as_ref().map(Vec::len))
            .finish()
    }
}

/// Options that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpSetupError {
    /// A proxy is not a URL.
    #[error("the {scheme} proxy is not a URL such as http://proxy.example:3128")]
    Proxy {
        /// `http` or `https`.
        scheme: &'static str,
    },
    /// The CA file has no certificate in it.
    #[error("the CA certificates hold no PEM certificate")]
    NoCertificate,
}

#[derive(Debug)]
pub(crate) struct Http {
    direct: Agent,
    via_http: Option<Agent>,
    via_https: Option<Agent>,
    no_proxy: Vec<String>,
}

impl Http {
    pub(crate) fn new(options: HttpOptions) -> Result<Self, HttpSetupError> {
        let certificates = options.ca_certificates.as_deref().map(roots).transpose()?;
        let proxied = |url: Option<&str>, scheme| match url.filter(|u| !u.is_empty()) {
            None => Ok(None),
            Some(url) => match Proxy::new(url) {
                Ok(proxy) => Ok(Some(agent(Some(proxy), certificates.as_ref()))),
                Err(_with_the_password_in_it) => Err(HttpSetupError::Proxy { scheme }),
            },
        };
        Ok(Self {
            direct: agent(None, certificates.as_ref()),
            via_http: proxied(options.http_proxy.as_deref(), "http")?,
            via_https: proxied(options.https_proxy.as_deref(), "https")?,
            no_proxy: options.no_proxy.split(',').map(|h| h.trim().to_lowercase()).collect(),
        })
    }

    fn agent_for(&self, url: &str) -> &Agent {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let authority = rest.split('/').next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default().to_lowercase();
        let name = if host.starts_with('[') {
            host.split(']').next().unwrap_or_default().trim_start_matches('[')
        } else {
            host.split(':').next().unwrap_or_default()
        };
        let direct = self.no_proxy.iter().any(|entry| match entry.trim_start_matches('.') {
            "" => false,
            "*" => true,
            domain => name == domain || name.strip_suffix(domain).is_some_and(|n| n.ends_with('.')),
        });
        let via = if scheme == "https" { &self.via_https } else { &self.via_http };
        via.as_ref().filter(|_| !direct).unwrap_or(&self.direct)
    }

    pub(crate) fn open(&self, location: &Location, url: &str, from: u64) -> Result<Opened, FetchError> {
        let mut request = self.agent_for(url).get(url);
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        let response = request.call().map_err(|e| FetchError::Io {
            location: location.clone(),
            source: match e {
                ureq::Error::Io(source) => source,
                other => io::Error::other(other.to_string()),
            },
        })?;
        let header = |name| response.headers().get(name).and_then(|v| v.to_str().ok());
        let length = header(CONTENT_LENGTH).and_then(|v| v.trim().parse::<u64>().ok());
        let range = header(CONTENT_RANGE).and_then(range_of);
        let (from, size) = match (response.status().as_u16(), range) {
            (200, _) => (0, length),
            (206, Some((first, size))) if first == from => (from, size),
            (404 | 410, _) => return Err(FetchError::NotFound { location: location.clone() }),
            (status, _) => return Err(FetchError::Status { location: location.clone(), status }),
        };
        Ok(Opened { reader: Box::new(response.into_body().into_reader()), from, size })
    }
}

fn agent(proxy: Option<Proxy>, roots: Option<&RootCerts>) -> Agent {
    let mut tls = TlsConfig::builder();
    if let Some(roots) = roots {
        tls = tls.root_certs(roots.clone());
    }
    Agent::config_builder()
        .proxy(proxy)
        .http_status_as_error(false)
        .user_agent(concat!("esos-fetch/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls.build())
        .timeout_resolve(Some(Duration::from_secs(20)))
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_send_request(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        // Of a body as a whole; what came until then is kept, and the next try goes on from there.
        .timeout_recv_body(Some(Duration::from_secs(300)))
        .build()
        .new_agent()
}

fn roots(pem: &[u8]) -> Result<RootCerts, HttpSetupError> {
    let certificates: Vec<_> = parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(HttpSetupError::NoCertificate);
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

// `bytes 100-199/200`, where the size may be `*`.
fn range_of(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, size) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let first = range.split_once('-')?.0.parse().ok()?;
    Some((first, size.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_direct(no_proxy: &str, url: &str) -> bool {
        let options = HttpOptions {
            http_proxy: Some("http://u:secret@127.0.0.1:1".to_owned()),
            no_proxy: no_proxy.to_owned(),
            ..HttpOptions::default()
        };
        assert!(!format!("{options:?}").contains("secret"));
        let http = Http::new(options).unwrap();
        std::ptr::eq(http.agent_for(url), &raw const http.direct)
    }

    #[test]
    fn the_proxy_is_used_where_it_should() {
        assert!(!is_direct("", "http://mirror.example/"));
        assert!(is_direct("", "https://mirror.example/"));
        assert!(is_direct("localhost, .example", "http://a:b@mirror.example:80/"));
        assert!(!is_direct("ample", "http://mirror.example/"));
        assert!(is_direct("*", "http://[::1]:80/"));
        assert!(is_direct("::1", "http://[::1]:80/"));
    }

    #[test]
    fn nonsense_is_refused_without_showing_it() {
        let options = HttpOptions { https_proxy: Some("ht!tp://u:secret@".into()), ..HttpOptions::default() };
        assert_eq!(Http::new(options).unwrap_err(), HttpSetupError::Proxy { scheme: "https" });
        let options = HttpOptions { ca_certificates: Some(b"no pem".to_vec()), ..HttpOptions::default() };
        assert_eq!(Http::new(options).unwrap_err(), HttpSetupError::NoCertificate);
    }

    #[test]
    fn ranges() {
        assert_eq!(range_of("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(range_of("bytes 5-9/*"), Some((5, None)));
        assert_eq!(range_of("bytes */10"), None);
    }
}

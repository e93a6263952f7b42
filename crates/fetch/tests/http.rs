//! A server on this machine that misbehaves as mirrors and networks do.
#![expect(clippy::unwrap_used, reason = "a test may end at the first thing that goes wrong")]
use esos_fetch::{
    Event, FetchError, HostFetch, HttpOptions, Location, Sha256, Store, StoreError, Wanted, read_whole,
};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// How the server answers the n-th request (from 0), as status line, headers and body; it closes the
/// connection after each.
type Answer = dyn Fn(usize, Option<u64>) -> Vec<u8> + Send + Sync;

struct Server {
    base: Location,
    asked: Arc<Mutex<Vec<Option<u64>>>>,
}

fn serve(answer: Box<Answer>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
    let count = Arc::new(AtomicUsize::new(0));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (log, answer, count) = (Arc::clone(&log), Arc::clone(&answer), Arc::clone(&count));
            thread::spawn(move || one(stream, &log, &**answer, &count));
        }
    });
    Server { base, asked }
}

fn one(mut stream: TcpStream, log: &Mutex<Vec<Option<u64>>>, answer: &Answer, count: &AtomicUsize) {
    let (mut from, mut tunnel) = (None, false);
    for line in BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok) {
        if line.is_empty() && !tunnel {
            break;
        }
        if line.is_empty() {
            stream.write_all(b"HTTP/1.1 200 Go on\r\n\r\n").unwrap();
        }
        tunnel = line.starts_with("CONNECT mirror.invalid:80 ") || (tunnel && !line.is_empty());
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().ok();
        }
    }
    log.lock().unwrap().push(from);
    let bytes = answer(count.fetch_add(1, Ordering::SeqCst), from);
    let _closed = stream.write_all(&bytes);
}

fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn status(line: &str) -> Vec<u8> {
    format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into_bytes()
}

fn rest(body: &[u8], from: u64) -> Vec<u8> {
    let from = usize::try_from(from).unwrap();
    let (part, all) = (&body[from..], body.len());
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{all}\r\nConnection: close\r\n\r\n",
        part.len(),
        all - 1
    );
    [head.as_bytes(), part].concat()
}

fn body() -> Vec<u8> {
    (0..300_000u32).flat_map(u32::to_le_bytes).collect()
}

fn wanted(server: &Server, body: &[u8]) -> Wanted {
    Wanted {
        name: "file".to_owned(),
        locations: vec![server.base.join("pool/file").unwrap()],
        sha256: Sha256::of(body),
        size: body.len() as u64,
    }
}

fn fetch() -> HostFetch {
    HostFetch::new(HttpOptions::default()).unwrap()
}

/// The store's own files: nothing half-written may stay under `sha256/`.
fn stored(store: &Store) -> usize {
    let dirs = std::fs::read_dir(store.dir().join("sha256")).unwrap();
    dirs.map(|d| std::fs::read_dir(d.unwrap().path()).unwrap().count()).sum()
}

#[test]
fn a_broken_transfer_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let server = serve(Box::new(|n, from| match (n, from) {
        (0, _) => ok(&body())[..500_000].to_vec(),
        (1, _) => status("503 Busy"),
        (_, Some(from)) => rest(&body(), from),
        (_, None) => status("400 Range expected"),
    }));
    let retries = AtomicUsize::new(0);
    let bytes = AtomicUsize::new(0);
    let progress = |event: Event<'_>| match event {
        Event::Retry { .. } => {
            retries.fetch_add(1, Ordering::SeqCst);
        }
        Event::Bytes(n) => {
            bytes.fetch_add(usize::try_from(n).unwrap(), Ordering::SeqCst);
        }
        _ => {}
    };
    let path = store.obtain(&fetch(), &wanted(&server, &body()), &progress).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), body());
    assert_eq!(retries.into_inner(), 2);
    assert_eq!(bytes.into_inner(), body().len(), "no byte came twice");
    assert_eq!(server.asked.lock().unwrap().len(), 3);
}

#[test]
fn a_server_without_ranges_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let server = serve(Box::new(|n, _| if n == 0 { ok(&body())[..500_000].to_vec() } else { ok(&body()) }));
    let path = store.obtain(&fetch(), &wanted(&server, &body()), &()).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), body());
}

#[test]
fn leftovers_of_another_file_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let server = serve(Box::new(|_, from| from.map_or_else(|| ok(&body()), |from| rest(&body(), from))));
    let wanted = wanted(&server, &body());
    std::fs::write(dir.path().join("part").join(wanted.sha256.to_string()), b"something else").unwrap();
    let path = store.obtain(&fetch(), &wanted, &()).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), body());
    assert_eq!(*server.asked.lock().unwrap(), [Some(14), None]);
}

#[test]
fn every_refusal_has_its_own_error_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut other = body();
    other[77] ^= 1;
    let cases: [(&str, Box<Answer>); 5] = [
        ("wrong hash", Box::new(move |_, _| ok(&other))),
        ("too large", Box::new(|_, _| ok(&[body(), body()].concat()))),
        ("missing", Box::new(|_, _| status("404 Not Found"))),
        ("forbidden", Box::new(|_, _| status("403 No"))),
        ("shorter", Box::new(|_, _| ok(&body()[..100]))),
    ];
    for (case, answer) in cases {
        let server = serve(answer);
        let error = store.obtain(&fetch(), &wanted(&server, &body()), &()).unwrap_err();
        let right = match (&error, case) {
            (StoreError::Mismatch(m), "wrong hash") => m.found_size == m.size && m.found != m.expected,
            (StoreError::Mismatch(m), "shorter") => m.found_size == 100,
            (StoreError::Fetch { source, .. }, _) => matches!(
                (source, case),
                (FetchError::TooLarge { .. }, "too large")
                    | (FetchError::NotFound { .. }, "missing")
                    | (FetchError::Status { status: 403, .. }, "forbidden")
            ),
            _ => false,
        };
        assert!(right, "{case}: {error:?}");
        assert_eq!(stored(&store), 0, "{case}");
        assert_eq!(server.asked.lock().unwrap().len(), 1, "{case}: asking again would not help");
    }
}

#[test]
fn what_never_works_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let server = serve(Box::new(|_, _| status("500 No")));
    let error = store.obtain(&fetch(), &wanted(&server, &body()), &()).unwrap_err();
    assert!(matches!(error, StoreError::Fetch { source: FetchError::Status { status: 500, .. }, .. }));
    assert_eq!(server.asked.lock().unwrap().len(), 4);
}

#[test]
fn many_at_a_time_are_fetched_once_each() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(Box::new(|_, _| ok(&body())));
    let wanted = vec![wanted(&server, &body()); 8];
    let (one, two) = (Store::open(dir.path()).unwrap(), Store::open(dir.path()).unwrap());
    thread::scope(|scope| {
        for store in [&one, &two] {
            let wanted = &wanted;
            scope.spawn(move || {
                let paths = store.obtain_all(&fetch(), wanted, 4, &()).unwrap();
                assert_eq!(paths.len(), 8);
                assert_eq!(std::fs::read(&paths[7]).unwrap(), body());
            });
        }
    });
    assert_eq!(server.asked.lock().unwrap().len(), 1);
    assert_eq!(std::fs::read_dir(dir.path().join("part")).unwrap().count(), 0);
}

#[test]
fn a_file_that_rotted_in_the_store_is_fetched_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let server = serve(Box::new(|_, _| ok(&body())));
    let wanted = wanted(&server, &body());
    let path = store.obtain(&fetch(), &wanted, &()).unwrap();
    let mut rotten = body();
    rotten[1000] ^= 0x80;
    std::fs::write(&path, rotten).unwrap();
    assert_eq!(store.obtain(&fetch(), &wanted, &()).unwrap(), path);
    assert_eq!(std::fs::read(path).unwrap(), body());
}

#[test]
fn offline_uses_the_store_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let server = serve(Box::new(|_, _| ok(&body())));
    let wanted = wanted(&server, &body());
    let error = store.obtain(&HostFetch::offline(), &wanted, &()).unwrap_err();
    assert!(matches!(error, StoreError::Fetch { source: FetchError::Offline { .. }, .. }), "{error:?}");
    store.obtain(&fetch(), &wanted, &()).unwrap();
    assert!(store.obtain(&HostFetch::offline(), &wanted, &()).is_ok());
}

#[test]
fn a_small_file_has_a_limit() {
    let server = serve(Box::new(|n, _| match n {
        0 => b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n0123456789".to_vec(),
        1 => ok(b"0123456789"),
        _ => ok(b"0123"),
    }));
    let at = server.base.join("InRelease").unwrap();
    for _ in 0..2 {
        let error = read_whole(&fetch(), &at, 9, &()).unwrap_err();
        assert!(matches!(error, FetchError::TooLarge { limit: 9, .. }), "{error:?}");
    }
    assert_eq!(read_whole(&fetch(), &at, 9, &()).unwrap(), b"0123");
}

#[test]
fn a_proxy_is_asked_for_a_tunnel() {
    let proxy = serve(Box::new(|_, _| ok(b"by proxy")));
    let mut options = HttpOptions::default();
    options.http_proxy = Some(proxy.base.to_string());
    let fetch = HostFetch::new(options).unwrap();
    let at: Location = "http://mirror.invalid/debian".parse().unwrap();
    assert_eq!(read_whole(&fetch, &at, 100, &()).unwrap(), b"by proxy");
}

#[test]
fn notes_are_kept_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.note("release/x").unwrap(), None);
    store.set_note("release/x", b"1").unwrap();
    store.set_note("release/x", b"2").unwrap();
    assert_eq!(store.note("release/x").unwrap().unwrap(), b"2");
}

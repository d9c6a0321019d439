//! The Hugging Face hub: the local cache first, then the network, which gets seconds to answer.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use hf_hub::{
    Cache, Repo, RepoType,
    api::{
        Progress,
        sync::{ApiBuilder, ApiError, ApiRepo},
    },
};

use super::{Found, Watch, source::Repository};
use crate::base::{fs, model_dir};

/// How long the hub may take to answer at all. The client has no time limit of its own, and a network that drops packets
/// would hold it for minutes.
const ANSWER: Duration = Duration::from_secs(8);
/// How long a download may stand still.
const STALL: Duration = Duration::from_secs(30);
/// How often the stop signal is looked at.
const POLL: Duration = Duration::from_millis(100);

/// What the user's environment says of the hub.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// The folder of the cache; the client's default where there is none.
    pub(super) cache: Option<PathBuf>,
    /// `HF_TOKEN`; the token file of the cache where there is none.
    pub(super) token: Option<String>,
    /// `HF_ENDPOINT`.
    pub(super) endpoint: Option<String>,
    /// `HF_HUB_OFFLINE`.
    pub(super) offline: bool,
}

impl Settings {
    /// Reads `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN`, `HF_ENDPOINT` and `HF_HUB_OFFLINE`, as every tool of the hub does.
    #[expect(clippy::disallowed_methods, reason = "the hub's own variables mean the same to all of its clients")]
    pub(super) fn from_env() -> Self {
        let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let offline = var("HF_HUB_OFFLINE")
            .is_some_and(|value| matches!(value.to_lowercase().as_str(), "1" | "true" | "yes" | "on"));
        let cache = var("HF_HUB_CACHE").map(PathBuf::from);
        let cache = cache.or_else(|| var("HF_HOME").map(|home| PathBuf::from(home).join("hub")));
        Self { cache, token: var("HF_TOKEN"), endpoint: var("HF_ENDPOINT"), offline }
    }
}

pub(super) fn fetch(repository: &Repository, settings: &Settings, watch: &Watch<'_>) -> Result<Found, String> {
    let cache = settings.cache.clone().map_or_else(Cache::default, Cache::new);
    let revision = repository.revision.clone().unwrap_or_else(|| "main".to_owned());
    let repo = Repo::with_revision(repository.name.clone(), RepoType::Model, revision);
    if let Some(dir) = cached(&cache, &repo) {
        return Ok(Found { dir, made: None });
    }
    if settings.offline {
        return Err("it is not in the local cache, and `HF_HUB_OFFLINE` is set".to_owned());
    }
    let mut builder = ApiBuilder::from_cache(cache).with_progress(false).with_retries(0);
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
    }
    if let Some(token) = &settings.token {
        builder = builder.with_token(Some(token.clone()));
    }
    let api = builder.build().map_err(|error| error.to_string())?.repo(repo);
    (watch.note)(format!("asking the hub for `{}`", repository.name));
    let dir = download(api, watch)?;
    Ok(Found { dir, made: None })
}

/// The snapshot of a repository in the cache, if it is whole.
fn cached(cache: &Cache, repo: &Repo) -> Option<PathBuf> {
    // A commit has no entry among the refs, its snapshot is called by it.
    let by_commit = cache.path().join(repo.folder_name()).join("snapshots").join(repo.revision());
    let by_ref = cache.repo(repo.clone()).get("config.json").and_then(|path| Some(path.parent()?.to_owned()));
    let is_whole = |dir: &PathBuf| {
        dir.join("config.json").is_file() && model_dir::weights(dir).is_ok() && model_dir::tokenizer(dir).is_ok()
    };
    by_ref.into_iter().chain([by_commit]).find(is_whole)
}

enum News {
    Came(u64, u64),
    Done(Result<PathBuf, String>),
}

/// Downloads in a thread of its own, which is left behind when it does not answer or the caller stops: the client's calls
/// cannot be interrupted, and what they still write goes to the client's cache under temporary names.
fn download(api: ApiRepo, watch: &Watch<'_>) -> Result<PathBuf, String> {
    let (sender, news) = mpsc::channel();
    thread::Builder::new()
        .name("hub".to_owned())
        .spawn(move || {
            let result = download_files(&api, &sender);
            // Nobody listens any more when the caller gave up.
            let _ = sender.send(News::Done(result));
        })
        .map_err(|error| format!("cannot start a thread: {error}"))?;
    let mut patience = ANSWER;
    let mut last = Instant::now();
    loop {
        match news.recv_timeout(POLL) {
            Ok(News::Done(result)) => return result,
            Ok(News::Came(done, total)) => {
                (watch.progress)(done, total);
                (patience, last) = (STALL, Instant::now());
            }
            Err(RecvTimeoutError::Disconnected) => return Err("the client of the hub failed".to_owned()),
            Err(RecvTimeoutError::Timeout) if (watch.stopped)() => return Err("stopped".to_owned()),
            Err(RecvTimeoutError::Timeout) if last.elapsed() > patience => {
                return Err(format!("no answer for {} s", patience.as_secs()));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Downloads `config.json`, the best weights that there are, and the tokenizer's files.
fn download_files(api: &ApiRepo, sender: &Sender<News>) -> Result<PathBuf, String> {
    let config = download_file(api, "config.json", sender)?
        .ok_or_else(|| "there is no such model, or it has no `config.json`".to_owned())?;
    let mut weights = None;
    for name in model_dir::WEIGHTS {
        if let Some(path) = download_file(api, name, sender)? {
            weights = Some((name, path));
            break;
        }
    }
    // Whether there is what a model needs is looked at later.
    if let Some((name, path)) = weights.filter(|(name, _)| model_dir::is_index(name)) {
        let index = fs::read_text(&path).map_err(|error| error.to_string())?;
        let files = model_dir::places(&index).map_err(|what| format!("its `{name}` {what}"))?;
        for file in files.into_values().collect::<BTreeSet<_>>() {
            download_file(api, &file, sender)?;
        }
    }
    for name in model_dir::TOKENIZER {
        download_file(api, name, sender)?;
    }
    config.parent().map(ToOwned::to_owned).ok_or_else(|| "the hub has no files of it".to_owned())
}

/// A file of the repository, if it has it.
fn download_file(api: &ApiRepo, name: &str, sender: &Sender<News>) -> Result<Option<PathBuf>, String> {
    let progress = Tell { sender: sender.clone(), done: 0, total: 0 };
    match api.download_with_progress(name, progress) {
        Ok(path) => {
            // Nobody listens any more when the caller gave up.
            let _ = sender.send(News::Came(0, 0));
            Ok(Some(path))
        }
        Err(error) if is_missing(&error) => {
            let _ = sender.send(News::Came(0, 0));
            Ok(None)
        }
        Err(error) => Err(explain(&error)),
    }
}

fn is_missing(error: &ApiError) -> bool {
    has_status(error, 404)
}

/// The client's error type is not part of its interface, its text is all that there is.
fn has_status(error: &ApiError, status: u16) -> bool {
    error.to_string().contains(&format!("http status: {status}"))
}

fn explain(error: &ApiError) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("request error: ").unwrap_or(&text);
    if has_status(error, 401) || has_status(error, 403) {
        return format!("the hub refuses it ({text}): it does not exist, or `HF_TOKEN` has no access to it");
    }
    text.to_owned()
}

/// Sends what came to the thread that waits.
struct Tell {
    sender: Sender<News>,
    done: u64,
    total: u64,
}

impl Progress for Tell {
    fn init(&mut self, size: usize, _filename: &str) {
        self.total = size as u64;
        self.update(0);
    }

    fn update(&mut self, size: usize) {
        self.done += size as u64;
        let _ = self.sender.send(News::Came(self.done, self.total));
    }

    fn finish(&mut self) {}
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::hub::tests::SILENT;

    fn repository(revision: Option<&str>) -> Repository {
        Repository { name: "org/name".into(), revision: revision.map(ToOwned::to_owned) }
    }

    fn settings(cache: &std::path::Path) -> Settings {
        Settings { cache: Some(cache.to_owned()), offline: true, ..Settings::default() }
    }

    #[test]
    fn a_cached_model_needs_no_network() {
        let cache = tempfile::tempdir().unwrap();
        let model = cache.path().join("models--org--name");
        let snapshot = model.join("snapshots/0123abcd");
        std::fs::create_dir_all(&snapshot).unwrap();
        std::fs::create_dir_all(model.join("refs")).unwrap();
        File::create(model.join("refs/main")).unwrap().write_all(b"0123abcd").unwrap();
        for file in ["config.json", "model.safetensors"] {
            File::create(snapshot.join(file)).unwrap();
        }
        let told = fetch(&repository(None), &settings(cache.path()), &SILENT).err().unwrap();
        assert_eq!(
            told, "it is not in the local cache, and `HF_HUB_OFFLINE` is set",
            "without a tokenizer it is not whole"
        );
        File::create(snapshot.join("vocab.txt")).unwrap();
        for revision in [None, Some("main"), Some("0123abcd")] {
            assert_eq!(fetch(&repository(revision), &settings(cache.path()), &SILENT).unwrap().dir, snapshot);
        }
        assert!(fetch(&repository(Some("v2")), &settings(cache.path()), &SILENT).is_err());
    }

    /// Answers one request as the hub does: a part of a file, or that it has no such file.
    fn answer(mut stream: TcpStream, files: &[(&str, &str)]) -> Option<String> {
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok);
        let name = lines.next()?.split(' ').nth(1)?.strip_prefix("/org/name/resolve/main/")?.to_owned();
        let asks_for_one = lines.take_while(|line| !line.is_empty()).any(|line| line.ends_with("bytes=0-0"));
        let Some((_, text)) = files.iter().find(|(file, _)| *file == name) else {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()?;
            return Some(format!("no {name}"));
        };
        let (part, all) = (if asks_for_one { &text[..1] } else { text }, text.len());
        let len = part.len();
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {len}\r\nContent-Range: bytes 0-{}/{all}\r\nETag: \"{name}\"\r\n\
             X-Repo-Commit: 0123\r\nConnection: close\r\n\r\n{part}",
            len - 1
        );
        stream.write_all(head.as_bytes()).ok()?;
        Some(name)
    }

    /// What a hub with these files is asked for, and the files that came.
    fn downloaded(files: &'static [(&'static str, &'static str)]) -> (Vec<String>, Result<Vec<String>, String>) {
        let hub = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = hub.local_addr().unwrap();
        let (sender, asked) = mpsc::channel();
        let server = thread::spawn(move || {
            for stream in hub.incoming() {
                let Some(name) = answer(stream.unwrap(), files) else { break };
                sender.send(name).unwrap();
            }
        });
        let cache = tempfile::tempdir().unwrap();
        let settings =
            Settings { endpoint: Some(format!("http://{address}")), offline: false, ..settings(cache.path()) };
        let came = fetch(&repository(None), &settings, &SILENT).map(|found| {
            let mut names: Vec<_> =
                std::fs::read_dir(&found.dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names.into_iter().map(|name| name.into_string().unwrap()).collect()
        });
        // A request that is none ends the server.
        TcpStream::connect(address).unwrap().write_all(b"\r\n").unwrap();
        server.join().unwrap();
        let mut asked: Vec<String> = asked.into_iter().collect();
        asked.dedup();
        (asked, came)
    }

    #[test]
    fn the_best_weights_that_the_hub_has_are_downloaded() {
        const INDEX: &str = "{\"weight_map\": {\"x\": \"b.bin\", \"y\": \"a.bin\"}}";
        let (asked, came) = downloaded(&[
            ("config.json", "{}"),
            ("model.safetensors", "x"),
            ("pytorch_model.bin", "x"),
            ("tokenizer.json", "{}"),
        ]);
        assert_eq!(came.unwrap(), ["config.json", "model.safetensors", "tokenizer.json"]);
        assert!(!asked.iter().any(|name| name.contains("pytorch_model")), "{asked:?}");
        let (asked, came) = downloaded(&[
            ("config.json", "{}"),
            ("pytorch_model.bin.index.json", INDEX),
            ("a.bin", "x"),
            ("b.bin", "x"),
            ("vocab.json", "{}"),
            ("merges.txt", "x"),
        ]);
        let all = ["a.bin", "b.bin", "config.json", "merges.txt", "pytorch_model.bin.index.json", "vocab.json"];
        assert_eq!(came.unwrap(), all);
        assert_eq!(asked[1..4], ["no model.safetensors", "no model.safetensors.index.json", "no pytorch_model.bin"]);
        let (_, came) = downloaded(&[("model.safetensors", "x")]);
        assert_eq!(came.unwrap_err(), "there is no such model, or it has no `config.json`");
    }

    #[test]
    fn a_hub_that_is_not_there_is_said_at_once() {
        // A port that nothing listens on: it was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cache = tempfile::tempdir().unwrap();
        let endpoint = Some(format!("http://127.0.0.1:{port}"));
        let settings = Settings { endpoint, offline: false, ..settings(cache.path()) };
        let error = fetch(&repository(None), &settings, &SILENT).err().unwrap();
        assert!(!error.is_empty() && !error.contains("stopped"), "{error}");
    }

    #[test]
    fn a_hub_that_never_answers_can_be_stopped() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let cache = tempfile::tempdir().unwrap();
        let endpoint = Some(format!("http://{}", silent.local_addr().unwrap()));
        let settings = Settings { endpoint, offline: false, ..settings(cache.path()) };
        let stopped = Watch { stopped: &|| true, ..SILENT };
        assert_eq!(fetch(&repository(None), &settings, &stopped).err().unwrap(), "stopped");
    }

    use std::fs::File;
}

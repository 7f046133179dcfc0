//! `init`: a small workspace that builds at once, as a first thing to look at and change.
//!
//! Never overwrites: an existing `layers.toml`, there or in a package that it would write, is an error.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};

use camino::{Utf8Path, Utf8PathBuf};

use super::context::Context;
use super::error::CliError;
use crate::ui::table::{Align, Table};
use crate::workspace::overlays::LOCAL_FILE;

/// Write a small workspace that builds at once
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Where; made if it isn't there. Default: the current folder
    #[arg(value_name = "DIR")]
    pub directory: Option<Utf8PathBuf>,
}

const ROOT: &str = r#"# The workspace. Every folder below with a layers.toml of its own is a package.
[workspace]
name     = "@NAME@"
registry = "registry.localhost"     # `layerbuild push //hello` publishes <registry>/hello/hello
tag      = "latest"
"#;

const HELLO: &str = r#"# The package //hello. A target is a table named after its rule: here //hello:hello-files and //hello:hello.

[files.hello-files]                 # a layer
srcs    = ["app/**"]                # everything below hello/app …
dest    = "/opt/hello"              # … goes here
content = { "/etc/hello.conf" = "greeting=hello\n" }

[image.hello]                       # an image; `//hello` is short for `//hello:hello`
layers     = [":hello-files"]
env        = { HELLO_CONF = "/etc/hello.conf" }
entrypoint = ["/opt/hello/hello.sh"]
# There is no base yet: the image holds these two files, and no shell to run the script with. To give it one that is made
# of Debian packages, take away the # before the next line and before the two targets below it, and write the versions down
# with `layerbuild lock`. They come from the archives that this machine's apt knows. (A `pull` takes a registry's image.)
# base = ":debian"

# [image.debian]
# layers = [":debian-packages"]

# [debs.debian-packages]
# packages  = ["ca-certificates"]
# essential = true
"#;

const SCRIPT: &str = "#!/bin/sh\n. \"$HELLO_CONF\"\necho \"$greeting from layerbuild\"\n";

/// Writes the workspace, and says what to do next.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let root = cx.path(args.directory.as_deref().unwrap_or(Utf8Path::new("")));
    refuse_to_overwrite(&root)?;
    refuse_to_nest(&root)?;
    let name = workspace_name(&root);
    if cx.globals.dry_run {
        return Ok(writeln!(cx.out, "would write the workspace {name} to {root}")?);
    }
    for file in files(&name) {
        write_new(&root, &file)?;
    }
    let ignores = ignore_own_file(&root)?;
    next_steps(args, ignores, cx)
}

struct File {
    path: &'static str,
    text: String,
    executable: bool,
}

fn files(name: &str) -> [File; 3] {
    let file = |path, text: &str, executable| File { path, text: text.to_owned(), executable };
    [
        file("layers.toml", &ROOT.replace("@NAME@", name), false),
        file("hello/layers.toml", HELLO, false),
        file("hello/app/hello.sh", SCRIPT, true),
    ]
}

fn refuse_to_overwrite(root: &Utf8Path) -> Result<(), CliError> {
    for file in files("") {
        let path = root.join(file.path);
        if path.symlink_metadata().is_ok() {
            let error = CliError::usage(format!("{path} is there already; init overwrites nothing"));
            return Err(error.hint("give another folder: `layerbuild init DIR`"));
        }
    }
    Ok(())
}

/// A workspace within a workspace is taken for one of its packages.
fn refuse_to_nest(root: &Utf8Path) -> Result<(), CliError> {
    // Only what exists has an absolute path without `..`: the folder itself is left out, the folders above are looked at.
    let exists = root.ancestors().find_map(|folder| folder.canonicalize_utf8().ok()).unwrap_or_default();
    let above = exists.ancestors().skip(usize::from(root.exists()));
    let Some(outer) = above.into_iter().find(|folder| folder.join("layers.toml").is_file()) else {
        return Ok(());
    };
    let error = CliError::usage(format!("{root} lies within what {outer}/layers.toml describes"));
    Err(error.hint("init is for a workspace of its own; a new package there is a folder with a layers.toml"))
}

fn write_new(root: &Utf8Path, file: &File) -> Result<(), CliError> {
    let path = root.join(file.path);
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| create(&path, file));
    written.map_err(|error| CliError::io(format!("cannot write {path}"), &error))
}

fn create(path: &Utf8Path, file: &File) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mode = if file.executable { 0o777 } else { 0o666 };
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?.write_all(file.text.as_bytes())
}

/// Adds a developer's own file to .gitignore, unless it stands there; says whether.
fn ignore_own_file(root: &Utf8Path) -> Result<bool, CliError> {
    let path = root.join(".gitignore");
    let failed = |error: io::Error| CliError::io(format!("cannot write {path}"), &error);
    let written = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        written => written.map_err(failed)?,
    };
    if written.lines().any(|line| line.trim().trim_start_matches('/') == LOCAL_FILE) {
        return Ok(false);
    }
    let end = if written.is_empty() || written.ends_with('\n') { "" } else { "\n" };
    let mut file = OpenOptions::new().append(true).create(true).open(&path).map_err(failed)?;
    writeln!(file, "{end}/{LOCAL_FILE}").map_err(failed)?;
    Ok(true)
}

/// The folder's name, made a name: lower case, what no name may hold turned to `-`; `workspace` where nothing is left.
fn workspace_name(root: &Utf8Path) -> String {
    let folder = root.canonicalize_utf8().unwrap_or_else(|_| root.to_owned());
    let kept = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let name: String = folder.file_name().unwrap_or("").to_lowercase().chars().map(kept).collect();
    let name = name.trim_start_matches(['.', '_', '-']).trim_end_matches(['.', '_', '-']);
    if name.is_empty() { "workspace".to_owned() } else { name.to_owned() }
}

fn next_steps(args: &Args, ignores: bool, cx: &mut Context) -> Result<(), CliError> {
    let written = args.directory.as_deref().map_or_else(String::new, |dir| format!("{dir}/"));
    let files: Vec<String> = files("").iter().map(|file| format!("{written}{}", file.path)).collect();
    writeln!(cx.out, "wrote {}", files.join(", "))?;
    if ignores {
        writeln!(cx.out, "added {LOCAL_FILE}, a developer's own settings, to {written}.gitignore")?;
    }
    writeln!(cx.out, "next:")?;
    if let Some(directory) = &args.directory {
        writeln!(cx.out, "  cd {directory}")?;
    }
    let mut table = Table::new([Align::Left; 2]);
    STEPS.iter().for_each(|(command, does)| table.row([format!("  {command}"), format!("# {does}")]));
    Ok(table.write(&mut cx.out)?)
}

const STEPS: [(&str, &str); 4] = [
    ("layerbuild //hello", "build the image; again: nothing to do"),
    ("layerbuild ls //hello", "what is in it"),
    ("layerbuild load //hello", "hand it to Docker or podman"),
    ("layerbuild push //hello", "publish it to the registry in layers.toml"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::global::Flags;
    use crate::cli::process::{Input, Interrupts, Process};
    use crate::exit::Exit;
    use crate::ui::stream::{Captured, Stream};

    fn init(folder: &Utf8Path, directory: Option<&str>) -> (Result<(), CliError>, Captured) {
        let ((out, captured), (err, _)) = (Stream::memory(), Stream::memory());
        let environment = [("HOME".into(), "/nowhere".into())].into_iter().collect();
        let process = Process {
            environment,
            directory: Ok(folder.into()),
            out,
            err,
            interrupts: Interrupts::default(),
            input: Input::empty(),
        };
        let mut context = Context::new(Flags::default(), process).unwrap();
        (run(&Args { directory: directory.map(Into::into) }, &mut context), captured)
    }

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let held = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(held.path().to_owned()).unwrap();
        (held, path)
    }

    #[test]
    fn what_is_written_is_toml_named_after_the_folder() {
        let (_held, path) = folder();
        let (result, out) = init(&path, Some("My Data_Platform!"));
        result.unwrap();
        let root: toml::Table =
            fs::read_to_string(path.join("My Data_Platform!/layers.toml")).unwrap().parse().unwrap();
        assert_eq!(root["workspace"]["name"].as_str(), Some("my-data_platform"));
        let hello: toml::Table =
            fs::read_to_string(path.join("My Data_Platform!/hello/layers.toml")).unwrap().parse().unwrap();
        assert!(hello["image"]["hello"]["layers"].is_array());
        assert!(out.text().contains("layerbuild //hello"), "{}", out.text());
    }

    #[test]
    fn the_commented_base_is_toml_too() {
        let uncommented = HELLO.replace("# base", "base").replace("# [", "[").replace("# layers", "layers");
        let uncommented = uncommented.replace("# packages", "packages").replace("# essential", "essential");
        let hello: toml::Table = uncommented.parse().unwrap();
        assert_eq!(hello["image"]["hello"]["base"].as_str(), Some(":debian"));
        assert_eq!(hello["debs"]["debian-packages"]["essential"].as_bool(), Some(true));
    }

    #[test]
    fn what_is_there_is_not_overwritten() {
        let (_held, path) = folder();
        fs::write(path.join("layers.toml"), "mine").unwrap();
        let error = init(&path, None).0.unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        assert!(error.message.contains("layers.toml is there already"), "{}", error.message);
        assert_eq!(fs::read_to_string(path.join("layers.toml")).unwrap(), "mine");
        assert!(!path.join("hello").exists());
    }

    #[test]
    fn a_developers_own_file_is_ignored_by_git_once() {
        let (_held, path) = folder();
        fs::write(path.join(".gitignore"), "/target").unwrap();
        init(&path, None).0.unwrap();
        let ignored = || fs::read_to_string(path.join(".gitignore")).unwrap();
        assert_eq!(ignored(), "/target\n/layers.local.toml\n");
        assert!(!ignore_own_file(&path).unwrap());
        assert_eq!(ignored().lines().count(), 2);
    }

    #[test]
    fn a_workspace_is_not_made_within_another() {
        let (_held, path) = folder();
        init(&path, None).0.unwrap();
        let error = init(&path, Some("inner")).0.unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        assert!(!path.join("inner").exists());
    }

    #[test]
    fn a_folder_without_a_usable_name_is_called_workspace() {
        assert_eq!(workspace_name(Utf8Path::new("/no/such/…")), "workspace");
        assert_eq!(workspace_name(Utf8Path::new("/no/such/.Hidden Name")), "hidden-name");
    }
}

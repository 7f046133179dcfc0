//! `export`: images as files that other tools read.

use camino::Utf8Path;

use super::context::Context;
use super::error::CliError;
use super::images::{self, BuiltImage};
use super::patterns::Patterns;
use super::whole_file::to_file;
use super::work::{Results, Work};
use super::{dry_run, project};
use crate::effect::blobs::StoreBlobs;
use crate::event::{Event, Listener};
use crate::exit::Exit;
use crate::oci::docker_archive::{self, Loadable};
use crate::oci::layout::{self, Listed};
use crate::store::Store;

/// Build images and write them as files that other tools read
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to export.
    #[command(flatten)]
    pub patterns: Patterns,
    /// What to write
    #[arg(long, value_enum)]
    pub format: Format,
    /// Where to: a path, or - for stdout
    #[arg(long, value_name = "PATH")]
    pub to: camino::Utf8PathBuf,
}

/// What an image is exported as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// An OCI image layout: skopeo, podman, umoci, crane. A folder; a tar on stdout.
    Oci,
    /// What `docker load` reads: a tar with plain layers.
    DockerArchive,
}

/// Writes what the patterns name.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let project = project::open(&args.patterns.patterns, cx)?;
    let mut selected = project.select(cx)?;
    images::only_images(&project, &mut selected, "exported")?;
    if args.to == "-" && cx.out.is_terminal() {
        return Err(
            CliError::usage("stdout is a terminal: an archive would garble it").hint("add `> FILE`, or `--to FILE`")
        );
    }
    let store = project::open_store(cx)?;
    let lowered = project.lower(&selected, &store, cx)?;
    let work = Work::new(&project, &selected, &lowered, &store, cx)?;
    if cx.globals.dry_run {
        return dry_run::run(&work, cx);
    }
    let listener = cx.listener();
    let outcome = export(args, &work, cx, &*listener);
    drop(listener);
    outcome?;
    Ok(store.finish()?)
}

/// Builds and writes; where a blob of the store turns out damaged, both once more, unless stdout has got a part.
fn export(args: &Args, work: &Work<'_>, cx: &mut Context, listener: &dyn Listener) -> Result<(), CliError> {
    let mut again = args.to != "-";
    if args.to == "-" {
        // What was sent can't be taken back: look first.
        let (results, error) = work.build(cx, listener)?;
        error.map_or(Ok(()), Err)?;
        images::was_damaged(&images::built(work, &results), work, cx, listener)?;
    }
    loop {
        let (results, error) = work.build(cx, listener)?;
        error.map_or(Ok(()), Err)?;
        let built = images::built(work, &results);
        let fetched = images::fetch_bases(&built, work, cx, listener);
        let written = fetched.and_then(|()| write(args, &built, work, &results, cx));
        if written.is_err() && std::mem::take(&mut again) && images::was_damaged(&built, work, cx, listener)? {
            continue;
        }
        listener.event(Event::Done(results.summary.clone()));
        return written;
    }
}

fn write(
    args: &Args,
    images: &[BuiltImage<'_>],
    work: &Work<'_>,
    results: &Results,
    cx: &mut Context,
) -> Result<(), CliError> {
    let names = images::names(images, work, cx)?;
    let blobs = StoreBlobs(work.store);
    let to = cx.path(&args.to);
    match args.format {
        Format::Oci => {
            let listed = listed(images, &names, work.store)?;
            if args.to != "-" {
                return layout::write_dir(to.as_std_path(), &listed, &blobs).map_err(|error| failed(&to, &error));
            }
            layout::write_tar(&mut cx.out, &listed, &blobs).map(drop).map_err(|error| failed("stdout".into(), &error))
        }
        Format::DockerArchive => {
            let loadable = images.iter().zip(&names).map(|(image, name)| loadable(image, name));
            let loadable = loadable.collect::<Result<Vec<_>, CliError>>()?;
            let sizes = images::uncompressed(images, work, results);
            if args.to != "-" {
                return to_file(&to, |file| {
                    docker_archive::write(file, &loadable, &sizes, &blobs)
                        .map(drop)
                        .map_err(|error| failed(&to, &error))
                });
            }
            docker_archive::write(&mut cx.out, &loadable, &sizes, &blobs)
                .map(drop)
                .map_err(|error| failed("stdout".into(), &error))
        }
    }
}

fn failed(to: &Utf8Path, error: &dyn std::error::Error) -> CliError {
    CliError::new(Exit::Environment, format!("cannot write {to}: {error}"))
}

fn loadable(image: &BuiltImage<'_>, name: &str) -> Result<Loadable, CliError> {
    if image.is_index {
        let message = format!("{} is an index: a docker-archive holds images of one platform", image.label);
        return Err(CliError::usage(message).hint("export one of its images, or take `--format oci`"));
    }
    Ok(Loadable { manifest: image.descriptor(), tags: vec![name.to_owned()], known: 0 })
}

fn listed(images: &[BuiltImage<'_>], names: &[String], store: &Store) -> Result<Vec<Listed>, CliError> {
    let one = |(image, name): (&BuiltImage<'_>, &String)| {
        let platform = (!image.is_index)
            .then(|| images::config(&image.images[0], store))
            .transpose()?
            .map(|config| config.platform);
        Ok(Listed { descriptor: image.descriptor(), platform, name: Some(name.clone()) })
    };
    images.iter().zip(names).map(one).collect()
}

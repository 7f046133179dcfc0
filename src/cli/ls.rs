//! `ls`: every path of a layer or image, with mode, owner, size, and the layer that brought it; the images of an index.

use super::context::Context;
use super::error::CliError;
use super::remote::Remotes;
use super::work::{Results, Work};
use super::{dry_run, images, patterns, project};
use crate::action::record::Output;
use crate::action::{ActionId, Operation, PullAction};
use crate::base::fetch::Reader;
use crate::base::remote::Remote;
use crate::build::pull::origin;
use crate::exit::Exit;
use crate::oci::listing::{Listed, Listing};
use crate::oci::overlay::overlay;
use crate::oci::tree::Kind;
use crate::ui::table::{Align, Table};

/// List every path of a layer or image: mode, owner, size, the layer that brought it
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// A layer or image
    #[arg(value_name = "LABEL", value_parser = patterns::read)]
    pub label: String,
}

/// Lists what the target holds.
pub fn run(args: &Args, cx: &mut Context) -> Result<(), CliError> {
    let project = project::open(std::slice::from_ref(&args.label), cx)?;
    let selected = project.select(cx)?;
    let target = selected.only(&args.label, "ls")?;
    let declared = selected.graph.target(target);
    if declared.rule.purpose.is_check() {
        let is = declared.rule.purpose.describe();
        return Err(CliError::usage(format!("{} is {is}: ls takes a layer or image", declared.label)));
    }
    let store = project::open_store(cx)?;
    let lowered = project.lower(&selected, &store, cx)?;
    let work = Work::new(&project, &selected, &lowered, &store, cx)?;
    if cx.globals.dry_run {
        return dry_run::run(&work, cx);
    }
    let listener = cx.listener();
    let (results, error) = work.build(cx, &*listener)?;
    drop(listener);
    error.map_or(Ok(()), Err)?;
    let id = lowered.action(target).ok_or_else(|| CliError::new(Exit::Bug, "the target has no action"))?;
    match &lowered.graph.get(id).operation {
        Operation::Index(index) => images_of(&index.images, &work, &results)?.write(&mut cx.out)?,
        _ => {
            let remote = Remotes::new(&project, cx)?;
            table(id, &work, &results, &remote)?.write(&mut cx.out)?;
        }
    }
    Ok(store.finish()?)
}

/// Of an index: platform, digest and target of each image.
fn images_of(images: &[ActionId], work: &Work<'_>, results: &Results) -> Result<Table<3>, CliError> {
    let mut table = Table::new([Align::Left; 3]);
    for id in images {
        let Some(Output::Image(image)) = results.output(*id) else { continue };
        let platform = images::config(image, work.store)?.platform.to_string();
        table.row([platform, image.manifest.digest.to_string(), work.lowered.graph.get(*id).name()]);
    }
    Ok(table)
}

fn table(id: ActionId, work: &Work<'_>, results: &Results, remote: &dyn Remote) -> Result<Table<5>, CliError> {
    let graph = &work.lowered.graph;
    let layers = match graph.get(id).operation {
        Operation::Image(_) | Operation::Local(_) => {
            graph.pulled_below(id).map(|(id, _)| id).into_iter().chain(graph.layers_of(id)).collect()
        }
        _ => vec![id],
    };
    let read = |id: &ActionId| match &graph.get(*id).operation {
        Operation::Pull(pull) => base_listing(pull, work, remote),
        _ => listing(*id, work, results),
    };
    let listings = layers.iter().map(read).collect::<Result<Vec<_>, CliError>>()?;
    let listings: Vec<&Listing> = listings.iter().collect();
    let mut table = Table::new([Align::Left, Align::Right, Align::Right, Align::Left, Align::Left]);
    for placed in overlay(&listings) {
        let entry = placed.entry;
        let owner = format!("{}:{}", entry.uid, entry.gid);
        let label = graph.get(layers[placed.layer]).label.to_string();
        table.row([mode(entry), owner, entry.size.to_string(), path(entry), label]);
    }
    Ok(table)
}

/// What a pulled base holds; read from its registry where the store lacks its listing.
fn base_listing(pull: &PullAction, work: &Work<'_>, remote: &dyn Remote) -> Result<Listing, CliError> {
    let lost = || CliError::new(Exit::Bug, "a pulled base that is not locked was built");
    let (image, origin) = pull.image().zip(origin(pull)).ok_or_else(lost)?;
    let reader = Reader { remote, store: work.store };
    Ok(reader.listing(&origin, &reader.image(&origin, &pull.platform)?, image.listing)?)
}

fn listing(id: ActionId, work: &Work<'_>, results: &Results) -> Result<Listing, CliError> {
    let Some(Output::Layer(layer)) = results.output(id) else {
        return Err(CliError::new(Exit::Bug, "a layer without an output"));
    };
    let bytes = work.store.blobs().read_verified(&layer.listing.digest, layer.listing.size)?;
    let damaged = || CliError::environment(format!("the listing {} is damaged", layer.listing.digest));
    Listing::parse(&String::from_utf8(bytes).map_err(|_| damaged())?).map_err(|_| damaged())
}

/// As `ls -l` writes it: `drwxr-xr-x`.
fn mode(entry: &Listed) -> String {
    let kind = match entry.kind {
        Kind::Directory => 'd',
        Kind::Symlink => 'l',
        Kind::CharDevice => 'c',
        Kind::BlockDevice => 'b',
        Kind::Fifo => 'p',
        Kind::File | Kind::HardLink => '-',
    };
    let mut text = String::from(kind);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = entry.mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, entry.mode & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

fn path(entry: &Listed) -> String {
    match entry.kind {
        Kind::Symlink => format!("{} -> {}", entry.path, String::from_utf8_lossy(&entry.target)),
        Kind::HardLink => format!("{} link to /{}", entry.path, String::from_utf8_lossy(&entry.target)),
        _ => entry.path.to_string(),
    }
}

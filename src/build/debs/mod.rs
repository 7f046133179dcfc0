//! Runs `debs`: locked packages as a layer, unpacked natively. No maintainer script is run.
//!
//! Fetched, opened, laid together (`root`), then what the scripts would have made (`setup`, `alternatives`), dpkg's database
//! (`database`), the loader's cache where it matters (`loader_cache`), and a word on scripts whose effect isn't declared (`scripts`). A layer that stands on others is the
//! `difference` between all of it with and without its own packages. The order of the packages is their names'.

mod alternatives;
mod database;
pub mod deb;
mod difference;
mod left_out;
mod libraries;
mod loader_cache;
mod loader_order;
mod loader_search;
mod new;
pub mod root;
mod scripts;
mod setup;

use std::path::Path;
use std::sync::PoisonError;

use rayon::prelude::*;

use self::deb::{Deb, DebError};
use self::left_out::LeftOut;
use super::error::BuildError;
use super::{Workshop, fetch, layer};
use crate::action::record::Output;
use crate::action::{self, DebUser, DebsLayer, DebsPart};
use crate::event::{Event, Listener};
use crate::label::Label;
use crate::layer_path::LayerPath;
use crate::oci::tree::Tree;
use crate::store::StoreError;

/// Makes the layer. `listener` is told once of scripts whose effect is not in it.
pub fn run(
    label: &Label,
    action: &DebsLayer,
    shop: &Workshop<'_>,
    listener: &dyn Listener,
) -> Result<Output, BuildError> {
    let spool = tempfile::tempdir_in(shop.store.path().join("tmp"));
    let spool = spool.map_err(|error| StoreError::io("create", shop.store.path(), error))?;
    let open = |part| Ok(Opened { part, debs: opened(part, action, spool.path(), shop)? });
    let below = action.below.iter().map(open).collect::<Result<Vec<Opened<'_>>, BuildError>>()?;
    let own = open(&action.own)?;
    let (tree, unseen) = own_tree(&below, &own, action)?;
    warn(label, &own.debs, &unseen, shop, listener);
    layer::make(label, &tree, &action.compression, shop)
}

/// What the layer holds, and the directories of libraries in it that nothing finds as it is.
fn own_tree(below: &[Opened<'_>], own: &Opened<'_>, action: &DebsLayer) -> Result<(Tree, Vec<String>), BuildError> {
    let parts: Vec<&Opened<'_>> = below.iter().chain([own]).collect();
    let whole = root(&parts, action)?;
    let mut unseen = libraries::unseen(&whole);
    if below.is_empty() {
        return Ok((whole, unseen));
    }
    let under = root(&parts[..below.len()], action)?;
    let told = libraries::unseen(&under);
    unseen.retain(|directory| !told.contains(directory));
    Ok((difference::of(whole, &under, action.mtime), unseen))
}

/// The packages of a part, without what is left out of them.
fn opened(part: &DebsPart, action: &DebsLayer, spool: &Path, shop: &Workshop<'_>) -> Result<Vec<Deb>, BuildError> {
    let packages = part.packages(&action.platform).ok_or_else(|| BuildError::NotLocked {
        platform: action.platform.clone(),
        locked: part.locked.keys().map(ToString::to_string).collect(),
    })?;
    fetch::debs(packages, shop)?;
    let left_out = LeftOut::new(&part.exclude_paths);
    let open = |package: &action::Deb| {
        let mut deb = open(package, spool, action.mtime, shop)?;
        left_out.apply(&mut deb);
        Ok(deb)
    };
    shop.workers.install(|| packages.par_iter().map(open).collect())
}

fn open(package: &action::Deb, spool: &Path, mtime: u64, shop: &Workshop<'_>) -> Result<Deb, BuildError> {
    // Once more, as all that leaves the store: damage is found here, and the package fetched again.
    shop.store.blobs().read_verified(&package.digest, package.size)?;
    let path = shop.store.blobs().path(&package.digest);
    let wrong = |source| BuildError::Deb { name: package.to_string(), source };
    let deb = Deb::open(&path, spool, mtime).map_err(wrong)?;
    if deb.name == package.name { Ok(deb) } else { Err(wrong(DebError::Format("it is another package"))) }
}

/// A part with its packages.
struct Opened<'p> {
    part: &'p DebsPart,
    debs: Vec<Deb>,
}

/// The root file system of some parts, the lowest first.
fn root(parts: &[&Opened<'_>], action: &DebsLayer) -> Result<Tree, BuildError> {
    let mut debs: Vec<&Deb> = parts.iter().flat_map(|opened| &opened.debs).collect();
    debs.sort_by(|a, b| a.name.cmp(&b.name));
    let whole = parts.iter().any(|opened| opened.part.essential);
    let users: Vec<DebUser> = parts.iter().flat_map(|opened| opened.part.users.clone()).collect();
    tree(&debs, whole, &users, action)
}

/// All that packages make together. `whole`: they are a root file system.
fn tree(debs: &[&Deb], whole: bool, users: &[DebUser], action: &DebsLayer) -> Result<Tree, BuildError> {
    let mut tree = root::merge(debs, action.merged_usr, whole, action.mtime).map_err(BuildError::Collisions)?;
    setup::add(&mut tree, users, action.mtime);
    let scripts: Vec<String> = debs.iter().map(|deb| deb.member("postinst")).collect();
    let merged = root::Merged::new(action.merged_usr);
    let place = |path: &str| LayerPath::new(path).map(|path| merged.place(&path).to_string()).unwrap_or_default();
    alternatives::add(&mut tree, scripts.iter().map(String::as_str), &place, action.mtime);
    let unreadable = |source: std::io::Error| BuildError::Deb { name: "a package".into(), source: source.into() };
    database::add(&mut tree, debs, whole, action.mtime).map_err(unreadable)?;
    complete(&mut tree, action.mtime);
    // Beside packages that aren't here, a cache of these alone would hide what only theirs names.
    if whole {
        loader_cache::add(&mut tree, &merged, &action.platform.architecture, action.mtime);
    }
    Ok(tree)
}

/// Parents of paths that were moved.
fn complete(tree: &mut Tree, mtime: u64) {
    let paths: Vec<LayerPath> = tree.entries.keys().cloned().collect();
    for path in paths {
        // A file in the place of a directory was a collision before.
        let _ = tree.imply_parents(&path, mtime);
    }
}

/// What is not in the layer, although the packages would have it when they are installed. Of each package once a build.
fn warn(label: &Label, debs: &[Deb], unseen: &[String], shop: &Workshop<'_>, listener: &dyn Listener) {
    let uncovered = debs.iter().filter(|deb| !scripts::is_covered(&deb.name, &deb.member("postinst")));
    let mut told = shop.told.lock().unwrap_or_else(PoisonError::into_inner);
    let names: Vec<&str> =
        uncovered.map(|deb| deb.name.as_str()).filter(|name| told.insert((*name).to_owned())).collect();
    if !names.is_empty() {
        let names = names.join(", ");
        listener.event(Event::Warning(format!(
            "{label}: postinst scripts are not run; declare what those of {names} would do, where it matters"
        )));
    }
    if !unseen.is_empty() {
        listener.event(Event::Warning(format!(
            "{label}: libraries in {} are found only after `ldconfig`: add a `run` with that command",
            unseen.join(", ")
        )));
    }
}

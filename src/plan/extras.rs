//! Actions that stand beside those of targets: fetches, and images for other platforms than their own.
//!
//! Rules ask for them in parallel; [`Extras::complete`] puts them behind the targets' actions. A layer is the same on
//! every platform but for one of packages, so a variant of an image shares its layers, and has variants of such and of the
//! images below it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::action::{Action, ActionId, Fetch, Operation};
use crate::label::Label;
use crate::platform::Platform;

/// What rules asked for so far.
pub struct Extras {
    /// How many actions stand before.
    first: usize,
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Asked {
    extras: Vec<Extra>,
    variants: HashMap<(ActionId, Platform), ActionId>,
}

enum Extra {
    Ready(Action),
    Variant(ActionId, Platform),
}

impl Extras {
    /// None yet; their ids begin behind `first` actions.
    pub fn after(first: usize) -> Extras {
        Extras { first, asked: Mutex::default() }
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fetch for a target.
    pub fn fetch(&self, label: &Label, fetch: Fetch) -> ActionId {
        self.add(Action { label: label.clone(), variant: None, operation: Operation::Fetch(fetch) })
    }

    /// Any other action beside a target's.
    pub fn add(&self, action: Action) -> ActionId {
        self.asked().push(self.first, Extra::Ready(action))
    }

    /// An image for another platform than its own; the same one for the same question.
    pub fn variant(&self, image: ActionId, platform: &Platform) -> ActionId {
        self.asked().variant(self.first, image, platform)
    }

    /// All actions: those of targets, then the extra ones.
    pub fn complete(&self, mut actions: Vec<Action>) -> Vec<Action> {
        let mut asked = std::mem::take(&mut *self.asked());
        let mut at = 0;
        while at < asked.extras.len() {
            let action = match &asked.extras[at] {
                Extra::Ready(action) => action.clone(),
                Extra::Variant(image, platform) => {
                    let (image, platform) = (actions[image.index()].clone(), platform.clone());
                    asked.vary(image, &platform, self.first, &actions)
                }
            };
            actions.push(action);
            at += 1;
        }
        actions
    }
}

impl Asked {
    fn push(&mut self, first: usize, extra: Extra) -> ActionId {
        self.extras.push(extra);
        ActionId((first + self.extras.len() - 1) as u32)
    }

    fn variant(&mut self, first: usize, image: ActionId, platform: &Platform) -> ActionId {
        let question = (image, platform.clone());
        if let Some(known) = self.variants.get(&question) {
            return *known;
        }
        let id = self.push(first, Extra::Variant(image, platform.clone()));
        self.variants.insert(question, id);
        id
    }

    /// The target's own action, where the one given is a variant of it.
    fn own(&self, first: usize, id: ActionId) -> ActionId {
        match id.index().checked_sub(first).map(|at| &self.extras[at]) {
            Some(Extra::Variant(own, _)) => *own,
            _ => id,
        }
    }

    /// An image's action for a platform; asks for the same of the image below, where that is for another.
    fn vary(&mut self, mut action: Action, platform: &Platform, first: usize, actions: &[Action]) -> Action {
        match &mut action.operation {
            Operation::Image(image) => {
                let own = image.base.map(|base| self.own(first, base));
                let other = |base: &ActionId| {
                    actions[base.index()].operation.image_platform().is_some_and(|below| below != platform)
                };
                image.base = own.map(|base| if other(&base) { self.variant(first, base, platform) } else { base });
                for layer in &mut image.layers {
                    let own = self.own(first, *layer);
                    if let Operation::Debs(debs) = &actions[own.index()].operation {
                        *layer = if debs.platform == *platform { own } else { self.variant(first, own, platform) };
                    }
                }
                image.spec.platform = platform.clone();
            }
            Operation::Pull(pull) => pull.platform = platform.clone(),
            Operation::Debs(debs) => debs.platform = platform.clone(),
            _ => {}
        }
        action.variant = Some(platform.clone());
        action
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::ImageAction;
    use crate::label::PackagePath;

    fn image(name: &str, base: Option<ActionId>) -> Action {
        let label = Label::parse(name, &PackagePath::default()).unwrap();
        let action = ImageAction { base, layers: Vec::new(), spec: Default::default() };
        Action { label, variant: None, operation: Operation::Image(Box::new(action)) }
    }

    #[test]
    fn a_variant_stands_on_variants_and_each_is_made_once() {
        let actions = vec![image("//:base", None), image("//:app", Some(ActionId(0)))];
        let extras = Extras::after(2);
        let arm: Platform = "linux/arm64".parse().unwrap();
        let app = extras.variant(ActionId(1), &arm);
        assert_eq!(extras.variant(ActionId(1), &arm), app);
        let actions = extras.complete(actions);
        let names: Vec<String> = actions[2..].iter().map(Action::name).collect();
        assert_eq!(names, ["//:app [linux/arm64]", "//:base [linux/arm64]"]);
        assert_eq!(actions[app.index()].operation.inputs(), [ActionId(3)]);
        let Operation::Image(below) = &actions[3].operation else { panic!("no image") };
        assert_eq!(below.spec.platform, arm);
    }
}

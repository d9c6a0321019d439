//! The state dict in what a pickle made.

use std::collections::BTreeMap;

use super::{
    View,
    machine::{Id, Object, Value},
};

/// The tensors of a state dict by name: of the dict itself, or of the one that it holds under `state_dict`. What a
/// checkpoint has beside them (an epoch, the state of an optimiser) is not looked at.
///
/// # Errors
/// When it is no dict, has no tensors, or one name twice.
pub(super) fn views(object: &Object) -> Result<BTreeMap<String, &View>, String> {
    let root = dict(object, object.root).ok_or("it holds no state dict, but something else")?;
    let is_state_dict = |(key, value): &&(Id, Id)| {
        matches!(object.value(*key), Value::Text(name) if name == "state_dict") && dict(object, *value).is_some()
    };
    let entries = root.iter().find(is_state_dict).and_then(|(_, value)| dict(object, *value)).unwrap_or(root);
    let mut views = BTreeMap::new();
    for (key, value) in entries {
        let (Value::Text(name), Value::Tensor(view)) = (object.value(*key), object.value(*value)) else { continue };
        if views.contains_key(name) {
            return Err(format!("the name `{name}` stands twice in it"));
        }
        views.insert(name.clone(), view);
    }
    if views.is_empty() { Err("there are no tensors in it".to_owned()) } else { Ok(views) }
}

fn dict(object: &Object, id: Id) -> Option<&[(Id, Id)]> {
    if let Value::Dict(entries) = object.value(id) { Some(entries) } else { None }
}

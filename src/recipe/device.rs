//! `device:` and `devices:`: where stages may run.

use std::collections::BTreeMap;

use super::{
    diagnostic::Diagnostic,
    fields::{Fields, check_name, wrong_type},
};
use crate::base::{
    device::DeviceId,
    node::{Key, Node, NodeValue},
    suggest,
};

/// Where a stage may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The first of these that is there.
    pub candidates: Vec<DeviceId>,
    /// How many threads it may use; all when `None`.
    pub threads: Option<usize>,
    /// Whether nothing else may run meanwhile.
    pub exclusive: bool,
}

impl Default for Device {
    fn default() -> Self {
        Self { candidates: vec![DeviceId::Cpu], threads: None, exclusive: false }
    }
}

/// The recipe's `devices`, by name; none where the entry is wrong, which has been told.
#[derive(Debug, Default)]
pub(super) struct Devices(BTreeMap<String, Option<Device>>);

impl Devices {
    /// Reads the entries, whose templates are evaluated; an entry that failed to is `None`.
    pub(super) fn read(entries: &[(Key, Option<Node>)], faults: &mut Vec<Diagnostic>) -> Self {
        let mut devices = Self::default();
        for (key, node) in entries {
            check_name(key, "a device", faults);
            if key.name.parse::<DeviceId>().is_ok() {
                faults.push(
                    Diagnostic::error("recipe::illegal-name", key.span, format!("`{}` is a device already", key.name))
                        .label("reserved")
                        .help("call it by what it is for: `train`, `phone`"),
                );
            }
            // An entry names devices only: with the empty table, other entries are unknown to it.
            let device = node.as_ref().and_then(|node| Self::default().request(node, faults));
            devices.0.insert(key.name.clone(), device);
        }
        devices
    }

    /// What a `device:` asks for; none if it is wrong.
    pub(super) fn request(&self, node: &Node, faults: &mut Vec<Diagnostic>) -> Option<Device> {
        match &node.value {
            NodeValue::String(name) => self.named(name, node, faults),
            NodeValue::List(items) if items.is_empty() => {
                faults.push(
                    Diagnostic::error("recipe::device", node.span, "the list of devices is empty").label("empty"),
                );
                None
            }
            NodeValue::List(items) => {
                let found: Vec<_> = items
                    .iter()
                    .map(|item| {
                        if let Some(name) = item.as_str() {
                            return self.named(name, item, faults);
                        }
                        faults.push(wrong_type(item, "a device is a name"));
                        None
                    })
                    .collect();
                let mut found = found.into_iter().collect::<Option<Vec<_>>>()?.into_iter();
                let mut device = found.next()?;
                for other in found {
                    device.threads = device.threads.or(other.threads);
                    device.exclusive |= other.exclusive;
                    for candidate in other.candidates {
                        if !device.candidates.contains(&candidate) {
                            device.candidates.push(candidate);
                        }
                    }
                }
                Some(device)
            }
            NodeValue::Map(_) => self.described(node, faults),
            _ => {
                faults.push(wrong_type(node, "a device is a name, a list of names, or a map with `device`"));
                None
            }
        }
    }

    fn described(&self, node: &Node, faults: &mut Vec<Diagnostic>) -> Option<Device> {
        let before = faults.len();
        let fields = Fields::of(node, "a device", &["device", "threads", "exclusive"], faults)?;
        let mut device = match fields.get("device") {
            Some((_, inner)) if matches!(inner.value, NodeValue::Map(_)) => {
                faults.push(wrong_type(inner, "`device` is a name or a list of names"));
                None
            }
            Some((_, inner)) => self.request(inner, faults),
            None => Some(Device::default()),
        };
        if let (Some((_, node)), Some(device)) = (fields.get("threads"), &mut device) {
            match node.value {
                NodeValue::Int(threads) if (1..=4096).contains(&threads) => {
                    device.threads = usize::try_from(threads).ok();
                }
                _ => faults.push(wrong_type(node, "`threads` must be a whole number from 1 to 4096")),
            }
        }
        if let (Some((_, node)), Some(device)) = (fields.get("exclusive"), &mut device) {
            match node.value {
                NodeValue::Bool(exclusive) => device.exclusive = exclusive,
                _ => faults.push(wrong_type(node, "`exclusive` must be `true` or `false`")),
            }
        }
        device.filter(|_| faults.len() == before)
    }

    fn named(&self, name: &str, node: &Node, faults: &mut Vec<Diagnostic>) -> Option<Device> {
        if let Some(device) = self.0.get(name) {
            return device.clone();
        }
        if let Ok(device) = name.parse() {
            return Some(Device { candidates: vec![device], ..Device::default() });
        }
        let mut known: Vec<_> = self.0.keys().map(String::as_str).collect();
        known.extend(["cpu", "cuda:0", "metal:0"]);
        faults.push(
            Diagnostic::error("recipe::unknown-device", node.span, format!("no device is called `{name}`"))
                .label("unknown device")
                .maybe_help(suggest::help(name, &known)),
        );
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::base::span::Span;

    fn node(value: &Value) -> Node {
        Node::from_json(value, Span::default())
    }

    #[test]
    fn every_form() {
        let mut faults = Vec::new();
        let key = |name: &str| Key { span: Span::default(), name: name.into() };
        let devices = Devices::read(
            &[
                (key("train"), Some(node(&json!(["cuda:0", "cpu"])))),
                (key("phone"), Some(node(&json!({"device": "cpu", "threads": 1, "exclusive": true})))),
            ],
            &mut faults,
        );
        let request = |value: Value| devices.request(&node(&value), &mut Vec::new());
        let phone = Device { candidates: vec![DeviceId::Cpu], threads: Some(1), exclusive: true };
        assert_eq!(request(json!("phone")), Some(phone));
        assert_eq!(request(json!("train")).unwrap().candidates, [DeviceId::Cuda(0), DeviceId::Cpu]);
        assert_eq!(request(json!("metal:0")).unwrap().candidates, [DeviceId::Metal(0)]);
        assert_eq!(request(json!(["metal:0", "train"])).unwrap().candidates.len(), 3);
        for wrong in [json!("gpu"), json!([]), json!(3), json!({"threads": 0}), json!({"thread": 1}), json!([["cpu"]])]
        {
            assert_eq!(request(wrong.clone()), None, "{wrong}");
        }
        assert!(faults.is_empty());
        Devices::read(&[(key("cpu"), None)], &mut faults);
        assert_eq!(faults[0].code, "recipe::illegal-name");
    }
}

//! `quantization_config`: the block of `config.json` that tells readers of compressed-tensors what is stored in few bits.

use serde_json::{Value, json};

use super::packed::Width;

/// How the weights of a model are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quantized {
    /// As f32.
    No,
    /// Linear layers as int8 in compressed-tensors' `int-quantized` form, and so computed.
    Int8 {
        /// Whether the embedding tables are int8 too.
        embeddings: bool,
        /// The modules that stay f32, as `quantization_config.ignore` names them.
        ignore: Vec<String>,
    },
    /// Linear layers in a few bits in compressed-tensors' `pack-quantized` form; computed as f32.
    WeightOnly {
        /// How wide.
        width: Width,
        /// Whether the embedding tables are so, too.
        embeddings: bool,
        /// As of [`Self::Int8`].
        ignore: Vec<String>,
    },
}

const INT8: &str = "int-quantized";
const PACKED: &str = "pack-quantized";

impl Quantized {
    /// Whether linear layers compute in int8.
    #[must_use]
    pub fn is_int8(&self) -> bool {
        matches!(self, Self::Int8 { .. })
    }

    /// What a weight is, in a word: `f32`, `int8`, `int4`.
    #[must_use]
    pub fn weights(&self) -> &'static str {
        match self {
            Self::No => "f32",
            Self::WeightOnly { width: Width { bits: 4, .. }, .. } => "int4",
            Self::Int8 { .. } | Self::WeightOnly { .. } => "int8",
        }
    }

    /// Whether embedding tables are stored in few bits.
    #[must_use]
    pub fn has_tables(&self) -> bool {
        match self {
            Self::No => false,
            Self::Int8 { embeddings, .. } | Self::WeightOnly { embeddings, .. } => *embeddings,
        }
    }

    /// The modules that stay f32.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        match self {
            Self::No => &[],
            Self::Int8 { ignore, .. } | Self::WeightOnly { ignore, .. } => ignore,
        }
    }

    /// The same with other names of the modules that stay f32.
    #[must_use]
    pub(super) fn ignoring(mut self, modules: Vec<String>) -> Self {
        if let Self::Int8 { ignore, .. } | Self::WeightOnly { ignore, .. } = &mut self {
            *ignore = modules;
        }
        self
    }

    /// The block. It has only keys that every release of the library knows, for its readers refuse others.
    pub(super) fn block(&self) -> Option<Value> {
        let (format, groups) = match self {
            Self::No => return None,
            Self::Int8 { embeddings, .. } => (INT8, int8_groups(*embeddings)),
            Self::WeightOnly { width, embeddings, .. } => (PACKED, packed_groups(*width, *embeddings)),
        };
        Some(json!({
            "quant_method": "compressed-tensors",
            "format": format,
            "quantization_status": "compressed",
            "config_groups": groups,
            "ignore": self.ignored(),
            "kv_cache_scheme": null,
            "global_compression_ratio": null
        }))
    }

    /// Reads the block; the error says what lmpipe cannot run.
    pub(super) fn read(block: &Value) -> Result<Self, String> {
        let method = text(block, "quant_method");
        let format = text(block, "format");
        if method != "compressed-tensors" || ![INT8, PACKED].contains(&format) {
            return Err(format!(
                "`quantization_config` is `{method}` in the format `{format}`; lmpipe reads `compressed-tensors` in the \
                 formats `{INT8}` and `{PACKED}`"
            ));
        }
        let groups = block.get("config_groups").and_then(Value::as_object);
        let groups = groups.ok_or("`quantization_config` has no `config_groups`")?;
        let mut found = Vec::new();
        for (name, group) in groups {
            let at = |what: String| format!("`{name}` of `quantization_config` {what}");
            let own = text(group, "format");
            if !own.is_empty() && own != format {
                return Err(at(format!("is in the format `{own}`, not `{format}`")));
            }
            let read = if format == INT8 { read_int8(group) } else { read_packed(group) };
            let width = read.map_err(at)?;
            for target in targets(group) {
                if !["Linear", "Embedding"].contains(&target) {
                    return Err(at(format!("targets `{target}`; lmpipe reads `Linear` and `Embedding`")));
                }
                found.push((target == "Embedding", width));
            }
        }
        let embeddings = found.iter().any(|(is_table, _)| *is_table);
        let ignore = block.get("ignore").and_then(Value::as_array).into_iter().flatten();
        let ignore = ignore.filter_map(Value::as_str).map(str::to_owned).collect();
        if format == INT8 {
            return Ok(Self::Int8 { embeddings, ignore });
        }
        let Some((_, width)) = found.first().copied() else {
            return Err("`quantization_config` names no group of modules".to_owned());
        };
        if found.iter().any(|(_, other)| *other != width) {
            return Err("the groups of `quantization_config` are of different widths; lmpipe reads one".to_owned());
        }
        Ok(Self::WeightOnly { width, embeddings, ignore })
    }
}

fn int8_groups(embeddings: bool) -> Value {
    let weights = json!({"num_bits": 8, "type": "int", "symmetric": true, "strategy": "channel", "dynamic": false});
    let mut groups = json!({
        "group_0": {
            "targets": ["Linear"],
            "weights": weights,
            "input_activations":
                {"num_bits": 8, "type": "int", "symmetric": true, "strategy": "token", "dynamic": true},
            "output_activations": null
        }
    });
    if embeddings {
        // Without a format of its own, a group that has weights only is taken for `pack-quantized`. Releases that do not
        // know the key do not know int8 embeddings either.
        groups["group_1"] = json!({
            "format": INT8,
            "targets": ["Embedding"],
            "weights": weights,
            "input_activations": null,
            "output_activations": null
        });
    }
    groups
}

fn packed_groups(width: Width, embeddings: bool) -> Value {
    let mut weights =
        json!({"num_bits": width.bits, "type": "int", "symmetric": true, "strategy": "channel", "dynamic": false});
    if let Some(size) = width.group_size {
        weights["strategy"] = json!("group");
        weights["group_size"] = json!(size);
    }
    let targets = if embeddings { json!(["Linear", "Embedding"]) } else { json!(["Linear"]) };
    json!({
        "group_0": {
            "targets": targets,
            "weights": weights,
            "input_activations": null,
            "output_activations": null
        }
    })
}

fn read_int8(group: &Value) -> Result<Width, String> {
    let (weights, activations) = (&group["weights"], &group["input_activations"]);
    if !is_symmetric(weights, 8, "channel") {
        return Err("is of other weights than symmetric int8 per channel".to_owned());
    }
    let is_of_tables = targets(group).iter().all(|target| *target == "Embedding");
    let per_token = is_symmetric(activations, 8, "token") && activations["dynamic"] == true;
    if !(per_token || is_of_tables && activations.is_null()) {
        return Err("is of other activations than symmetric int8 per token, dynamic".to_owned());
    }
    Ok(Width { bits: 8, group_size: None })
}

fn read_packed(group: &Value) -> Result<Width, String> {
    let weights = &group["weights"];
    if !group["input_activations"].is_null() {
        return Err("has activations; lmpipe computes packed weights in f32".to_owned());
    }
    if !weights["actorder"].is_null() {
        return Err("orders weights by activations (`actorder`), which lmpipe does not read".to_owned());
    }
    for bits in [4, 8] {
        if is_symmetric(weights, bits, "channel") {
            return Ok(Width { bits, group_size: None });
        }
        if is_symmetric(weights, bits, "group") {
            let size = weights["group_size"].as_u64().and_then(|size| usize::try_from(size).ok());
            let size = size.filter(|size| *size > 0).ok_or("has groups of no `group_size`")?;
            return Ok(Width { bits, group_size: Some(size) });
        }
    }
    Err("is of other weights than symmetric integers of 4 or 8 bits, per channel or group".to_owned())
}

fn is_symmetric(numbers: &Value, bits: u32, strategy: &str) -> bool {
    numbers["num_bits"] == bits
        && numbers["type"] == "int"
        && numbers["symmetric"] == true
        && numbers["strategy"] == strategy
}

fn targets(group: &Value) -> Vec<&str> {
    group["targets"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_reads_back_and_others_are_refused() {
        let ignore = vec!["classifier".to_owned()];
        let widths = [(4, Some(128)), (4, None), (8, Some(32)), (8, None)];
        for embeddings in [false, true] {
            let int8 = Quantized::Int8 { embeddings, ignore: ignore.clone() };
            assert_eq!(Quantized::read(&int8.block().unwrap()).unwrap(), int8);
            for (bits, group_size) in widths {
                let width = Width { bits, group_size };
                let packed = Quantized::WeightOnly { width, embeddings, ignore: ignore.clone() };
                assert_eq!(Quantized::read(&packed.block().unwrap()).unwrap(), packed);
            }
        }
        let edit = |of: &Quantized, path: &str, value: Value| {
            let mut block = of.block().unwrap();
            *block.pointer_mut(path).unwrap() = value;
            Quantized::read(&block).unwrap_err()
        };
        let int8 = Quantized::Int8 { embeddings: false, ignore: ignore.clone() };
        assert!(edit(&int8, "/quant_method", json!("gptq")).contains("`gptq`"));
        assert!(edit(&int8, "/config_groups/group_0/weights/num_bits", json!(4)).contains("`group_0`"));
        assert!(edit(&int8, "/config_groups/group_0/targets", json!(["Conv1d"])).contains("`Conv1d`"));
        assert!(edit(&int8, "/config_groups/group_0/input_activations/dynamic", json!(false)).contains("dynamic"));
        let width = Width { bits: 4, group_size: Some(64) };
        let packed = Quantized::WeightOnly { width, embeddings: false, ignore };
        assert!(edit(&packed, "/config_groups/group_0/weights/num_bits", json!(3)).contains("4 or 8 bits"));
        assert!(edit(&packed, "/config_groups/group_0/weights/symmetric", json!(false)).contains("4 or 8 bits"));
        assert!(edit(&packed, "/config_groups/group_0/weights/group_size", json!(0)).contains("no `group_size`"));
        assert!(edit(&packed, "/config_groups/group_0/input_activations", json!({})).contains("activations"));
        assert!(edit(&packed, "/config_groups", json!({})).contains("names no group"));
    }
}

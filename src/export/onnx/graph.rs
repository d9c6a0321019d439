//! `Graph`: nodes and constants as they are added, each under a name of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::proto::{AttributeProto, DataType, Dimension, GraphProto, NodeProto, TensorProto, ValueInfoProto};

/// A tensor of the graph, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Value(String);

/// A graph that grows. Nodes are added after what they read, which is the order that ONNX asks for.
#[derive(Default)]
pub(super) struct Graph {
    inputs: Vec<ValueInfoProto>,
    outputs: Vec<ValueInfoProto>,
    shapes: Vec<ValueInfoProto>,
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    names_of_constants: BTreeSet<String>,
    /// How often a name of a node was asked for.
    uses: BTreeMap<String, usize>,
}

impl Graph {
    /// Declares an input.
    pub(super) fn input(&mut self, info: ValueInfoProto) -> Value {
        let value = Value(info.name.clone());
        self.inputs.push(info);
        value
    }

    /// Declares a value to be an output, under a name that people know.
    pub(super) fn output(&mut self, value: &Value, info: ValueInfoProto) {
        let (input, output) = (vec![value.0.clone()], vec![info.name.clone()]);
        let (name, op_type) = (format!("{}/Identity", info.name), "Identity".to_owned());
        self.nodes.push(NodeProto { input, output, name, op_type, attribute: Vec::new() });
        self.outputs.push(info);
    }

    /// Says of which shape a value is, where readers cannot know: they fuse only what they know to be of one shape.
    pub(super) fn shape(&mut self, value: &Value, kind: DataType, shape: Vec<Dimension>) {
        self.shapes.push(ValueInfoProto::tensor(&value.0, kind, shape));
    }

    /// Adds a node without attributes; it and its output are called after the place and the operation.
    pub(super) fn op(&mut self, place: &str, op: &str, inputs: &[&Value]) -> Value {
        self.op_with(place, op, inputs, Vec::new())
    }

    /// Adds a node.
    pub(super) fn op_with(
        &mut self,
        place: &str,
        op: &str,
        inputs: &[&Value],
        attribute: Vec<AttributeProto>,
    ) -> Value {
        let [value] = self.ops(place, op, inputs, attribute);
        value
    }

    /// Adds a node with several outputs.
    pub(super) fn ops<const N: usize>(
        &mut self,
        place: &str,
        op: &str,
        inputs: &[&Value],
        attribute: Vec<AttributeProto>,
    ) -> [Value; N] {
        let name = self.fresh(&format!("{place}/{op}"));
        let outputs: [Value; N] =
            std::array::from_fn(|i| Value(if i == 0 { name.clone() } else { format!("{name}:{i}") }));
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|value| value.0.clone()).collect(),
            output: outputs.iter().map(|value| value.0.clone()).collect(),
            name,
            op_type: op.to_owned(),
            attribute,
        });
        outputs
    }

    /// A constant under a name, which is written once: the numbers are made only the first time.
    pub(super) fn constant<E>(
        &mut self,
        name: &str,
        make: impl FnOnce() -> Result<(DataType, Vec<usize>, Vec<u8>), E>,
    ) -> Result<Value, E> {
        if self.names_of_constants.insert(name.to_owned()) {
            let (kind, dims, raw_data) = make()?;
            let dims = dims.iter().map(|size| *size as i64).collect();
            self.constants.push(TensorProto { dims, data_type: kind as i32, name: name.to_owned(), raw_data });
        }
        Ok(Value(name.to_owned()))
    }

    /// One f32.
    pub(super) fn number(&mut self, value: f32) -> Value {
        self.small(&format!("f32 {value:?}"), DataType::Float, Vec::new(), value.to_le_bytes().to_vec())
    }

    /// One whole number, `[]`.
    pub(super) fn int(&mut self, value: i64) -> Value {
        self.small(&format!("i64 {value}"), DataType::Int64, Vec::new(), value.to_le_bytes().to_vec())
    }

    /// Some whole numbers: a shape, or axes; `[n]`.
    pub(super) fn ints(&mut self, values: &[i64]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.small(&format!("i64 {values:?}"), DataType::Int64, vec![values.len()], bytes)
    }

    fn small(&mut self, name: &str, kind: DataType, dims: Vec<usize>, bytes: Vec<u8>) -> Value {
        let made: Result<_, std::convert::Infallible> = self.constant(name, || Ok((kind, dims, bytes)));
        match made {
            Ok(value) => value,
        }
    }

    /// The whole, under a name.
    pub(super) fn finish(self, name: &str) -> GraphProto {
        GraphProto {
            node: self.nodes,
            name: name.to_owned(),
            initializer: self.constants,
            input: self.inputs,
            output: self.outputs,
            value_info: self.shapes,
        }
    }

    fn fresh(&mut self, name: &str) -> String {
        let uses = self.uses.entry(name.to_owned()).or_default();
        *uses += 1;
        if *uses == 1 { name.to_owned() } else { format!("{name}_{uses}") }
    }
}

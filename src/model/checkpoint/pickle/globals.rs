//! The names that a pickle may use, and what calling them does.

use safetensors::Dtype;

use super::{
    View,
    machine::{Id, Machine, Storage, Value, damaged},
};

/// Dimensions of a tensor; an encoder has no more than two.
const MOST_DIMENSIONS: usize = 8;

/// What a pickle may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `torch.FloatStorage` and the like.
    Storage(Dtype),
    /// `torch._utils._rebuild_tensor`, and `_v2`.
    Tensor,
    /// `torch._utils._rebuild_parameter`: the tensor that it is given.
    Parameter,
    /// `torch._tensor._rebuild_from_type_v2`: calls another of these.
    FromType,
    /// `torch.Size`: the tuple that it is given.
    Size,
    /// A class that is only named.
    Class,
}

impl Global {
    /// What a name stands for.
    ///
    /// # Errors
    /// When it is none that a state dict needs.
    pub(super) fn named(module: &str, name: &str) -> Result<Self, String> {
        Ok(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch", "DoubleStorage") => Self::Storage(Dtype::F64),
            ("torch", "FloatStorage") => Self::Storage(Dtype::F32),
            ("torch", "HalfStorage") => Self::Storage(Dtype::F16),
            ("torch", "BFloat16Storage") => Self::Storage(Dtype::BF16),
            ("torch", "LongStorage") => Self::Storage(Dtype::I64),
            ("torch", "IntStorage") => Self::Storage(Dtype::I32),
            ("torch", "ShortStorage") => Self::Storage(Dtype::I16),
            ("torch", "CharStorage") => Self::Storage(Dtype::I8),
            ("torch", "ByteStorage") => Self::Storage(Dtype::U8),
            ("torch", "BoolStorage") => Self::Storage(Dtype::BOOL),
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::Tensor,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Self::Parameter,
            ("torch._tensor", "_rebuild_from_type_v2") => Self::FromType,
            ("torch", "Size") => Self::Size,
            ("torch", "Tensor") | ("torch.nn.parameter", "Parameter") => Self::Class,
            _ => {
                return Err(format!(
                    "it is no plain state dict: it asks for `{module}.{name}`, which lmpipe does not run. If you trust \
                     it, load it in Python and save its state dict as safetensors"
                ));
            }
        })
    }
}

impl Machine {
    /// Calls a function of the list above.
    pub(super) fn call(&mut self, function: Id, arguments: Id) -> Result<Id, String> {
        let (Value::Global(global), Value::Tuple(arguments)) = (self.value(function), self.value(arguments)) else {
            return Err(damaged());
        };
        match (global, &arguments[..]) {
            (Global::OrderedDict, []) => Ok(self.add(Value::Dict(Vec::new()))),
            (Global::OrderedDict, [pairs]) => self.dict_of_pairs(*pairs),
            (Global::Tensor, _) => {
                let view = self.view(arguments)?;
                Ok(self.add(Value::Tensor(view)))
            }
            (Global::Parameter, [tensor, ..]) => match self.value(*tensor) {
                Value::Tensor(_) => Ok(*tensor),
                _ => Err(damaged()),
            },
            // Only the two above: what calls itself could go on for ever.
            (Global::FromType, [function, _, arguments, ..])
                if matches!(self.value(*function), Value::Global(Global::Tensor | Global::Parameter)) =>
            {
                self.call(*function, *arguments)
            }
            (Global::Size, [sizes]) if matches!(self.value(*sizes), Value::Tuple(_)) => Ok(*sizes),
            _ => Err(damaged()),
        }
    }

    /// A dict as Python 2 wrote it, as a list of pairs. The list must be this call's own: pickles that make dicts of one
    /// list over and over would grow without end.
    fn dict_of_pairs(&mut self, pairs: Id) -> Result<Id, String> {
        let list = &mut self.values[pairs as usize];
        let Value::List(pairs) = std::mem::replace(list, Value::Other) else { return Err(damaged()) };
        let pair = |id: &Id| match self.value(*id) {
            Value::Tuple(pair) | Value::List(pair) => pair.as_slice().try_into().map_err(|_| damaged()),
            _ => Err(damaged()),
        };
        let pairs = pairs.iter().map(|id| pair(id).map(|[key, value]: [Id; 2]| (key, value)));
        let dict = pairs.collect::<Result<_, String>>()?;
        Ok(self.add(Value::Dict(dict)))
    }

    /// `(storage, offset, shape, strides, …)`; what follows is of gradients.
    fn view(&self, arguments: &[Id]) -> Result<View, String> {
        let [storage, offset, shape, strides, ..] = *arguments else { return Err(damaged()) };
        let (Value::Storage(_), shape, strides) = (self.value(storage), self.counts(shape)?, self.counts(strides)?)
        else {
            return Err(damaged());
        };
        if shape.len() != strides.len() {
            return Err(damaged());
        }
        let shape = shape.into_iter().map(|size| size as usize).collect();
        Ok(View { storage, offset: self.count(offset)?, shape, strides })
    }

    /// A number that is not negative.
    fn count(&self, id: Id) -> Result<u64, String> {
        match self.value(id) {
            Value::Int(count) => u64::try_from(*count).map_err(|_| damaged()),
            _ => Err(damaged()),
        }
    }

    fn counts(&self, id: Id) -> Result<Vec<u64>, String> {
        match self.value(id) {
            Value::Tuple(items) if items.len() <= MOST_DIMENSIONS => items.iter().map(|id| self.count(*id)).collect(),
            _ => Err(damaged()),
        }
    }

    /// The storage of an id `("storage", class, key, device, count, …)`.
    pub(super) fn storage(&self, id: Id) -> Result<Storage, String> {
        let Value::Tuple(items) = self.value(id) else { return Err(damaged()) };
        let [what, class, key, _, count, rest @ ..] = &items[..] else { return Err(damaged()) };
        match (self.value(*what), self.value(*class), self.value(*key)) {
            (Value::Text(what), Value::Global(Global::Storage(kind)), Value::Text(_)) if what == "storage" => {
                if rest.first().is_some_and(|view| !matches!(self.value(*view), Value::Other)) {
                    return Err("it has views of storages, which only the first versions of PyTorch wrote".to_owned());
                }
                Ok(Storage { kind: *kind, key: *key, count: self.count(*count)? })
            }
            _ => Err(damaged()),
        }
    }
}

//! The interpreter of pickles: the operations that torch writes, each bounded.
//!
//! Values stand in one list and refer to each other by their places: whatever a pickle nests, ties into a circle or refers
//! to many times, nothing is copied and nothing recurses. No operation makes more than one value.

use std::{
    collections::HashMap,
    io::{BufRead, Read},
};

use safetensors::Dtype;

use super::{View, globals::Global};

/// Operations of the longest pickle that is read. A state dict has some 30 a tensor.
const MOST_STEPS: usize = 1 << 20;
/// Bytes of the longest text; names have some 50.
const LONGEST_TEXT: u64 = 1 << 20;

/// The place of a value.
pub(super) type Id = u32;

/// A value.
#[derive(Debug)]
pub(super) enum Value {
    /// None or a float: nothing that a tensor needs.
    Other,
    Flag(bool),
    Int(i64),
    Text(String),
    Global(Global),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Storage(Storage),
    Tensor(View),
}

/// The values that tensors are cut from.
#[derive(Debug)]
pub(super) struct Storage {
    pub(super) kind: Dtype,
    /// Its name in the file, a text.
    pub(super) key: Id,
    /// How many values it has.
    pub(super) count: u64,
}

impl Storage {
    /// How many bytes it has, unless that is no number.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.count.checked_mul(self.kind.bitsize() as u64 / 8)
    }
}

/// What a pickle makes.
pub(super) struct Object {
    pub(super) values: Vec<Value>,
    pub(super) root: Id,
}

impl Object {
    pub(super) fn value(&self, id: Id) -> &Value {
        &self.values[id as usize]
    }

    pub(super) fn text(&self, id: Id) -> Result<&str, String> {
        if let Value::Text(text) = self.value(id) { Ok(text) } else { Err("a name in it is no text".to_owned()) }
    }

    pub(super) fn storage(&self, id: Id) -> Result<&Storage, String> {
        if let Value::Storage(storage) = self.value(id) { Ok(storage) } else { Err("it has no storage".to_owned()) }
    }
}

/// Reads one pickle; the input then stands behind it.
///
/// # Errors
/// When it is damaged, or does anything else than describe tensors.
pub(super) fn run(input: &mut impl BufRead) -> Result<Object, String> {
    let mut machine = Machine::default();
    for _ in 0..MOST_STEPS {
        if let Some(root) = machine.step(input)? {
            return Ok(Object { values: machine.values, root });
        }
    }
    Err("its pickle is longer than that of any state dict".to_owned())
}

#[derive(Default)]
pub(super) struct Machine {
    pub(super) values: Vec<Value>,
    stack: Vec<Id>,
    /// The heights of the stack at the marks that are open.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl Machine {
    /// One operation; the result when it was the last.
    fn step(&mut self, input: &mut impl BufRead) -> Result<Option<Id>, String> {
        match bytes::<1>(input)?[0] {
            // The protocol is the set of operations, and those are looked at one by one.
            0x80 => _ = bytes::<1>(input)?,
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.push(Value::Other),
            0x88 => self.push(Value::Flag(true)),
            0x89 => self.push(Value::Flag(false)),
            b'G' => {
                bytes::<8>(input)?;
                self.push(Value::Other);
            }
            b'K' => self.push_int(bytes::<1>(input)?[0]),
            b'M' => self.push_int(u16::from_le_bytes(bytes(input)?)),
            b'J' => self.push_int(i32::from_le_bytes(bytes(input)?)),
            0x8a => self.long(input)?,
            // The others are bytes, as which Python 2 wrote names.
            b'X' | b'T' => {
                let length = u32::from_le_bytes(bytes(input)?);
                self.text(input, length)?;
            }
            b'U' => {
                let length = bytes::<1>(input)?[0];
                self.text(input, length.into())?;
            }
            b'c' => {
                let (module, name) = (line(input)?, line(input)?);
                self.push(Value::Global(Global::named(&module, &name)?));
            }
            b'q' => {
                let place = bytes::<1>(input)?[0];
                self.keep(place.into())?;
            }
            b'r' => {
                let place = u32::from_le_bytes(bytes(input)?);
                self.keep(place)?;
            }
            b'h' => {
                let place = bytes::<1>(input)?[0];
                self.recall(place.into())?;
            }
            b'j' => {
                let place = u32::from_le_bytes(bytes(input)?);
                self.recall(place)?;
            }
            b')' => self.push(Value::Tuple(Vec::new())),
            b']' => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items));
            }
            0x85 => self.tuple::<1>()?,
            0x86 => self.tuple::<2>()?,
            0x87 => self.tuple::<3>()?,
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(&items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set(&items)?;
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                self.push(Value::Storage(storage));
            }
            // A call, and the making of an object of a class: the same for what may be called here.
            b'R' | 0x81 => {
                let arguments = self.pop()?;
                let function = self.pop()?;
                let result = self.call(function, arguments)?;
                self.stack.push(result);
            }
            // What an object has beside its content: of a state dict, the versions of its modules.
            b'b' => _ = self.pop()?,
            other => {
                return Err(format!("its pickle has the operation {other:#04x}, which `torch.save` does not write"));
            }
        }
        Ok(None)
    }

    /// Puts a value in the list, and its place on the stack.
    fn push(&mut self, value: Value) {
        let id = self.add(value);
        self.stack.push(id);
    }

    fn push_int(&mut self, value: impl Into<i64>) {
        self.push(Value::Int(value.into()));
    }

    /// Puts a value in the list.
    pub(super) fn add(&mut self, value: Value) -> Id {
        self.values.push(value);
        self.values.len() as Id - 1
    }

    pub(super) fn value(&self, id: Id) -> &Value {
        &self.values[id as usize]
    }

    /// Takes what is above the last mark.
    fn pop(&mut self) -> Result<Id, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err("its pickle takes a value where there is none".to_owned());
        }
        self.stack.pop().ok_or_else(damaged)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().filter(|mark| *mark <= self.stack.len()).ok_or_else(damaged)?;
        Ok(self.stack.split_off(mark))
    }

    /// The value that is on top, to be changed.
    fn top(&mut self) -> Result<&mut Value, String> {
        let id = *self.stack.last().ok_or_else(damaged)?;
        Ok(&mut self.values[id as usize])
    }

    fn tuple<const N: usize>(&mut self) -> Result<(), String> {
        let mut items = vec![0; N];
        for item in items.iter_mut().rev() {
            *item = self.pop()?;
        }
        self.push(Value::Tuple(items));
        Ok(())
    }

    fn append(&mut self, items: &[Id]) -> Result<(), String> {
        let Value::List(list) = self.top()? else { return Err(damaged()) };
        list.extend_from_slice(items);
        Ok(())
    }

    fn set(&mut self, items: &[Id]) -> Result<(), String> {
        let (pairs, []) = items.as_chunks::<2>() else { return Err(damaged()) };
        let Value::Dict(dict) = self.top()? else { return Err(damaged()) };
        dict.extend(pairs.iter().map(|[key, value]| (*key, *value)));
        Ok(())
    }

    fn keep(&mut self, place: u32) -> Result<(), String> {
        let id = *self.stack.last().ok_or_else(damaged)?;
        self.memo.insert(place, id);
        Ok(())
    }

    fn recall(&mut self, place: u32) -> Result<(), String> {
        let id = *self.memo.get(&place).ok_or_else(damaged)?;
        self.stack.push(id);
        Ok(())
    }

    fn text(&mut self, input: &mut impl Read, length: u32) -> Result<(), String> {
        let length = u64::from(length);
        if length > LONGEST_TEXT {
            return Err(format!("its pickle has a text of {length} bytes"));
        }
        let mut text = Vec::new();
        // The buffer grows with what comes, not with what is promised.
        input.take(length).read_to_end(&mut text).map_err(|error| error.to_string())?;
        if text.len() as u64 != length {
            return Err(ends());
        }
        let text = String::from_utf8(text).map_err(|_| "its pickle has a text that is not UTF-8".to_owned())?;
        self.push(Value::Text(text));
        Ok(())
    }

    /// An integer of up to 8 bytes, two's complement.
    fn long(&mut self, input: &mut impl Read) -> Result<(), String> {
        let length = usize::from(bytes::<1>(input)?[0]);
        let mut value = [0; 8];
        let part = value.get_mut(..length).ok_or_else(damaged)?;
        input.read_exact(part).map_err(|_| ends())?;
        if part.last().is_some_and(|byte| byte & 0x80 != 0) {
            value[length..].fill(0xff);
        }
        self.push_int(i64::from_le_bytes(value));
        Ok(())
    }
}

fn bytes<const N: usize>(input: &mut impl Read) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes).map_err(|_| ends())?;
    Ok(bytes)
}

/// A line, without its end.
fn line(input: &mut impl BufRead) -> Result<String, String> {
    let mut line = Vec::new();
    input.take(512).read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
    match line.strip_suffix(b"\n") {
        Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
        None => Err(ends()),
    }
}

fn ends() -> String {
    "its pickle ends too early (an unfinished download?)".to_owned()
}

pub(super) fn damaged() -> String {
    "its pickle is damaged".to_owned()
}

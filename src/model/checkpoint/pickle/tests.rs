//! What torch writes is read as it is; what it does not write is refused, without harm.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;
use crate::{base::fs::write_atomic, model::checkpoint::safetensors};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pickles").join(name)
}

fn read(name: &str) -> BTreeMap<String, Raw> {
    read_file(&data(name)).unwrap()
}

#[test]
fn what_torch_writes_is_read() {
    let expected = safetensors::read_file(&data("expected.safetensors")).unwrap();
    for name in ["zip.bin", "legacy.bin", "nested.bin"] {
        let mut found = read(name);
        assert!(matches!(found.remove("i64").unwrap().values, Values::Other(Dtype::I64)));
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (tensor, expected) in &expected {
            let found = &found[tensor];
            assert_eq!(found.shape, expected.shape, "{name} {tensor}");
            match (&found.values, &expected.values) {
                (Values::F32(found), Values::F32(expected)) => assert_eq!(found, expected, "{name} {tensor}"),
                _ => panic!("{name} {tensor}"),
            }
        }
    }
}

#[test]
fn what_would_be_run_is_named() {
    let error = read_file(&data("evil.bin")).err().unwrap().to_string();
    assert!(error.contains("evil.bin`: it is no plain state dict: it asks for `posix.system`"), "{error}");
    assert!(!Path::new("executed").exists());
}

/// The error of a file with these bytes.
fn told(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.bin");
    write_atomic(&path, bytes).unwrap();
    read_file(&path).err().map(|error| error.to_string()).unwrap_or_default()
}

/// A file in the form of a ZIP, with a pickle and a storage `0` of 16 bytes.
fn zipped(program: &[u8], options: SimpleFileOptions) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = ZipWriter::new(&mut bytes);
    for (name, content) in [("x/data.pkl", program), ("x/data/0", &[0; 16])] {
        writer.start_file(name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap();
    bytes.into_inner()
}

fn stored(program: &[u8]) -> Vec<u8> {
    zipped(program, SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored))
}

fn text(text: &str) -> Vec<u8> {
    [b"X".as_slice(), &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

fn int(value: i64) -> Vec<u8> {
    [b"\x8a\x08".as_slice(), &value.to_le_bytes()].concat()
}

fn tuple(values: &[i64]) -> Vec<u8> {
    [b"(".to_vec(), values.iter().flat_map(|value| int(*value)).collect(), b"t".to_vec()].concat()
}

/// The operations that make a tensor of f32.
fn tensor(key: &str, count: i64, offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    let storage =
        [b"((".to_vec(), text("storage"), b"ctorch\nFloatStorage\n".to_vec(), text(key), text("cpu"), int(count)]
            .concat();
    let view = [b"tQ".to_vec(), int(offset), tuple(shape), tuple(strides), b"tR".to_vec()].concat();
    [b"ctorch._utils\n_rebuild_tensor_v2\n".to_vec(), storage, view].concat()
}

/// A state dict of such.
fn dict(tensors: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries: Vec<u8> = tensors.iter().flat_map(|(name, tensor)| [text(name), tensor.clone()].concat()).collect();
    [b"\x80\x02}(".to_vec(), entries, b"u.".to_vec()].concat()
}

#[test]
fn tensors_that_lie_are_refused() {
    let good = tensor("0", 4, 0, &[2, 2], &[2, 1]);
    assert_eq!(told(&stored(&dict(&[("x", good.clone()), ("y", good.clone())]))), "");
    let cases = [
        (tensor("0", 5, 0, &[2, 2], &[2, 1]), "its storage has 16 bytes, too few for 5 values"),
        (tensor("0", i64::MAX, 0, &[2, 2], &[2, 1]), "too few for 9223372036854775807 values"),
        (tensor("0", 4, 1, &[2, 2], &[2, 1]), "the shape [2, 2] is larger than its storage, which has 4 values"),
        (tensor("0", 4, i64::MAX, &[2, 2], &[2, 1]), "is larger than its storage"),
        (tensor("0", 4, 0, &[2, 2], &[i64::MAX, 1]), "is larger than its storage"),
        (tensor("0", 4, 0, &[i64::MAX, i64::MAX, 2], &[0, 0, 1]), "is larger than its storage"),
        (tensor("0", 4, 0, &[1 << 40, 1], &[0, 1]), "is larger than its storage"),
        (tensor("0", i64::MAX, 0, &[i64::MAX], &[1]), "too few for 9223372036854775807 values"),
        (tensor("0", 4, 0, &[2, -2], &[2, 1]), "its pickle is damaged"),
        (tensor("0", -4, 0, &[2, 2], &[2, 1]), "its pickle is damaged"),
        (tensor("0", 4, 0, &[2, 2], &[1]), "its pickle is damaged"),
        (tensor("0", 4, 0, &[1; 9], &[1; 9]), "its pickle is damaged"),
        (tensor("1", 4, 0, &[2, 2], &[2, 1]), "it is damaged: "),
        (tensor("../data.pkl", 4, 0, &[2, 2], &[2, 1]), "it is damaged: "),
    ];
    for (tensor, part) in cases {
        let error = told(&stored(&dict(&[("x", tensor)])));
        assert!(error.contains(part), "{part}: {error}");
    }
    let twice = told(&stored(&dict(&[("x", good.clone()), ("x", good)])));
    assert!(twice.contains("the name `x` stands twice"), "{twice}");
}

#[test]
fn tensors_that_are_larger_than_their_file_are_refused() {
    // One tensor, named over and over: 60 bytes of a pickle for 4 KiB of memory each.
    let names: Vec<u8> = (0..500).flat_map(|i| [text(&format!("{i}")), b"h\0".to_vec()].concat()).collect();
    let tensor = [tensor("0", 4096, 0, &[4096], &[1]), b"q\0".to_vec()].concat();
    let program = [b"}(".to_vec(), text("x"), tensor, names, b"u.".to_vec()].concat();
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = ZipWriter::new(&mut bytes);
    for (name, content) in [("data.pkl", &program[..]), ("data/0", &[0; 4 * 4096])] {
        writer.start_file(name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap();
    let error = told(&bytes.into_inner());
    assert!(error.contains("they are larger than the file"), "{error}");
}

#[test]
fn programs_that_are_none_of_torchs_are_refused() {
    let call = |name: &str, arguments: &[u8]| [b"c".as_slice(), name.as_bytes(), b"\n", arguments, b"R."].concat();
    let mut deep = vec![b')'];
    deep.resize(500_000, 0x85);
    deep.push(b'.');
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "its pickle ends too early"),
        (b".".to_vec(), "takes a value where there is none"),
        (b"K\x01(.".to_vec(), "takes a value where there is none"),
        (b"X\xff\xff\xff\xffa".to_vec(), "has a text of 4294967295 bytes"),
        (b"X\x09\0\0\0a".to_vec(), "its pickle ends too early"),
        (b"X\x01\0\0\0\xff.".to_vec(), "a text that is not UTF-8"),
        (b"\x8a\xff".to_vec(), "its pickle is damaged"),
        (b"h\x07.".to_vec(), "its pickle is damaged"),
        (b"q\x07.".to_vec(), "its pickle is damaged"),
        (b"t.".to_vec(), "its pickle is damaged"),
        (b"((NNN0".to_vec(), "the operation 0x30, which `torch.save` does not write"),
        (b"\x95".to_vec(), "the operation 0x95"),
        (vec![b'('; 3 << 20], "longer than that of any state dict"),
        (vec![b'N'; 3 << 20], "longer than that of any state dict"),
        (deep, "it holds no state dict"),
        (b"}.".to_vec(), "there are no tensors in it"),
        (b"K\x01.".to_vec(), "it holds no state dict"),
        (b"K\x01)R.".to_vec(), "its pickle is damaged"),
        (call("os\nsystem", b"(X\x02\0\0\0lst"), "it asks for `os.system`"),
        (call("builtins\neval", b")"), "it asks for `builtins.eval`"),
        (call("collections\nOrderedDict", b"K\x01"), "its pickle is damaged"),
        (call("torch._utils\n_rebuild_tensor_v2", b")"), "its pickle is damaged"),
        (call("torch\nFloatStorage", b")"), "its pickle is damaged"),
        (call("torch._tensor\n_rebuild_from_type_v2", b"(h\0NNt"), "its pickle is damaged"),
        (b"ctorch._tensor\n_rebuild_from_type_v2\nq\0(h\0N)tR.".to_vec(), "its pickle is damaged"),
        (b"cx".to_vec(), "its pickle ends too early"),
        ([b"c".as_slice(), &[b'x'; 2000]].concat(), "its pickle ends too early"),
        (b"NQ.".to_vec(), "its pickle is damaged"),
    ];
    for (program, part) in cases {
        let error = told(&stored(&program));
        assert!(error.contains(part), "{part}: {error}");
        let error = told(&[&legacy::START[..], b".}.", &program].concat());
        assert!(error.contains(part) || part.contains("it holds") || part.contains("there are"), "{part}: {error}");
    }
    // A dict in itself is no endless loop.
    let error = told(&stored(b"}q\0(X\x0a\0\0\0state_dicth\0u."));
    assert!(error.contains("there are no tensors in it"), "{error}");
}

#[test]
fn files_that_are_no_checkpoints_are_refused() {
    for (bytes, part) in [
        (Vec::new(), "it is no PyTorch checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1\noid".to_vec(), "it is no PyTorch checkpoint (a Git LFS pointer"),
        (b"PK\x03\x04 and no more than that".to_vec(), "it is damaged: "),
        (zipped(b"N.", SimpleFileOptions::default()), "is compressed"),
        ([&legacy::START[..], b".}.}.K\x01."].concat(), "its pickle is damaged"),
        (
            [&legacy::START[..], b".}(", &text("little_endian"), b"\x89u."].concat(),
            "it was written on a big-endian machine",
        ),
    ] {
        let error = told(&bytes);
        assert!(error.contains(part), "{part}: {error}");
    }
    for name in ["zip.bin", "legacy.bin"] {
        let bytes = std::fs::read(data(name)).unwrap();
        for len in (0..bytes.len()).step_by(37) {
            assert!(!told(&bytes[..len]).is_empty(), "{name} {len}");
        }
    }
}

#[test]
fn damage_of_any_kind_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.bin");
    for name in ["zip.bin", "legacy.bin", "nested.bin"] {
        let whole = std::fs::read(data(name)).unwrap();
        let mut random = 1_u64;
        for _ in 0..1500 {
            let mut bytes = whole.clone();
            for _ in 0..3 {
                // Knuth's generator: the high bits are the good ones.
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (random >> 33) as usize % bytes.len();
                bytes[at] = (random >> 20) as u8;
            }
            write_atomic(&path, &bytes).unwrap();
            // Either is right: many bytes are numbers of tensors.
            let _ = read_file(&path);
        }
    }
}

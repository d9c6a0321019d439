//! A student that starts from its teacher: weight selection.

use candle_core::Tensor;

use super::uniform_mapping;
use crate::{
    compress::CompressError,
    model::{Embedding, EncoderSpec, Model, PROJECTION},
};

/// Copies what fits of a teacher into a student: of each matrix the evenly spaced rows and columns that the student has, of
/// each head its evenly spaced numbers, layer by layer as [`uniform_mapping`] maps them (Xu et al., 2024, "Initializing
/// Models with Larger Ones", section 3: uniform selection). One choice of hidden units holds for all tensors, so that what is
/// selected of the one still means what is selected of the other.
///
/// Only word embeddings are copied where the layers of the two are of different kinds, and no head where the heads are.
/// Parameters that the teacher has not, or has smaller, stay as they are. Gives the share of the student's numbers that was
/// copied.
///
/// # Errors
/// When a tensor cannot be copied.
pub fn start_from(student: &mut Model, teacher: &Model) -> Result<f64, CompressError> {
    let layers = uniform_mapping(student.spec.n_stored_layers(), teacher.spec.n_stored_layers());
    let mut copied = 0;
    let names: Vec<String> =
        student.params.keys().filter(|name| means_the_same(name, student, teacher)).cloned().collect();
    for name in names {
        let Some(source) = teacher.params.get(&source_name(&name, &layers)) else { continue };
        let target = &student.params[&name];
        let (dims, mut source) = (target.dims().to_vec(), source.detach());
        let mut head = None;
        if name == POSITIONS {
            // Positions are counted from another row in some families; the rows before have no position.
            let [before, after] = [teacher, student].map(|model| model.spec.positions.offset());
            source = source.narrow(0, before, source.dim(0)? - before)?;
            head = (after > 0).then(|| target.narrow(0, 0, after)).transpose()?;
        }
        let wanted: Vec<usize> = dims
            .iter()
            .enumerate()
            .map(|(axis, size)| size - if axis == 0 { height(head.as_ref()) } else { 0 })
            .collect();
        if wanted.len() != source.rank() || wanted.iter().zip(source.dims()).any(|(to, from)| to > from) {
            continue;
        }
        for (axis, &size) in wanted.iter().enumerate() {
            let from = source.dim(axis)?;
            let kept = if is_of_heads(&name, axis) {
                of_heads((teacher.spec.head_dim, from), (student.spec.head_dim, size))
            } else if axis == 0 && name.contains("_embeddings.") {
                // Tokens and positions are what they are, wherever there are fewer.
                (0..size as u32).collect()
            } else {
                spaced(from, size)
            };
            source = source.index_select(&Tensor::new(kept, source.device())?, axis)?;
        }
        copied += source.elem_count();
        if let Some(head) = head {
            source = Tensor::cat(&[&head.detach(), &source], 0)?;
        }
        student.params.insert(name, source.contiguous()?.copy()?);
    }
    Ok(copied as f64 / student.n_parameters().max(1) as f64)
}

const POSITIONS: &str = "bert.embeddings.position_embeddings.weight";

fn height(rows: Option<&Tensor>) -> usize {
    rows.map_or(0, |rows| rows.dims()[0])
}

/// Whether a parameter of the student is used as the teacher's of its name is.
fn means_the_same(name: &str, student: &Model, teacher: &Model) -> bool {
    let (student, teacher) = (&student.spec, &teacher.spec);
    let kind =
        |spec: &EncoderSpec| (spec.bottleneck.is_some(), spec.norm, spec.pre_norm, spec.gated, spec.feed_forwards);
    if name.starts_with("bert.embeddings.word_embeddings.") {
        return true;
    }
    if name.starts_with(PROJECTION) {
        let is_projected = |spec: &EncoderSpec| matches!(spec.embedding, Embedding::Projected(_));
        return kind(student) == kind(teacher) && is_projected(student) == is_projected(teacher);
    }
    let is_of_encoder = name.starts_with("bert.") && !name.starts_with("bert.pooler.");
    kind(student) == kind(teacher) && (is_of_encoder || student.classifier == teacher.classifier)
}

/// The teacher's parameter that a parameter of the student starts from.
fn source_name(name: &str, layers: &[usize]) -> String {
    let Some((number, rest)) = name.strip_prefix("bert.encoder.layer.").and_then(|rest| rest.split_once('.')) else {
        return name.to_owned();
    };
    let followed = number.parse::<usize>().ok().and_then(|layer| layers.get(layer));
    followed.map_or_else(|| name.to_owned(), |followed| format!("bert.encoder.layer.{followed}.{rest}"))
}

/// Whether an axis of a parameter is cut into heads.
fn is_of_heads(name: &str, axis: usize) -> bool {
    (name.contains(".attention.self.") && axis == 0) || (name.ends_with(".attention.output.dense.weight") && axis == 1)
}

/// `to` of `from` places, evenly spaced.
fn spaced(from: usize, to: usize) -> Vec<u32> {
    (0..to).map(|place| (place * from / to) as u32).collect()
}

/// The same of heads and within each: `(head_dim, width)` before and after.
fn of_heads((from_dim, from): (usize, usize), (to_dim, to): (usize, usize)) -> Vec<u32> {
    if to_dim > from_dim || to / to_dim > from / from_dim {
        return spaced(from, to);
    }
    let within = spaced(from_dim, to_dim);
    let heads = spaced(from / from_dim, to / to_dim);
    heads.into_iter().flat_map(|head| within.iter().map(move |place| head * from_dim as u32 + place)).collect()
}

#[cfg(test)]
mod tests {
    use candle_core::IndexOp;

    use super::*;
    use crate::{
        compress::distill::{Architecture, StudentShape, fresh_student},
        train::tests::tiny,
    };

    #[test]
    fn places_are_evenly_spaced() {
        assert_eq!(spaced(8, 8), (0..8).collect::<Vec<u32>>());
        assert_eq!(spaced(8, 4), [0, 2, 4, 6]);
        assert_eq!(spaced(5, 3), [0, 1, 3]);
        assert_eq!(of_heads((4, 12), (2, 4)), [0, 2, 4, 6]);
        assert_eq!(of_heads((2, 8), (4, 8)), (0..8).collect::<Vec<u32>>());
    }

    #[test]
    fn a_student_of_the_same_shape_is_the_teacher() {
        let (teacher, _) = tiny();
        let shape = StudentShape { n_layers: 2, hidden_size: 16, heads: Some(2), intermediate_size: Some(32) };
        let mut student = fresh_student(&teacher, &shape, 1).unwrap();
        assert_eq!(start_from(&mut student, &teacher).unwrap(), 1.0);
        let batch = crate::compress::verify::fixed_batch(&teacher);
        let answers = |model: &Model| crate::compress::verify::answers(model, &batch).unwrap();
        assert_eq!(answers(&student), answers(&teacher));
    }

    #[test]
    fn positions_begin_where_each_family_counts_from() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/families/roberta-classifier");
        let teacher = Model::load(&path, &candle_core::Device::Cpu).unwrap();
        let mut student = Architecture::of("bert-tiny").unwrap().student(&teacher, 1).unwrap();
        // The student is wider than the tiny teacher: what is wider stays as it is.
        assert_eq!(start_from(&mut student, &teacher).unwrap(), 0.0);
        let spec = EncoderSpec {
            positions: crate::model::Positions::FromZero,
            ..EncoderSpec::bert(30, 6, teacher.spec.layers.clone())
        };
        let spec =
            EncoderSpec { vocab_size: 83, max_positions: teacher.spec.max_positions, type_vocab_size: 1, ..spec };
        let mut student = Model::init(spec, teacher.head.clone(), 1, &candle_core::Device::Cpu).unwrap();
        let pooler = student.params["bert.pooler.dense.weight"].to_vec2::<f32>().unwrap();
        start_from(&mut student, &teacher).unwrap();
        let row = |model: &Model, row: usize| model.params[POSITIONS].i(row).unwrap().to_vec1::<f32>().unwrap();
        let before = teacher.spec.positions.offset();
        assert!(before > 0);
        assert_eq!((row(&student, 0), row(&student, 5)), (row(&teacher, before), row(&teacher, before + 5)));
        // The heads of the two are of different kinds.
        assert_eq!(student.params["bert.pooler.dense.weight"].to_vec2::<f32>().unwrap(), pooler);
    }

    #[test]
    fn a_student_of_another_kind_takes_words_alone() {
        let (teacher, _) = tiny();
        let mut student = Architecture::of("mobilebert-tiny").unwrap().student(&teacher, 1).unwrap();
        student.spec.vocab_size = teacher.spec.vocab_size;
        let before = student.params.clone();
        start_from(&mut student, &teacher).unwrap();
        for (name, tensor) in &student.params {
            let same = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()
                == before[name].flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert!(same || name.contains("word_embeddings"), "{name}");
        }
    }

    #[test]
    fn a_narrower_student_takes_what_it_has_room_for() {
        let (teacher, _) = tiny();
        let shape = StudentShape { n_layers: 1, hidden_size: 8, heads: Some(2), intermediate_size: Some(64) };
        let mut student = fresh_student(&teacher, &shape, 1).unwrap();
        let before = student.params["bert.encoder.layer.0.intermediate.dense.weight"].clone();
        let share = start_from(&mut student, &teacher).unwrap();
        assert!(share > 0.3 && share < 1.0, "{share}");
        let row = |model: &Model, name: &str, row: usize| model.params[name].i(row).unwrap().to_vec1::<f32>().unwrap();
        let words = "bert.embeddings.word_embeddings.weight";
        let expected: Vec<f32> = row(&teacher, words, 5).into_iter().step_by(2).collect();
        assert_eq!(row(&student, words, 5), expected);
        // The last layer follows the last; heads are 4 wide instead of 8.
        let query = |layer: usize| format!("bert.encoder.layer.{layer}.attention.self.query.weight");
        let expected: Vec<f32> = row(&teacher, &query(1), 10).into_iter().step_by(2).collect();
        assert_eq!(row(&student, &query(0), 5), expected);
        // Its feed-forward net is wider than the teacher's.
        let after = &student.params["bert.encoder.layer.0.intermediate.dense.weight"];
        assert_eq!(after.to_vec2::<f32>().unwrap(), before.to_vec2::<f32>().unwrap());
    }
}

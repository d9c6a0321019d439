//! `lexicon`: reads a table of synonyms, or the database of `WordNet`.

use std::{fs, path::Path};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    base::{fs as files, units},
    stage::{ArtifactKind, Better, Port, Stage, StageCtx, StageError, Unit},
    text::{
        Lexicon, TableForm,
        wordnet::{self, PARTS, Part, Senses},
    },
};

/// The table in an artifact.
pub(super) const TABLE: &str = "lexicon.tsv";
/// The licence of `WordNet`, beside it.
const LICENSE: &str = "LICENSE-WordNet.txt";

/// Parameters of a `lexicon` input.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The folder of `WordNet`'s database (`index.noun`, `data.noun`, …; `/usr/share/wordnet` of Debian's `wordnet-base`), whose licence
    /// is kept with the table; or a table of one's own: `word<TAB>synonym synonym …`, a line a word, where `_` in a synonym stands for
    /// a space, or `.csv` with `word,synonym,synonym …`, or `.jsonl` with `{"word": "film", "synonyms": ["movie"]}`.
    lexicon: String,
    /// Which meanings of a word give it synonyms, where it is `WordNet`.
    #[serde(default)]
    senses: Senses,
    /// The licence of a table of one's own, for the report.
    #[serde(default)]
    license: Option<String>,
}

/// See the file's first line.
pub(super) struct LexiconSource;

impl Stage for LexiconSource {
    const KIND: &'static str = "lexicon";
    const VERSION: u32 = 1;
    const ABOUT: &'static str = "reads a table of synonyms, or the database of WordNet";
    const INPUTS: &'static [Port] = &[];
    const OUTPUT: ArtifactKind = ArtifactKind::Lexicon;
    const SOURCE: bool = true;
    type Params = Params;

    fn files(params: &Params) -> Vec<(String, String)> {
        vec![("lexicon".to_owned(), params.lexicon.clone())]
    }

    /// The content of the file is part of the fingerprint, its name is not; the extension says how it is read.
    fn identity(params: &Params) -> Value {
        let mut identity = serde_json::to_value(params).unwrap_or_default();
        identity["lexicon"] = json!({ "form": format!("{:?}", TableForm::of(&params.lexicon)) });
        identity
    }

    fn run(params: &Params, ctx: &mut StageCtx<'_>) -> Result<(), StageError> {
        let path = ctx.path(&params.lexicon);
        let wrong = |error: String| StageError::msg(error).context(format!("`{}`", params.lexicon));
        let lexicon = if path.is_dir() {
            let (lexicon, license) =
                read_wordnet(&path, params.senses).map_err(|error| error.context(format!("`{}`", params.lexicon)))?;
            let senses = match params.senses {
                Senses::Frequent => "the most frequent of each word",
                Senses::All => "all of each word",
            };
            ctx.record.fact("source", "WordNet");
            ctx.record.fact("senses", senses);
            if license.is_empty() {
                ctx.record.warnings.push("the files of WordNet have no licence at their head: none is kept".to_owned());
            } else {
                ctx.record.fact("license", format!("WordNet's, in `{LICENSE}`"));
                files::write_atomic(&ctx.output.join(LICENSE), license.as_bytes())?;
            }
            lexicon
        } else {
            Lexicon::parse(&files::read_text(&path)?, TableForm::of(&params.lexicon)).map_err(wrong)?
        };
        if let Some(license) = &params.license {
            ctx.record.fact("license", license);
        }
        let (table, [words, synonyms]) = lexicon.to_tsv();
        ctx.metric("words", words as f64, Unit::Count, Better::Neither);
        ctx.record.fact("words", units::thousands(words as u64));
        ctx.record.fact("synonyms", units::thousands(synonyms as u64));
        Ok(files::write_atomic(&ctx.output.join(TABLE), table.as_bytes())?)
    }
}

/// The table in an artifact of this kind.
pub(super) fn read(dir: &Path) -> Result<Lexicon, StageError> {
    let path = dir.join(TABLE);
    Lexicon::parse(&files::read_text(&path)?, TableForm::Tsv)
        .map_err(|error| StageError::msg(error).context(format!("`{}`", path.display())))
}

/// The synonyms of `WordNet`, and its licence.
fn read_wordnet(dir: &Path, senses: Senses) -> Result<(Lexicon, String), StageError> {
    // Names of people and places have letters that are no UTF-8.
    let read = |name: String| {
        let path = dir.join(&name);
        let bytes = files::read(&path)?;
        Ok::<_, StageError>(String::from_utf8_lossy(&bytes).into_owned())
    };
    let counts = match senses {
        Senses::All => String::new(),
        Senses::Frequent if fs::exists(dir.join("cntlist.rev")).unwrap_or(false) => read("cntlist.rev".to_owned())?,
        Senses::Frequent => {
            return Err(StageError::msg(
                "there is no `cntlist.rev`, which says how frequent each sense of a word is; `senses: all` does without it",
            ));
        }
    };
    let mut indices = Vec::with_capacity(PARTS.len());
    let mut data = Vec::with_capacity(PARTS.len());
    for (part, _) in PARTS {
        indices.push(read(format!("index.{part}"))?);
        data.push(read(format!("data.{part}"))?);
    }
    let parts = [0, 1, 2, 3].map(|part| Part { index: &indices[part], data: &data[part] });
    let table = wordnet::table(parts, &counts, senses).map_err(StageError::msg)?;
    if table.is_empty() {
        return Err(StageError::msg("no word of it has a synonym"));
    }
    Ok((Lexicon::Table(table.into_iter().collect()), wordnet::license(&indices[0])))
}

//! Rows that are probably the same thing: a model, trained where it has to be, held to all rows that may be.

mod large;

use std::path::PathBuf;

use comboi_engine::{Input, Linked, Session};
use comboi_linkage::{
    Easy, Error, Linkage, Pairs, Predict, Records, Rule, RulePairs, Settings, SplinkVersion,
    Training, TrainingReport, Way, rules_of_keys, weight_of,
};
use comboi_project::{
    Columns, Deduplication, Lambda, LargeCluster, LinkKey, Located, Problem, Problems, Train,
};
use serde::Serialize;

/// A model and the rows that it is about.
pub struct Link {
    /// Both, made ready for each other.
    pub linkage: Linkage,
    /// What was learned; `None` when the model was brought and stays as it is.
    pub training: Option<TrainingReport>,
    /// What a person should know.
    pub notes: Vec<String>,
    budget: u64,
}

/// What came of comparing rows, for the record of the run.
#[derive(Clone, Debug, Serialize)]
pub struct LinkReport {
    /// The share of matches among all pairs.
    pub lambda: f64,
    /// What was learned.
    pub training: Option<TrainingReport>,
    /// How many pairs each rule gave to be compared.
    pub rules: Vec<RulePairs>,
    /// Pairs that weigh as much as `predict_threshold`.
    pub pairs: usize,
    /// Comparisons and rules that DuckDB computed pair by pair, and why: they take longer.
    pub by_sql: Vec<(String, String)>,
    /// How many clusters had to be split because they were too large.
    pub split_clusters: usize,
}

/// Whether a model is to learn, whatever its settings say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learn {
    /// As `train` and `lambda` say.
    AsSaid,
    /// All of it anew.
    All,
}

impl Link {
    /// Reads the rows that a query returned, and trains the model on them if that is wanted.
    ///
    /// How many pairs the rules would give is counted before anything is compared; more than `pairs_budget` allows is an error that
    /// names the rules.
    pub fn open(
        session: &Session,
        rows: &Input<'_>,
        how: &Deduplication,
        learn: Learn,
    ) -> Result<Self, Error> {
        let Prepared {
            mut linkage,
            training,
            trains,
            mut notes,
            budget,
        } = prepare(session, rows, how, learn)?;
        let mut report = None;
        if trains {
            report = Some(linkage.train(&training)?);
        } else if training.lambda {
            let mut warnings = Vec::new();
            let lambda = linkage.estimate_lambda(&training, &mut warnings)?;
            report = Some(TrainingReport {
                lambda,
                warnings,
                ..TrainingReport::default()
            });
        }
        if let Some(report) = &report {
            notes.extend(report.warnings.iter().cloned());
        }
        Ok(Self {
            linkage,
            training: report,
            notes,
            budget,
        })
    }

    /// The pairs from a match probability on.
    pub fn pairs(&self, probability: f64) -> Result<Pairs, Error> {
        self.linkage.predict(&Predict {
            threshold_weight: weight_of(probability),
            pairs_budget: Some(self.budget),
        })
    }

    /// The model as Splink saves one.
    pub fn model(&self) -> String {
        self.linkage.settings().to_json(SplinkVersion::V5)
    }

    /// Which rows belong together, and what is to be told of it.
    pub(crate) fn linked(&self, how: &Deduplication) -> Result<(Linked, LinkReport), Error> {
        let wanted = &how.how;
        let least = wanted.threshold.value.min(wanted.predict_threshold.value);
        let pairs = self.pairs(least)?;
        let threshold = weight_of(wanted.threshold.value);
        let mut clusters = self.linkage.clusters(&pairs, threshold);
        let mut split_clusters = 0;
        if how.on_large_cluster() == LargeCluster::Split {
            let most = wanted.max_cluster_size.value;
            split_clusters = large::split(&mut clusters, &pairs, threshold, most);
        }
        let ways = self.linkage.ways().into_iter();
        let report = LinkReport {
            lambda: self.linkage.settings().lambda_or_default(),
            training: self.training.clone(),
            pairs: pairs.len(),
            rules: pairs.rules,
            by_sql: ways
                .filter_map(|(name, way)| match way {
                    Way::Native => None,
                    Way::Sql(why) => Some((name, why)),
                })
                .collect(),
            split_clusters,
        };
        let comparisons = &self.linkage.settings().comparisons;
        let linked = Linked {
            clusters,
            l: pairs.l,
            r: pairs.r,
            weights: pairs.weights,
            match_keys: pairs.match_key,
            gammas: pairs.gammas,
            comparisons: comparisons.iter().map(|it| it.name.clone()).collect(),
        };
        Ok((linked, report))
    }
}

/// Every mistake in the settings of a model that they and the columns of the query tell.
pub fn check_settings(
    session: &Session,
    how: &Deduplication,
    columns: &Columns,
) -> Result<(), Error> {
    let file = session.scratch().join("no-rows.parquet");
    comboi_engine::write_rows(session, columns, &[], &file)?;
    let rows = Input {
        alias: "rows",
        columns,
        files: &[file],
    };
    prepare(session, &rows, how, Learn::AsSaid).map(drop)
}

/// A model that has not learned yet, and the rows that it is about.
struct Prepared {
    linkage: Linkage,
    training: Training,
    /// Whether more than the share of matches is learned.
    trains: bool,
    notes: Vec<String>,
    budget: u64,
}

fn prepare(
    session: &Session,
    rows: &Input<'_>,
    how: &Deduplication,
    learn: Learn,
) -> Result<Prepared, Error> {
    let (mut settings, mut notes) = settings(session, how, rows.columns)?;
    settings.unique_id.clone_from(&how.unique_id.value);
    if let Some(source) = &how.how.source {
        settings.source.clone_from(&source.value);
    }
    let wanted = &how.how;
    let trains = match (learn, wanted.train) {
        (Learn::All, _) | (_, Train::Always) => true,
        (_, Train::Never) => false,
        (_, Train::Auto) => !settings.is_trained(),
    };
    let lambda = trains || wanted.lambda == Lambda::Reestimate;
    let mut training = Training {
        deterministic_rules: rules(session, &how.how.deterministic_rules, how, rows.columns)?,
        recall: wanted.recall.value,
        em_rules: rules(session, &how.how.em_rules, how, rows.columns)?,
        max_pairs: Training::default().max_pairs,
        seed: wanted.seed,
        pairs_budget: None,
        lambda,
        u: trains,
        m: trains,
    };
    let records = Records {
        files: rows.files,
        columns: Some(rows.columns),
        // A model of Splink's says itself what is NULL.
        blank_is_null: how.model.is_none(),
    };
    let mut linkage = Linkage::open(session, &records, settings, Some(&training))?;
    let mut budget = u64::from(linkage.row_count())
        .saturating_mul(wanted.pairs_budget.value.into())
        .max(1_000);
    training.pairs_budget = Some(budget);
    if how.model.is_none() && wanted.keys.is_empty() {
        // Of columns that nobody chose to look for pairs by, some may be shared by too many rows.
        let dropped = linkage.drop_wide_rules(budget)?;
        let left = linkage.settings().rules.len().max(1);
        budget = budget.saturating_mul(u64::try_from(left).unwrap_or(1));
        notes.extend(dropped.into_iter().map(|rule| {
            format!(
                "pairs are not looked for by `{}`, which has {} of them; name `keys`",
                rule.rule, rule.pairs
            )
        }));
    }
    Ok(Prepared {
        linkage,
        training,
        trains,
        notes,
        budget,
    })
}

/// The model as it was brought, or made of `comparisons`; and what is odd about it.
fn settings(
    session: &Session,
    how: &Deduplication,
    columns: &Columns,
) -> Result<(Settings, Vec<String>), Error> {
    let Some(model) = &how.model else {
        let easy = Easy {
            unique_id: how.unique_id.value.clone(),
            keys: how.how.keys.iter().map(|key| parts(key)).collect(),
            comparisons: how
                .how
                .comparisons
                .iter()
                .map(|(column, likeness)| (column.value.clone(), likeness.value.clone()))
                .collect(),
            place: how.place.clone(),
        };
        return Ok((easy.settings(session)?, Vec::new()));
    };
    let (mut settings, warnings): (Settings, Vec<Problem>) = match &model.settings {
        Ok(inline) => {
            let place = |pointer: &str| inline.place(pointer).unwrap_or(&model.place).clone();
            Settings::from_value(&inline.value, &place)?
        }
        Err((path, text)) => Settings::from_json(text, path)?,
    };
    let added = model.blocking_rule.iter();
    settings
        .rules
        .extend(added.map(|rule| Rule::new(rule.value.clone(), &rule.place)));
    settings
        .rules
        .extend(rules(session, &how.how.keys, how, columns)?);
    if settings.rules.is_empty() {
        let problem = Problem::at(&model.place, "no rule says which rows are compared");
        return Err(Problems(vec![problem.hint(
            "name what rows have in common that are compared: `keys` in `dedupe`",
        )])
        .into());
    }
    let notes = warnings
        .into_iter()
        .map(|warning| format!("{} ({})", warning.message, warning.place))
        .collect();
    Ok((settings, notes))
}

fn rules(
    session: &Session,
    keys: &[Located<LinkKey>],
    how: &Deduplication,
    columns: &Columns,
) -> Result<Vec<Rule>, Error> {
    let parts: Vec<Vec<String>> = keys.iter().map(|key| parts(key)).collect();
    let place = keys.first().map_or(&how.place, |key| &key.place);
    let columns = how.model.is_some().then_some(columns);
    rules_of_keys(session, &parts, columns, place)
}

fn parts(key: &LinkKey) -> Vec<String> {
    key.parts.iter().map(|(part, _)| part.clone()).collect()
}

/// Writes a model for people to keep, whole or not at all.
pub fn save(model: &str, path: &PathBuf) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let part = path.with_extension(format!("{}.part", std::process::id()));
    std::fs::write(&part, model)?;
    std::fs::rename(&part, path)
}

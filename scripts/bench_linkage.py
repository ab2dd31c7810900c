"""The linkage suite of scripts/bench: records in a Parquet file to deduplicated ones in another, by comboi and by Splink 5.0.0.

Each in a process of its own: comboi as `comboi run silver` over bronze, Splink as its users write it, with one row of each cluster written at the end.
Where both train, each trains for itself; where a model is brought, it is Splink's, and what one finds the other has to find.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

SPLINK = "5.0.0"
SYLLABLES = "ba ben bri ca chel da den el er fin ga gra ha hel is ja jo ka kel la leo li ma mar mo na nel ol pa per ra ri ro sa sha si ste ta tho to va vi wa wil yo za"
# Persons with one to three records each, and all of those; in those after the first there are slips of the pen, and people who moved.
# Names are as frequent as makes rules find 34 million pairs (wide) and 1.3 million (tight) of a million records, and 22 million (tight) of five.
PERSONS = """
COPY (
    WITH persons AS (
        SELECT range AS k, pick(range, 'copies', 10) AS copies, pick(range, 'area', 34000) AS area,
            name_of((pow(share(range, 'first'), 2.5) * 1000)::BIGINT, 2) AS first_name,
            name_of(100000 + (pow(share(range, 'last'), 2.1) * 14000)::BIGINT, 3) AS surname,
            (DATE '1930-01-01' + pick(range, 'born', 26000)::INT)::VARCHAR AS dob,
            '07' || lpad(pick(range, 'phone', 1000000000)::VARCHAR, 9, '0') AS phone,
            name_of(700000 + (pow(share(range, 'city'), 2) * 400)::BIGINT, 3) || 'ville' AS city
        FROM range({rows} * 10 // 17 + 1000)),
    records AS (SELECT *, k * 4 + copy AS id FROM (SELECT *, unnest(range(CASE WHEN copies < 5 THEN 1 WHEN copies < 8 THEN 2 ELSE 3 END)) AS copy FROM persons)),
    spelled AS (SELECT *, letter(area, 'a') || letter(area, 'b') || (1 + pick(area, 'c', 20))::VARCHAR || ' ' || pick(area, 'd', 10)::VARCHAR || letter(area, 'e') || letter(area, 'f') AS postcode FROM records)
    SELECT id AS unique_id, k AS cluster,
        perhaps(first_name, id, 'fn', 0.02, CASE copy WHEN 0 THEN 0.02 ELSE 0.18 END) AS first_name,
        perhaps(surname, id, 'sn', 0.01, CASE copy WHEN 0 THEN 0.02 ELSE 0.15 END) AS surname,
        perhaps(dob, id, 'db', 0.04, CASE copy WHEN 0 THEN 0 ELSE 0.12 END) AS dob,
        perhaps(CASE WHEN copy > 0 AND share(id, 'moved') < 0.15 THEN NULL ELSE postcode END, id, 'po', 0.05, CASE copy WHEN 0 THEN 0 ELSE 0.05 END) AS postcode,
        perhaps(city, id, 'ci', 0.05, 0.03) AS city,
        perhaps(first_name || '.' || surname || pick(k, 'mail', 100)::VARCHAR || '@example.com', id, 'em', 0.15, CASE copy WHEN 0 THEN 0 ELSE 0.12 END) AS email,
        perhaps(phone, id, 'ph', 0.15, CASE copy WHEN 0 THEN 0 ELSE 0.1 END) AS phone
    FROM spelled ORDER BY hash(id) LIMIT {rows}
) TO '{to}' (FORMAT parquet, COMPRESSION zstd)
"""
TIGHT = [("first_name", "surname"), ("surname", "dob"), ("first_name", "dob"), ("postcode", "surname"), ("postcode", "first_name"), ("email",), ("phone",), ("dob", "city")]
WIDE = ["SUBSTRING(l.first_name, 1, 3) = SUBSTRING(r.first_name, 1, 3) AND SUBSTRING(l.surname, 1, 4) = SUBSTRING(r.surname, 1, 4)"] + [f"l.{it} = r.{it}" for it in ("email", "phone", "postcode", "dob")]
CERTAIN = [("first_name", "surname", "dob"), ("email",)]
TRAIN = [("first_name", "surname"), ("dob",)]
# Splink's own page about these records: 50,578 of 5,156 persons, with errors that somebody made up.
HISTORICAL = [
    ("substr(first_name,1,3)", "substr(surname,1,4)"),
    ("surname", "dob"),
    ("first_name", "dob"),
    ("postcode_fake", "first_name"),
    ("postcode_fake", "surname"),
    ("dob", "birth_place"),
    ("substr(postcode_fake,1,3)", "dob"),
    ("substr(postcode_fake,1,3)", "first_name"),
    ("substr(postcode_fake,1,3)", "surname"),
    ("substr(first_name,1,2)", "substr(surname,1,2)", "substr(dob,1,4)"),
]
HISTORICAL_CERTAIN = [("first_name", "surname", "dob"), ("substr(first_name,1,2)", "surname", "substr(postcode_fake,1,2)"), ("dob", "postcode_fake")]
THRESHOLD = 0.9


def equal(columns):
    return " AND ".join(f"l.{it} = r.{it}" for it in columns)


def equal_parts(parts):
    def of(side, part):
        return part.replace("substr(", f"substr({side}.") if "(" in part else f"{side}.{part}"

    return " AND ".join(f"{of('l', it)} = {of('r', it)}" for it in parts)


def persons(rows, to):
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET temp_directory = '{to.with_suffix('.spill')}'; SET preserve_insertion_order = false")
    syllables = ", ".join(f"'{it}'" for it in SYLLABLES.split())
    for macro in (
        "pick(k, salt, n) AS (hash(k::VARCHAR || salt) % n::UBIGINT)::BIGINT",
        "share(k, salt) AS (hash(k::VARCHAR || salt) % 1000003) / 1000003.0",
        "letter(k, salt) AS chr((65 + pick(k, salt, 26))::INT)",
        f"syllable(k, salt) AS list_extract([{syllables}], 1 + pick(k, salt, {len(SYLLABLES.split())}))",
        "name_of(k, most) AS syllable(k, 'x') || syllable(k, 'y') || CASE WHEN pick(k, 'z', most) = 0 THEN '' ELSE syllable(k, 'z') END",
        # A letter left out, wrong or double, or two that changed places.
        """slip(t, k, salt) AS CASE WHEN t IS NULL OR length(t) < 3 THEN t ELSE CASE pick(k, salt || 'w', 4)
            WHEN 0 THEN substr(t, 1, 1 + pick(k, salt, length(t) - 1)) || substr(t, 3 + pick(k, salt, length(t) - 1))
            WHEN 1 THEN substr(t, 1, 1 + pick(k, salt, length(t) - 1)) || chr((97 + pick(k, salt || 'c', 26))::INT) || substr(t, 3 + pick(k, salt, length(t) - 1))
            WHEN 2 THEN substr(t, 1, 1 + pick(k, salt, length(t) - 1)) || substr(t, 1 + pick(k, salt, length(t) - 1))
            ELSE substr(t, 1, pick(k, salt, length(t) - 1)) || substr(t, 2 + pick(k, salt, length(t) - 1), 1) || substr(t, 1 + pick(k, salt, length(t) - 1), 1) || substr(t, 3 + pick(k, salt, length(t) - 1)) END END""",
        "perhaps(t, k, salt, missing, wrong) AS CASE WHEN share(k, salt || '?') < missing THEN NULL WHEN share(k, salt || '?') < missing + wrong THEN slip(t, k, salt || '!') ELSE t END",
    ):
        connection.execute(f"CREATE OR REPLACE MACRO {macro}")
    part = to.with_suffix(".part")
    connection.execute(PERSONS.format(rows=rows, to=part))
    part.rename(to)


def splink(records, model, rules, train, certain, recall, to):
    """Runs in a process of its own: links, writes one row of each cluster, and prints how many edges and clusters there are."""
    import logging

    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    logging.disable(logging.WARNING)
    api = DuckDBAPI()
    table = api.register(api.duckdb_con.read_parquet(records))
    if train:
        if "historical" in records:
            comparisons = [
                cl.ForenameSurnameComparison("first_name", "surname", forename_surname_concat_col_name="first_and_surname"),
                cl.DateOfBirthComparison("dob", input_is_string=True),
                cl.PostcodeComparison("postcode_fake"),
                cl.ExactMatch("birth_place").configure(term_frequency_adjustments=True),
                cl.ExactMatch("occupation").configure(term_frequency_adjustments=True),
            ]
        else:
            comparisons = [
                cl.NameComparison("first_name"),
                cl.NameComparison("surname"),
                cl.DateOfBirthComparison("dob", input_is_string=True),
                cl.PostcodeComparison("postcode"),
                cl.ExactMatch("city").configure(term_frequency_adjustments=True),
                cl.EmailComparison("email"),
                cl.DamerauLevenshteinAtThresholds("phone", 1),
            ]
        settings = SettingsCreator(
            link_type="dedupe_only",
            comparisons=comparisons,
            blocking_rules_to_generate_predictions=rules,
            retain_matching_columns=False,
            retain_intermediate_calculation_columns=False,
        )
        linker = Linker(table, settings)
        linker.training.estimate_probability_two_random_records_match([block_on(*it) for it in certain], recall=recall)
        linker.training.estimate_u_using_random_sampling(max_pairs=5e6)
        for rule in TRAIN:
            linker.training.estimate_parameters_using_expectation_maximisation(block_on(*rule), estimate_without_term_frequencies=True)
        linker.misc.save_model_to_json(model, overwrite=True)
    else:
        settings = json.loads(pathlib.Path(model).read_text())
        settings["blocking_rules_to_generate_predictions"] = rules
        linker = Linker(table, settings)
    pairs = linker.inference.predict(threshold_match_probability=THRESHOLD)
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(pairs, threshold_match_probability=THRESHOLD)
    api.duckdb_con.execute(
        f"""COPY (SELECT *, count(*) OVER (PARTITION BY cluster_id) AS cluster_size FROM {clusters.physical_name}
              QUALIFY row_number() OVER (PARTITION BY cluster_id ORDER BY unique_id) = 1) TO '{to}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"""
    )
    edges = api.duckdb_con.sql(f"SELECT count(*) FROM {pairs.physical_name}").fetchall()[0][0]
    count = api.duckdb_con.sql(f"SELECT count(*) FROM '{to}'").fetchall()[0][0]
    print(edges, count)


def measured(words, folder=None):
    """Seconds of the clock, seconds of the processor, peak memory in MiB, and what was printed."""
    begun = time.perf_counter()
    process = subprocess.Popen([str(it) for it in words], stdout=subprocess.PIPE, cwd=folder)
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{words[0]} failed:\n{output}")
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output


def keys(listed):
    return json.dumps([list(it) for it in listed])


def project(comboi, folder, records, model, rules, train, certain, recall):
    """A project whose bronze is these records, already extracted."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "configs").mkdir(parents=True)
    (folder / "transformations/sql").mkdir(parents=True)
    (folder / "in").mkdir()
    (folder / "in/persons.parquet").symlink_to(records)
    (folder / "configs/default.yml").write_text(
        "sources:\n  - {name: app, type: files, path: in, metadata_columns: false, tables: [{name: persons, files: persons.parquet}]}\n"
    )
    settings = json.loads(pathlib.Path(model).read_text())
    settings["blocking_rules_to_generate_predictions"] = rules
    if train:
        settings.pop("probability_two_random_records_match", None)
        for level in (it for comparison in settings["comparisons"] for it in comparison["comparison_levels"]):
            level.pop("m_probability", None)
            level.pop("u_probability", None)
        how = f"{{deterministic_rules: {keys(certain)}, recall: {recall}, em_rules: {keys(TRAIN)}"
    else:
        how = "{lambda: model"
    (folder / "model.json").write_text(json.dumps(settings))
    # Splink has no limit to the size of a cluster, so neither has this.
    (folder / "configs/transformations.yml").write_text(
        f"""silver:
  - name: people
    inputs: [app/persons]
    splink: model.json
    dedupe: {how}, unique_id: unique_id, threshold: {THRESHOLD}, predict_threshold: {THRESHOLD}, max_cluster_size: 1000000, on_large_cluster: warn,
             pairs_budget: 1000, output: {{survivor: [first]}}}}
"""
    )
    (folder / "transformations/sql/people.sql").write_text("FROM persons\n")
    measured([comboi, "run", "bronze"], folder)


def case(comboi, python, folder, name, records, model, rules, train, certain, recall, promise, repeat, tell):
    here = folder / f"linkage-{name}"
    mine, theirs = [], []
    for turn in range(repeat):
        words = [records, model, json.dumps(rules), int(train), json.dumps(certain), recall, folder / "splink.parquet"]
        theirs.append(measured([python, __file__, "splink", *words]))
        project(comboi, here, records, model, rules, train, certain, recall)
        mine.append(measured([comboi, "run", "silver", "--format", "json"], here))
    best = [[min(it[at] for it in of) for of in (theirs, mine)] for at in range(3)]
    (their_time, time_), (their_cpu, cpu), (their_peak, peak) = best
    label = f"linkage, {name}"
    tell(f"{label}: clock, Splink {SPLINK} {their_time:.1f} s, comboi {time_:.2f} s", f"{their_time / time_:.1f} times", f">= {promise} times")
    tell(f"{label}: processor, Splink {their_cpu:.1f} s, comboi {cpu:.2f} s", f"{their_cpu / cpu:.1f} times", f">= {promise} times")
    tell(f"{label}: peak memory, Splink {their_peak:.0f} MiB, comboi {peak:.0f} MiB", f"{peak / their_peak:.2f}", "<= 0.33")
    task = next(it for it in json.loads(mine[-1][3])["tasks"] if it.get("linkage"))
    found = f"{task['linkage']['pairs']} {task['dedupe']['cluster_count']}"
    promised = "about the same" if train else "the same"
    tell(f"{label}: edges and clusters, Splink {theirs[-1][3].split(chr(10))[0]}", found, promised)
    if not train and found != theirs[-1][3].strip():
        sys.exit("with the same model, the same pairs and clusters have to be found")
    shutil.rmtree(here)


def bench(root, comboi, folder, python, rows, large, repeat, tell):
    records = {count: folder / f"people-{count}.parquet" for count in (rows, large)}
    for count, to in records.items():
        # In a process of its own: what this one holds would count as what its children hold.
        if not to.exists():
            subprocess.run([sys.executable, __file__, "persons", str(count), to], check=True)
    historical = root / "crates/comboi-linkage/tests/data/historical_50k.parquet"
    model = folder / f"people-{rows}.json"
    tight = [equal(it) for it in TIGHT]
    each = [
        ("historical_50k, trained", historical, folder / "historical.json", [equal_parts(it) for it in HISTORICAL], True, HISTORICAL_CERTAIN, 0.6, 8),
        (f"{rows:,} tight, trained", records[rows], model, tight, True, CERTAIN, 0.7, 7),
        (f"{rows:,} wide", records[rows], model, WIDE, False, CERTAIN, 0.7, 10),
        (f"{large:,} tight", records[large], model, tight, False, CERTAIN, 0.7, 5),
    ]
    for name, *rest in each:
        case(comboi, python, folder, name, *rest, repeat, tell)


if __name__ == "__main__" and sys.argv[1:2] == ["splink"]:
    records, model, rules, train, certain, recall, to = sys.argv[2:]
    splink(records, model, json.loads(rules), train == "1", json.loads(certain), float(recall), to)
elif __name__ == "__main__" and sys.argv[1:2] == ["persons"]:
    persons(int(sys.argv[2]), pathlib.Path(sys.argv[3]))

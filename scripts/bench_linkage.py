"""The linkage suite of scripts/bench: made-up persons, linked by comboi and by Splink 5.0.0, each in a process of its own.

Splink trains and saves the model; comboi trains its own for the one comparison, and takes Splink's model for the other. What one finds the other has to find.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

SPLINK = "5.0.0"
SYLLABLES = "ba ben bri ca chel da den el er fin ga gra ha hel is ja jo ka kel la leo li ma mar mo na nel ol pa per ra ri ro sa sha si ste ta tho to va vi wa wil yo za"
# Persons with one to three records each; in those after the first there are slips of the pen, and people who moved.
PERSONS = """
COPY (
    WITH persons AS (
        SELECT range AS k, pick(range, 'copies', 10) AS copies, pick(range, 'area', 60000) AS area,
            name_of((pow(share(range, 'first'), 2.2) * 1500)::BIGINT, 2) AS first_name,
            name_of(100000 + (pow(share(range, 'last'), 1.6) * 20000)::BIGINT, 3) AS surname,
            (DATE '1930-01-01' + pick(range, 'born', 29000)::INT)::VARCHAR AS dob,
            '07' || lpad(pick(range, 'phone', 1000000000)::VARCHAR, 9, '0') AS phone,
            name_of(700000 + (pow(share(range, 'city'), 2) * 400)::BIGINT, 3) || 'ville' AS city
        FROM range({rows})),
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


def equal(columns):
    return " AND ".join(f"l.{it} = r.{it}" for it in columns)


def persons(connection, rows, to):
    if to.exists():
        return
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


def splink(records, model, rules, train):
    """Runs in a process of its own: links, and prints how many edges and clusters there are."""
    import logging

    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    logging.disable(logging.WARNING)
    api = DuckDBAPI()
    table = api.register(api.duckdb_con.read_parquet(str(records)) if hasattr(api, "duckdb_con") else str(records))
    if train:
        settings = SettingsCreator(
            link_type="dedupe_only",
            comparisons=[
                cl.NameComparison("first_name"),
                cl.NameComparison("surname"),
                cl.DateOfBirthComparison("dob", input_is_string=True),
                cl.PostcodeComparison("postcode"),
                cl.ExactMatch("city").configure(term_frequency_adjustments=True),
                cl.EmailComparison("email"),
                cl.DamerauLevenshteinAtThresholds("phone", 1),
            ],
            blocking_rules_to_generate_predictions=rules,
            retain_matching_columns=False,
            retain_intermediate_calculation_columns=False,
        )
        linker = Linker(table, settings)
        linker.training.estimate_probability_two_random_records_match([block_on(*it) for it in CERTAIN], recall=0.7)
        linker.training.estimate_u_using_random_sampling(max_pairs=5e6)
        for rule in TRAIN:
            linker.training.estimate_parameters_using_expectation_maximisation(block_on(*rule), estimate_without_term_frequencies=True)
        linker.misc.save_model_to_json(str(model), overwrite=True)
    else:
        settings = json.loads(pathlib.Path(model).read_text())
        settings["blocking_rules_to_generate_predictions"] = rules
        linker = Linker(table, settings)
    pairs = linker.inference.predict(threshold_match_probability=0.9)
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(pairs, threshold_match_probability=0.9)
    edges = api.duckdb_con.sql(f"SELECT count(*) FROM {pairs.physical_name}").fetchone()[0]
    count = api.duckdb_con.sql(f"SELECT count(DISTINCT cluster_id) FROM {clusters.physical_name}").fetchone()[0]
    print(edges, count)


def measured(words):
    """Seconds of the clock, seconds of the processor, peak memory in MiB, and what was printed last."""
    begun = time.perf_counter()
    process = subprocess.Popen([str(it) for it in words], stdout=subprocess.PIPE)
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{words[0]} failed:\n{output}")
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output.split("\n")


def bench(root, folder, python, connection, rows, repeat, tell):
    subprocess.run(["cargo", "build", "--release", "--quiet", "--package", "comboi-linkage", "--example", "link"], cwd=root, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    link = target / "release" / "examples" / "link"
    os.environ["LD_LIBRARY_PATH"] = str(root / "target" / "duckdb")
    records = folder / f"persons-{rows}.parquet"
    persons(connection, rows, records)
    model = folder / f"persons-{rows}.json"
    for name, rules, train, promise in (("tight keys, trained", [equal(it) for it in TIGHT], True, 7), ("wide keys, a model brought", WIDE, False, 10)):
        theirs = measured([python, __file__, "splink", records, model, json.dumps(rules), int(train)])
        ours_model = folder / f"persons-{rows}-{'tight' if train else 'wide'}.json"
        settings = json.loads(model.read_text())
        settings["blocking_rules_to_generate_predictions"] = rules
        if train:
            for level in (it for comparison in settings["comparisons"] for it in comparison["comparison_levels"]):
                level.pop("m_probability", None)
                level.pop("u_probability", None)
        ours_model.write_text(json.dumps(settings))
        more = ["--train", ";".join(equal(it) for it in CERTAIN), 0.7, ";".join(equal(it) for it in TRAIN)] if train else []
        ours = min((measured([link, records, ours_model, 0.9, *more]) for _ in range(repeat)), key=lambda it: it[0])
        label = f"linkage of {rows:,} persons, {name}"
        tell(f"{label}: time, Splink {SPLINK} {theirs[0]:.1f} s, comboi", f"{ours[0]:.2f} s, {theirs[0] / ours[0]:.1f} times as fast", f">= {promise} times")
        tell(f"{label}: processor time, Splink {theirs[1]:.1f} s, comboi", f"{ours[1]:.2f} s, {theirs[1] / ours[1]:.1f} times less", "-")
        tell(f"{label}: peak memory, Splink {theirs[2]:.0f} MiB, comboi", f"{ours[2]:.0f} MiB, {ours[2] / theirs[2]:.2f}", "<= 0.33")
        edges = next(it for it in ours[3] if it.startswith("predict")).split("(")[1].split()[0]
        clusters = next(it for it in ours[3] if it.startswith("cluster")).split("(")[1].split()[0]
        tell(f"{label}: edges and clusters, Splink {theirs[3][0]}, comboi", f"{edges} {clusters}", "the same" if not train else "about the same")


if __name__ == "__main__" and sys.argv[1:2] == ["splink"]:
    splink(sys.argv[2], sys.argv[3], json.loads(sys.argv[4]), sys.argv[5] == "1")

-- COPY into T2, sealed and audited; :file is NDJSON. One transaction, as fast as PostgreSQL offers it.
BEGIN;
CREATE TEMP TABLE stage (line text) ON COMMIT DROP;
COPY stage FROM :'file' WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02');
CREATE TEMP TABLE sorted ON COMMIT DROP AS SELECT line, line::json->>'id' AS id FROM stage;
INSERT INTO person (id) SELECT id FROM sorted;
INSERT INTO person_key SELECT person, gen_random_bytes(32) FROM person;
INSERT INTO record (person, iv, data)
  SELECT person, iv, encrypt_iv(convert_to(line, 'UTF8'), key, iv, 'aes-cbc/pad:pkcs')
    FROM (SELECT p.person, k.key, s.line, gen_random_bytes(16) AS iv
            FROM sorted s JOIN person p USING (id) JOIN person_key k USING (person)) AS sealed;
INSERT INTO basis (person, party, purpose, destination, expires)
  SELECT person, 1, 'dpv:ServiceProvision', 'CN', now() + interval '10 years' FROM person;
INSERT INTO audit (kind, party, person, record, purpose, destination)
  SELECT 'stored', 1, person, record, 'dpv:ServiceProvision', 'CN' FROM record;
COMMIT;

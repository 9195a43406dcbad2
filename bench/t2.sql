-- The parity form T2: what an application has to build on PostgreSQL to come near what bourn does for one read.
-- A key a person; records sealed under it (AES-256-CBC: pgcrypto has no authenticated cipher); a basis that names party,
-- purpose and destination; an audit row for each disclosed record, committed (fsync) before the answer leaves. It proves
-- nothing: whoever owns the tables can change audit and basis.
CREATE EXTENSION pgcrypto;
CREATE TABLE person (person bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE);
CREATE TABLE person_key (person bigint PRIMARY KEY, key bytea NOT NULL);
CREATE TABLE record (record bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person bigint NOT NULL, iv bytea NOT NULL,
                     data bytea NOT NULL);
CREATE INDEX record_person ON record (person);
CREATE TABLE basis (basis bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person bigint NOT NULL, party int NOT NULL,
                    purpose text NOT NULL, destination text NOT NULL, expires timestamptz NOT NULL, withdrawn timestamptz);
CREATE INDEX basis_person ON basis (person);
CREATE TABLE audit (entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(),
                    kind text NOT NULL, party int NOT NULL, person bigint NOT NULL, record bigint NOT NULL,
                    purpose text NOT NULL, destination text NOT NULL, basis bigint);

CREATE FUNCTION disclose(the_id text, the_party int, the_purpose text, the_destination text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  found_one record;
BEGIN
  SELECT p.person, k.key, r.record, r.iv, r.data, b.basis INTO found_one
    FROM person p
    JOIN person_key k ON k.person = p.person
    JOIN record r ON r.person = p.person
    JOIN basis b ON b.person = p.person AND b.party = the_party AND b.purpose = the_purpose
                AND b.destination = the_destination AND b.expires > now() AND b.withdrawn IS NULL
   WHERE p.id = the_id;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no basis, or nobody';
  END IF;
  INSERT INTO audit (kind, party, person, record, purpose, destination, basis)
    VALUES ('disclosed', the_party, found_one.person, found_one.record, the_purpose, the_destination, found_one.basis);
  RETURN convert_from(decrypt_iv(found_one.data, found_one.key, found_one.iv, 'aes-cbc/pad:pkcs'), 'UTF8');
END $$;

-- The same for a list of people at once; an audit row each.
CREATE FUNCTION disclose_many(the_ids text[], the_party int, the_purpose text, the_destination text) RETURNS SETOF text
LANGUAGE sql AS $$
  WITH found AS MATERIALIZED (
    SELECT p.person, k.key, r.record, r.iv, r.data, b.basis
      FROM unnest(the_ids) AS asked(id)
      JOIN person p ON p.id = asked.id
      JOIN person_key k ON k.person = p.person
      JOIN record r ON r.person = p.person
      JOIN basis b ON b.person = p.person AND b.party = the_party AND b.purpose = the_purpose
                  AND b.destination = the_destination AND b.expires > now() AND b.withdrawn IS NULL),
  logged AS (
    INSERT INTO audit (kind, party, person, record, purpose, destination, basis)
      SELECT 'disclosed', the_party, person, record, the_purpose, the_destination, basis FROM found)
  SELECT convert_from(decrypt_iv(data, key, iv, 'aes-cbc/pad:pkcs'), 'UTF8') FROM found;
$$;

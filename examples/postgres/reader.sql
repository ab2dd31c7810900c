-- Whom comboi logs in as: it may read the shop's tables and see since when transactions are open, and write nothing.
--
--   psql --dbname shop --set password=SECRET --file examples/postgres/reader.sql

CREATE ROLE comboi_reader LOGIN PASSWORD :'password';
GRANT pg_read_all_stats TO comboi_reader;
GRANT USAGE ON SCHEMA shop TO comboi_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO comboi_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO comboi_reader;

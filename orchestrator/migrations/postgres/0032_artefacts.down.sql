DROP TABLE artefacts;

DROP TABLE users;
DROP TABLE namespaces;
DROP TABLE organizations;
